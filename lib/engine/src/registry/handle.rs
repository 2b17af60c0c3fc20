//! An open registry: where its tables are, and how a thread gets at them.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicI64;

use super::Result;
#[cfg(feature = "postgres")]
use super::database::postgres::Links;
use super::database::sqlite::connections::Connections;
use super::database::sqlite::reading::Way;
use super::database::{Session, Turn, Work};

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
    pub(super) fn begin(&self, turn: Turn) -> Result<Work<'_>> {
        Work::begin(self.session()?, turn)
    }
}
