//! A check as text.

use c8y_pki_engine::device::check::{Report, StepName, StepOutcome, Verdict};
use c8y_pki_engine::device::diagnosis::{Certainty, TenantSays};

use crate::render::{printable, table};

/// All steps, then what is likely wrong.
pub(super) fn whole(report: &Report) -> String {
    let device = report.device.as_deref().unwrap_or("the device");
    let mut text = match report.failed() {
        None => format!("{device} connects to {}\n", report.target),
        // Nothing was sent.
        Some(step) if step.step < StepName::Name => {
            let why = match report.verdict {
                Verdict::WrongFiles => ": its files are missing or wrong",
                _ => "",
            };
            format!("{device} was not connected to {}{why}\n", report.target)
        }
        Some(_) => format!("{device} does not connect to {}\n", report.target),
    };
    let row = |outcome, step: String, detail: &str| {
        let word = match outcome {
            StepOutcome::Ok => "ok",
            StepOutcome::Failed => "FAILED",
            StepOutcome::Skipped => "-",
        };
        vec![word.to_owned(), step, detail.to_owned()]
    };
    let steps = report.steps.iter();
    text.push_str(&table(
        &[],
        steps.map(|s| row(s.outcome, s.step.to_string(), &s.detail)).collect(),
    ));
    text.push_str(&why(report));
    text
}

/// What the tenant says, what is likely wrong, and what is to be noted.
pub(in super::super) fn why(report: &Report) -> String {
    let mut text = String::new();
    if let Some(says) = &report.tenant {
        text.push_str(&format!("{}\n", printable(&tenant(says))));
    }
    if let Some(verdict) = &report.platform {
        let line = format!("platform: its own verdict on the chain: {}", verdict.verdict);
        text.push_str(&format!("{}\n", printable(&line)));
    }
    match report.causes.as_slice() {
        [] => {}
        [cause] => {
            let (cause, remedy) = (printable(&cause.cause), printable(&cause.remedy.to_string()));
            text.push_str(&format!("\ncause: {cause}\nremedy: {remedy}\n"));
        }
        causes => {
            text.push_str("\ncauses, the first to check first:\n");
            for (index, cause) in causes.iter().enumerate() {
                let (number, words) = (index + 1, printable(&cause.cause));
                let (certain, remedy) =
                    (in_words(cause.certainty), printable(&cause.remedy.to_string()));
                text.push_str(&format!("{number:>2}. {words}{certain}\n    remedy: {remedy}\n"));
            }
        }
    }
    // At the end, where they are seen: one may say why the tenant told nothing.
    if !(report.notes.is_empty() || report.causes.is_empty()) {
        text.push('\n');
    }
    for note in &report.notes {
        text.push_str(&format!("note: {}\n", printable(note)));
    }
    text
}

/// What makes a cause certain; nothing for those that are only likely.
fn in_words(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Confirmed => " (the tenant says so)",
        Certainty::Shown => " (certain)",
        Certainty::Likely => "",
    }
}

/// The tenant's answers in a line.
fn tenant(says: &TenantSays) -> String {
    let answer = |what: &str, told: Option<bool>| match told {
        Some(true) => format!("{what} yes"),
        Some(false) => format!("{what} no"),
        None => format!("{what} unknown"),
    };
    let mut parts = vec![answer("CA uploaded:", says.uploaded)];
    if let Some(name) = &says.name {
        parts[0].push_str(&format!(" ({name})"));
    }
    if says.renewed.is_some() {
        parts.push("renewed: yes, the device presents another certificate of this CA".to_owned());
    }
    if says.uploaded == Some(true) {
        let enabled = says.status.as_ref().map(|status| status == "ENABLED");
        parts.push(answer("enabled:", enabled));
        parts.push(answer("auto-registration:", says.auto_registration));
        parts.push(answer("proof complete:", says.proof));
    }
    parts.push(answer("device registered:", says.registered));
    parts.push(answer("revoked:", says.revoked));
    parts.push(answer("revocation checked:", says.revocation_checked));
    let id = says.id.as_deref().unwrap_or("tenant");
    let host = says.host.as_deref().unwrap_or_default();
    format!("tenant: {id} at {host} says: {}", parts.join(", "))
}

/// One line for one of many devices.
pub(super) fn line(name: &str, report: &Report) -> String {
    match report.failed() {
        None => format!("ok      {name}\n"),
        Some(step) => {
            let cause = report.causes.first();
            let (code, certain) = cause.map_or(("", ""), |c| (c.code, in_words(c.certainty)));
            let detail = printable(&step.detail);
            format!("FAILED  {name}  {}: {detail} [{code}]{certain}\n", step.step)
        }
    }
}
