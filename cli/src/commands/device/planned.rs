//! `--plan` of the verbs that issue: what would be done, without a password.

use c8y_pki_core::issue::{BeyondIssuer, Validity};
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::provision::{self, Preview, Rules, Stream};
use serde::Serialize;
use time::OffsetDateTime;

use super::options::OutputArgs;
use super::run::Run;
use crate::commands::{planning, shortened};
use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render::{as_line, count, date, day};

/// How many devices are named as text.
const MOST_NAMED: usize = 20;

#[derive(Serialize)]
struct View {
    #[serde(flatten)]
    preview: Preview,
    ca: String,
    out: String,
}

/// Shows what would be issued. Nothing is changed.
pub(super) fn show(
    pki: &Pki,
    run: &Run,
    args: &OutputArgs,
    now: OffsetDateTime,
    out: Output,
) -> Result {
    let policy = pki.policy(&run.ca.name);
    let (_, kinds) = run.kinds.of_run(run.devices.has_keys());
    let rules = Rules {
        ca: &run.ca,
        profile: &run.profile,
        subject: &run.subject,
        days: args.days,
        beyond_issuer: BeyondIssuer::of(args.days, args.shorten),
        kinds,
        existing: run.existing,
        keep: run.keep,
        keep_going: args.keep_going,
        policy: &policy,
    };
    let stream = Stream::new(std::io::sink());
    let preview = provision::preview(pki, rules, args.destination(&stream), &run.devices, now)?;
    let usual = Validity::of(&run.profile, now, None);
    shortened::note(args.days, &usual, run.ca.certificate(), out);
    out.faults(&preview.failures);
    let failed = preview.failed;
    let view = View { preview, ca: run.ca.name.clone(), out: args.out.display().to_string() };
    out.result(&view, text)?;
    planning::note(out);
    Ok(Outcome::of(failed == 0))
}

fn text(view: &View) -> String {
    let plan = &view.preview;
    let devices = count(plan.issued, "device");
    let mut lines = vec![match plan.issued {
        0 => "no device would be issued".to_owned(),
        _ => format!(
            "{devices} would be issued by {}, valid until {}: {}",
            view.ca,
            day(plan.not_after),
            view.out
        ),
    }];
    lines.extend(plan.ids.iter().take(MOST_NAMED).map(|id| format!("  {id}")));
    if plan.issued > MOST_NAMED {
        lines.push(format!("  … and {} more", plan.issued - MOST_NAMED));
    }
    for (number, what) in [
        (plan.replaced, "of them would replace a former certificate"),
        (plan.skipped, "would be skipped: issued before"),
        (plan.revoked, "would be left out: revoked"),
        (plan.failed, "would fail"),
    ] {
        if number > 0 {
            lines.push(format!("{number} {what}"));
        }
    }
    if let Some(since) = plan.since {
        lines.push(format!("the run of {} was not finished, and would be resumed", date(since)));
    }
    if plan.unsettled {
        lines.push(format!(
            "a run that was stopped has left devices in {}: those that are recorded would be put into place first",
            view.out
        ));
    }
    lines.iter().map(|line| as_line(line)).collect()
}
