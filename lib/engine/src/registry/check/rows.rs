//! The rows of certificates: read in the order in which they were recorded, a chunk at a time, held on all
//! cores to what they say themselves and what the audit log says of them, and put together again in order.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use super::audit_log::{AuditLog, Batch, State, print_of};
use super::findings::{Checked, Finding, Scan};
use super::shared;
use super::signers::Signers;
use crate::crl::Reason;
use crate::crypto::{hex, sha256};
use crate::registry::database::value::Fetched;
use crate::registry::pipeline::in_order;
use crate::registry::row::Row;
use crate::registry::{Registry, Result, Status, keys};

/// Rows that are handed to a worker together.
const CHUNK: usize = 256;

/// Bytes of a chunk after which it is handed on, however few its rows are.
const CHUNK_BYTES: usize = 1 << 20;

/// How many serial numbers that were given twice are named.
const MOST_SERIALS: usize = 20;

const ROWS: &str = "
SELECT id, ca, role, client_id, recorded, batch, details, location, has_key, der, audit, digest, status,
    revoked_at, reason, folded_id, issuer, serial, not_before, not_after, key, bundle FROM certificate ORDER BY id";

/// Checks every row.
pub(super) fn check(
    registry: &Registry,
    audit_log: &AuditLog,
    signers: &Signers,
    (scan, total): (&Scan<'_>, u64),
    checked: &mut Checked,
) -> Result<()> {
    let mut ledger = Ledger::new(audit_log);
    let judge = |chunk: Chunk| judge(chunk, audit_log, signers);
    let take = |judged: Judged| {
        ledger.take(judged);
        (scan.progress)(ledger.rows, total.max(ledger.rows));
    };
    let done = in_order(scan.threads, |give| read(registry, give), judge, take);
    checked.certificates += ledger.rows;
    checked.join(std::mem::take(&mut ledger.found));
    done?;
    ledger.check_batches(registry, checked)?;
    check_serials(registry, &mut ledger.serials, checked)?;
    shared::check(registry, &mut ledger.keys, checked)
}

/// Rows as they stand in the registry, their texts and bytes one behind the other.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    rows: Vec<At>,
}

/// Where the fields of a row are in its chunk.
struct At {
    id: i64,
    audit: i64,
    not_before: i64,
    not_after: i64,
    recorded: i64,
    has_key: bool,
    state: State,
    ca: Range<usize>,
    role: Range<usize>,
    client_id: Option<Range<usize>>,
    folded_id: Option<Range<usize>>,
    issuer: Range<usize>,
    serial: Range<usize>,
    batch: Range<usize>,
    details: Range<usize>,
    location: Option<Range<usize>>,
    der: Range<usize>,
    digest: Range<usize>,
    key: Range<usize>,
    bundle: Option<Range<usize>>,
}

impl Chunk {
    fn is_full(&self) -> bool {
        self.rows.len() == CHUNK || self.bytes.len() >= CHUNK_BYTES
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    /// Adds a row.
    fn add(&mut self, row: &Fetched<'_>) -> Result<()> {
        let text = |chunk: &mut Self, column: usize| -> Result<_> {
            Ok(chunk.keep(row.text(column)?.as_bytes()))
        };
        let (ca, role) = (text(self, 1)?, text(self, 2)?);
        let (batch, details) = (text(self, 5)?, text(self, 6)?);
        let optional = |chunk: &mut Self, column: usize| -> Result<_> {
            Ok(row.text_or_null(column)?.map(|text| chunk.keep(text.as_bytes())))
        };
        let (client_id, location, folded_id) =
            (optional(self, 3)?, optional(self, 7)?, optional(self, 15)?);
        let bundle = optional(self, 21)?;
        let blob =
            |chunk: &mut Self, column: usize| -> Result<_> { Ok(chunk.keep(row.blob(column)?)) };
        let (der, digest) = (blob(self, 9)?, blob(self, 11)?);
        let (issuer, serial, key) = (blob(self, 16)?, blob(self, 17)?, blob(self, 20)?);
        self.rows.push(At {
            id: row.get(0)?,
            audit: row.get(10)?,
            not_before: row.get(18)?,
            not_after: row.get(19)?,
            recorded: row.get(4)?,
            has_key: row.get(8)?,
            state: State {
                status: Status::of_name(row.text(12)?).unwrap_or(Status::Live),
                revoked: revocation(row)?,
            },
            ca,
            role,
            client_id,
            folded_id,
            issuer,
            serial,
            batch,
            details,
            location,
            der,
            digest,
            key,
            bundle,
        });
        Ok(())
    }

    /// A row's fields, without its number and its state.
    fn row(&self, at: &At) -> Row<'_> {
        // What was text is text.
        let text = |range: &Range<usize>| {
            std::str::from_utf8(&self.bytes[range.clone()]).unwrap_or_default()
        };
        let bytes = |range: &Range<usize>| &self.bytes[range.clone()];
        Row {
            ca: text(&at.ca),
            role: text(&at.role),
            client_id: at.client_id.as_ref().map(text),
            folded_id: at.folded_id.as_ref().map(text),
            issuer: bytes(&at.issuer),
            serial: bytes(&at.serial),
            not_before: at.not_before,
            not_after: at.not_after,
            recorded: at.recorded,
            batch: text(&at.batch),
            details: text(&at.details),
            location: at.location.as_ref().map(text),
            has_key: at.has_key,
            der: bytes(&at.der),
            bundle: at.bundle.as_ref().map(text),
        }
    }
}

