//! Bulk registration: a CSV of devices, however long, uploaded in pieces (platform: "Bulk
//! registration").
//!
//! A piece is sent again when its answer was lost: the platform knows a device by its id, so the
//! second time finds it there and changes nothing. A 201 may hold failures: each row has its own
//! [`Outcome`], found by the device's id in the answer's lists. What came of the rows goes into a
//! result file ([`results`]) before the next piece is sent, so that an upload that was stopped goes
//! on where it was.

pub mod results;
mod sheet;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use results::{ResultError, Results};
pub use sheet::{Row, Sheet};

use super::{Body, Client, Method, PlatformError, Request, tenant};

/// Where devices are registered.
pub const PATH: &str = "/devicecontrol/bulkNewDeviceRequests";

/// Rows in a piece, unless something else is asked for.
pub const CHUNK: usize = 500;

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The device was registered.
    Created,
    /// The device was there, and its entry is up to date.
    Updated,
    /// The platform refused the row.
    Failed,
}

impl Outcome {
    /// The platform's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Updated => "CREDENTIAL_UPDATED",
            Self::Failed => "FAILED",
        }
    }

    /// From the platform's word; anything unknown is a failure.
    pub fn of_word(word: &str) -> Self {
        match word {
            "CREATED" => Self::Created,
            "CREDENTIAL_UPDATED" => Self::Updated,
            _ => Self::Failed,
        }
    }
}

/// A row and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowResult {
    /// The device.
    pub id: String,
    /// The row's line in the file, from 1.
    pub line: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it failed, in the platform's words.
    pub reason: String,
    /// SHA-256 of the header and the row, so that a changed row is known: 16 hexadecimal digits.
    #[serde(skip)]
    pub digest: String,
}

/// How an upload is to go.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Rows in a piece; at least 1.
    pub chunk: usize,
    /// Most rows a second, on average.
    pub per_second: Option<u32>,
}

/// The request that registers these rows. The name is that of the file, for the platform's log.
pub fn request(name: &str, sheet: &Sheet, rows: &[&Row]) -> Request {
    let body = Body::Csv { name: name.to_owned(), bytes: sheet.piece(rows) };
    Request::new(Method::Post, PATH, body).role(tenant::ROLE_DEVICES)
}

/// Why an upload ended early. What was done until then is in the result file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The platform.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// The result file.
    #[error(transparent)]
    Results(#[from] ResultError),
}

impl RegisterError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Platform(e) => e.hint(),
            Self::Results(e) => e.hint(),
        }
    }
}

/// What became of the rows of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Each row of which something is known, in the order of the list.
    pub rows: Vec<RowResult>,
    /// Rows that were due.
    pub due: usize,
    /// Whether it was stopped before the last row.
    pub stopped: bool,
}

impl Summary {
    /// How many rows came out like that, now or before.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.rows.iter().filter(|row| row.outcome == outcome).count()
    }
}

/// Uploads the rows that are due, piece by piece; the results of a piece are on disk before the next
/// is sent. `progress` is told how many rows are done, and how many were due.
pub fn upload(
    client: &Client,
    name: &str,
    sheet: &Sheet,
    results: &mut Results,
    pace: Pace,
    stop: &AtomicBool,
    progress: &dyn Fn(usize, usize),
) -> Result<Summary, RegisterError> {
    let due = results.due(sheet);
    if due.is_empty() {
        return Ok(Summary { rows: results.of(sheet), due: 0, stopped: false });
    }
    results.begin()?;
    let (start, mut sent) = (Instant::now(), 0);
    for piece in due.chunks(pace.chunk.max(1)) {
        if !wait(start, sent, pace.per_second, stop) {
            break;
        }
        let answer: BulkAnswer = client.json(&request(name, sheet, piece))?;
        results.add(&answer.results(piece))?;
        sent += piece.len();
        progress(sent, due.len());
    }
    let rows = results.finish(sheet)?;
    Ok(Summary { rows, due: due.len(), stopped: sent < due.len() })
}

/// Waits until so many rows may have been sent; false if it is to stop.
fn wait(start: Instant, sent: usize, per_second: Option<u32>, stop: &AtomicBool) -> bool {
    const GLANCE: Duration = Duration::from_millis(100);
    let due = per_second.map_or(Duration::ZERO, |rate| {
        Duration::from_secs_f64(sent as f64 / f64::from(rate.max(1)))
    });
    loop {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        match due.checked_sub(start.elapsed()) {
            None | Some(Duration::ZERO) => return true,
            Some(left) => std::thread::sleep(left.min(GLANCE)),
        }
    }
}

