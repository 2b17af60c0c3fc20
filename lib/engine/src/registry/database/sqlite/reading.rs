//! A registry that is only read, also where nothing can be written: a read-only file system, a backup.
//!
//! SQLite keeps what was written last in a log beside the database (`registry.sqlite-wal`), and an index of
//! that log in memory that it shares through a file (`registry.sqlite-shm`). Where that file cannot be made,
//! the database has to be opened in another way, depending on what is there.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use time::OffsetDateTime;

use super::error;
use super::schema::{APPLICATION, VERSION};
use super::statements::{BUSY_TIMEOUT, CACHE, STATEMENTS};
use crate::files;
use crate::registry::{Database, Registry, RegistryError, Result};

/// SQLite's way to the file system without locks: nobody can hold one where nothing can be written.
#[cfg(unix)]
const WITHOUT_LOCKS: &str = "unix-none";
#[cfg(not(unix))]
const WITHOUT_LOCKS: &str = "win32-none";

/// How a registry is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::registry) enum Way {
    /// It can be written.
    Written,
    /// It is read beside others, with its log: the index of it is there.
    Shared,
    /// It is read with its log, of which an index of our own is made: nobody else has it open.
    Alone,
    /// The file alone is read: there is no log, or it cannot be read.
    File,
}

impl Registry {
    /// Opens the registry at `path` to read it. Where it can be written this is [`Registry::open`]; where
    /// it cannot, nothing is, and what would write fails with [`RegistryError::ReadOnly`].
    ///
    /// Errors: [`RegistryError::TooOld`] for one of a former version that cannot be brought up there.
    pub fn open_to_read(path: &Path, now: OffsetDateTime) -> Result<Self> {
        let (log, index) = (log_of(path), index_of(path));
        let there = [log.as_path(), index.as_path()].into_iter().filter(|file| file.exists());
        if files::is_folder_writable(path) && there.chain([path]).all(files::is_writable) {
            return Self::open(path, now);
        }
        let has_log = files::len(&log).is_some_and(|bytes| bytes > 0);
        let ways: &[Way] = match (has_log, index.exists()) {
            (false, _) => &[Way::File],
            (true, true) => &[Way::Shared, Way::Alone, Way::File],
            (true, false) => &[Way::Alone, Way::File],
        };
        let read = |way: Way| -> Result<Self> {
            let connection = connect(path, way)?;
            check_schema(&connection, path)?;
            Ok(Self::over(connection, path, way))
        };
        let mut last = RegistryError::ReadOnly(path.display().to_string());
        for way in ways {
            match read(*way) {
                // Another way may do.
                Err(e @ (RegistryError::Database { .. } | RegistryError::ReadOnly(_))) => last = e,
                done => return done,
            }
        }
        Err(last)
    }

    /// Whether nothing can be written to it.
    pub fn is_read_only(&self) -> bool {
        match &self.database {
            Database::Sqlite(_, way) => *way != Way::Written,
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => false,
        }
    }

    /// The log with the latest changes, if there is one that could not be read: what is told here is then
    /// older.
    pub fn unread_log(&self) -> Option<PathBuf> {
        let log = log_of(&self.path);
        let has_log = || files::len(&log).is_some_and(|bytes| bytes > 0);
        let is_file = matches!(&self.database, Database::Sqlite(_, Way::File));
        (is_file && has_log()).then_some(log)
    }

    /// What the database itself finds wrong with what it keeps, over a connection of its own.
    pub(in crate::registry) fn problems(&self) -> Result<Vec<String>> {
        match &self.database {
            Database::Sqlite(_, way) => {
                let way = if *way == Way::Written { Way::Shared } else { *way };
                let connection = connect(&self.path, way)?;
                problems_of(&connection).map_err(|e| error(&self.path, &e))
            }
            // Its administrator has tools for that (pg_amcheck); rows are held to their digests here.
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => Ok(Vec::new()),
        }
    }
}

/// What SQLite finds wrong with the file.
fn problems_of(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut query = connection.prepare("PRAGMA integrity_check(20)")?;
    let said: rusqlite::Result<Vec<String>> = query.query_map([], |row| row.get(0))?.collect();
    let problems = said?.into_iter().filter(|message| message != "ok");
    Ok(problems.map(|message| format!("the file is damaged: {message}")).collect())
}

