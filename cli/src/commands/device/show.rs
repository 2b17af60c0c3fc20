//! `device show`: all that is known of a device.

use std::path::Path;

use c8y_pki_engine::inspect::{CertificateView, Item};
use c8y_pki_engine::registry::{Holder, Record, Registry, RegistryError};
use clap::Args;
use serde::Serialize;

use super::list::Row;
use crate::clock;
use crate::commands::listed;
use crate::failure::{Outcome, Result};
use crate::old_ids;
use crate::output::Output;
use crate::render::{date, items, printable};

/// Arguments of `device show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  c8y-pki device show gw-0001
  c8y-pki device show 4a1f0c… --json")]
pub(crate) struct ShowArgs {
    /// A device identifier, or a certificate's serial number in hex
    #[arg(value_name = "ID|SERIAL")]
    device: String,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    row: Row,
    details: std::collections::BTreeMap<String, String>,
    certificate: CertificateView,
}

pub(super) fn run(args: &ShowArgs, dir: &Path, out: Output) -> Result {
    let pki = clock::open_to_read(dir, out)?;
    let mut shown = Vec::new();
    let found = find(pki.registry(), &args.device)?;
    if let Some(id) = found.first().and_then(|record| record.holder.device()) {
        old_ids::warn_of(id, out);
    }
    let revoked = pki.revoked_cas()?;
    for record in found {
        let certificate = CertificateView::of(&record.certificate()?);
        shown.push((
            Shown { row: Row::of(&record, &revoked), details: record.details.clone(), certificate },
            record,
        ));
    }
    if out.is_json() || out.is_csv() {
        let all: Vec<&Shown> = shown.iter().map(|(shown, _)| shown).collect();
        out.results(&all, |_| String::new())?;
        return Ok(Outcome::Done);
    }
    let texts: Vec<String> = shown
        .into_iter()
        .map(|(shown, record)| {
            let mut lines = vec![
                ("status", listed::state(record.status, None, revoked.contains(&record.ca))),
                ("CA", record.ca),
                ("recorded", format!("{}, batch {}", date(record.recorded), record.batch)),
            ];
            if let Some((at, reason)) = record.revoked {
                lines.push(("revoked", format!("{}, {}", date(at), reason.name())));
            }
            if let Some(folder) = record.location {
                let key = match (record.has_key, record.holder.server()) {
                    (true, _) => "",
                    (false, None) => " (the device keeps its key)",
                    (false, Some(_)) => " (the server keeps its key)",
                };
                lines.push(("files", format!("{}{key}", folder.display())));
            }
            let details = record.details.iter().map(|(k, v)| (k.as_str(), v.clone()));
            let all: String = lines
                .into_iter()
                .chain(details)
                .map(|(label, value)| format!("  {:<14}{}\n", printable(label), printable(&value)))
                .collect();
            let holder = match &record.holder {
                Holder::Device(id) => format!("Device {id}"),
                Holder::Server(name) => format!("Server {name}"),
                _ => "CA".to_owned(),
            };
            let certificate = items(&[Item::Certificate(Box::new(shown.certificate))]);
            format!("{holder}\n{all}{certificate}")
        })
        .collect();
    out.text(&texts.join("\n"))?;
    Ok(Outcome::Done)
}

/// The certificates that a word on the command line means: those of a device, or the one with that
/// serial number.
fn find(registry: &Registry, word: &str) -> Result<Vec<Record>> {
    let mut records = registry.history(word)?;
    if records.is_empty()
        && let Ok(serial) = word.parse()
    {
        let filter =
            c8y_pki_engine::registry::Filter { serial: Some(&serial), ..Default::default() };
        records = registry.find(&filter)?;
    }
    if records.is_empty() {
        let what = format!("of a device or with a serial number {word:?}");
        return Err(RegistryError::Unknown { what }.into());
    }
    Ok(records)
}
