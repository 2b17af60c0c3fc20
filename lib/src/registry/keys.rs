//! Which certificates are for a key: one that another live device, a CA or a revoked certificate has is not
//! certified again, and one that is compromised takes all its certificates with it.
//!
//! The column `key` has the first 16 octets of the SHA-256 of a certificate's SubjectPublicKeyInfo. They are
//! as random as serial numbers, so they are kept and looked for as those are: behind the audit row of their
//! chunk. What is found is compared with the key itself.

use std::collections::{HashMap, HashSet};

use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::Record;
use super::sqlite::{Registry, Result};
use crate::cert::spki_of;
use crate::crypto::sha256;

/// Octets of a key's digest that are kept.
const KEPT: usize = 16;

/// The condition that a certificate is for a key, whose shortened digest follows as the value.
const OF_KEY: &str = "audit IN (SELECT sequence FROM audit) AND key =";

pub(super) const INDEX: &str = "
CREATE INDEX certificate_key ON certificate (audit, key);
";

/// From how many keys on the whole index is read once: for each single key every chunk is looked at, which
/// costs about what reading some hundred entries does.
const MANY: usize = 64;

/// Rows that a migration reads at a time.
const PORTION: i64 = 4096;

/// What the registry keeps of the SHA-256 of a SubjectPublicKeyInfo.
pub(crate) type KeyStart = [u8; KEPT];

/// The start of the SHA-256 of a SubjectPublicKeyInfo.
pub(crate) fn key_start(digest: &[u8; 32]) -> KeyStart {
    let mut start = [0; KEPT];
    start.copy_from_slice(&digest[..KEPT]);
    start
}

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
    pub fn holder(&self) -> String {
        match (&self.client_id, self.certificate()) {
            (Some(id), _) => format!("the device {id:?}"),
            (None, Ok(certificate)) => format!("the CA {}", certificate.subject),
            (None, Err(_)) => format!("a CA below {}", self.ca),
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
        let wanted: HashSet<[u8; 32]> = spkis.into_iter().map(sha256).collect();
        let mut holders = KeyHolders::default();
        if wanted.len() < MANY {
            for digest in &wanted {
                let value = vec![Value::from(key_start(digest).to_vec())];
                let records = self.collect(&format!("WHERE {OF_KEY} ? ORDER BY id"), value)?;
                holders.add(digest, records);
            }
            return Ok(holders);
        }
        let by_start: HashMap<KeyStart, &[u8; 32]> =
            wanted.iter().map(|digest| (key_start(digest), digest)).collect();
        let mut hits = Vec::new();
        self.each_key(|id, key| {
            if let Some(digest) = by_start.get(key) {
                hits.push((id, **digest));
            }
        })?;
        hits.sort_unstable();
        for (id, digest) in hits {
            holders.add(&digest, self.collect("WHERE id = ?", vec![Value::from(id)])?);
        }
        Ok(holders)
    }

    /// The shortened digests of all keys that were ever certified, for a run that holds keys of its own
    /// against them: some 20 octets of memory each.
    pub(crate) fn certified_keys(&self) -> Result<HashSet<KeyStart>> {
        let mut keys = HashSet::new();
        self.each_key(|_, key| keys.extend(KeyStart::try_from(key)))?;
        Ok(keys)
    }

    /// Reads the index, which is small, from one end to the other.
    fn each_key(&self, mut visit: impl FnMut(i64, &[u8])) -> Result<()> {
        let mut read = || -> rusqlite::Result<()> {
            let sql = "SELECT id, key FROM certificate INDEXED BY certificate_key";
            let mut query = self.connection.prepare_cached(sql)?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                visit(row.get(0)?, row.get_ref(1)?.as_blob()?);
            }
            Ok(())
        };
        read().map_err(|e| self.error(&e))
    }
}

/// Whether a row's digest of a key is that of its certificate's. One that cannot be read is found elsewhere.
pub(super) fn fits(key: &[u8], der: &[u8]) -> bool {
    spki_of(der).is_none_or(|spki| key_start(&sha256(spki)) == key)
}

/// Adds the column to a registry that has none, and fills it.
pub(super) fn add_column(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("ALTER TABLE certificate ADD COLUMN key BLOB NOT NULL DEFAULT x''")?;
    let mut select =
        connection.prepare("SELECT id, der FROM certificate WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let mut update = connection.prepare("UPDATE certificate SET key = ?1 WHERE id = ?2")?;
    let mut after = i64::MIN;
    loop {
        let mut keys = Vec::new();
        let mut rows = select.query(params![after, PORTION])?;
        while let Some(row) = rows.next()? {
            after = row.get(0)?;
            keys.push((after, spki_of(row.get_ref(1)?.as_blob()?).map(sha256)));
        }
        if keys.is_empty() {
            break;
        }
        for (id, digest) in keys {
            if let Some(digest) = digest {
                update.execute(params![key_start(&digest), id])?;
            }
        }
    }
    connection.execute_batch(INDEX)
}
