//! A registration CSV taken apart into rows, byte for byte, so that pieces of it can be sent.

use std::fmt;

use crate::crypto::{hex, sha256};
use crate::registration::{self, Report};

/// Columns that hold secrets.
const SECRETS: [&str; 2] = ["CREDENTIALS", ONE_TIME];

/// The column of one-time passwords.
const ONE_TIME: &str = "ENROLLMENT_OTP";

/// A registration CSV: its header and its rows as they stand in the file.
#[derive(Clone, PartialEq, Eq)]
pub struct Sheet {
    header: Vec<u8>,
    /// Positions of the columns that hold secrets.
    secrets: Vec<usize>,
    /// Whether rows can have one-time passwords.
    one_time: bool,
    /// The rows, in the order of the file.
    pub rows: Vec<Row>,
}

/// A row of the CSV.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// The device identifier.
    pub id: String,
    /// The line in the file, from 1.
    pub line: u64,
    /// SHA-256 of header and row, the first 16 hexadecimal digits.
    pub digest: String,
    text: Vec<u8>,
}

/// Without its bytes: there may be one-time passwords in them.
impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Row({:?}, line {}, {})", self.id, self.line, self.digest)
    }
}

impl fmt::Debug for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sheet({} rows)", self.rows.len())
    }
}

impl Sheet {
    /// Checks a CSV as `registration check` does, and takes it apart. Ids that no new device may have are let
    /// through: a device may exist under one, and the platform says so of each row.
    ///
    /// Errors: what is wrong with it, each finding with its line.
    pub fn read(file: &str, bytes: &[u8]) -> Result<Self, Box<Report>> {
        let report = registration::check_existing(file, bytes);
        if !report.is_good() {
            return Err(Box::new(report));
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut records = registration::records(bytes);
        let header = records.next().map(|r| ended(r.text)).unwrap_or_default();
        let column = report.columns.iter().position(|c| c == "ID").unwrap_or_default();
        let row = |record: registration::Record<'_>| Row {
            id: record.cells.get(column).map(|id| id.trim().to_owned()).unwrap_or_default(),
            line: record.line,
            digest: hex(&sha256(&[&header[..], record.text].concat()))[..16].to_owned(),
            text: ended(record.text),
        };
        let rows = records.map(row).collect();
        let is_secret = |(_, name): &(usize, &String)| SECRETS.contains(&name.as_str());
        let secrets = report.columns.iter().enumerate().filter(is_secret);
        let secrets = secrets.map(|(at, _)| at).collect();
        let one_time = report.columns.iter().any(|name| name == ONE_TIME);
        Ok(Self { header, secrets, one_time, rows })
    }

    /// Whether there are secrets in it.
    pub fn is_secret(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// Whether its rows can have one-time passwords: such devices have requests, which can be blocked.
    pub fn has_one_time_passwords(&self) -> bool {
        self.one_time
    }

    /// What can be shown of a piece, if there are secrets in it.
    pub(super) fn shown(&self, piece: &[u8]) -> Option<Vec<u8>> {
        if !self.is_secret() {
            return None;
        }
        let delimiter = registration::separator(piece);
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        for (number, record) in registration::records(piece).enumerate() {
            let hide = |(at, cell): (usize, String)| match self.secrets.contains(&at) {
                true if number > 0 && !cell.is_empty() => "(secret)".to_owned(),
                _ => cell,
            };
            let cells: Vec<String> = record.cells.into_iter().enumerate().map(hide).collect();
            // Writing to memory does not fail.
            let _ = writer.write_record(cells);
        }
        writer.into_inner().ok()
    }

    /// A CSV of the header and these rows.
    pub fn piece(&self, rows: &[&Row]) -> Vec<u8> {
        let size = self.header.len() + rows.iter().map(|r| r.text.len()).sum::<usize>();
        let mut piece = Vec::with_capacity(size);
        piece.extend_from_slice(&self.header);
        rows.iter().for_each(|row| piece.extend_from_slice(&row.text));
        piece
    }
}

impl Row {
    /// Lines of the file that it takes.
    pub(super) fn lines(&self) -> u64 {
        self.text.iter().filter(|b| **b == b'\n').count() as u64
    }
}

/// A row with one line end.
fn ended(text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = "\u{feff}ID;AUTH_TYPE;NAME;com_cumulocity_model_Agent.active\r\n\
        a;CERTIFICATES;\"one\ntwo; three\";true\r\n\r\nb;CERTIFICATES;x;true";

    #[test]
    fn rows_stay_as_they_are_and_keep_their_lines() {
        let sheet = Sheet::read("d.csv", CSV.as_bytes()).unwrap();
        let rows: Vec<(&str, u64)> = sheet.rows.iter().map(|r| (r.id.as_str(), r.line)).collect();
        assert_eq!(rows, [("a", 2), ("b", 5)]);
        let piece = String::from_utf8(sheet.piece(&[&sheet.rows[0]])).unwrap();
        let expected = "ID;AUTH_TYPE;NAME;com_cumulocity_model_Agent.active\n\
            a;CERTIFICATES;\"one\ntwo; three\";true\n";
        assert_eq!(piece, expected);
        let whole = sheet.piece(&sheet.rows.iter().collect::<Vec<_>>());
        assert_eq!(Sheet::read("d.csv", &whole).unwrap().rows.len(), 2);
    }

    #[test]
    fn secrets_are_sent_and_not_shown() {
        let csv = "ID,AUTH_TYPE,ENROLLMENT_OTP\na,CERTIFICATES,marker-4711\nb,CERTIFICATES,\n";
        let sheet = Sheet::read("d.csv", csv.as_bytes()).unwrap();
        let piece = sheet.piece(&sheet.rows.iter().collect::<Vec<_>>());
        assert_eq!(piece, csv.as_bytes());
        let shown = String::from_utf8(sheet.shown(&piece).unwrap()).unwrap();
        assert_eq!(shown, csv.replace("marker-4711", "(secret)"));
        assert!(!format!("{sheet:?} {:?}", sheet.rows).contains("marker"));
        let plain = Sheet::read("d.csv", CSV.as_bytes()).unwrap();
        assert_eq!(plain.shown(CSV.as_bytes()), None);
    }

    #[test]
    fn a_changed_row_has_another_digest() {
        let digest =
            |csv: &str| Sheet::read("d.csv", csv.as_bytes()).unwrap().rows[0].digest.clone();
        let changed = CSV.replace("three", "four");
        assert_ne!(digest(CSV), digest(&changed));
        assert_ne!(digest(CSV), digest(&CSV.replace("NAME", "NOTE")));
        assert_eq!(digest(CSV), digest(&CSV.replace("\r\n", "\n")));
    }

    #[test]
    fn what_the_platform_would_refuse_is_refused_first() {
        let report = Sheet::read("d.csv", b"ID;AUTH_TYPE\nAA:BB;CERTIFICATES\n").unwrap_err();
        assert!(report.findings.iter().any(|f| f.line == 2), "{report:?}");
    }
}
