//! The rows of a device list, one after the other: a list can be far longer than memory.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, BufReader, Cursor, Read};

use super::cell;
use super::device::Device;
use super::error::{ListError, Result};
use super::fault::BadRow;
use super::header::{self, Header, ListOptions};
use super::lines::{
    Counted, Lines, MOST_COLUMNS, is_blank, place, read_line, separator, told_separator, too_many,
};
use crate::client_id::{ClientIdError, DeviceId, ROUNDED, is_rounded};
use crate::failure::{Failure, Hint, Underlying};
use crate::shown;

/// A header that is there more than once: which of the two values would count, nobody could tell.
fn twice(headers: &[String]) -> Option<&str> {
    let mut seen = HashSet::with_capacity(headers.len());
    let named = headers.iter().filter(|header| !header.is_empty());
    named.map(String::as_str).find(|header| !seen.insert(*header))
}

/// The column of ids among these headers; `at` is what messages call them.
fn id_column(headers: &[String], at: &str, options: &ListOptions) -> Result<usize, String> {
    if headers.len() > MOST_COLUMNS {
        return Err(too_many(at, headers.len()));
    }
    if let Some(header) = twice(headers) {
        return Err(format!("{at} has the column {header:?} twice"));
    }
    if let Some(header) = headers.iter().find(|header| cell::is_error(header)) {
        return Err(format!("{at} has {header:?}, which is the error of a formula, not a name"));
    }
    headers.iter().position(|header| options.is_id(header)).ok_or_else(|| {
        let wanted = options.id_column.as_deref().unwrap_or("id");
        let named: Vec<&str> =
            headers.iter().map(String::as_str).filter(|header| !header.is_empty()).collect();
        format!("{at} has no column named {wanted}: only {}", named.join(", "))
    })
}

type Source<R> = Lines<io::Chain<Cursor<Vec<u8>>, BufReader<R>>>;

/// Reads rows; what is wrong with one is told in its place.
pub(super) struct Rows<'a, R> {
    file: &'a str,
    reader: csv::Reader<Source<R>>,
    counted: Counted,
    headers: Vec<String>,
    id_column: usize,
    /// Where the header is, if something stands above it.
    below: Option<String>,
    details: bool,
    row: csv::ByteRecord,
}

impl<'a, R: Read> Rows<'a, R> {
    /// Reads the header. Rows that are `counted` as such begin with their number, and
    /// are separated by tabs. `details` says whether the other columns are wanted too.
    pub(super) fn new(
        file: &'a str,
        source: R,
        options: &ListOptions,
        counted: Counted,
        details: bool,
    ) -> Result<Self> {
        let fail = |problem: Underlying| ListError::unreadable(file, problem);
        let mut source = BufReader::with_capacity(1 << 16, source);
        let mut next =
            || read_line(&mut source, header::MOST_BYTES).map_err(|e| fail(Underlying::of(e)));
        let mut first = next()?;
        if first.starts_with(b"\xef\xbb\xbf") {
            first.drain(..3);
        }
        if first.starts_with(b"\xff\xfe") || first.starts_with(b"\xfe\xff") {
            return Err(ListError::Utf16 { file: file.to_owned() });
        }
        // Excel's own line, which says how it has separated the columns.
        let told = told_separator(&first);
        let mut line = 1;
        while (line == 1 && told.is_some()) || (!first.is_empty() && is_blank(&first)) {
            first = next()?;
            line += 1;
        }
        if first.is_empty() {
            return Err(ListError::no_list(file, "it is empty"));
        }
        let not_utf8 = |line| ListError::NotUtf8 { file: file.to_owned(), line };
        if std::str::from_utf8(&first).is_err() {
            return Err(not_utf8(line));
        }
        let Header { text, line, is_below } =
            Header::find((first, line), &mut source, (counted, told), options)
                .map_err(|e| fail(Underlying::of(e)))?;
        let own = text.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        if std::str::from_utf8(own).is_err() {
            return Err(not_utf8(line));
        }
        let separator = match counted {
            Counted::Rows => b'\t',
            Counted::Lines => told.unwrap_or_else(|| separator(own)),
        };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .flexible(true)
            .from_reader(Lines::new(Cursor::new(text).chain(source), line));
        let headers = reader.byte_headers().map_err(|e| fail(Underlying::of(e)))?;
        let mut headers: Vec<String> = headers.iter().map(header::name).collect();
        let number = match counted {
            Counted::Rows => headers.remove(0),
            Counted::Lines => line.to_string(),
        };
        let at = format!("the header in {counted} {number}");
        let id_column = id_column(&headers, &at, options)
            .map_err(|problem| ListError::no_list(file, problem))?;
        let row = csv::ByteRecord::new();
        let below = is_below.then(|| format!("{counted} {number}"));
        Ok(Self { file, reader, counted, headers, id_column, below, details, row })
    }

    /// What the user should know of how the list was read.
    pub(super) fn remark(&self) -> Option<String> {
        let place = self.below.as_ref()?;
        Some(format!("{}: the header is in {place}: what stands above it was not read", self.file))
    }

    /// A column that has no name.
    fn column(&self, index: usize) -> String {
        match self.counted {
            Counted::Rows => cell::letters(index),
            Counted::Lines => (index + 1).to_string(),
        }
    }

    /// How many fields of a row stand before its cells: its number.
    fn before(&self) -> usize {
        usize::from(self.counted == Counted::Rows)
    }

