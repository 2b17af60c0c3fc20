//! What a CA did before it came here: devices that OpenSSL issued, revocations, numbers of lists.
//!
//! [`Former`] is what is at hand of it, [`History`] what can be taken over. Nothing is taken over in part: the
//! registry records all of it in one transaction, and the directory of a new CA appears after that.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::{AuthorityError, Ca, IN_THE_MAKING, Pki, Result};
use crate::cert::{Certificate, Serial};
use crate::client_id::DeviceId;
use crate::crl::{Crl, Reason, Revoked};
use crate::failure::{Hint, Task};
use crate::files::{self, Lock};
use crate::openssl::database::{BadRow, Row};
use crate::read;
use crate::registry::{Adopted, Adoption, ForeignSerial, Holder, NewRecord, number_of};

/// Says that a directory in the making is whole, and waits for the registry only.
pub(super) const ADOPTING: &str = "adopting";

/// What is at hand of what a CA did.
#[derive(Debug, Default)]
pub struct Former {
    /// The rows of its database.
    pub rows: Vec<Row>,
    /// The lines of its database that cannot be read.
    pub bad: Vec<BadRow>,
    /// Certificates, with the files that hold them.
    pub certificates: Vec<(PathBuf, Certificate)>,
    /// Its revocation lists.
    pub lists: Vec<Crl>,
    /// The number of its last list, by the file `crlnumber`.
    pub last_number: Option<u64>,
}

/// Something that was not taken over as a device's certificate.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Untaken {
    /// The line of the database, if it is there.
    pub line: Option<usize>,
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// Its serial number, if that can be read.
    pub serial: Option<String>,
    /// Why, as a sentence that names it.
    pub reason: String,
    /// Whether its serial number is kept: it is not given again, and stays revoked if it is.
    pub serial_kept: bool,
}

/// What can be taken over of what a CA did.
#[derive(Debug, Default)]
pub struct History {
    certificates: Vec<NewRecord>,
    serials: Vec<ForeignSerial>,
    revoked: Vec<Revoked>,
    number: Option<u64>,
    list: Option<Crl>,
    /// What is not taken over, by lines and files.
    pub untaken: Vec<Untaken>,
    /// What is taken over and said less of, a sentence each.
    pub remarks: Vec<String>,
    /// How many certificates were found that another CA has signed.
    pub strangers: usize,
}

impl History {
    /// What can be taken over for the CA `name`, whose certificate is `own`.
    ///
    /// Errors: [`AuthorityError::History`] for a line that may tell of a revocation and cannot be read, and for
    /// a list that is not this CA's, or not a whole one: a list made without them would take something back.
    pub fn of(name: &str, own: &Certificate, former: Former) -> Result<Self> {
        let fail = |problem: String| AuthorityError::History { ca: name.to_owned(), problem };
        if let Some(bad) = former.bad.iter().find(|bad| bad.revoked) {
            let problem = &bad.problem;
            return Err(fail(format!(
                "its database has a line that may be a revocation and cannot be read: \
                                     {problem}"
            )));
        }
        let mut history = Self::default();
        for bad in former.bad {
            history.untaken.push(Untaken {
                line: Some(bad.line),
                file: None,
                serial: None,
                reason: bad.problem,
                serial_kept: false,
            });
        }
        let mut files = Files::of(own, former.certificates, &mut history);
        let mut revoked: BTreeMap<Serial, Revoked> = BTreeMap::new();
        for row in &former.rows {
            if let Some((at, reason)) = row.revoked {
                let entry = Revoked { serial: row.serial.clone(), at, reason };
                revoked.entry(row.serial.clone()).or_insert(entry);
            }
            if let Some(why) = row.not_kept {
                history.remarks.push(format!("line {}, {}: {why}", row.line, row.serial));
            }
            history.take_row(name, row, &mut files);
        }
        let is_whole = former.rows.is_empty();
        for (path, certificate) in files.left() {
            if !is_whole {
                history.remarks.push(format!(
                    "{}: the database has no line for the certificate {}, which this CA has signed",
                    path.display(),
                    certificate.serial
                ));
            }
            history.take(name, None, &path, &certificate);
        }
        history.number = former.last_number;
        for list in former.lists {
            history.take_list(own, list, &mut revoked).map_err(&fail)?;
        }
        history.revoked = revoked.into_values().collect();
        history.tell_shared_keys();
        Ok(history)
    }

