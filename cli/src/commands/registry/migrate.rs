//! `registry migrate`: the registry goes from its file to a PostgreSQL database, or back.

use std::path::Path;

use c8y_pki_core::failure::Kind;
use c8y_pki_engine::registry::{Finding, Transferred};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use crate::clock;
use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render::{as_line, count};

/// Arguments of `registry migrate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Everything is copied in one transaction: certificates, the audit log with its hashes, orders, and
numbers of lists. The copy is then checked as by `registry check`. If nothing is found, pki.toml
names the new place, and both audit logs say so. The former registry stays as it is, and is not
written to any more. If something is found, the registry stays where it is.

Other commands and services may run meanwhile. What they record waits until the registry is at its
new place. Then they end with an error that names it: start them again. A run over a list makes the
rest. If other PKI directories use the same database, write the new place into their pki.toml too.

The password for the database comes from the variable PGPASSWORD or from the password file
(~/.pgpass, mode 0600), as for psql. Over a network the server's certificate is checked, unless the
address says otherwise with sslmode.

Examples:
  c8y-pki registry migrate --to postgresql://pki@db.example.com/pki
  c8y-pki registry migrate --to \"postgresql:///pki?host=/var/run/postgresql\"
  c8y-pki registry migrate --to registry-2.sqlite

Exit codes: 0 the registry is there; 1 the check has findings, and the registry stays where it is;
2 there is a registry at the new place already; 3 the database cannot be reached, or another process
has been changing the registry for more than 60 seconds.")]
pub(crate) struct MigrateArgs {
    /// Where the registry is to be: the address of a PostgreSQL database, or the name of a new file in the PKI
    /// directory
    #[arg(long, value_name = "ADDRESS|NAME")]
    to: String,
}

#[derive(Serialize)]
struct Report<'a> {
    from: String,
    to: String,
    done: bool,
    #[serde(flatten)]
    copied: &'a Transferred,
    findings: &'a [Finding],
}

pub(super) fn run(args: &MigrateArgs, dir: &Path, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    let mut pki = clock::open(dir, now)?;
    let moved = pki.move_registry(&args.to, now)?;
    let report = Report {
        from: moved.from.display().to_string(),
        to: moved.to.display().to_string(),
        done: moved.checked.findings.is_empty(),
        copied: &moved.copied,
        findings: &moved.checked.findings,
    };
    out.result(&report, |report| match report.done {
        true => as_line(&format!(
            "The registry is in {} now: {}, {}, {}. The former one, {}, is not used any more.",
            report.to,
            number(report.copied.certificates, "certificate"),
            number(report.copied.audit_rows.unsigned_abs(), "audit row"),
            number(report.copied.orders, "order"),
            report.from,
        )),
        false => {
            let mut lines = as_line(&format!(
                "The registry stays in {}: the check of its copy in {} has findings.",
                report.from, report.to
            ));
            for finding in report.findings {
                lines.push_str(&as_line(&format!("{}: {}", finding.kind, finding.message)));
            }
            lines
        }
    })?;
    Ok(if report.done { Outcome::Done } else { Outcome::Failed(Kind::No) })
}

fn number(number: u64, what: &str) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), what)
}
