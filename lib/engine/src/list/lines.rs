//! The lines of a CSV, no matter who made it: separators, line numbers, and what no honest file has.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, BufRead, Read};

/// Most columns of a CSV. The platform's own are 13, others are properties of one device.
pub(crate) const MOST_COLUMNS: usize = 1000;

/// Most separators in a line, those of texts in quotes too. A reader of CSV keeps 8 bytes for each cell of a
/// row, which would be many times the memory of the file.
const MOST_SEPARATORS: u32 = 10_000;

/// What is wrong with a header of so many columns.
pub(crate) fn too_many(header: &str, columns: usize) -> String {
    format!("{header} has {columns} columns; at most {MOST_COLUMNS} are read")
}

/// What the places of a list are called where its user looks for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Counted {
    /// Lines, as an editor numbers them.
    #[default]
    Lines,
    /// Rows, as a spreadsheet numbers them.
    Rows,
}

impl Counted {
    /// Those of a list of which only the name is known.
    pub fn of_name(file: &str) -> Self {
        match file.to_ascii_lowercase().ends_with(".xlsx") {
            true => Self::Rows,
            false => Self::Lines,
        }
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lines => "line",
            Self::Rows => "row",
        })
    }
}

/// Where a device is named, as messages say it.
pub(super) fn place(file: Option<&str>, counted: Counted, line: Option<u64>) -> String {
    match (file, line) {
        (Some(file), Some(line)) => format!("{file} {counted} {line}"),
        _ => "command line".to_owned(),
    }
}

/// The separator that occurs most in the first line; a comma if none does.
pub(crate) fn separator(bytes: &[u8]) -> u8 {
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let count = |separator: &u8| line.iter().filter(|b| *b == separator).count();
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

/// Reads a line with its end, no more than `most` bytes of it. LF, CR LF and CR alone end one.
pub(super) fn read_line(source: &mut impl BufRead, most: usize) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    while line.len() < most {
        let Some(byte) = source.fill_buf()?.first().copied() else { break };
        source.consume(1);
        line.push(byte);
        if byte == b'\r' && source.fill_buf()?.first() == Some(&b'\n') {
            continue;
        }
        if matches!(byte, b'\r' | b'\n') {
            break;
        }
    }
    Ok(line)
}

/// Whether a line has nothing but empty cells. Quotes in pairs are empty cells too; one alone begins a text that goes on
/// in the next line.
pub(super) fn is_blank(line: &[u8]) -> bool {
    let quotes = line.iter().filter(|b| **b == b'"').count();
    quotes % 2 == 0
        && line.iter().all(|b| matches!(b, b',' | b';' | b'"') || b.is_ascii_whitespace())
}

/// The separator that Excel's first line tells: `sep=;`.
pub(super) fn told_separator(line: &[u8]) -> Option<u8> {
    match line.trim_ascii_end() {
        [s, e, p, b'=', separator @ (b';' | b',')] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") => {
            Some(*separator)
        }
        // A tab is trimmed away.
        line if line.eq_ignore_ascii_case(b"sep=") => Some(b'\t'),
        _ => None,
    }
}

/// Counts the lines of what is read through it, as editors do: LF, CR LF and CR alone end one. The `csv` crate's own
/// count is one short where lines end in CR LF. A line with more than [`MOST_SEPARATORS`] ends it with an error.
pub(crate) struct Lines<R> {
    inner: R,
    read: u64,
    /// Where line ends stand that were read and not yet counted, and whether each ends a line of its own.
    ends: VecDeque<(u64, bool)>,
    line: u64,
    /// In the line that is being read.
    separators: u32,
    last: u8,
}

impl<R: Read> Lines<R> {
    /// `line` (from 1) is where it begins.
    pub(crate) fn new(inner: R, line: u64) -> Self {
        Self { inner, read: 0, ends: VecDeque::new(), line, separators: 0, last: 0 }
    }

    /// The line (from 1) on which the row begins that the reader found at that byte, which may be
    /// an end of line in front of it. Rows have to come in order.
    pub(crate) fn line_of(&mut self, mut start: u64) -> u64 {
        while let Some((at, is_new)) = self.ends.front().copied().filter(|(at, _)| *at <= start) {
            self.ends.pop_front();
            self.line += u64::from(is_new);
            start += u64::from(at == start);
        }
        self.line
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        for (at, byte) in (self.read..).zip(&buffer[..count]) {
            match byte {
                b'\r' | b'\n' => {
                    let is_second = *byte == b'\n' && self.last == b'\r';
                    self.ends.push_back((at, !is_second));
                    self.separators = 0;
                }
                b',' | b';' | b'\t' => self.separators += 1,
                _ => {}
            }
            if self.separators > MOST_SEPARATORS {
                let problem = format!("a line has more than {MOST_SEPARATORS} separators");
                return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
            }
            self.last = *byte;
        }
        self.read += count as u64;
        Ok(count)
    }
}
