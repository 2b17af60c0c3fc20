//! Revoked serial numbers (platform: "Revocation"): entries are only added, an empty or future date becomes
//! now, a serial number that is there keeps its date. In files the vendor's texts disagree: by
//! [`Profile::Documented`] a row with a future date is skipped, and the last date counts.
//!
//! The first line of a file is its header, whatever it says. Refused with 400, as a whole: more than 5000
//! entries, a serial number that is not hexadecimal, a date that is not ISO 8601.

use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::Profile;
use super::answer::{Answer, Refusal};
use super::auth::{self, TRUSTED_CERTIFICATES, TRUSTED_CERTIFICATES_READ};
use super::call::Call;
use super::clock;
use super::state::World;
use crate::cert::Serial;
use crate::crl::{self, Reason, Revoked};
use crate::issue::Issuer;

/// Most entries of one call.
const MOST: usize = 5000;
/// How long a list counts.
const DAYS: i64 = 30;

/// A serial number, and since when it is revoked.
type Entry = (Vec<u8>, OffsetDateTime);

/// `PUT /tenant/trusted-certificates/settings/crl`.
pub(super) fn add(world: &mut World, call: &Call) -> Result<Answer, Refusal> {
    let caller = auth::caller(world, call)?.needs(TRUSTED_CERTIFICATES)?;
    let documented = world.site.profile == Profile::Documented;
    let (entries, last_counts) = match call.media_type().as_str() {
        // Of any type: the platform's own client for Node sends the part without one.
        "multipart/form-data" => (from_csv(&call.file()?.bytes, call.now, documented)?, documented),
        "application/json" => (from_json(&call.json()?, call.now)?, false),
        _ => return Err(Refusal::media_type("application/json or multipart/form-data")),
    };
    if let Some(tenant) = world.tenants.get_mut(&caller.tenant) {
        for (serial, at) in entries {
            let known = tenant.revoked.entry(serial).or_insert(at);
            if last_counts {
                *known = at;
            }
        }
    }
    Ok(Answer::empty(204))
}

/// `GET` of the same path: the list in DER, signed by the sandbox's CA.
pub(super) fn list(world: &mut World, call: &Call) -> Result<Answer, Refusal> {
    let caller = auth::caller(world, call)?.needs(TRUSTED_CERTIFICATES_READ)?;
    let identity = &world.identity;
    let issuer = Issuer::new(&identity.ca, &identity.ca_key, call.now).map_err(Refusal::broken)?;
    let tenant = world.tenants.get_mut(&caller.tenant);
    let tenant = tenant.ok_or_else(|| Refusal::not_found("There is no such tenant."))?;
    tenant.crl_number += 1;
    let entry = |(serial, at): (&Vec<u8>, &OffsetDateTime)| Revoked {
        serial: Serial::from_octets(serial),
        at: *at,
        reason: Reason::Unspecified,
    };
    let revoked: Vec<Revoked> = tenant.revoked.iter().map(entry).collect();
    let next = call.now + Duration::days(DAYS);
    let made = crl::make(&issuer, &revoked, tenant.crl_number, call.now, next);
    let made = made.map_err(Refusal::broken)?;
    Ok(Answer::of_type(200, "application/pkix-crl", made.der().to_vec()))
}

fn from_json(body: &Value, now: OffsetDateTime) -> Result<Vec<Entry>, Refusal> {
    let Some(crls) = body["crls"].as_array() else {
        return Err(Refusal::bad("\"crls\" is no list."));
    };
    check_number(crls.len())?;
    let read = |(index, value): (usize, &Value)| {
        let place = format!("entry {}", index + 1);
        let date = match &value["revocationDate"] {
            Value::Null => "",
            Value::String(text) => text,
            _ => return Err(wrong_date(&place)),
        };
        let serial = value["serialNumberInHex"].as_str().unwrap_or_default();
        entry(serial, date, &place).map(|(serial, at)| (serial, at.unwrap_or(now).min(now)))
    };
    crls.iter().enumerate().map(read).collect()
}

