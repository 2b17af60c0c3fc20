//! What a person has to do about what was seen.

use time::{Duration, OffsetDateTime};

use super::tenant::{AtTenant, Registered, Trust};
use super::{
    CaState, HalfTakenBack, Item, ListState, LiveState, OrderState, Picture, Subject, Urgency,
    WaitingState,
};
use crate::failure::{Hint, Task};
use crate::platform::crl::Switch;
use crate::shown;
use Urgency::{Due, Overdue};

/// Devices that are named in a sentence.
const NAMED: usize = 5;

pub(super) fn items(picture: &Picture) -> Vec<Item> {
    let mut items = Vec::new();
    items.extend(picture.lost.iter().map(|subject| of_lost(subject)));
    for ca in &picture.cas {
        items.extend(of_ca(ca, picture));
        items.extend(of_live(&ca.devices, (ca, Subject::Devices), picture));
        items.extend(of_live(&ca.servers, (ca, Subject::Servers), picture));
        items.extend(of_list(&ca.name, &ca.list, picture));
    }
    items.extend(picture.waiting.iter().map(of_waiting));
    items.extend(picture.orders.iter().filter_map(|order| of_order(order, picture)));
    items.extend(picture.half_taken_back.iter().map(of_half_taken_back));
    if let Some(tenant) = &picture.tenant {
        items.extend(of_tenant(tenant));
        items.extend(of_check(tenant, picture));
    }
    items.sort_by_key(|item| item.urgency);
    items
}

fn item(
    urgency: Urgency,
    subject: Subject,
    name: &str,
    message: String,
    hint: Option<Hint>,
) -> Item {
    Item { urgency, subject, name: name.to_owned(), message, hint }
}

/// A CA on which something still depends.
fn of_ca(ca: &CaState, picture: &Picture) -> Option<Item> {
    if ca.devices.live == 0 && ca.servers.live == 0 && !ca.has_cas_below {
        return None;
    }
    if let Some(revoked) = &ca.revoked {
        let live = ca.devices.live + ca.servers.live;
        // The name says whose they are: the one that was revoked may stand above.
        let certificates = format!(
            "{} of devices and servers that {} has issued",
            shown::count(live, "certificate"),
            ca.name
        );
        let below = format!("the CAs below {}", ca.name);
        let untrusted = match (live, ca.has_cas_below) {
            (0, _) => below,
            (_, false) => certificates,
            (_, true) => format!("{certificates}, and {below},"),
        };
        let message = format!("{revoked}; {untrusted} cannot be trusted");
        let hint = Hint::say(match live {
            0 => "make another CA, and issue the devices below with that",
            _ => "give its devices certificates of another CA",
        });
        return Some(item(Overdue, Subject::Ca, &ca.name, message, Some(hint)));
    }
    let hint = Some(Hint::run(
        "renew the CA",
        Task::RenewCa { ca: Some(ca.name.clone()), new_key: false },
    ));
    let urgency = pressing(ca.not_after, picture.limits.ca_days, picture.at)?;
    let message = match urgency {
        Overdue => format!("the CA's certificate has expired, on {}", day(ca.not_after)),
        Due => format!("the CA's certificate ends {}", when(ca.not_after, picture.at)),
    };
    Some(item(urgency, Subject::Ca, &ca.name, message, hint))
}

/// A CA that the registry has and the directory has no more.
fn of_lost(subject: &str) -> Item {
    let message =
        "the registry has this CA, and its directory is gone or has no certificate".to_owned();
    let hint = Hint::say("put its directory back from a backup")
        .then(Hint::run("see what is missing", Task::CheckRegistry));
    item(Overdue, Subject::Ca, subject, message, Some(hint))
}

/// A CA whose request is not answered yet.
fn of_waiting(ca: &WaitingState) -> Item {
    let message = "it waits for its certificate: its request is not answered yet".to_owned();
    let hint = Hint::run(
        "have the CA above sign the request, then take its answer in",
        Task::TakeAnswer { ca: ca.name.clone() },
    );
    item(Due, Subject::Ca, &ca.name, message, Some(hint))
}

