//! The registry in an SQLite file: WAL, synchronous=FULL, one transaction per change.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicI64;

use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params,
};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::connections::Connections;
use super::keys::Newcomers;
use super::reading::Way;
use super::{
    Holder, NewRecord, Record, RegistryError, Replaced, Row, Status, audit, audit_name, foreign,
    keys, marks,
};
use crate::crl::Reason;
use crate::crypto::{hex, sha256};
use crate::files::{self, Mark};

/// An open registry. Threads can share it: each has a connection of its own.
#[derive(Debug)]
pub struct Registry {
    pub(super) connections: Connections,
    pub(super) path: PathBuf,
    pub(super) way: Way,
    /// The row of the audit log up to which the names of CAs are known.
    pub(super) names_until: AtomicI64,
}

pub(super) type Result<T> = std::result::Result<T, RegistryError>;

impl Registry {
    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn error(&self, e: &rusqlite::Error) -> RegistryError {
        database_error(&self.path, e)
    }

    /// Records certificates in one durable transaction: all of them or none. Those that they
    /// replace become superseded, or revoked, in the same one.
    ///
    /// [`RegistryError::Conflict`] if one of the devices is live already, or if a certificate that
    /// is to be replaced is not live any more. [`RegistryError::KeyTaken`] if somebody else has a key
    /// that came from outside.
    pub fn record(
        &mut self,
        batch: &str,
        now: OffsetDateTime,
        records: &[NewRecord],
    ) -> Result<()> {
        self.record_with(batch, now, &records.iter().collect::<Vec<_>>(), &[], None)
    }

    /// The same, and keeps the `marks` of files that hold their keys or passwords. Of the keys from outside
    /// only the `newcomers` are looked at, if a run has some.
    pub(crate) fn record_with(
        &self,
        batch: &str,
        now: OffsetDateTime,
        records: &[&NewRecord],
        marks: &[Mark],
        mut newcomers: Option<&mut Newcomers>,
    ) -> Result<()> {
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| database_error(&path, &e);
        let transaction = begin(self.connection()?, &self.path)?;
        if let Some(newcomers) = newcomers.as_deref_mut() {
            newcomers.update(&transaction, batch).map_err(fail)?;
        }
        let replaced: Vec<&Replaced> = records.iter().filter_map(|r| r.replaces.as_ref()).collect();
        for revoke in [false, true] {
            supersede(&transaction, &path, now, replaced.iter().filter(|r| r.revoke == revoke))?;
        }
        keys::check_free(&transaction, &path, records, newcomers.as_deref())?;
        foreign::check_new(&transaction, &path, records)?;
        let (next, _) = audit::head(&transaction).map_err(fail)?;
        self.check_names(&transaction, next, records.iter().map(|r| r.ca.as_str()))?;
        let mut digests = Vec::with_capacity(records.len() * 32);
        let mut insert = transaction.prepare_cached(INSERT).map_err(fail)?;
        for record in records {
            let digest = add_row(&mut insert, batch, now, next + 1, record);
            digests.extend_from_slice(&digest.map_err(|e| conflict_or(&path, &e))?);
        }
        drop(insert);
        let detail = serde_json::json!({
            "batch": batch,
            "certificates": records.len(),
            "rows": hex(&sha256(&digests)),
        });
        audit::append(&transaction, now, "issue", &detail).map_err(fail)?;
        for mark in marks {
            marks::keep(&transaction, mark).map_err(fail)?;
        }
        transaction.commit().map_err(fail)
    }

    /// Revokes certificates in one durable transaction: all of them or none. `records` are rows of
    /// this registry; a superseded certificate can be revoked too.
    ///
    /// [`RegistryError::AlreadyRevoked`] if one is revoked already: when and why stays as it is.
    /// [`RegistryError::RevocationDate`] if `at` lies in the future, or before the certificate's
    /// notBefore. `now` is never too early: a certificate that is valid only from tomorrow can be revoked
    /// today. [`RegistryError::Conflict`] for [`Reason::KeyCompromise`] if another certificate that is not
    /// revoked has a key of theirs: `records` have to be all of that key's.
    pub fn revoke(
        &mut self,
        records: &[Record],
        reason: Reason,
        at: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<()> {
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| database_error(&path, &e);
        let transaction = begin(self.connection()?, &self.path)?;
        if reason == Reason::KeyCompromise {
            keys::check_all_of_keys(&transaction, &path, records)?;
        }
        for record in records {
            check_date(record, at, now)?;
            let changed = transaction
                .execute(
                    "UPDATE certificate SET status = 'revoked', revoked_at = ?1, reason = ?2
                     WHERE id = ?3 AND der = ?4 AND status <> 'revoked'",
                    params![at.unix_timestamp(), reason as u8, record.row.0, record.der],
                )
                .map_err(fail)?;
            if changed == 0 {
                return Err(already_revoked(record));
            }
        }
        let certificates: Vec<_> =
            records.iter().map(|r| audit_name(r.serial.bytes(), &r.der)).collect();
        let detail = serde_json::json!({
            "reason": reason.name(),
            "revoked_at": at.unix_timestamp(),
            "certificates": certificates,
        });
        audit::append(&transaction, now, "revoke", &detail).map_err(fail)?;
        transaction.commit().map_err(fail)
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
        let transaction = begin(self.connection()?, &self.path)?;
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
}

/// Takes the write lock at once: a transaction that begins by reading could not wait for it.
pub(super) fn begin<'c>(connection: &'c Connection, path: &Path) -> Result<Transaction<'c>> {
    Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
        .map_err(|e| database_error(path, &e))
}

