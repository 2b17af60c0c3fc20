//! A registration CSV taken apart into rows, octet for octet, so that pieces of it can be sent.

use crate::crypto::{hex, sha256};
use crate::registration::{self, Report};

/// A registration CSV: its header and its rows as they stand in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    header: Vec<u8>,
    /// The rows, in the order of the file.
    pub rows: Vec<Row>,
}

/// A row of the CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The device identifier.
    pub id: String,
    /// The line in the file, from 1.
    pub line: u64,
    /// SHA-256 of header and row, the first 16 hexadecimal digits.
    pub digest: String,
    text: Vec<u8>,
}

impl Sheet {
    /// Checks a CSV as `registration check` does, and takes it apart.
    ///
    /// Errors: what is wrong with it, each finding with its line.
    pub fn read(file: &str, bytes: &[u8]) -> Result<Self, Box<Report>> {
        let report = registration::check(file, bytes);
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
        Ok(Self { header, rows })
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
