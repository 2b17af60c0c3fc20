//! The registry in an SQLite file: WAL, synchronous=FULL, one transaction per change.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params,
    params_from_iter,
};
use time::OffsetDateTime;

use super::schema::{APPLICATION, VERSION};
use super::{
    AuditRow, Filter, NewRecord, Record, RegistryError, Replaced, Role, Row, Status, audit,
    audit_name, schema,
};
use crate::cert::{Certificate, Serial};
use crate::crl::{Reason, Revoked};
use crate::crypto::{hex, sha256};
use crate::name::Name;

/// How long a station waits for another one's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// An open registry.
#[derive(Debug)]
pub struct Registry {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
}

pub(super) type Result<T> = std::result::Result<T, RegistryError>;

impl Registry {
    /// Opens the registry at `path`; makes it if the file does not exist or is empty, and brings
    /// one of an older version up to the present one.
    pub fn open(path: &Path, now: OffsetDateTime) -> Result<Self> {
        let fail = |e: rusqlite::Error| database_error(path, &e);
        let connection = Connection::open(path).map_err(fail)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(fail)?;
        let mut registry = Self { connection, path: path.to_owned() };
        registry.prepare_schema(now)?;
        Ok(registry)
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn error(&self, e: &rusqlite::Error) -> RegistryError {
        database_error(&self.path, e)
    }

    fn prepare_schema(&mut self, now: OffsetDateTime) -> Result<()> {
        let path = self.path.display().to_string();
        let fail = |e: rusqlite::Error| database_error(Path::new(&path), &e);
        let pragma = |c: &Connection, name: &str| -> Result<i64> {
            c.pragma_query_value(None, name, |row| row.get(0)).map_err(fail)
        };
        self.connection.pragma_update(None, "journal_mode", "WAL").map_err(fail)?;
        self.connection.pragma_update(None, "synchronous", "FULL").map_err(fail)?;
        // Two stations may open a new registry at once: whoever gets the write lock makes it.
        let transaction = begin(&mut self.connection, &self.path)?;
        let application = pragma(&transaction, "application_id")?;
        let version = pragma(&transaction, "user_version")?;
        let empty = transaction
            .query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
            .map_err(fail)?;
        match (application, version, empty) {
            (APPLICATION, VERSION, _) => return Ok(()),
            (APPLICATION, 1, _) => schema::migrate_1(&transaction, now).map_err(fail)?,
            (APPLICATION, found, _) => {
                return Err(RegistryError::TooNew { path, found, known: VERSION });
            }
            (0, 0, true) => schema::create(&transaction).map_err(fail)?,
            _ => return Err(RegistryError::NotARegistry(path)),
        }
        transaction.commit().map_err(fail)
    }

    /// Records certificates in one durable transaction: all of them or none. Those that they
    /// replace become superseded, or revoked, in the same one.
    ///
    /// [`RegistryError::Conflict`] if one of the devices is live already, or if a certificate that
    /// is to be replaced is not live any more.
    pub fn record(
        &mut self,
        batch: &str,
        now: OffsetDateTime,
        records: &[NewRecord],
    ) -> Result<()> {
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| database_error(&path, &e);
        let transaction = begin(&mut self.connection, &self.path)?;
        let replaced: Vec<&Replaced> = records.iter().filter_map(|r| r.replaces.as_ref()).collect();
        for revoke in [false, true] {
            supersede(&transaction, &path, now, replaced.iter().filter(|r| r.revoke == revoke))?;
        }
        let (next, _) = audit::head(&transaction).map_err(fail)?;
        let mut digests = Vec::with_capacity(records.len() * 32);
        for record in records {
            let inserted = insert(&transaction, batch, now, next + 1, record);
            digests.extend_from_slice(&inserted.map_err(|e| conflict_or(&path, &e))?);
        }
        let detail = serde_json::json!({
            "batch": batch,
            "certificates": records.len(),
            "rows": hex(&sha256(&digests)),
        });
        audit::append(&transaction, now, "issue", &detail).map_err(fail)?;
        transaction.commit().map_err(fail)
    }

    /// Revokes certificates in one durable transaction: all of them or none. `records` are rows of
    /// this registry; a superseded certificate can be revoked too.
    ///
    /// [`RegistryError::AlreadyRevoked`] if one is revoked already: when and why stays as it is.
    pub fn revoke(
        &mut self,
        records: &[Record],
        reason: Reason,
        at: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<()> {
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| database_error(&path, &e);
        let transaction = begin(&mut self.connection, &self.path)?;
        for record in records {
            let changed = transaction
                .execute(
                    "UPDATE certificate SET status = 'revoked', revoked_at = ?1, reason = ?2
                     WHERE serial = ?3 AND der = ?4 AND status <> 'revoked'",
                    params![at.unix_timestamp(), reason as u8, record.serial.octets(), record.der],
                )
                .map_err(fail)?;
            if changed == 0 {
                return Err(already_revoked(record));
            }
        }
        let certificates: Vec<_> =
            records.iter().map(|r| audit_name(r.serial.octets(), &r.der)).collect();
        let detail = serde_json::json!({
            "reason": reason.name(),
            "revoked_at": at.unix_timestamp(),
            "certificates": certificates,
        });
        audit::append(&transaction, now, "revoke", &detail).map_err(fail)?;
        transaction.commit().map_err(fail)
    }

    /// Which of these folded client ids are live.
    pub fn live_among(&self, folded: &[String]) -> Result<HashSet<String>> {
        let mut found = HashSet::new();
        let mut query = self
            .connection
            .prepare_cached("SELECT 1 FROM certificate WHERE folded_id = ?1 AND status = 'live'")
            .map_err(|e| self.error(&e))?;
        for id in folded {
            if query.exists([id]).map_err(|e| self.error(&e))? {
                found.insert(id.clone());
            }
        }
        Ok(found)
    }

    /// Which of these folded client ids are live, or had a certificate that was revoked.
    pub fn known_among(&self, folded: &[String]) -> Result<HashSet<String>> {
        let mut found = self.live_among(folded)?;
        for id in folded.iter().filter(|id| !found.contains(*id)).cloned().collect::<Vec<_>>() {
            if self.history(&id)?.last().is_some_and(|record| record.revoked.is_some()) {
                found.insert(id);
            }
        }
        Ok(found)
    }

    /// The live certificate of a device, by its folded client id.
    pub fn live_device(&self, folded: &str) -> Result<Option<Record>> {
        let values = vec![Value::from(folded.to_owned())];
        self.collect("WHERE folded_id = ?1 AND status = 'live'", values).map(|mut r| r.pop())
    }

    /// All certificates that a device ever had, by its folded client id, the oldest first.
    pub fn history(&self, folded: &str) -> Result<Vec<Record>> {
        let values = vec![Value::from(folded.to_owned())];
        let tail = "WHERE folded_id = ?1 AND status <> 'live' ORDER BY id";
        let mut records = self.collect(tail, values)?;
        records.extend(self.live_device(folded)?);
        records.sort_by_key(|record| record.recorded);
        Ok(records)
    }

    /// All live devices in the order in which they were issued, of one CA or of all.
    pub fn live_devices(&self, ca: Option<&str>) -> Result<Vec<Record>> {
        let (role, status) = (Some(Role::Device), Some(Status::Live));
        self.find(&Filter { ca, role, status, ..Filter::default() })
    }

    /// All certificates that a filter lets through, in the order in which they were recorded.
    pub fn find(&self, filter: &Filter<'_>) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        self.each(filter, |record| -> Result<()> {
            records.push(record);
            Ok(())
        })?;
        Ok(records)
    }

