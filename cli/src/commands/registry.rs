//! `registry`: what was issued, checked and taken out.

mod repair;

use std::io::{BufWriter, ErrorKind, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use c8y_pki::authority::{AuthorityError, Pki, TokenKeyStanding, TokenKeyState};
use c8y_pki::client_id::DeviceId;
use c8y_pki::crl;
use c8y_pki::files::{self, Access, Existing};
use c8y_pki::provision::inspect::{self, Keys};
use c8y_pki::registry::{Checked, Filter, Record, RegistryError, Scan};
use c8y_pki::shown;
use c8y_pki::{Error, registry};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clock;
use crate::commands::device::threads;
use crate::failure::{Failure, Outcome, Result};
use crate::outlet;
use crate::output::Output;
use crate::progress::{Phases, Steady};
use crate::render::{count, printable};
use crate::token::{module, pin};
use crate::values;

/// Commands about the registry.
#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// Check the registry: its file, audit log, rows, certificates, and devices' keys
    #[command(after_help = "\
Changes nothing, and reads from a read-only file system too. The audit log's last hash is shown:
keep it elsewhere, and a later check with --head tells whether rows were cut off at its end.
What is out in the world is compared with it: the last revocation lists, the folders and archives
of devices, the hand-over files that were made, and what is given with --against.
Devices that wait in the staging folder of a run, stopped or going on, are listed as unfinished:
they are no findings. Keys in tokens are looked for by their public half; with the PIN they sign.

Examples:
  c8y-pki registry check
  c8y-pki registry check --against lists/line-7.crl handover/manifest.csv
  c8y-pki registry check --head 5f3a… --json

Exit codes: 0 all is as it was written, also where a run is not finished; 1 something is not: each
finding is named.")]
    Check(CheckArgs),
    /// Take over what a registry from a backup has lost: revocations, certificates, numbers of lists
    Repair(repair::RepairArgs),
    /// Write what was issued, or the audit log, as CSV or JSON Lines
    #[command(after_help = "\
Examples:
  c8y-pki registry export --out certificates.csv
  c8y-pki registry export --what audit --format jsonl > audit.jsonl")]
    Export(ExportArgs),
    /// Write revocations as the CSV files that the platform takes
    #[command(after_help = "\
SERIALNO,DATE; at most 5000 rows a file, so there may be several: DIR/revocations-1.csv, …

Examples:
  c8y-pki registry revocations --out revocations
  c8y-pki registry revocations --ca line-7 --out revocations --json")]
    Revocations(RevocationsArgs),
}

/// Arguments of `registry check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// A hash that the audit log ended with before: it must still be in it
    #[arg(long, value_name = "HASH")]
    head: Option<String>,
    /// Compare with these too: revocation lists, manifest.csv (its .sig beside it), archives and folders
    /// of devices
    #[arg(long, value_name = "PATH", num_args = 1..)]
    against: Vec<PathBuf>,
    /// File with the PIN of the token with the CAs' keys, to see whether they are there
    /// [env: C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE")]
    ca_password_file: Option<PathBuf>,
    /// Number of worker threads; by default one per processor
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

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

