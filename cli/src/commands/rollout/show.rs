//! A rollout as text: one table of what was made, what the tenant has and which devices connect.

use std::path::Path;

use c8y_pki_engine::platform::crl::Switch;
use c8y_pki_engine::rollout::{
    Action, Connected, Finding, NotConnected, Pruned, Registered, Report, Step,
};

use super::advice::Asked;
use super::plan;
use crate::render::{as_line, count, printable, table};

/// How many devices have a row of their own.
const MOST_ROWS: usize = 20;

/// What was done.
pub(super) fn report(report: &Report, asked: &Asked<'_>, tenant_left_out: bool) -> String {
    // Its devices stand for it.
    let is_told = |step: &&Step| report.connected.is_none() || step.action != Action::Connect;
    let steps = report.steps.iter().filter(is_told);
    let mut rows: Vec<Vec<String>> = steps.map(|step| row(step, step.word())).collect();
    rows.extend(report.connected.iter().flat_map(devices));
    let mut text = table(&[], rows) + "\n";
    text.push_str(&match report.changed() {
        true => {
            let issued = count(report.devices.issued, "device");
            format!("{issued} issued in {:.1} s{}.\n", report.devices.seconds, not_issued(report))
        }
        false => nothing_done(report, tenant_left_out),
    });
    text.extend(report.pruned.as_ref().map(|of| pruned(of, report.revocation_check)));
    text.push_str(&left(&report.left, asked));
    text.push_str(&beside(&report.stays, asked));
    text.extend(report.registered.as_ref().map(registered));
    text.extend(report.connected.as_ref().map(connected));
    text.push_str(plan::revocation(report.revocation_check));
    text.extend(
        report.shortened.iter().map(|of| as_line(&format!("shortened     {}", of.sentence()))),
    );
    text + &places(asked)
}

/// How many devices were not issued because the run ended before.
fn not_issued(report: &Report) -> String {
    let steps = || report.steps.iter().filter(|step| step.issues());
    if steps().all(|step| step.done) {
        return String::new();
    }
    let wanted: usize = steps().map(|step| step.count).sum();
    match wanted.saturating_sub(report.devices.issued) {
        0 => String::new(),
        left => format!(", {left} not issued"),
    }
}

/// What is said where nothing was done: no more than was looked at.
fn nothing_done(report: &Report, tenant_left_out: bool) -> String {
    let fails = report.connected.as_ref().is_some_and(|connected| !connected.failed.is_empty());
    if fails || !report.left.is_empty() {
        return "Nothing was done.\n".to_owned();
    }
    let what = if report.stays.is_empty() { "everything" } else { "everything in the file" };
    let mut text = format!("Nothing to do: {what}");
    if tenant_left_out {
        text.push_str(" here is in place; the tenant was not asked");
    } else if report.not_looked_at.is_empty() {
        text.push_str(" is in place");
    } else {
        let unknown: Vec<&str> = report.not_looked_at.iter().map(|f| f.key.as_str()).collect();
        let unknown = unknown.join(", ");
        text.push_str(&format!(" that was looked at is in place; not looked at: {unknown}"));
    }
    text + ".\n"
}

/// What is there and not in the file: told, and nothing to do.
fn beside(stays: &[Finding], asked: &Asked<'_>) -> String {
    if stays.is_empty() {
        return String::new();
    }
    let rows = stays.iter().map(|finding| plan::row(finding, asked)).collect();
    format!("Not in the file, and left alone:\n{}", table(&[], rows))
}

/// What is not as the file wants it, and stays so.
fn left(left: &[Finding], asked: &Asked<'_>) -> String {
    if left.is_empty() {
        return String::new();
    }
    let rows = left.iter().map(|finding| plan::row(finding, asked)).collect();
    let what = count(left.len(), "difference");
    format!("{what} from the file, not changed:\n{}", table(&[], rows))
}

