//! A change in the making, in either database.

use time::OffsetDateTime;

use super::log::{append, head};
#[cfg(feature = "postgres")]
use super::postgres;
use super::session::{Engine, Session};
use super::sqlite;
use super::turn::{Entry, Turn};
use super::value::{Table, Value};
use crate::registry::new_row::NewRow;
use crate::registry::{Result, Who};

/// A change in the making: one transaction, which is taken back unless it is committed.
#[derive(Debug)]
pub(in crate::registry) struct Work<'r> {
    session: Session<'r>,
    transaction: Transaction<'r>,
}

#[derive(Debug)]
enum Transaction<'r> {
    Sqlite(rusqlite::Transaction<'r>),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Open<'r>),
}

impl<'r> std::ops::Deref for Work<'r> {
    type Target = Session<'r>;

    fn deref(&self) -> &Session<'r> {
        &self.session
    }
}

impl<'r> Work<'r> {
    /// Begins a change.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(unused_variables, reason = "SQLite has one writer")
    )]
    pub(in crate::registry) fn begin(session: Session<'r>, turn: Turn) -> Result<Self> {
        let transaction = match session.engine {
            Engine::Sqlite(connection) => {
                Transaction::Sqlite(sqlite::begin(connection, session.name)?)
            }
            #[cfg(feature = "postgres")]
            Engine::Postgres(link) => {
                Transaction::Postgres(postgres::Open::begin(link, session.name, turn)?)
            }
        };
        Ok(Self { session, transaction })
    }

    /// Adds a row to the audit log, which also says who does it; returns its number.
    pub(in crate::registry) fn append(
        &self,
        now: OffsetDateTime,
        action: &str,
        detail: &serde_json::Value,
    ) -> Result<i64> {
        let detail = &*Who::sign(detail);
        match &self.transaction {
            Transaction::Sqlite(_) => append(self, now, action, detail),
            #[cfg(feature = "postgres")]
            Transaction::Postgres(open) => open.append(now.unix_timestamp(), action, detail),
        }
    }

    /// Records certificates, and tells the audit log: first `before`, then of them. Returns the number of the
    /// row that tells of them.
    ///
    /// [`RegistryError::Conflict`] if one of the devices is live already, or if a serial number repeats.
    pub(in crate::registry) fn record(
        &self,
        now: OffsetDateTime,
        rows: &[NewRow<'_>],
        before: &[Entry],
        entry: &Entry,
    ) -> Result<i64> {
        match &self.transaction {
            Transaction::Sqlite(transaction) => {
                let (last, _) = head(self)?;
                let own = last + i64::try_from(before.len()).unwrap_or(0) + 1;
                sqlite::insert(transaction, self.name, own, rows)?;
                for (action, detail) in before {
                    self.append(now, action, detail)?;
                }
                let (action, detail) = entry;
                self.append(now, action, detail)
            }
            #[cfg(feature = "postgres")]
            Transaction::Postgres(open) => {
                let sign = |(action, detail): &Entry| (*action, Who::sign(detail).into_owned());
                let before: Vec<Entry> = before.iter().map(sign).collect();
                open.record(now.unix_timestamp(), rows, &before, &sign(entry))
            }
        }
    }

    /// Takes in rows of another registry as they are: the audit log first, in its order.
    pub(in crate::registry) fn import(&self, table: &Table, rows: &[Vec<Value<'_>>]) -> Result<()> {
        match &self.transaction {
            Transaction::Sqlite(_) => {
                let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
                let places = vec!["?"; names.len()].join(", ");
                let (name, names) = (table.name, names.join(", "));
                let sql = format!("INSERT INTO {name} ({names}) VALUES ({places})");
                rows.iter().try_for_each(|row| self.execute(&sql, row).map(|_| ()))
            }
            #[cfg(feature = "postgres")]
            Transaction::Postgres(open) => open.import(table, rows),
        }
    }

    /// All rows are in.
    pub(in crate::registry) fn end_import(&self) -> Result<()> {
        match &self.transaction {
            Transaction::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Transaction::Postgres(open) => open.end_import(),
        }
    }

    /// Makes the change last.
    pub(in crate::registry) fn commit(self) -> Result<()> {
        match self.transaction {
            Transaction::Sqlite(transaction) => {
                transaction.commit().map_err(|e| sqlite::error(self.session.name, e))
            }
            #[cfg(feature = "postgres")]
            Transaction::Postgres(open) => open.commit(),
        }
    }
}