    /// Visits all certificates that a filter lets through, in the order in which they were
    /// recorded, without holding them all. An error of `visit` ends it.
    pub fn each<E: From<RegistryError>>(
        &self,
        filter: &Filter<'_>,
        visit: impl FnMut(Record) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let (tail, values) = conditions(filter);
        self.visit(&tail, values, visit)
    }

    /// What has been revoked of the certificates that were issued under that name, by whichever of
    /// its keys, in the order in which they were recorded.
    pub fn revoked(&self, issuer: &Name) -> Result<Vec<Revoked>> {
        let collect = || -> rusqlite::Result<Vec<Revoked>> {
            self.connection
                .prepare_cached(
                    "SELECT serial, revoked_at, reason FROM certificate
                     WHERE issuer = ?1 AND revoked_at IS NOT NULL ORDER BY id",
                )?
                .query_map([issuer.der()], |row| {
                    let reason = Reason::from_code(row.get(2)?).ok_or_else(|| strange(2))?;
                    let serial = Serial::from_octets(row.get_ref(0)?.as_blob()?);
                    Ok(Revoked { serial, at: moment(row.get(1)?), reason })
                })?
                .collect()
        };
        collect().map_err(|e| self.error(&e))
    }

    /// SHA-256 of the SubjectPublicKeyInfo of every certificate that was revoked for another reason
    /// than that a new one took its place: such keys are not certified again.
    pub fn revoked_keys(&self) -> Result<HashSet<[u8; 32]>> {
        let mut keys = HashSet::new();
        let tail = "WHERE revoked_at IS NOT NULL AND reason <> ?1";
        let superseded = vec![Value::from(i64::from(Reason::Superseded as u8))];
        self.visit(tail, superseded, |record| -> Result<()> {
            keys.extend(record.certificate().ok().map(|cert| sha256(&cert.spki)));
            Ok(())
        })?;
        Ok(keys)
    }

