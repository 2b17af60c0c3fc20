//! `device revoke`: certificates that are not to be trusted any more.

use std::path::{Path, PathBuf};

use c8y_pki::authority::Pki;
use c8y_pki::crl::Reason;
use c8y_pki::registry::{Record, Status};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use super::{find, read_list, refuse_faults};
use crate::failure::{Failure, Outcome, Result};
use crate::output::Output;
use crate::render::{count, date};
use crate::values;

/// Arguments of `device revoke`.
#[derive(Debug, Args)]
#[command(after_help = "\
An id means the device's live certificate; a serial number means that certificate, live or
superseded. All of them are revoked, or none. A revocation is final. It counts once a list says
so: make the CA's next list, and tell the platform.

Examples:
  c8y-pki device revoke gw-0001 --reason keyCompromise
  c8y-pki device revoke 4a1f… --reason cessationOfOperation --at 2026-11-24T08:00:00Z
  c8y-pki device revoke gw-0001 && c8y-pki ca crl line-7 && c8y-pki registry revocations --out rev")]
pub(crate) struct RevokeArgs {
    /// Device identifiers, or serial numbers in hex; a CA's certificate by its serial number
    #[arg(required_unless_present = "from", value_name = "ID|SERIAL")]
    certificates: Vec<String>,
    /// CSV with a column `id`; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "certificates")]
    from: Option<PathBuf>,
    /// Why: unspecified, keyCompromise, cACompromise, affiliationChanged, superseded,
    /// cessationOfOperation, certificateHold, privilegeWithdrawn
    #[arg(long, default_value = "unspecified", value_name = "REASON", value_parser = reason)]
    reason: Reason,
    /// Since when (RFC 3339); by default now
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    at: Option<OffsetDateTime>,
}

fn reason(text: &str) -> std::result::Result<Reason, String> {
    Reason::of_name(text).ok_or_else(|| {
        let names: Vec<&str> = Reason::ALL.iter().map(|(_, name)| *name).collect();
        format!("it is not one of {}", names.join(", "))
    })
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
    let words = match &args.from {
        None => args.certificates.clone(),
        Some(path) => {
            let list = read_list(path)?;
            refuse_faults(&list)?;
            list.devices.iter().map(|d| d.id.as_str().to_owned()).collect()
        }
    };
    let mut pki = Pki::open(dir, now)?;
    let mut records: Vec<Record> = Vec::with_capacity(words.len());
    for word in &words {
        let record = meant(find(pki.registry(), word)?, word)?;
        if !records.contains(&record) {
            records.push(record);
        }
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
        "{} revoked. It counts once a list says so: {}",
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

/// The one certificate that a word means: a device's live one, or the one with that serial number.
fn meant(mut records: Vec<Record>, word: &str) -> Result<Record> {
    let live = records.iter().position(|record| record.status == Status::Live);
    match (live, records.len()) {
        (Some(index), _) => Ok(records.swap_remove(index)),
        (None, 1) => Ok(records.remove(0)),
        // Its former certificates can be revoked too, but not by the id: which one?
        (None, several) => Err(Failure::usage(
            format!("{word:?} has no live certificate, but {several} former ones"),
            format!("name the serial number; `c8y-pki device show {word}` shows them"),
        )),
    }
}