pub(super) const INSERT: &str = "
INSERT INTO certificate (ca, role, client_id, folded_id, issuer, serial, not_before, not_after, status,
    recorded, batch, details, location, has_key, audit, digest, der, key, bundle)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'live', ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";

/// Adds a row; returns its digest.
pub(super) fn add_row(
    insert: &mut rusqlite::CachedStatement<'_>,
    batch: &str,
    now: OffsetDateTime,
    audit: i64,
    record: &NewRecord,
) -> rusqlite::Result<[u8; 32]> {
    let cert = &record.certificate;
    let (role, client_id, folded) = record.holder.columns();
    let details = serde_json::to_string(&record.details).unwrap_or_default();
    let location = record.location.as_ref().map(|path| path.to_string_lossy());
    let row = Row {
        ca: &record.ca,
        role,
        client_id: client_id.as_deref(),
        folded_id: folded.as_deref(),
        issuer: &cert.issuer,
        serial: cert.serial.bytes(),
        not_before: cert.not_before.unix_timestamp(),
        not_after: cert.not_after.unix_timestamp(),
        recorded: now.unix_timestamp(),
        batch,
        details: &details,
        location: location.as_deref(),
        has_key: record.has_key,
        der: &cert.der,
        bundle: record.bundle.as_deref(),
    };
    let digest = row.digest();
    insert.execute(params![
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
        keys::key_start(&cert.key_digest),
        row.bundle,
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
        let ended: Option<(Vec<u8>, Vec<u8>)> = connection
            .prepare_cached(
                "UPDATE certificate SET status = ?1, revoked_at = ?2, reason = ?3
                 WHERE id = ?4 AND status = 'live' RETURNING serial, der",
            )
            .and_then(|mut update| {
                let reason = at.map(|_| Reason::Superseded as u8);
                let values = params![status.name(), at, reason, old.row.0];
                update.query_row(values, |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .map_err(fail)?;
        let (serial, der) = ended.ok_or(RegistryError::Conflict)?;
        certificates.push(audit_name(&serial, &der));
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

/// Refuses a date of revocation that cannot be; in whole seconds, as it is kept.
fn check_date(record: &Record, at: OffsetDateTime, now: OffsetDateTime) -> Result<()> {
    let seconds = |time: OffsetDateTime| time.unix_timestamp();
    let problem = match () {
        () if seconds(at) > seconds(now) => "that lies in the future".to_owned(),
        () if seconds(at) == seconds(now) || at >= record.not_before => return Ok(()),
        () => format!("it is valid from {}", rfc3339(record.not_before)),
    };
    Err(RegistryError::RevocationDate {
        serial: record.serial.clone(),
        holder: holder(record),
        at: rfc3339(at),
        problem,
    })
}

fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}

/// The device, or the subject of a CA.
fn holder(record: &Record) -> String {
    match &record.holder {
        Holder::Device(id) => id.to_string(),
        Holder::Server(name) => name.to_string(),
        Holder::Ca => record.certificate().map(|c| c.subject.to_string()).unwrap_or_default(),
    }
}

fn already_revoked(record: &Record) -> RegistryError {
    let holder = holder(record);
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

pub(super) fn conflict_or(path: &Path, e: &rusqlite::Error) -> RegistryError {
    match e.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => RegistryError::Conflict,
        _ => database_error(path, e),
    }
}

pub(super) fn database_error(file: &Path, e: &rusqlite::Error) -> RegistryError {
    let path = file.display().to_string();
    match e.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => RegistryError::NotARegistry(path),
        Some(ErrorCode::DiskFull) => RegistryError::NoSpace(path),
        // Where SQLite only says that a write failed.
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) if files::is_disk_full(file) => {
            RegistryError::NoSpace(path)
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => RegistryError::ReadOnly(path),
        // Its log and the index of it cannot be made.
        Some(ErrorCode::CannotOpen) if file.exists() && !files::is_folder_writable(file) => {
            RegistryError::ReadOnly(path)
        }
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
    fn a_new_registry_has_large_pages() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::open(&dir.path().join("r"), NOW).unwrap();
        let of = |name| -> i64 {
            registry.connection().unwrap().pragma_query_value(None, name, |row| row.get(0)).unwrap()
        };
        assert_eq!((of("page_size"), of("wal_autocheckpoint")), (8192, 4096));
    }

    #[test]
    fn a_later_schema_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.sqlite");
        let registry = Registry::open(&path, NOW).unwrap();
        registry.connection().unwrap().pragma_update(None, "user_version", 99).unwrap();
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
