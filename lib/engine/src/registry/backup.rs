//! A copy of the registry for a backup, and what it says of itself once it was restored.

use std::path::Path;

use time::OffsetDateTime;

use super::database::Turn;
use super::database::sqlite::copy::copy_file;
use super::handle::Database;
use super::{Registry, Result};

/// The row of the audit log of a registry that came from a backup.
const RESTORE: &str = "restore";

impl Registry {
    /// Writes a copy of it, as it is at one moment, into an empty file that is there. The copy is an SQLite file without
    /// a log, whatever the registry is in.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(unused_variables, reason = "only a new file has a date")
    )]
    pub(crate) fn copy_to_file(&self, path: &Path, now: OffsetDateTime) -> Result<()> {
        match &self.database {
            Database::Sqlite(connections, way) => {
                copy_file(connections.of_thread(&self.path, *way)?, path)
            }
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => {
                let mut file = Self::open(path, now)?;
                self.copy_to(&mut file)?;
                file.close_file()
            }
        }
    }

    /// Keeps that it came from a backup, and from which.
    pub fn note_restored(&mut self, now: OffsetDateTime, backup: &serde_json::Value) -> Result<()> {
        let work = self.begin(Turn::Alone)?;
        work.append(now, RESTORE, backup)?;
        work.commit()
    }
}
