//! Why labels cannot be made.

use super::sheet::SIDES;
use crate::failure::{Failure, Fault, Hint};
use crate::shown::{Foreign, count};

/// Why labels cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// A template that cannot be read.
    #[error("the label template {file}: {problem}")]
    Template {
        /// Its file, or its name.
        file: String,
        /// What is wrong with it.
        problem: Foreign,
    },
    /// A placeholder that there is not.
    #[error("{{{name}}} is no placeholder of labels")]
    Placeholder {
        /// What stands between the braces.
        name: Foreign,
    },
    /// A brace without the other one of its pair.
    #[error("in the text \"{text}\" of a label a {missing} is missing")]
    Brace {
        /// The text.
        text: Foreign,
        /// The other brace.
        missing: char,
    },
    /// A name or size that is none.
    #[error(
        "{text:?} is no label sheet, and no size in millimetres: each side has {} to {}",
        SIDES.start(),
        SIDES.end()
    )]
    Sheet {
        /// What was given.
        text: String,
    },
    /// More labels used up than a sheet has.
    #[error("the sheet has {}: {skip} of them cannot be used up", count(*labels, "label"))]
    Skip {
        /// How many it has.
        labels: usize,
        /// How many were to be skipped.
        skip: usize,
    },
    /// What a label is to show is not known of a device.
    #[error("device {id:?} has no {what} for its label")]
    Unknown {
        /// The device.
        id: String,
        /// What is missing.
        what: &'static str,
    },
    /// A QR code that readers would not read alike.
    #[error(
        "the QR code of device {id:?} would hold {found:?}: here it holds printable ASCII only, which every reader reads alike"
    )]
    CodeText {
        /// The device.
        id: String,
        /// The first character that is none.
        found: char,
    },
    /// Too much for a QR code.
    #[error("the QR code of device {id:?} would hold {bytes} bytes, which is too much for one")]
    CodeLength {
        /// The device.
        id: String,
        /// How much it is.
        bytes: usize,
    },
    /// A QR code that would be too fine to be read.
    #[error(
        "the QR code of device {id:?} needs a square of {needed} mm to be read reliably, and the label has room for {room} mm"
    )]
    CodeSize {
        /// The device.
        id: String,
        /// The side that is there for it, in millimetres.
        room: String,
        /// The side that it needs, with its margin, in millimetres.
        needed: String,
    },
    /// Text for which there is no room.
    #[error("the text on the label of device {id:?} does not fit on {size} mm at {least} points")]
    Text {
        /// The device.
        id: String,
        /// The size of the label.
        size: String,
        /// The smallest size of letters.
        least: String,
    },
    /// A character that the fonts of every PDF reader do not have.
    #[error(
        "the label of device {id:?} holds {found:?}, which the built-in fonts of PDF do not have"
    )]
    Font {
        /// The device.
        id: String,
        /// The character.
        found: char,
    },
}

impl Failure for LabelError {
    fn fault(&self) -> Fault {
        match self {
            Self::Template { .. }
            | Self::Placeholder { .. }
            | Self::Brace { .. }
            | Self::Sheet { .. }
            | Self::Skip { .. }
            | Self::Unknown { .. }
            | Self::CodeText { .. }
            | Self::CodeLength { .. }
            | Self::CodeSize { .. }
            | Self::Text { .. }
            | Self::Font { .. } => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        let known = || super::Placeholder::ALL.map(|p| format!("{{{}}}", p.name())).join(", ");
        let sheets = || super::SHEETS.map(|(name, _, _)| name).join(", ");
        Some(match self {
            Self::Template { .. } => "start from one of the built-in templates".into(),
            Self::Placeholder { .. } => format!("known: {}", known()).into(),
            Self::Brace { .. } => {
                "a placeholder is written {id}; {{ and }} stand for the braces themselves".into()
            }
            Self::Sheet { .. } => {
                format!("known sheets: {}; a roll is written as 100x50", sheets()).into()
            }
            Self::Skip { .. } => "count the labels that are missing from the first sheet".into(),
            Self::Unknown { .. } => return None,
            Self::CodeText { .. } | Self::CodeLength { .. } => {
                "let the QR code hold something else".into()
            }
            Self::CodeSize { .. } => "choose a larger label, or let the QR code hold less".into(),
            Self::Text { .. } => "choose a larger label, or a template with less text".into(),
            Self::Font { .. } => {
                "choose another form: SVG, ZPL and CSV take every character".into()
            }
        })
    }
}
