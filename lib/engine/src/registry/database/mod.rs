//! The surface between the registry's rules and a database: an SQLite file, or PostgreSQL.
//!
//! The rules (what takes the place of what, what a row of the audit log says, which hashes there are) stand in the
//! rooms beside this one and are the same for both. They ask and change the tables by statements that both
//! databases understand, and through the operations of [`Work`] where the two differ. A statement that only one
//! of them understands stands in its room.
//!
//! | operation | SQLite | PostgreSQL |
//! | --- | --- | --- |
//! | [`Session::first`], [`all`](Session::all), [`exists`](Session::exists), [`execute`](Session::execute) | a prepared statement | the same, `?1` written `$1` |
//! | [`Session::each`] | steps through the rows | a cursor, some hundred rows at a time |
//! | [`Session::moment`] | a read transaction | repeatable read |
//! | [`Work`], begun [`Turn::Alone`] | BEGIN IMMEDIATE | the log's head is locked first |
//! | [`Work`], begun [`Turn::Shared`] | the same | the log's head is locked last |
//! | [`Work::append`] | reads the last row, hashes | the function `append` |
//! | [`Work::record`] | INSERT row by row | COPY BINARY |
//! | [`Session::end`] | UPDATE | the function `end_certificate` |
//! | [`Work::commit`] | COMMIT | COMMIT, and what became of it if the answer is lost |
//!
//! | file | for |
//! | --- | --- |
//! | `value` | values of statements, and rows that are read |
//! | `sqlite/` | the SQLite file: connections, opening, reading, its schema |

#[macro_use]
pub(super) mod value;

pub(super) mod sqlite;

use std::path::Path;

use rusqlite::Connection;
use time::OffsetDateTime;

use self::value::{Fetched, Value};
use super::new_row::NewRow;
use super::{RegistryError, Result, RowId, Status, audit};

/// A database as one thread talks to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session<'r> {
    name: &'r Path,
    engine: Engine<'r>,
}

/// Which database it is.
#[derive(Debug, Clone, Copy)]
enum Engine<'r> {
    Sqlite(&'r Connection),
}

/// What a certificate must be to come to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Must {
    /// Live.
    Live,
    /// Anything but revoked.
    NotRevoked,
}

/// An entry of the audit log that is to be written: its action and details.
pub(super) type Entry = (&'static str, serde_json::Value);

impl<'r> Session<'r> {
    /// One over an SQLite connection.
    pub(super) fn sqlite(connection: &'r Connection, name: &'r Path) -> Self {
        Self { name, engine: Engine::Sqlite(connection) }
    }

    /// Runs a statement; how many rows it has changed. A row that must be unique and is there already is a
    /// [`RegistryError::Conflict`].
    pub(super) fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize> {
        match self.engine {
            Engine::Sqlite(connection) => {
                sqlite::execute(connection, sql, values).map_err(|e| sqlite::error(self.name, &e))
            }
        }
    }

    /// The first row that a statement selects.
    pub(super) fn first<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Fetched<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        match self.engine {
            Engine::Sqlite(connection) => sqlite::first(connection, self.name, sql, values, read),
        }
    }

    /// The only row of a statement that always has one, as of `count`.
    pub(super) fn one<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Fetched<'_>) -> Result<T>,
    ) -> Result<T> {
        let nothing = || RegistryError::Damaged {
            path: self.name.display().to_string(),
            message: "a query has no answer".to_owned(),
        };
        self.first(sql, values, read)?.ok_or_else(nothing)
    }

    /// Whether a statement selects anything.
    pub(super) fn exists(&self, sql: &str, values: &[Value<'_>]) -> Result<bool> {
        Ok(self.first(sql, values, |_| Ok(()))?.is_some())
    }

    /// All rows that a statement selects.
    pub(super) fn all<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Fetched<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut all = Vec::new();
        self.each(sql, values, |row| -> Result<()> {
            all.push(read(row)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// Visits the rows that a statement selects, without holding them all. An error of `visit` ends it.
    pub(super) fn each<E: From<RegistryError>>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut visit: impl FnMut(&Fetched<'_>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        match self.engine {
            Engine::Sqlite(connection) => {
                sqlite::each(connection, self.name, sql, values, &mut visit)
            }
        }
    }

    /// Until it is dropped, this thread is told everything as it is now.
    pub(super) fn moment(&self) -> Result<Moment<'r>> {
        match self.engine {
            Engine::Sqlite(connection) => {
                let moment = connection.unchecked_transaction();
                Ok(Moment::Sqlite(moment.map_err(|e| sqlite::error(self.name, &e))?))
            }
        }
    }

    /// Ends the life of a certificate: its serial number and DER; nothing if it is not as it must be.
    pub(super) fn end(
        &self,
        row: RowId,
        must: Must,
        status: Status,
        revoked: Option<(i64, u8)>,
    ) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let sql = "UPDATE certificate SET status = ?1, revoked_at = ?2, reason = ?3
             WHERE id = ?4 AND (status = 'live' OR (status = 'superseded' AND ?5))
             RETURNING serial, der";
        let (at, reason) = (revoked.map(|(at, _)| at), revoked.map(|(_, reason)| reason));
        let values = values![status.name(), at, reason, row.0, must == Must::NotRevoked];
        self.first(sql, values, |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// The condition that a certificate has a serial number, which follows as the value. Serial numbers are
    /// random: where an index of them would touch a page for each new row, they are looked for behind the audit
    /// row of their chunk.
    pub(super) fn of_serial(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite(_) => "audit IN (SELECT sequence FROM audit) AND serial =",
        }
    }

    /// The condition that a certificate is for a key, whose shortened digest follows as the value.
    pub(super) fn of_key(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite(_) => "audit IN (SELECT sequence FROM audit) AND key =",
        }
    }

    /// The table of certificates, read by way of the index of their keys.
    pub(super) fn by_key(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite(_) => "certificate INDEXED BY certificate_key",
        }
    }
}

