//! `rollout --plan`: what the file wants and what is there, row by row, as text and as JSON.

use c8y_pki_engine::platform::crl::Switch;
use c8y_pki_engine::rollout::{Finding, Plan, Remedy, Sign, Step};
use serde::Serialize;

use super::advice::Asked;
use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render::{count, printable, table};

/// How many ids a row names.
const MOST_IDS: usize = 3;

#[derive(Serialize)]
struct Planned<'a> {
    plan: &'a [Step],
    findings: Vec<Row<'a>>,
    changes: bool,
    revocation_check: Option<Switch>,
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    /// The command that would apply it.
    command: Option<String>,
}

/// Shows a plan, and ends as the arguments say.
pub(super) fn show(asked: &Asked<'_>, plan: &Plan, out: Output) -> Result {
    let row = |finding| Row { finding, command: asked.command(finding) };
    let planned = Planned {
        plan: &plan.steps,
        findings: plan.findings.iter().map(row).collect(),
        changes: plan.differs(),
        revocation_check: plan.revocation_check,
    };
    out.result(&planned, |_| {
        let rows = plan.findings.iter().map(|finding| self::row(finding, asked)).collect();
        table(&[], rows) + &end(&plan.findings) + revocation(plan.revocation_check)
    })?;
    Ok(if asked.args.exit_code && plan.differs() { Outcome::Changes } else { Outcome::Done })
}

/// A finding as a row: its sign, the key, what it is about, and how it differs.
pub(super) fn row(finding: &Finding, asked: &Asked<'_>) -> Vec<String> {
    let sign = finding.sign.character().to_string();
    vec![sign, finding.key.clone(), finding.name.clone(), words(finding, asked)]
}

fn words(finding: &Finding, asked: &Asked<'_>) -> String {
    let mut text = finding.detail.clone();
    let join = |text: &mut String, more: &str| {
        if !text.is_empty() && !more.is_empty() {
            text.push_str(": ");
        }
        text.push_str(more);
    };
    let none = || "nothing".to_owned();
    if finding.old.is_some() || finding.new.is_some() {
        let (old, new) = (finding.old.clone(), finding.new.clone());
        join(&mut text, &format!("{} -> {}", old.unwrap_or_else(none), new.unwrap_or_else(none)));
    }
    if finding.devices > 0 && finding.sign != Sign::InPlace {
        text.push_str(&format!("; {}", devices(finding)));
    }
    if let Some(command) = asked.command(finding) {
        text.push_str(&format!("; to apply: `{command}`"));
    } else if let Some(words) = finding.remedy.as_ref().and_then(advice) {
        text.push_str(&format!("; {words}"));
    }
    printable(&text)
}

/// How many devices, and the first of them.
fn devices(finding: &Finding) -> String {
    let mut ids: Vec<&str> = finding.ids.iter().take(MOST_IDS).map(String::as_str).collect();
    if finding.devices > ids.len() && !ids.is_empty() {
        ids.push("…");
    }
    if ids.is_empty() {
        return count(finding.devices, "device");
    }
    let stays = finding.sign == Sign::Differs && finding.remedy != Some(Remedy::Apply);
    let keep = if stays { " as before" } else { "" };
    format!("{}{keep} ({})", count(finding.devices, "device"), ids.join(", "))
}

/// The command that would apply it between backquotes, or what to do where no command does.
pub(super) fn applied(finding: &Finding, asked: &Asked<'_>) -> Option<String> {
    let command = asked.command(finding).map(|command| format!("`{command}`"));
    command.or_else(|| finding.remedy.as_ref().and_then(advice))
}

/// What to do where no command does it.
fn advice(remedy: &Remedy) -> Option<String> {
    match remedy {
        Remedy::NewCa { ca } => Some(format!(
            "a CA cannot be changed: correct the file, or add a CA of another name and subject in place of {ca}"
        )),
        Remedy::Stays => Some("nothing to do".to_owned()),
        _ => None,
    }
}

/// A last line that says no more than was looked at.
fn end(findings: &[Finding]) -> String {
    let number = |sign| findings.iter().filter(|finding| finding.sign == sign).count();
    let [missing, differs, unlisted, place, unknown] =
        [Sign::Missing, Sign::Differs, Sign::Unlisted, Sign::InPlace, Sign::NotLookedAt]
            .map(number);
    if findings.iter().any(Finding::is_change) {
        return format!(
            "Plan: {missing} to be made (+), {differs} different (~), {unlisted} no longer in the file (-), {place} \
             in place (=), {unknown} not looked at (?).\n"
        );
    }
    let what = if unlisted == 0 { "Everything" } else { "Everything in the file" };
    let stays = match unlisted {
        0 => String::new(),
        n => format!("; {n} not in it (-), and left alone"),
    };
    match unknown {
        0 => format!("{what} is in place{stays}.\n"),
        n => format!("{what} that was looked at is in place{stays}; {n} not looked at (?).\n"),
    }
}

/// What a list of revocations is good for at the tenant; nothing is said where there is none.
pub(super) fn revocation(check: Option<Switch>) -> &'static str {
    match check {
        Some(Switch::On) => "revocation    checked by the tenant\n",
        Some(Switch::Off) => {
            "revocation    NOT checked by the tenant: revoked devices can connect (`c8y-pki tenant crl enable`)\n"
        }
        Some(Switch::Unknown) => "revocation    it is not known whether the tenant checks it\n",
        None => "",
    }
}
