//! Bulk registration: a CSV of devices, however long, uploaded in pieces (platform: "Bulk
//! registration").
//!
//! A piece is sent again when its answer was lost: the platform knows a device by its id, so the
//! second time finds it there and changes nothing. A 201 may hold failures: each row has its own
//! [`Outcome`], found by the device's id in the answer's lists. What came of the rows goes into a
//! result file ([`results`]) before the next piece is sent, so that an upload that was stopped goes
//! on where it was.
//!
//! A device that is to enrol at the platform's own CA has a request, and after too many attempts with a wrong
//! one-time password that is blocked (platform: `BLOCKED`). What the platform does with a new row for it is not
//! documented. So such a row is not sent: the operator has to know, and withdraws the request first.

mod answer;
pub mod results;
mod sheet;

use crate::failure::{Hint, Task};
use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use answer::BulkAnswer;
use serde::Serialize;

use results::{ResultError, Results};
pub use sheet::{Row, Sheet};

use super::{Body, Client, Method, PlatformError, Request, newcomers, request, tenant};
use crate::net::sleep_until;
use crate::shown::Foreign;

/// Where devices are registered.
pub const PATH: &str = "/devicecontrol/bulkNewDeviceRequests";

/// The type of the answer (the platform's description).
const KIND: &str = "application/vnd.com.nsn.cumulocity.bulknewdevicerequest+json, application/json";

/// Why a row was not sent.
pub const BLOCKED: &str = "its request is blocked (BLOCKED) after too many attempts with a wrong one-time \
    password; the platform does not accept it any more";

/// Rows in a piece, unless something else is asked for.
pub const CHUNK: usize = 500;

/// Most rows in a piece.
pub const MOST_ROWS: usize = 100_000;

/// Bytes that an answer has for a row: its id, of 64 characters at most, and a sentence.
const OF_ROW: usize = 2 << 10;

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
    /// The device's request is blocked; the row was not sent, or the platform said so.
    Blocked,
}

impl Outcome {
    /// The platform's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Updated => "CREDENTIAL_UPDATED",
            Self::Failed => "FAILED",
            Self::Blocked => "BLOCKED",
        }
    }

    /// Whether the device is registered: its row need not be sent again.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Created | Self::Updated)
    }

    /// From the platform's word; anything unknown is a failure.
    pub fn of_word(word: &str) -> Self {
        match word {
            "CREATED" => Self::Created,
            "CREDENTIAL_UPDATED" => Self::Updated,
            "BLOCKED" => Self::Blocked,
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
    pub reason: Foreign,
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
    let bytes = sheet.piece(rows);
    let body = Body::Csv { name: name.to_owned(), shown: sheet.shown(&bytes), bytes };
    let most = request::MOST + rows.len().min(MOST_ROWS) * OF_ROW;
    Request::new(Method::Post, PATH, body).role(tenant::ROLE_DEVICES).accept(KIND).at_most(most)
}

/// What became of the rows of a list.
#[derive(Debug)]
pub struct Summary {
    /// Each row of which something is known, in the order of the list.
    pub rows: Vec<RowResult>,
    /// Rows that were sent.
    pub sent: usize,
    /// Rows that were due and have not been sent.
    pub left: usize,
    /// Why rows are left; nothing if it was stopped.
    pub failure: Option<PlatformError>,
}

impl Summary {
    /// How many rows came out like that, now or before.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.rows.iter().filter(|row| row.outcome == outcome).count()
    }

    /// How many rows failed, blocked ones included.
    pub fn failed(&self) -> usize {
        self.rows.iter().filter(|row| !row.outcome.is_done()).count()
    }
}

