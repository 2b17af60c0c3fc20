//! `database.txt` (`index.txt`): one line for each certificate that `openssl ca` has signed.
//!
//! Six fields, separated by tabs: `V`, `R` or `E`; the end of its validity; for `R` the date, and the
//! reason behind a comma; the serial number in hex; the file, which OpenSSL always calls `unknown`; the
//! subject in one line (OpenSSL, apps/lib/apps.c and crypto/txt_db/txt_db.c). A tab or line end inside of a
//! field has a backslash in front; lines that begin with `#` are passed over.

use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::cert::Serial;
use crate::crl::Reason;
use crate::crypto::unhex;

/// A certificate that `openssl ca` has signed, as its database tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The line, from 1.
    pub line: usize,
    /// Its serial number.
    pub serial: Serial,
    /// The end of its validity.
    pub not_after: OffsetDateTime,
    /// When and why it was revoked.
    pub revoked: Option<(OffsetDateTime, Reason)>,
    /// What a revocation said and cannot be kept here, in words.
    pub not_kept: Option<&'static str>,
    /// The file that is named, if there is one.
    pub file: Option<String>,
    /// Its subject in one line: `/C=DE/CN=gw-1`, decoded.
    pub subject: String,
}

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, as a sentence.
    pub problem: String,
    /// Whether it tells, or may tell, of a revocation: a list made without it would take that back.
    pub revoked: bool,
}

/// Reads a database: its rows, and the lines that cannot be read.
pub fn read(bytes: &[u8]) -> (Vec<Row>, Vec<BadRow>) {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    for (number, line) in records(text) {
        let fields = fields(&line);
        match row(number, &fields) {
            Ok(row) => rows.push(row),
            Err(problem) => {
                let revoked = !matches!(fields[0].as_str(), "V" | "E");
                bad.push(BadRow { line: number, problem, revoked });
            }
        }
    }
    (rows, bad)
}

/// Lines with the number of each; a line end with a backslash in front belongs to the line.
fn records(text: &str) -> Vec<(usize, String)> {
    let mut records: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (index, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let backslashes = line.bytes().rev().take_while(|b| *b == b'\\').count();
        let (piece, open) = match backslashes % 2 {
            1 => (&line[..line.len() - 1], true),
            _ => (line, false),
        };
        match records.last_mut().filter(|_| goes_on) {
            Some((_, record)) => {
                record.push('\n');
                record.push_str(piece);
            }
            None if line.trim().is_empty() || line.starts_with('#') => continue,
            None => records.push((index + 1, piece.to_owned())),
        }
        goes_on = open;
    }
    records
}

/// The fields of a line: a tab with a backslash in front is a tab of the field.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        let escaped = c == '\\' && characters.next_if_eq(&'\t').is_some();
        match (c, fields.last_mut()) {
            (_, Some(field)) if escaped => field.push('\t'),
            ('\t', _) => fields.push(String::new()),
            (c, Some(field)) => field.push(c),
            (_, None) => {}
        }
    }
    fields
}

fn row(line: usize, fields: &[String]) -> Result<Row, String> {
    let [status, end, revoked, number, file, subject] = fields else {
        return Err(format!(
            "line {line} has {} fields, and a line of a database has 6, separated by tabs",
            fields.len()
        ));
    };
    let not_after = moment(end)
        .ok_or_else(|| format!("line {line}: {} is no end of a validity", quoted(end)))?;
    let serial = super::serial(number)
        .ok_or_else(|| format!("line {line}: {} is no serial number in hex", quoted(number)))?;
    let (revoked, not_kept) = match status.as_str() {
        "V" | "E" => (None, None),
        "R" => {
            let (at, reason, not_kept) =
                revocation(revoked).map_err(|problem| format!("line {line}: {problem}"))?;
            (Some((at, reason)), not_kept)
        }
        other => {
            return Err(format!(
                "line {line} begins with {}, and not with V, R or E",
                quoted(other)
            ));
        }
    };
    let file = Some(file.clone()).filter(|f| !f.is_empty() && f != "unknown");
    let subject = decoded(subject);
    Ok(Row { line, serial, not_after, revoked, not_kept, file, subject })
}

/// Text of the database for a message, which is not to be long.
fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(60).collect();
    format!("{shown:?}")
}

/// Reads `261122090815Z,keyCompromise`: when and why, and what is not kept of it.
fn revocation(text: &str) -> Result<(OffsetDateTime, Reason, Option<&'static str>), String> {
    let mut parts = text.splitn(3, ',');
    let date = parts.next().unwrap_or_default();
    let at = moment(date).ok_or_else(|| format!("{} is no date of a revocation", quoted(date)))?;
    let Some(word) = parts.next() else { return Ok((at, Reason::Unspecified, None)) };
    // The last three are what `openssl ca -crl_hold`, `-crl_compromise` and `-crl_CA_compromise` write.
    let is = |name: &str| word.eq_ignore_ascii_case(name);
    let (reason, not_kept) = match Reason::of_name(word) {
        Some(reason) => (reason, None),
        None if is("holdInstruction") => {
            (Reason::CertificateHold, Some("the instruction of its hold is not kept"))
        }
        None if is("keyTime") => {
            (Reason::KeyCompromise, Some("the time since which its key is known is not kept"))
        }
        None if is("CAkeyTime") => {
            (Reason::CaCompromise, Some("the time since which the CA's key is known is not kept"))
        }
        None if is("removeFromCRL") => {
            let why = "its reason removeFromCRL is for delta lists only: it is kept as revoked";
            (Reason::Unspecified, Some(why))
        }
        None => return Err(format!("{} is no reason for a revocation", quoted(word))),
    };
    Ok((at, reason, not_kept))
}

