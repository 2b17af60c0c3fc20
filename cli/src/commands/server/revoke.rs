//! `server revoke`: certificates of servers that are not to be trusted any more.

use std::path::Path;

use c8y_pki_core::crl::Reason;
use c8y_pki_core::failure::Task;
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::registry::{Record, ServerName, Status};
use c8y_pki_engine::servers;
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use crate::clock;
use crate::commands::device::reason;
use crate::confirm::confirm;
use crate::failure::{Failure, Outcome, Result};
use crate::hint;
use crate::output::Output;
use crate::render::{count, day};

/// Arguments of `server revoke`.
#[derive(Debug, Args)]
#[command(after_help = "\
A server's live certificate is revoked. With keyCompromise its former certificates for the same key
are revoked too. A revocation is final; you confirm it at the terminal or with --yes. It has no
effect until it is in a list that the devices look at: make the CA's next list (`ca crl`). To revoke
a former certificate, give its serial number to `device revoke`.

Examples:
  c8y-pki server revoke broker --reason cessationOfOperation
  c8y-pki server revoke broker --reason keyCompromise --yes && c8y-pki ca crl edge

Exit codes: 0 done; 1 the question was answered with no; 2 something cannot be revoked as asked, or
nobody can be asked: nothing was revoked.")]
pub(crate) struct RevokeArgs {
    /// Names of the servers
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Why: unspecified, keyCompromise, cACompromise, affiliationChanged, superseded,
    /// cessationOfOperation, privilegeWithdrawn
    #[arg(long, default_value = "unspecified", value_name = "REASON", value_parser = reason)]
    reason: Reason,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Serialize)]
struct Revoked {
    name: String,
    serial: String,
    ca: String,
    reason: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    revoked_at: OffsetDateTime,
}

pub(super) fn run(args: &RevokeArgs, dir: &Path, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    let at = now.replace_nanosecond(0).unwrap_or(now);
    let mut pki = clock::open(dir, now)?;
    let records = meant(args, &pki)?;
    let lines: Vec<String> = records
        .iter()
        .map(|r| format!("{}  {}, valid until {}", r.whose(), r.serial, day(r.not_after)))
        .collect();
    let question = format!("Revoke {} for good?", count(records.len(), "certificate"));
    if !args.yes && !confirm("a revocation", &lines, &question)? {
        out.note("Nothing was revoked.");
        return Ok(Outcome::NO);
    }
    pki.registry_mut().revoke(&records, args.reason, at, now)?;
    let revoked: Vec<Revoked> = records
        .iter()
        .map(|record| Revoked {
            name: record.holder.server().map(ToString::to_string).unwrap_or_default(),
            serial: record.serial.to_string(),
            ca: record.ca.clone(),
            reason: args.reason.name(),
            revoked_at: at,
        })
        .collect();
    out.results(&revoked, |all| {
        all.iter().map(|r| format!("{}  {}  revoked: {}\n", r.name, r.serial, r.reason)).collect()
    })?;
    let mut issuers: Vec<&str> = revoked.iter().map(|r| r.ca.as_str()).collect();
    issuers.sort_unstable();
    issuers.dedup();
    let next: Vec<String> = issuers
        .iter()
        .map(|ca| hint::run(&Task::MakeCrl { ca: Some((*ca).to_owned()), days: None }))
        .collect();
    out.note(&format!("To give this effect, make the next list: {}", next.join(", ")));
    Ok(Outcome::Done)
}

/// The live certificates, and with a compromised key all others of it that are not revoked.
fn meant(args: &RevokeArgs, pki: &Pki) -> Result<Vec<Record>> {
    let mut records: Vec<Record> = Vec::new();
    for name in &args.names {
        let name: ServerName = name.parse()?;
        let live = servers::live(pki, &name)?;
        let mut found = vec![live];
        if args.reason == Reason::KeyCompromise {
            let spki = found[0].certificate()?.spki;
            let same = pki.registry().with_key(&spki)?;
            let same = same.into_iter().filter(|r| r.status != Status::Revoked);
            found.extend(same.filter(|r| r.row != found[0].row).collect::<Vec<_>>());
        }
        if let Some(other) = found.iter().find(|record| record.holder != found[0].holder) {
            return Err(Failure::usage(
                format!("the key of the server {name} is that of {} too", other.whose()),
                format!(
                    "revoke all of its certificates: `{}`",
                    hint::with_pki(&format!(
                        "device revoke {} --reason keyCompromise",
                        found[0].serial
                    ))
                ),
            ));
        }
        records.extend(found);
    }
    records.sort_by_key(|record| record.row);
    records.dedup_by_key(|record| record.row);
    Ok(records)
}
