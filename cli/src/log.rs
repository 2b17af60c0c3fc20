//! `-v`, `-vv` and `C8Y_PKI_LOG`: what the library tells of its work, on standard error.
//!
//! Only events of this project are told: what libraries below log may hold headers, and so credentials. An event
//! holds no secret; [`Foreign`](c8y_pki_core::shown::Foreign) text in it is shown as everywhere.

use std::fmt::{Debug, Write};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::clock;
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::variables::of_environment;

/// How the targets of this project's events begin.
const OURS: &str = "c8y_pki::";

/// Begins to tell: as often as -v was given, else as the variable says.
pub(crate) fn begin(verbose: u8, out: Output) -> Result<()> {
    let level = match verbose {
        0 => of_variable()?,
        1 => Some(Level::INFO),
        _ => Some(Level::DEBUG),
    };
    if let Some(level) = level {
        // It is the first: nothing else in this process sets one.
        let _ = tracing::subscriber::set_global_default(Log { level, out });
    }
    Ok(())
}

fn of_variable() -> Result<Option<Level>> {
    let Some(text) = of_environment("C8Y_PKI_LOG") else { return Ok(None) };
    match text.to_ascii_lowercase().as_str() {
        "off" | "0" => Ok(None),
        "info" | "1" => Ok(Some(Level::INFO)),
        "debug" | "2" => Ok(Some(Level::DEBUG)),
        _ => Err(Failure::usage(
            format!("C8Y_PKI_LOG is {text:?}, which is no level"),
            "set it to info (as -v), debug (as -vv) or off",
        )),
    }
}

struct Log {
    level: Level,
    out: Output,
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && metadata.target().starts_with(OURS)
            && *metadata.level() <= self.level
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let about = event.metadata().target().trim_start_matches(OURS);
        self.out.log(clock::since_start(), about, &fields.text, fields.json);
    }

    // There are no spans.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What an event holds, for people and for programs.
#[derive(Default)]
struct Fields {
    text: String,
    json: Map<String, Value>,
}

impl Fields {
    fn add(&mut self, field: &Field, shown: &str, value: Value) {
        let gap = if self.text.is_empty() { "" } else { "  " };
        let _ = match field.name() {
            "message" => write!(self.text, "{gap}{shown}"),
            name => write!(self.text, "{gap}{name}={shown}"),
        };
        self.json.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // What is recorded by `%` comes here too, as its text.
        let text = format!("{value:?}");
        self.add(field, &text, Value::String(text.clone()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, &value.to_string(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, &value.to_string(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, &value.to_string(), value.into());
    }
}