/// The devices of a CA, or its servers.
fn of_live(state: &LiveState, (ca, subject): (&CaState, Subject), picture: &Picture) -> Vec<Item> {
    // The shortest time that can be asked for is a day.
    let (name, days) = (|| ca.name.clone(), picture.limits.device_days.max(1));
    let (whose, list, renew) = match subject {
        Subject::Servers => (
            ("a server", "servers"),
            Task::ListServersEnding { ca: name(), days },
            Task::RenewServer { name: "NAME".to_owned() },
        ),
        _ => (
            ("a device", "devices"),
            Task::ListDevicesEnding { ca: name(), days },
            Task::RenewDevicesEnding { ca: name(), days },
        ),
    };
    let first = state.first_end.map(day).unwrap_or_default();
    let mut items = Vec::new();
    let hint =
        || Some(Hint::run("see which", list.clone()).then(Hint::run("renew them", renew.clone())));
    if state.expired > 0 {
        let message = format!(
            "{} expired, the first on {first}",
            certificates(state.expired, whose, ("has", "have"))
        );
        items.push(item(Overdue, subject, &ca.name, message, hint()));
    }
    if state.ending > 0 {
        let days = picture.limits.device_days;
        let message =
            format!("{} within {days} days", certificates(state.ending, whose, ("ends", "end")));
        items.push(item(Due, subject, &ca.name, message, hint()));
    }
    items
}

fn of_list(name: &str, list: &ListState, picture: &Picture) -> Option<Item> {
    let hint =
        Some(Hint::run("make a new list", Task::MakeCrl { ca: Some(name.to_owned()), days: None }));
    let found = |urgency, message| Some(item(urgency, Subject::List, name, message, hint.clone()));
    if let Some(problem) = &list.problem {
        let message = format!("the last revocation list cannot be used: {problem}");
        let hint = Some(Hint::run("look at the registry", Task::CheckRegistry));
        return Some(item(Overdue, Subject::List, name, message, hint));
    }
    if list.unlisted > 0 {
        let message = match list.made {
            true => format!(
                "{} newer than the last revocation list",
                number_of(list.unlisted, "revocation is", "revocations are")
            ),
            false => format!(
                "{} in no revocation list: none was made",
                number_of(list.unlisted, "revocation is", "revocations are")
            ),
        };
        return found(Overdue, message);
    }
    let next = list.next_update?;
    match pressing(next, picture.limits.list_days, picture.at)? {
        Overdue => found(Overdue, format!("the revocation list has ended, on {}", day(next))),
        Due => found(Due, format!("the revocation list ends {}", when(next, picture.at))),
    }
}

fn of_order(order: &OrderState, picture: &Picture) -> Option<Item> {
    let progress = &order.progress;
    if progress.is_settled() {
        return None;
    }
    let missing = progress.devices.saturating_sub(progress.issued);
    let parts =
        [(progress.failed, "failed"), (progress.revoked, "revoked"), (progress.open, "not begun")];
    let parts = parts.iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = parts.map(|(number, word)| format!("{number} {word}")).collect();
    let devices = shown::part(missing, progress.devices, "device", ("has", "have"));
    let message = format!("{devices} no certificate: {}", parts.join(", "));
    let hint = Hint::run("see which", Task::ShowOrder { name: order.name.clone() });
    let ca = picture.cas.iter().find(|ca| ca.name == order.ca);
    if ca.is_some_and(|ca| ca.revoked.is_some()) {
        let message =
            format!("{message}; its CA {} issues none: it, or a CA above it, is revoked", order.ca);
        return Some(item(Overdue, Subject::Order, &order.name, message, Some(hint)));
    }
    Some(item(Due, Subject::Order, &order.name, message, Some(hint)))
}

fn of_half_taken_back(order: &HalfTakenBack) -> Item {
    let live = shown::count(order.live, "live certificate");
    let message = format!("it was taken back, and has {live}");
    let hint = Hint::run("revoke them", Task::TakeOrderBack { name: order.name.clone() });
    item(Overdue, Subject::Order, &order.name, message, Some(hint))
}