fn beside_of(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(end);
    path.with_file_name(name)
}

/// The log of a registry.
fn log_of(path: &Path) -> PathBuf {
    beside_of(path, "-wal")
}

/// The index of its log.
fn index_of(path: &Path) -> PathBuf {
    beside_of(path, "-shm")
}

/// Opens the file to read it.
pub(super) fn connect(path: &Path, way: Way) -> Result<Connection> {
    let fail = |e: rusqlite::Error| error(path, &e);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match way {
        Way::Written | Way::Shared => Connection::open_with_flags(path, flags),
        Way::Alone => Connection::open_with_flags_and_vfs(path, flags, WITHOUT_LOCKS),
        Way::File => {
            let address =
                std::path::absolute(path).ok().and_then(|p| url::Url::from_file_path(p).ok());
            let address = address.map(|url| format!("{url}?immutable=1"));
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(address.unwrap_or_default(), flags)
        }
    };
    let connection = connection.map_err(fail)?;
    if way == Way::Alone {
        // The index of the log is then kept in memory.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(fail)?;
    }
    connection.busy_timeout(BUSY_TIMEOUT).map_err(fail)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "cache_size", CACHE).map_err(fail)?;
    Ok(connection)
}

/// Refuses what is not a registry of this version.
pub(super) fn check_schema(connection: &Connection, path: &Path) -> Result<()> {
    let name = || path.display().to_string();
    let pragma = |name: &str| -> Result<i64> {
        let value = connection.pragma_query_value(None, name, |row| row.get(0));
        value.map_err(|e| error(path, &e))
    };
    match (pragma("application_id")?, pragma("user_version")?) {
        (APPLICATION, VERSION) => Ok(()),
        (APPLICATION, found) if found < VERSION => {
            Err(RegistryError::TooOld { path: name(), found, known: VERSION })
        }
        (APPLICATION, found) => Err(RegistryError::TooNew { path: name(), found, known: VERSION }),
        _ => Err(RegistryError::NotARegistry(name())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    /// A registry whose last change is in its log only, copied while it is open.
    fn copied(dir: &Path, files: &[&str]) -> PathBuf {
        let mut registry = Registry::open(&dir.join("r"), NOW).unwrap();
        registry.next_crl_number("line", &[], 7, NOW).unwrap();
        let copy = dir.join("copy");
        std::fs::create_dir(&copy).unwrap();
        for file in files {
            std::fs::copy(dir.join(file), copy.join(file)).unwrap();
        }
        copy.join("r")
    }

    fn last_number(connection: &Connection) -> rusqlite::Result<i64> {
        connection.query_row("SELECT number FROM crl_number", [], |row| row.get(0))
    }

    #[test]
    fn a_copy_is_read_with_its_log_and_without_an_index() {
        let dir = tempfile::tempdir().unwrap();
        let path = copied(dir.path(), &["r", "r-wal"]);
        let connection = connect(&path, Way::Alone).unwrap();
        assert_eq!(last_number(&connection).unwrap(), 7);
        assert!(!index_of(&path).exists(), "an index was written");
        // Two at once.
        assert_eq!(last_number(&connect(&path, Way::Alone).unwrap()).unwrap(), 7);
    }

    #[test]
    fn a_file_alone_is_read_as_it_is_and_nothing_is_made() {
        let dir = tempfile::tempdir().unwrap();
        drop(Registry::open(&dir.path().join("r"), NOW).unwrap());
        std::fs::create_dir(dir.path().join("a b#c%20?")).unwrap();
        let path = dir.path().join("a b#c%20?").join("r");
        std::fs::copy(dir.path().join("r"), &path).unwrap();
        let connection = connect(&path, Way::File).unwrap();
        check_schema(&connection, &path).unwrap();
        assert!(connection.execute_batch("DELETE FROM audit").is_err());
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn an_older_one_that_cannot_be_brought_up_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        let registry = Registry::open(&path, NOW).unwrap();
        registry.connection().unwrap().pragma_update(None, "user_version", 3).unwrap();
        let error = check_schema(registry.connection().unwrap(), &path).unwrap_err();
        assert!(error.to_string().contains("schema version 3, and it is read-only"), "{error}");
    }
}
