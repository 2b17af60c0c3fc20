//! `device revoke`: certificates that are not to be trusted any more.

use std::collections::HashSet;
use std::path::Path;

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::crl::Reason;
use c8y_pki_core::failure::Task;
use c8y_pki_engine::list::{BadRow, Device};
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::provision::ProvisionError;
use c8y_pki_engine::registry::{Holder, Record, Status};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use super::compromise::SameKey;
use super::serial::{self, Foreign, Issuer, fault};
use crate::clock;
use crate::confirm::{can_ask, confirm};
use crate::failure::{Failure, Outcome, Result};
use crate::hint;
use crate::output::Output;
use crate::render::{count, date, day, printable};
use crate::selection::SelectionArgs;
use crate::values;

/// How many devices are named before the question.
const MOST_NAMED: usize = 10;

/// Arguments of `device revoke`.
#[derive(Debug, Args)]
#[command(after_help = "\
An id means the device's live certificate; a serial number means that certificate, live or
superseded. If several CAs have given that number, --issuer says which certificate is meant. With
keyCompromise every other certificate of the same key is revoked too, live or superseded, of any
device or CA: those of others are named first, and you confirm them at the terminal or with --yes.
To revoke one of a CA, give --ca-certificate too. All of them are revoked, or none; those that are
revoked already are not changed. At a terminal you are asked first; with --from or --order a
script needs --yes. A revocation is final. It has no effect until it is in a list: make the CA's
next list, and upload it to the platform (`tenant crl upload`). `order revoke` takes a whole order
back.

Examples:
  c8y-pki device revoke gw-0001 --reason keyCompromise
  c8y-pki device revoke 4a1f… --reason cessationOfOperation --at 2026-11-24T08:00:00Z
  c8y-pki device revoke 1000 --issuer plant
  c8y-pki device revoke --from scrapped.csv --plan
  c8y-pki device revoke --from scrapped.csv --reason cessationOfOperation --yes
  c8y-pki device revoke gw-0001 && c8y-pki ca crl line-7 && c8y-pki tenant crl upload
  c8y-pki device revoke gw-0001 --reason keyCompromise --yes --json

Exit codes: 0 done; 1 the question was answered with no; 2 something cannot be revoked as asked, or
nobody can be asked: nothing was revoked.")]
pub(crate) struct RevokeArgs {
    /// Device identifiers, or serial numbers in hex; a CA's certificate by its serial number
    #[arg(required_unless_present_any = ["from", "order"], value_name = "ID|SERIAL", conflicts_with_all = ["from", "order"])]
    certificates: Vec<String>,
    /// Only certificates of this issuer: a CA's name in the directory, or an issuer's whole name
    /// ("CN=Root,O=Example")
    #[arg(long, value_name = "CA|NAME")]
    pub(super) issuer: Option<String>,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Also revoke a CA's certificate, if you name its serial number or it has the compromised key. Then no
    /// certificate below it is valid any more
    #[arg(long)]
    pub(super) ca_certificate: bool,
    /// Why: unspecified, keyCompromise, cACompromise, affiliationChanged, superseded,
    /// cessationOfOperation, privilegeWithdrawn
    #[arg(long, default_value = "unspecified", value_name = "REASON", value_parser = reason)]
    reason: Reason,
    /// Since when (RFC 3339), not before the certificate was valid; by default now
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    at: Option<OffsetDateTime>,
    /// Only show what would be revoked, and what cannot be
    #[arg(long, conflicts_with = "yes")]
    plan: bool,
    /// Do not ask: neither at a terminal before anything is revoked, nor anywhere before the devices of a list or an
    /// order are, nor, with keyCompromise, before certificates that others have for the same key are
    #[arg(long)]
    pub(super) yes: bool,
}

pub(crate) fn reason(text: &str) -> std::result::Result<Reason, String> {
    let (names, found): (Vec<&str>, _) = (
        Reason::offered().map(|(_, name)| name).collect(),
        Reason::offered().find(|(_, name)| name.eq_ignore_ascii_case(text)),
    );
    match (found, Reason::of_name(text)) {
        (Some((reason, _)), _) => Ok(reason),
        (None, Some(_)) => Err(format!(
            "a revocation is final, also at the platform; use one of {}",
            names.join(", ")
        )),
        (None, None) => Err(format!("it is not one of {}", names.join(", "))),
    }
}

