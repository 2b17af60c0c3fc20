//! A CA gets another name.
//!
//! Rows say the present name of their CA, so that a search for it finds them. Their digests were made with the name
//! that it had when they were recorded, and stay: the audit log tells the names, and a digest is recomputed with its help
//! ([`Renames`]).

use std::sync::atomic::Ordering;

use time::OffsetDateTime;

use super::audit::ACCEPT;
use super::database::{Session, Turn};
use super::{Registry, RegistryError, Result, audit, cas};

/// The action of an audit row that tells of a CA's new name.
pub(super) const RENAME: &str = "rename";

/// The names that CAs have had, in the order in which they got others.
#[derive(Debug, Default)]
pub(super) struct Renames(Vec<(i64, String, String)>);

impl Renames {
    pub(super) fn read(session: &Session<'_>) -> Result<Self> {
        Self::since(session, 0)
    }

    /// Those that the audit log tells of behind a row.
    fn since(session: &Session<'_>, sequence: i64) -> Result<Self> {
        let sql = "SELECT sequence, detail FROM audit WHERE sequence > ?1 AND action = ?2
                   ORDER BY sequence";
        let read = session.all(sql, values![sequence, RENAME], |row| {
            let detail: serde_json::Value = serde_json::from_str(row.text(1)?).unwrap_or_default();
            let name = |key: &str| detail[key].as_str().unwrap_or_default().to_owned();
            Ok((row.get(0)?, name("from"), name("to")))
        });
        Ok(Self(read?))
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
        let work = self.begin(Turn::Alone)?;
        let rows =
            work.execute("UPDATE certificate SET ca = ?2 WHERE ca = ?1", values![from, to])?;
        work.execute("UPDATE crl_number SET ca = ?2 WHERE ca = ?1", values![from, to])?;
        let detail = serde_json::json!({ "from": from, "to": to, "renamed": rows });
        let sequence = work.append(now, RENAME, &detail)?;
        cas::rename(&work, from, to, now)?;
        work.commit()?;
        self.names_until.fetch_max(sequence, Ordering::Relaxed);
        Ok(())
    }

    /// Whether a CA was renamed so, after that row of the audit log.
    pub fn was_renamed(&self, from: &str, to: &str, after: i64) -> Result<bool> {
        let Renames(since) = Renames::since(&self.session()?, after)?;
        Ok(since.iter().any(|(_, one, other)| one == from && other == to))
    }

    /// The number of the last row of the audit log.
    pub fn last_sequence(&self) -> Result<i64> {
        Ok(audit::head(&self.session()?)?.0)
    }

    /// Refuses to record under a name that a CA has lost since this registry was opened: by another process, or by
    /// another handle of this one. `last` is the audit log's last row. The next attempt knows of it.
    pub(super) fn check_names<'n>(
        &self,
        session: &Session<'_>,
        last: i64,
        names: impl Iterator<Item = &'n str>,
    ) -> Result<()> {
        let known = self.names_until.load(Ordering::Relaxed);
        if last <= known {
            return Ok(());
        }
        let Renames(renamed) = Renames::since(session, known)?;
        self.names_until.fetch_max(last, Ordering::Relaxed);
        if renamed.is_empty() {
            return Ok(());
        }
        for name in names {
            if let Some((_, from, to)) = renamed.iter().find(|(_, from, _)| from == name) {
                return Err(RegistryError::Renamed { from: from.clone(), to: to.clone() });
            }
        }
        Ok(())
    }
}

/// Whether somebody has accepted that the last list of a CA is lost, when its lists had numbers up to that one; by
/// whatever name it had then.
pub(super) fn has_accepted_loss(session: &Session<'_>, ca: &str, number: u64) -> Result<bool> {
    let sql = "SELECT sequence, detail FROM audit WHERE action = ?1";
    let accepted = session.all(sql, values![ACCEPT], |row| {
        let detail: serde_json::Value = serde_json::from_str(row.text(1)?).unwrap_or_default();
        Ok((row.get::<i64>(0)?, detail))
    })?;
    let is_lost = |detail: &serde_json::Value| {
        detail["lost"] == true && detail["number"].as_u64() == Some(number)
    };
    if !accepted.iter().any(|(_, detail)| is_lost(detail)) {
        return Ok(false);
    }
    let renames = Renames::read(session)?;
    Ok(accepted.iter().filter(|(_, detail)| is_lost(detail)).any(|(sequence, detail)| {
        detail["ca"].as_str().is_some_and(|name| renames.now(name, *sequence) == ca)
    }))
}

/// The number of the last row of the audit log; 0 where there is none yet.
pub(super) fn last_row(session: &Session<'_>) -> i64 {
    audit::head(session).map(|(sequence, _)| sequence).unwrap_or(0)
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