fn of_tenant(tenant: &AtTenant) -> Vec<Item> {
    let mut items: Vec<Item> = tenant.trust.iter().flatten().filter_map(of_trust).collect();
    let by_themselves = tenant.trust.iter().flatten().any(|trust| trust.registers_itself);
    items.extend(
        tenant.registered.as_ref().and_then(|r| of_registered(&tenant.tenant, r, by_themselves)),
    );
    let missing = tenant.revocations_missing.unwrap_or_default();
    if missing > 0 {
        let message = format!(
            "{} not in the tenant's list",
            number_of(missing, "revocation is", "revocations are")
        );
        items.push(item(
            Overdue,
            Subject::Revocation,
            &tenant.tenant,
            message,
            Some(Hint::run("upload them", Task::UploadCrl)),
        ));
    }
    items
}

fn of_trust(trust: &Trust) -> Option<Item> {
    let devices = shown::count(trust.devices, "device");
    if trust.anchor.is_none() {
        let (message, hint) = match trust.disabled {
            true => (
                format!("its certificate is disabled at the tenant, which refuses its {devices}"),
                Hint::run(
                    "enable it",
                    Task::EnableCa {
                        name: trust.disabled_as.clone().unwrap_or_else(|| trust.ca.clone()),
                    },
                ),
            ),
            false => (
                format!(
                    "no certificate of its chain is at the tenant, which refuses its {devices}"
                ),
                Hint::run("upload it", Task::UploadOwnCa { ca: Some(trust.ca.clone()) }),
            ),
        };
        return Some(item(Overdue, Subject::Trust, &trust.ca, message, Some(hint)));
    }
    if trust.proven {
        return None;
    }
    let message = "the tenant has no proof of possession of its key".to_owned();
    let hint = Hint::run("prove it", Task::ProveCa { ca: Some(trust.ca.clone()) });
    Some(item(Due, Subject::Proof, &trust.ca, message, Some(hint)))
}

/// Devices that a tenant does not know: those of a CA with auto-registration may still come by themselves.
fn of_registered(tenant: &str, registered: &Registered, by_themselves: bool) -> Option<Item> {
    if registered.missing == 0 {
        return None;
    }
    let named: Vec<&str> = registered.missing_ids.iter().take(NAMED).map(String::as_str).collect();
    let more = if registered.missing > named.len() { ", …" } else { "" };
    let missing = number_of(registered.missing, "device is", "devices are");
    let message = format!("{missing} not registered: {}{more}", named.join(", "));
    let urgency = if by_themselves { Due } else { Overdue };
    let task = Task::CreateRegistration { order: registered.missing_order.clone() };
    let hint = Hint::run("make the list that registers them", task);
    Some(item(urgency, Subject::Registration, tenant, message, Some(hint)))
}

/// A tenant that does not look at the list of what was revoked.
fn of_check(tenant: &AtTenant, picture: &Picture) -> Option<Item> {
    let revoked = picture.cas.iter().any(|ca| ca.list.revoked > 0);
    if !revoked || tenant.revocation_check != Switch::Off {
        return None;
    }
    let message =
        "the tenant does not look at its list of revocations, so revoked devices can connect"
            .to_owned();
    let hint = Hint::run("have it look at the list", Task::EnableCrlCheck);
    Some(item(Overdue, Subject::Revocation, &tenant.tenant, message, Some(hint)))
}

fn pressing(end: OffsetDateTime, days: u32, now: OffsetDateTime) -> Option<Urgency> {
    match end {
        end if end < now => Some(Overdue),
        end if end < now.saturating_add(Duration::days(i64::from(days))) => Some(Due),
        _ => None,
    }
}

fn day(at: OffsetDateTime) -> String {
    at.date().to_string()
}

fn when(end: OffsetDateTime, now: OffsetDateTime) -> String {
    match (end - now).whole_days() {
        0 => format!("today or tomorrow, on {}", day(end)),
        1 => format!("in 1 day, on {}", day(end)),
        days => format!("in {days} days, on {}", day(end)),
    }
}

fn certificates(number: u64, whose: (&str, &str), verb: (&str, &str)) -> String {
    match number {
        1 => format!("1 certificate of {} {}", whose.0, verb.0),
        _ => format!("{number} certificates of {} {}", whose.1, verb.1),
    }
}

fn number_of(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
