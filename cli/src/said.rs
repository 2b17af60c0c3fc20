//! A value of an option, and whether the command line has it or something that stays from command to command: a variable
//! of the environment, a context, a default.

use std::ffi::OsStr;

use clap::builder::{StringValueParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{Arg, Command};

/// The value of an option.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    text: String,
    is_on_line: bool,
}

impl Said {
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The value, if the command line has it.
    pub(crate) fn on_line(&self) -> Option<&str> {
        Some(self.as_str()).filter(|text| self.is_on_line && !text.is_empty())
    }
}

/// Parses text, and notes where it is from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noted;

impl TypedValueParser for Noted {
    type Value = Said;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Said, clap::Error> {
        self.parse_ref_(command, arg, value, ValueSource::DefaultValue)
    }

    fn parse_ref_(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
        source: ValueSource,
    ) -> Result<Said, clap::Error> {
        let text = StringValueParser::new().parse_ref(command, arg, value)?;
        Ok(Said { text, is_on_line: source == ValueSource::CommandLine })
    }
}
