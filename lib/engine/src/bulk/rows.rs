//! The rows of a device list, one after the other: a list can be far longer than memory.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, BufReader, Cursor, Read};

use super::cell::{self, ROUNDED};
use super::list::{Device, DeviceKey, ListOptions};
use super::{BadRow, BulkError};
use crate::client_id::DeviceId;
use crate::failure::{Failure, Hint};

/// Longest header line, in octets.
const MAX_HEADER: u64 = 1 << 20;

/// Most columns of a CSV. The platform's own are 13, others are properties of one device.
pub(crate) const MOST_COLUMNS: usize = 1000;

/// Most separators in a line, those of texts in quotes too. A reader of CSV keeps 8 octets for each cell of a
/// row, which would be many times the memory of the file.
const MOST_SEPARATORS: u32 = 10_000;

type Source<R> = Lines<io::Chain<Cursor<Vec<u8>>, BufReader<R>>>;

/// Reads rows; what is wrong with one is told in its place.
pub(super) struct Rows<'a, R> {
    file: &'a str,
    reader: csv::Reader<Source<R>>,
    headers: Vec<String>,
    id_column: usize,
    details: bool,
    row: csv::ByteRecord,
}

impl<'a, R: Read> Rows<'a, R> {
    /// Reads the header. `details` says whether the other columns are wanted too.
    pub(super) fn new(
        file: &'a str,
        source: R,
        options: &ListOptions,
        details: bool,
    ) -> Result<Self, BulkError> {
        let fail = |problem: String| BulkError::List { file: file.to_owned(), problem };
        let mut source = BufReader::with_capacity(1 << 16, source);
        let mut first = Vec::new();
        let mut read_line = |line: &mut Vec<u8>| {
            let read = (&mut source).take(MAX_HEADER).read_until(b'\n', line);
            read.map(|_| ()).map_err(|e| fail(e.to_string()))
        };
        read_line(&mut first)?;
        if first.starts_with(b"\xef\xbb\xbf") {
            first.drain(..3);
        }
        if first.starts_with(b"\xff\xfe") || first.starts_with(b"\xfe\xff") {
            return Err(BulkError::Utf16 { file: file.to_owned() });
        }
        // Excel's own line, which says how it has separated the columns.
        let told = told_separator(&first);
        if told.is_some() {
            first.clear();
            read_line(&mut first)?;
        }
        let line = if told.is_some() { 2 } else { 1 };
        if std::str::from_utf8(&first).is_err() {
            return Err(BulkError::NotUtf8 { file: file.to_owned(), line });
        }
        let separator = told.unwrap_or_else(|| separator(&first));
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .flexible(true)
            .from_reader(Lines::new(Cursor::new(first).chain(source), line));
        let headers: Vec<String> = reader
            .byte_headers()
            .map_err(|e| fail(e.to_string()))?
            .iter()
            .map(|h| cell::plain(String::from_utf8_lossy(h).trim()).into_owned())
            .collect();
        if headers.len() > MOST_COLUMNS {
            return Err(fail(too_many(headers.len())));
        }
        let id_column = headers.iter().position(|h| options.is_id(h)).ok_or_else(|| {
            let found = match headers.join(", ") {
                none if none.trim_matches([',', ' ']).is_empty() => "it is empty".to_owned(),
                found => format!("only {found}"),
            };
            let wanted = options.id_column.as_deref().unwrap_or("id");
            fail(format!("the first line has no column named {wanted}: {found}"))
        })?;
        Ok(Self { file, reader, headers, id_column, details, row: csv::ByteRecord::new() })
    }