    /// The cells of the row that was read.
    fn cells(&self) -> impl Iterator<Item = &[u8]> {
        self.row.iter().skip(self.before())
    }

    /// Where the row stands that was read, from 1.
    fn line(&mut self) -> Option<u64> {
        match self.counted {
            Counted::Rows => std::str::from_utf8(self.row.get(0)?).ok()?.parse().ok(),
            Counted::Lines => self.row.position().map(|p| self.reader.get_mut().line_of(p.byte())),
        }
    }

    /// The headers, without that of the ids.
    pub(super) fn columns(&self) -> Vec<String> {
        let others = self.headers.iter().enumerate().filter(|(i, _)| *i != self.id_column);
        others.map(|(_, header)| header.clone()).collect()
    }

    /// The next row: a device, or what is wrong with it. None at the end.
    pub(super) fn read(&mut self) -> Result<Option<Result<Device, BadRow>>> {
        loop {
            let more = self.reader.read_byte_record(&mut self.row);
            let more = more.map_err(|e| ListError::unreadable(self.file, Underlying::of(e)))?;
            if !more {
                return Ok(None);
            }
            let line = self.line();
            if self.row.iter().any(|field| std::str::from_utf8(field).is_err()) {
                let line = line.unwrap_or_default();
                return Err(ListError::NotUtf8 { file: self.file.to_owned(), line });
            }
            // Spreadsheets write the rows below a table too.
            if !self.cells().all(|field| field.trim_ascii().is_empty()) {
                return Ok(Some(self.device(line)));
            }
        }
    }

    fn device(&self, line: Option<u64>) -> Result<Device, BadRow> {
        let fault = |id: &str, message: String, hint: Option<Hint>| BadRow {
            id: id.to_owned(),
            line,
            message,
            hint,
        };
        let place = || place(Some(self.file), self.counted, line);
        let text = |index: usize| {
            let bytes = self.row.get(index + self.before()).unwrap_or_default();
            cell::plain(std::str::from_utf8(bytes).unwrap_or_default())
        };
        let id = text(self.id_column);
        let id = id.as_ref();
        let nameless = |index: usize, value: &str| {
            let message = format!(
                "the value {value:?} of {} is in column {}, which has no header",
                place(),
                self.column(index)
            );
            let hint = match self.counted {
                Counted::Rows => {
                    "name each column in the header, or delete what stands in that cell"
                }
                Counted::Lines => "name each column in the header",
            };
            fault(id, message, Some(hint.into()))
        };
        // Empty cells beside a table are a spreadsheet's too.
        let (wide, named) = (self.cells().count(), self.headers.len());
        let surplus = (named..wide).find(|index| !text(*index).trim().is_empty());
        match (self.counted, surplus) {
            (Counted::Rows, Some(index)) => return Err(nameless(index, &text(index))),
            (Counted::Lines, surplus) if surplus.is_some() || wide < named => {
                let columns = shown::count(wide, "column");
                let message =
                    format!("the row of {id:?} ({}) has {columns}, the header {named}", place());
                let hint = "put a value that holds the separator in quotes";
                return Err(fault(id, message, Some(hint.into())));
            }
            // Empty cells at the end of a row are not in a workbook.
            _ => {}
        }
        for (index, header) in self.headers.iter().enumerate() {
            let value = text(index);
            if cell::is_error(&value) {
                let column = match header.as_str() {
                    "" => self.column(index),
                    name => format!("{name:?}"),
                };
                let message = format!(
                    "{value:?} in the column {column} of {} is the error of a formula, not a value",
                    place()
                );
                let hint = "correct the formula, or write the value in its place";
                return Err(fault(id, message, Some(hint.into())));
            }
            if let Some((number, digits)) = cell::digits_of_long(&value) {
                let what = match index == self.id_column {
                    true => format!("device id {number} ({})", place()),
                    false => format!("{number} in the column {header:?} of {}", place()),
                };
                let message = format!(
                    "{what} is a number of {digits} digits, of which a spreadsheet keeps the first 15"
                );
                return Err(fault(&number, message, Some(ROUNDED.into())));
            }
            if index != self.id_column && is_rounded(&value) {
                let message = format!(
                    "{value:?} in the column {header:?} of {} is a number that a spreadsheet has rounded",
                    place()
                );
                return Err(fault(id, message, Some(ROUNDED.into())));
            }
            if header.is_empty() && !value.trim().is_empty() {
                return Err(nameless(index, &value));
            }
        }
        let hint = |e: &ClientIdError| match id.is_empty() {
            true => Some("give the device an id, or delete the row".into()),
            false => e.hint(),
        };
        let parsed = DeviceId::parse(id).map_err(|e| fault(id, e.at(&place()), hint(&e)))?;
        let details = if self.details { self.details() } else { BTreeMap::new() };
        Ok(Device { line, counted: self.counted, details, ..Device::from(parsed) })
    }

    /// The other columns that are not empty.
    fn details(&self) -> BTreeMap<String, String> {
        let others = self.headers.iter().zip(self.cells()).enumerate();
        others
            .filter(|(i, (header, value))| {
                *i != self.id_column && !value.is_empty() && !header.is_empty()
            })
            .map(|(_, (header, value))| {
                let value = String::from_utf8_lossy(value);
                (header.clone(), cell::plain(&value).into_owned())
            })
            .collect()
    }
}
