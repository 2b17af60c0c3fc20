//! `registration upload`: a CSV of devices to the tenant, piece by piece, each row's result kept.

use std::path::{Path, PathBuf};
use std::time::Instant;

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_engine::files;
use c8y_pki_engine::list::{BadRow, new_ids::Remarks};
use c8y_pki_engine::platform::register::results::Results;
use c8y_pki_engine::platform::register::{
    self, CHUNK, Outcome as RowOutcome, Pace, RowResult, Sheet,
};
use c8y_pki_engine::provision::Progress;
use c8y_pki_engine::registration::{Finding, Level, Report};
use clap::Args;
use serde::Serialize;

use crate::failure::{Failure, Outcome, Result};
use crate::old_ids;
use crate::outlet;
use crate::output::Output;
use crate::progress::Line;
use crate::render::{count, printable};
use crate::stop;
use crate::tenant::{TenantArgs, show_requests};

/// Arguments of `registration upload`.
#[derive(Debug, Args)]
pub(crate) struct UploadArgs {
    /// The CSV, from `registration create` or made elsewhere
    file: PathBuf,
    /// Where each row's result goes; by default FILE with .result.csv in place of .csv. A row that it
    /// calls done is not sent again
    #[arg(long, value_name = "FILE")]
    result: Option<PathBuf>,
    /// Rows in a request
    #[arg(long, value_name = "N", default_value_t = CHUNK as u32, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    chunk: u32,
    /// Most rows a second, on average
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Print the requests, send nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    tenant: TenantArgs,
}

/// What became of the rows of the file.
#[derive(Serialize)]
struct Summary {
    file: String,
    result: String,
    tenant: String,
    rows: usize,
    /// Sent this time.
    sent: usize,
    /// Not sent yet.
    left: usize,
    created: usize,
    updated: usize,
    failed: usize,
    /// Of the failed ones, those whose request is blocked.
    blocked: usize,
    seconds: f64,
    /// Whether it was interrupted before the last row.
    stopped: bool,
}

pub(super) fn run(args: &UploadArgs, out: Output) -> Result {
    if let Some(path) = &args.result {
        outlet::check_file(path, "--result", "the next upload reads from it what was done")?;
    }
    let sheet = read(&args.file, out)?;
    let mut old = Remarks::default();
    sheet
        .rows
        .iter()
        .filter_map(|row| DeviceId::parse(&row.id).ok())
        .for_each(|id| old.look_at(&id));
    old_ids::warn(&old, out);
    let path = args.result.clone().unwrap_or_else(|| args.file.with_extension("result.csv"));
    if path == args.file {
        return Err(Failure::usage(
            "the result file is the list itself",
            "name another file with --result",
        ));
    }
    let chunk = usize::try_from(args.chunk).unwrap_or(CHUNK);
    if args.dry_run {
        let place = args.tenant.known_place()?;
        if path.exists() && place.is_none() {
            out.note(
                "Without --host and --tenant it is not known which rows are done: all are shown.",
            );
        }
        let results = Results::read(&path, &place.unwrap_or_default())?;
        let requests: Vec<_> = results
            .due(&sheet)
            .chunks(chunk)
            .map(|rows| register::request(&name(&args.file), &sheet, rows))
            .collect();
        if requests.is_empty() {
            out.note("Every row is done: there is nothing to send.");
        }
        return show_requests(&requests, out);
    }
    let stop = stop::on_interrupt();
    let client = args.tenant.connect(out)?.stop_when(stop.clone());
    let tenant = client.wait(client.tenant())?;
    let mut results = Results::open(&path, &client.wait(client.place())?)?;
    let pace = Pace { chunk, per_second: args.rate };
    let (line, start) = (Line::new(out), Instant::now());
    let told = |done, total| line.set(Progress::of(done, total));
    let name = name(&args.file);
    let done =
        client.wait(register::upload(&client, &name, &sheet, &mut results, pace, &stop, &told));
    line.finish();
    let done = done?;
    let summary = Summary {
        file: args.file.display().to_string(),
        result: path.display().to_string(),
        tenant: tenant.to_owned(),
        rows: sheet.rows.len(),
        sent: done.sent,
        left: done.left,
        created: done.count(RowOutcome::Created),
        updated: done.count(RowOutcome::Updated),
        failed: done.failed(),
        blocked: done.count(RowOutcome::Blocked),
        seconds: (start.elapsed().as_secs_f64() * 10.0).round() / 10.0,
        stopped: done.left > 0 && done.failure.is_none(),
    };
    let outcome = report(&summary, &done.rows, &args.file, out)?;
    match done.failure {
        Some(failure) => Err(failure.into()),
        None => Ok(outcome),
    }
}

/// Takes the file apart; a file that the platform would refuse is not sent.
fn read(path: &Path, out: Output) -> Result<Sheet> {
    let file = path.display().to_string();
    let bytes = files::read(path)?;
    Sheet::read(&file, &bytes).map_err(|report| {
        out.faults(&faults(&report));
        let wrong = report.findings.iter().filter(|f| f.level == Level::Error).count();
        Failure::usage(
            format!(
                "the platform would not take {file}: {}; nothing was sent",
                count(wrong, "fault")
            ),
            "correct the lines; `c8y-pki registration check` shows warnings too",
        )
    })
}

fn faults(report: &Report) -> Vec<BadRow> {
    let fault = |finding: &Finding| BadRow {
        id: String::new(),
        line: Some(finding.line),
        message: format!("{} line {}: {}", report.file, finding.line, finding.message),
        hint: finding.hint.clone(),
    };
    report.findings.iter().filter(|f| f.level == Level::Error).map(fault).collect()
}

/// The file's name, for the platform's log.
fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| "devices.csv".to_owned(), |n| n.to_string_lossy().into_owned())
}

fn report(summary: &Summary, all: &[RowResult], file: &Path, out: Output) -> Result {
    let failed: Vec<BadRow> = all
        .iter()
        .filter(|r| !r.outcome.is_done())
        .map(|r| BadRow {
            id: r.id.clone(),
            line: Some(r.line),
            message: format!(
                "device {:?} ({} line {}): {}",
                r.id,
                file.display(),
                r.line,
                r.reason
            ),
            hint: (r.outcome == RowOutcome::Blocked).then(|| register::unblock(&r.id)),
        })
        .collect();
    out.faults(&failed);
    out.result(summary, text)?;
    if summary.stopped {
        out.warning("interrupted");
        return Ok(Outcome::Stopped);
    }
    Ok(Outcome::of(summary.failed == 0))
}

fn text(s: &Summary) -> String {
    // Blocked rows may have been held back now.
    let before = match (s.rows - s.left).saturating_sub(s.sent + s.blocked) {
        0 => String::new(),
        n => format!(", {n} of them sent before"),
    };
    let left = match s.left {
        0 => String::new(),
        n => format!("\n{n} not sent yet: run the same command again"),
    };
    format!(
        "{} at tenant {}: {} created, {} updated, {} failed{before}{left}\nresult of each: {}\n",
        count(s.rows, "device"),
        printable(&s.tenant),
        s.created,
        s.updated,
        s.failed,
        printable(&s.result)
    )
}
