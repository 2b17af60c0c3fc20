//! Why rows cannot be written or read.

use super::packet::MAX_PACKET;
use crate::failure::{Failure, Fault, Hint};

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
