//! How far growing files have come: remembered in the transaction that records what was put into them.

use std::path::Path;

use super::database::{Session, Turn};
use super::{Registry, Result};
use crate::files::Mark;

impl Registry {
    /// How far a growing file had come when a chunk in it was recorded last.
    pub fn mark(&self, path: &Path) -> Result<Option<Mark>> {
        let name = path.to_string_lossy();
        let sql = "SELECT length, tail FROM growing WHERE path = ?1";
        let found = self
            .session()?
            .first(sql, values![name.as_ref()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(found.map(|(length, tail): (i64, _)| Mark {
            path: path.to_owned(),
            length: length.cast_unsigned(),
            tail,
        }))
    }

    /// Remembers a growing file that is begun.
    pub fn remember_mark(&mut self, mark: &Mark) -> Result<()> {
        let work = self.begin(Turn::Shared)?;
        keep(&work, mark)?;
        work.commit()
    }

    /// Forgets a growing file: it is finished, or begins anew.
    pub fn forget_mark(&mut self, path: &Path) -> Result<()> {
        let name = path.to_string_lossy();
        let sql = "DELETE FROM growing WHERE path = ?1";
        let work = self.begin(Turn::Shared)?;
        work.execute(sql, values![name.as_ref()])?;
        work.commit()
    }
}

/// Remembers a mark in place of the one before.
pub(super) fn keep(session: &Session<'_>, mark: &Mark) -> Result<()> {
    let path = mark.path.to_string_lossy();
    session.execute(
        "INSERT INTO growing (path, length, tail) VALUES (?1, ?2, ?3)
         ON CONFLICT (path) DO UPDATE SET length = ?2, tail = ?3",
        values![path.as_ref(), mark.length.cast_signed(), &mark.tail],
    )?;
    Ok(())
}
