//! Which certificates are for a key: one that another live device, a CA or a revoked certificate has is not
//! certified again, and one that is compromised takes all its certificates with it.
//!
//! The column `key` has the first 16 bytes of the SHA-256 of a certificate's SubjectPublicKeyInfo. They are
//! as random as serial numbers, so they are kept and looked for as those are: behind the audit row of their
//! chunk. What is found is compared with the key itself.
//!
//! Who looks does so before the certificate is made; in the transaction that records it, what others have
//! recorded in the meantime is looked at again.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::database::Session;
use super::hashes::{KeyStart, key_start};
use super::query::records;
use super::{Holder, NewRecord, Record, Registry, RegistryError, Result, Status, audit};
use crate::cert::spki_of;
use crate::crl::Reason;
use crate::crypto::{PublicKey, sha256};

/// From how many keys on the whole index is read once: for each single key every chunk is looked at, which
/// costs about what reading some hundred entries does.
const MANY: usize = 64;

/// The certificates of many keys, by the SHA-256 of the SubjectPublicKeyInfo.
#[derive(Debug, Clone, Default)]
pub struct KeyHolders(HashMap<[u8; 32], Vec<Record>>);

impl KeyHolders {
    /// Those of a key, in the order in which they were recorded.
    pub fn of(&self, spki: &[u8]) -> &[Record] {
        self.0.get(&sha256(spki)).map_or(&[], Vec::as_slice)
    }

    /// All of them, each certificate once, in the order in which they were recorded.
    pub fn into_records(self) -> Vec<Record> {
        let mut records: Vec<Record> = self.0.into_values().flatten().collect();
        records.sort_by_key(|record| record.row);
        records
    }

    fn add(&mut self, wanted: &[u8; 32], records: Vec<Record>) {
        let same = |record: &Record| spki_of(&record.der).is_some_and(|own| sha256(own) == *wanted);
        let found: Vec<Record> = records.into_iter().filter(same).collect();
        if !found.is_empty() {
            self.0.entry(*wanted).or_default().extend(found);
        }
    }
}

impl Record {
    /// Whose it is, for messages: `the device "gw-1"`, `the CA CN=Line 7`.
    pub fn whose(&self) -> String {
        match (&self.holder, self.certificate()) {
            (Holder::Device(id), _) => format!("the device {:?}", id.as_str()),
            (Holder::Server(name), _) => format!("the server {:?}", name.as_str()),
            (Holder::Ca, Ok(certificate)) => format!("the CA {}", certificate.subject),
            (Holder::Ca, Err(_)) => format!("a CA below {}", self.ca),
        }
    }

    /// Whether its key must not be certified for that holder.
    ///
    /// A device's or server's own certificates do not count against it, unless one was revoked for another reason
    /// than that a new one took its place.
    pub(crate) fn keeps_key_from(&self, holder: &Holder) -> bool {
        let other = holder.folded();
        let is_own = self.holder.folded() == other;
        match (self.status, self.revoked, other) {
            (Status::Revoked, Some((_, Reason::Superseded)), _) if is_own => false,
            (Status::Revoked, ..) => true,
            // CAs are made one after the other, and looked at before.
            (_, _, None) => !is_own,
            (Status::Live, ..) => !is_own,
            (Status::Superseded, ..) => self.holder == Holder::Ca,
        }
    }
}

impl NewRecord {
    /// Whose it is, for messages.
    fn whose(&self) -> String {
        match &self.holder {
            Holder::Device(id) => format!("the device {:?}", id.as_str()),
            Holder::Server(name) => format!("the server {:?}", name.as_str()),
            Holder::Ca => "the new CA".to_owned(),
        }
    }
}

impl Registry {
    /// All certificates for a key, given as the DER of its SubjectPublicKeyInfo, in any state, of devices
    /// and of CAs, in the order in which they were recorded.
    pub fn with_key(&self, spki: &[u8]) -> Result<Vec<Record>> {
        let holders = self.with_keys([spki])?;
        Ok(holders.into_records())
    }