/// The platform's answer to a piece.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BulkAnswer {
    number_of_failed: u64,
    number_of_successful: u64,
    credential_updated_list: Vec<Entry>,
    failed_creation_list: Vec<Entry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    bulk_new_device_status: String,
    device_id: String,
    failure_reason: Option<String>,
}

impl BulkAnswer {
    fn results(&self, rows: &[&Row]) -> Vec<RowResult> {
        let mut said: HashMap<&str, (Outcome, &str)> = HashMap::with_capacity(rows.len());
        for entry in &self.credential_updated_list {
            let reason = entry.failure_reason.as_deref().unwrap_or_default();
            let outcome = Outcome::of_word(&entry.bulk_new_device_status);
            said.insert(&entry.device_id, (outcome, reason));
        }
        for entry in &self.failed_creation_list {
            let reason = entry.failure_reason.as_deref().unwrap_or_default();
            said.insert(&entry.device_id, (Outcome::Failed, reason));
        }
        // A row that no list names went well if the counts say that all did.
        let all = self.number_of_failed == 0 && self.number_of_successful >= rows.len() as u64;
        let unnamed = match all {
            true => (Outcome::Created, ""),
            false => (Outcome::Failed, "the platform's answer does not name this device"),
        };
        let result = |row: &&Row| {
            let (outcome, reason) = *said.get(row.id.as_str()).unwrap_or(&unnamed);
            RowResult {
                id: row.id.clone(),
                line: row.line,
                outcome,
                reason: reason.chars().filter(|c| !c.is_control()).collect(),
                digest: row.digest.clone(),
            }
        };
        rows.iter().map(result).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(ids: &[&str]) -> Sheet {
        let rows: String = ids.iter().map(|id| format!("{id};CERTIFICATES\n")).collect();
        Sheet::read("d.csv", format!("ID;AUTH_TYPE\n{rows}").as_bytes()).unwrap()
    }

    fn outcomes(json: &str) -> Vec<(String, Outcome, String)> {
        let sheet = sheet(&["a", "b", "c"]);
        let rows: Vec<&Row> = sheet.rows.iter().collect();
        let answer: BulkAnswer = serde_json::from_str(json).unwrap();
        let results = answer.results(&rows);
        results.into_iter().map(|r| (r.id, r.outcome, r.reason)).collect()
    }

    #[test]
    fn a_201_may_hold_failures() {
        let found = outcomes(
            r#"{"numberOfAll":3,"numberOfCreated":1,"numberOfFailed":1,"numberOfSuccessful":2,
            "credentialUpdatedList":[{"bulkNewDeviceStatus":"CREATED","deviceId":"a"},
                {"bulkNewDeviceStatus":"CREDENTIAL_UPDATED","deviceId":"c"}],
            "failedCreationList":[{"bulkNewDeviceStatus":"FAILED","deviceId":"b",
                "failureReason":"no good","line":3}]}"#,
        );
        let expected = [
            ("a", Outcome::Created, ""),
            ("b", Outcome::Failed, "no good"),
            ("c", Outcome::Updated, ""),
        ];
        assert_eq!(found, expected.map(|(i, o, r)| (i.to_owned(), o, r.to_owned())));
    }

    #[test]
    fn a_row_that_no_list_names_is_judged_by_the_counts() {
        let all = outcomes(r#"{"numberOfAll":3,"numberOfFailed":0,"numberOfSuccessful":3}"#);
        assert!(all.iter().all(|(_, outcome, _)| *outcome == Outcome::Created));
        let two = outcomes(r#"{"numberOfAll":3,"numberOfFailed":1,"numberOfSuccessful":2}"#);
        assert!(two.iter().all(|(_, outcome, _)| *outcome == Outcome::Failed));
        assert!(outcomes("{}").iter().all(|(_, outcome, _)| *outcome == Outcome::Failed));
    }

    #[test]
    fn the_rate_holds_back_and_a_stop_ends_the_wait() {
        let (go, halt) = (AtomicBool::new(false), AtomicBool::new(true));
        let start = Instant::now();
        assert!(wait(start, 1_000_000, None, &go));
        assert!(wait(start, 2, Some(100), &go));
        assert!(start.elapsed() >= Duration::from_millis(20));
        assert!(!wait(start, 1_000_000, Some(1), &halt));
    }
}
