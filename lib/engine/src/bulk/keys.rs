//! Whose key it is already; the rule is [`KeyOwners`].

use super::BulkError;
use crate::authority::{Ca, KeyOwners, REVOKED_KEY, RequestError, SHARED_KEY};
use crate::client_id::DeviceId;
use crate::registry::Registry;

/// Who has the keys that a run is to certify.
pub(super) struct Owners(KeyOwners);

impl Owners {
    /// Looks all keys up at once, each the DER of a SubjectPublicKeyInfo.
    pub(super) fn of<'k>(
        registry: &Registry,
        cas: &[Ca],
        spkis: impl IntoIterator<Item = &'k [u8]>,
    ) -> Result<Self, BulkError> {
        Ok(Self(KeyOwners::new(registry.with_keys(spkis)?, cas)))
    }

    /// Why a device must not have a key, and what to do about it.
    pub(super) fn refuse(&self, id: &DeviceId, spki: &[u8]) -> Option<(String, &'static str)> {
        self.0.refuse(id, spki).map(|refused| match &refused {
            RequestError::RevokedKey { .. } => (refused.to_string(), REVOKED_KEY),
            _ => (refused.to_string(), SHARED_KEY),
        })
    }
}
