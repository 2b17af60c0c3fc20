//! What `device connect` tells: operations on standard output, all else on standard error.

use c8y_pki_core::cert::LongestChain;
use c8y_pki_core::failure::{Failure as _, Kind};
use c8y_pki_engine::device::check::{self, Check, Report, Verdict};
use c8y_pki_engine::device::connection::{ConnectionError, Event, Prospect};
use c8y_pki_engine::device::mqtt::{Message, MqttError};
use c8y_pki_engine::device::smartrest::{self, ERRORS};
use c8y_pki_engine::platform::blocking::Inquiry;
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

use super::super::check::MORE_WITH_LOGIN;
use super::super::check::show::why;
use super::super::connecting::Ready;
use super::lines::{Line, MOST_WAITING};
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::render::{count, printable};

/// How much of a line is shown, in characters.
const SHOWN: usize = 60;

/// A message that came.
#[derive(Serialize)]
struct Came<'a> {
    topic: &'a str,
    /// None if it is no SmartREST.
    rows: Option<Vec<Vec<String>>>,
    payload: String,
}

pub(super) struct Screen {
    out: Output,
    client_id: String,
    target: String,
}

impl Screen {
    pub(super) fn new(ready: &Ready, out: Output) -> Self {
        let (client_id, target) = (ready.options().client_id.to_string(), ready.target.to_string());
        Self { out, client_id, target }
    }

    /// Tells what happened; false if nobody reads standard output any more.
    pub(super) fn show(&self, event: &Event, waiting: usize) -> Result<bool> {
        match event {
            Event::Connected => self.connected(),
            Event::Lost { error, pause } => {
                self.out.retry(&error.to_string(), None, *pause);
                if waiting > 0 {
                    self.waiting(waiting);
                }
            }
            Event::Message(message) if message.topic == ERRORS => self.error(message),
            Event::Message(message) => return self.operation(message),
            _ => {}
        }
        Ok(true)
    }

    fn connected(&self) {
        let Self { out, client_id, target } = self;
        if out.is_json() {
            out.aside("connected", &json!({ "client_id": client_id, "target": target }));
        } else {
            out.note(&format!("connected to {target} as {client_id}"));
        }
    }

    /// That somebody else may be connected as this device.
    pub(super) fn rival(&self) {
        self.out.warning(&format!(
            "the server has closed two sessions in a row soon after they began: another program may be \
             connected as {}, and the platform keeps only the last connection of a ClientId",
            self.client_id
        ));
    }

    fn waiting(&self, waiting: usize) {
        if self.out.is_json() {
            return self.out.aside("waiting", &json!(waiting));
        }
        let lines = count(waiting, "line");
        match waiting >= MOST_WAITING {
            true => self.out.note(&format!("{lines} wait to be sent; until then no more are read")),
            false => self.out.note(&format!("{lines} to be sent when the connection is back")),
        }
    }

    fn operation(&self, message: &Message) -> Result<bool> {
        let payload = String::from_utf8_lossy(&message.payload).into_owned();
        let rows = smartrest::parse(&payload).ok();
        if self.out.is_json() {
            let came = Came { topic: &message.topic, rows, payload };
            return self.out.offer_result(&came, |_| String::new());
        }
        let text: String = match rows.and_then(|rows| written(&rows)) {
            Some(rows) => rows.iter().map(|row| format!("{}\n", printable(row))).collect(),
            None => format!("{}\n", printable(payload.trim_end())),
        };
        self.out.offer(text.as_bytes())
    }

    fn error(&self, message: &Message) {
        let text = String::from_utf8_lossy(&message.payload);
        for line in text.lines().filter(|line| smartrest::tells_an_error(line)) {
            self.out.warning(&format!("{ERRORS} says: {line}"));
        }
    }

    /// A line that is not published.
    pub(super) fn refused(&self, line: &Line) {
        self.out.warning(&match line {
            Line::TooLong { number, most } => format!(
                "line {number} of standard input is not sent: a message can have at most {most} bytes"
            ),
            Line::NotText { number } => {
                format!("line {number} of standard input is not sent: it is not UTF-8")
            }
            Line::Broken(reason) => format!("standard input cannot be read any more: {reason}"),
            Line::Text(_) => return,
        });
    }

    /// A line that was given up.
    pub(super) fn unsent(&self, payload: &[u8], error: &MqttError) {
        let text = String::from_utf8_lossy(payload);
        let start: String = text.chars().take(SHOWN).collect();
        let more = if text.chars().count() > SHOWN { "…" } else { "" };
        self.out.warning(&format!("not sent: {start}{more}: {error}"));
    }

    /// Lines that were still to be sent at the end.
    pub(super) fn left(&self, left: usize) {
        self.out.warning(&format!("{} not sent", count(left, "line")));
    }
}

/// What `device check` looks at.
fn to_check<'a>(
    ready: &Ready,
    tenant: Option<&'a Inquiry<'a>>,
    longest: LongestChain,
) -> Check<'a> {
    Check {
        device: Some(ready.device.clone()),
        timeout: ready.timeout,
        // It was tried again and again before.
        attempts: 1,
        longest,
        tenant,
        service: ready.service.clone(),
        ..Check::new(ready.target.clone(), OffsetDateTime::now_utc())
    }
}

/// Refuses files with which no device connects, before it is tried.
pub(super) fn check_files(ready: &Ready, longest: LongestChain, out: Output) -> Result<()> {
    let how = to_check(ready, None, longest);
    let Some(report) = check::own_files(&how, &ready.credentials) else {
        return Ok(());
    };
    explain(&report, out);
    let detail = report.failed().map(|step| step.detail.as_str()).unwrap_or_default();
    let message = format!("{} does not connect with its files: {detail}", ready.device);
    let kind = Kind::WrongInput;
    Err(Failure::Said { kind, message, hint: None })
}

/// Why the platform probably refuses: what `device check` finds, which then need not be recommended.
pub(super) fn refusal(
    error: ConnectionError,
    ready: Ready,
    tenant: Option<&Inquiry<'_>>,
    longest: LongestChain,
    out: Output,
) -> Failure {
    let error = c8y_pki_engine::Error::from(error);
    if Prospect::of(&error) == Prospect::Temporary {
        return error.into();
    }
    let report = check::check(&to_check(&ready, tenant, longest), Ok(ready.credentials));
    if report.causes.is_empty() {
        return error.into();
    }
    explain(&report, out);
    if tenant.is_none() && report.verdict == Verdict::Refused {
        out.note(MORE_WITH_LOGIN);
    }
    Failure::Said { kind: error.fault().kind(), message: error.to_string(), hint: None }
}

fn explain(report: &Report, out: Output) {
    out.explain("cause", &report.causes, &why(report));
}

/// Each row as it is written; none if one cannot be.
fn written(rows: &[Vec<String>]) -> Option<Vec<String>> {
    let write = |row| smartrest::write(std::slice::from_ref(row)).ok();
    rows.iter().map(|row| write(row).map(|text| text.trim_end().to_owned())).collect()
}
