//! SmartREST 2.0: rows of values in MQTT payloads (platform: "SmartREST is CSV").
//!
//! A row ends with `\n`, its values are separated by `,`. A value with `"`, `,`, CR, LF, a tab, or
//! white space at either end is quoted with `"`; a `"` inside is `\"`, and only there a backslash
//! means more than itself. [`message`] has the rows with a meaning of their own.
//!
//! Refused on writing, because nobody could read it back: a row whose first value, the message's
//! number, is empty; a value that has to be quoted and ends with a backslash, which would escape
//! the closing quote; a packet beyond [`MAX_PACKET`]. Refused on reading: a quote that is not
//! closed, or that stands inside an unquoted value, or that is followed by anything but `,` or the
//! end of the row.
//!
//! ```
//! use c8y_pki_engine::device::smartrest::{self, message::Upstream};
//!
//! # fn main() -> Result<(), c8y_pki_engine::Error> {
//! let name = "Gateway 1, \"north\"".to_owned();
//! let device = Upstream::Device { name, device_type: "c8y_MQTTDevice".to_owned() };
//! let text = smartrest::write(&[device.row()])?;
//! assert_eq!(text, "100,\"Gateway 1, \\\"north\\\"\",c8y_MQTTDevice\n");
//! assert_eq!(smartrest::parse(&text)?, [device.row()]);
//! # Ok(())
//! # }
//! ```

pub mod message;

use crate::client_id::DeviceId;
use crate::failure::{Failure, Fault, Hint};

/// Largest packet that the platform takes, in bytes, "header included": the whole PUBLISH.
pub const MAX_PACKET: usize = 16_184;

/// Static templates: where a device publishes.
pub const PUBLISH: &str = "s/us";
/// Operations for the device.
pub const OPERATIONS: &str = "s/ds";
/// What was wrong with a message; for development.
pub const ERRORS: &str = "s/e";
/// An empty message asks for a token.
pub const TOKEN_REQUEST: &str = "s/uat";
/// Tokens come here.
pub const TOKEN: &str = "s/dat";
/// An empty message asks for credentials (devices with a password).
pub const BOOTSTRAP_REQUEST: &str = "s/ucr";
/// Credentials come here.
pub const BOOTSTRAP: &str = "s/dcr";

/// Whether a line that came on [`ERRORS`] tells of an error. That a device exists already is none: each
/// message 100 but the first is answered with it (platform: "`41,100,Device already existing`").
pub fn tells_an_error(line: &str) -> bool {
    let line = line.trim().replace('"', "");
    !line.is_empty() && !line.starts_with("41,100,Device already exist")
}

/// Where a device publishes for one of its children. An identifier holds no separator and no
/// wildcard of topics, so it is one level.
pub fn child_topic(child: &DeviceId) -> String {
    format!("{PUBLISH}/{child}")
}

/// Why rows could not be written or read.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SmartRestError {
    /// A row without a number.
    #[error("row {row} does not begin with the number of a message")]
    NoNumber {
        /// The row; 1 is the first.
        row: usize,
    },
    /// A value that nobody could read back.
    #[error(
        "the value {value:?} has to be quoted and ends with '\\', which would escape the quote"
    )]
    Backslash {
        /// The value.
        value: String,
    },
    /// Too much for one packet.
    #[error("a message for {topic} has {bytes} bytes; the platform accepts {MAX_PACKET}")]
    TooLong {
        /// Where it should go.
        topic: String,
        /// The length of the packet, in bytes.
        bytes: usize,
    },
    /// A quoted value without an end.
    #[error("row {row} has a quote that is not closed")]
    Unclosed {
        /// The row; 1 is the first.
        row: usize,
    },
    /// A quote where none belongs.
    #[error("row {row} has a '\"' inside of an unquoted value")]
    StrayQuote {
        /// The row; 1 is the first.
        row: usize,
    },
    /// Text behind a closing quote.
    #[error("row {row} has {found:?} behind a closing quote")]
    AfterQuote {
        /// The row; 1 is the first.
        row: usize,
        /// The character.
        found: char,
    },
    /// A row of a known number that has too few values.
    #[error("a message {number} has {wanted} values, this one has {found}")]
    Values {
        /// The message's number.
        number: &'static str,
        /// How many it must have, the number included.
        wanted: usize,
        /// How many it has.
        found: usize,
    },
    /// Bytes that are no text.
    #[error("the message is not UTF-8")]
    NotText,
}

impl Failure for SmartRestError {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<Hint> {
        let hint = match self {
            Self::NoNumber { .. } => "for example 100,NAME,TYPE",
            Self::Backslash { .. } => "leave the last backslash out",
            Self::TooLong { .. } => "send it in several messages",
            Self::Unclosed { .. } | Self::StrayQuote { .. } | Self::AfterQuote { .. } => {
                "quote the whole value with '\"', and write '\\\"' for a quote inside of it"
            }
            _ => return None,
        };
        Some(hint.into())
    }
}

/// Writes rows, each with its end.
///
/// Errors: [`SmartRestError::NoNumber`], [`SmartRestError::Backslash`].
pub fn write<R, V>(rows: &[R]) -> Result<String, SmartRestError>
where
    R: AsRef<[V]>,
    V: AsRef<str>,
{
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let row = row.as_ref();
        if row.first().is_none_or(|number| number.as_ref().is_empty()) {
            return Err(SmartRestError::NoNumber { row: index + 1 });
        }
        for (position, value) in row.iter().enumerate() {
            if position > 0 {
                text.push(',');
            }
            push_value(&mut text, value.as_ref())?;
        }
        text.push('\n');
    }
    Ok(text)
}