    /// When and why this very certificate was revoked, if it was.
    pub fn revocation(&self, certificate: &Certificate) -> Result<Option<Revoked>> {
        let serial = Some(&certificate.serial);
        let records = self.find(&Filter { serial, ..Filter::default() })?;
        let own = records.iter().find(|record| record.der == certificate.der());
        Ok(own.and_then(Record::revocation))
    }

    /// Whether the audit log has a row with that hash (lower-case hex).
    pub fn has_audit_hash(&self, hash: &str) -> Result<bool> {
        self.connection
            .prepare("SELECT 1 FROM audit WHERE lower(hex(hash)) = ?1")
            .and_then(|mut query| query.exists([hash]))
            .map_err(|e| self.error(&e))
    }

    /// The audit log, from a row on.
    pub fn audit(&self, from: i64) -> Result<Vec<AuditRow>> {
        let collect = || -> rusqlite::Result<Vec<AuditRow>> {
            self.connection
                .prepare_cached(
                    "SELECT sequence, at, action, detail, hash FROM audit
                     WHERE sequence >= ?1 ORDER BY sequence",
                )?
                .query_map([from], |row| {
                    let (detail, hash): (String, Vec<u8>) = (row.get(3)?, row.get(4)?);
                    Ok(AuditRow {
                        sequence: row.get(0)?,
                        at: moment(row.get(1)?),
                        action: row.get(2)?,
                        detail: serde_json::from_str(&detail).unwrap_or_default(),
                        hash: hex(&hash),
                    })
                })?
                .collect()
        };
        collect().map_err(|e| self.error(&e))
    }

    /// Whether this very certificate is recorded.
    pub fn has(&self, certificate: &Certificate) -> Result<bool> {
        self.connection
            .prepare_cached(
                "SELECT 1 FROM certificate WHERE issuer = ?1 AND serial = ?2 AND der = ?3",
            )
            .and_then(|mut query| {
                query.exists(params![
                    certificate.issuer.der(),
                    certificate.serial.octets(),
                    certificate.der()
                ])
            })
            .map_err(|e| self.error(&e))
    }

