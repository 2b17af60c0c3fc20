//! The file of a bulk registration: its encoding, separator, headers and rows.
//!
//! UTF-8, with or without byte order mark, else Latin-1. The separator is the one of tab, `;` and `,`
//! that the header line has most of. Refused: no header line, no column `ID`, a column twice; ICCID,
//! IDTYPE, PATH or SHELL without TYPE and NAME; arrays; a property that is both a value and an
//! object; an `external-…` column that is not the last; in the management tenant, no column TENANT.

use csv::{ReaderBuilder, StringRecord, Trim};

/// A file that was taken apart.
pub(super) struct Table {
    pub(super) headers: Vec<String>,
    /// Line number (the header's is 1) and cells.
    pub(super) rows: Vec<(u64, StringRecord)>,
}

/// Columns with a meaning of their own.
pub(super) const KNOWN: [&str; 11] = [
    "ID",
    "CREDENTIALS",
    "AUTH_TYPE",
    "ENROLLMENT_OTP",
    "TENANT",
    "TYPE",
    "NAME",
    "ICCID",
    "IDTYPE",
    "PATH",
    "SHELL",
];
/// Columns that call for TYPE and NAME.
pub(super) const DEMANDING: [&str; 4] = ["ICCID", "IDTYPE", "PATH", "SHELL"];
/// The start of the column with one more external id.
pub(super) const EXTERNAL: &str = "external-";

impl Table {
    /// Takes a file apart; `names_tenants` when its rows have to say which tenant.
    pub(super) fn read(bytes: &[u8], names_tenants: bool) -> Result<Self, String> {
        let text = decode(bytes)?;
        let mut reader = ReaderBuilder::new()
            .delimiter(separator(&text))
            .has_headers(false)
            .flexible(true)
            .trim(Trim::None)
            .from_reader(text.as_bytes());
        let mut records = reader.records();
        let headers = records.next().ok_or("it is empty")?.map_err(|e| e.to_string())?;
        let headers: Vec<String> = headers.iter().map(|h| h.trim().to_owned()).collect();
        check_headers(&headers, names_tenants)?;
        let mut rows = Vec::new();
        let (mut counted, mut line) = (0, 1);
        for record in records {
            let record = record.map_err(|e| e.to_string())?;
            // The reader's own count is behind where blank lines stand before a row.
            let start = record.position().map_or(0, |p| usize::try_from(p.byte()).unwrap_or(0));
            let blank = text[start..].bytes().take_while(|octet| *octet == b'\n').count();
            line +=
                text[counted..start + blank].bytes().map(|o| u64::from(o == b'\n')).sum::<u64>();
            counted = start + blank;
            rows.push((line, record));
        }
        Ok(Self { headers, rows })
    }

    /// Whether it has a column.
    pub(super) fn has(&self, column: &str) -> bool {
        self.headers.iter().any(|header| header == column)
    }

    /// The cell of a row in a column; empty if either is not there.
    pub(super) fn cell<'a>(&self, row: &'a StringRecord, column: &str) -> &'a str {
        let at = self.headers.iter().position(|header| header == column);
        at.and_then(|at| row.get(at)).unwrap_or_default()
    }
}

fn decode(bytes: &[u8]) -> Result<String, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.contains(&0) {
        return Err("it has bytes of value 0, as UTF-16 has; it must be UTF-8".to_owned());
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|octet| char::from(*octet)).collect(),
    };
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

fn separator(text: &str) -> u8 {
    let header = text.lines().find(|line| !line.is_empty()).unwrap_or_default();
    let mut quoted = false;
    let mut counts = [(b'\t', 0), (b';', 0), (b',', 0)];
    for octet in header.bytes() {
        quoted ^= octet == b'"';
        for (separator, count) in &mut counts {
            *count += usize::from(octet == *separator && !quoted);
        }
    }
    // The first of those with the most.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(separator, _)| *separator)
}

fn check_headers(headers: &[String], names_tenants: bool) -> Result<(), String> {
    let has = |name: &str| headers.iter().any(|header| header == name);
    if !has("ID") {
        return Err("it has no column ID".to_owned());
    }
    if names_tenants && !has("TENANT") {
        return Err("in the management tenant it must have a column TENANT".to_owned());
    }
    for (index, header) in headers.iter().enumerate() {
        if headers[..index].contains(header) {
            return Err(format!("it has the column {header:?} twice"));
        }
        let last = index + 1 == headers.len();
        if let Some(kind) = header.strip_prefix(EXTERNAL) {
            if kind.is_empty() || !last {
                return Err(format!("the column {header:?} must name a type and be the last"));
            }
        } else if !KNOWN.contains(&header.as_str()) {
            check_property(header, headers)?;
        }
    }
    let demanding = DEMANDING.into_iter().find(|name| has(name));
    let missing = ["TYPE", "NAME"].into_iter().find(|name| !has(name));
    match (demanding, missing) {
        (Some(column), Some(missing)) => {
            Err(format!("it has the column {column}, but not {missing}"))
        }
        _ => Ok(()),
    }
}

fn check_property(header: &str, headers: &[String]) -> Result<(), String> {
    if header.contains(['[', ']']) {
        return Err(format!("the column {header:?} is an array, which cannot be given here"));
    }
    if header.split('.').any(|part| part.trim().is_empty()) {
        return Err(format!("the column {header:?} has an empty name in it"));
    }
    let inside = |other: &&String| other.strip_prefix(header).is_some_and(|r| r.starts_with('.'));
    match headers.iter().find(inside) {
        Some(other) => Err(format!("the columns {header:?} and {other:?} contradict each other")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_and_separators() {
        for file in ["ID;NAME\ngw;Ä\n", "\u{feff}ID\tNAME\r\ngw\tÄ\r\n", "ID,NAME\n\"gw\",Ä"] {
            let table = Table::read(file.as_bytes(), false).unwrap();
            let (line, row) = &table.rows[0];
            let cells = [table.cell(row, "ID"), table.cell(row, "NAME"), table.cell(row, "TYPE")];
            assert_eq!((*line, cells), (2, ["gw", "Ä", ""]), "{file:?}");
        }
        let blank = Table::read(b"ID;NAME\r\n\r\na;\"x\r\ny\"\r\n\r\n\r\nb;\r\n", false).unwrap();
        let lines: Vec<u64> = blank.rows.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [3, 7]);
        let latin = Table::read(b"ID;NAME\ngw;\xc4\n", false).unwrap();
        assert_eq!(latin.cell(&latin.rows[0].1, "NAME"), "Ä");
        assert!(Table::read(b"I\0D\0", false).is_err());
    }

    #[test]
    fn header_rules() {
        let check = |header: &str| Table::read(format!("{header}\n").as_bytes(), false).map(|_| ());
        for good in ["ID", "ID;TYPE;NAME;ICCID;a.b;a.c;external-imei", "ID;a;ab"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "NAME;TYPE",
            "ID;ID",
            "ID;ICCID",
            "ID;PATH;TYPE",
            "ID;a[0]",
            "ID;a;a.b",
            "ID;a..b",
            "ID;",
            "ID;external-imei;NAME",
            "ID;external-",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert!(Table::read(b"ID\n", true).is_err());
        assert!(Table::read(b"ID;TENANT\n", true).is_ok());
    }
}
