//! `registry check`: is everything as it was written, and does it all fit together?
//!
//! Found and named: a file that SQLite finds damaged; an audit row that was changed or removed; a
//! certificate's row that was changed, removed or added; a state (live, superseded, revoked) that
//! the audit log does not account for, and so with CRL numbers; a certificate that does not parse, or that no recorded CA has
//! signed. Not found: an end of the audit log that was cut off together with the rows that it is
//! about, unless its last hash ([`Checked::head`]) was kept elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::query::moment;
use super::sqlite::{Registry, Result};
use super::{Filter, Record, RegistryError, Role, Row, Status, audit};
use crate::cert::Certificate;
use crate::crl::Reason;
use crate::crypto::{hex, sha256};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The kind of fault; it does not change between versions: `database`, `audit`, `row`, `state`,
    /// `certificate`, `ca`, `key`.
    pub kind: &'static str,
    /// A sentence that names the row, the device or the certificate.
    pub message: String,
}

/// What a check has looked at, and what it found.
#[derive(Debug, Default, serde::Serialize)]
pub struct Checked {
    /// Rows of the audit log.
    pub audit_rows: u64,
    /// Certificates.
    pub certificates: u64,
    /// The audit log's last hash: whoever keeps it elsewhere can tell that nothing was cut off.
    pub head: String,
    /// Everything that is not as it should be.
    pub findings: Vec<Finding>,
}

impl Checked {
    /// Notes a fault.
    pub fn note(&mut self, kind: &'static str, message: impl Into<String>) {
        self.findings.push(Finding { kind, message: message.into() });
    }
}

/// What an `issue` row of the audit log says of the rows that it recorded.
struct Batch {
    name: String,
    count: i64,
    /// Digest of the rows; of their DER alone where version 1 wrote it.
    rows: Option<String>,
    ders: Option<String>,
}

/// The state that the audit log gives a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    status: Status,
    revoked: Option<(i64, Reason)>,
}

/// What the audit log says, by the row's number and by the SHA-256 of certificates.
#[derive(Default)]
struct Story {
    batches: BTreeMap<i64, Batch>,
    /// The row that tells of the migration, and the digest of the rows before it.
    migrated: Option<(i64, String)>,
    crl_numbers: BTreeMap<String, i64>,
    states: HashMap<String, State>,
}

impl Registry {
    /// Checks the file, the audit log, every row and every certificate. Nothing is changed.
    pub fn check(&self) -> Result<Checked> {
        let mut checked = Checked::default();
        // One moment for all of it, whatever other processes record meanwhile.
        let _moment = self.connection.unchecked_transaction().map_err(|e| self.error(&e))?;
        let attempt = |checked: &mut Checked| -> Result<()> {
            self.check_file(checked)?;
            let story = self.check_audit(checked)?;
            self.check_rows(&story, checked)?;
            self.check_serials(checked)?;
            self.check_keys(checked)?;
            self.check_certificates(checked)
        };
        match attempt(&mut checked) {
            // A page that cannot be read ends the check: what was found until then counts.
            Err(RegistryError::Damaged { message, .. }) => checked.note("database", message),
            other => other?,
        }
        Ok(checked)
    }

