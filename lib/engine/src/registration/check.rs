//! Checking a registration CSV, no matter who made it: all findings at once, each with its line.

use std::collections::{HashMap, HashSet};

use super::columns::{AGENT, KNOWN, NEED_TYPE_AND_NAME};
use super::one_time::OneTimePassword;
use crate::client_id::{DeviceId, ROUNDED, is_rounded};
use crate::failure::{Failure, Hint};
use crate::list::lines::{Lines, MOST_COLUMNS, separator, too_many};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The platform would refuse the row or the file, or the device could not connect.
    Error,
    /// Probably not what was meant.
    Warning,
}

/// Something that is wrong in a registration CSV.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The line, from 1.
    pub line: u64,
    /// A sentence that names the value and the rule.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<Hint>,
}

/// What a registration CSV holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// The file, as messages call it.
    pub file: String,
    /// Name of the separator.
    pub separator: &'static str,
    /// Its headers.
    pub columns: Vec<String>,
    /// Rows below the header.
    pub rows: u64,
    /// What is wrong, in the order of the lines.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether the platform would take it: no finding is an error.
    pub fn is_good(&self) -> bool {
        self.findings.iter().all(|f| f.level != Level::Error)
    }

    fn add(&mut self, level: Level, line: u64, message: String, hint: Option<Hint>) {
        self.findings.push(Finding { level, line, message, hint });
    }

    fn error(&mut self, line: u64, message: String, hint: Option<Hint>) {
        self.add(Level::Error, line, message, hint);
    }
}

/// Checks the bytes of a registration CSV for devices with certificates, which are new: an id that the
/// platform refuses for those is an error.
pub fn check(file: &str, bytes: &[u8]) -> Report {
    check_as(file, bytes, Level::Error)
}

/// The same for devices that exist: such an id is a warning.
pub fn check_existing(file: &str, bytes: &[u8]) -> Report {
    check_as(file, bytes, Level::Warning)
}

/// The same where `forbidden` is how bad such an id is.
fn check_as(file: &str, bytes: &[u8], forbidden: Level) -> Report {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let delimiter = separator(bytes);
    let mut report = Report {
        file: file.to_owned(),
        separator: match delimiter {
            b'\t' => "tab",
            b';' => "semicolon",
            _ => "comma",
        },
        columns: Vec::new(),
        rows: 0,
        findings: Vec::new(),
    };
    // The platform takes "ANSI" as well; Windows-1252 and Latin-1 agree on letters.
    let text = std::str::from_utf8(bytes).map_or_else(
        |_| {
            let message = "the file is not UTF-8; the platform would read it as ANSI".to_owned();
            report.add(Level::Warning, 1, message, Some("save it as UTF-8".into()));
            bytes.iter().map(|b| char::from(*b)).collect()
        },
        str::to_owned,
    );
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(Lines::new(text.as_bytes(), 1));
    match reader.headers() {
        Ok(headers) if headers.len() > MOST_COLUMNS => {
            report.error(
                1,
                too_many("the first line", headers.len()),
                Some("leave out what is no property of a device".into()),
            );
            return report;
        }
        Ok(headers) => report.columns = headers.iter().map(|h| h.trim().to_owned()).collect(),
        Err(e) => {
            report.error(1, format!("the file is not CSV: {e}"), None);
            return report;
        }
    }
    check_headers(&mut report);
    let mut rows = Rows::new(&report.columns, forbidden);
    let mut row = csv::StringRecord::new();
    loop {
        match reader.read_record(&mut row) {
            Ok(true) => {
                let start = row.position().map_or(0, csv::Position::byte);
                let line = reader.get_mut().line_of(start);
                rows.check(&mut report, &row, line);
            }
            Ok(false) => break,
            Err(e) => {
                report.error(1, format!("the file is not CSV: {e}"), None);
                break;
            }
        }
    }
    if report.rows == 0 {
        report.error(1, "there is no row below the header".to_owned(), None);
    }
    report.findings.sort_by_key(|f| f.line);
    report
}

fn check_headers(report: &mut Report) {
    let columns = report.columns.clone();
    let has = |name: &str| columns.iter().any(|c| c == name);
    if !has("ID") {
        let message = format!("the first line has no column ID, only {}", columns.join(", "));
        report.error(1, message, Some("ID is the device identifier, in capital letters".into()));
    }
    if !has("AUTH_TYPE") {
        let message =
            "there is no column AUTH_TYPE; the platform would expect passwords".to_owned();
        report.error(1, message, Some("add AUTH_TYPE with CERTIFICATES in every row".into()));
    }
    let demanding = NEED_TYPE_AND_NAME.into_iter().find(|c| has(c));
    if let Some(demanding) = demanding {
        for missing in ["TYPE", "NAME"].into_iter().filter(|c| !has(c)) {
            report.error(1, format!("column {demanding} needs the column {missing} too"), None);
        }
    }
    if !has(AGENT) {
        let message = format!("there is no column {AGENT}: the devices get no operations");
        report.add(Level::Warning, 1, message, Some("add it with the value true".into()));
    }
    let mut seen = HashSet::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        if !seen.insert(column) {
            report.error(1, format!("the column {column:?} is there twice"), None);
        }
        check_header(report, column, index + 1 == columns.len());
    }
}

