//! Opening a registry: made, brought up to the present version, or read where nothing can be written.

use std::path::Path;
#[cfg(feature = "postgres")]
use std::path::PathBuf;
use std::sync::atomic::AtomicI64;

use rusqlite::Connection;
use time::OffsetDateTime;

use super::database::Session;
#[cfg(feature = "postgres")]
use super::database::postgres::{self, Address, Links};
use super::database::sqlite::connections::Connections;
use super::database::sqlite::reading::{self, Way, check_schema, connect};
use super::database::sqlite::schema::{self, APPLICATION, VERSION};
use super::database::sqlite::{begin, error, opening};
use super::handle::Database;
use super::renames::last_row;
use super::{Registry, RegistryError, Result, migrations};

impl Registry {
    /// Opens the registry at `path`; makes it if the file does not exist or is empty, and brings
    /// one of an older version up to the present one.
    pub fn open(path: &Path, now: OffsetDateTime) -> Result<Self> {
        let connection = opening::open(path)?;
        prepare_schema(&connection, path, now)?;
        Ok(Self::over(connection, path, Way::Written))
    }

    /// Opens the registry at `path` to read it. Where it can be written this is [`Registry::open`]; where
    /// it cannot, nothing is, and what would write fails with [`RegistryError::ReadOnly`].
    ///
    /// Errors: [`RegistryError::TooOld`] for one of a former version that cannot be brought up there.
    pub fn open_to_read(path: &Path, now: OffsetDateTime) -> Result<Self> {
        let mut last = RegistryError::ReadOnly(path.display().to_string());
        for way in reading::ways(path) {
            let opened = match way {
                Way::Written => return Self::open(path, now),
                way => Self::read(path, *way),
            };
            match opened {
                // Another way may do.
                Err(
                    e @ (RegistryError::Database { .. }
                    | RegistryError::Busy(_)
                    | RegistryError::ReadOnly(_)),
                ) => last = e,
                done => return done,
            }
        }
        Err(last)
    }

    /// Opens a copy that is one file and that nobody writes to. Nothing is made beside it.
    pub fn open_copy(path: &Path) -> Result<Self> {
        Self::read(path, Way::File)
    }

    fn read(path: &Path, way: Way) -> Result<Self> {
        let connection = connect(path, way)?;
        check_schema(&connection, path)?;
        Ok(Self::over(connection, path, way))
    }

    /// A registry whose first connection was made just now.
    fn over(connection: Connection, path: &Path, way: Way) -> Self {
        let names_until = AtomicI64::new(last_row(&Session::sqlite(&connection, path)));
        let database = Database::Sqlite(Connections::over(connection, path), way);
        Self { database, path: path.to_owned(), names_until }
    }
}

#[cfg(feature = "postgres")]
impl Registry {
    /// Opens the registry in a database, and brings one of an older version up. A server that does not answer is waited
    /// for.
    ///
    /// Errors: [`RegistryError::NotARegistry`] for a database without one; [`RegistryError::OwnerFirst`] if it is of an
    /// older version, and the user is not its owner.
    pub fn open_server(address: &Address) -> Result<Self> {
        Self::open_there(address, true)
    }

    /// The same for a server that may never have been there, so it is not waited for.
    pub(crate) fn open_new_server(address: &Address) -> Result<Self> {
        Self::open_there(address, false)
    }

    fn open_there(address: &Address, was_there: bool) -> Result<Self> {
        let (path, links) =
            (PathBuf::from(address.to_string()), Links::new(address.clone(), was_there));
        match postgres::open(links.of_thread(), &path)? {
            false => Err(RegistryError::NotARegistry(path.display().to_string())),
            true => Ok(Self::over_server(links, path)),
        }
    }

    /// The same, and makes the registry if there is none, in a schema of its own named `c8y_pki`. The user becomes
    /// its owner. A server that does not answer may never have been there, so it is not waited for.
    pub fn open_or_create_server(address: &Address) -> Result<Self> {
        let (path, links) =
            (PathBuf::from(address.to_string()), Links::new(address.clone(), false));
        postgres::create_if_missing(links.of_thread(), &path)?;
        Ok(Self::over_server(links, path))
    }

    fn over_server(links: Links, path: PathBuf) -> Self {
        let names_until = last_row(&Session::postgres(links.of_thread(), &path));
        let names_until = AtomicI64::new(names_until);
        Self { database: Database::Postgres(links), path, names_until }
    }
}

fn prepare_schema(connection: &Connection, path: &Path, now: OffsetDateTime) -> Result<()> {
    let fail = |e: rusqlite::Error| error(path, e);
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
        (APPLICATION, 1, _) => migrations::migrate_1(&transaction, file, now)?,
        (APPLICATION, from @ 2..VERSION, _) => {
            migrations::migrate(&transaction, file, from, now)?;
        }
        (APPLICATION, found, _) => {
            return Err(RegistryError::TooNew { path, found, known: VERSION });
        }
        (0, 0, true) => schema::create(&transaction).map_err(fail)?,
        _ => return Err(RegistryError::NotARegistry(path)),
    }
    transaction.commit().map_err(fail)
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
}
