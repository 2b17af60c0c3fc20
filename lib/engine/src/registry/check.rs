//! `registry check`: is everything as it was written, and does it all fit together?
//!
//! Found and named: a file that SQLite finds damaged; an audit row that was changed or removed; a
//! certificate's row that was changed, removed or added; a state (live, superseded, revoked) that
//! the audit log does not account for, and so with CRL numbers; a certificate that does not parse, or that no recorded CA has
//! signed; a key that several holders have live certificates for; an order, a row of it or a step that was changed. Not found: an end of the audit log that was cut off together with the rows that it is
//! about, unless its last hash ([`Checked::head`]) was kept elsewhere.
//!
//! All of it is of one moment, whatever other processes record meanwhile. The audit log is read first
//! (`audit_log`); then one thread reads the certificates' rows, the others hold each to it and verify its
//! signature (`rows`, `signers`). What is kept for each row is 32 bytes, and for each one that the log
//! names as superseded or revoked about as many again.

mod audit_log;
mod rows;
mod shared;
mod signers;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use self::audit_log::AuditLog;
use self::signers::Signers;
use super::{Filter, Registry, RegistryError, Result, Role};
use crate::cert::Certificate;

/// How many findings are kept; the others are only counted.
const MOST_FINDINGS: usize = 10_000;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The kind of fault; it does not change between versions: `database`, `audit`, `row`, `state`,
    /// `certificate`, `ca`, `key`, `order`.
    pub kind: &'static str,
    /// A sentence that names the row, the device or the certificate.
    pub message: String,
}

/// Work that is going on, or that a stopped run has left to be finished: no fault.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Unfinished {
    /// What it is; it does not change between versions: `devices`, `archive`, `ca`.
    pub kind: &'static str,
    /// The directory or file.
    pub path: String,
    /// How many recorded devices wait there for their place.
    pub devices: u64,
    /// Whether a process is at work on it.
    pub running: bool,
    /// A sentence that says what to do.
    pub message: String,
}

/// What a check has looked at, and what it found.
#[derive(Debug, Default, serde::Serialize)]
pub struct Checked {
    /// Rows of the audit log.
    pub audit_rows: u64,
    /// Certificates.
    pub certificates: u64,
    /// The audit log's last hash: anyone who keeps it elsewhere can tell that nothing was cut off.
    pub head: String,
    /// Everything that is not as it should be: the first 10,000.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub more_findings: u64,
    /// What runs have not finished.
    pub unfinished: Vec<Unfinished>,
    /// Files and directories that killed runs have left and nobody needs.
    pub leftovers: Vec<String>,
}

impl Checked {
    /// Notes what is kept in a table and not told by the audit log, and the other way round.
    pub(super) fn note_differences(
        &mut self,
        (kept, told): &(BTreeSet<String>, BTreeSet<String>),
        what: impl Fn(&str) -> String,
    ) {
        for (missing, place) in [
            (told.difference(kept), "is in the audit log, and not in the registry"),
            (kept.difference(told), "is in the registry, and not in the audit log"),
        ] {
            for entry in missing {
                let value: serde_json::Value = serde_json::from_str(entry).unwrap_or_default();
                let serial = value["serial"].as_str().unwrap_or_default();
                self.note("state", format!("{} {place}", what(serial)));
            }
        }
    }

    /// Notes a fault.
    pub fn note(&mut self, kind: &'static str, message: impl Into<String>) {
        self.add(Finding { kind, message: message.into() });
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        match self.findings.len() < MOST_FINDINGS {
            true => self.findings.push(finding),
            false => self.more_findings += 1,
        }
    }

    fn join(&mut self, other: Self) {
        other.findings.into_iter().for_each(|finding| self.add(finding));
        self.more_findings += other.more_findings;
    }
}

/// How a check goes about its work.
#[derive(Clone, Copy)]
pub struct Scan<'a> {
    /// Number of worker threads; at least one is used.
    pub threads: usize,
    /// Is told how many of how many certificates have been looked at, from the beginning on.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
}

impl std::fmt::Debug for Scan<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scan({} threads)", self.threads)
    }
}

impl Registry {
    /// Checks the file, the audit log, every row and every certificate, on all cores. Nothing is changed.
    pub fn check(&self) -> Result<Checked> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        self.check_with(&Scan { threads, progress: &|_, _| {} })
    }

    /// The same with so many threads, and tells how far it is.
    pub fn check_with(&self, scan: &Scan<'_>) -> Result<Checked> {
        let mut checked = Checked::default();
        // One moment for all of it, whatever other processes record meanwhile.
        let _moment = self.snapshot()?;
        let done = thread::scope(|scope| {
            let whole = scope.spawn(|| self.problems());
            let done = self.check_contents(scan, &mut checked);
            let problems = whole.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let mut file = Checked::default();
            match problems {
                Ok(problems) => problems.into_iter().for_each(|p| file.note("database", p)),
                Err(RegistryError::Damaged { reason, .. }) => {
                    file.note("database", reason.to_string())
                }
                Err(e) => return Err(e),
            }
            // What is wrong with the file comes first: all else may follow from it.
            file.join(Checked {
                findings: std::mem::take(&mut checked.findings),
                ..Checked::default()
            });
            checked.more_findings += file.more_findings;
            checked.findings = file.findings;
            done
        });
        match done {
            // A page that cannot be read ends the check: what was found until then counts.
            Err(RegistryError::Damaged { reason, .. }) => {
                let finding = Finding { kind: "database", message: reason.to_string() };
                if !checked.findings.contains(&finding) {
                    checked.add(finding);
                }
            }
            other => other?,
        }
        Ok(checked)
    }

    fn check_contents(&self, scan: &Scan<'_>, checked: &mut Checked) -> Result<()> {
        let count = "SELECT count(*) FROM certificate";
        let total: i64 = self.session()?.one(count, values![], |row| row.get(0))?;
        let total = total.cast_unsigned();
        (scan.progress)(0, total);
        let audit_log = AuditLog::read(self, checked)?;
        let cas = self.find(&Filter { role: Some(Role::Ca), ..Filter::default() })?;
        let cas: Vec<Certificate> = cas.iter().filter_map(|r| r.certificate().ok()).collect();
        rows::check(self, &audit_log, &Signers::new(cas), (scan, total), checked)?;
        self.check_orders(checked)?;
        self.check_crl_numbers(&audit_log, checked)
    }

    fn check_crl_numbers(&self, audit_log: &AuditLog, checked: &mut Checked) -> Result<()> {
        let sql = "SELECT ca, number FROM crl_number";
        let kept = self.session()?.all(sql, values![], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let kept: BTreeMap<String, i64> = kept.into_iter().collect();
        for ca in audit_log.crl_numbers.keys().chain(kept.keys()).collect::<BTreeSet<_>>() {
            let (kept, told) = (kept.get(ca), audit_log.crl_numbers.get(ca));
            if kept != told {
                let number = |n: Option<&i64>| n.map_or("none".to_owned(), i64::to_string);
                checked.note(
                    "state",
                    format!(
                        "the last CRL number of {ca} is {}, but {} by the audit log",
                        number(kept),
                        number(told)
                    ),
                );
            }
        }
        Ok(())
    }
}