    /// The next row: a device, or what is wrong with it. None at the end.
    pub(super) fn read(&mut self) -> Result<Option<Result<Device, BadRow>>, BulkError> {
        loop {
            let more = self.reader.read_byte_record(&mut self.row);
            let more = more.map_err(|e| BulkError::List {
                file: self.file.to_owned(),
                problem: e.to_string(),
            })?;
            if !more {
                return Ok(None);
            }
            let line = self.row.position().map(|p| self.reader.get_mut().line_of(p.byte()));
            if self.row.iter().any(|field| std::str::from_utf8(field).is_err()) {
                let line = line.unwrap_or_default();
                return Err(BulkError::NotUtf8 { file: self.file.to_owned(), line });
            }
            // Spreadsheets write the rows below a table too.
            if !self.row.iter().all(|field| field.trim_ascii().is_empty()) {
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
        let place = || place(Some(self.file), line);
        let text = |index: usize| {
            let octets = self.row.get(index).unwrap_or_default();
            cell::plain(std::str::from_utf8(octets).unwrap_or_default())
        };
        let id = text(self.id_column);
        let id = id.as_ref();
        let surplus = self.row.iter().skip(self.headers.len());
        // Empty cells beside a table are a spreadsheet's too.
        let is_whole = self.row.len() >= self.headers.len()
            && surplus.into_iter().all(|field| field.trim_ascii().is_empty());
        if !is_whole {
            let message = format!(
                "the row of {id:?} ({}) has {} column(s), the header {}",
                place(),
                self.row.len(),
                self.headers.len()
            );
            let hint = "put a value that holds the separator in quotes";
            return Err(fault(id, message, Some(hint.into())));
        }
        for (index, header) in self.headers.iter().enumerate() {
            let value = text(index);
            if index != self.id_column && cell::is_rounded(&value) {
                let message = format!(
                    "{value:?} in the column {header:?} of {} is a number that a spreadsheet has rounded",
                    place()
                );
                return Err(fault(id, message, Some(ROUNDED.into())));
            }
            if header.is_empty() && !value.trim().is_empty() {
                let message = format!(
                    "the value {value:?} of {} stands in column {}, which has no header",
                    place(),
                    index + 1
                );
                let hint = "name each column in the first line";
                return Err(fault(id, message, Some(hint.into())));
            }
        }
        let parsed = DeviceId::parse(id).map_err(|e| fault(id, e.at(&place()), e.hint()))?;
        let details = if self.details { self.details() } else { BTreeMap::new() };
        Ok(Device { id: parsed, key: DeviceKey::New, subject: None, line, details })
    }

    /// The other columns that are not empty.
    fn details(&self) -> BTreeMap<String, String> {
        let others = self.headers.iter().zip(&self.row).enumerate();
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

/// What is wrong with a header of so many columns.
pub(crate) fn too_many(columns: usize) -> String {
    format!("the first line has {columns} columns; at most {MOST_COLUMNS} are read")
}

/// Where a device is named, as messages say it.
pub(super) fn place(file: Option<&str>, line: Option<u64>) -> String {
    match (file, line) {
        (Some(file), Some(line)) => format!("{file} line {line}"),
        _ => "command line".to_owned(),
    }
}

/// The separator that occurs most in the first line; a comma if none does.
pub(crate) fn separator(bytes: &[u8]) -> u8 {
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let count = |separator: &u8| line.iter().filter(|b| *b == separator).count();
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

/// The separator that Excel's first line tells: `sep=;`.
fn told_separator(line: &[u8]) -> Option<u8> {
    match line.trim_ascii_end() {
        [s, e, p, b'=', separator @ (b';' | b',')] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") => {
            Some(*separator)
        }
        // A tab is trimmed away.
        line if line.eq_ignore_ascii_case(b"sep=") => Some(b'\t'),
        _ => None,
    }
}

/// Counts the lines of what is read through it. The `csv` crate's own count is one short where lines
/// end in CR LF. A line with more than [`MOST_SEPARATORS`] ends it with an error.
pub(crate) struct Lines<R> {
    inner: R,
    read: u64,
    /// Where line ends stand that were read and not yet counted, and whether each is a LF.
    ends: VecDeque<(u64, bool)>,
    line: u64,
    /// In the line that is being read.
    separators: u32,
}

impl<R: Read> Lines<R> {
    /// `line` (from 1) is where it begins.
    pub(crate) fn new(inner: R, line: u64) -> Self {
        Self { inner, read: 0, ends: VecDeque::new(), line, separators: 0 }
    }

    /// The line (from 1) on which the row begins that the reader found at that octet, which may be
    /// an end of line in front of it. Rows have to come in order.
    pub(crate) fn line_of(&mut self, mut start: u64) -> u64 {
        while let Some((at, is_feed)) = self.ends.front().copied().filter(|(at, _)| *at <= start) {
            self.ends.pop_front();
            self.line += u64::from(is_feed);
            start += u64::from(at == start);
        }
        self.line
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        for (at, octet) in (self.read..).zip(&buffer[..count]) {
            match octet {
                b'\r' | b'\n' => {
                    self.ends.push_back((at, *octet == b'\n'));
                    self.separators = 0;
                }
                b',' | b';' | b'\t' => self.separators += 1,
                _ => {}
            }
            if self.separators > MOST_SEPARATORS {
                let problem = format!("a line has more than {MOST_SEPARATORS} separators");
                return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
            }
        }
        self.read += count as u64;
        Ok(count)
    }
}