/// A moment of a database; see [`Session::moment`].
#[derive(Debug)]
pub(super) enum Moment<'r> {
    /// SQLite's.
    Sqlite(#[allow(dead_code, reason = "held for what it keeps")] rusqlite::Transaction<'r>),
}

/// Who writes beside us while a change is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nobody, from the beginning on: what is read is what the change is made on.
    Alone,
    /// Others, until the audit log is written to: the database's own rules have to be enough for what is read.
    Shared,
}

/// A change in the making: one transaction, which is taken back unless it is committed.
#[derive(Debug)]
pub(super) struct Work<'r> {
    session: Session<'r>,
    transaction: Transaction<'r>,
}

#[derive(Debug)]
enum Transaction<'r> {
    Sqlite(rusqlite::Transaction<'r>),
}

impl<'r> std::ops::Deref for Work<'r> {
    type Target = Session<'r>;

    fn deref(&self) -> &Session<'r> {
        &self.session
    }
}

impl<'r> Work<'r> {
    /// Begins a change.
    pub(super) fn begin(session: Session<'r>, _turn: Turn) -> Result<Self> {
        let transaction = match session.engine {
            Engine::Sqlite(connection) => {
                Transaction::Sqlite(sqlite::begin(connection, session.name)?)
            }
        };
        Ok(Self { session, transaction })
    }

    /// Adds a row to the audit log; returns its number.
    pub(super) fn append(
        &self,
        now: OffsetDateTime,
        action: &str,
        detail: &serde_json::Value,
    ) -> Result<i64> {
        match &self.transaction {
            Transaction::Sqlite(_) => audit::append(self, now, action, detail),
        }
    }

    /// Records certificates, and tells the audit log: first `before`, then of them. Returns the number of the
    /// row that tells of them.
    ///
    /// [`RegistryError::Conflict`] if one of the devices is live already, or if a serial number repeats.
    pub(super) fn record(
        &self,
        now: OffsetDateTime,
        rows: &[NewRow<'_>],
        before: &[Entry],
        (action, detail): &Entry,
    ) -> Result<i64> {
        match &self.transaction {
            Transaction::Sqlite(transaction) => {
                let (last, _) = audit::head(self)?;
                let own = last + i64::try_from(before.len()).unwrap_or(0) + 1;
                sqlite::insert(transaction, self.name, own, rows)?;
                for (action, detail) in before {
                    self.append(now, action, detail)?;
                }
                self.append(now, action, detail)
            }
        }
    }

    /// Makes the change last.
    pub(super) fn commit(self) -> Result<()> {
        match self.transaction {
            Transaction::Sqlite(transaction) => {
                transaction.commit().map_err(|e| sqlite::error(self.session.name, &e))
            }
        }
    }
}