/// The entries of a file; those with a future date are left out, or become now.
fn from_csv(bytes: &[u8], now: OffsetDateTime, skips: bool) -> Result<Vec<Entry>, Refusal> {
    let text = std::str::from_utf8(bytes).map_err(|_| Refusal::bad("The file is not UTF-8."))?;
    let lines = text.trim_start_matches('\u{feff}').lines().skip(1);
    let rows: Vec<(usize, &str)> =
        (2..).zip(lines).filter(|(_, line)| !line.trim().is_empty()).collect();
    check_number(rows.len())?;
    let read = |(number, row): (usize, &str)| {
        let (serial, date) = row.split_once(',').unwrap_or((row, ""));
        entry(serial.trim(), date.trim(), &format!("line {number}"))
    };
    let read = rows.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let is_wanted = |(_, at): &(_, Option<OffsetDateTime>)| !skips || at.is_none_or(|at| at <= now);
    let dated = |(serial, at): (_, Option<OffsetDateTime>)| (serial, at.unwrap_or(now).min(now));
    Ok(read.into_iter().filter(is_wanted).map(dated).collect())
}

fn check_number(entries: usize) -> Result<(), Refusal> {
    if entries <= MOST {
        return Ok(());
    }
    Err(Refusal::bad(format!("There are {entries} entries; at most {MOST} are taken.")))
}

/// A serial number, and the date that is given with it.
fn entry(
    serial: &str,
    date: &str,
    place: &str,
) -> Result<(Vec<u8>, Option<OffsetDateTime>), Refusal> {
    let bytes = bytes(serial).ok_or_else(|| {
        Refusal::bad(format!("The serial number {serial:?} ({place}) is not hexadecimal."))
    })?;
    let at = match date {
        "" => None,
        text => Some(clock::parse(text).ok_or_else(|| wrong_date(place))?),
    };
    Ok((bytes, at))
}

fn wrong_date(place: &str) -> Refusal {
    Refusal::bad(format!("The date ({place}) is not like 2026-01-17T10:48:51.000Z."))
}

/// The bytes of a hexadecimal number, without leading zeros; one zero for the number 0.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    if hex.is_empty() {
        return None;
    }
    let even = if hex.len() % 2 == 1 { format!("0{hex}") } else { hex.to_owned() };
    Some(significant(&crate::crypto::unhex(even)?).to_vec())
}

/// The number in those bytes, as it is compared.
pub(super) fn significant(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|octet| **octet == 0).count();
    &bytes[zeros.min(bytes.len().saturating_sub(1))..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_compared_as_numbers() {
        assert_eq!(bytes("00a1B"), Some(vec![0x0a, 0x1b]));
        assert_eq!(bytes("0000"), Some(vec![0]));
        assert_eq!(bytes(""), None);
        assert_eq!(bytes("0x1"), None);
        assert_eq!(significant(&[0, 0x80]), [0x80]);
        assert_eq!(significant(&[]), [0u8; 0]);
    }

    #[test]
    fn dates_to_come_are_now() {
        let now = clock::parse("2026-01-02T03:04:05Z").unwrap();
        let file =
            b"SERIALNO,DATE\r\n01,\r\n02,2025-01-17T10:48:51.000Z\n03,2099-01-01T00:00:00Z\n";
        let read = from_csv(file, now, false).unwrap();
        let past = clock::parse("2025-01-17T10:48:51Z").unwrap();
        assert_eq!(read, [(vec![1], now), (vec![2], past), (vec![3], now)]);
        assert_eq!(from_csv(file, now, true).unwrap(), [(vec![1], now), (vec![2], past)]);
        assert_eq!(
            from_csv(b"SERIAL NO.,REVOCATION DATE\n04,\n", now, false).unwrap(),
            [(vec![4], now)]
        );
        assert!(from_csv(b"SERIALNO,DATE\n01,yesterday\n", now, false).is_err());
    }
}
