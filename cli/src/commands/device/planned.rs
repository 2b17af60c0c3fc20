//! `--plan` of the verbs that issue: what would be done, without a password.

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::issue::{BeyondIssuer, Validity};
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::provision::{self, Existing, Preview, Rules, Stream};
use serde::Serialize;
use time::OffsetDateTime;

use super::left_out::{self, LeftOut};
use super::options::OutputArgs;
use super::run::Run;
use crate::commands::{planning, shortened};
use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render::{as_line, count, date, day};

/// How many devices are named as text.
const MOST_NAMED: usize = 20;

/// What devices get, beside their number.
#[derive(Serialize)]
struct View {
    #[serde(flatten)]
    preview: Preview,
    ca: String,
    profile: String,
    /// The type of new keys; none if all devices keep theirs.
    key_type: Option<&'static str>,
    /// Whether a device that had a key of another type gets one of that again.
    keeps_key_type: bool,
    /// The kinds of files; where each device gets what it had, all of them together.
    bundle: Vec<&'static str>,
    keeps_bundle: bool,
    /// Whether the certificates that are replaced are revoked.
    revoke: bool,
    out: String,
}

impl View {
    fn of(preview: Preview, run: &Run, args: &OutputArgs) -> Self {
        let (all, kinds) = run.kinds.of_run(run.devices.has_keys());
        Self {
            preview,
            ca: run.ca.name.clone(),
            profile: run.profile.name.clone(),
            key_type: run.devices.has_new_keys().then_some(run.profile.key.name()),
            keeps_key_type: run.keep.key_type,
            bundle: all.iter().map(|kind| kind.name()).collect(),
            keeps_bundle: kinds.is_empty(),
            revoke: matches!(run.existing, Existing::Replace { revoke: true }),
            out: args.out.display().to_string(),
        }
    }
}

/// Shows what would be issued. Nothing is changed. It ends as the run would.
pub(super) fn show(
    pki: &Pki,
    run: &mut Run,
    (args, trusted): (&OutputArgs, &[Certificate]),
    now: OffsetDateTime,
    out: Output,
) -> Result {
    let policy = pki.policy(&run.ca.name);
    let has_keys = run.devices.has_keys();
    let (_, kinds) = run.kinds.of_run(has_keys);
    let rules = Rules {
        ca: &run.ca,
        profile: &run.profile,
        subject: &run.subject,
        days: args.days,
        beyond_issuer: BeyondIssuer::of(args.days, args.shorten),
        kinds,
        has_trusted: !trusted.is_empty(),
        encrypts_keys: args.encrypt_keys && has_keys,
        secrets: args.secrets.as_deref().filter(|_| has_keys),
        draws_keys: args.key_pool,
        existing: run.existing,
        revoked: run.revoked,
        keep: run.keep,
        keep_going: args.keep_going,
        policy: &policy,
    };
    let stream = Stream::new(std::io::sink());
    let mut preview = provision::preview(pki, rules, args.destination(&stream), &run.devices, now)?;
    let left_out = std::mem::take(&mut run.left_out);
    left_out::add(left_out, (&mut preview.revoked, &mut preview.revoked_ids));
    let usual = Validity::of(&run.profile, now, None);
    shortened::note(args.days, &usual, run.ca.certificate(), out);
    out.faults(&preview.failures);
    let view = View::of(preview, run, args);
    out.result(&view, text)?;
    let plan = &view.preview;
    let replaces = run.may_issue_revoked();
    let left_out = LeftOut { number: plan.revoked, ids: &plan.revoked_ids, replaces };
    let refusal = left_out.refusal(plan.issued + plan.skipped + plan.failed);
    left_out.sentence().filter(|_| refusal.is_none()).iter().for_each(|line| out.warning(line));
    planning::note(out);
    match refusal {
        Some(refused) => Err(refused),
        None => Ok(Outcome::of(plan.failed == 0)),
    }
}

/// How the devices are made.
fn how(view: &View) -> String {
    let key = match view.key_type {
        Some(key) if view.keeps_key_type => format!("new keys: {key}, or as the device had"),
        Some(key) => format!("new keys: {key}"),
        None => "each keeps its key".to_owned(),
    };
    let each = if view.keeps_bundle { ", as each device had" } else { "" };
    format!("profile {}; {key}; files: {}{each}", view.profile, view.bundle.join(", "))
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
    if plan.issued > 0 {
        lines.push(how(view));
    }
    lines.extend(plan.ids.iter().take(MOST_NAMED).map(|id| format!("  {id}")));
    if plan.issued > MOST_NAMED {
        lines.push(format!("  … and {} more", plan.issued - MOST_NAMED));
    }
    let replaced = match view.revoke {
        true => "of them would replace a former certificate, which would be revoked",
        false => "of them would replace a former certificate",
    };
    for (number, what) in [
        (plan.replaced, replaced),
        (plan.skipped, "would be skipped: issued before"),
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
