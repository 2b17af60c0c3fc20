//! A copy of the registry while others write to it: SQLite's own online backup, of one moment.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use time::OffsetDateTime;

use super::audit;
use super::opening::BUSY_TIMEOUT;
use super::reading::{Way, check_schema, connect};
use super::sqlite::{Registry, Result, begin, database_error};

/// Between two attempts that SQLite does not wait for.
const PAUSE: Duration = Duration::from_millis(10);

/// The row of the audit log of a registry that came from a backup.
const RESTORE: &str = "restore";

impl Registry {
    /// Writes a copy of it, as it is at one moment, into an empty file that is there: SQLite would make one with the
    /// mode of the umask. The copy is one file without a log.
    pub(crate) fn copy_to(&self, path: &Path) -> Result<()> {
        let fail = |e: rusqlite::Error| database_error(path, &e);
        let mut copy = Connection::open(path).map_err(fail)?;
        let given_up = Instant::now() + BUSY_TIMEOUT;
        let backup = Backup::new(self.connection()?, &mut copy).map_err(fail)?;
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
        copy.pragma_update(None, "journal_mode", "DELETE").map_err(fail)?;
        copy.close().map_err(|(_, e)| fail(e))
    }

    /// Opens a copy that is one file and that nobody writes to. Nothing is made beside it.
    pub fn open_copy(path: &Path) -> Result<Self> {
        let connection = connect(path, Way::File)?;
        check_schema(&connection, path)?;
        Ok(Self::over(connection, path, Way::File))
    }

    /// Keeps that it came from a backup, and from which.
    pub fn note_restored(&mut self, now: OffsetDateTime, backup: &serde_json::Value) -> Result<()> {
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| database_error(&path, &e);
        let transaction = begin(self.connection()?, &self.path)?;
        audit::append(&transaction, now, RESTORE, backup).map_err(fail)?;
        transaction.commit().map_err(fail)
    }
}