    /// How many live device certificates each CA has issued.
    pub fn device_counts(&self) -> Result<BTreeMap<String, u64>> {
        let sql = "SELECT ca, count(*) FROM certificate
                   WHERE role = 'device' AND status = 'live' GROUP BY ca";
        let collect = || -> rusqlite::Result<BTreeMap<String, u64>> {
            self.connection
                .prepare_cached(sql)?
                .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?
                .collect()
        };
        collect().map_err(|e| self.error(&e))
    }

    /// The name of the run that recorded devices last.
    pub fn last_batch(&self) -> Result<Option<String>> {
        self.connection
            .query_row(
                "SELECT batch FROM certificate WHERE role = 'device' ORDER BY id DESC LIMIT 1",
                [],
                |row| row.get(0),
            )
            .optional()
            .map_err(|e| self.error(&e))
    }

    /// The next CRL number of a CA: one more than the last, from 1, durable before it is used. CAs of
    /// the same subject, `others`, count together: their lists have one issuer (RFC 5280, 5.2.3). It is
    /// `at_least` that number: lists that are out already are known better than lost rows.
    pub fn next_crl_number(
        &mut self,
        ca: &str,
        others: &[String],
        at_least: u64,
        now: OffsetDateTime,
    ) -> Result<u64> {
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| database_error(&path, &e);
        let transaction = begin(&mut self.connection, &self.path)?;
        let mut last = i64::try_from(at_least).unwrap_or(0).saturating_sub(1).max(0);
        for name in others.iter().map(String::as_str).chain([ca]) {
            let number: Option<i64> = transaction
                .query_row("SELECT number FROM crl_number WHERE ca = ?1", [name], |row| row.get(0))
                .optional()
                .map_err(fail)?;
            last = last.max(number.unwrap_or(0));
        }
        let number = last + 1;
        transaction
            .execute(
                "INSERT INTO crl_number (ca, number) VALUES (?1, ?2)
                 ON CONFLICT (ca) DO UPDATE SET number = ?2",
                params![ca, number],
            )
            .map_err(fail)?;
        let detail = serde_json::json!({ "ca": ca, "number": number });
        audit::append(&transaction, now, "crl", &detail).map_err(fail)?;
        transaction.commit().map_err(fail)?;
        Ok(number.cast_unsigned())
    }

    fn collect(&self, tail: &str, values: Vec<Value>) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        self.visit(tail, values, |record| -> Result<()> {
            records.push(record);
            Ok(())
        })?;
        Ok(records)
    }

    fn visit<E: From<RegistryError>>(
        &self,
        tail: &str,
        values: Vec<Value>,
        mut visit: impl FnMut(Record) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let fail = |e: rusqlite::Error| E::from(self.error(&e));
        let sql = format!(
            "SELECT ca, role, client_id, serial, not_before, not_after, status, revoked_at, reason,
             recorded, batch, der, details, location, has_key FROM certificate {tail}"
        );
        let mut query = self.connection.prepare_cached(&sql).map_err(fail)?;
        let mut rows = query.query(params_from_iter(values)).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            visit(read_record(row).map_err(fail)?)?;
        }
        Ok(())
    }
}

/// The SQL of a filter, with its values.
fn conditions(filter: &Filter<'_>) -> (String, Vec<Value>) {
    let text = |text: &str| Value::from(text.to_owned());
    let given = [
        ("ca = ?", filter.ca.map(text)),
        ("role = ?", filter.role.map(|r| text(r.name()))),
        ("status = ?", filter.status.map(|s| text(s.name()))),
        ("serial = ?", filter.serial.map(|s| Value::from(s.octets().to_vec()))),
        ("batch = ?", filter.batch.map(text)),
        ("not_after < ?", filter.expires_before.map(|t| Value::from(t.unix_timestamp()))),
    ];
    let given: Vec<(&str, Value)> =
        given.into_iter().filter_map(|(sql, value)| Some((sql, value?))).collect();
    let wheres: Vec<&str> = given.iter().map(|(sql, _)| *sql).collect();
    let tail = match wheres.is_empty() {
        true => "ORDER BY id".to_owned(),
        false => format!("WHERE {} ORDER BY id", wheres.join(" AND ")),
    };
    (tail, given.into_iter().map(|(_, value)| value).collect())
}