/// Arguments of `registry revocations`.
#[derive(Debug, Args)]
pub(crate) struct RevocationsArgs {
    /// Of certificates that this CA has issued; by default of all
    #[arg(long, value_name = "NAME")]
    ca: Option<String>,
    /// The folder for the files
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn run(command: &RegistryCommand, pki: &Path, out: Output) -> Result {
    match command {
        RegistryCommand::Check(args) => check(args, pki, out),
        RegistryCommand::Repair(args) => repair::run(args, pki, out),
        RegistryCommand::Export(args) => export(args, pki, out),
        RegistryCommand::Revocations(args) => revocations(args, pki, out),
    }
}

#[derive(Default, Serialize)]
struct Report {
    good: bool,
    #[serde(flatten)]
    checked: Checked,
    keys: Keys,
    token_keys: Vec<TokenKeyState>,
    /// Whether the registry could only be read.
    read_only: bool,
    /// The log with its latest changes, if that could not be read.
    unread_log: Option<String>,
}

fn check(args: &CheckArgs, dir: &Path, out: Output) -> Result {
    let mut report = Report::default();
    let is_hash = |h: &String| h.len() == 64 && h.bytes().all(|b| b.is_ascii_hexdigit());
    if let Some(head) = args.head.as_ref().filter(|head| !is_hash(head)) {
        return Err(Failure::usage(
            format!("{head:?} is not a hash of the audit log: it has 64 hex digits"),
            "give the whole line that an earlier check has shown",
        ));
    }
    let phases = Phases::new(out);
    match Pki::open_to_read(dir, OffsetDateTime::now_utc()) {
        Ok(pki) => {
            report.read_only = pki.registry().is_read_only();
            report.unread_log = pki.registry().unread_log().map(|log| log.display().to_string());
            let (threads, steady) = (threads(args.threads), Steady::new(&phases));
            let progress = |done, total| steady.set("certificates", done, total);
            report.checked = pki.registry().check_with(&Scan { threads, progress: &progress })?;
            look_further(&pki, args, &steady, &mut report)?;
        }
        // A registry too damaged to be opened is an answer, not a failure.
        Err(
            e @ (AuthorityError::RegistryLost { .. }
            | AuthorityError::Registry(
                RegistryError::Damaged { .. } | RegistryError::NotARegistry(_),
            )),
        ) => report.checked.note("database", e.to_string()),
        Err(e) => return Err(e.into()),
    }
    phases.finish();
    report.good = report.checked.findings.is_empty();
    out.result(&report, report_text)?;
    Ok(Outcome::of(report.good))
}

/// What the registry cannot tell of itself: the kept hash, and the devices' keys.
fn look_further(
    pki: &Pki,
    args: &CheckArgs,
    steady: &Steady<'_>,
    report: &mut Report,
) -> Result<()> {
    let damage = |report: &mut Report, e: Error| match e {
        Error::Registry(RegistryError::Damaged { message, .. })
        | Error::Authority(AuthorityError::Registry(RegistryError::Damaged { message, .. }))
        | Error::Provision(c8y_pki::provision::ProvisionError::Registry(
            RegistryError::Damaged { message, .. },
        )) => {
            report.checked.note("database", message);
            Ok(())
        }
        e => Err(Failure::from(e)),
    };
    if let Some(head) = &args.head {
        match pki.registry().has_audit_hash(&head.to_lowercase()) {
            Ok(true) => {}
            Ok(false) => report.checked.note(
                "audit",
                format!("no row of the audit log has the hash {head}: its end was cut off"),
            ),
            Err(e) => damage(report, e.into())?,
        }
    }
    if let Err(e) = pki.check_cas(&mut report.checked) {
        damage(report, e.into())?;
    }
    let progress = |done, total| steady.set("files", done, total);
    let scan = Scan { threads: threads(args.threads), progress: &progress };
    if let Err(e) = repair::compare(pki, &args.against, &scan, &mut report.checked) {
        damage(report, *e)?;
    }
    let pin = pin(args.ca_password_file.as_ref(), "--ca-password-file", "the token").given()?;
    match pki.check_token_keys(module().as_deref(), pin.as_ref(), &mut report.checked) {
        Ok(keys) => report.token_keys = keys,
        Err(e) => damage(report, e.into())?,
    }
    let progress = |done, total| steady.set("keys", done, total);
    let scan = Scan { threads: threads(args.threads), progress: &progress };
    match inspect::check_keys_with(pki.registry(), &scan, &mut report.checked) {
        Ok(keys) => report.keys = keys,
        Err(e) => damage(report, e.into())?,
    }
    Ok(())
}

fn report_text(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.checked.findings {
        text.push_str(&format!("{}: {}\n", finding.kind, printable(&finding.message)));
    }
    let (checked, keys) = (&report.checked, &report.keys);
    if checked.more_findings > 0 {
        text.push_str(&format!("… and {} more findings\n", checked.more_findings));
    }
    for unfinished in &checked.unfinished {
        text.push_str(&format!("unfinished: {}\n", unfinished.message));
    }
    for path in &checked.leftovers {
        text.push_str(&format!("left over from a killed command: {path}\n"));
    }
    if let Some(log) = &report.unread_log {
        text.push_str(&format!(
            "not looked at: {log}, with the latest changes of the registry: it cannot be read\n"
        ));
    }
    for key in report.token_keys.iter().filter(|k| k.state == TokenKeyStanding::NotLookedAt) {
        let reason = key.reason.as_deref().unwrap_or_default();
        text.push_str(&format!("not looked at: the key of the CA {}: {reason}\n", key.ca));
    }
    text.push_str(&format!(
        "{} certificates, {} audit rows, {} keys that fit",
        checked.certificates, checked.audit_rows, keys.good
    ));
    if keys.sealed > 0 {
        text.push_str(&format!(", {} encrypted and not looked into", keys.sealed));
    }
    if keys.with_device > 0 {
        text.push_str(&format!(", {} kept by devices", keys.with_device));
    }
    if keys.waiting > 0 {
        text.push_str(&format!(", {} waiting for their place", keys.waiting));
    }
    let found = checked.findings.len();
    let verdict = match found + usize::try_from(checked.more_findings).unwrap_or(0) {
        0 => "all is as it was written".to_owned(),
        n => count(n, "finding"),
    };
    text.push_str(&format!(": {verdict}\n"));
    if !checked.head.is_empty() {
        text.push_str(&format!("the audit log ends with {}\n", checked.head));
    }
    text
}

fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}

