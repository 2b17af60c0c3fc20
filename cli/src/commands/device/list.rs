//! `device list`: what was issued, and what runs out.

use std::collections::HashSet;
use std::path::Path;

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::failure::Task;
use c8y_pki_core::shown;
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::registry::{Filter, Record, Registry, RegistryError, Role, Status};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use crate::clock;
use crate::commands::listed::{self, ListedArgs};
use crate::failure::{Failure, Outcome, Result};
use crate::hint;
use crate::output::Output;
use crate::render::{Columns, day, until};
use crate::selection::SelectionArgs;
use crate::sheet::Sheet;

/// How many devices without a certificate are named.
const MOST_NAMED: usize = 5;

/// So many bytes are written at once.
const AT_ONCE: usize = 1 << 16;

/// Arguments of `device list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  c8y-pki device list --expiring 30d
  c8y-pki device list --ca line-7 --status any --json
  c8y-pki device list --order acme-11")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    which: ListedArgs,
    /// Issued by this run
    #[arg(long, value_name = "NAME")]
    batch: Option<String>,
    #[command(flatten)]
    selection: SelectionArgs,
}

/// Which certificates are listed.
struct Wanted<'a> {
    filter: Filter<'a>,
    /// Of these devices only, by their folded ids.
    ids: Option<HashSet<String>>,
    /// The CAs that are revoked, or below one that is.
    revoked_cas: HashSet<String>,
}

impl Wanted<'_> {
    fn row(&self, record: &Record) -> Row {
        Row::of(record, &self.revoked_cas)
    }

    /// Visits them in the order in which they were recorded.
    fn each<E: From<RegistryError>>(
        &self,
        registry: &Registry,
        mut visit: impl FnMut(Record) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        registry.each(&self.filter, |record| {
            let is_meant = |ids: &HashSet<String>| {
                record.holder.device().is_some_and(|id| ids.contains(&id.folded()))
            };
            match self.ids.as_ref().is_none_or(is_meant) {
                true => visit(record),
                false => Ok(()),
            }
        })
    }
}

/// A certificate in a list, and in `device show`.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    id: Option<DeviceId>,
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
    #[serde(with = "time::serde::rfc3339")]
    recorded: OffsetDateTime,
    batch: String,
    folder: Option<String>,
    has_key: bool,
}

impl Row {
    pub(super) fn of(record: &Record, revoked_cas: &HashSet<String>) -> Self {
        Self {
            id: record.holder.device().cloned(),
            serial: record.serial.to_string(),
            ca: record.ca.clone(),
            status: record.status,
            not_before: record.not_before,
            not_after: record.not_after,
            revoked_at: record.revoked.map(|(at, _)| at),
            reason: record.revoked.map(|(_, reason)| reason.name()),
            ca_revoked: revoked_cas.contains(&record.ca),
            recorded: record.recorded,
            batch: record.batch.clone(),
            folder: record.location.as_ref().map(|path| path.display().to_string()),
            has_key: record.has_key,
        }
    }