fn revocation(row: &Fetched<'_>) -> Result<Option<(i64, Reason)>> {
    let at: Option<i64> = row.get(13)?;
    let reason: Option<u8> = row.get(14)?;
    Ok(at.map(|at| (at, reason.and_then(Reason::from_code).unwrap_or(Reason::Unspecified))))
}

/// Reads all rows, chunk by chunk.
fn read(registry: &Registry, give: &mut dyn FnMut(Chunk)) -> Result<()> {
    let mut chunk = Chunk::default();
    let done = registry.session()?.each(ROWS, values![], |row| -> Result<()> {
        chunk.add(row)?;
        if chunk.is_full() {
            give(std::mem::take(&mut chunk));
        }
        Ok(())
    });
    give(chunk);
    done
}

/// What a worker has found out about a chunk.
struct Judged {
    rows: Vec<Seen>,
    found: Vec<Finding>,
}

/// What is still to be known of a row once it is looked at.
struct Seen {
    id: i64,
    audit: i64,
    digest: Vec<u8>,
    /// SHA-256 of its DER.
    fingerprint: [u8; 32],
    /// A hash of its issuer and serial number.
    serial: u64,
    /// The start of its key's digest, if it is live.
    key: Option<u64>,
}

fn judge(chunk: Chunk, audit_log: &AuditLog, signers: &Signers) -> Judged {
    let mut judged = Judged { rows: Vec::with_capacity(chunk.rows.len()), found: Vec::new() };
    for at in &chunk.rows {
        let row = chunk.row(at);
        let kept = &chunk.bytes[at.digest.clone()];
        let what = || format!("row {} ({})", at.id, row.client_id.unwrap_or(row.ca));
        let mut note = |kind, message| judged.found.push(Finding { kind, message });
        // It was made with the name that the CA had then.
        let recorded = Row { ca: audit_log.renames.then(row.ca, at.audit), ..row };
        if recorded.digest().as_slice() != kept {
            note("row", format!("{} was changed after it was recorded", what()));
        }
        let fingerprint = sha256(row.der);
        let told = audit_log.state_of(&print_of(&fingerprint));
        if at.state.status != told.status {
            let (is, was) = (at.state.status.name(), told.status.name());
            note("state", format!("{} is {is}, but {was} by the audit log", what()));
        } else if at.state.revoked != told.revoked {
            let other = "has another date or reason of revocation than the audit log";
            note("state", format!("{} {other}", what()));
        }
        if !keys::fits(&chunk.bytes[at.key.clone()], row.der) {
            note("row", format!("{} has the digest of another key than its certificate", what()));
        }
        if let Some(problem) = signers.fault_of(&row) {
            note("certificate", problem);
        }
        let mut serial = DefaultHasher::new();
        (row.issuer, row.serial).hash(&mut serial);
        let (serial, digest) = (serial.finish(), kept.to_vec());
        let key = shared::start(&chunk.bytes[at.key.clone()]);
        let key = key.filter(|_| at.state.status == Status::Live);
        judged.rows.push(Seen { id: at.id, audit: at.audit, digest, fingerprint, serial, key });
    }
    judged
}

/// The rows that refer to one row of the audit log.
#[derive(Default)]
struct Found {
    count: i64,
    rows: Vec<u8>,
    ders: Vec<u8>,
}

impl Found {
    fn fits(&self, batch: &Batch) -> bool {
        self.count == batch.count && !self.differs(batch)
    }

    fn differs(&self, batch: &Batch) -> bool {
        let differs =
            |kept: Option<[u8; 32]>, bytes: &[u8]| kept.is_some_and(|kept| kept != sha256(bytes));
        differs(batch.rows, &self.rows) || differs(batch.ders, &self.ders)
    }

    fn join(&mut self, other: Self) {
        self.count += other.count;
        self.rows.extend(other.rows);
        self.ders.extend(other.ders);
    }
}

/// Puts together what workers have found out. Rows that were recorded together stand together; what
/// stands apart from them was put there by somebody else.
struct Ledger<'s> {
    audit_log: &'s AuditLog,
    rows: u64,
    found: Checked,
    /// The rows since the last that referred to another row of the log.
    current: Option<(i64, Found)>,
    /// By their position in the audit_log: whose rows were all there.
    whole: Vec<bool>,
    /// All others.
    others: BTreeMap<i64, Found>,
    /// Digests of rows from before the migration from version 1.
    before: Vec<u8>,
    serials: Vec<(u64, i64)>,
    keys: Vec<(u64, i64)>,
}

