//! `registration check`: a CSV of devices, no matter who made it; and, if that is asked for, what the tenant says of them.

use std::path::PathBuf;

use c8y_pki_core::shown::count;
use c8y_pki_engine::files;
use c8y_pki_engine::platform::register::{self, Sheet};
use c8y_pki_engine::registration::{self, Finding, Level, Report};
use clap::Args;

use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render::as_line;
use crate::tenant::TenantArgs;

/// Arguments of `registration check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The CSV
    file: PathBuf,
    /// The devices exist: an id that the platform refuses in new devices is a warning
    #[arg(long)]
    existing: bool,
    /// Ask the tenant too whether devices with a one-time password are blocked there, after too many attempts
    /// with a wrong one. It needs ROLE_DEVICE_CONTROL_READ
    #[arg(long)]
    ask_tenant: bool,
    #[command(flatten)]
    tenant: TenantArgs,
}

pub(super) fn run(args: &CheckArgs, out: Output) -> Result {
    let bytes = files::read(&args.file)?;
    let file = args.file.display().to_string();
    let mut report = match args.existing {
        true => registration::check_existing(&file, &bytes),
        false => registration::check(&file, &bytes),
    };
    if args.ask_tenant {
        match Sheet::read(&file, &bytes) {
            Ok(sheet) => ask(args, &sheet, &mut report, out)?,
            Err(_) => out.note("The tenant was not asked: correct the file first."),
        }
    }
    out.result(&report, report_text)?;
    Ok(Outcome::of(report.is_good()))
}

/// Adds what the tenant says.
fn ask(args: &CheckArgs, sheet: &Sheet, report: &mut Report, out: Output) -> Result<()> {
    let client = args.tenant.connect(out)?;
    let blocked = client.wait(register::blocked_rows(&client, sheet))?;
    report.findings.extend(blocked.into_iter().map(|row| Finding {
        level: Level::Error,
        line: row.line,
        message: format!("device {:?}: {}", row.id, register::BLOCKED),
        hint: Some(register::unblock(&row.id)),
    }));
    report.findings.sort_by_key(|finding| finding.line);
    Ok(())
}

fn report_text(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let level = if finding.level == Level::Error { "error" } else { "warning" };
        let finding_row =
            format!("{level}: {} line {}: {}", report.file, finding.line, finding.message);
        text.push_str(&as_line(&finding_row));
        if let Some(hint) = &finding.hint {
            text.push_str(&as_line(&format!("hint: {hint}")));
        }
    }
    let verdict = if report.is_good() { "good" } else { "the platform would refuse it" };
    text.push_str(&as_line(&format!(
        "{}: {}, {}, separator {}: {verdict}",
        report.file,
        count(report.rows, "row"),
        count(report.columns.len(), "column"),
        report.separator
    )));
    text
}
