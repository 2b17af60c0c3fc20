//! Whose key it is already: a device does not get a certificate for a key that a CA, another live device or a
//! revoked certificate has.

use std::collections::HashMap;

use super::{Ca, RequestError};
use crate::client_id::DeviceId;
use crate::crypto::sha256;
use crate::registry::{Holder, KeyHolders, Record, Status};

/// Who has the keys that are to be certified.
pub(crate) struct KeyOwners {
    holders: KeyHolders,
    /// Names of the directory's CAs, by the SHA-256 of their keys.
    cas: HashMap<[u8; 32], String>,
}

impl KeyOwners {
    /// By what the registry has of the keys, and the CAs of the directory.
    pub(crate) fn new(holders: KeyHolders, cas: &[Ca]) -> Self {
        let named = |ca: &Ca| (sha256(&ca.certificate().spki), format!("the CA {}", ca.name));
        Self { holders, cas: cas.iter().map(named).collect() }
    }

    /// Why a device must not have a key, given as the DER of its SubjectPublicKeyInfo.
    ///
    /// Its own certificates do not count against it, unless one was revoked for another reason than that a
    /// new one took its place.
    pub(crate) fn refuse(&self, id: &DeviceId, spki: &[u8]) -> Option<RequestError> {
        let text = || id.as_str().to_owned();
        if let Some(ca) = self.cas.get(&sha256(spki)) {
            return Some(RequestError::SharedKey { id: text(), holder: ca.clone() });
        }
        let holder = Holder::Device(id.clone());
        let keeps_it = |record: &&Record| record.keeps_key_from(&holder);
        self.holders.of(spki).iter().find(keeps_it).map(|record| match record.status {
            Status::Revoked => RequestError::RevokedKey {
                id: text(),
                serial: record.serial.clone(),
                holder: record.whose(),
            },
            _ => RequestError::SharedKey { id: text(), holder: record.whose() },
        })
    }
}