    fn cells(&self) -> Vec<String> {
        let status = listed::state(self.status, self.reason, self.ca_revoked);
        vec![
            self.id.as_ref().map(DeviceId::to_string).unwrap_or_default(),
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
        format!("{} names each device's batch", hint::run(&Task::ListBatches)),
    )
}

pub(super) fn run(args: &ListArgs, dir: &Path, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    let pki = clock::open_to_read(dir, out)?;
    let filter = args.which.filter(Role::Device, &pki, now)?;
    let filter = Filter { batch: args.batch.as_deref(), ..filter };
    if let Some(batch) = &args.batch
        && !pki.registry().has_batch(batch)?
    {
        return Err(no_batch(batch));
    }
    let listed: Option<Vec<DeviceId>> = match args.selection.read(pki.registry(), out)? {
        Some(selected) => {
            let devices = selected.list.without_faults()?.devices;
            Some(devices.into_iter().map(|device| device.id).collect())
        }
        None => None,
    };
    let ids = listed.as_ref().map(|ids| ids.iter().map(DeviceId::folded).collect());
    let wanted = Wanted { filter, ids, revoked_cas: pki.revoked_cas()? };
    let mut text = Text { out, waiting: String::new() };
    let done = match out.is_json() {
        true => lines(pki.registry(), &wanted, &mut text),
        false if out.is_csv() => sheet(pki.registry(), &wanted, &mut text),
        false => rows(pki.registry(), &wanted, &mut text),
    };
    match done.and_then(|()| text.write()) {
        Ok(()) => {
            tell_absent(&pki, &listed, out)?;
            Ok(Outcome::Done)
        }
        Err(Ended::Gone) => Ok(Outcome::Done),
        Err(Ended::Failed(failure)) => Err(failure),
    }
}

/// Says which devices of a list or an order have never had a certificate: no option shows them.
fn tell_absent(pki: &Pki, listed: &Option<Vec<DeviceId>>, out: Output) -> Result<()> {
    let (mut absent, mut named) = (0, Vec::new());
    for id in listed.iter().flatten() {
        if pki.registry().history(id)?.is_empty() {
            absent += 1;
            named.extend((named.len() < MOST_NAMED).then(|| id.to_string()));
        }
    }
    if absent > 0 {
        let more = if absent > named.len() { ", …" } else { "" };
        let have = shown::part(
            absent as u64,
            listed.iter().flatten().count() as u64,
            "device",
            ("has", "have"),
        );
        out.warning(&format!(
            "{have} no certificate and nothing to show: {}{more}",
            named.join(", ")
        ));
    }
    Ok(())
}

/// A line of JSON for each certificate, as it comes.
fn lines(
    registry: &Registry,
    wanted: &Wanted<'_>,
    text: &mut Text,
) -> std::result::Result<(), Ended> {
    wanted.each(registry, |record| {
        let line = serde_json::to_string(&wanted.row(&record));
        text.add(&line.map_err(|e| Failure::Output(e.into()))?)?;
        text.add("\n")
    })
}

/// A line of CSV for each certificate, as it comes.
fn sheet(
    registry: &Registry,
    wanted: &Wanted<'_>,
    text: &mut Text,
) -> std::result::Result<(), Ended> {
    let mut sheet = Sheet::default();
    wanted.each(registry, |record| {
        let line = sheet.add(&wanted.row(&record))?;
        text.add(&String::from_utf8_lossy(&line))
    })
}

/// A table, which is never in memory: its columns are measured first.
fn rows(
    registry: &Registry,
    wanted: &Wanted<'_>,
    text: &mut Text,
) -> std::result::Result<(), Ended> {
    const HEADER: [&str; 5] = ["ID", "SERIAL", "CA", "STATUS", "VALID UNTIL"];
    let _moment = registry.snapshot()?;
    let (mut columns, mut count) = (Columns::default(), 0);
    columns.measure(&HEADER);
    wanted.each(registry, |record| -> std::result::Result<(), Ended> {
        columns.measure(&wanted.row(&record).cells());
        count += 1;
        Ok(())
    })?;
    if count == 0 {
        text.out.note("No device fits.");
        return Ok(());
    }
    text.add(&columns.line(&HEADER))?;
    wanted.each(registry, |record| text.add(&columns.line(&wanted.row(&record).cells())))
}

/// Why a list was not written to its end.
enum Ended {
    /// Nobody reads it any more.
    Gone,
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Ended {
    fn from(e: E) -> Self {
        Self::Failed(e.into())
    }
}

/// Text on its way to standard output.
struct Text {
    out: Output,
    waiting: String,
}

impl Text {
    fn add(&mut self, text: &str) -> std::result::Result<(), Ended> {
        self.waiting.push_str(text);
        // It ends with a line, or with one but for its end.
        if self.waiting.len() < AT_ONCE || !text.ends_with('\n') { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> std::result::Result<(), Ended> {
        match self.out.offer(std::mem::take(&mut self.waiting).as_bytes())? {
            true => Ok(()),
            false => Err(Ended::Gone),
        }
    }
}