/// Reads a UTCTime or GeneralizedTime of X.509: in UTC, with seconds (RFC 5280, 4.1.2.5).
fn moment(text: &str) -> Option<OffsetDateTime> {
    let digits = text.strip_suffix('Z')?;
    let century = match digits.len() {
        12 if digits >= "5" => "19",
        12 => "20",
        14 => "",
        _ => return None,
    };
    let form = format_description!("[year][month][day][hour][minute][second]");
    PrimitiveDateTime::parse(&format!("{century}{digits}"), form)
        .ok()
        .map(PrimitiveDateTime::assume_utc)
}

/// Decodes the `\xC3` that OpenSSL writes for what is not ASCII (X509_NAME_oneline).
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = match after {
            [b'x', high, low, ..] if *first == b'\\' => {
                unhex([*high, *low]).and_then(|bytes| bytes.first().copied())
            }
            _ => None,
        };
        match hex {
            Some(octet) => {
                bytes.push(octet);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    #[test]
    fn rows_are_valid_revoked_or_expired() {
        let text = "V\t361119090815Z\t\t1000\tunknown\t/C=DE/CN=gw-1\r\n\
            # a remark\n\n\
            R\t20501119090815Z\t261122090815Z,keyCompromise\t1001\tcerts/1001.pem\t/CN=M\\xC3\\xBCnchen\n\
            E\t991231235959Z\t\t00FF\tunknown\t/CN=a\\\tb\n\
            R\t361119090815Z\t261122090815Z\t03\tunknown\t/CN=x";
        let (rows, bad) = read(text.as_bytes());
        assert_eq!(bad, []);
        let lines: Vec<usize> = rows.iter().map(|row| row.line).collect();
        assert_eq!(lines, [1, 4, 5, 6]);
        assert_eq!(rows[0].not_after, datetime!(2036-11-19 9:08:15 UTC));
        assert_eq!((rows[0].revoked, rows[0].file.as_deref()), (None, None));
        let at = datetime!(2026-11-22 9:08:15 UTC);
        assert_eq!(rows[1].revoked, Some((at, Reason::KeyCompromise)));
        assert_eq!(rows[1].not_after, datetime!(2050-11-19 9:08:15 UTC));
        assert_eq!(rows[1].file.as_deref(), Some("certs/1001.pem"));
        assert_eq!(rows[1].subject, "/CN=M\u{fc}nchen");
        assert_eq!(rows[2].not_after, datetime!(1999-12-31 23:59:59 UTC));
        assert_eq!(
            (rows[2].serial.to_string(), rows[2].subject.as_str()),
            ("00ff".into(), "/CN=a\tb")
        );
        assert_eq!(rows[3].revoked, Some((at, Reason::Unspecified)));
    }

    #[test]
    fn reasons_that_only_openssl_has() {
        let (rows, bad) = read(
            b"R\t361119090815Z\t261122090815Z,keyTime,20261101000000Z\t01\tunknown\t/CN=a\n\
              R\t361119090815Z\t261122090815Z,CAkeyTime,20261101000000Z\t02\tunknown\t/CN=b\n\
              R\t361119090815Z\t261122090815Z,holdInstruction,holdInstructionReject\t03\tunknown\t/CN=c\n\
              R\t361119090815Z\t261122090815Z,removeFromCRL\t04\tunknown\t/CN=d\n",
        );
        assert_eq!(bad, []);
        let reasons: Vec<Reason> = rows.iter().filter_map(|r| r.revoked.map(|(_, r)| r)).collect();
        let expected = [
            Reason::KeyCompromise,
            Reason::CaCompromise,
            Reason::CertificateHold,
            Reason::Unspecified,
        ];
        assert_eq!(reasons, expected);
        assert!(rows.iter().all(|row| row.not_kept.is_some()));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let good = ["V", "361119090815Z", "", "1000", "unknown", "/CN=a"];
        let cases = [
            (0, "X", "line 1 begins with \"X\", and not with V, R or E", true),
            (1, "361319090815Z", "line 1: \"361319090815Z\" is no end of a validity", false),
            (3, "-1", "line 1: \"-1\" is no serial number in hex", false),
            (3, "", "line 1: \"\" is no serial number in hex", false),
        ];
        for (field, value, expected, revoked) in cases {
            let mut fields = good;
            fields[field] = value;
            let (rows, bad) = read(fields.join("\t").as_bytes());
            assert_eq!(rows, []);
            assert_eq!((bad[0].problem.as_str(), bad[0].revoked), (expected, revoked));
        }
        let (_, bad) = read(b"R\t361119090815Z\tyesterday\t1000\tunknown\t/CN=a\nV only\n");
        assert_eq!(bad[0].problem, "line 1: \"yesterday\" is no date of a revocation");
        assert!(bad[0].revoked);
        assert!(bad[1].problem.starts_with("line 2 has 1 fields"), "{bad:?}");
    }

    proptest! {
        #[test]
        fn any_octets_are_rows_or_named(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let (rows, bad) = read(&bytes);
            prop_assert!(rows.len() + bad.len() <= bytes.len());
        }

        #[test]
        fn any_fields_are_rows_or_named(text in "([VRE]?\t[0-9]{0,14}Z?\t[0-9a-zA-Z,]{0,20}\t[0-9A-F]{0,6}\t[a-z\\\\]{0,8}\t[ -~\n\r\\\\]{0,12}\r?\n){0,4}") {
            let (rows, bad) = read(text.as_bytes());
            prop_assert!(rows.iter().all(|row| row.revoked.is_none() || row.line > 0));
            prop_assert!(bad.iter().all(|bad| !bad.problem.is_empty()));
        }
    }
}