    /// The same for many keys: the time grows with the registry or with the keys, not with both.
    pub fn with_keys<'a>(&self, spkis: impl IntoIterator<Item = &'a [u8]>) -> Result<KeyHolders> {
        let wanted = spkis.into_iter().map(sha256).collect();
        holders(&self.session()?, &wanted)
    }

    /// From where on a run, which looks its keys up now, is to hold them against what others record.
    pub(crate) fn newcomers(&self) -> Result<Newcomers> {
        let (seen, _) = audit::head(&self.session()?)?;
        Ok(Newcomers(Mutex::new(Certified { seen, keys: HashMap::new() })))
    }

    /// The same with all keys that were ever certified: 100 to 150 bytes of memory each.
    pub(crate) fn all_certified(&self) -> Result<Newcomers> {
        let (seen, _) = audit::head(&self.session()?)?;
        let mut keys: HashMap<KeyStart, Vec<i64>> = HashMap::new();
        each_key(&self.session()?, |id, key| {
            if let Ok(key) = KeyStart::try_from(key) {
                keys.entry(key).or_default().push(id);
            }
        })?;
        Ok(Newcomers(Mutex::new(Certified { seen, keys })))
    }

    /// All certificates for a key, by the keys that are known and those that others have had certified since.
    pub(crate) fn holders(&self, known: &Newcomers, key: &PublicKey) -> Result<KeyHolders> {
        let (session, mut holders) = (self.session()?, KeyHolders::default());
        known.update(&session, "")?;
        known.find(&session, &sha256(key.spki()), &mut holders)?;
        Ok(holders)
    }

    /// The shortened digests of all keys that were ever certified, for a run that holds keys of its own
    /// against them: some 20 bytes of memory each.
    pub(crate) fn certified_keys(&self) -> Result<HashSet<KeyStart>> {
        let mut keys = HashSet::new();
        each_key(&self.session()?, |_, key| keys.extend(KeyStart::try_from(key)))?;
        Ok(keys)
    }
}

/// The certificates of keys, given as the SHA-256 of each SubjectPublicKeyInfo.
fn holders(session: &Session<'_>, wanted: &HashSet<[u8; 32]>) -> Result<KeyHolders> {
    let mut holders = KeyHolders::default();
    if wanted.len() < MANY {
        for digest in wanted {
            holders.add(digest, of_start(session, &key_start(digest))?);
        }
        return Ok(holders);
    }
    let by_start: HashMap<KeyStart, &[u8; 32]> =
        wanted.iter().map(|digest| (key_start(digest), digest)).collect();
    let mut hits = Vec::new();
    each_key(session, |id, key| {
        if let Some(digest) = by_start.get(key) {
            hits.push((id, **digest));
        }
    })?;
    hits.sort_unstable();
    for (id, digest) in hits {
        holders.add(&digest, of_row(session, id)?);
    }
    Ok(holders)
}

fn of_start(session: &Session<'_>, start: &KeyStart) -> Result<Vec<Record>> {
    records(session, &format!("WHERE {} ?1 ORDER BY id", session.of_key()), values![start])
}

fn of_row(session: &Session<'_>, id: i64) -> Result<Vec<Record>> {
    records(session, "WHERE id = ?1", values![id])
}

/// Reads the index, which is small, from one end to the other.
fn each_key(session: &Session<'_>, mut visit: impl FnMut(i64, &[u8])) -> Result<()> {
    let sql = format!("SELECT id, key FROM {}", session.by_key());
    session.each(&sql, values![], |row| {
        visit(row.get(0)?, row.blob(1)?);
        Ok(())
    })
}

/// The keys that others have had certified since a run has looked up who has its own: some 50 bytes of memory
/// each. What the run records itself is passed over.
///
/// Threads can share it: what one has looked at, the others need not.
#[derive(Debug)]
pub(crate) struct Newcomers(Mutex<Certified>);

#[derive(Debug)]
struct Certified {
    /// The last row of the audit log that was looked at.
    seen: i64,
    /// Their rows, by their keys.
    keys: HashMap<KeyStart, Vec<i64>>,
}

