//! The rows of a registration CSV as they stand in the file, byte for byte.

use crate::list::lines::{Lines, separator};

/// A row; the first is the header.
pub(crate) struct Record<'a> {
    /// Its bytes, without the end of line.
    pub(crate) text: &'a [u8],
    /// The line on which it begins, from 1.
    pub(crate) line: u64,
    /// Its cells, unquoted.
    pub(crate) cells: Vec<String>,
}

/// The rows of a CSV that [`check`](super::check()) found good; empty lines are none.
pub(crate) fn records(bytes: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator(bytes))
        .flexible(true)
        .has_headers(false)
        .from_reader(Lines::new(bytes, 1));
    let is_utf8 = std::str::from_utf8(bytes).is_ok();
    let cell = move |text: &[u8]| match is_utf8 {
        true => String::from_utf8_lossy(text).into_owned(),
        false => text.iter().map(|b| char::from(*b)).collect(),
    };
    let mut row = csv::ByteRecord::new();
    std::iter::from_fn(move || {
        if !reader.read_byte_record(&mut row).unwrap_or(false) {
            return None;
        }
        let start = row.position().map_or(0, csv::Position::byte);
        let end = reader.position().byte();
        let at = |byte: u64| usize::try_from(byte).unwrap_or(usize::MAX).min(bytes.len());
        Some(Record {
            text: without_line_ends(&bytes[at(start)..at(end)]),
            line: reader.get_mut().line_of(start),
            cells: row.iter().map(cell).collect(),
        })
    })
}

/// The reader's positions may be on either side of an end of line.
fn without_line_ends(mut text: &[u8]) -> &[u8] {
    while let [b'\r' | b'\n', rest @ ..] | [rest @ .., b'\r' | b'\n'] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_the_octets_between_line_ends() {
        let csv = b"ID\tNAME\tX\r\n\r\na\t\"one\ntwo\"\t\r\nb\t\xe4\t\n\nc\t\t";
        let rows: Vec<(&[u8], u64)> = records(csv).map(|r| (r.text, r.line)).collect();
        let expected: [(&[u8], u64); 4] =
            [(b"ID\tNAME\tX", 1), (b"a\t\"one\ntwo\"\t", 3), (b"b\t\xe4\t", 5), (b"c\t\t", 7)];
        assert_eq!(rows, expected);
        assert_eq!(
            records(csv).nth(2).map(|r| r.cells),
            Some(vec!["b".into(), "ä".into(), "".into()])
        );
    }
}
