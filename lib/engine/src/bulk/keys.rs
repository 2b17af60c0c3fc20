//! Whose key it is already: a device does not get a certificate for a key that a CA, another live device or a
//! revoked certificate has.

use std::collections::HashMap;

use super::BulkError;
use crate::authority::Ca;
use crate::client_id::DeviceId;
use crate::crypto::sha256;
use crate::registry::{KeyHolders, Record, Registry, Status};

/// Who has the keys that a run is to certify.
pub(super) struct Owners {
    holders: KeyHolders,
    /// Names of the folder's CAs, by the SHA-256 of their keys.
    cas: HashMap<[u8; 32], String>,
}

impl Owners {
    /// Looks all keys up at once, each the DER of a SubjectPublicKeyInfo.
    pub(super) fn of<'k>(
        registry: &Registry,
        cas: &[Ca],
        spkis: impl IntoIterator<Item = &'k [u8]>,
    ) -> Result<Self, BulkError> {
        let named = |ca: &Ca| (sha256(&ca.certificate().spki), format!("the CA {}", ca.name));
        Ok(Self { holders: registry.with_keys(spkis)?, cas: cas.iter().map(named).collect() })
    }

    /// Why a device must not have a key, and what to do about it.
    ///
    /// Its own certificates do not count against it, unless one was revoked for another reason than that a
    /// new one took its place.
    pub(super) fn refuse(&self, id: &DeviceId, spki: &[u8]) -> Option<(String, &'static str)> {
        let text = id.as_str();
        if let Some(ca) = self.cas.get(&sha256(spki)) {
            return Some(shared(text, ca));
        }
        let folded = id.folded();
        let keeps_it = |record: &&Record| record.keeps_key_from(Some(&folded));
        self.holders.of(spki).iter().find(keeps_it).map(|record| match record.status {
            Status::Revoked => revoked(text, record),
            _ => shared(text, &record.holder()),
        })
    }
}

fn shared(id: &str, owner: &str) -> (String, &'static str) {
    let message = format!("the key of device id {id:?} is that of {owner} too");
    (message, "have each device make a key of its own")
}

fn revoked(id: &str, record: &Record) -> (String, &'static str) {
    let message = format!(
        "the key of device id {id:?} belongs to a revoked certificate, {} of {}",
        record.serial,
        record.holder()
    );
    (message, "have the device make a new key, and a request with it")
}