impl Newcomers {
    /// Adds what they have of a key.
    fn find(
        &self,
        session: &Session<'_>,
        digest: &[u8; 32],
        holders: &mut KeyHolders,
    ) -> Result<()> {
        let rows = self.lock().keys.get(&key_start(digest)).cloned();
        for id in rows.into_iter().flatten() {
            holders.add(digest, of_row(session, id)?);
        }
        Ok(())
    }

    /// Looks at what was recorded since the last time. `own` is the name of the run. To be asked before the
    /// audit log is written to: a row that is taken back would be taken for seen.
    pub(super) fn update(&self, session: &Session<'_>, own: &str) -> Result<()> {
        let mut certified = self.lock();
        let log = "SELECT sequence, detail FROM audit WHERE sequence > ?1 ORDER BY 1";
        let new = session.all(log, values![certified.seen], |entry| {
            let detail = entry.text(1)?;
            let detail: serde_json::Value = serde_json::from_str(detail).unwrap_or_default();
            Ok((entry.get::<i64>(0)?, detail["batch"] == own))
        })?;
        let of_chunk = format!("SELECT id, key FROM {} WHERE audit = ?1", session.by_key());
        for (sequence, is_own) in new {
            let keys = match is_own {
                true => Vec::new(),
                false => session.all(&of_chunk, values![sequence], |row| {
                    Ok((row.get(0)?, KeyStart::try_from(row.blob(1)?)))
                })?,
            };
            for (id, key) in keys {
                // Another key has none of this length.
                let Ok(key) = key else { continue };
                certified.keys.entry(key).or_default().push(id);
            }
            certified.seen = sequence;
        }
        Ok(())
    }

    /// What a thread that panicked has left is whole: rows are added one after the other.
    fn lock(&self) -> MutexGuard<'_, Certified> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In the transaction that records them: refuses certificates for keys from outside that somebody else has by
/// now. Everything is looked up, or, for a run that has done so, the `newcomers`.
pub(super) fn check_free(
    session: &Session<'_>,
    new: &[&NewRecord],
    newcomers: Option<&Newcomers>,
) -> Result<()> {
    let mut seen: HashMap<&[u8; 32], &NewRecord> = HashMap::new();
    for record in new.iter().filter(|record| record.key_from_outside) {
        let digest = &record.certificate.key_digest;
        let (start, taken) = (key_start(digest), |other| taken(record, other));
        if let Some(other) = seen.insert(digest, record) {
            return Err(taken(other.whose()));
        }
        let mut holders = KeyHolders::default();
        match newcomers {
            None => holders.add(digest, of_start(session, &start)?),
            Some(newcomers) => {
                newcomers.find(session, digest, &mut holders)?;
            }
        }
        let holders = holders.into_records();
        if let Some(other) = holders.iter().find(|other| other.keeps_key_from(&record.holder)) {
            return Err(taken(other.whose()));
        }
    }
    Ok(())
}

fn taken(record: &NewRecord, other: String) -> RegistryError {
    RegistryError::KeyTaken { holder: record.whose(), other }
}

/// In the transaction that revokes certificates as their keys are compromised: [`RegistryError::Conflict`] if
/// another one has such a key by now, which is not among them.
pub(super) fn check_all_of_keys(
    session: &Session<'_>,
    path: &Path,
    revoked: &[Record],
) -> Result<()> {
    let digest = |record: &Record| {
        let unreadable = || format!("the certificate {} cannot be read", record.serial);
        let spki =
            spki_of(&record.der).ok_or_else(|| RegistryError::damaged(path, unreadable()))?;
        Ok(sha256(spki))
    };
    let wanted = revoked.iter().map(digest).collect::<Result<HashSet<_>>>()?;
    let rows: HashSet<_> = revoked.iter().map(|record| record.row).collect();
    let holders = holders(session, &wanted)?;
    let is_left = |r: &Record| r.status != Status::Revoked && !rows.contains(&r.row);
    match holders.into_records().iter().any(is_left) {
        true => Err(RegistryError::Conflict),
        false => Ok(()),
    }
}

/// Whether a row's digest of a key is that of its certificate's. One that cannot be read is found elsewhere.
pub(super) fn fits(key: &[u8], der: &[u8]) -> bool {
    spki_of(der).is_none_or(|spki| key_start(&sha256(spki)) == key)
}
