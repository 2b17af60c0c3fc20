//! A connection that writes: made and set up.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

use super::error;
use super::statements::{BUSY_TIMEOUT, CACHE, STATEMENTS};
use crate::registry::Result;

/// Bytes of a page of a new registry: half as many pages to be summed and written as with SQLite's own
/// choice.
const PAGE: i64 = 8192;

/// Bytes of the write-ahead log after which it is copied into the database. A page that many chunks
/// change is then copied once for all of them.
const CHECKPOINT: i64 = 32 << 20;

/// Between two attempts that SQLite does not wait for.
const PAUSE: Duration = Duration::from_millis(10);

/// Opens the file to write to it; makes it if it does not exist.
pub(in crate::registry) fn open(path: &Path) -> Result<Connection> {
    let made = || {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "page_size", PAGE)?;
        write_ahead(&connection)?;
        set_up(&connection, CACHE)?;
        Ok(connection)
    };
    made().map_err(|e| error(path, e))
}

/// Sets up a connection that writes.
pub(super) fn set_up(connection: &Connection, cache: i64) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    keep_statements(connection)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", cache)?;
    // A registry of a former version keeps the pages that it has.
    let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT / page.max(1))
}

/// Statements stay prepared as they are. SQLite would prepare each of them again for each value that could decide about an
/// index of a part of the rows.
pub(super) fn keep_statements(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(|_| ())
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
