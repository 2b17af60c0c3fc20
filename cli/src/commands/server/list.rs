//! `server list`: which servers have certificates, and what runs out.

use std::collections::HashSet;
use std::path::Path;

use c8y_pki_engine::registry::{Record, Role, Status};
use c8y_pki_engine::servers;
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use crate::clock;
use crate::commands::listed::{self, ListedArgs};
use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render::{day, table, until};

/// Arguments of `server list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  c8y-pki server list --expiring 60d
  c8y-pki server list --status any --json")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    which: ListedArgs,
}

#[derive(Serialize)]
struct Row {
    name: String,
    alt_names: Vec<String>,
    serial: String,
    ca: String,
    status: Status,
    #[serde(with = "time::serde::rfc3339")]
    not_before: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    not_after: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    revoked_at: Option<OffsetDateTime>,
    reason: Option<&'static str>,
    /// Whether its CA, or one above that, is revoked.
    ca_revoked: bool,
    folder: Option<String>,
    has_key: bool,
}

impl Row {
    fn of(record: &Record, revoked_cas: &HashSet<String>) -> Result<Self> {
        let names = servers::alt_names_of(&record.certificate()?)?;
        Ok(Self {
            name: record.holder.server().map(ToString::to_string).unwrap_or_default(),
            alt_names: names.iter().map(ToString::to_string).collect(),
            serial: record.serial.to_string(),
            ca: record.ca.clone(),
            status: record.status,
            not_before: record.not_before,
            not_after: record.not_after,
            revoked_at: record.revoked.map(|(at, _)| at),
            reason: record.revoked.map(|(_, reason)| reason.name()),
            ca_revoked: revoked_cas.contains(&record.ca),
            folder: record.location.as_ref().map(|path| path.display().to_string()),
            has_key: record.has_key,
        })
    }

    fn cells(&self) -> Vec<String> {
        let status = listed::state(self.status, self.reason, self.ca_revoked);
        let end = format!("{} ({})", day(self.not_after), until(self.not_after));
        vec![self.name.clone(), self.alt_names.join(","), self.ca.clone(), status, end]
    }
}

pub(super) fn run(args: &ListArgs, dir: &Path, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    let pki = clock::open_to_read(dir, out)?;
    let found = pki.registry().find(&args.which.filter(Role::Server, &pki, now)?)?;
    let revoked = pki.revoked_cas()?;
    let rows: Vec<Row> =
        found.iter().map(|record| Row::of(record, &revoked)).collect::<Result<_>>()?;
    if rows.is_empty() {
        out.note("No server fits.");
    }
    out.results(&rows, |rows| match rows.is_empty() {
        true => String::new(),
        false => table(
            &["SERVER", "NAMES", "CA", "STATUS", "VALID UNTIL"],
            rows.iter().map(Row::cells).collect(),
        ),
    })?;
    Ok(Outcome::Done)
}