#[derive(Serialize)]
struct Revoked {
    id: Option<DeviceId>,
    serial: String,
    ca: String,
    reason: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    revoked_at: OffsetDateTime,
    /// Not named, but for the same key as one that was.
    same_key: bool,
    /// Whose it is, for people.
    #[serde(skip)]
    name: String,
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
    let meant = meant_by(args, &pki, out)?;
    if args.plan {
        plan(&meant, out)?;
    }
    let Meant { mut records, already, foreign, faults, total } = meant;
    if !faults.is_empty() {
        return Err(ProvisionError::NotRevoked { faults, total }.into());
    }
    if args.plan {
        return Ok(Outcome::Done);
    }
    let named = records.len();
    let same = match args.reason {
        Reason::KeyCompromise => {
            let all: Vec<&Record> = records.iter().chain(&already).collect();
            Some(SameKey::of(args.ca_certificate, &all, pki.registry())?)
        }
        _ => None,
    };
    // Who names a certificate in a script means it; at a terminal it may be a slip of the pen. If others have its key,
    // that question is asked and, of a single device, not two.
    let asks_about_others = same.as_ref().is_some_and(SameKey::has_others);
    let is_asked = args.selection.is_given() || (can_ask() && !asks_about_others);
    if is_asked && !args.yes && !records.is_empty() && !asked(&records)? {
        out.note("Nothing was revoked.");
        return Ok(Outcome::NO);
    }
    if let Some(same) = same {
        if !same.confirm(args.yes, out)? {
            out.note("Nothing was revoked.");
            return Ok(Outcome::NO);
        }
        records.extend(same.records);
    }
    for record in &already {
        let (since, reason) = record.revoked.map_or((now, Reason::Unspecified), |r| r);
        out.note(&format!(
            "{} is revoked already, since {}: {}",
            name(record),
            day(since),
            reason.name()
        ));
    }
    for one in &foreign {
        pki.registry_mut().revoke_foreign(&one.issuer, &one.serial, (args.reason, at), now)?;
    }
    if !records.is_empty() {
        pki.registry_mut().revoke(&records, args.reason, at, now)?;
    } else if foreign.is_empty() {
        return Ok(Outcome::Done);
    }
    let cas: Vec<String> =
        records.iter().filter(|r| r.holder == Holder::Ca).map(Record::whose).collect();
    let row = |(index, record)| row(record, args.reason, at, index >= named);
    let mut revoked: Vec<Revoked> = records.into_iter().enumerate().map(row).collect();
    revoked.extend(foreign.into_iter().map(|one| Revoked {
        id: None,
        serial: one.serial.serial.to_string(),
        ca: one.ca,
        reason: args.reason.name(),
        revoked_at: at,
        same_key: false,
        name: one.serial.subject,
    }));
    out.results(&revoked, |all| {
        let line = |r: &Revoked| {
            let holder = printable(&r.name);
            let why = if r.same_key { ", the same key" } else { "" };
            format!("{holder}  {}  revoked: {}{why}\n", r.serial, r.reason)
        };
        all.iter().map(line).collect()
    })?;
    let mut issuers: Vec<&str> = revoked.iter().map(|r| r.ca.as_str()).collect();
    issuers.sort_unstable();
    issuers.dedup();
    let next: Vec<String> = issuers.iter().map(|ca| next_list(ca)).collect();
    out.note(&format!(
        "{} revoked. To give this effect, make the next list: {}; and at the platform: {}",
        count(revoked.len(), "certificate"),
        next.join(", "),
        hint::run(&Task::UploadCrl)
    ));
    for ca in cas {
        out.note(&format!(
            "{ca} issues nothing any more. Remove it from the platform (`c8y-pki tenant trust remove`), and give \
             its devices certificates of another CA."
        ));
    }
    Ok(Outcome::Done)
}

/// What would be revoked.
#[derive(Serialize)]
struct Planned {
    id: Option<String>,
    serial: Option<String>,
    ca: Option<String>,
    /// `revoke`, `revoked already`; or `refuse` for what cannot be.
    action: &'static str,
    #[serde(skip)]
    name: String,
}

/// Shows what would be revoked, and what cannot be.
fn plan(meant: &Meant, out: Output) -> Result<()> {
    let of = |action| {
        move |record: &Record| Planned {
            id: record.holder.device().map(DeviceId::to_string),
            serial: Some(record.serial.to_string()),
            ca: Some(record.ca.clone()),
            action,
            name: name(record),
        }
    };
    let mut all: Vec<Planned> = meant.records.iter().map(of("revoke")).collect();
    all.extend(meant.foreign.iter().map(|one| Planned {
        id: None,
        serial: Some(one.serial.serial.to_string()),
        ca: Some(one.ca.clone()),
        action: "revoke",
        name: one.serial.subject.clone(),
    }));
    all.extend(meant.already.iter().map(of("revoked already")));
    all.extend(meant.faults.iter().map(|fault| Planned {
        id: Some(fault.id.clone()),
        serial: None,
        ca: None,
        action: "refuse",
        name: fault.id.clone(),
    }));
    out.results(&all, |all| {
        let line = |p: &Planned| {
            let serial = p.serial.as_deref().unwrap_or("no certificate");
            format!("{}  {serial}  {}\n", printable(&p.name), p.action)
        };
        all.iter().map(line).collect()
    })?;
    let due = count(meant.records.len() + meant.foreign.len(), "certificate");
    out.note(&match meant.faults.len() {
        0 => format!("{due} would be revoked. Nothing was changed"),
        n => format!(
            "{due} could be revoked, and {} cannot: nothing would be, and nothing was changed",
            count(n, "row")
        ),
    });
    Ok(())
}

