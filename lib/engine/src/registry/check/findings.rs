//! How a check goes about its work, and what it has found.

use std::collections::BTreeSet;

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
    pub(in crate::registry) fn note_differences(
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

    pub(super) fn join(&mut self, other: Self) {
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
