//! How a registry of an older version becomes one of the present version, in its file.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};
use time::OffsetDateTime;

use super::Result;
use super::database::sqlite::error;
use super::database::sqlite::schema::{
    BESIDE_LOG, FOREIGN, GROWING, INDEXES, KEYS, ORDERS, SERIALS, UNKNOWN, VERSION,
};
use super::database::{Session, append};
use super::hashes::key_start;
use super::query::moment;
use super::row::Row;
use crate::cert::spki_of;
use crate::clock::{self, Evidence};
use crate::crypto::{hex, sha256};

/// Rows that a migration reads at a time.
const PORTION: i64 = 4096;

/// The files that were made for a device, since version 7.
const BUNDLE: &str = "ALTER TABLE certificate ADD COLUMN bundle TEXT";

/// Brings a version from 2 on up to the present one. The audit log says that this happened.
pub(super) fn migrate(
    connection: &Connection,
    path: &Path,
    from: i64,
    now: OffsetDateTime,
) -> Result<()> {
    let fail = |e: rusqlite::Error| error(path, e);
    let at = change(connection, from).and_then(|()| believed(connection, now)).map_err(fail)?;
    let detail = serde_json::json!({ "from": from, "to": VERSION });
    append(&Session::sqlite(connection, path), at, "migrate", &detail)?;
    connection.pragma_update(None, "user_version", VERSION).map_err(fail)
}

/// Changes the tables of a version from 2 on.
fn change(connection: &Connection, from: i64) -> rusqlite::Result<()> {
    if from == 2 {
        connection.execute_batch(GROWING)?;
    }
    if from <= 3 {
        connection.execute_batch("DROP INDEX certificate_serial")?;
        connection.execute_batch(SERIALS)?;
    }
    if from <= 4 {
        add_keys(connection)?;
        connection.execute_batch(UNKNOWN)?;
    }
    if from <= 5 {
        connection.execute_batch(FOREIGN)?;
    }
    if from <= 6 {
        connection.execute_batch(BUNDLE)?;
        connection.execute_batch(ORDERS)?;
    }
    connection.execute_batch(BESIDE_LOG)
}

/// Brings version 1 up to the present one. The audit log keeps what it had, and says that this
/// happened.
pub(super) fn migrate_1(connection: &Connection, path: &Path, now: OffsetDateTime) -> Result<()> {
    let fail = |e: rusqlite::Error| error(path, e);
    let rows = change_1(connection).map_err(fail)?;
    let detail = serde_json::json!({ "from": 1, "to": VERSION, "rows": hex(&rows) });
    let at = believed(connection, now).map_err(fail)?;
    append(&Session::sqlite(connection, path), at, "migrate", &detail)?;
    connection.pragma_update(None, "user_version", VERSION).map_err(fail)
}

/// Changes the tables of version 1; returns the SHA-256 over the digests that its rows get.
fn change_1(connection: &Connection) -> rusqlite::Result<[u8; 32]> {
    connection.execute_batch(
        "DROP INDEX certificate_serial;
         ALTER TABLE certificate ADD COLUMN revoked_at INTEGER;
         ALTER TABLE certificate ADD COLUMN reason INTEGER;
         ALTER TABLE certificate ADD COLUMN location TEXT;
         ALTER TABLE certificate ADD COLUMN has_key INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE certificate ADD COLUMN audit INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE certificate ADD COLUMN digest BLOB NOT NULL DEFAULT x'';",
    )?;
    connection.execute_batch(INDEXES)?;
    connection.execute_batch(BESIDE_LOG)?;
    connection.execute_batch(GROWING)?;
    connection.execute_batch(BUNDLE)?;
    connection.execute_batch(UNKNOWN)?;
    connection.execute_batch(FOREIGN)?;
    connection.execute_batch(ORDERS)?;
    number_rows(connection)?;
    connection.execute_batch(SERIALS)?;
    add_keys(connection)?;
    digest_rows(connection)
}

