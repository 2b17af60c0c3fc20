//! The times of the audit log: what a clock is held to, and whether they go forward.
//!
//! A clock that was believed against the log has a row of its own, `clock`: it explains the times before
//! it, which are not held against anybody any more.

use std::collections::BTreeMap;

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::check::Checked;
use super::database::{Session, Turn};
use super::query::moment;
use super::renames::RENAME;
use super::{Registry, Result};
use crate::clock::{ClockError, SLACK, rfc3339};

/// The action of an audit row that says that a clock was believed.
const CLOCK: &str = "clock";

impl Registry {
    /// When the audit log's last row was written; that of a migration does not count, which opening the
    /// registry writes before anybody has looked at the clock.
    pub fn last_entry(&self) -> Result<Option<OffsetDateTime>> {
        let last = "SELECT at FROM audit WHERE action <> 'migrate' ORDER BY sequence DESC LIMIT 1";
        let at = self.session()?.first(last, values![], |row| row.get(0))?;
        Ok(at.map(moment))
    }

    /// Up to which time things were made with a clock that was ahead, as far as somebody has said so.
    pub fn explained_until(&self) -> Result<Option<OffsetDateTime>> {
        let explained = Self::explained(&self.session()?)?;
        Ok(explained.iter().map(|row| row.until).filter(|at| *at > i64::MIN).max().map(moment))
    }

    /// Keeps that a clock was believed, and against what.
    pub fn believe_clock(&mut self, error: &ClockError) -> Result<()> {
        let text = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_else(|_| at.to_string());
        let (now, against) = error.times();
        let mut detail = serde_json::json!({
            "clock": text(now),
            "against": text(against),
            "why": error.to_string(),
        });
        // What a tenant says explains nothing that was made here.
        if let ClockError::Behind { than, .. } = error {
            detail["until"] = text(*than).into();
        }
        let work = self.begin(Turn::Alone)?;
        work.append(now, CLOCK, &detail)?;
        work.commit()
    }

    /// Notes rows of the audit log that lie in the future or before the row that precedes them, and lists
    /// whose numbers grow while their times go back.
    pub fn check_times(&self, now: OffsetDateTime, checked: &mut Checked) -> Result<()> {
        let session = self.session()?;
        let explained = Self::explained(&session)?;
        let mut times = Times { now, explained, findings: Vec::new(), ahead: None };
        let mut before: Option<i64> = None;
        let mut lists: BTreeMap<String, Made> = BTreeMap::new();
        let sql = "SELECT sequence, at, action, detail FROM audit ORDER BY sequence";
        session.each(sql, values![], |row| -> Result<()> {
            let (sequence, at): (i64, i64) = (row.get(0)?, row.get(1)?);
            let (action, detail) = (row.text(2)?, row.text(3)?);
            times.look_ahead(sequence, at);
            if let Some(before) = before {
                times.compare(sequence, action, before, at);
            }
            before = Some(at);
            if action == RENAME {
                let detail: serde_json::Value = serde_json::from_str(detail).unwrap_or_default();
                let name = |key: &str| detail[key].as_str().unwrap_or_default().to_owned();
                if let Some(last) = lists.remove(&name("from")) {
                    lists.insert(name("to"), last);
                }
            }
            if action == "crl" {
                let detail: serde_json::Value = serde_json::from_str(detail).unwrap_or_default();
                let ca = detail["ca"].as_str().unwrap_or_default();
                let number = detail["number"].as_i64().unwrap_or(0);
                let made = Made { sequence, number, at };
                if let Some(last) = lists.insert(ca.to_owned(), made) {
                    times.compare_lists(ca, last, made);
                }
            }
            Ok(())
        })?;
        times.end_ahead();
        times.findings.into_iter().for_each(|finding| checked.note("clock", finding));
        Ok(())
    }

    fn explained(session: &Session<'_>) -> Result<Vec<Explained>> {
        let sql = "SELECT sequence, detail FROM audit WHERE action = ?1 ORDER BY sequence";
        session.all(sql, values![CLOCK], |row| {
            let detail: serde_json::Value = serde_json::from_str(row.text(1)?).unwrap_or_default();
            let until = detail["until"].as_str();
            let until = until.and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
            let until = until.map_or(i64::MIN, OffsetDateTime::unix_timestamp);
            Ok(Explained { sequence: row.get(0)?, until })
        })
    }
}

/// A `clock` row: times up to `until` before it are explained.
struct Explained {
    sequence: i64,
    until: i64,
}

/// A list, as the audit log tells of it.
#[derive(Clone, Copy)]
struct Made {
    sequence: i64,
    number: i64,
    at: i64,
}

struct Times {
    now: OffsetDateTime,
    explained: Vec<Explained>,
    findings: Vec<String>,
    /// The first and last of a run of rows that lie in the future, with the time of the first.
    ahead: Option<(i64, i64, i64)>,
}

impl Times {
    /// Whether a later `clock` row, or this one, accounts for a time.
    fn is_explained(&self, sequence: i64, at: i64) -> bool {
        self.explained.iter().any(|row| row.sequence >= sequence && row.until >= at)
    }

    fn look_ahead(&mut self, sequence: i64, at: i64) {
        let is_ahead = moment(at) - self.now > SLACK && !self.is_explained(sequence, at);
        match (&mut self.ahead, is_ahead) {
            (Some((_, last, _)), true) => *last = sequence,
            (None, true) => self.ahead = Some((sequence, sequence, at)),
            (_, false) => self.end_ahead(),
        }
    }

    fn end_ahead(&mut self) {
        let Some((first, last, at)) = self.ahead.take() else { return };
        let rows = match last - first {
            0 => format!("row {first} of the audit log lies"),
            _ => format!("rows {first} to {last} of the audit log lie"),
        };
        self.findings.push(format!(
            "{rows} in the future ({}): a computer's clock was ahead, or this clock is behind",
            shown(at)
        ));
    }

    fn compare(&mut self, sequence: i64, action: &str, before: i64, at: i64) {
        if is_back(before, at) && !self.is_explained(sequence, before) {
            self.findings.push(format!(
                "row {sequence} of the audit log ({action}) is of {}, and the row before it of {}: a \
                 computer's clock was wrong",
                shown(at),
                shown(before)
            ));
        }
    }

    fn compare_lists(&mut self, ca: &str, last: Made, this: Made) {
        if is_back(last.at, this.at) && !self.is_explained(last.sequence, last.at) {
            self.findings.push(format!(
                "revocation list {} of {ca} is of {}, and list {} of {}: a program that compares the dates \
                 takes the older one",
                this.number,
                shown(this.at),
                last.number,
                shown(last.at)
            ));
        }
    }
}

fn is_back(before: i64, at: i64) -> bool {
    Duration::seconds(before.saturating_sub(at)) > SLACK
}

fn shown(at: i64) -> String {
    rfc3339(moment(at))
}
