//! A database as one thread talks to it: statements, and what differs between databases beside them.

use std::path::Path;

use rusqlite::Connection;

#[cfg(feature = "postgres")]
use super::postgres;
use super::sqlite;
use super::value::{Fetched, Value};
use crate::registry::{RegistryError, Result, RowId, Status};

/// A database as one thread talks to it.
#[derive(Debug, Clone, Copy)]
pub(in crate::registry) struct Session<'r> {
    pub(super) name: &'r Path,
    pub(super) engine: Engine<'r>,
}

/// Which database it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Engine<'r> {
    Sqlite(&'r Connection),
    #[cfg(feature = "postgres")]
    Postgres(&'r postgres::Link),
}

/// What a certificate must be to come to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::registry) enum Must {
    /// Live.
    Live,
    /// Anything but revoked.
    NotRevoked,
}

impl<'r> Session<'r> {
    /// One over an SQLite connection.
    pub(in crate::registry) fn sqlite(connection: &'r Connection, name: &'r Path) -> Self {
        Self { name, engine: Engine::Sqlite(connection) }
    }

    /// One over a connection to PostgreSQL.
    #[cfg(feature = "postgres")]
    pub(in crate::registry) fn postgres(link: &'r postgres::Link, name: &'r Path) -> Self {
        Self { name, engine: Engine::Postgres(link) }
    }

    /// Whether it is a server, which has what stations share.
    pub(in crate::registry) fn is_server(&self) -> bool {
        match self.engine {
            Engine::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Engine::Postgres(_) => true,
        }
    }

    /// Runs a statement; how many rows it has changed. A row that must be unique and is there already is a
    /// [`RegistryError::Conflict`].
    pub(in crate::registry) fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize> {
        match self.engine {
            Engine::Sqlite(connection) => {
                sqlite::execute(connection, sql, values).map_err(|e| sqlite::error(self.name, e))
            }
            #[cfg(feature = "postgres")]
            Engine::Postgres(link) => link.execute(self.name, sql, values),
        }
    }

    /// The first row that a statement selects.
    pub(in crate::registry) fn first<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Fetched<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        match self.engine {
            Engine::Sqlite(connection) => sqlite::first(connection, self.name, sql, values, read),
            #[cfg(feature = "postgres")]
            Engine::Postgres(link) => {
                let rows = link.query(self.name, sql, values)?;
                rows.first().map(|row| read(&Fetched::postgres(row, self.name))).transpose()
            }
        }
    }

    /// The only row of a statement that always has one, as of `count`.
    pub(in crate::registry) fn one<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Fetched<'_>) -> Result<T>,
    ) -> Result<T> {
        self.first(sql, values, read)?.ok_or_else(|| RegistryError::without_answer(self.name))
    }

    /// Whether a statement selects anything.
    pub(in crate::registry) fn exists(&self, sql: &str, values: &[Value<'_>]) -> Result<bool> {
        Ok(self.first(sql, values, |_| Ok(()))?.is_some())
    }

    /// All rows that a statement selects.
    pub(in crate::registry) fn all<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Fetched<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        #[cfg(feature = "postgres")]
        if let Engine::Postgres(link) = self.engine {
            let rows = link.query(self.name, sql, values)?;
            return rows.iter().map(|row| read(&Fetched::postgres(row, self.name))).collect();
        }
        let mut all = Vec::new();
        self.each(sql, values, |row| -> Result<()> {
            all.push(read(row)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// Visits the rows that a statement selects, without holding them all. An error of `visit` ends it.
    pub(in crate::registry) fn each<E: From<RegistryError>>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut visit: impl FnMut(&Fetched<'_>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        match self.engine {
            Engine::Sqlite(connection) => {
                sqlite::each(connection, self.name, sql, values, &mut visit)
            }
            #[cfg(feature = "postgres")]
            Engine::Postgres(link) => link.each(self.name, sql, values, &mut visit),
        }
    }

    /// Until it is dropped, this thread is told everything as it is now.
    pub(in crate::registry) fn moment(&self) -> Result<Moment<'r>> {
        match self.engine {
            Engine::Sqlite(connection) => {
                let moment = connection.unchecked_transaction();
                Ok(Moment::Sqlite(moment.map_err(|e| sqlite::error(self.name, e))?))
            }
            #[cfg(feature = "postgres")]
            Engine::Postgres(link) => Ok(Moment::Postgres(link.moment(self.name)?)),
        }
    }

    /// Ends the life of a certificate: its serial number and DER; nothing if it is not as it must be.
    pub(in crate::registry) fn end(
        &self,
        row: RowId,
        must: Must,
        status: Status,
        revoked: Option<(i64, u8)>,
    ) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let sql = match self.engine {
            Engine::Sqlite(_) => {
                "UPDATE certificate SET status = ?2, revoked_at = ?3, reason = ?4
                 WHERE id = ?1 AND (status = 'live' OR (status = 'superseded' AND ?5))
                 RETURNING serial, der"
            }
            #[cfg(feature = "postgres")]
            Engine::Postgres(_) => "SELECT serial, der FROM end_certificate(?1, ?2, ?3, ?4, ?5)",
        };
        let (at, reason) = (revoked.map(|(at, _)| at), revoked.map(|(_, reason)| reason));
        let values = values![row.0, status.name(), at, reason, must == Must::NotRevoked];
        self.first(sql, values, |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// The condition that a certificate has a serial number, which follows as the value. Serial numbers are
    /// random: where an index of them would touch a page for each new row, they are looked for behind the audit
    /// row of their chunk.
    pub(in crate::registry) fn of_serial(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite(_) => "audit IN (SELECT sequence FROM audit) AND serial =",
            #[cfg(feature = "postgres")]
            Engine::Postgres(_) => "serial =",
        }
    }

    /// The condition that a certificate is for a key, whose shortened digest follows as the value.
    pub(in crate::registry) fn of_key(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite(_) => "audit IN (SELECT sequence FROM audit) AND key =",
            #[cfg(feature = "postgres")]
            Engine::Postgres(_) => "key =",
        }
    }

    /// The table of certificates, read by way of the index of their keys.
    pub(in crate::registry) fn by_key(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite(_) => "certificate INDEXED BY certificate_key",
            #[cfg(feature = "postgres")]
            Engine::Postgres(_) => "certificate",
        }
    }
}

/// A moment of a database; see [`Session::moment`].
#[derive(Debug)]
pub(in crate::registry) enum Moment<'r> {
    /// SQLite's.
    Sqlite(#[allow(dead_code, reason = "held for what it keeps")] rusqlite::Transaction<'r>),
    /// PostgreSQL's.
    #[cfg(feature = "postgres")]
    Postgres(#[allow(dead_code, reason = "held for what it keeps")] postgres::ReadMoment<'r>),
}
