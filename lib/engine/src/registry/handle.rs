//! An open registry: where its tables are, and how a thread gets at them.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicI64;

#[cfg(feature = "postgres")]
use super::database::postgres::Links;
use super::database::sqlite::connections::Connections;
#[cfg(feature = "postgres")]
use super::database::sqlite::copy::close_file;
use super::database::sqlite::reading::{Way, filled_log, problems};
use super::database::{Session, Turn, Work};
use super::{Result, moved};

/// An open registry. Threads can share it: each has a connection of its own.
#[derive(Debug)]
pub struct Registry {
    pub(super) database: Database,
    pub(super) path: PathBuf,
    /// The row of the audit log up to which the names of CAs are known.
    pub(super) names_until: AtomicI64,
}

/// Where the tables are.
#[derive(Debug)]
pub(super) enum Database {
    Sqlite(Connections, Way),
    #[cfg(feature = "postgres")]
    Postgres(Links),
}

impl Registry {
    /// Its file; the address, if it is in a database.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database, as this thread talks to it.
    pub(super) fn session(&self) -> Result<Session<'_>> {
        match &self.database {
            Database::Sqlite(connections, way) => {
                Ok(Session::sqlite(connections.of_thread(&self.path, *way)?, &self.path))
            }
            #[cfg(feature = "postgres")]
            Database::Postgres(links) => Ok(Session::postgres(links.of_thread(), &self.path)),
        }
    }

    /// Whether it is in a database, which other directories may share.
    pub fn is_shared(&self) -> bool {
        match &self.database {
            Database::Sqlite(..) => false,
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => true,
        }
    }

    /// Begins a change.
    ///
    /// Errors: [`RegistryError::Moved`] if the registry was taken to another place.
    pub(super) fn begin(&self, turn: Turn) -> Result<Work<'_>> {
        let work = Work::begin(self.session()?, turn)?;
        // From here on it is taken nowhere before this change is made.
        moved::check_here(&work, &self.path)?;
        Ok(work)
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
        match &self.database {
            Database::Sqlite(_, Way::File) => filled_log(&self.path),
            _ => None,
        }
    }

    /// What the database itself finds wrong with what it keeps, over a connection of its own.
    pub(super) fn problems(&self) -> Result<Vec<String>> {
        match &self.database {
            Database::Sqlite(_, way) => problems(&self.path, *way),
            // Its administrator has tools for that (pg_amcheck); rows are held to their digests here.
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => Ok(Vec::new()),
        }
    }

    /// Refuses a registry whose file was moved away or replaced, as by a backup, since it was opened: what would
    /// be recorded now would be lost.
    pub(crate) fn check_in_place(&self) -> Result<()> {
        match &self.database {
            Database::Sqlite(connections, _) => connections.check_in_place(&self.path),
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => Ok(()),
        }
    }

    /// Closes a file that nobody else has open, so that it is one file without a log.
    #[cfg(feature = "postgres")]
    pub(super) fn close_file(self) -> Result<()> {
        let path = self.path.clone();
        drop(self);
        close_file(&path)
    }

    /// The connection of this thread to its file.
    #[cfg(test)]
    pub(super) fn connection(&self) -> Result<&rusqlite::Connection> {
        match &self.database {
            Database::Sqlite(connections, way) => connections.of_thread(&self.path, *way),
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => panic!("not in a file"),
        }
    }
}
