//! The registry in an SQLite file: WAL, synchronous=FULL, one transaction per change.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params,
};
use time::OffsetDateTime;

use super::audit::row_hash;
use super::{NewRecord, Record, RegistryError, Role, Status};
use crate::cert::Certificate;
use crate::crypto::{hex, sha256};

/// The schema's version, in SQLite's `user_version`.
const VERSION: i64 = 1;

/// "c8yp": SQLite's `application_id`, so that another program's database is not taken for ours.
const APPLICATION: i64 = 0x6338_7970;

/// How long a station waits for another one's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

const SCHEMA: &str = "
CREATE TABLE certificate (
    id INTEGER PRIMARY KEY,
    ca TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('ca', 'device')),
    client_id TEXT,
    folded_id TEXT,
    issuer BLOB NOT NULL,
    serial BLOB NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('live', 'superseded', 'revoked')),
    recorded INTEGER NOT NULL,
    batch TEXT NOT NULL,
    details TEXT NOT NULL,
    der BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX certificate_serial ON certificate (issuer, serial);
CREATE UNIQUE INDEX certificate_live_device ON certificate (folded_id)
    WHERE folded_id IS NOT NULL AND status = 'live';
CREATE TABLE crl_number (ca TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT;
CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
";

/// An open registry.
#[derive(Debug)]
pub struct Registry {
    connection: Connection,
    path: PathBuf,
}

type Result<T> = std::result::Result<T, RegistryError>;

impl Registry {
    /// Opens the registry at `path`; makes it if the file does not exist.
    pub fn open(path: &Path) -> Result<Self> {
        let fail = |e: rusqlite::Error| database_error(path, &e);
        let connection = Connection::open(path).map_err(fail)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(fail)?;
        let mut registry = Self { connection, path: path.to_owned() };
        registry.prepare_schema()?;
        Ok(registry)
    }

    fn error(&self, e: &rusqlite::Error) -> RegistryError {
        database_error(&self.path, e)
    }

    fn prepare_schema(&mut self) -> Result<()> {
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
            (APPLICATION, found, _) => {
                return Err(RegistryError::TooNew { path, found, known: VERSION });
            }
            (0, 0, true) => {}
            _ => return Err(RegistryError::NotARegistry(path)),
        }
        transaction.execute_batch(SCHEMA).map_err(fail)?;
        transaction.pragma_update(None, "application_id", APPLICATION).map_err(fail)?;
        transaction.pragma_update(None, "user_version", VERSION).map_err(fail)?;
        transaction.commit().map_err(fail)
    }

    /// Records certificates and one audit row in one durable transaction: all of them or none.
    ///
    /// [`RegistryError::Conflict`] if one of the devices is live already.
    pub fn record(
        &mut self,
        batch: &str,
        now: OffsetDateTime,
        records: &[NewRecord],
    ) -> Result<()> {
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| database_error(&path, &e);
        let transaction = begin(&mut self.connection, &self.path)?;
        let mut digest = Vec::with_capacity(records.len() * 32);
        {
            let mut insert = transaction
                .prepare_cached(
                    "INSERT INTO certificate (ca, role, client_id, folded_id, issuer, serial,
                     not_before, not_after, status, recorded, batch, details, der)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'live', ?9, ?10, ?11, ?12)",
                )
                .map_err(fail)?;
            for record in records {
                let cert = &record.certificate;
                digest.extend_from_slice(&sha256(cert.der()));
                let device = record.device.as_ref();
                insert
                    .execute(params![
                        record.ca,
                        if device.is_some() { "device" } else { "ca" },
                        device.map(|d| d.as_str()),
                        device.map(|d| d.folded()),
                        cert.issuer.der(),
                        cert.serial.octets(),
                        cert.not_before.unix_timestamp(),
                        cert.not_after.unix_timestamp(),
                        now.unix_timestamp(),
                        batch,
                        serde_json::to_string(&record.details).unwrap_or_default(),
                        cert.der(),
                    ])
                    .map_err(|e| conflict_or(&path, &e))?;
            }
        }
        let detail = format!(
            "{{\"batch\":{},\"certificates\":{},\"sha256\":\"{}\"}}",
            serde_json::Value::from(batch),
            records.len(),
            hex(&sha256(&digest))
        );
        append_audit(&transaction, now, "issue", &detail).map_err(fail)?;
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

    /// The live certificate of a device, by its folded client id.
    pub fn live_device(&self, folded: &str) -> Result<Option<Record>> {
        self.query("WHERE folded_id = ?1 AND status = 'live'", &[&folded])
            .map(|mut records| records.pop())
    }

    /// All live devices in the order in which they were issued, of one CA or of all.
    pub fn live_devices(&self, ca: Option<&str>) -> Result<Vec<Record>> {
        self.query(
            "WHERE role = 'device' AND status = 'live' AND (?1 IS NULL OR ca = ?1) ORDER BY id",
            &[&ca],
        )
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

    /// The next CRL number of a CA: one more than the last, from 1, durable before it is used.
    pub fn next_crl_number(&mut self, ca: &str, now: OffsetDateTime) -> Result<u64> {
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| database_error(&path, &e);
        let transaction = begin(&mut self.connection, &self.path)?;
        let number: i64 = transaction
            .query_row(
                "INSERT INTO crl_number (ca, number) VALUES (?1, 1)
                 ON CONFLICT (ca) DO UPDATE SET number = number + 1 RETURNING number",
                [ca],
                |row| row.get(0),
            )
            .map_err(fail)?;
        let detail = format!("{{\"ca\":{},\"number\":{number}}}", serde_json::Value::from(ca));
        append_audit(&transaction, now, "crl", &detail).map_err(fail)?;
        transaction.commit().map_err(fail)?;
        Ok(number.cast_unsigned())
    }

    fn query(&self, tail: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<Record>> {
        let sql = format!(
            "SELECT ca, role, client_id, status, recorded, batch, details, der FROM certificate {tail}"
        );
        let collect = || -> rusqlite::Result<Vec<Record>> {
            self.connection.prepare_cached(&sql)?.query_map(values, read_record)?.collect()
        };
        collect().map_err(|e| self.error(&e))
    }
}

/// Takes the write lock at once: a transaction that begins by reading could not wait for it.
fn begin<'c>(connection: &'c mut Connection, path: &Path) -> Result<Transaction<'c>> {
    connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|e| database_error(path, &e))
}