fn pruned(pruned: &Pruned, check: Option<Switch>) -> String {
    let revoked = count(pruned.revoked, "device");
    let Some(sent) = pruned.withdrawn else {
        return as_line(&format!("{revoked} revoked; no tenant was told."));
    };
    let sent = count(sent, "revocation");
    let accepts = match check {
        Some(Switch::On) => "It checks revocations, and these certificates are on its list.",
        Some(Switch::Off) => "It does not check revocations, so it still lets them connect.",
        Some(Switch::Unknown) | None => {
            "Whether it checks revocations is not known; if not, it still lets them connect."
        }
    };
    as_line(&format!(
        "{revoked} revoked; {sent} sent to the tenant. The tenant keeps the devices and their registration: a \
         rollout does not take that back. {accepts}"
    ))
}

fn row(step: &Step, word: &str) -> Vec<String> {
    vec![word.to_owned(), step.kind.to_owned(), step.name.clone(), step.detail.clone()]
}

/// A row for each device as long as they are few, else for those that do not connect.
fn devices(connected: &Connected) -> Vec<Vec<String>> {
    let row = |word: &str, name: &str, detail: &str| {
        vec![word.to_owned(), "device".to_owned(), name.to_owned(), detail.to_owned()]
    };
    let mut rows = Vec::new();
    if connected.devices <= MOST_ROWS {
        rows.extend(connected.ids.iter().map(|id| row("connected", id.as_str(), "")));
    }
    let failed = connected.failed.iter().take(MOST_ROWS);
    rows.extend(failed.map(|f| row("failed", &f.id, &why(f))));
    let more = connected.failed.len().saturating_sub(MOST_ROWS);
    if more > 0 {
        rows.push(row("failed", "…", &format!("and {more} more")));
    }
    rows
}

/// What is certain says more than what was seen.
fn why(failed: &NotConnected) -> String {
    let seen = || (failed.detail.clone(), failed.cause.as_ref().map_or("", |cause| cause.code));
    let (what, code) = match &failed.cause {
        Some(cause) if cause.is_certain() => (cause.cause.clone(), cause.code),
        _ => seen(),
    };
    format!("{}: {} [{code}]", failed.step, printable(&what))
}

fn registered(r: &Registered) -> String {
    if r.before == r.rows {
        let devices = count(r.rows, "device");
        return as_line(&format!(
            "Tenant {}: nothing was sent; {devices} registered before, by the result file.",
            r.tenant
        ));
    }
    // What was not sent was not looked at.
    let before = match r.before {
        0 => String::new(),
        n => format!(" By the result file, {n} of these rows were sent by former runs."),
    };
    let left = match r.left {
        0 => String::new(),
        n => format!(", {n} not sent"),
    };
    let kept = match r.updated {
        0 => "",
        _ => " What the tenant keeps of those there before (type, name, groups) was not looked at.",
    };
    as_line(&format!(
        "Tenant {}: {} registered, {} there before, {} refused{left}.{before}{kept}",
        r.tenant, r.created, r.updated, r.failed
    ))
}

fn connected(c: &Connected) -> String {
    let devices = count(c.devices, "device");
    match c.not_tried {
        _ if c.devices == 0 => "No device was to connect.\n".to_owned(),
        0 => format!("{} of {devices} connect to {}.\n", c.connected, c.place()),
        n => format!(
            "{} of the {devices} tried connect to {}; {} not tried.\n",
            c.connected,
            c.place(),
            count(n, "device")
        ),
    }
}

/// Where to find what was made.
fn places(asked: &Asked<'_>) -> String {
    let spec = asked.spec;
    let line = |what: &str, path: &Path| as_line(&format!("{what:<14}{}", path.display()));
    let mut text = line("devices", &spec.devices.out);
    // A run that was stopped has not written it.
    let registration = spec.registration.as_ref().filter(|r| r.file.exists());
    text.extend(registration.map(|r| line("registration", &r.file)));
    text += &line("CAs", &spec.pki.join("ca"));
    text + &line("passwords", spec.passwords.ca.parent().unwrap_or(Path::new(".")))
}
