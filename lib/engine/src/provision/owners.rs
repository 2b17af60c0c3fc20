//! Whose key it is already; the rule is [`KeyOwners`].

use super::error::Result;
use crate::failure::Failure;
use crate::list::{BadRow, Device};
use crate::pki::{Ca, KeyOwners, RequestError};
use crate::registry::Registry;

/// Who has the keys that a run is to certify.
pub(super) struct Owners(KeyOwners);

impl Owners {
    /// Looks all keys up at once, each the DER of a SubjectPublicKeyInfo.
    pub(super) fn of<'k>(
        registry: &Registry,
        cas: &[Ca],
        spkis: impl IntoIterator<Item = &'k [u8]>,
    ) -> Result<Self> {
        Ok(Self(KeyOwners::new(registry.with_keys(spkis)?, cas)))
    }

    /// Why a device must not have a key, and what to do about it.
    pub(super) fn refuse(&self, device: &Device, spki: &[u8]) -> Option<BadRow> {
        self.0.refuse(&device.id, spki).map(|refused| refusal(device, &refused))
    }
}

/// The fault of a device whose key is that of `owner` too.
pub(super) fn shared(device: &Device, owner: &str) -> BadRow {
    let (id, holder) = (device.id.to_string(), owner.to_owned());
    refusal(device, &RequestError::SharedKey { id, holder })
}

fn refusal(device: &Device, refused: &RequestError) -> BadRow {
    BadRow::of(device, refused.to_string(), refused.hint())
}
