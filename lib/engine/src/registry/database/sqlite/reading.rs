//! A registry that is only read, also where nothing can be written: a read-only file system, a backup.
//!
//! SQLite keeps what was written last in a log beside the database (`registry.sqlite-wal`), and an index of
//! that log in memory that it shares through a file (`registry.sqlite-shm`). Where that file cannot be made,
//! the database has to be opened in another way, depending on what is there.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::error;
use super::opening::keep_statements;
use super::schema::{APPLICATION, VERSION};
use super::statements::{BUSY_TIMEOUT, CACHE};
use crate::files;
use crate::registry::{RegistryError, Result};

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

/// The ways to open a registry that is to be read, the best one first: it is written where it can be.
pub(in crate::registry) fn ways(path: &Path) -> &'static [Way] {
    let (log, index) = (log_of(path), index_of(path));
    let there = [log.as_path(), index.as_path()].into_iter().filter(|file| file.exists());
    if files::is_folder_writable(path) && there.chain([path]).all(files::is_writable) {
        return &[Way::Written];
    }
    match (filled_log(path).is_some(), index.exists()) {
        (false, _) => &[Way::File],
        (true, true) => &[Way::Shared, Way::Alone, Way::File],
        (true, false) => &[Way::Alone, Way::File],
    }
}

/// The log of a registry, if there is something in it.
pub(in crate::registry) fn filled_log(path: &Path) -> Option<PathBuf> {
    let log = log_of(path);
    let has_log = files::len(&log).is_some_and(|bytes| bytes > 0);
    has_log.then_some(log)
}

/// What SQLite itself finds wrong with what it keeps, over a connection of its own.
pub(in crate::registry) fn problems(path: &Path, way: Way) -> Result<Vec<String>> {
    let way = if way == Way::Written { Way::Shared } else { way };
    problems_of(&connect(path, way)?).map_err(|e| error(path, e))
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
pub(in crate::registry) fn connect(path: &Path, way: Way) -> Result<Connection> {
    let fail = |e: rusqlite::Error| error(path, e);
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
    keep_statements(&connection).map_err(fail)?;
    connection.pragma_update(None, "cache_size", CACHE).map_err(fail)?;
    Ok(connection)
}

/// Refuses what is not a registry of this version.
pub(in crate::registry) fn check_schema(connection: &Connection, path: &Path) -> Result<()> {
    let name = || path.display().to_string();
    let pragma = |name: &str| -> Result<i64> {
        let value = connection.pragma_query_value(None, name, |row| row.get(0));
        value.map_err(|e| error(path, e))
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
    use time::OffsetDateTime;

    use super::*;
    use crate::registry::Registry;

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
