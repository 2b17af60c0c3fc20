//! The result file of an upload: a CSV with a row for each device, for people and for the next run.
//!
//! Columns: `id`, `line`, `status` (the platform's words), `reason`, `tenant`, `digest`. While an
//! upload runs it grows by one piece after the other; at the end it is put in the order of the
//! list. A row counts for the next run if tenant, id and digest are the same and it did not fail.
//! Cells are [`shown::cell`]s, and read as such: anyone who opens the file in a spreadsheet runs nothing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{Outcome, Row, RowResult, Sheet};
use crate::failure::{Failure, Fault, Hint, Setting};
use crate::files::{self, Access, BusyFile, Existing, FileError};
use crate::shown::{self, Foreign, of_cell, one_line};

const HEADER: [&str; 6] = ["id", "line", "status", "reason", "tenant", "digest"];

/// Why a result file is a file.
const READ_AGAIN: &str = "the next upload reads from it what was done";

/// The results of a list of devices at a tenant.
#[derive(Debug)]
pub struct Results {
    path: PathBuf,
    tenant: String,
    /// By id: what is known of this tenant.
    known: HashMap<String, RowResult>,
    /// Rows about other tenants, as they are.
    others: Vec<csv::StringRecord>,
    /// Held until it is dropped.
    _lock: Option<BusyFile>,
}

/// Why a result file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultError {
    /// A file that is something else.
    #[error("{} is not the result file of an upload: it does not begin with id,line,status", .0.display())]
    NotAResultFile(PathBuf),
    /// Another process is at it.
    #[error("another upload writes to {} at this moment", .0.display())]
    Busy(PathBuf),
    /// Reading or writing it.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Failure for ResultError {
    fn fault(&self) -> Fault {
        match self {
            Self::NotAResultFile(_) => Fault::Input,
            Self::Busy(_) => Fault::Environment,
            Self::File(e) => e.fault(),
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::NotAResultFile(_) => Some(Hint::give("name another file", Setting::ResultFile)),
            Self::Busy(_) => Some("wait until it has ended, and run it again".into()),
            Self::File(e) => e.hint(),
        }
    }
}

impl Results {
    /// Reads what earlier uploads left, to look at; the file need not exist. A last line that was
    /// cut off is passed over.
    pub fn read(path: &Path, tenant: &str) -> Result<Self, ResultError> {
        let path = files::regular(path, READ_AGAIN)?;
        let tenant = tenant.to_owned();
        let mut results =
            Self { path, tenant, known: HashMap::new(), others: Vec::new(), _lock: None };
        if !results.path.exists() {
            return Ok(results);
        }
        let bytes = files::read(&results.path)?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        if whole == 0 && !csv_line(&HEADER).as_bytes().starts_with(&bytes) {
            return Err(ResultError::NotAResultFile(results.path));
        }
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(&bytes[..whole]);
        if whole > 0 && !reader.headers().is_ok_and(|h| h.iter().eq(HEADER)) {
            return Err(ResultError::NotAResultFile(results.path));
        }
        for record in reader.records().flatten() {
            results.take(record);
        }
        Ok(results)
    }

    /// As [`Results::read`], to be written to; no other process can until it is dropped.
    pub fn open(path: &Path, tenant: &str) -> Result<Self, ResultError> {
        let lock = BusyFile::try_take(&lock_of(&files::regular(path, READ_AGAIN)?))?;
        let lock = lock.ok_or_else(|| ResultError::Busy(path.to_owned()))?;
        Ok(Self { _lock: Some(lock), ..Self::read(path, tenant)? })
    }

    fn take(&mut self, record: csv::StringRecord) {
        let cell = |index| record.get(index).unwrap_or_default().to_owned();
        if of_cell(&cell(4)) != self.tenant {
            return self.others.push(record);
        }
        let result = RowResult {
            id: of_cell(&cell(0)).to_owned(),
            line: cell(1).parse().unwrap_or_default(),
            outcome: Outcome::of_word(&cell(2)),
            reason: Foreign::new(of_cell(&cell(3))),
            digest: cell(5),
        };
        self.known.insert(result.id.clone(), result);
    }

