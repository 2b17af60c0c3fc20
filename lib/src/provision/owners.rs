//! Whose key it is already: a device does not get a certificate for a key that a CA, another live device or a
//! revoked certificate has.

use std::collections::HashMap;

use super::error::Result;
use crate::authority::Ca;
use crate::crypto::sha256;
use crate::list::{Device, Fault};
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
    ) -> Result<Self> {
        let named = |ca: &Ca| (sha256(&ca.certificate().spki), format!("the CA {}", ca.name));
        Ok(Self { holders: registry.with_keys(spkis)?, cas: cas.iter().map(named).collect() })
    }

    /// Why a device must not have a key, and what to do about it.
    ///
    /// Its own certificates do not count against it, unless one was revoked for another reason than that a
    /// new one took its place.
    pub(super) fn refuse(&self, device: &Device, spki: &[u8]) -> Option<Fault> {
        if let Some(ca) = self.cas.get(&sha256(spki)) {
            return Some(shared(device, ca));
        }
        let keeps_it = |record: &&Record| record.keeps_key_from(Some(&device.id));
        self.holders.of(spki).iter().find(keeps_it).map(|record| match record.status {
            Status::Revoked => revoked(device, record),
            _ => shared(device, &record.whose()),
        })
    }
}

/// The fault of a device whose key is that of `owner` too.
pub(super) fn shared(device: &Device, owner: &str) -> Fault {
    let message = format!("the key of device id {:?} is that of {owner} too", device.id.as_str());
    Fault::of(device, message, Some("have each device make a key of its own".to_owned()))
}

fn revoked(device: &Device, record: &Record) -> Fault {
    let message = format!(
        "the key of device id {:?} belongs to a revoked certificate, {} of {}",
        device.id.as_str(),
        record.serial,
        record.whose()
    );
    let hint = "have the device make a new key, and a request with it";
    Fault::of(device, message, Some(hint.to_owned()))
}
