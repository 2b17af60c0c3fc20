//! Where the header of a list is: the first row that is not empty, unless it has no column of ids and one of the next rows
//! has. People write a title above their tables.

use std::io;

use super::cell;
use super::lines::{Counted, read_line, separator};

/// Headers that name the column of ids, in lower case.
pub const ID_COLUMNS: [&str; 4] = ["id", "client_id", "device_id", "serial"];

/// How a list is to be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// The header of the column of ids, to the letter; if there is none, one of [`ID_COLUMNS`].
    pub id_column: Option<String>,
}

impl ListOptions {
    /// Whether that is the header of the column of ids.
    pub(super) fn is_id(&self, header: &str) -> bool {
        match &self.id_column {
            Some(wanted) => header == wanted.trim(),
            None => ID_COLUMNS.contains(&header.to_lowercase().as_str()),
        }
    }
}

/// How many more lines are looked at.
const MOST_ABOVE: usize = 20;

/// Longest line of a header, in bytes.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// The beginning of a list from its header on.
pub(super) struct Header {
    pub(super) text: Vec<u8>,
    /// On which line of the file, or of the text of a sheet, it begins.
    pub(super) line: u64,
    /// Whether something stands above it.
    pub(super) is_below: bool,
}

impl Header {
    /// The header, if `first` is the first line that is not empty. `more` is what follows it; `told` is the separator, if
    /// the file says it.
    pub(super) fn find(
        (first, line): (Vec<u8>, u64),
        more: &mut impl io::BufRead,
        (counted, told): (Counted, Option<u8>),
        options: &ListOptions,
    ) -> io::Result<Self> {
        let usual = told.unwrap_or_else(|| separator(&first));
        if position(&first, usual, counted, options).is_some() {
            return Ok(Self { text: first, line, is_below: false });
        }
        let mut text = first;
        for _ in 0..MOST_ABOVE {
            let next = read_line(more, MOST_BYTES)?;
            if next.is_empty() {
                break;
            }
            text.extend(next);
        }
        let separators = match told {
            Some(separator) => vec![separator],
            None if counted == Counted::Rows => vec![b'\t'],
            None => vec![b'\t', b';', b','],
        };
        let at =
            separators.into_iter().filter_map(|one| position(&text, one, counted, options)).min();
        let at = at.unwrap_or_default();
        let line = line + lines_in(&text[..at])?;
        Ok(Self { text: text.split_off(at), line, is_below: at > 0 })
    }
}

/// Where the first row begins that has a column of ids.
fn position(text: &[u8], separator: u8, counted: Counted, options: &ListOptions) -> Option<usize> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .from_reader(text);
    let mut row = csv::ByteRecord::new();
    // In front of a row of a sheet stands its number.
    let before = usize::from(counted == Counted::Rows);
    while reader.read_byte_record(&mut row).unwrap_or(false) {
        let mut cells = row.iter().skip(before);
        if cells.any(|cell| options.is_id(&name(cell))) {
            let start = usize::try_from(row.position()?.byte()).ok()?;
            let ends = text[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
            return Some(start + ends.count());
        }
    }
    None
}

/// The name of a column.
pub(super) fn name(cell: &[u8]) -> String {
    cell::plain(String::from_utf8_lossy(cell).trim()).into_owned()
}

/// How many lines end in a text.
fn lines_in(mut text: &[u8]) -> io::Result<u64> {
    let mut number = 0;
    while !text.is_empty() {
        read_line(&mut text, usize::MAX)?;
        number += 1;
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn found(text: &str) -> (String, u64, bool) {
        let mut source = text.as_bytes();
        let first = read_line(&mut source, MOST_BYTES).unwrap();
        let options = ListOptions::default();
        let header =
            Header::find((first, 1), &mut source, (Counted::Lines, None), &options).unwrap();
        let rest: Vec<u8> = header.text.into_iter().chain(source.bytes().flatten()).collect();
        (String::from_utf8(rest).unwrap(), header.line, header.is_below)
    }

    #[test]
    fn a_title_above_a_table_is_no_header() {
        let table = |separator: &str| ["id", "name"].join(separator) + "\ngw-1" + separator + "x\n";
        for separator in [",", ";", "\t"] {
            let table = table(separator);
            for (title, line) in [
                ("Delivery 7\n", 2),
                ("Delivery 7;;\r\n;;\r\n", 3),
                ("\"Two\nlines\",2026\n", 3),
                ("a, title, with, commas\n\n", 3),
            ] {
                let text = format!("{title}{table}");
                assert_eq!(found(&text), (table.clone(), line, true), "{text:?}");
            }
            assert_eq!(found(&table), (table.clone(), 1, false));
        }
        // Without a column of ids, the first row is what is called the header.
        let none = "name,type\na,b\n";
        assert_eq!(found(none), (none.to_owned(), 1, false));
        // A header that goes over two lines is whole.
        let long = "\"Serial\nnumber\",id\nx,gw-1\n";
        assert_eq!(found(long), (long.to_owned(), 1, false));
    }
}
