//! `registry export`: what was issued, or the audit log, as CSV or JSON Lines.

use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use c8y_pki_core::clock::rfc3339;
use c8y_pki_core::shown;
use c8y_pki_engine::files::{self, Access, Existing};
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::registry::{self, Filter, Holder, Record};
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::failure::{Failure, Outcome, Result};
use crate::output::{Output, is_stdout};
use crate::render::count;
use crate::{clock, values};

/// What to export.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// Every certificate, in the order in which they were recorded
    Certificates,
    /// The audit log
    Audit,
}

/// In which form.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Comma-separated values with a header
    Csv,
    /// A JSON object a line
    Jsonl,
}

/// Arguments of `registry export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// What to export
    #[arg(long, value_enum, default_value = "certificates")]
    what: What,
    /// The form; by default CSV, with --json JSON Lines
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write it here; - for standard output, as by default
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Exported {
    ca: String,
    role: &'static str,
    /// The device's identifier, or the server's name.
    id: Option<String>,
    serial: String,
    status: &'static str,
    subject: String,
    issuer: String,
    not_before: String,
    not_after: String,
    revoked_at: Option<String>,
    reason: Option<&'static str>,
    recorded: String,
    batch: String,
    fingerprint_sha256: String,
    public_key_sha256: String,
    folder: Option<String>,
}

/// A text from outside as the form wants it: in a cell nothing is hidden, and none is a formula.
fn cell(text: &str) -> String {
    shown::cell(&shown::one_line(text)).into_owned()
}

impl Exported {
    fn of(record: &Record, text: fn(&str) -> String) -> Result<Self> {
        let cert = record.certificate()?;
        Ok(Self {
            ca: text(&record.ca),
            role: record.holder.role().name(),
            id: match &record.holder {
                Holder::Device(id) => Some(text(id.as_str())),
                Holder::Server(name) => Some(text(name.as_str())),
                _ => None,
            },
            serial: record.serial.to_string(),
            status: record.status.name(),
            subject: text(&cert.subject.to_string()),
            issuer: text(&cert.issuer.to_string()),
            not_before: rfc3339(record.not_before),
            not_after: rfc3339(record.not_after),
            revoked_at: record.revoked.map(|(at, _)| rfc3339(at)),
            reason: record.revoked.map(|(_, reason)| reason.name()),
            recorded: rfc3339(record.recorded),
            batch: text(&record.batch),
            fingerprint_sha256: cert.fingerprint_sha256(),
            public_key_sha256: c8y_pki_core::crypto::hex(&c8y_pki_core::crypto::sha256(&cert.spki)),
            folder: record.location.as_ref().map(|path| text(&path.display().to_string())),
        })
    }
}

#[derive(Serialize)]
struct AuditLine {
    sequence: i64,
    at: String,
    action: String,
    detail: String,
    hash: String,
}

impl AuditLine {
    fn of(row: registry::AuditRow) -> Self {
        Self {
            sequence: row.sequence,
            at: rfc3339(row.at),
            action: cell(&row.action),
            detail: cell(&row.detail.to_string()),
            hash: row.hash,
        }
    }
}

pub(super) fn run(args: &ExportArgs, dir: &Path, out: Output) -> Result {
    let pki = clock::open_to_read(dir, out)?;
    let by_default = if out.is_json() { Format::Jsonl } else { Format::Csv };
    let format = args.format.unwrap_or(by_default);
    let Some(path) = args.out.as_ref().filter(|path| !is_stdout(path)) else {
        let to = BufWriter::new(std::io::stdout().lock());
        return match export_to(&pki, args.what, format, to) {
            // A reader that has seen enough.
            Err(Failure::Output(e)) if e.kind() == ErrorKind::BrokenPipe => Ok(Outcome::Done),
            other => other.map(|_| Outcome::Done),
        };
    };
    let mut rows = 0;
    files::write_with(path, Access::Public, Existing::Replace, |file| -> Result<()> {
        rows = export_to(&pki, args.what, format, BufWriter::new(file))
            .map_err(|e| values::at_file(e, path))?;
        Ok(())
    })?;
    out.note(&format!("{} written to {}", count(rows, "row"), path.display()));
    Ok(Outcome::Done)
}

/// Writes row by row; returns how many.
fn export_to(pki: &Pki, what: What, format: Format, to: impl Write) -> Result<usize> {
    let mut sheet = Sheet { rows: 0, form: Form::of(format, to) };
    match what {
        What::Certificates => {
            let text = match format {
                Format::Csv => cell,
                Format::Jsonl => str::to_owned,
            };
            pki.registry().each(&Filter::default(), |record| -> Result<()> {
                sheet.add(&Exported::of(&record, text)?)
            })?;
        }
        What::Audit => {
            pki.registry().each_audit(1, |row| match sheet.form {
                // The detail is JSON: a cell of a CSV, an object in JSON.
                Form::Csv(_) => sheet.add(&AuditLine::of(row)),
                Form::Jsonl(_) => sheet.add(&row),
            })?;
        }
    }
    sheet.finish()
}

enum Form<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Jsonl(W),
}

impl<W: Write> Form<W> {
    fn of(format: Format, to: W) -> Self {
        match format {
            Format::Csv => Self::Csv(Box::new(csv::Writer::from_writer(to))),
            Format::Jsonl => Self::Jsonl(to),
        }
    }
}

/// Rows on their way out.
struct Sheet<W: Write> {
    rows: usize,
    form: Form<W>,
}

impl<W: Write> Sheet<W> {
    fn add<T: Serialize>(&mut self, row: &T) -> Result<()> {
        self.rows += 1;
        match &mut self.form {
            Form::Csv(csv) => {
                csv.serialize(row).map_err(|e| match e.into_kind() {
                    csv::ErrorKind::Io(e) => Failure::Output(e),
                    // What is written has columns of its own making: nothing else can fail.
                    _ => Failure::Output(std::io::Error::other("a row cannot be written as CSV")),
                })
            }
            Form::Jsonl(to) => {
                let line = serde_json::to_string(row).map_err(|e| Failure::Output(e.into()))?;
                writeln!(to, "{}", shown::json(&line)).map_err(Failure::Output)
            }
        }
    }

    fn finish(mut self) -> Result<usize> {
        let flushed = match &mut self.form {
            Form::Csv(csv) => csv.flush(),
            Form::Jsonl(to) => to.flush(),
        };
        flushed.map(|()| self.rows).map_err(Failure::Output)
    }
}