/// The time of a migration, which comes before anybody is asked about the clock: that of the last entry, if
/// the clock cannot be believed without being asked.
fn believed(connection: &Connection, now: OffsetDateTime) -> rusqlite::Result<OffsetDateTime> {
    let last = "SELECT at FROM audit ORDER BY sequence DESC LIMIT 1";
    let audited: Option<i64> = connection.query_row(last, [], |row| row.get(0)).optional()?;
    let audited = audited.map(moment);
    let evidence = Evidence { audited, ..Evidence::default() };
    Ok(if clock::check(now, &evidence).is_ok() { now } else { audited.unwrap_or(now) })
}

/// Finds out which audit row recorded which certificates: both were written in the same order.
fn number_rows(connection: &Connection) -> rusqlite::Result<()> {
    let mut audit = connection
        .prepare("SELECT sequence, detail FROM audit WHERE action = 'issue' ORDER BY sequence")?;
    let mut rows = audit.query([])?;
    let mut after = 0;
    while let Some(row) = rows.next()? {
        let (sequence, detail): (i64, String) = (row.get(0)?, row.get(1)?);
        let detail: serde_json::Value = serde_json::from_str(&detail).unwrap_or_default();
        let last: Option<i64> = connection.query_row(
            "SELECT max(id) FROM
             (SELECT id FROM certificate WHERE id > ?1 ORDER BY id LIMIT ?2)",
            params![after, detail["certificates"].as_i64().unwrap_or(0)],
            |row| row.get(0),
        )?;
        let Some(last) = last else { continue };
        connection.execute(
            "UPDATE certificate SET audit = ?1 WHERE id > ?2 AND id <= ?3",
            params![sequence, after, last],
        )?;
        after = last;
    }
    Ok(())
}

/// Gives each row its digest; returns the SHA-256 over all of them.
fn digest_rows(connection: &Connection) -> rusqlite::Result<[u8; 32]> {
    let mut query = connection.prepare(
        "SELECT id, ca, role, client_id, recorded, batch, details, der, folded_id, issuer, serial,
         not_before, not_after FROM certificate ORDER BY audit, id",
    )?;
    let mut rows = query.query([])?;
    let mut digests = Vec::new();
    while let Some(row) = rows.next()? {
        let digest = Row {
            ca: row.get_ref(1)?.as_str()?,
            role: row.get_ref(2)?.as_str()?,
            client_id: row.get_ref(3)?.as_str_or_null()?,
            folded_id: row.get_ref(8)?.as_str_or_null()?,
            issuer: row.get_ref(9)?.as_blob()?,
            serial: row.get_ref(10)?.as_blob()?,
            not_before: row.get(11)?,
            not_after: row.get(12)?,
            recorded: row.get(4)?,
            batch: row.get_ref(5)?.as_str()?,
            details: row.get_ref(6)?.as_str()?,
            location: None,
            has_key: false,
            der: row.get_ref(7)?.as_blob()?,
            bundle: None,
        }
        .digest();
        digests.push((row.get::<_, i64>(0)?, digest));
    }
    for (id, digest) in &digests {
        connection
            .execute("UPDATE certificate SET digest = ?1 WHERE id = ?2", params![digest, id])?;
    }
    Ok(sha256(&digests.iter().flat_map(|(_, digest)| *digest).collect::<Vec<u8>>()))
}

/// Adds the column to a registry that has none, and fills it.
fn add_keys(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("ALTER TABLE certificate ADD COLUMN key BLOB NOT NULL DEFAULT x''")?;
    let mut select =
        connection.prepare("SELECT id, der FROM certificate WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let mut update = connection.prepare("UPDATE certificate SET key = ?1 WHERE id = ?2")?;
    let mut after = i64::MIN;
    loop {
        let mut keys = Vec::new();
        let mut rows = select.query(params![after, PORTION])?;
        while let Some(row) = rows.next()? {
            after = row.get(0)?;
            keys.push((after, spki_of(row.get_ref(1)?.as_blob()?).map(sha256)));
        }
        if keys.is_empty() {
            break;
        }
        for (id, digest) in keys {
            if let Some(digest) = digest {
                update.execute(params![key_start(&digest), id])?;
            }
        }
    }
    connection.execute_batch(KEYS)
}
