//! Device lists: CSV with headers, or ids one by one; all faults at once.
//!
//! The column `id` (or `ID`, `client_id`, `serial`) is the device identifier; every other column is
//! kept with the device for the registration CSV. The separator (comma, semicolon or tab) is the
//! one that occurs most in the first line. Refused, each with its line: ids that
//! [`DeviceId::parse`] refuses, ids that occur twice or differ only in case, rows that are longer
//! or shorter than the header, text that is not UTF-8.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use super::{BulkError, Fault};
use crate::client_id::DeviceId;
use crate::crypto::PublicKey;
use crate::name::Name;
use crate::secret::Password;

/// Headers that name the column of ids, in lower case.
pub const ID_COLUMNS: [&str; 4] = ["id", "client_id", "device_id", "serial"];

/// Where a device's key comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DeviceKey {
    /// A new one is made.
    #[default]
    New,
    /// The device keeps it; its request has proven that. No key is written.
    Requested(PublicKey),
    /// It is in a file, which keeps its form: an encrypted key stays encrypted under its password.
    File {
        /// The file.
        path: PathBuf,
        /// Its password, if it has one.
        password: Option<Password>,
    },
}

/// A device to be issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its identifier.
    pub id: DeviceId,
    /// Where its key comes from.
    pub key: DeviceKey,
    /// Its whole subject, in place of the run's.
    pub subject: Option<Name>,
    /// Its line in the list (from 1), if it came from one.
    pub line: Option<u64>,
    /// The other columns of its row that are not empty.
    pub details: BTreeMap<String, String>,
}

/// What a list holds: the devices that can be issued, and the faults of the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceList {
    /// Devices in the order of the list.
    pub devices: Vec<Device>,
    /// Faults in the order of the list.
    pub faults: Vec<Fault>,
}

impl DeviceList {
    /// Takes ids one by one, as from a command line.
    pub fn from_ids<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        let mut list = Collector::new(None);
        for id in ids {
            list.take(id, None, BTreeMap::new());
        }
        list.list
    }

    /// Reads a CSV; `file` is what messages call it.
    pub fn from_csv(file: &str, bytes: &[u8]) -> Result<Self, BulkError> {
        let fail = |problem: String| BulkError::List { file: file.to_owned(), problem };
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader =
            csv::ReaderBuilder::new().delimiter(separator(bytes)).flexible(true).from_reader(bytes);
        let headers: Vec<String> = reader
            .byte_headers()
            .map_err(|e| fail(e.to_string()))?
            .iter()
            .map(|h| String::from_utf8_lossy(h).trim().to_owned())
            .collect();
        let id_column = headers
            .iter()
            .position(|h| ID_COLUMNS.contains(&h.to_lowercase().as_str()))
            .ok_or_else(|| {
                let found = match headers.join(", ") {
                    none if none.is_empty() => "it is empty".to_owned(),
                    found => format!("only {found}"),
                };
                fail(format!("the first line has no column named id: {found}"))
            })?;
        let mut list = Collector::new(Some(file));
        let mut lines = LineCounter::new(bytes);
        for row in reader.byte_records() {
            let row = row.map_err(|e| fail(e.to_string()))?;
            list.take_row(&headers, id_column, &row, lines.line_of(row.position()));
        }
        if list.seen.is_empty() && list.list.faults.is_empty() {
            return Err(fail("it lists no device".to_owned()));
        }
        Ok(list.list)
    }
}

/// The separator that occurs most in the first line; a comma if none does.
pub(crate) fn separator(bytes: &[u8]) -> u8 {
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let count = |separator: &u8| line.iter().filter(|b| *b == separator).count();
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

/// Finds the lines of rows. The `csv` crate's own count is one short where lines end in CR LF.
pub(crate) struct LineCounter<'a> {
    bytes: &'a [u8],
    counted: usize,
    line: u64,
}

impl<'a> LineCounter<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, counted: 0, line: 1 }
    }

    /// The line (from 1) on which a row begins. Rows have to come in order.
    pub(crate) fn line_of(&mut self, row: Option<&csv::Position>) -> Option<u64> {
        let mut start = usize::try_from(row?.byte()).ok()?;
        while matches!(self.bytes.get(start), Some(b'\r' | b'\n')) {
            start += 1;
        }
        let between = self.bytes.get(self.counted..start)?;
        self.line += between.iter().filter(|b| **b == b'\n').count() as u64;
        self.counted = start;
        Some(self.line)
    }
}

struct Collector<'a> {
    file: Option<&'a str>,
    /// Folded id: line and the id as it was written.
    seen: HashMap<String, (Option<u64>, DeviceId)>,
    list: DeviceList,
}

impl<'a> Collector<'a> {
    fn new(file: Option<&'a str>) -> Self {
        Self { file, seen: HashMap::new(), list: DeviceList::default() }
    }

