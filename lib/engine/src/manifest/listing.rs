//! A manifest read: what it says of its issuer, and whose signature it bears.

use serde::Deserialize;

use super::ManifestError;
use super::mark::{self, JSON, MARK, OLD_CSV};
use super::row::Row;
use crate::cert::Certificate;
use crate::failure::Underlying;
use crate::issue;

/// Position of the issuer's fingerprint among the columns.
const ISSUER: usize = Row::COLUMNS.len() - 1;

/// Hexadecimal digits of a SHA-256.
const SHA256_DIGITS: usize = 64;

/// A manifest that was read. It says who has issued its devices; whether that is so, its signature
/// tells.
#[derive(Debug)]
pub struct Listing<'a> {
    bytes: &'a [u8],
    /// How many devices it lists.
    pub devices: usize,
    /// SHA-256 of the issuer's certificate, hex, as every row and the mark name it.
    pub issuer: String,
    /// Whether it is an old one, which does not begin with what was signed and by whom.
    pub old: bool,
}

/// What a good signature shows.
#[derive(Debug, Clone, Copy)]
pub struct Verified<'a> {
    /// The certificate of the CA that has made it.
    pub signer: &'a Certificate,
    /// Whether it is an old one: see [`Listing::old`].
    pub old: bool,
}

/// What is read of the JSON; the rest is for others.
#[derive(Deserialize)]
struct Document {
    mark: Option<String>,
    issuer_fingerprint_sha256: String,
    devices: Vec<Row>,
}

impl<'a> Listing<'a> {
    /// Reads a manifest, CSV or JSON. It begins exactly as one of [`BEGINNINGS`](super::mark::BEGINNINGS).
    ///
    /// Errors: [`ManifestError::Unreadable`], for example where a column or all rows are missing;
    /// [`ManifestError::OtherRow`] if not every row names the same issuer as the first line.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ManifestError> {
        let (mark, rows) = if bytes.starts_with(JSON.as_bytes()) {
            of_json(bytes)?
        } else if bytes.starts_with(MARK.as_bytes()) {
            let (first, rest) = first_line(bytes)?;
            (Some(read_mark(first)?), of_csv(rest, 1)?)
        } else if bytes.starts_with(OLD_CSV.as_bytes()) {
            (None, of_csv(bytes, 0)?)
        } else {
            return Err(unreadable("it does not begin as one"));
        };
        let (devices, old) = (rows.count, mark.is_none());
        if devices == 0 {
            return Err(unreadable("it lists no device"));
        }
        if let Some(issuer) = mark.filter(|issuer| *issuer != rows.issuer) {
            return Err(ManifestError::OtherRow { place: "row 1".to_owned(), issuer });
        }
        match rows.other {
            Some(place) => Err(ManifestError::OtherRow { place, issuer: rows.issuer }),
            None => Ok(Self { bytes, devices, issuer: rows.issuer, old }),
        }
    }

    /// Checks its detached signature. It counts if the CA has made it whose certificate every row
    /// names. That of a sibling or of the CA above does not; nor does that of the same CA under
    /// another certificate (renewed with the same key) while the one that the rows name is not
    /// among `cas`: nobody else can tell that its key is the same.
    pub fn verify<'c>(
        &self,
        signature: &[u8],
        cas: &'c [Certificate],
    ) -> Result<Verified<'c>, ManifestError> {
        // Devices have keys too, and chains that are good: what they sign is no manifest.
        let may = |ca: &&Certificate| issue::check_ca(ca).is_ok();
        let made_it = |ca: &&Certificate| {
            ca.public_key.as_ref().is_ok_and(|key| {
                let algorithm = key.algorithm().signature_algorithm();
                key.verify(algorithm, self.bytes, signature).is_ok()
            })
        };
        let issuer = cas.iter().filter(may).find(|ca| ca.fingerprint_sha256() == self.issuer);
        if let Some(signer) = issuer.filter(made_it) {
            return Ok(Verified { signer, old: self.old });
        }
        match cas.iter().filter(may).find(made_it) {
            Some(other) => Err(ManifestError::OtherIssuer {
                signer: other.subject.to_string(),
                signer_fingerprint: other.fingerprint_sha256(),
                issuer: issuer.map(|ca| ca.subject.to_string()),
                issuer_fingerprint: self.issuer.clone(),
            }),
            None => {
                let asked = cas.iter().filter(may).map(|ca| ca.subject.to_string()).collect();
                Err(ManifestError::Signature(asked))
            }
        }
    }
}

