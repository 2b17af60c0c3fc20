//! `device revoke`: certificates that are not to be trusted any more.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use c8y_pki::bulk::{BulkError, Fault};
use c8y_pki::crl::Reason;
use c8y_pki::registry::{Filter, Record, Registry, Role, Status, parse_serial};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use super::read_list;
use crate::clock;
use crate::failure::{Failure, Outcome, Result};
use crate::output::Output;
use crate::render::{count, date, day};
use crate::values;

/// Arguments of `device revoke`.
#[derive(Debug, Args)]
#[command(after_help = "\
An id means the device's live certificate, and with keyCompromise every certificate of the same
key; a serial number means that certificate, live or superseded. All of them are revoked, or none;
those that are already stay as they are. A revocation is final. It counts once a list says so: make
the CA's next list, and tell the platform (`tenant crl upload`).

Examples:
  c8y-pki device revoke gw-0001 --reason keyCompromise
  c8y-pki device revoke 4a1f… --reason cessationOfOperation --at 2026-11-24T08:00:00Z
  c8y-pki device revoke gw-0001 && c8y-pki ca crl line-7 && c8y-pki tenant crl upload")]
pub(crate) struct RevokeArgs {
    /// Device identifiers, or serial numbers in hex; a CA's certificate by its serial number
    #[arg(required_unless_present = "from", value_name = "ID|SERIAL")]
    certificates: Vec<String>,
    /// CSV with a column `id`; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "certificates")]
    from: Option<PathBuf>,
    /// A serial number may be that of a CA's certificate
    #[arg(long, conflicts_with = "from")]
    ca_certificate: bool,
    /// Why: unspecified, keyCompromise, cACompromise, affiliationChanged, superseded,
    /// cessationOfOperation, privilegeWithdrawn
    #[arg(long, default_value = "unspecified", value_name = "REASON", value_parser = reason)]
    reason: Reason,
    /// Since when (RFC 3339), not before the certificate was valid; by default now
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    at: Option<OffsetDateTime>,
}

fn reason(text: &str) -> std::result::Result<Reason, String> {
    let (names, found): (Vec<&str>, _) = (
        Reason::offered().map(|(_, name)| name).collect(),
        Reason::offered().find(|(_, name)| name.eq_ignore_ascii_case(text)),
    );
    match (found, Reason::of_name(text)) {
        (Some((reason, _)), _) => Ok(reason),
        (None, Some(_)) => Err(format!(
            "a revocation is final, and the platform has no way back; use one of {}",
            names.join(", ")
        )),
        (None, None) => Err(format!("it is not one of {}", names.join(", "))),
    }
}

#[derive(Serialize)]
struct Revoked {
    id: Option<String>,
    serial: String,
    ca: String,
    reason: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    revoked_at: OffsetDateTime,
}

pub(super) fn run(args: &RevokeArgs, dir: &Path, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    let at = args.at.unwrap_or(now);
    let at = at.replace_nanosecond(0).unwrap_or(at);
    if at > now {
        return Err(Failure::usage(
            format!("the time of revocation, {}, lies in the future", date(at)),
            "give a time that has passed, or leave --at out",
        ));
    }
    let mut pki = clock::open(dir, now)?;
    let (records, already) = meant_by(args, pki.registry())?;
    for record in &already {
        let (since, reason) = record.revoked.map_or((now, Reason::Unspecified), |r| r);
        out.note(&format!(
            "{} is revoked already, since {}: {}",
            record.client_id.as_deref().unwrap_or("the CA's certificate"),
            day(since),
            reason.name()
        ));
    }
    if records.is_empty() {
        return Ok(Outcome::Done);
    }
    pki.registry_mut().revoke(&records, args.reason, at, now)?;
    let revoked: Vec<Revoked> = records.into_iter().map(|r| row(r, args.reason, at)).collect();
    out.results(&revoked, |all| {
        let line = |r: &Revoked| {
            let holder = r.id.as_deref().unwrap_or("(a CA)");
            format!("{holder}  {}  revoked: {}\n", r.serial, r.reason)
        };
        all.iter().map(line).collect()
    })?;
    let mut cas: Vec<&str> = revoked.iter().map(|r| r.ca.as_str()).collect();
    cas.sort_unstable();
    cas.dedup();
    let next: Vec<String> = cas.iter().map(|ca| format!("`c8y-pki ca crl {ca}`")).collect();
    out.note(&format!(
        "{} revoked. It counts once a list says so: {}; at the platform `c8y-pki tenant crl upload`",
        count(revoked.len(), "certificate"),
        next.join(", ")
    ));
    Ok(Outcome::Done)
}

