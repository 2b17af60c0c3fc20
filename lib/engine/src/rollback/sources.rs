//! What somebody gives to compare with: lists, hand-over files, archives, directories.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Comparison, RollbackError, Sources, Told, half};
use crate::cert::Certificate;
use crate::crl::Crl;
use crate::crypto::{hex, sha256, unhex};
use crate::failure::Underlying;
use crate::files;
use crate::manifest::{self, OLD_CSV, Row};
use crate::pki::Ca;
use crate::read;
use crate::registry::{Filter, Status, number_of};

/// Where the mark of a tar archive stands, and what it is (POSIX ustar, GNU).
const TAR: (usize, &[u8]) = (257, b"ustar");

impl Sources<'_> {
    /// Compares with one path, or returns it if it is a directory or an archive to be looked through.
    pub(super) fn compare(
        &self,
        path: &Path,
        comparison: &mut Comparison,
    ) -> Result<Option<PathBuf>, RollbackError> {
        if path.is_dir() || is_archive(path)? {
            return Ok(Some(super::places::absolute(path)));
        }
        let bytes = files::read_small(path)?;
        let signature = signature_of(path);
        if signature.exists() {
            let signature = files::read_small(&signature)?;
            self.compare_manifest(path, &bytes, &signature, comparison)?;
            return Ok(None);
        }
        let lists = read::lists(&bytes).map_err(|_| {
            bad(path, "it is no revocation list, and has no signature beside it (.sig)")
        })?;
        for list in lists {
            self.compare_list(path, list, comparison)?;
        }
        Ok(None)
    }

    /// Compares with a hand-over file that was written to that path, if it is still there. One that was changed
    /// tells nothing.
    pub(super) fn compare_handover(
        &self,
        path: &Path,
        comparison: &mut Comparison,
    ) -> Result<(), RollbackError> {
        let read = |path: &Path| files::read_small(path).ok();
        let Some((bytes, signature)) = read(path).zip(read(&signature_of(path))) else {
            return Ok(());
        };
        match self.compare_manifest(path, &bytes, &signature, comparison) {
            Err(RollbackError::Source { .. }) => Ok(()),
            compared => compared,
        }
    }

    fn compare_list(
        &self,
        path: &Path,
        list: Crl,
        comparison: &mut Comparison,
    ) -> Result<(), RollbackError> {
        let signer = self.cas.iter().find(|ca| ca.has_signed(&list));
        let ca = signer.ok_or_else(|| {
            bad(path, format!("no CA of this directory has signed the list of {}", list.issuer))
        })?;
        if let Some(why) = list.incomplete {
            return Err(bad(path, format!("the list {why}")));
        }
        let number = number_of(&list).map_err(|problem| bad(path, problem))?;
        comparison.lists.extend(self.pki.compare_list(ca, &list)?);
        comparison.given.push((ca.name.clone(), number, list));
        Ok(())
    }

    fn compare_manifest(
        &self,
        path: &Path,
        bytes: &[u8],
        signature: &[u8],
        comparison: &mut Comparison,
    ) -> Result<(), RollbackError> {
        let cas: Vec<Certificate> = self.cas.iter().map(Ca::certificate).cloned().collect();
        let verified = manifest::verify(bytes, signature, &cas);
        let verified = verified.map_err(|e| bad(path, Underlying::of(e)))?;
        let signer = self.cas.iter().find(|ca| ca.certificate().der() == verified.signer.der());
        let ca = signer.map(|ca| ca.name.clone()).unwrap_or_default();
        for row in rows(path, bytes)? {
            let fingerprint = sha256_of(&row.fingerprint_sha256);
            let is_known = fingerprint.is_some_and(|sha256| self.known.contains(&half(&sha256)));
            let problem = match () {
                () if !is_known => "is not in the registry",
                () if row.status == Status::Revoked.name() && !self.is_revoked(&row)? => {
                    "is revoked there, and not in the registry"
                }
                () => continue,
            };
            comparison.told.push(Told {
                file: path.to_owned(),
                device_id: row.device_id,
                serial: row.serial,
                problem,
                ca: ca.clone(),
                sha256: fingerprint.map(|sha256| hex(&sha256)).unwrap_or_default(),
            });
        }
        Ok(())
    }

    fn is_revoked(&self, row: &Row) -> Result<bool, RollbackError> {
        let Ok(serial) = row.serial.parse() else { return Ok(false) };
        let filter = Filter { serial: Some(&serial), ..Filter::default() };
        let records = self.pki.registry().find(&filter)?;
        let sha256 = sha256_of(&row.fingerprint_sha256);
        let own = records.iter().find(|record| Some(self::sha256(&record.der)) == sha256);
        Ok(own.is_some_and(|record| record.status == Status::Revoked))
    }
}

fn bad(path: &Path, problem: impl Into<Underlying>) -> RollbackError {
    RollbackError::Source { path: path.to_owned(), problem: problem.into() }
}

fn signature_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}

fn is_archive(path: &Path) -> Result<bool, RollbackError> {
    let (at, mark) = TAR;
    let fail = |source| files::FileError { action: "read", path: path.to_owned(), source };
    let mut head = Vec::new();
    let file = File::open(path).map_err(fail)?;
    file.take((at + mark.len()) as u64).read_to_end(&mut head).map_err(fail)?;
    Ok(head.get(at..) == Some(mark))
}

/// The rows of a CSV, which may have lines before its header.
fn rows(path: &Path, bytes: &[u8]) -> Result<Vec<Row>, RollbackError> {
    let lines = bytes.split_inclusive(|b| *b == b'\n');
    let before: usize =
        lines.take_while(|line| !line.starts_with(OLD_CSV.as_bytes())).map(<[u8]>::len).sum();
    if before == bytes.len() {
        return Err(bad(path, "it is signed, but no hand-over file in the form of a CSV"));
    }
    let mut reader = csv::Reader::from_reader(&bytes[before..]);
    reader
        .deserialize()
        .collect::<Result<_, _>>()
        .map_err(|e: csv::Error| bad(path, Underlying::of(e)))
}

/// Reads 64 hex digits, with colons or without.
fn sha256_of(text: &str) -> Option<[u8; 32]> {
    unhex(text.replace(':', ""))?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csv_may_have_lines_before_its_header() {
        let csv =
            b"device_id,serial,fingerprint_sha256,public_key_sha256,not_before,not_after,status,\
            issuer_fingerprint_sha256\na,01,ff,ee,2026-01-01,2027-01-01,live,dd\n";
        let path = Path::new("manifest.csv");
        let with_line = [&b"# of the issuer X\n"[..], csv].concat();
        for text in [&csv[..], &with_line] {
            let rows = rows(path, text).unwrap();
            assert_eq!((rows.len(), rows[0].device_id.as_str()), (1, "a"));
        }
        assert!(rows(path, b"id,name\n").is_err());
    }

    #[test]
    fn fingerprints_have_colons_or_not() {
        let plain = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        assert_eq!(sha256_of(&plain), Some([0xab; 32]));
        assert_eq!(sha256_of(&colons), Some([0xab; 32]));
        assert_eq!(sha256_of("ab"), None);
    }
}
