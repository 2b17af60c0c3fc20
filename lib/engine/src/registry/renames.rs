//! A CA gets another name.
//!
//! Rows say the present name of their CA, so that a search for it finds them. Their digests were made with the name
//! that it had when they were recorded, and stay: the audit log tells the names, and a digest is recomputed with its help
//! ([`Renames`]).

use std::sync::atomic::Ordering;

use rusqlite::{Connection, OptionalExtension, params};
use time::OffsetDateTime;

use super::rollback::ACCEPT;
use super::sqlite::{Registry, Result, begin, database_error};
use super::{RegistryError, audit};

/// The action of an audit row that tells of a CA's new name.
pub(super) const RENAME: &str = "rename";

/// The names that CAs have had, in the order in which they got others.
#[derive(Debug, Default)]
pub(super) struct Renames(Vec<(i64, String, String)>);

impl Renames {
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let sql = "SELECT sequence, json_extract(detail, '$.from'), json_extract(detail, '$.to') FROM audit
                   WHERE action = ?1 ORDER BY sequence";
        let mut query = connection.prepare(sql)?;
        let rows = query.query_map([RENAME], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(Self(rows.collect::<rusqlite::Result<_>>()?))
    }

    /// Notes a row of the audit log.
    pub(super) fn add(&mut self, sequence: i64, from: &str, to: &str) {
        self.0.push((sequence, from.to_owned(), to.to_owned()));
    }

    /// The name that a CA of this present name had when that row of the audit log was written.
    pub(super) fn then<'a>(&'a self, name: &'a str, sequence: i64) -> &'a str {
        let later = self.0.iter().rev().take_while(|(at, ..)| *at > sequence);
        later.fold(name, |name, (_, from, to)| if name == to { from.as_str() } else { name })
    }

    /// The present name of a CA that had this name when that row of the audit log was written.
    pub(super) fn now<'a>(&'a self, name: &'a str, sequence: i64) -> &'a str {
        let later = self.0.iter().filter(|(at, ..)| *at > sequence);
        later.fold(name, |name, (_, from, to)| if name == from { to.as_str() } else { name })
    }
}

impl Registry {
    /// Gives a CA another name, in one transaction: in the rows of what it has issued, and for the numbers of its
    /// lists. The name must not be in use.
    pub fn rename_ca(&mut self, from: &str, to: &str, now: OffsetDateTime) -> Result<()> {
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| database_error(&path, &e);
        let transaction = begin(self.connection()?, &self.path)?;
        let rows = transaction
            .execute("UPDATE certificate SET ca = ?2 WHERE ca = ?1", [from, to])
            .map_err(fail)?;
        transaction
            .execute("UPDATE crl_number SET ca = ?2 WHERE ca = ?1", [from, to])
            .map_err(fail)?;
        let detail = serde_json::json!({ "from": from, "to": to, "renamed": rows });
        let sequence = audit::append(&transaction, now, RENAME, &detail).map_err(fail)?;
        transaction.commit().map_err(fail)?;
        self.names_until.fetch_max(sequence, Ordering::Relaxed);
        Ok(())
    }

    /// Whether a CA was renamed so, after that row of the audit log.
    pub fn was_renamed(&self, from: &str, to: &str, after: i64) -> Result<bool> {
        let sql = "SELECT 1 FROM audit WHERE sequence > ?1 AND action = ?2
                   AND json_extract(detail, '$.from') = ?3 AND json_extract(detail, '$.to') = ?4";
        self.connection()?
            .prepare(sql)
            .and_then(|mut query| query.exists(params![after, RENAME, from, to]))
            .map_err(|e| self.error(&e))
    }

    /// The number of the last row of the audit log.
    pub fn last_sequence(&self) -> Result<i64> {
        let (sequence, _) = audit::head(self.connection()?).map_err(|e| self.error(&e))?;
        Ok(sequence)
    }

    /// Refuses to record under a name that a CA has lost since this registry was opened: by another process, or by
    /// another handle of this one. `last` is the audit log's last row. The next attempt knows of it.
    pub(super) fn check_names<'n>(
        &self,
        connection: &Connection,
        last: i64,
        names: impl Iterator<Item = &'n str>,
    ) -> Result<()> {
        let known = self.names_until.load(Ordering::Relaxed);
        if last <= known {
            return Ok(());
        }
        let fail = |e: rusqlite::Error| database_error(&self.path, &e);
        let sql = "SELECT json_extract(detail, '$.from'), json_extract(detail, '$.to') FROM audit
                   WHERE sequence > ?1 AND action = ?2";
        let renamed: Vec<(String, String)> = connection
            .prepare_cached(sql)
            .and_then(|mut query| {
                query
                    .query_map(params![known, RENAME], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect()
            })
            .map_err(fail)?;
        self.names_until.fetch_max(last, Ordering::Relaxed);
        if renamed.is_empty() {
            return Ok(());
        }
        for name in names {
            if let Some((from, to)) = renamed.iter().find(|(from, _)| from == name) {
                return Err(RegistryError::Renamed { from: from.clone(), to: to.clone() });
            }
        }
        Ok(())
    }
}

/// Whether somebody has accepted that the last list of a CA is lost, when its lists had numbers up to that one; by
/// whatever name it had then.
pub(super) fn has_accepted_loss(
    connection: &Connection,
    ca: &str,
    number: u64,
) -> rusqlite::Result<bool> {
    let sql = "SELECT sequence, json_extract(detail, '$.ca') FROM audit
               WHERE action = ?1 AND json_extract(detail, '$.number') = ?2 AND json_extract(detail, '$.lost')";
    let mut query = connection.prepare(sql)?;
    let found: Vec<(i64, Option<String>)> = query
        .query_map(params![ACCEPT, number.cast_signed()], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    if found.is_empty() {
        return Ok(false);
    }
    let renames = Renames::read(connection)?;
    let is_it = |(sequence, name): &(i64, Option<String>)| {
        name.as_deref().is_some_and(|name| renames.now(name, *sequence) == ca)
    };
    Ok(found.iter().any(is_it))
}

/// The number of the last row of the audit log; 0 where there is none yet.
pub(super) fn last_row(connection: &Connection) -> i64 {
    let last = connection
        .query_row("SELECT max(sequence) FROM audit", [], |row| row.get::<_, Option<i64>>(0))
        .optional();
    last.ok().flatten().flatten().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_followed_in_both_directions() {
        let mut renames = Renames::default();
        renames.add(20, "line", "line-7");
        // Another CA has taken the former name, and got another one too.
        renames.add(40, "line", "line-8");
        assert_eq!((renames.then("line-7", 10), renames.then("line-7", 25)), ("line", "line-7"));
        assert_eq!((renames.then("line-8", 30), renames.then("line-8", 45)), ("line", "line-8"));
        assert_eq!((renames.now("line", 10), renames.now("line", 30)), ("line-7", "line-8"));
        assert_eq!((renames.now("line", 45), renames.then("root", 10)), ("line", "root"));
        renames.add(50, "line-7", "line");
        assert_eq!((renames.then("line", 10), renames.then("line", 45)), ("line", "line-7"));
        assert_eq!(renames.now("line", 10), "line");
    }
}