fn check_header(report: &mut Report, column: &str, last: bool) {
    const OTHERS: [&str; 3] = ["CREDENTIALS", "ENROLLMENT_OTP", AGENT];
    if column.is_empty() {
        report.error(1, "a column has no header".to_owned(), None);
    }
    if column.contains('[') {
        report.error(1, format!("the header {column:?} would make an array"), None);
    }
    if column.starts_with("external-") && !last {
        let message = format!("the column {column:?} is not the last one");
        report.error(1, message, Some("move it to the end".into()));
    }
    let known = KNOWN.iter().chain(&OTHERS);
    if let Some(meant) = known.into_iter().find(|k| **k != column && k.eq_ignore_ascii_case(column))
    {
        let message = format!("the header {column:?} makes a custom property, not {meant}");
        report.add(Level::Warning, 1, message, Some("write it in exactly that case".into()));
    }
}

struct Rows {
    /// Folded id: the line where it stands.
    seen: HashMap<String, u64>,
    /// Where each column stands; of two with one header the first.
    columns: HashMap<String, usize>,
    /// How many columns there are.
    width: usize,
    /// How bad an id is that no new device may have.
    forbidden: Level,
}

impl Rows {
    fn new(headers: &[String], forbidden: Level) -> Self {
        let mut columns = HashMap::with_capacity(headers.len());
        for (index, header) in headers.iter().enumerate() {
            columns.entry(header.clone()).or_insert(index);
        }
        Self { seen: HashMap::new(), columns, width: headers.len(), forbidden }
    }

    fn check(&mut self, report: &mut Report, row: &csv::StringRecord, line: u64) {
        report.rows += 1;
        if row.len() != self.width {
            let message = format!("the row has {} columns, the header {}", row.len(), self.width);
            report.error(
                line,
                message,
                Some("put a value that holds the separator in quotes".into()),
            );
            return;
        }
        for (index, cell) in row.iter().enumerate().filter(|(_, cell)| is_rounded(cell)) {
            let column = &report.columns[index];
            // An id says it itself.
            if column != "ID" {
                let message =
                    format!("{column} is {cell:?}, a number that a spreadsheet has rounded");
                report.error(line, message, Some(ROUNDED.into()));
            }
        }
        let value = |name: &str| self.columns.get(name).and_then(|index| row.get(*index));
        if let Some(id) = value("ID") {
            let id = id.to_owned();
            self.check_id(report, line, &id);
        }
        let value = |name: &str| self.columns.get(name).and_then(|index| row.get(*index));
        let otp = value("ENROLLMENT_OTP").filter(|v| !v.is_empty());
        let credentials = value("CREDENTIALS").filter(|v| !v.is_empty());
        match (otp, credentials) {
            // Platform: "Bulk registration".
            (Some(_), Some(_)) => {
                let message = "there are CREDENTIALS and an ENROLLMENT_OTP: the platform ignores \
                               CREDENTIALS, and the device enrols with the one-time password";
                let hint = Some("leave CREDENTIALS empty: the device cannot log in with it".into());
                report.add(Level::Warning, line, message.to_owned(), hint);
                check_auth(report, line, value("AUTH_TYPE"), None);
            }
            (_, credentials) => check_auth(report, line, value("AUTH_TYPE"), credentials),
        }
        if let Some(otp) = otp {
            check_otp(report, line, otp);
        }
        if let Some(shell) = value("SHELL").filter(|v| !v.is_empty() && *v != "1") {
            report.error(line, format!("SHELL is {shell:?}; it takes 1, or nothing"), None);
        }
        if NEED_TYPE_AND_NAME.iter().any(|name| self.columns.contains_key(*name)) {
            for name in ["TYPE", "NAME"] {
                if value(name) == Some("") {
                    report.error(line, format!("{name} is empty"), None);
                }
            }
        }
        if let Some(strange) = value(AGENT).filter(|v| !["", "true", "false"].contains(v)) {
            report.error(line, format!("{AGENT} is {strange:?}; it takes true or false"), None);
        } else if value(AGENT).is_some_and(|v| v != "true") {
            let message = format!("{AGENT} is not true: the device gets no operations");
            report.add(Level::Warning, line, message, None);
        }
    }

    fn check_id(&mut self, report: &mut Report, line: u64, id: &str) {
        match DeviceId::parse(id) {
            Err(e) => report.error(line, e.to_string(), e.hint()),
            Ok(id) => {
                match (self.forbidden, id.check_new()) {
                    (_, Ok(())) => {}
                    (Level::Error, Err(e)) => {
                        report.error(line, e.to_string(), e.hint());
                    }
                    // It is what it is.
                    (Level::Warning, Err(_)) => {
                        report.add(Level::Warning, line, id.remark().unwrap_or_default(), None);
                    }
                }
                if let Some(first) = self.seen.insert(id.folded(), line) {
                    let message = format!("device id {:?} is in line {first} too", id.as_str());
                    report.error(line, message, Some("each device needs a row of its own".into()));
                }
            }
        }
    }
}