/// Takes the write lock at once: a transaction that begins by reading could not wait for it.
fn begin<'c>(connection: &'c mut Connection, path: &Path) -> Result<Transaction<'c>> {
    connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|e| database_error(path, &e))
}

/// Adds a row; returns its digest.
fn insert(
    connection: &Connection,
    batch: &str,
    now: OffsetDateTime,
    audit: i64,
    record: &NewRecord,
) -> rusqlite::Result<[u8; 32]> {
    let cert = &record.certificate;
    let device = record.device.as_ref();
    let role = if device.is_some() { Role::Device } else { Role::Ca };
    let details = serde_json::to_string(&record.details).unwrap_or_default();
    let location = record.location.as_ref().map(|path| path.to_string_lossy());
    let folded = device.map(|d| d.folded());
    let row = Row {
        ca: &record.ca,
        role: role.name(),
        client_id: device.map(|d| d.as_str()),
        folded_id: folded.as_deref(),
        issuer: cert.issuer.der(),
        serial: cert.serial.octets(),
        not_before: cert.not_before.unix_timestamp(),
        not_after: cert.not_after.unix_timestamp(),
        recorded: now.unix_timestamp(),
        batch,
        details: &details,
        location: location.as_deref(),
        has_key: record.has_key,
        der: cert.der(),
    };
    let digest = row.digest();
    connection
        .prepare_cached(
            "INSERT INTO certificate (ca, role, client_id, folded_id, issuer, serial, not_before,
             not_after, status, recorded, batch, details, location, has_key, audit, digest, der)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'live', ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?
        .execute(params![
            row.ca,
            row.role,
            row.client_id,
            row.folded_id,
            row.issuer,
            row.serial,
            row.not_before,
            row.not_after,
            row.recorded,
            row.batch,
            row.details,
            row.location,
            row.has_key,
            audit,
            digest,
            row.der,
        ])?;
    Ok(digest)
}

/// Ends the life of certificates that others replace. One that is not live is a conflict.
fn supersede<'a>(
    connection: &Connection,
    path: &Path,
    now: OffsetDateTime,
    replaced: impl Iterator<Item = &'a &'a Replaced>,
) -> Result<()> {
    let fail = |e: rusqlite::Error| database_error(path, &e);
    let mut certificates = Vec::new();
    let mut revoked = false;
    for old in replaced {
        revoked = old.revoke;
        let (status, at) = match old.revoke {
            true => (Status::Revoked, Some(now.unix_timestamp())),
            false => (Status::Superseded, None),
        };
        let der: Option<Vec<u8>> = connection
            .prepare_cached(
                "UPDATE certificate SET status = ?1, revoked_at = ?2, reason = ?3
                 WHERE serial = ?4 AND issuer = ?5 AND status = 'live' RETURNING der",
            )
            .and_then(|mut update| {
                let reason = at.map(|_| Reason::Superseded as u8);
                let (serial, issuer) = (old.serial.octets(), old.issuer.der());
                let values = params![status.name(), at, reason, serial, issuer];
                update.query_row(values, |row| row.get(0)).optional()
            })
            .map_err(fail)?;
        let der = der.ok_or(RegistryError::Conflict)?;
        certificates.push(audit_name(old.serial.octets(), &der));
    }
    if certificates.is_empty() {
        return Ok(());
    }
    let (action, detail) = match revoked {
        false => ("supersede", serde_json::json!({ "certificates": certificates })),
        true => {
            let reason = Reason::Superseded.name();
            let at = now.unix_timestamp();
            let detail = serde_json::json!({
                "reason": reason, "revoked_at": at, "certificates": certificates,
            });
            ("revoke", detail)
        }
    };
    audit::append(connection, now, action, &detail).map_err(fail)?;
    Ok(())
}

