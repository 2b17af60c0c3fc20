//! A copy of the registry in a file of its own, of one moment, while others write to it.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::error;
use super::statements::BUSY_TIMEOUT;
use crate::registry::Result;

/// Between two attempts that SQLite does not wait for.
const PAUSE: Duration = Duration::from_millis(10);

/// Closes a file that nobody else has open, so that it is one file without a log.
#[cfg(feature = "postgres")]
pub(in crate::registry) fn close_file(path: &Path) -> Result<()> {
    without_log(Connection::open(path).map_err(|e| error(path, e))?, path)
}

/// SQLite's own online backup into an empty file that is there: SQLite would make one with the mode of the umask. The
/// copy is one file without a log.
pub(in crate::registry) fn copy_file(connection: &Connection, path: &Path) -> Result<()> {
    let fail = |e: rusqlite::Error| error(path, e);
    let mut copy = Connection::open(path).map_err(fail)?;
    let given_up = Instant::now() + BUSY_TIMEOUT;
    let backup = Backup::new(connection, &mut copy).map_err(fail)?;
    loop {
        // All pages in one step: what others write meanwhile would begin it anew.
        match backup.step(-1).map_err(fail)? {
            StepResult::Done => break,
            _ if Instant::now() < given_up => std::thread::sleep(PAUSE),
            _ => {
                return Err(fail(rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
                    None,
                )));
            }
        }
    }
    drop(backup);
    without_log(copy, path)
}

/// Turns the log of a file that nobody else has open into none.
fn without_log(copy: Connection, path: &Path) -> Result<()> {
    let fail = |e: rusqlite::Error| error(path, e);
    copy.pragma_update(None, "journal_mode", "DELETE").map_err(fail)?;
    copy.close().map_err(|(_, e)| fail(e))
}