impl<'s> Ledger<'s> {
    fn new(audit_log: &'s AuditLog) -> Self {
        Self {
            audit_log,
            rows: 0,
            found: Checked::default(),
            current: None,
            whole: vec![false; audit_log.batches.len()],
            others: BTreeMap::new(),
            before: Vec::new(),
            serials: Vec::new(),
            keys: Vec::new(),
        }
    }

    fn take(&mut self, judged: Judged) {
        judged.found.into_iter().for_each(|finding| self.found.add(finding));
        for seen in judged.rows {
            self.rows += 1;
            self.serials.push((seen.serial, seen.id));
            self.keys.extend(seen.key.map(|key| (key, seen.id)));
            if self.audit_log.migrated.as_ref().is_some_and(|(until, _)| seen.audit < *until) {
                self.before.extend_from_slice(&seen.digest);
            }
            if self.current.as_ref().is_none_or(|(sequence, _)| *sequence != seen.audit) {
                self.close();
            }
            let (_, found) = self.current.get_or_insert_with(|| (seen.audit, Found::default()));
            found.count += 1;
            found.rows.extend_from_slice(&seen.digest);
            let position = self.audit_log.batch(seen.audit);
            if position.is_some_and(|at| self.audit_log.batches[at].ders.is_some()) {
                found.ders.extend_from_slice(&seen.fingerprint);
            }
        }
    }

    /// Ends the rows that stand together.
    fn close(&mut self) {
        let Some((sequence, found)) = self.current.take() else { return };
        let Some(position) = self.audit_log.batch(sequence) else {
            // Nobody asks what they are.
            let count = found.count;
            self.others.entry(sequence).or_default().join(Found { count, ..Found::default() });
            return;
        };
        if let Some(other) = self.others.get_mut(&sequence) {
            other.join(found);
        } else if self.whole[position] {
            // More of them, far from the others.
            self.whole[position] = false;
            let count = self.audit_log.batches[position].count + found.count;
            self.others.insert(sequence, Found { count, ..Found::default() });
        } else if found.fits(&self.audit_log.batches[position]) {
            self.whole[position] = true;
        } else {
            self.others.insert(sequence, found);
        }
    }

    /// Compares what is there with what the log says was recorded.
    fn check_batches(&mut self, registry: &Registry, checked: &mut Checked) -> Result<()> {
        self.close();
        let nothing = Found::default();
        for (position, batch) in self.audit_log.batches.iter().enumerate() {
            let there = self.others.get(&batch.sequence).unwrap_or(&nothing);
            if self.whole[position] || there.fits(batch) {
                continue;
            }
            let name = batch_name(registry, batch.sequence)?;
            let what = format!("batch {name} (row {} of the audit log)", batch.sequence);
            if there.count != batch.count {
                let (count, there) = (batch.count, there.count);
                let message =
                    format!("{what} recorded {count} certificate(s), and {there} are there");
                checked.note("row", message);
            } else {
                checked.note("row", format!("{what} recorded other rows than those there"));
            }
        }
        if let Some((until, rows)) = &self.audit_log.migrated
            && hex(&sha256(&self.before)) != *rows
        {
            checked.note("row", format!("rows that were there before row {until} were changed"));
        }
        for (sequence, there) in &self.others {
            if self.audit_log.batch(*sequence).is_none() {
                let count = there.count;
                let message = format!(
                    "{count} certificate(s) refer to row {sequence} of the audit log, which did not \
                     record them"
                );
                checked.note("row", message);
            }
        }
        Ok(())
    }
}

/// The name of the run whose rows a row of the log recorded.
fn batch_name(registry: &Registry, sequence: i64) -> Result<String> {
    let sql = "SELECT detail FROM audit WHERE sequence = ?1";
    let detail: String = registry.session()?.one(sql, values![sequence], |row| row.get(0))?;
    let detail: serde_json::Value = serde_json::from_str(&detail).unwrap_or_default();
    Ok(detail["batch"].as_str().unwrap_or_default().to_owned())
}

/// An issuer gives each serial number once (RFC 5280, 4.1.2.2). Rows with one hash are compared.
fn check_serials(
    registry: &Registry,
    serials: &mut [(u64, i64)],
    checked: &mut Checked,
) -> Result<()> {
    serials.sort_unstable();
    let session = registry.session()?;
    let sql = "SELECT serial, issuer, ca FROM certificate WHERE id = ?1";
    let alike = serials.chunk_by(|one, other| one.0 == other.0).filter(|rows| rows.len() > 1);
    let mut named = 0;
    for rows in alike {
        let mut same: BTreeMap<(Vec<u8>, Vec<u8>), (usize, String)> = BTreeMap::new();
        for (_, id) in rows {
            let (serial, issuer, ca): (Vec<u8>, Vec<u8>, String) =
                session
                    .one(sql, values![*id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            same.entry((serial, issuer)).or_insert((0, ca)).0 += 1;
        }
        for ((serial, _), (number, ca)) in same.into_iter().filter(|(_, (number, _))| *number > 1) {
            let serial = hex(&serial);
            let message = format!("{number} certificates of {ca} have the serial number {serial}");
            checked.note("certificate", message);
            named += 1;
        }
        if named >= MOST_SERIALS {
            break;
        }
    }
    Ok(())
}