    /// Whether there is nothing to be taken over.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
            && self.serials.is_empty()
            && self.revoked.is_empty()
            && self.number.is_none()
    }

    /// The number of its last list, as far as it is known.
    pub fn last_number(&self) -> Option<u64> {
        self.number
    }

    fn take_row(&mut self, name: &str, row: &Row, files: &mut Files) {
        let found = files.take(&row.serial, row.not_after);
        let problem = match found {
            Ok(Some((path, certificate))) => {
                return self.take(name, Some(row), &path, &certificate);
            }
            Ok(None) => "there is no file with its certificate".to_owned(),
            Err(end) => format!(
                "the certificate that was found ends at another time, {}",
                crate::clock::rfc3339(end)
            ),
        };
        let reason = format!("line {}, {} ({}): {problem}", row.line, row.serial, row.subject);
        self.keep_serial(row);
        self.untaken.push(Untaken {
            line: Some(row.line),
            file: None,
            serial: Some(row.serial.to_string()),
            reason,
            serial_kept: true,
        });
    }

    fn keep_serial(&mut self, row: &Row) {
        self.serials.push(ForeignSerial {
            serial: row.serial.clone(),
            subject: row.subject.clone(),
            not_after: row.not_after,
        });
    }

    /// Takes a certificate over, or keeps its serial number if it is no device's.
    fn take(&mut self, name: &str, row: Option<&Row>, path: &Path, certificate: &Certificate) {
        let id = certificate.subject.common_name().unwrap_or_default();
        let device = match DeviceId::parse(id) {
            _ if certificate.is_ca() => {
                Err(Hint::run("it is a CA's, take that in", Task::ImportCa { ca: None })
                    .to_string())
            }
            Ok(device) => Ok(device),
            Err(e) => Err(format!("it names no device: {e}")),
        };
        let device = match device {
            Ok(device) => device,
            Err(why) => {
                let (serial, subject) = (&certificate.serial, &certificate.subject);
                let at = match row {
                    Some(row) => format!("line {}, ", row.line),
                    None => String::new(),
                };
                self.serials.push(ForeignSerial {
                    serial: serial.clone(),
                    subject: row.map_or_else(|| subject.to_string(), |row| row.subject.clone()),
                    not_after: certificate.not_after,
                });
                return self.untaken.push(Untaken {
                    line: row.map(|row| row.line),
                    file: Some(path.to_owned()),
                    serial: Some(serial.to_string()),
                    reason: format!("{at}{}, {serial} ({subject}): {why}", path.display()),
                    serial_kept: true,
                });
            }
        };
        self.certificates.push(NewRecord {
            ca: name.to_owned(),
            holder: Holder::Device(device),
            certificate: certificate.into(),
            details: BTreeMap::new(),
            location: None,
            has_key: false,
            bundle: None,
            replaces: None,
            // It was certified before.
            key_from_outside: false,
        });
    }

    fn take_list(
        &mut self,
        own: &Certificate,
        list: Crl,
        revoked: &mut BTreeMap<Serial, Revoked>,
    ) -> std::result::Result<(), String> {
        let signed = list.issuer.matches(&own.subject)
            && own.public_key.as_ref().is_ok_and(|key| list.verify_signature(key).is_ok());
        if !signed {
            return Err(format!("it has not signed the list of {}", list.issuer));
        }
        if let Some(why) = list.incomplete {
            return Err(format!("its list {why}"));
        }
        let number = number_of(&list).map_err(|problem| format!("its list: {problem}"))?;
        for entry in &list.revoked {
            let known = revoked.entry(entry.serial.clone()).or_insert_with(|| entry.clone());
            if known.reason == Reason::Unspecified {
                known.reason = entry.reason;
            }
        }
        let newer = |other: &Crl| number_of(other).unwrap_or(0) < number;
        if self.list.as_ref().is_none_or(newer) {
            self.list = Some(list);
        }
        self.number = Some(self.number.unwrap_or(0).max(number));
        Ok(())
    }

    /// Says which devices have one key: once it is compromised, all of them are.
    fn tell_shared_keys(&mut self) {
        let mut holders: HashMap<[u8; 32], Vec<&str>> = HashMap::new();
        for record in &self.certificates {
            let ids = holders.entry(record.certificate.key_digest).or_default();
            let id = record.holder.device().map(DeviceId::as_str).unwrap_or_default();
            if !ids.iter().any(|known| known.eq_ignore_ascii_case(id)) {
                ids.push(id);
            }
        }
        let mut shared: Vec<String> = holders
            .into_values()
            .filter(|ids| ids.len() > 1)
            .map(|mut ids| {
                ids.sort_unstable();
                format!("the devices {} have one key", ids.join(", "))
            })
            .collect();
        shared.sort();
        self.remarks.extend(shared);
    }

    fn adoption<'a>(&'a self, ca: &'a Ca, own: Option<NewRecord>, batch: &'a str) -> Adoption<'a> {
        Adoption {
            ca: &ca.name,
            issuer: &ca.certificate().subject,
            own,
            certificates: self.certificates.clone(),
            serials: &self.serials,
            revoked: self.revoked.clone(),
            number: self.number.filter(|n| *n > 0),
            without_list: self.list.is_none(),
            batch,
        }
    }
}

