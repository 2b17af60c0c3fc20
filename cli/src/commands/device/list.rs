//! `device list`: what was issued, and what runs out.

use std::path::Path;

use c8y_pki::registry::{Filter, Record, Role, Status};
use clap::{Args, ValueEnum};
use serde::Serialize;
use time::OffsetDateTime;

use crate::clock;
use crate::failure::{Failure, Outcome, Result};
use crate::output::Output;
use crate::render::{day, table, until};
use crate::values;

/// Which certificates.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum StatusArg {
    /// In use
    Live,
    /// Another one took its place
    Superseded,
    /// Revoked
    Revoked,
    /// All of them
    Any,
}

/// Arguments of `device list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  c8y-pki device list --expiring 30d
  c8y-pki device list --ca line-7 --status any --json")]
pub(crate) struct ListArgs {
    /// Issued by this CA
    #[arg(long, value_name = "NAME")]
    ca: Option<String>,
    /// In this state
    #[arg(long, value_enum, default_value = "live")]
    status: StatusArg,
    /// Whose validity ends within this time, e.g. 30d or 8w; those that have ended too
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    expiring: Option<time::Duration>,
    /// Issued by this run
    #[arg(long, value_name = "NAME")]
    batch: Option<String>,
}

/// A certificate in a list, and in `device show`.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    id: Option<String>,
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
    #[serde(with = "time::serde::rfc3339")]
    recorded: OffsetDateTime,
    batch: String,
    folder: Option<String>,
    has_key: bool,
}

impl Row {
    pub(super) fn of(record: &Record) -> Self {
        Self {
            id: record.client_id.clone(),
            serial: record.serial.to_string(),
            ca: record.ca.clone(),
            status: record.status,
            not_before: record.not_before,
            not_after: record.not_after,
            revoked_at: record.revoked.map(|(at, _)| at),
            reason: record.revoked.map(|(_, reason)| reason.name()),
            recorded: record.recorded,
            batch: record.batch.clone(),
            folder: record.location.as_ref().map(|path| path.display().to_string()),
            has_key: record.has_key,
        }
    }

    fn cells(&self) -> Vec<String> {
        let status = match self.reason {
            Some(reason) => format!("{}: {reason}", self.status.name()),
            None => self.status.name().to_owned(),
        };
        vec![
            self.id.clone().unwrap_or_default(),
            self.serial.clone(),
            self.ca.clone(),
            status,
            format!("{} ({})", day(self.not_after), until(self.not_after)),
        ]
    }
}

/// A batch that nothing was recorded in.
pub(super) fn no_batch(batch: &str) -> Failure {
    Failure::usage(
        format!("there is no batch {batch:?}"),
        "`c8y-pki device list --json` names each device's batch",
    )
}

pub(super) fn run(args: &ListArgs, dir: &Path, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    let pki = clock::open_to_read(dir, out)?;
    if let Some(name) = &args.ca {
        pki.ca(name)?;
    }
    let filter = Filter {
        ca: args.ca.as_deref(),
        role: Some(Role::Device),
        status: match args.status {
            StatusArg::Live => Some(Status::Live),
            StatusArg::Superseded => Some(Status::Superseded),
            StatusArg::Revoked => Some(Status::Revoked),
            StatusArg::Any => None,
        },
        batch: args.batch.as_deref(),
        expires_before: args.expiring.map(|time| now + time),
        ..Filter::default()
    };
    if let Some(batch) = &args.batch
        && !pki.registry().has_batch(batch)?
    {
        return Err(no_batch(batch));
    }
    let mut rows = Vec::new();
    pki.registry().each(&filter, |record| -> std::result::Result<(), Failure> {
        let row = Row::of(&record);
        // A line at a time: the list may be long.
        if out.is_json() {
            return out.result(&row, |_| String::new());
        }
        rows.push(row.cells());
        Ok(())
    })?;
    if out.is_json() {
        return Ok(Outcome::Done);
    }
    if rows.is_empty() {
        out.note("No device fits.");
        return Ok(Outcome::Done);
    }
    out.text(&table(&["ID", "SERIAL", "CA", "STATUS", "VALID UNTIL"], rows))?;
    Ok(Outcome::Done)
}