    fn place(&self, line: Option<u64>) -> String {
        match (self.file, line) {
            (Some(file), Some(line)) => format!("{file} line {line}"),
            _ => "command line".to_owned(),
        }
    }

    fn fault(&mut self, id: &str, line: Option<u64>, message: String, hint: Option<String>) {
        self.list.faults.push(Fault { id: id.to_owned(), line, message, hint });
    }

    fn take_row(
        &mut self,
        headers: &[String],
        id_column: usize,
        row: &csv::ByteRecord,
        line: Option<u64>,
    ) {
        let Ok(row) = csv::StringRecord::from_byte_record(row.clone()) else {
            let text = String::from_utf8_lossy(row.get(id_column).unwrap_or_default()).into_owned();
            let message = format!("the row of {text:?} ({}) is not UTF-8", self.place(line));
            let hint = Some("save the list as UTF-8".to_owned());
            return self.fault(&text, line, message, hint);
        };
        let id = row.get(id_column).unwrap_or_default();
        if row.len() != headers.len() {
            let message = format!(
                "the row of {id:?} ({}) has {} column(s), the header {}",
                self.place(line),
                row.len(),
                headers.len()
            );
            let hint = Some("put a value that holds the separator in quotes".to_owned());
            return self.fault(id, line, message, hint);
        }
        let details = headers
            .iter()
            .zip(&row)
            .enumerate()
            .filter(|(i, (_, value))| *i != id_column && !value.is_empty())
            .map(|(_, (header, value))| (header.clone(), value.to_owned()))
            .collect();
        self.take(id, line, details);
    }

    fn take(&mut self, text: &str, line: Option<u64>, details: BTreeMap<String, String>) {
        let id = match DeviceId::parse(text) {
            Ok(id) => id,
            Err(e) => {
                let message = e.at(&self.place(line));
                return self.fault(text, line, message, e.hint());
            }
        };
        if let Some((first_line, first)) = self.seen.get(&id.folded()) {
            let place = self.place(line);
            let first_place = first_line.map_or_else(String::new, |n| format!(" in line {n}"));
            let message = if *first == id {
                format!("client id {text:?} ({place}) is there already{first_place}")
            } else {
                let first = first.as_str();
                format!(
                    "client id {text:?} ({place}) differs from {first:?}{first_place} only in case"
                )
            };
            let hint = Some("each device needs an id of its own: remove or rename one".to_owned());
            return self.fault(text, line, message, hint);
        }
        self.seen.insert(id.folded(), (line, id.clone()));
        let device = Device { id, key: DeviceKey::New, subject: None, line, details };
        self.list.devices.push(device);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn separators_are_found() {
        for (text, id) in [
            ("id,name\na,b;c\n", "a"),
            ("name;ID\nx,y;a\n", "a"),
            ("\u{feff}serial\tname\na\tb\n", "a"),
            ("id\na\n", "a"),
        ] {
            let list = DeviceList::from_csv("x.csv", text.as_bytes()).unwrap();
            assert_eq!(list.faults, []);
            assert_eq!(list.devices[0].id.as_str(), id, "{text:?}");
        }
    }

    #[test]
    fn faults_name_place_and_remedy() {
        let text = "id,name\nok-1,\nAA:BB,\nok-1,\nOK-1,\nshort\n";
        let list = DeviceList::from_csv("d.csv", text.as_bytes()).unwrap();
        assert_eq!(list.devices.len(), 1);
        let messages: Vec<&str> = list.faults.iter().map(|f| f.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "client id \"AA:BB\" (d.csv line 3) contains ':', which the platform reserves",
                "client id \"ok-1\" (d.csv line 4) is there already in line 2",
                "client id \"OK-1\" (d.csv line 5) differs from \"ok-1\" in line 2 only in case",
                "the row of \"short\" (d.csv line 6) has 1 column(s), the header 2",
            ]
        );
    }

    #[test]
    fn lines_are_right_whatever_ends_them() {
        for end in ["\n", "\r\n"] {
            let text = ["id,name", "a,", "", "\"x", "y\",", "b:b,"].join(end);
            let list = DeviceList::from_csv("d.csv", text.as_bytes()).unwrap();
            let lines: Vec<_> = list.faults.iter().map(|f| f.line).collect();
            assert_eq!(lines, [Some(4), Some(6)], "{end:?}");
        }
    }

    #[test]
    fn lists_without_ids_are_refused() {
        for text in ["", "name,type\na,b\n", "id,name\n"] {
            assert!(DeviceList::from_csv("x.csv", text.as_bytes()).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = DeviceList::from_csv("x.csv", &bytes);
            let with_header = [b"id,name\n", bytes.as_slice()].concat();
            let _ = DeviceList::from_csv("x.csv", &with_header);
        }
    }
}
