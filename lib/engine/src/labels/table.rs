//! Labels as a table, for programs that lay them out by themselves: the id, what the QR code holds, and each line. A line
//! that a label lacks is an empty cell, so that a column holds the same of all devices.
//!
//! Cells that a spreadsheet would take for a formula have a `'` in front ([`cell`]).

use super::template::Label;
use crate::shown::cell;

pub(super) fn draw(labels: &[Label]) -> String {
    let lines = labels.iter().map(|label| label.lines.len()).max().unwrap_or_default();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let heads = (1..=lines).map(|number| format!("line_{number}"));
    let heads = ["id".to_owned(), "qr".to_owned()].into_iter().chain(heads);
    // Text into memory: none of these fails.
    let _ = writer.write_record(heads);
    for label in labels {
        let texts =
            label.lines.iter().map(|line| line.as_ref().map_or("", |line| line.text.as_str()));
        let texts = texts.chain(std::iter::repeat("")).take(lines);
        let cells = [label.id.as_str(), label.code().unwrap_or_default()].into_iter().chain(texts);
        let _ = writer.write_record(cells.map(|text| cell(text).into_owned()));
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}