fn check_auth(report: &mut Report, line: u64, auth: Option<&str>, credentials: Option<&str>) {
    match auth {
        None | Some("CERTIFICATES") => {}
        Some("") => {
            let message = "AUTH_TYPE is empty, which means BASIC".to_owned();
            report.error(line, message, Some("write CERTIFICATES".into()));
        }
        Some(other) => {
            let message = format!("AUTH_TYPE is {other:?}, not CERTIFICATES");
            report.error(line, message, Some("write CERTIFICATES".into()));
        }
    }
    if auth == Some("CERTIFICATES") && credentials.is_some_and(|c| !c.is_empty()) {
        // The value is a password: it is not shown.
        let message = "CREDENTIALS is not empty, but the device has a certificate".to_owned();
        report.error(line, message, Some("empty it, or remove the column".into()));
    }
}

fn check_otp(report: &mut Report, line: u64, otp: &str) {
    if let Err(problem) = OneTimePassword::parse(otp) {
        report.error(line, format!("ENROLLMENT_OTP is no one-time password: {problem}"), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn messages(csv: &str) -> Vec<String> {
        check("r.csv", csv.as_bytes()).findings.into_iter().map(|f| f.message).collect()
    }

    #[test]
    fn each_rule_is_found() {
        const AGENT_COLUMN: &str = "com_cumulocity_model_Agent.active";
        let csv = |headers: &str, row: &str| {
            format!("ID;AUTH_TYPE;{AGENT_COLUMN}{headers}\nx;CERTIFICATES;true{row}\n")
        };
        assert_eq!(messages(&csv("", "")), Vec::<String>::new());
        for (headers, row, expected) in [
            (";CREDENTIALS", ";secret", "CREDENTIALS is not empty"),
            (";ENROLLMENT_OTP", ";short", "5 characters"),
            (";ENROLLMENT_OTP;CREDENTIALS", ";once-4711;x", "the platform ignores CREDENTIALS"),
            (";TYPE;NAME;SHELL", ";t;n;yes", "it takes 1"),
            (";PATH;NAME", ";p;n", "needs the column TYPE"),
            (";TYPE;NAME;PATH", ";;n;p", "TYPE is empty"),
            (";external-a;b", ";1;2", "not the last"),
            (";a[0]", ";1", "array"),
            (";a;a", ";1;1", "twice"),
            (";Type", ";1", "makes a custom property"),
            ("", ";1", "4 columns"),
            ("", "\nX;CERTIFICATES;true", "in line 2 too"),
            ("", "\na:b;CERTIFICATES;true", "contains ':'"),
            ("", "\ny;BASIC;true", "not CERTIFICATES"),
            ("", "\ny;;true", "means BASIC"),
            ("", "\ny;CERTIFICATES;false", "gets no operations"),
        ] {
            let found = messages(&csv(headers, row));
            assert!(found.iter().any(|m| m.contains(expected)), "{expected}: {found:?}");
        }
        assert!(messages("NAME\nx\n").iter().any(|m| m.contains("no column ID")));
        assert!(messages("ID;AUTH_TYPE\n").iter().any(|m| m.contains("no row")));
    }

    #[test]
    fn credentials_beside_a_one_time_password_are_no_error() {
        let csv = "ID;AUTH_TYPE;CREDENTIALS;ENROLLMENT_OTP\nx;CERTIFICATES;hunter2;once-4711\n";
        let report = check("r.csv", csv.as_bytes());
        assert!(report.is_good(), "{report:?}");
        assert!(!format!("{report:?}").contains("hunter2"));
    }

    #[test]
    fn a_password_in_the_file_is_not_repeated() {
        let found = messages("ID;AUTH_TYPE;CREDENTIALS\nx;CERTIFICATES;hunter2\n");
        assert!(!found.join(" ").contains("hunter2"), "{found:?}");
    }

    #[test]
    fn columns_beyond_all_use_are_refused_as_such() {
        let headers = |count: usize| {
            let more: String = (0..count).map(|n| format!(";p{n}")).collect();
            let cells = ";1".repeat(count);
            format!("ID;AUTH_TYPE{more}\nx;CERTIFICATES{cells}\n")
        };
        assert_eq!(messages(&headers(998)).len(), 1, "only that there is no agent");
        let many = messages(&headers(999));
        assert_eq!(many, ["the first line has 1001 columns; at most 1000 are read"]);
        let more = messages(&headers(200_000));
        assert_eq!(more, ["the file is not CSV: a line has more than 10000 separators"]);
        let below = messages(&format!("ID;AUTH_TYPE\nx;CERTIFICATES{}\n", ";".repeat(20_000)));
        assert!(below.iter().any(|m| m.contains("more than 10000 separators")), "{below:?}");
    }

    proptest! {
        #[test]
        fn any_octets_give_a_report(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = check("r.csv", &bytes);
        }
    }
}