fn push_value(text: &mut String, value: &str) -> Result<(), SmartRestError> {
    if !needs_quotes(value) {
        text.push_str(value);
        return Ok(());
    }
    if value.ends_with('\\') {
        return Err(SmartRestError::Backslash { value: value.to_owned() });
    }
    text.push('"');
    text.push_str(&value.replace('"', "\\\""));
    text.push('"');
    Ok(())
}

fn needs_quotes(value: &str) -> bool {
    value.contains(['"', ',', '\r', '\n', '\t']) || value.trim() != value
}

/// Reads rows. Blank lines are none, and a row may end with CR LF or with the text.
///
/// Errors: [`SmartRestError::Unclosed`], [`SmartRestError::StrayQuote`],
/// [`SmartRestError::AfterQuote`], [`SmartRestError::NoNumber`].
pub fn parse(text: &str) -> Result<Vec<Vec<String>>, SmartRestError> {
    let mut rows = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let number = rows.len() + 1;
        let (row, after) = parse_row(rest, number)?;
        rest = after;
        match row.as_slice() {
            // A quoted empty value is not a blank line.
            [only] if only.is_empty() => {}
            [first, ..] if first.is_empty() => {
                return Err(SmartRestError::NoNumber { row: number });
            }
            _ => rows.push(row),
        }
    }
    Ok(rows)
}

/// The first row, and the text behind its end.
fn parse_row(text: &str, row: usize) -> Result<(Vec<String>, &str), SmartRestError> {
    let mut values = Vec::new();
    let mut rest = text;
    loop {
        let (value, after) = match rest.strip_prefix('"') {
            Some(quoted) => parse_quoted(quoted, row)?,
            None => parse_plain(rest, row)?,
        };
        values.push(value);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => {
                let after = after.strip_prefix('\r').unwrap_or(after);
                return Ok((values, after.strip_prefix('\n').unwrap_or(after)));
            }
        }
    }
}

/// A value up to its separator, which stays.
fn parse_plain(text: &str, row: usize) -> Result<(String, &str), SmartRestError> {
    let end = text.find([',', '\n']).unwrap_or(text.len());
    let (mut value, mut after) = text.split_at(end);
    if value.contains('"') {
        return Err(SmartRestError::StrayQuote { row });
    }
    if !after.starts_with(',')
        && let Some(without) = value.strip_suffix('\r')
    {
        after = &text[without.len()..];
        value = without;
    }
    Ok((value.to_owned(), after))
}

/// A value behind its opening quote, up to the separator behind its closing one.
fn parse_quoted(text: &str, row: usize) -> Result<(String, &str), SmartRestError> {
    let mut value = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if chars.peek().is_some_and(|(_, next)| *next == '"') => {
                value.push('"');
                chars.next();
            }
            '"' => {
                let after = &text[at + 1..];
                return match after.chars().next() {
                    None | Some(',' | '\n') => Ok((value, after)),
                    Some('\r') if matches!(after, "\r") || after.starts_with("\r\n") => {
                        Ok((value, after))
                    }
                    Some(found) => Err(SmartRestError::AfterQuote { row, found }),
                };
            }
            c => value.push(c),
        }
    }
    Err(SmartRestError::Unclosed { row })
}

/// The length of the PUBLISH that carries `payload` bytes to `topic` (MQTT 3.1.1, 3.3). A packet
/// identifier is counted, though QoS 0 has none.
pub fn packet_length(topic: &str, payload: usize) -> usize {
    let remaining = 2 + topic.len() + 2 + payload;
    let length_octets = match remaining {
        0..128 => 1,
        128..16_384 => 2,
        16_384..2_097_152 => 3,
        _ => 4,
    };
    1 + length_octets + remaining
}

/// Rows in as few payloads for `topic` as the platform's limit allows; their order is kept.
///
/// Errors: those of [`write()`], and [`SmartRestError::TooLong`] for a row that is too long by itself.
pub fn payloads<R, V>(topic: &str, rows: &[R]) -> Result<Vec<String>, SmartRestError>
where
    R: AsRef<[V]>,
    V: AsRef<str>,
{
    let mut payloads: Vec<String> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let text = write(std::slice::from_ref(row)).map_err(|e| match e {
            SmartRestError::NoNumber { .. } => SmartRestError::NoNumber { row: index + 1 },
            other => other,
        })?;
        check_length(topic, text.len())?;
        match payloads.last_mut() {
            Some(last) if packet_length(topic, last.len() + text.len()) <= MAX_PACKET => {
                last.push_str(&text);
            }
            _ => payloads.push(text),
        }
    }
    Ok(payloads)
}

/// Holds a payload to the platform's limit.
pub fn check_length(topic: &str, payload: usize) -> Result<(), SmartRestError> {
    match packet_length(topic, payload) {
        ..=MAX_PACKET => Ok(()),
        bytes => Err(SmartRestError::TooLong { topic: topic.to_owned(), bytes }),
    }
}

#[cfg(test)]
mod tests;