#[derive(Serialize)]
struct Exported {
    ca: String,
    role: &'static str,
    id: Option<DeviceId>,
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

impl Exported {
    fn of(record: &Record) -> Result<Self> {
        let cert = record.certificate()?;
        Ok(Self {
            ca: record.ca.clone(),
            role: record.holder.role().name(),
            id: record.holder.device().cloned(),
            serial: record.serial.to_string(),
            status: record.status.name(),
            subject: cert.subject.to_string(),
            issuer: cert.issuer.to_string(),
            not_before: rfc3339(record.not_before),
            not_after: rfc3339(record.not_after),
            revoked_at: record.revoked.map(|(at, _)| rfc3339(at)),
            reason: record.revoked.map(|(_, reason)| reason.name()),
            recorded: rfc3339(record.recorded),
            batch: record.batch.clone(),
            fingerprint_sha256: cert.fingerprint_sha256(),
            public_key_sha256: c8y_pki::crypto::hex(&c8y_pki::crypto::sha256(&cert.spki)),
            folder: record.location.as_ref().map(|path| path.display().to_string()),
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
            action: row.action,
            detail: row.detail.to_string(),
            hash: row.hash,
        }
    }
}

fn export(args: &ExportArgs, dir: &Path, out: Output) -> Result {
    let pki = clock::open_to_read(dir, out)?;
    let by_default = if out.is_json() { Format::Jsonl } else { Format::Csv };
    let format = args.format.unwrap_or(by_default);
    let Some(path) = args.out.as_ref().filter(|path| !outlet::is_stdout(path)) else {
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
            pki.registry().each(&Filter::default(), |record| -> Result<()> {
                sheet.add(&Exported::of(&record)?)
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
                add_cells(csv, row, self.rows == 1).map_err(|e| match e.into_kind() {
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

/// Writes a row, the first with a header, in which nothing is hidden and no cell is a formula.
fn add_cells<T: Serialize>(
    csv: &mut csv::Writer<impl Write>,
    row: &T,
    header: bool,
) -> csv::Result<()> {
    let mut plain = csv::WriterBuilder::new().has_headers(header).from_writer(Vec::new());
    plain.serialize(row)?;
    let plain = plain.into_inner().map_err(|e| e.into_error())?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(plain.as_slice());
    for record in reader.records() {
        let record = record?;
        let cells = record.iter().map(|text| shown::cell(&shown::one_line(text)).into_owned());
        csv.write_record(cells)?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Written {
    revocations: usize,
    files: Vec<String>,
}

/// Revocations that a repair has taken over from lists, of certificates that the registry does not have.
fn known_from_lists(pki: &Pki, ca: Option<&str>) -> Result<Vec<crl::Revoked>> {
    let (mut subjects, mut revoked) = (Vec::new(), Vec::new());
    for one in pki.cas()?.into_iter().filter(|one| ca.is_none_or(|name| one.name == name)) {
        let subject = one.certificate().subject.clone();
        // CAs of one name share their lists.
        if !subjects.contains(&subject) {
            revoked.extend(pki.registry().unknown_revoked(&subject)?);
            subjects.push(subject);
        }
    }
    Ok(revoked)
}

fn revocations(args: &RevocationsArgs, dir: &Path, out: Output) -> Result {
    let pki = clock::open_to_read(dir, out)?;
    if let Some(name) = &args.ca {
        pki.ca(name)?;
    }
    let filter = Filter {
        ca: args.ca.as_deref(),
        status: Some(registry::Status::Revoked),
        ..Filter::default()
    };
    let mut revoked: Vec<crl::Revoked> =
        pki.registry().find(&filter)?.iter().filter_map(Record::revocation).collect();
    revoked.extend(known_from_lists(&pki, args.ca.as_deref())?);
    outlet::check_folder(&args.out)?;
    files::create_private_dir(&args.out)?;
    let now = OffsetDateTime::now_utc();
    let mut written = Written { revocations: revoked.len(), files: Vec::new() };
    for (index, text) in crl::platform_csv(&revoked, Some(now)).iter().enumerate() {
        let path = args.out.join(format!("revocations-{}.csv", index + 1));
        files::write(&path, text.as_bytes(), Access::Public, Existing::Replace)?;
        written.files.push(path.display().to_string());
    }
    // What a former, longer run has left is in the first files now.
    for number in written.files.len() + 1.. {
        let path = args.out.join(format!("revocations-{number}.csv"));
        let is_file = std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
        if !is_file || std::fs::remove_file(path).is_err() {
            break;
        }
    }
    out.result(&written, |w| {
        let lines: String = w.files.iter().map(|file| format!("  {file}\n")).collect();
        format!("{}\n{lines}", count(w.revocations, "revocation"))
    })?;
    Ok(Outcome::Done)
}