    /// The rows that other tenants have taken: each tenant and the id.
    pub(crate) fn done_elsewhere(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_done =
            |row: &&csv::StringRecord| Outcome::of_word(row.get(2).unwrap_or_default()).is_done();
        let rows = self.others.iter().filter(is_done);
        rows.filter_map(|row| Some((of_cell(row.get(4)?), of_cell(row.get(0)?))))
    }

    /// How many of these rows are of devices that were registered with another row: other columns, or other values.
    pub fn changed(&self, due: &[&Row]) -> usize {
        let is_known = |row: &&&Row| self.known.get(&row.id).is_some_and(|r| r.outcome.is_done());
        due.iter().filter(is_known).count()
    }

    /// The rows that are still to be sent: new, changed, or failed before.
    pub fn due<'a>(&self, sheet: &'a Sheet) -> Vec<&'a Row> {
        let is_done = |row: &Row| {
            self.known.get(&row.id).is_some_and(|r| r.digest == row.digest && r.outcome.is_done())
        };
        sheet.rows.iter().filter(|row| !is_done(row)).collect()
    }

    /// Writes the file with what is known, so that pieces can be added. Digests of rows with secrets
    /// are for their owner only: a short password could be guessed from one.
    pub fn begin(&self, sheet: &Sheet) -> Result<(), ResultError> {
        self.write(sheet, self.known.values())
    }

    /// Adds the results of a piece, durable before this returns.
    pub fn add(&mut self, results: &[RowResult]) -> Result<(), ResultError> {
        let lines: String = results.iter().map(|r| self.line(r)).collect();
        files::append(&self.path, lines.as_bytes())?;
        for result in results {
            self.known.insert(result.id.clone(), result.clone());
        }
        Ok(())
    }

    /// What is known of the rows of the list as they are now, in its order.
    pub fn of(&self, sheet: &Sheet) -> Vec<RowResult> {
        let known = |row: &Row| self.known.get(&row.id).filter(|r| r.digest == row.digest).cloned();
        sheet.rows.iter().filter_map(known).collect()
    }

    /// Puts the file in the order of the list, and says what became of each of its rows.
    pub fn finish(&self, sheet: &Sheet) -> Result<Vec<RowResult>, ResultError> {
        let of_list = self.of(sheet);
        let listed: std::collections::HashSet<&str> =
            of_list.iter().map(|result| result.id.as_str()).collect();
        let mut rest: Vec<&RowResult> =
            self.known.values().filter(|r| !listed.contains(r.id.as_str())).collect();
        rest.sort_by_key(|r| (r.line, &r.id));
        self.write(sheet, of_list.iter().chain(rest))?;
        Ok(of_list)
    }

    fn write<'a>(
        &self,
        sheet: &Sheet,
        results: impl Iterator<Item = &'a RowResult>,
    ) -> Result<(), ResultError> {
        let mut text = csv_line(&HEADER);
        text.extend(results.map(|r| self.line(r)));
        text.extend(self.others.iter().map(|r| csv_line(&r.iter().collect::<Vec<_>>())));
        let access = if sheet.is_secret() { Access::Private } else { Access::Public };
        files::write(&self.path, text.as_bytes(), access, Existing::Replace)?;
        Ok(())
    }

    fn line(&self, result: &RowResult) -> String {
        let line = result.line.to_string();
        let status = result.outcome.word();
        let reason = one_line(result.reason.as_received());
        let cells = [&result.id, &line, status, &reason, &self.tenant, &result.digest];
        csv_line(&cells.map(|text| shown::cell(text)).each_ref().map(|cell| &**cell))
    }
}

/// The lock of a result file: hidden beside it, and gone when nobody holds it.
fn lock_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.lock"))
}