    fn check_file(&self, checked: &mut Checked) -> Result<()> {
        let fail = |e: rusqlite::Error| self.error(&e);
        let mut query = self.connection.prepare("PRAGMA integrity_check(20)").map_err(fail)?;
        let mut rows = query.query([]).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            let message: String = row.get(0).map_err(fail)?;
            if message != "ok" {
                checked.note("database", format!("the file is damaged: {message}"));
            }
        }
        Ok(())
    }

    /// Recomputes the audit log's hashes; returns what it tells.
    fn check_audit(&self, checked: &mut Checked) -> Result<Story> {
        let fail = |e: rusqlite::Error| self.error(&e);
        let mut story = Story::default();
        let mut query = self
            .connection
            .prepare("SELECT sequence, at, action, detail, hash FROM audit ORDER BY sequence")
            .map_err(fail)?;
        let mut rows = query.query([]).map_err(fail)?;
        let (mut expected, mut previous) = (1, Vec::new());
        while let Some(row) = rows.next().map_err(fail)? {
            let sequence: i64 = row.get(0).map_err(fail)?;
            let at: i64 = row.get(1).map_err(fail)?;
            let action: String = row.get(2).map_err(fail)?;
            let detail: String = row.get(3).map_err(fail)?;
            let hash: Vec<u8> = row.get(4).map_err(fail)?;
            if sequence != expected {
                let missing = match sequence - expected {
                    1 => format!("row {expected} of the audit log is missing"),
                    _ => {
                        format!("rows {expected} to {} of the audit log are missing", sequence - 1)
                    }
                };
                checked.note("audit", missing);
            } else if audit::row_hash(&previous, sequence, at, &action, &detail).as_slice() != hash
            {
                let when = moment(at).date();
                checked.note(
                    "audit",
                    format!(
                        "row {sequence} of the audit log ({action}, {when}) was changed: its hash \
                         does not fit"
                    ),
                );
            }
            story.take(sequence, &action, &detail);
            checked.audit_rows += 1;
            (expected, previous) = (sequence + 1, hash);
        }
        checked.head = hex(&previous);
        Ok(story)
    }

    /// An issuer gives each serial number once (RFC 5280, 4.1.2.2).
    fn check_serials(&self, checked: &mut Checked) -> Result<()> {
        let fail = |e: rusqlite::Error| self.error(&e);
        let mut query = self
            .connection
            .prepare(
                "SELECT lower(hex(serial)), count(*), min(ca) FROM certificate
                 GROUP BY serial, issuer HAVING count(*) > 1 LIMIT 20",
            )
            .map_err(fail)?;
        let mut rows = query.query([]).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            let serial: String = row.get(0).map_err(fail)?;
            let number: i64 = row.get(1).map_err(fail)?;
            let ca: String = row.get(2).map_err(fail)?;
            let message = format!("{number} certificates of {ca} have the serial number {serial}");
            checked.note("certificate", message);
        }
        Ok(())
    }

    /// Recomputes each row's digest and each batch's, and compares states with the audit log.
    fn check_rows(&self, story: &Story, checked: &mut Checked) -> Result<()> {
        let fail = |e: rusqlite::Error| self.error(&e);
        let mut query = self
            .connection
            .prepare(
                "SELECT id, ca, role, client_id, recorded, batch, details, location, has_key, der,
                 audit, digest, status, revoked_at, reason, folded_id, issuer, serial, not_before,
                 not_after FROM certificate ORDER BY audit, id",
            )
            .map_err(fail)?;
        let mut rows = query.query([]).map_err(fail)?;
        let mut found: BTreeMap<i64, Found> = BTreeMap::new();
        while let Some(row) = rows.next().map_err(fail)? {
            let text = |i: usize| row.get_ref(i).and_then(|v| Ok(v.as_str()?)).map_err(fail);
            let blob = |i: usize| row.get_ref(i).and_then(|v| Ok(v.as_blob()?)).map_err(fail);
            let optional =
                |i: usize| row.get_ref(i).and_then(|v| Ok(v.as_str_or_null()?)).map_err(fail);
            let facts = Row {
                ca: text(1)?,
                role: text(2)?,
                client_id: optional(3)?,
                folded_id: optional(15)?,
                issuer: blob(16)?,
                serial: blob(17)?,
                not_before: row.get(18).map_err(fail)?,
                not_after: row.get(19).map_err(fail)?,
                recorded: row.get(4).map_err(fail)?,
                batch: text(5)?,
                details: text(6)?,
                location: optional(7)?,
                has_key: row.get(8).map_err(fail)?,
                der: blob(9)?,
            };
            let (id, sequence): (i64, i64) =
                (row.get(0).map_err(fail)?, row.get(10).map_err(fail)?);
            let kept: Vec<u8> = row.get(11).map_err(fail)?;
            let what = format!("row {id} ({})", facts.client_id.unwrap_or(facts.ca));
            if facts.digest().as_slice() != kept {
                checked.note("row", format!("{what} was changed after it was recorded"));
            }
            let fingerprint = sha256(facts.der);
            let batch = found.entry(sequence).or_default();
            batch.count += 1;
            batch.rows.extend_from_slice(&kept);
            if story.batches.get(&sequence).is_some_and(|batch| batch.ders.is_some()) {
                batch.ders.extend_from_slice(&fingerprint);
            }
            let state = State {
                status: Status::of_name(text(12)?).unwrap_or(Status::Live),
                revoked: revocation(row).map_err(fail)?,
            };
            story.check_state(&what, &hex(&fingerprint), state, checked);
            checked.certificates += 1;
        }
        story.check_batches(&found, checked);
        self.check_crl_numbers(story, checked)
    }

    fn check_crl_numbers(&self, story: &Story, checked: &mut Checked) -> Result<()> {
        let fail = |e: rusqlite::Error| self.error(&e);
        let mut query =
            self.connection.prepare("SELECT ca, number FROM crl_number").map_err(fail)?;
        let kept: rusqlite::Result<BTreeMap<String, i64>> =
            query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(fail)?.collect();
        let kept = kept.map_err(fail)?;
        for ca in story.crl_numbers.keys().chain(kept.keys()).collect::<BTreeSet<_>>() {
            let (kept, told) = (kept.get(ca), story.crl_numbers.get(ca));
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

    /// Every certificate parses, says what its row says, and is signed by a recorded CA or itself.
    fn check_certificates(&self, checked: &mut Checked) -> Result<()> {
        let cas = self.find(&Filter { role: Some(Role::Ca), ..Filter::default() })?;
        let cas: Vec<Certificate> = cas.iter().filter_map(|r| r.certificate().ok()).collect();
        self.each(&Filter::default(), |record| -> Result<()> {
            if let Some(problem) = fault_of(&record, &cas) {
                checked.note("certificate", problem);
            }
            Ok(())
        })
    }
}

fn revocation(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<(i64, Reason)>> {
    let at: Option<i64> = row.get(13)?;
    let reason: Option<u8> = row.get(14)?;
    Ok(at.map(|at| (at, reason.and_then(Reason::from_code).unwrap_or(Reason::Unspecified))))
}

/// The rows that an audit row is said to have recorded.
#[derive(Default)]
struct Found {
    count: i64,
    rows: Vec<u8>,
    ders: Vec<u8>,
}

impl Story {
    fn take(&mut self, sequence: i64, action: &str, detail: &str) {
        let detail: serde_json::Value = serde_json::from_str(detail).unwrap_or_default();
        let text = |name: &str| detail[name].as_str().map(str::to_owned);
        let state = match action {
            "issue" => {
                let batch = Batch {
                    name: text("batch").unwrap_or_default(),
                    count: detail["certificates"].as_i64().unwrap_or(0),
                    rows: text("rows"),
                    ders: text("sha256"),
                };
                self.batches.insert(sequence, batch);
                return;
            }
            "migrate" => {
                self.migrated = text("rows").map(|rows| (sequence, rows));
                return;
            }
            "crl" => {
                let number = detail["number"].as_i64().unwrap_or(0);
                self.crl_numbers.insert(text("ca").unwrap_or_default(), number);
                return;
            }
            "supersede" => State { status: Status::Superseded, revoked: None },
            "revoke" => {
                let name = text("reason").unwrap_or_default();
                let reason = Reason::of_name(&name).unwrap_or(Reason::Unspecified);
                let at = detail["revoked_at"].as_i64().unwrap_or(0);
                State { status: Status::Revoked, revoked: Some((at, reason)) }
            }
            _ => return,
        };
        for certificate in detail["certificates"].as_array().into_iter().flatten() {
            if let Some(fingerprint) = certificate["sha256"].as_str() {
                self.states.insert(fingerprint.to_owned(), state);
            }
        }
    }

    fn check_state(&self, what: &str, fingerprint: &str, state: State, checked: &mut Checked) {
        let live = State { status: Status::Live, revoked: None };
        let expected = self.states.get(fingerprint).copied().unwrap_or(live);
        if state.status != expected.status {
            let (is, was) = (state.status.name(), expected.status.name());
            checked.note("state", format!("{what} is {is}, but {was} by the audit log"));
        } else if state.revoked != expected.revoked {
            checked.note(
                "state",
                format!("{what} has another date or reason of revocation than the audit log"),
            );
        }
    }

    fn check_batches(&self, found: &BTreeMap<i64, Found>, checked: &mut Checked) {
        for (sequence, batch) in &self.batches {
            let nothing = Found::default();
            let there = found.get(sequence).unwrap_or(&nothing);
            let what = format!("batch {} (row {sequence} of the audit log)", batch.name);
            let differs = |kept: &Option<String>, octets: &[u8]| {
                kept.as_ref().is_some_and(|kept| *kept != hex(&sha256(octets)))
            };
            if there.count != batch.count {
                checked.note(
                    "row",
                    format!(
                        "{what} recorded {} certificate(s), and {} are there",
                        batch.count, there.count
                    ),
                );
            } else if differs(&batch.rows, &there.rows) || differs(&batch.ders, &there.ders) {
                checked.note("row", format!("{what} recorded other rows than those there"));
            }
        }
        if let Some((until, rows)) = &self.migrated {
            let before = found.range(..until).flat_map(|(_, there)| &there.rows);
            let digest = sha256(&before.copied().collect::<Vec<u8>>());
            if hex(&digest) != *rows {
                let message = format!("rows that were there before row {until} were changed");
                checked.note("row", message);
            }
        }
        for (sequence, there) in found {
            if !self.batches.contains_key(sequence) {
                checked.note(
                    "row",
                    format!(
                        "{} certificate(s) refer to row {sequence} of the audit log, which did not \
                         record them",
                        there.count
                    ),
                );
            }
        }
    }
}

/// What is wrong with a recorded certificate.
fn fault_of(record: &Record, cas: &[Certificate]) -> Option<String> {
    let holder = record.client_id.as_deref().unwrap_or(&record.ca);
    let what = format!("the certificate {} of {holder}", record.serial);
    let cert = match record.certificate() {
        Ok(cert) => cert,
        Err(e) => return Some(format!("{what} cannot be read: {e}")),
    };
    let same = cert.serial == record.serial
        && cert.not_before == record.not_before
        && cert.not_after == record.not_after;
    if !same {
        return Some(format!("{what} has another serial number or validity than its row"));
    }
    if record.client_id.is_some() && cert.subject.common_name() != record.client_id.as_deref() {
        return Some(format!("{what} has the subject {}", cert.subject));
    }
    let by = |ca: &Certificate| {
        ca.subject.matches(&cert.issuer)
            && ca.public_key.as_ref().is_ok_and(|key| cert.verify_signature(key).is_ok())
    };
    if cas.iter().any(by) {
        return None;
    }
    // A CA that was taken in may have an issuer that was not.
    if record.role == Role::Ca && !cas.iter().any(|ca| ca.subject.matches(&cert.issuer)) {
        return None;
    }
    Some(format!("{what} is not signed by a recorded CA named {}", cert.issuer))
}