fn row(record: Record, reason: Reason, revoked_at: OffsetDateTime) -> Revoked {
    Revoked {
        serial: record.serial.to_string(),
        id: record.client_id,
        ca: record.ca,
        reason: reason.name(),
        revoked_at,
    }
}

/// The certificates that are to be revoked, and those that are already; all faults at once.
fn meant_by(args: &RevokeArgs, registry: &Registry) -> Result<(Vec<Record>, Vec<Record>)> {
    let (mut records, mut already, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    let mut take = |found: std::result::Result<Vec<Record>, Fault>| match found {
        Err(fault) => faults.push(fault),
        Ok(found) => {
            for record in found.into_iter().filter(|r| seen.insert(r.der.clone())) {
                let done = record.status == Status::Revoked;
                if done { already.push(record) } else { records.push(record) }
            }
        }
    };
    let total = match &args.from {
        // A list holds ids, and nothing else.
        Some(path) => {
            let list = read_list(path)?;
            if !list.faults.is_empty() {
                let total = list.devices.len() + list.faults.len();
                return Err(BulkError::BadList { faults: list.faults.into(), total }.into());
            }
            for device in &list.devices {
                let history = registry.history(&device.id.folded())?;
                take(of_device(history, device.id.as_str(), args.reason));
            }
            list.devices.len()
        }
        None => {
            for word in &args.certificates {
                let history = registry.history(&word.to_lowercase())?;
                take(match history.is_empty() {
                    false => of_device(history, word, args.reason),
                    true => of_serial(registry, word, args.ca_certificate)?,
                });
            }
            args.certificates.len()
        }
    };
    if faults.is_empty() {
        return Ok((records, already));
    }
    Err(BulkError::NotRevoked { faults, total }.into())
}

/// A device's live certificate. Where its key is known to others, every certificate of that key.
fn of_device(
    history: Vec<Record>,
    id: &str,
    reason: Reason,
) -> std::result::Result<Vec<Record>, Fault> {
    let Some(live) = history.iter().find(|r| r.status == Status::Live).cloned() else {
        // Without a live one, the last of them tells: revoked, or replaced by one that is gone.
        return match history.last() {
            Some(last) if last.status == Status::Revoked => Ok(vec![last.clone()]),
            _ => Err(fault(
                id,
                format!("device id {id:?} has no live certificate"),
                format!("name the serial number of one that it had: `c8y-pki device show {id}`"),
            )),
        };
    };
    if reason != Reason::KeyCompromise {
        return Ok(vec![live]);
    }
    let key = |r: &Record| r.certificate().ok().map(|cert| cert.spki);
    let compromised = key(&live);
    let same = |r: &&Record| r.status != Status::Revoked && key(r) == compromised;
    Ok(history.iter().filter(same).cloned().collect())
}

fn of_serial(
    registry: &Registry,
    word: &str,
    cas_too: bool,
) -> Result<std::result::Result<Vec<Record>, Fault>> {
    let found = match parse_serial(word) {
        None => Vec::new(),
        Some(serial) => registry.find(&Filter { serial: Some(&serial), ..Filter::default() })?,
    };
    Ok(match found.as_slice() {
        [] => Err(fault(
            word,
            format!("there is no certificate of a device or with a serial number {word:?}"),
            "`c8y-pki device list --status any` lists all of them".to_owned(),
        )),
        [one] if one.role == Role::Ca && !cas_too => Err(fault(
            word,
            format!("the serial number {word} is that of a CA's certificate, issued by {}", one.ca),
            "add --ca-certificate if it is meant: everything below it goes with it".to_owned(),
        )),
        [_] => Ok(found),
        several => Err(fault(
            word,
            format!("{} certificates have the serial number {word}", several.len()),
            "they are of different CAs: name the devices".to_owned(),
        )),
    })
}

fn fault(word: &str, message: String, hint: String) -> Fault {
    Fault { id: word.to_owned(), line: None, message, hint: Some(hint) }
}