fn csv_line(cells: &[&str]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory does not fail.
    let _ = writer.write_record(cells);
    writer.into_inner().ok().and_then(|b| String::from_utf8(b).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(names: &[(&str, &str)]) -> Sheet {
        let rows: String =
            names.iter().map(|(id, name)| format!("{id};CERTIFICATES;{name}\n")).collect();
        Sheet::read("d.csv", format!("ID;AUTH_TYPE;NAME\n{rows}").as_bytes()).unwrap()
    }

    fn result(row: &Row, outcome: Outcome) -> RowResult {
        let reason = if outcome == Outcome::Failed { "it, \"this\"" } else { "" };
        RowResult {
            id: row.id.clone(),
            line: row.line,
            outcome,
            reason: reason.into(),
            digest: row.digest.clone(),
        }
    }

    fn ids<'a>(rows: &[&'a Row]) -> Vec<&'a str> {
        rows.iter().map(|r| r.id.as_str()).collect()
    }

    #[test]
    fn the_next_run_sends_what_is_new_changed_or_failed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("result.csv");
        let list = sheet(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let mut first = Results::open(&path, "t1").unwrap();
        assert_eq!(ids(&first.due(&list)), ["a", "b", "c"]);
        first.begin(&list).unwrap();
        first.add(&[result(&list.rows[0], Outcome::Created)]).unwrap();
        first.add(&[result(&list.rows[1], Outcome::Failed)]).unwrap();
        assert!(matches!(Results::open(&path, "t1"), Err(ResultError::Busy(_))));
        drop(first);
        // Killed in the middle of a line.
        files::append(&path, b"c,4,CREA").unwrap();

        let second = Results::read(&path, "t1").unwrap();
        assert_eq!(ids(&second.due(&list)), ["b", "c"]);
        assert_eq!(second.changed(&second.due(&list)), 0);
        let changed = sheet(&[("a", "2"), ("b", "1"), ("c", "1")]);
        assert_eq!(ids(&second.due(&changed)), ["a", "b", "c"]);
        assert_eq!(second.changed(&second.due(&changed)), 1);
        // At another tenant nothing is there.
        let mut other = Results::open(&path, "t2").unwrap();
        assert_eq!(ids(&other.due(&list)), ["a", "b", "c"]);
        other.begin(&list).unwrap();
        other.add(&[result(&list.rows[2], Outcome::Updated)]).unwrap();
        assert_eq!(other.finish(&list).unwrap().len(), 1);
        drop(other);
        let first_again = Results::open(&path, "t1").unwrap();
        assert_eq!(ids(&first_again.due(&list)), ["b", "c"]);
        let all = first_again.finish(&list).unwrap();
        assert_eq!(all[1].reason.as_received(), "it, \"this\"");
        assert_eq!(files::read(&path).unwrap().iter().filter(|b| **b == b'\n').count(), 4);
    }

    #[test]
    fn a_spreadsheet_runs_nothing_and_the_next_run_reads_what_was_meant() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("result.csv");
        let list = sheet(&[("a", "1"), ("b", "1")]);
        let (tenant, reason) = ("=HYPERLINK(1)", "@SUM(A1)\u{1b}[2J\nerror: \u{202e}");
        let mut first = Results::open(&path, tenant).unwrap();
        first.begin(&list).unwrap();
        let failed = RowResult { reason: reason.into(), ..result(&list.rows[0], Outcome::Failed) };
        first.add(&[failed, result(&list.rows[1], Outcome::Created)]).unwrap();
        first.finish(&list).unwrap();
        drop(first);
        let text = String::from_utf8(files::read(&path).unwrap()).unwrap();
        assert!(text.contains(",'@SUM(A1)\\u{1b}[2J\\nerror: \\u{202e},'=HYPERLINK(1),"), "{text}");
        assert!(!text.contains(|c| c != '\n' && shown::is_hidden(c)), "{text}");
        let second = Results::open(&path, tenant).unwrap();
        assert_eq!(ids(&second.due(&list)), ["a"], "it takes the rows for another tenant's");
        second.finish(&list).unwrap();
        assert_eq!(files::read(&path).unwrap(), text.as_bytes(), "it is written in another way");
    }

    #[test]
    fn another_file_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("devices.csv");
        files::append(&path, b"id,name\na,b\n").unwrap();
        assert!(matches!(Results::open(&path, "t1"), Err(ResultError::NotAResultFile(_))));
    }
}