/// Uploads the rows that are due, piece by piece; the results of a piece are on disk before the next
/// is sent. `progress` is told how many rows are done, and how many were due.
///
/// A piece that the platform refuses as a whole (400, 413, 422) is a failure of each of its rows. Any
/// other failure ends the upload, and is in the summary. Errors: the result file.
pub async fn upload(
    client: &Client,
    name: &str,
    sheet: &Sheet,
    results: &mut Results,
    pace: Pace,
    stop: &AtomicBool,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Summary, ResultError> {
    let due = results.due(sheet);
    let mut summary = Summary { rows: results.of(sheet), sent: 0, left: due.len(), failure: None };
    if due.is_empty() {
        return Ok(summary);
    }
    let (held_back, due) = match blocked(client, sheet).await {
        Ok(blocked) => due.into_iter().partition(|row: &&Row| blocked.contains(&row.id)),
        Err(PlatformError::Stopped { .. }) => return Ok(summary),
        Err(e) => {
            summary.failure = Some(e);
            return Ok(summary);
        }
    };
    let held_back: Vec<&Row> = held_back;
    results.begin(sheet)?;
    let known: Vec<RowResult> =
        held_back.iter().map(|row| row.result(Outcome::Blocked, BLOCKED)).collect();
    results.add(&known)?;
    summary.left -= held_back.len();
    let start = Instant::now();
    for piece in due.chunks(pace.chunk.max(1)) {
        if !wait(start, summary.sent, pace.per_second, stop) {
            break;
        }
        match send(client, &request(name, sheet, piece), piece).await {
            Ok(known) => results.add(&known)?,
            Err(PlatformError::Stopped { .. }) => break,
            Err(e) => {
                summary.failure = Some(e);
                break;
            }
        }
        summary.sent += piece.len();
        summary.left -= piece.len();
        progress(summary.sent, due.len());
    }
    summary.rows = results.finish(sheet)?;
    Ok(summary)
}

/// The devices of a sheet whose requests are blocked, as far as the user may see them: who may register devices
/// need not have that right.
async fn blocked(client: &Client, sheet: &Sheet) -> Result<HashSet<String>, PlatformError> {
    if !sheet.has_one_time_passwords() {
        return Ok(HashSet::new());
    }
    match newcomers::blocked(client).await {
        Err(PlatformError::Forbidden { .. }) => Ok(HashSet::new()),
        other => other,
    }
}

/// The rows of a sheet whose devices the platform lets in no more.
///
/// Errors: also where the user may not see requests ([`PlatformError::Forbidden`]).
pub async fn blocked_rows<'a>(
    client: &Client,
    sheet: &'a Sheet,
) -> Result<Vec<&'a Row>, PlatformError> {
    if !sheet.has_one_time_passwords() {
        return Ok(Vec::new());
    }
    let blocked = newcomers::blocked(client).await?;
    Ok(sheet.rows.iter().filter(|row| blocked.contains(&row.id)).collect())
}

/// What helps with a blocked request.
pub fn unblock(id: &str) -> Hint {
    Hint::run("withdraw it", Task::WithdrawRegistration { id: id.to_owned() })
        .then("then run this again")
}

/// Sends a piece; what became of its rows.
pub(super) async fn send(
    client: &Client,
    request: &Request,
    piece: &[&Row],
) -> Result<Vec<RowResult>, PlatformError> {
    match client.json::<BulkAnswer>(request).await {
        Ok(answer) => Ok(answer.results(piece)),
        Err(e) if matches!(e.status(), Some(400 | 413 | 422)) => {
            let reason = e.to_string();
            Ok(piece.iter().map(|row| row.result(Outcome::Failed, &reason)).collect())
        }
        Err(e) => Err(e),
    }
}

/// Waits until so many rows may have been sent; false if it is to stop.
fn wait(start: Instant, sent: usize, per_second: Option<u32>, stop: &AtomicBool) -> bool {
    let due = per_second.map_or(Duration::ZERO, |rate| {
        Duration::from_secs_f64(sent as f64 / f64::from(rate.max(1)))
    });
    sleep_until(start + due, stop)
}

impl Row {
    fn result(&self, outcome: Outcome, reason: &str) -> RowResult {
        RowResult {
            id: self.id.clone(),
            line: self.line,
            outcome,
            reason: Foreign::beginning(reason),
            digest: self.digest.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
