//! How far growing files have come: remembered in the transaction that records what was put into them.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::Registry;
use super::sqlite::Result;
use crate::files::Mark;

impl Registry {
    /// How far a growing file had come when a chunk in it was recorded last.
    pub fn mark(&self, path: &Path) -> Result<Option<Mark>> {
        let found = self
            .connection()?
            .prepare_cached("SELECT length, tail FROM growing WHERE path = ?1")
            .and_then(|mut query| {
                let values = [path.to_string_lossy()];
                query.query_row(values, |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .map_err(|e| self.error(&e))?;
        Ok(found.map(|(length, tail): (i64, _)| Mark {
            path: path.to_owned(),
            length: length.cast_unsigned(),
            tail,
        }))
    }

    /// Remembers a growing file that is begun.
    pub fn remember_mark(&mut self, mark: &Mark) -> Result<()> {
        keep(self.connection()?, mark).map_err(|e| self.error(&e))
    }

    /// Forgets a growing file: it is finished, or begins anew.
    pub fn forget_mark(&mut self, path: &Path) -> Result<()> {
        let forgotten = self
            .connection()?
            .execute("DELETE FROM growing WHERE path = ?1", [path.to_string_lossy()]);
        forgotten.map(|_| ()).map_err(|e| self.error(&e))
    }
}

/// Remembers a mark in place of the one before.
pub(super) fn keep(connection: &Connection, mark: &Mark) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO growing (path, length, tail) VALUES (?1, ?2, ?3)
             ON CONFLICT (path) DO UPDATE SET length = ?2, tail = ?3",
        )?
        .execute(params![mark.path.to_string_lossy(), mark.length.cast_signed(), mark.tail])?;
    Ok(())
}