fn read_record(row: &rusqlite::Row<'_>) -> rusqlite::Result<Record> {
    let role: String = row.get(1)?;
    let status: String = row.get(3)?;
    let details: String = row.get(6)?;
    Ok(Record {
        ca: row.get(0)?,
        role: if role == "ca" { Role::Ca } else { Role::Device },
        client_id: row.get(2)?,
        status: match status.as_str() {
            "live" => Status::Live,
            "revoked" => Status::Revoked,
            _ => Status::Superseded,
        },
        recorded: OffsetDateTime::from_unix_timestamp(row.get(4)?)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH),
        batch: row.get(5)?,
        details: serde_json::from_str(&details).unwrap_or_default(),
        der: row.get(7)?,
    })
}

fn append_audit(
    connection: &Connection,
    now: OffsetDateTime,
    action: &str,
    detail: &str,
) -> rusqlite::Result<()> {
    let last: Option<(i64, Vec<u8>)> = connection
        .query_row("SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let (sequence, previous) = last.map_or((1, Vec::new()), |(n, hash)| (n + 1, hash));
    let at = now.unix_timestamp();
    let hash = row_hash(&previous, sequence, at, action, detail);
    connection.execute(
        "INSERT INTO audit (sequence, at, action, detail, hash) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![sequence, at, action, detail, hash],
    )?;
    Ok(())
}

fn conflict_or(path: &Path, e: &rusqlite::Error) -> RegistryError {
    match e.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => RegistryError::Conflict,
        _ => database_error(path, e),
    }
}

fn database_error(path: &Path, e: &rusqlite::Error) -> RegistryError {
    let path = path.display().to_string();
    match e.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => RegistryError::NotARegistry(path),
        _ => RegistryError::Database { path, message: e.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_programs_database_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("other.sqlite");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        assert!(matches!(Registry::open(&path), Err(RegistryError::NotARegistry(_))));
        std::fs::write(&path, "no database, but long enough to look like one".repeat(40)).unwrap();
        assert!(matches!(Registry::open(&path), Err(RegistryError::NotARegistry(_))));
    }

    #[test]
    fn a_later_schema_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.sqlite");
        Registry::open(&path).unwrap().connection.pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(Registry::open(&path), Err(RegistryError::TooNew { found: 99, .. })));
    }

    #[test]
    fn crl_numbers_grow() {
        let dir = tempfile::tempdir().unwrap();
        let mut registry = Registry::open(&dir.path().join("r.sqlite")).unwrap();
        let now = OffsetDateTime::UNIX_EPOCH;
        let numbers: Vec<u64> =
            (0..3).map(|_| registry.next_crl_number("root", now).unwrap()).collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert_eq!(registry.next_crl_number("line", now).unwrap(), 1);
    }
}
