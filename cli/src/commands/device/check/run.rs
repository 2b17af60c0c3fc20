//! A check of one device or of many.

use std::path::Path;

use super::setting::{CheckArgs, MORE_WITH_LOGIN, Setting, subjects};
use super::{beside, many, show};
use crate::failure::{Outcome, Result};
use crate::output::Output;

pub(in super::super) fn run(args: &CheckArgs, pki: &Path, out: Output) -> Result {
    let client = args.endpoint.client(&args.login, &args.way)?;
    let mut setting = Setting::new(args, client.as_ref(), pki)?;
    let mut opener = args.files.opener()?;
    let (subjects, id_types) = subjects(args, out)?;
    if setting.login.is_some() && (subjects.len() != 1 || args.from.is_some()) {
        return Err(beside::of_one());
    }
    setting.inquiry = setting.inquiry.map(|inquiry| inquiry.with_id_types(id_types));
    if let [subject] = subjects.as_slice()
        && args.from.is_none()
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
    many::run(&setting, &opener, &subjects, out)
}