fn unreadable(problem: impl Into<Underlying>) -> ManifestError {
    ManifestError::Unreadable(problem.into())
}

/// The issuers that the rows name.
#[derive(Default)]
struct Rows {
    count: usize,
    /// That of the first row.
    issuer: String,
    /// The first place that names another one.
    other: Option<String>,
}

impl Rows {
    fn add(&mut self, issuer: &str) -> Result<(), ManifestError> {
        self.count += 1;
        check_sha256(issuer)?;
        if self.count == 1 {
            issuer.clone_into(&mut self.issuer);
        } else if issuer != self.issuer && self.other.is_none() {
            self.other = Some(format!("row {}", self.count));
        }
        Ok(())
    }
}

/// It is shown, so it must be what it is said to be.
fn check_sha256(issuer: &str) -> Result<(), ManifestError> {
    match issuer.len() == SHA256_DIGITS && issuer.bytes().all(|b| b.is_ascii_hexdigit()) {
        true => Ok(()),
        false => Err(unreadable("an issuer in it is not named by a SHA-256 in hex")),
    }
}

/// The first line without its end, and what follows.
fn first_line(bytes: &[u8]) -> Result<(&str, &[u8]), ManifestError> {
    let end = bytes.iter().position(|octet| *octet == b'\n');
    let end = end.ok_or_else(|| unreadable("it has a first line and nothing else"))?;
    let (first, rest) = (&bytes[..end], &bytes[end + 1..]);
    let first = std::str::from_utf8(first.strip_suffix(b"\r").unwrap_or(first));
    Ok((first.map_err(|_| unreadable("its first line is not UTF-8"))?, rest))
}

/// The issuer in a first line.
fn read_mark(line: &str) -> Result<String, ManifestError> {
    let other = "its first line is not that of a manifest of this version";
    let issuer = mark::read(line).ok_or_else(|| unreadable(other))?;
    check_sha256(issuer)?;
    Ok(issuer.to_owned())
}

/// Reads the rows; `before` lines stand above the header.
fn of_csv(bytes: &[u8], before: u64) -> Result<Rows, ManifestError> {
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader
        .headers()
        .map_err(|e| unreadable(Underlying::worded(of_csv_error(&e, before), e)))?;
    if let Some(missing) = Row::COLUMNS.iter().find(|column| header.iter().all(|h| h != **column)) {
        return Err(unreadable(format!("the column {missing} is missing")));
    }
    if header.iter().ne(Row::COLUMNS) {
        return Err(unreadable(format!("its columns are not {}", Row::COLUMNS.join(", "))));
    }
    let (mut rows, mut row) = (Rows::default(), csv::StringRecord::new());
    while reader
        .read_record(&mut row)
        .map_err(|e| unreadable(Underlying::worded(of_csv_error(&e, before), e)))?
    {
        rows.add(row.get(ISSUER).unwrap_or_default())?;
    }
    Ok(rows)
}

/// What is wrong with a row, by its line in the file.
fn of_csv_error(e: &csv::Error, before: u64) -> String {
    let line = e.position().map_or(1, csv::Position::line) + before;
    match e.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("line {line} has {len} fields in place of {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => format!("line {line} is not UTF-8"),
        _ => format!("line {line} is no row of a CSV file"),
    }
}

fn of_json(bytes: &[u8]) -> Result<(Option<String>, Rows), ManifestError> {
    let document: Document = serde_json::from_slice(bytes)
        .map_err(|e| unreadable(Underlying::worded(of_json_error(&e), e)))?;
    let mark = document.mark.as_deref().map(read_mark).transpose()?;
    let mut rows = Rows::default();
    for row in &document.devices {
        rows.add(&row.issuer_fingerprint_sha256)?;
    }
    if document.issuer_fingerprint_sha256 != rows.issuer && rows.other.is_none() {
        rows.other = Some("its own issuer_fingerprint_sha256".to_owned());
    }
    Ok((mark, rows))
}

/// Without the words of the file, which may be anything.
fn of_json_error(e: &serde_json::Error) -> String {
    let (line, column) = (e.line(), e.column());
    match e.is_data() {
        true => format!("a member of its JSON is missing or no text, at line {line}"),
        false => format!("its JSON is damaged at line {line}, column {column}"),
    }
}
