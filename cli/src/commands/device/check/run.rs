//! A check of one device or of many.

use std::path::Path;

use c8y_pki_engine::registry::Step;
use time::OffsetDateTime;

use super::setting::{CheckArgs, Chosen, MORE_WITH_LOGIN, Setting, chosen};
use super::{beside, many, show};
use crate::clock;
use crate::failure::{Outcome, Result};
use crate::output::Output;

pub(in super::super) fn run(args: &CheckArgs, pki: &Path, out: Output) -> Result {
    let client = args.endpoint.client(&args.login, &args.way)?;
    let mut setting = Setting::new(args, client.as_ref(), pki)?;
    let mut opener = args.files.opener()?;
    let now = OffsetDateTime::now_utc();
    let of_order = args.order.as_ref().map(|_| clock::open(pki, now)).transpose()?;
    let Chosen { subjects, listed, id_types } = chosen(args, of_order.as_ref(), out)?;
    let is_list = args.from.is_some() || args.order.is_some();
    if setting.login.is_some() && (subjects.len() != 1 || is_list) {
        return Err(beside::of_one());
    }
    setting.inquiry = setting.inquiry.map(|inquiry| inquiry.with_id_types(id_types));
    if let [subject] = subjects.as_slice()
        && !is_list
    {
        let read = opener.read_asking(subject)?;
        let mut report = setting.check_always_judged(subject, read);
        if setting.would_ask(&report) {
            report.notes.push(MORE_WITH_LOGIN.to_owned());
        }
        out.result(&report, show::whole)?;
        return Ok(Outcome::of_kind(report.verdict.kind()));
    }
    if let Some(first) = subjects.first() {
        // Passwords are asked for once, before devices are checked side by side.
        let _ = opener.read_asking(first)?;
    }
    let mut connected = Vec::new();
    let done = many::run(&setting, &opener, (&subjects, listed), &mut connected, out);
    if let Some(pki) = of_order {
        // Also what was found out before standard output was gone.
        let steps: Vec<_> = connected.into_iter().map(|id| (id, Step::Connected)).collect();
        pki.registry().note_steps(&steps, now)?;
    }
    done
}
