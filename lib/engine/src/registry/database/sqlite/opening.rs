//! Opening a registry: made, brought up to the present version, and set up.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};
use time::OffsetDateTime;

use super::reading::Way;
use super::schema::{self, APPLICATION, VERSION};
use super::statements::{BUSY_TIMEOUT, CACHE, STATEMENTS};
use super::{begin, error};
use crate::registry::{Registry, RegistryError, Result};

/// Bytes of a page of a new registry: half as many pages to be summed and written as with SQLite's own
/// choice.
const PAGE: i64 = 8192;

/// Bytes of the write-ahead log after which it is copied into the database. A page that many chunks
/// change is then copied once for all of them.
const CHECKPOINT: i64 = 32 << 20;

/// Between two attempts that SQLite does not wait for.
const PAUSE: Duration = Duration::from_millis(10);

impl Registry {
    /// Opens the registry at `path`; makes it if the file does not exist or is empty, and brings
    /// one of an older version up to the present one.
    pub fn open(path: &Path, now: OffsetDateTime) -> Result<Self> {
        let fail = |e: rusqlite::Error| error(path, &e);
        let connection = Connection::open(path).map_err(fail)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(fail)?;
        connection.pragma_update(None, "page_size", PAGE).map_err(fail)?;
        write_ahead(&connection).map_err(fail)?;
        set_up(&connection, CACHE).map_err(fail)?;
        prepare_schema(&connection, path, now)?;
        Ok(Self::over(connection, path, Way::Written))
    }
}

/// Sets up a connection that writes.
pub(super) fn set_up(connection: &Connection, cache: i64) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", cache)?;
    // A registry of a former version keeps the pages that it has.
    let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT / page.max(1))
}

fn prepare_schema(connection: &Connection, path: &Path, now: OffsetDateTime) -> Result<()> {
    let fail = |e: rusqlite::Error| error(path, &e);
    let pragma = |c: &Connection, name: &str| -> Result<i64> {
        c.pragma_query_value(None, name, |row| row.get(0)).map_err(fail)
    };
    // Two stations may open a new registry at once: the process that gets the write lock makes it.
    let transaction = begin(connection, path)?;
    let application = pragma(&transaction, "application_id")?;
    let version = pragma(&transaction, "user_version")?;
    let empty = transaction
        .query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
        .map_err(fail)?;
    let (file, path) = (path, path.display().to_string());
    match (application, version, empty) {
        (APPLICATION, VERSION, _) => return Ok(()),
        (APPLICATION, 1, _) => schema::migrate_1(&transaction, file, now)?,
        (APPLICATION, from @ 2..VERSION, _) => {
            schema::migrate(&transaction, file, from, now)?;
        }
        (APPLICATION, found, _) => {
            return Err(RegistryError::TooNew { path, found, known: VERSION });
        }
        (0, 0, true) => schema::create(&transaction).map_err(fail)?,
        _ => return Err(RegistryError::NotARegistry(path)),
    }
    transaction.commit().map_err(fail)
}

/// Turns on the write-ahead log. Where several processes do that at once, SQLite refuses some of them without
/// waiting, since each could be waiting for the other. So the wait is here.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let given_up = Instant::now() + BUSY_TIMEOUT;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(e)
                if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < given_up =>
            {
                std::thread::sleep(PAUSE);
            }
            ended => return ended,
        }
    }
}
