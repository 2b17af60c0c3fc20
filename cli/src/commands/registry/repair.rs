//! `registry repair`: what a registry from a backup has lost is taken over from lists and directories.

use std::path::{Path, PathBuf};

use c8y_pki_engine::Error;
use c8y_pki_engine::pki::{AuthorityError, Pki};
use c8y_pki_engine::registry::{Checked, Scan};
use c8y_pki_engine::rollback::{self, Repaired, RollbackError};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use crate::clock;
use crate::confirm::{ask, can_ask};
use crate::failure::{Failure, Outcome, Result};
use crate::output::Output;
use crate::render::{count, printable};

/// How many lines of a plan are shown to people; JSON has all.
const MOST_SHOWN: usize = 50;

/// Arguments of `registry repair`.
#[derive(Debug, Args)]
#[command(after_help = "\
A registry that was restored from a backup does not know what happened since. This command compares
it with the last revocation lists, with the directories and archives of its devices, with the
hand-over files, and with what you give with --against. It records revocations from lists, with
their dates and reasons, even if the certificate is not found. It records certificates from
directories and archives. Numbers of lists continue after the highest. If a last list is lost and
you give it, it is restored. The audit log records all of it. Certificates that only a hand-over
file names cannot be recorded: they are reported.

Examples:
  c8y-pki registry repair --plan
  c8y-pki registry repair --against lists/line-7.crl handover/manifest.csv
  c8y-pki registry repair --yes --json

Exit codes: 0 nothing is missing any more, or it is a plan; 1 something cannot be recorded: it is
named; 2 a path of --against cannot be used.")]
pub(crate) struct RepairArgs {
    /// Also compare with these: revocation lists, manifest.csv (with its .sig in the same directory), archives and
    /// directories of devices
    #[arg(long, value_name = "PATH", num_args = 1..)]
    against: Vec<PathBuf>,
    /// Show what would be done, and do nothing
    #[arg(long)]
    plan: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "plan")]
    yes: bool,
}

#[derive(Serialize)]
struct Report {
    differences: Vec<String>,
    plan: Vec<String>,
    done: bool,
    #[serde(flatten)]
    repaired: Repaired,
}

/// Compares what is out in the world with the registry, and the times of both: for `registry check`.
pub(super) fn compare(
    pki: &Pki,
    against: &[PathBuf],
    scan: &Scan<'_>,
    checked: &mut Checked,
) -> std::result::Result<(), Box<Error>> {
    let boxed = |e: Error| Box::new(e);
    pki.registry().check_unknown(checked).map_err(|e| boxed(e.into()))?;
    pki.check_times(OffsetDateTime::now_utc(), checked).map_err(|e| boxed(e.into()))?;
    match rollback::compare_with(pki, against, scan) {
        Ok(comparison) => comparison.note(checked),
        Err(RollbackError::Registry(e) | RollbackError::Authority(AuthorityError::Registry(e))) => {
            return Err(boxed(e.into()));
        }
        Err(e) => return Err(boxed(e.into())),
    }
    Ok(())
}

pub(super) fn run(args: &RepairArgs, dir: &Path, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    let (mut pki, unknown) = Pki::open_to_repair(dir, now)?;
    if !args.plan {
        clock::hold(&mut pki, now, None)?;
    }
    let comparison = rollback::compare(&pki, &args.against)?;
    let mut report = Report {
        differences: comparison.sentences(),
        plan: comparison.plan(),
        done: false,
        repaired: Repaired {
            told: comparison.told.len(),
            unsettled: comparison.unsettled(),
            ..Repaired::default()
        },
    };
    for ca in &unknown {
        let (name, serial) = (&ca.name, &ca.certificate().serial);
        report.differences.insert(0, format!("the certificate {serial} of the CA {name}"));
        report.plan.insert(0, format!("record the certificate {serial} of the CA {name}"));
    }
    if args.plan {
        out.result(&report, plan_text)?;
        return Ok(Outcome::Done);
    }
    if !report.plan.is_empty() {
        if !args.yes && !confirm(&report)? {
            out.note("Nothing was changed.");
            return Ok(Outcome::NO);
        }
        for ca in &unknown {
            pki.record_unknown(ca, now)?;
        }
        report.repaired = comparison.repair(&mut pki, now)?;
        report.done = true;
    }
    out.result(&report, done_text)?;
    Ok(Outcome::of(comparison.unsettled() == 0))
}

fn lines(title: &str, all: &[String]) -> String {
    let mut text = format!("{title}\n");
    for line in all.iter().take(MOST_SHOWN) {
        text.push_str(&format!("  {}\n", printable(line)));
    }
    if all.len() > MOST_SHOWN {
        text.push_str(&format!("  … and {} more; --json has all\n", all.len() - MOST_SHOWN));
    }
    text
}

fn plan_text(report: &Report) -> String {
    if report.differences.is_empty() {
        return "The registry knows all that it was compared with.\n".to_owned();
    }
    let mut text = lines("The registry does not know:", &report.differences);
    if !report.plan.is_empty() {
        text.push_str(&lines("A repair would:", &report.plan));
    }
    text
}

fn done_text(report: &Report) -> String {
    if report.differences.is_empty() {
        return plan_text(report);
    }
    let done = &report.repaired;
    let mut text = String::new();
    if report.done {
        let unknown = match done.unknown_revocations {
            0 => String::new(),
            n => format!(", {} of certificates that were not found", count(n, "revocation")),
        };
        text = format!(
            "recorded: {}, {}{unknown}\n",
            count(done.certificates, "certificate"),
            count(done.revocations, "revocation"),
        );
    }
    if done.unsettled > done.told {
        text.push_str("Some of these cannot be recorded:\n");
        text.push_str(&lines("The registry did not know:", &report.differences));
    }
    if done.told > 0 {
        let told = count(done.told, "row");
        text.push_str(&format!(
            "{told} of hand-over files cannot be recorded: look for these certificates and give them with \
             --against, or revoke those that the registry knows (`c8y-pki device revoke`)\n"
        ));
    }
    text
}

fn confirm(report: &Report) -> Result<bool> {
    if !can_ask() {
        return Err(Failure::usage(
            "a repair of the registry has to be confirmed, and there is no terminal to ask",
            "see what it would do with --plan, then give --yes",
        ));
    }
    ask(&plan_text(report), "Repair the registry?")
}
