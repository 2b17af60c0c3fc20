//! Data on standard output, everything else on standard error; the same value as text or JSON.
//!
//! The one door to the terminal: text and JSON leave with nothing hidden in them ([`shown`]), whatever a
//! server, a file or an argument has put there, and a message is one line. The only escapes are those of a label's
//! colour, which are ours. Only [`Output::data`] and
//! [`Output::offer`] write bytes as they are.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use c8y_pki_core::failure::Hint;
use c8y_pki_core::shown::{self, one_line};
use c8y_pki_engine::files;
use c8y_pki_engine::list::BadRow;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Result};
use crate::sheet;

/// How many faults of single devices are shown; a file takes the others.
const MOST_SHOWN: usize = 50;

/// Whether labels on standard error are coloured: one answer for a whole process.
static COLOURED: AtomicBool = AtomicBool::new(false);

/// The form of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// Text for people
    Table,
    /// One object a line, as --json
    Json,
    /// A header and a line for each: of commands named list or show
    Csv,
}

impl Form {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }
}

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Colour {
    /// At a terminal, unless NO_COLOR or CLICOLOR=0 is set; everywhere with CLICOLOR_FORCE
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

impl Colour {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }

    /// Holds all that is said from now on to it.
    pub(crate) fn begin(self) {
        let coloured = match self {
            Self::Auto => {
                anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
            }
            Self::Always => true,
            Self::Never => false,
        };
        COLOURED.store(coloured, Ordering::Relaxed);
    }
}

/// Where a command's output goes, and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    csv: bool,
    quiet: bool,
    /// Standard output is taken by what an output option names.
    aside: bool,
}

impl Output {
    pub(crate) fn new(form: Form, quiet: bool) -> Self {
        Self { json: form == Form::Json, csv: form == Form::Csv, quiet, aside: false }
    }

    /// The same beside an output option: where that is standard output, results go to standard error.
    pub(crate) fn beside(self, option: Option<&Path>) -> Self {
        Self { aside: self.aside || option.is_some_and(is_stdout), ..self }
    }

