//! The lines of a CSV, no matter who made it: separators, line numbers, and what no honest file has.

use std::collections::VecDeque;
use std::io::{self, Read};

/// Most columns of a CSV. The platform's own are 13, others are properties of one device.
pub(crate) const MOST_COLUMNS: usize = 1000;

/// Most separators in a line, those of texts in quotes too. A reader of CSV keeps 8 bytes for each cell of a
/// row, which would be many times the memory of the file.
const MOST_SEPARATORS: u32 = 10_000;

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

    /// The line (from 1) on which the row begins that the reader found at that byte, which may be
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
