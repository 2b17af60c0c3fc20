//! A device is shown, and revoked.

use super::ask::{Ask, device};
use super::views::{DeviceView, RevocationRequest};
use crate::cert::Serial;
use crate::crl::Reason;
use crate::registry::{Record, RegistryError, Status};
use crate::serve::answer::{Answer, Result, bad, conflict, failed, forbidden, not_found};

/// `GET /v1/devices/{id}`.
pub(super) fn show(ask: &Ask<'_>) -> Result<Answer> {
    let (order, records) = known(ask)?;
    Ok(Answer::json(&DeviceView::of(ask.word(0), order, &records)?))
}

/// `POST /v1/devices/{id}/revoke`. What is revoked already stays as it is.
pub(super) fn revoke(ask: &Ask<'_>) -> Result<Answer> {
    let (order, records) = known(ask)?;
    let body: RevocationRequest = ask.call.json()?;
    let reason = body.reason().ok_or_else(|| {
        let names: Vec<&str> = Reason::offered().map(|(_, name)| name).collect();
        let (word, names) = (body.reason.as_str(), names.join(", "));
        bad(&format!("the reason {word:?} is not one of {names}"))
    })?;
    let meant = meant(ask, &records, body.serial.as_deref())?;
    let all = to_revoke(ask, meant, reason)?;
    if !all.is_empty() {
        let (now, by) = (ask.call.now, ask.by());
        ask.shared.check_clock(now)?;
        let at = now.replace_nanosecond(0).unwrap_or(now);
        let registry = ask.shared.pki.registry();
        registry.revoke_by(&all, (reason, at), now, Some(&by)).map_err(|e| match e {
            RegistryError::AlreadyRevoked { .. } | RegistryError::Conflict => {
                conflict("somebody else has changed the device's certificates just now; look again")
            }
            e => failed(&e),
        })?;
    }
    let serial = meant.serial.to_string();
    let (_, records) = known(ask)?;
    let mut answer = Answer::json(&DeviceView::of(ask.word(0), order, &records)?);
    answer.note.device = Some(ask.word(0).to_owned());
    answer.note.serial = Some(serial);
    Ok(answer)
}

/// The order of a device and its certificates, as far as the token is for them.
fn known(ask: &Ask<'_>) -> Result<(Option<String>, Vec<Record>)> {
    let id = ask.word(0);
    let order = ask.order_of(id)?;
    let mut records = ask.shared.pki.registry().history(id).map_err(|e| failed(&e))?;
    records.retain(|record| record.holder.device().is_some() && ask.token.is_for_ca(&record.ca));
    match records.is_empty() && order.is_none() {
        true => Err(ask.none(&device(id))),
        false => Ok((order.map(|order| order.name), records)),
    }
}

/// The certificate that is to be revoked: the one with that serial number, or the live one; one that was revoked already
/// if the device has none.
fn meant<'r>(ask: &Ask<'_>, records: &'r [Record], serial: Option<&str>) -> Result<&'r Record> {
    let device = device(ask.word(0));
    if let Some(text) = serial {
        let serial: Serial = text
            .parse()
            .map_err(|_| bad(&format!("the serial number {text:?} is not hex digits")))?;
        let found = records.iter().find(|record| record.serial == serial);
        return found.ok_or_else(|| {
            not_found(&format!("{device} has no certificate with the serial number {text}"))
        });
    }
    let live = records.iter().find(|record| record.status == Status::Live);
    let last = records.last().filter(|record| record.status == Status::Revoked);
    live.or(last).ok_or_else(|| {
        conflict(&format!(
            "{device} has no live certificate: give the serial number of one that it had"
        ))
    })
}

/// The certificate and, if its key is known to others, every other one for that key, as far as they are not revoked.
fn to_revoke(ask: &Ask<'_>, meant: &Record, reason: Reason) -> Result<Vec<Record>> {
    if reason != Reason::KeyCompromise {
        let is_due = meant.status != Status::Revoked;
        return Ok(is_due.then(|| meant.clone()).into_iter().collect());
    }
    let certificate = meant.certificate().map_err(|e| failed(&e))?;
    let same = ask.shared.pki.registry().with_key(&certificate.spki).map_err(|e| failed(&e))?;
    let all: Vec<Record> = same.into_iter().filter(|one| one.status != Status::Revoked).collect();
    let is_own = |one: &Record| one.holder == meant.holder && ask.token.is_for_ca(&one.ca);
    match all.iter().all(is_own) {
        true => Ok(all),
        false => Err(forbidden(
            "the key is also that of a certificate for which the token is not: revoke them together where the PKI \
             directory is",
        )),
    }
}
