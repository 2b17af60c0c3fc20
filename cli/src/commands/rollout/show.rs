//! A rollout as text: one table of what was made, what the tenant has and which devices connect.

use std::path::Path;

use c8y_pki_engine::platform::crl::Switch;
use c8y_pki_engine::rollout::spec::Spec;
use c8y_pki_engine::rollout::{Action, Connected, NotConnected, Registered, Report, Step};

use crate::render::{as_line, count, printable, table};

/// How many devices have a row of their own.
const MOST_ROWS: usize = 20;

/// What a rollout has not looked at, or found wanting.
#[derive(Clone, Copy)]
pub(super) struct Beside {
    /// Devices that are issued, and lack files.
    pub(super) incomplete: usize,
    /// Whether the file has a tenant, and it was left out.
    pub(super) tenant_left_out: bool,
}

impl Beside {
    /// What is said where nothing was to be done: no more than was looked at.
    fn in_place(self) -> String {
        let lack = count(self.incomplete, "device");
        match (self.incomplete, self.tenant_left_out) {
            (0, false) => "everything is in place.\n".to_owned(),
            (0, true) => "everything here is in place; the tenant was not asked.\n".to_owned(),
            (_, false) => format!("nothing is missing except files of {lack}.\n"),
            (_, true) => {
                format!(
                    "nothing is missing here except files of {lack}; the tenant was not asked.\n"
                )
            }
        }
    }
}

/// The steps of a plan.
pub(super) fn plan(steps: &[Step], changes: bool, check: Option<Switch>, beside: Beside) -> String {
    let end = if changes { String::new() } else { capital(&beside.in_place()) };
    table(&[], steps.iter().map(|step| row(step, planned(step))).collect())
        + &end
        + revocation(check)
}

/// With a capital letter at its beginning.
fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// What was done.
pub(super) fn report(report: &Report, spec: &Spec, tenant_left_out: bool) -> String {
    let beside = Beside { incomplete: report.devices.incomplete, tenant_left_out };
    // Its devices stand for it.
    let is_told = |step: &&Step| report.connected.is_none() || step.action != Action::Connect;
    let steps = report.steps.iter().filter(is_told);
    let mut rows: Vec<Vec<String>> = steps.map(|step| row(step, step.word())).collect();
    rows.extend(report.connected.iter().flat_map(devices));
    let mut text = table(&[], rows) + "\n";
    text.push_str(&match report.changed() {
        true => {
            let issued = count(report.devices.issued, "device");
            format!("{issued} issued in {:.1} s.\n", report.devices.seconds)
        }
        false => format!("Nothing to do: {}", beside.in_place()),
    });
    text.extend(report.registered.as_ref().map(registered));
    text.extend(report.connected.as_ref().map(connected));
    text.push_str(revocation(report.revocation_check));
    text.extend(
        report.shortened.iter().map(|of| as_line(&format!("shortened     {}", of.sentence()))),
    );
    text + &places(spec)
}

/// What a list of revocations is good for at the tenant; nothing is said where there is none.
fn revocation(check: Option<Switch>) -> &'static str {
    match check {
        Some(Switch::On) => "revocation    checked by the tenant\n",
        Some(Switch::Off) => {
            "revocation    NOT checked by the tenant: revoked devices can connect (`c8y-pki tenant crl enable`)\n"
        }
        Some(Switch::Unknown) => "revocation    it is not known whether the tenant checks it\n",
        None => "",
    }
}

fn row(step: &Step, word: &str) -> Vec<String> {
    vec![word.to_owned(), step.kind.to_owned(), step.name.clone(), step.detail.clone()]
}

fn planned(step: &Step) -> &'static str {
    match step.action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Connect => "try",
        Action::Judge => "ask",
        _ => "in place",
    }
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
    // What was not sent was not looked at.
    let before = match r.before {
        0 => String::new(),
        n => format!(" {n} of them before, by the result file."),
    };
    as_line(&format!(
        "Tenant {}: {} registered, {} there before, {} refused.{before}",
        r.tenant, r.created, r.updated, r.failed
    ))
}

fn connected(c: &Connected) -> String {
    format!("{} of {} connect to {}.\n", c.connected, count(c.devices, "device"), c.place())
}

/// Where to find what was made.
fn places(spec: &Spec) -> String {
    let line = |what: &str, path: &Path| as_line(&format!("{what:<14}{}", path.display()));
    let mut text = line("devices", &spec.devices.out);
    text.extend(spec.registration.as_ref().map(|r| line("registration", &r.file)));
    text += &line("CAs", &spec.pki.join("ca"));
    text + &line("passwords", spec.passwords.ca.parent().unwrap_or(Path::new(".")))
}