/// Certificates that a CA has signed, by their serial numbers.
struct Files(HashMap<Serial, Vec<(PathBuf, Certificate)>>);

impl Files {
    /// Sorts what was found: what others have signed is counted.
    fn of(own: &Certificate, found: Vec<(PathBuf, Certificate)>, history: &mut History) -> Self {
        let mut by_serial: HashMap<Serial, Vec<(PathBuf, Certificate)>> = HashMap::new();
        let mut seen = HashSet::new();
        for (path, certificate) in found {
            let is_own = certificate.der() == own.der();
            if is_own || !seen.insert(certificate.der().to_vec()) {
                continue;
            }
            let signed = certificate.issuer.matches(&own.subject)
                && own.public_key.as_ref().is_ok_and(|k| certificate.verify_signature(k).is_ok());
            match signed {
                true => {
                    by_serial
                        .entry(certificate.serial.clone())
                        .or_default()
                        .push((path, certificate));
                }
                false => history.strangers += 1,
            }
        }
        Self(by_serial)
    }

    /// The certificate of a row.
    ///
    /// Errors: the end of another one with its serial number.
    fn take(
        &mut self,
        serial: &Serial,
        end: OffsetDateTime,
    ) -> std::result::Result<Option<(PathBuf, Certificate)>, OffsetDateTime> {
        let Some(found) = self.0.get_mut(serial) else { return Ok(None) };
        match found.iter().position(|(_, certificate)| certificate.not_after == end) {
            Some(index) => Ok(Some(found.swap_remove(index))),
            None => found.first().map_or(Ok(None), |(_, other)| Err(other.not_after)),
        }
    }

    /// What no row has taken, in the order of the files.
    fn left(self) -> Vec<(PathBuf, Certificate)> {
        let mut left: Vec<_> = self.0.into_values().flatten().collect();
        left.sort_by(|(a, _), (b, _)| a.cmp(b));
        left
    }
}

/// The largest file in which a certificate is looked for, in bytes: `openssl ca` writes some kilobytes.
const MOST_IN_FILE: u64 = 1 << 20;