pub(super) fn moment(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// A row whose columns are not what the schema says: somebody else has written it.
fn strange(column: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, "value".to_owned(), rusqlite::types::Type::Null)
}

fn read_record(row: &rusqlite::Row<'_>) -> rusqlite::Result<Record> {
    let revoked = match row.get::<_, Option<i64>>(7)? {
        None => None,
        Some(at) => {
            let reason = Reason::from_code(row.get(8)?).ok_or_else(|| strange(8))?;
            Some((moment(at), reason))
        }
    };
    let details: String = row.get(12)?;
    Ok(Record {
        ca: row.get(0)?,
        role: if row.get_ref(1)?.as_str()? == "ca" { Role::Ca } else { Role::Device },
        client_id: row.get(2)?,
        serial: Serial::from_octets(row.get_ref(3)?.as_blob()?),
        not_before: moment(row.get(4)?),
        not_after: moment(row.get(5)?),
        status: Status::of_name(row.get_ref(6)?.as_str()?).ok_or_else(|| strange(6))?,
        revoked,
        recorded: moment(row.get(9)?),
        batch: row.get(10)?,
        der: row.get(11)?,
        details: serde_json::from_str(&details).unwrap_or_default(),
        location: row.get::<_, Option<String>>(13)?.map(PathBuf::from),
        has_key: row.get(14)?,
    })
}

fn already_revoked(record: &Record) -> RegistryError {
    let subject = || record.certificate().map(|c| c.subject.to_string()).unwrap_or_default();
    let holder = record.client_id.clone().unwrap_or_else(subject);
    match record.revoked {
        Some((since, reason)) => RegistryError::AlreadyRevoked {
            serial: record.serial.clone(),
            holder,
            since: since.date().to_string(),
            reason: reason.name(),
        },
        // It was not when it was read.
        None => RegistryError::Conflict,
    }
}

fn conflict_or(path: &Path, e: &rusqlite::Error) -> RegistryError {
    match e.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => RegistryError::Conflict,
        _ => database_error(path, e),
    }
}

pub(super) fn database_error(path: &Path, e: &rusqlite::Error) -> RegistryError {
    let path = path.display().to_string();
    match e.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => RegistryError::NotARegistry(path),
        // A table or column that is not there any more is SQLITE_ERROR.
        None | Some(ErrorCode::DatabaseCorrupt | ErrorCode::Unknown) => {
            RegistryError::Damaged { path, message: e.to_string() }
        }
        _ => RegistryError::Database { path, message: e.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    #[test]
    fn another_programs_database_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("other.sqlite");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        assert!(matches!(Registry::open(&path, NOW), Err(RegistryError::NotARegistry(_))));
        std::fs::write(&path, "no database, but long enough to look like one".repeat(40)).unwrap();
        assert!(matches!(Registry::open(&path, NOW), Err(RegistryError::NotARegistry(_))));
    }

    #[test]
    fn a_later_schema_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.sqlite");
        let registry = Registry::open(&path, NOW).unwrap();
        registry.connection.pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(Registry::open(&path, NOW), Err(RegistryError::TooNew { found: 99, .. })));
    }

    #[test]
    fn crl_numbers_grow() {
        let dir = tempfile::tempdir().unwrap();
        let mut registry = Registry::open(&dir.path().join("r.sqlite"), NOW).unwrap();
        let numbers: Vec<u64> =
            (0..3).map(|_| registry.next_crl_number("root", &[], 1, NOW).unwrap()).collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert_eq!(registry.next_crl_number("line", &[], 1, NOW).unwrap(), 1);
        let of_the_same_name = ["root".to_owned()];
        assert_eq!(registry.next_crl_number("line", &of_the_same_name, 1, NOW).unwrap(), 4);
    }
}
