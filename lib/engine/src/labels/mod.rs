//! Labels for devices: an id, a fingerprint and a QR code of what the firm chooses, on sheets and rolls.
//!
//! A [`Template`] says what stands on a label, [`Facts`] what is known of a device; [`Template::label`] puts them
//! together, [`draw`] gives the file: PDF for office printers, ZPL for label printers, SVG for everything that engraves
//! or lays out by itself, CSV for programs that print labels from tables.
//!
//! | file | for |
//! | --- | --- |
//! | `facts` | what can stand on a label, and the placeholders of it |
//! | `template` | what does stand there: `templates/label*.toml` and files of the user's own |
//! | `sheet`, `sheet_name` | sizes of sheets and rolls, and how they are called |
//! | `code` | the QR code, as modules |
//! | `layout` | where everything goes on a label, in millimetres |
//! | `pdf`, `svg`, `zpl`, `table` | the same as files |

mod code;
mod error;
mod facts;
mod layout;
mod pdf;
mod sheet;
mod sheet_name;
mod svg;
mod table;
mod template;
mod zpl;

use std::fmt::Write;

pub use error::LabelError;
pub use facts::{Facts, OfCertificate, Placeholder};
pub use sheet::{SHEETS, Sheet, Size};
pub use template::{BUILT_IN, Label, Line, Template};
pub use zpl::Resolution;

pub(super) type Result<T, E = LabelError> = std::result::Result<T, E>;

/// The file of many labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// PDF: sheets of labels, or a page for each label of a roll.
    Pdf {
        /// How the labels lie on a page.
        sheet: Sheet,
        /// How many labels of the first sheet are used up.
        skip: usize,
    },
    /// ZPL II, for label printers.
    Zpl {
        /// The size of a label.
        size: Size,
        /// How fine the printer prints.
        resolution: Resolution,
    },
    /// A table for programs that lay labels out by themselves.
    Csv,
}

/// Draws labels into one file.
///
/// Errors: one that does not fit on its label, or cannot be printed this way; the first of them.
pub fn draw(labels: &[Label], form: Form) -> Result<Vec<u8>> {
    match form {
        Form::Pdf { sheet, skip } => pdf::draw(labels, sheet, skip),
        Form::Zpl { size, resolution } => {
            let mut text = String::new();
            for label in labels {
                zpl::draw(&mut text, label, size, resolution)?;
            }
            Ok(text.into_bytes())
        }
        Form::Csv => Ok(table::draw(labels).into_bytes()),
    }
}

/// One label as SVG 1.1, in millimetres.
///
/// Errors: it does not fit on its label.
pub fn svg(label: &Label, size: Size) -> Result<String> {
    svg::draw(label, size)
}

/// Millimetres with as many digits as are of use: a thousandth.
fn millimetres(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Adds to a text; memory does not fail.
fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests;
