//! The verdict of a rollout, in a sentence: what was looked at, and nothing else.

use super::super::plan::Action;
use super::words::grouped;
use super::{At, Picture};
use crate::shown;

/// How a rollout stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Summary {
    /// Whether all that was to be done is done, as far as it was looked at.
    pub(super) is_good: bool,
    /// The verdict.
    pub(super) headline: String,
    /// What was not looked at, and what else there is to know; a sentence each.
    pub(super) open: Vec<String>,
}

pub(super) fn of(picture: &Picture) -> Summary {
    let open = open(picture);
    match wrong(picture) {
        Some(headline) => Summary { is_good: false, headline, open },
        None => Summary { is_good: true, headline: good(picture), open },
    }
}

/// What is wrong, the worst first.
fn wrong(picture: &Picture) -> Option<String> {
    let devices = &picture.devices;
    let of = |number, what: &str| {
        format!("{} of {} {what}", grouped(number), shown::count(grouped(devices.listed), "device"))
    };
    if picture.ended.is_some() {
        return Some("Not finished: the run stopped before its end.".to_owned());
    }
    if let Some(ca) = picture.cas.iter().find(|ca| ca.issued > 0 && ca.verdict.is_err()) {
        return Some(format!("Not good: devices of the CA {} cannot connect.", ca.name));
    }
    if let Some((connected, tried)) =
        devices.connected.filter(|(connected, tried)| connected < tried)
    {
        return Some(format!(
            "Not good: {} of {} devices that tried connect.",
            grouped(connected),
            grouped(tried)
        ));
    }
    if devices.issued < devices.wanted() {
        return Some(format!(
            "Not finished: {} have a certificate.",
            of(devices.issued, "of the list")
        ));
    }
    if let Some(registered) = devices.registered.filter(|number| *number < devices.wanted()) {
        return Some(format!("Not finished: {} are registered.", of(registered, "of the list")));
    }
    if picture.failed > 0 {
        return Some(format!("Not good: {} failed.", grouped(picture.failed)));
    }
    if picture.differences > 0 {
        let differences = shown::count(grouped(picture.differences), "difference");
        return Some(format!("Not as the file wants it: {differences}, left as before."));
    }
    let undone =
        picture.steps.iter().filter(|step| !step.done && step.action != Action::Keep).count();
    (undone > 0).then(|| match undone {
        1 => "Not finished: 1 step is not done.".to_owned(),
        _ => format!("Not finished: {} steps are not done.", grouped(undone)),
    })
}

/// What is good, as far as it was looked at.
fn good(picture: &Picture) -> String {
    let devices = &picture.devices;
    let all = match (picture.tenant == At::Sandbox, devices.listed) {
        (true, 1) => "in the rehearsal, the device".to_owned(),
        (true, number) => format!("in the rehearsal, all {} devices", grouped(number)),
        (false, 1) => "the device".to_owned(),
        (false, number) => format!("all {} devices", grouped(number)),
    };
    let (has, is) = if devices.listed == 1 {
        ("has a certificate", "is")
    } else {
        ("have certificates", "are")
    };
    let registered =
        if devices.registered.is_some() { format!(" and {is} registered") } else { String::new() };
    let connected = match devices.connected {
        Some((_, tried)) if tried > 0 && tried == devices.listed && tried == 1 => {
            "; it connects".to_owned()
        }
        Some((_, tried)) if tried > 0 && tried == devices.listed => {
            "; all of them connect".to_owned()
        }
        Some((_, tried)) if tried > 0 => format!("; {0} of {0} that tried connect", grouped(tried)),
        _ => String::new(),
    };
    format!("Good: {all} {has}{registered}{connected}.")
}

/// What was not looked at, and files that are missing.
fn open(picture: &Picture) -> Vec<String> {
    let devices = &picture.devices;
    let mut open = Vec::new();
    if devices.revoked > 0 {
        let all = shown::count(grouped(devices.listed), "device");
        let some = grouped(devices.revoked);
        let (is, it, gets, not) = match devices.revoked {
            1 => ("is", "it", "gets", "is not"),
            _ => ("are", "they", "get", "are not"),
        };
        open.push(format!(
            "{some} of {all} of the list {is} revoked: {it} {gets} no certificate, and {not} sent to the tenant."
        ));
    }
    if devices.incomplete > 0 {
        let some = grouped(devices.incomplete);
        let all = shown::count(grouped(devices.listed), "device");
        open.push(format!("{some} of {all} without all files in the output directory."));
    }
    if picture.tenant == At::Nowhere {
        open.push(
            "No tenant was asked: trust, proofs and registrations were not looked at.".to_owned(),
        );
    }
    if !picture.not_looked_at.is_empty() {
        open.push(format!("Not looked at: {}.", picture.not_looked_at.join(", ")));
    }
    match devices.connected {
        None => open.push("Whether devices connect was not tried.".to_owned()),
        Some((_, tried)) if tried < devices.wanted() => {
            let rest = devices.wanted() - tried;
            open.push(format!(
                "{} of {} did not try to connect.",
                grouped(rest),
                shown::count(grouped(devices.wanted()), "device")
            ));
        }
        Some(_) => {}
    }
    open
}