/// Asks before anything is revoked.
fn asked(records: &[Record]) -> Result<bool> {
    let line =
        |record: &Record| format!("{}  {}, issued by {}", name(record), record.serial, record.ca);
    let mut lines: Vec<String> = records.iter().take(MOST_NAMED).map(line).collect();
    if records.len() > MOST_NAMED {
        lines.push(format!("and {} more: --plan shows all of them", records.len() - MOST_NAMED));
    }
    let certificates = count(records.len(), "certificate");
    confirm(
        &format!("revoking {certificates} of a list"),
        &lines,
        &format!("Revoke {certificates}? A revocation is final."),
    )
}

fn row(record: Record, reason: Reason, revoked_at: OffsetDateTime, same_key: bool) -> Revoked {
    Revoked {
        name: name(&record),
        serial: record.serial.to_string(),
        id: record.holder.device().cloned(),
        ca: record.ca,
        reason: reason.name(),
        revoked_at,
        same_key,
    }
}

/// A device's id, or `the CA CN=Line 7`.
fn name(record: &Record) -> String {
    record.holder.device().map_or_else(|| record.whose(), DeviceId::to_string)
}

/// What is to be revoked.
#[derive(Default)]
struct Meant {
    records: Vec<Record>,
    /// What is revoked already.
    already: Vec<Record>,
    /// What is known by its serial number only.
    foreign: Vec<Foreign>,
    /// What cannot be revoked: then nothing is.
    faults: Vec<BadRow>,
    /// How many rows or words there are.
    total: usize,
}

/// What is to be revoked, what is already, and what cannot be.
fn meant_by(args: &RevokeArgs, pki: &Pki, out: Output) -> Result<Meant> {
    let registry = pki.registry();
    let issuer = args.issuer.as_ref().map(|text| Issuer::of(pki, text)).transpose()?;
    let mut meant = Meant::default();
    let mut seen = HashSet::new();
    let mut take = |found: std::result::Result<Vec<Record>, BadRow>| match found {
        Err(fault) => meant.faults.push(fault),
        Ok(found) => {
            for record in found.into_iter().filter(|r| seen.insert(r.der.clone())) {
                let done = record.status == Status::Revoked;
                if done { meant.already.push(record) } else { meant.records.push(record) }
            }
        }
    };
    let of_id = |history: Vec<Record>, id: &str| {
        of_device(history, id).and_then(|found| match &issuer {
            Some(issuer) => issuer.check(found, id),
            None => Ok(found),
        })
    };
    meant.total = match args.selection.read(registry, out)? {
        // A list holds ids, and nothing else.
        Some(selected) => {
            let list = selected.list.without_faults()?;
            for device in &list.devices {
                let found = of_id(registry.history(&device.id)?, device.id.as_str());
                take(found.map_err(|fault| in_row(fault, device)));
            }
            list.devices.len()
        }
        None => {
            for word in &args.certificates {
                let history = registry.history(word)?;
                if !history.is_empty() {
                    take(of_id(history, word));
                    continue;
                }
                match serial::meant(pki, word, issuer.as_ref(), args.ca_certificate)? {
                    Ok(serial::One::Recorded(record)) => take(Ok(vec![*record])),
                    Ok(serial::One::Foreign(one)) => meant.foreign.push(one),
                    Err(fault) => take(Err(fault)),
                }
            }
            args.certificates.len()
        }
    };
    Ok(meant)
}

/// A fault of a row, with its place in the list.
fn in_row(fault: BadRow, device: &Device) -> BadRow {
    let Some(number) = device.line else { return fault };
    let message = format!("{} {number}: {}", device.counted, fault.message);
    BadRow { line: device.line, message, ..fault }
}

/// The command that makes the next list of a CA.
fn next_list(ca: &str) -> String {
    hint::run(&Task::MakeCrl { ca: Some(ca.to_owned()), days: None })
}

/// A device's live certificate.
fn of_device(history: Vec<Record>, id: &str) -> std::result::Result<Vec<Record>, BadRow> {
    let Some(live) = history.iter().find(|r| r.status == Status::Live).cloned() else {
        // Without a live one, the last of them tells: revoked, or replaced by one that is gone.
        return match history.last() {
            Some(last) if last.status == Status::Revoked => Ok(vec![last.clone()]),
            Some(_) => {
                let show = hint::run(&Task::ShowDevice { id: id.to_owned() });
                Err(fault(
                    id,
                    format!("device id {id:?} has no live certificate"),
                    format!("name the serial number of one that it had: {show}"),
                ))
            }
            None => Err(fault(
                id,
                format!("device id {id:?} has no certificate"),
                "correct the id, or take it off the list".to_owned(),
            )),
        };
    };
    Ok(vec![live])
}
