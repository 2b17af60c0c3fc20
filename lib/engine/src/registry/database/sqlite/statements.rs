//! Statements, rows and errors of SQLite.

use std::path::Path;
use std::time::Duration;

use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params,
    params_from_iter,
};

use crate::failure::Underlying;
use crate::files;
use crate::registry::database::value::{Fetched, Value};
use crate::registry::new_row::NewRow;
use crate::registry::{RegistryError, Result};

/// How long a station waits for another one's transaction.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// SQLite's page cache, in KiB as a negative number: devices come in any order, so that their rows touch
/// pages all over the index of live ones.
pub(super) const CACHE: i64 = -24_000;

/// Statements that a connection keeps prepared.
pub(super) const STATEMENTS: usize = 100;

/// Takes the write lock at once: a transaction that begins by reading could not wait for it.
pub(in crate::registry) fn begin<'c>(
    connection: &'c Connection,
    path: &Path,
) -> Result<Transaction<'c>> {
    Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
        .map_err(|e| error(path, e))
}

pub(in crate::registry::database) fn execute(
    connection: &Connection,
    sql: &str,
    values: &[Value<'_>],
) -> rusqlite::Result<usize> {
    connection.prepare_cached(sql)?.execute(params_from_iter(values))
}

pub(in crate::registry::database) fn first<T>(
    connection: &Connection,
    path: &Path,
    sql: &str,
    values: &[Value<'_>],
    read: impl FnOnce(&Fetched<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let fail = |e: rusqlite::Error| error(path, e);
    let mut query = connection.prepare_cached(sql).map_err(fail)?;
    let found =
        query.query_row(params_from_iter(values), |row| Ok(read(&Fetched::sqlite(row, path))));
    found.optional().map_err(fail)?.transpose()
}

pub(in crate::registry::database) fn each<E: From<RegistryError>>(
    connection: &Connection,
    path: &Path,
    sql: &str,
    values: &[Value<'_>],
    visit: &mut dyn FnMut(&Fetched<'_>) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let fail = |e: rusqlite::Error| E::from(error(path, e));
    let mut query = connection.prepare_cached(sql).map_err(fail)?;
    let mut rows = query.query(params_from_iter(values)).map_err(fail)?;
    while let Some(row) = rows.next().map_err(fail)? {
        visit(&Fetched::sqlite(row, path))?;
    }
    Ok(())
}

const INSERT: &str = "
INSERT INTO certificate (ca, role, client_id, folded_id, issuer, serial, not_before, not_after, status,
    recorded, batch, details, location, has_key, audit, digest, der, key, bundle)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?19, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";

/// Adds rows, which a row of the audit log will tell of.
pub(in crate::registry::database) fn insert(
    connection: &Connection,
    path: &Path,
    audit: i64,
    rows: &[NewRow<'_>],
) -> Result<()> {
    let fail = |e: rusqlite::Error| error(path, e);
    let mut insert = connection.prepare_cached(INSERT).map_err(fail)?;
    for new in rows {
        let row = new.row();
        let values = params![
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
            new.digest,
            row.der,
            new.key,
            row.bundle,
            new.status.name(),
        ];
        insert.execute(values).map_err(fail)?;
    }
    Ok(())
}

/// What SQLite's errors mean. A constraint that does not hold is a conflict: another process was first.
pub(in crate::registry) fn error(file: &Path, e: rusqlite::Error) -> RegistryError {
    let path = file.display().to_string();
    match e.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => RegistryError::Conflict,
        Some(ErrorCode::NotADatabase) => RegistryError::NotARegistry(path),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => RegistryError::Busy(path),
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
            RegistryError::Damaged { path, reason: Underlying::of(e) }
        }
        _ => RegistryError::Database { path, reason: Underlying::of(e) },
    }
}