    /// Whether standard output is taken by what an output option names.
    pub(crate) fn is_aside(self) -> bool {
        self.aside
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    pub(crate) fn is_csv(self) -> bool {
        self.csv
    }

    /// Whether a progress line is welcome: somebody is looking at standard error.
    pub(crate) fn shows_progress(self) -> bool {
        !self.quiet && !self.json && io::stderr().is_terminal()
    }

    /// How far a command is, for programs that read standard error.
    pub(crate) fn progress(self, value: &serde_json::Value) {
        self.aside("progress", value);
    }

    /// Something by the way, for programs that read standard error.
    pub(crate) fn aside(self, what: &str, value: &serde_json::Value) {
        if !self.quiet {
            self.json(&serde_json::json!({ what: value }));
        }
    }

    /// A command's result where standard output is taken by its data.
    pub(crate) fn result_aside<T: Serialize>(self, value: &T, text: impl FnOnce(&T) -> String) {
        if self.json {
            self.json(value);
        } else if !self.quiet {
            self.line(text(value).trim_end());
        }
    }

    /// A command's result: one line of JSON, or `text`.
    pub(crate) fn result<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<()> {
        self.offer_result(value, text).map(|_| ())
    }

    /// The same for what goes on and on; false if the reader has gone away.
    pub(crate) fn offer_result<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<bool> {
        if self.aside {
            self.result_aside(value, text);
            return Ok(true);
        }
        if self.json {
            let line = serde_json::to_string(value).map_err(|e| Failure::Output(e.into()))?;
            self.offer(format!("{}\n", shown::json(&line)).as_bytes())
        } else if self.csv {
            self.offer(&sheet::of(std::slice::from_ref(value))?)
        } else {
            self.offer(shown::lines(&text(value)).as_bytes())
        }
    }

    /// Many results of one kind: a line of JSON each, or one text for all.
    pub(crate) fn results<T: Serialize>(
        self,
        values: &[T],
        text: impl FnOnce(&[T]) -> String,
    ) -> Result<()> {
        if self.json {
            return values.iter().try_for_each(|value| self.result(value, |_| String::new()));
        }
        if self.csv && !self.aside {
            return self.data(&sheet::of(values)?);
        }
        self.text(&text(values))
    }

    /// Text for people on standard output.
    pub(crate) fn text(self, text: &str) -> Result<()> {
        if self.aside {
            if !self.quiet {
                self.line(text.trim_end());
            }
            return Ok(());
        }
        self.data(shown::lines(text).as_bytes())
    }

    /// Bytes for standard output as they are. A reader that has gone away is no error.
    pub(crate) fn data(self, bytes: &[u8]) -> Result<()> {
        self.offer(bytes).map(|_| ())
    }

    /// The same for what goes on and on; false if the reader has gone away.
    pub(crate) fn offer(self, bytes: &[u8]) -> Result<bool> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            other => other.map(|()| true).map_err(Failure::Output),
        }
    }

    /// That something failed and is tried again.
    pub(crate) fn retry(self, reason: &str, attempt: Option<u32>, pause: Duration) {
        let seconds = (pause.as_secs_f64() * 10.0).round() / 10.0;
        if !self.json {
            return self.note(&format!("{reason}; trying again in {seconds:.1} s"));
        }
        let mut told = serde_json::json!({ "reason": reason, "seconds": seconds });
        if let Some(attempt) = attempt {
            told["attempt"] = attempt.into();
        }
        self.aside("retry", &told);
    }

    /// What the library tells of its work.
    pub(crate) fn log(
        self,
        since_start: Duration,
        about: &str,
        text: &str,
        mut fields: serde_json::Map<String, serde_json::Value>,
    ) {
        if !self.json {
            let seconds = since_start.as_secs_f64();
            return self.line(&one_line(&format!("{about} +{seconds:.3}s  {text}")));
        }
        fields.insert("about".to_owned(), about.into());
        self.json(&serde_json::json!({ "log": fields }));
    }

    /// A remark for people.
    pub(crate) fn note(self, text: &str) {
        if !self.quiet && !self.json {
            self.line(&one_line(text));
        }
    }

    /// Something that people should know of, also when they asked for quiet.
    pub(crate) fn warning(self, text: &str) {
        if self.json {
            self.json(&serde_json::json!({ "warning": text }));
        } else {
            say_labelled("warning", AnsiColor::Yellow, text);
        }
    }

    /// What goes with a failure, also when quiet was asked for: a line of JSON for each value, or `text`.
    pub(crate) fn explain<T: Serialize>(self, what: &str, values: &[T], text: &str) {
        if !self.json {
            return text.trim().lines().for_each(|line| self.line(line));
        }
        for value in values {
            self.json(&serde_json::json!({ what: value }));
        }
    }

    /// Why a command failed: each device's fault first, then the error and its hint.
    pub(crate) fn failure(self, failure: &Failure) {
        if self.json {
            let value = serde_json::json!({
                "error": failure.message(),
                "hint": failure.hint(),
                "faults": failure.faults(),
            });
            return self.json(&value);
        }
        self.faults(failure.faults());
        self.problem(&failure.message(), failure.hint().as_ref());
    }

    /// What is wrong with single devices: the first of them.
    pub(crate) fn faults(self, faults: &[BadRow]) {
        let shown = &faults[..faults.len().min(MOST_SHOWN)];
        for (index, fault) in shown.iter().enumerate() {
            if self.json {
                self.json(&serde_json::json!({ "fault": fault }));
                continue;
            }
            // Many rows have the same mistake: what to do about it is said once, after the last of them.
            let later = shown[index + 1..].iter().any(|other| other.hint == fault.hint);
            self.problem(&fault.message, fault.hint.as_ref().filter(|_| !later));
        }
        if faults.len() > MOST_SHOWN && !self.json {
            self.line(&format!("… and {} more like these", faults.len() - MOST_SHOWN));
        }
    }

    fn problem(self, message: &str, hint: Option<&Hint>) {
        say_labelled("error", AnsiColor::Red, message);
        if let Some(hint) = hint {
            say_labelled("hint", AnsiColor::Cyan, &hint.to_string());
        }
    }

    fn json<T: Serialize>(self, value: &T) {
        let line = serde_json::to_string(value).unwrap_or_default();
        self.line(&shown::json(&line));
    }

    fn line(self, text: &str) {
        say(text);
    }
}

/// Whether an output goes to standard output.
pub(crate) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-") || files::is_stdout(path)
}

/// A line on standard error with a label before it, which is coloured where that is wanted.
fn say_labelled(label: &str, colour: AnsiColor, text: &str) {
    let style = match COLOURED.load(Ordering::Relaxed) {
        true => Style::new().bold().fg_color(Some(colour.into())),
        false => Style::new(),
    };
    // Nobody is left to tell if standard error is gone.
    let _ = writeln!(io::stderr().lock(), "{style}{label}:{style:#} {}", one_line(text));
}

/// A text on standard error.
pub(crate) fn say(text: &str) {
    // Nobody is left to tell if standard error is gone.
    let _ = writeln!(io::stderr().lock(), "{}", shown::lines(text));
}