/// All certificates in a file, or in the files of a directory and those below it; there, files without one,
/// stores, and symbolic links to directories are passed over.
///
/// Errors: a file that was named and has none.
pub fn certificates_in(path: &Path) -> Result<Vec<(PathBuf, Certificate)>> {
    if !path.is_dir() {
        let all = read::certificates(&files::read_small(path)?, None).map_err(|e| {
            AuthorityError::Certificate { path: path.to_owned(), source: Box::new(e) }
        })?;
        return Ok(all.into_iter().map(|certificate| (path.to_owned(), certificate)).collect());
    }
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in files::list_dir(&folder)? {
            if path.is_dir() {
                if !path.is_symlink() {
                    folders.push(path);
                }
                continue;
            }
            if files::len(&path).is_none_or(|len| len > MOST_IN_FILE) || !path.is_file() {
                continue;
            }
            let bytes = files::read_small(&path)?;
            // A truststore is full of certificates that are nobody's here.
            if read::is_store(&bytes) {
                continue;
            }
            if let Ok(all) = read::certificates(&bytes, None) {
                found.extend(all.into_iter().map(|certificate| (path.clone(), certificate)));
            }
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

impl Pki {
    /// Takes over what a CA of the directory did before. Run again, it adds what is missing.
    pub fn adopt(
        &mut self,
        ca: &Ca,
        history: &History,
        batch: &str,
        now: OffsetDateTime,
    ) -> Result<Adopted> {
        let _lock = Lock::wait(&self.lock_path())?;
        let adopted = self.registry.adopt(&history.adoption(ca, None, batch), now)?;
        if let Some(list) = &history.list {
            let here = match ca.list_in_folder()? {
                Some(Ok(here)) => number_of(&here).unwrap_or(0),
                Some(Err(_)) | None => 0,
            };
            if number_of(list).unwrap_or(0) > here || !ca.list_path().exists() {
                ca.keep_list(list)?;
            }
        }
        Ok(adopted)
    }

    /// Records a CA whose directory is in the making, and what it did, in one transaction. From then on the
    /// directory is put in its place, by this run or when the PKI directory is opened next.
    pub(super) fn adopt_new(
        &mut self,
        ca: &Ca,
        history: &History,
        own: Option<NewRecord>,
        now: OffsetDateTime,
    ) -> Result<Adopted> {
        if let Some(list) = &history.list {
            ca.keep_list(list)?;
        }
        // The marker says: once the certificate is recorded, so is the history.
        if own.is_some() {
            let marker = ca.dir.join(ADOPTING);
            files::write(&marker, b"", files::Access::Public, files::Existing::Replace)?;
        }
        let batch = own_batch(&ca.name);
        Ok(self.registry.adopt(&history.adoption(ca, own, &batch), now)?)
    }

    /// Puts directories of CAs in their place whose taking over was recorded before it was stopped.
    pub(super) fn settle_adoptions(&self) -> Result<()> {
        let mut lock = None;
        for dir in files::list_dir(&self.dir.join("ca"))? {
            let file = dir.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            let Some(name) = file.strip_prefix(IN_THE_MAKING) else { continue };
            if !dir.join(ADOPTING).exists() {
                continue;
            }
            // The process that is taking it in holds it; when it is free, the directory is in its place or left over.
            if lock.is_none() {
                lock = Some(Lock::wait(&self.lock_path())?);
            }
            let place = self.ca_dir(name);
            if !dir.join(ADOPTING).exists() || place.exists() {
                continue;
            }
            let ca = super::load(name.to_owned(), dir.clone())?;
            if self.registry.has(ca.certificate())? {
                files::rename(&dir, &place)?;
                let marker = place.join(ADOPTING);
                files::remove_file(&marker)?;
            }
        }
        Ok(())
    }
}

/// The name of the run that takes in a CA.
pub(super) fn own_batch(name: &str) -> String {
    format!("ca {name}")
}
