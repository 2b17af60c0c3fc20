//! What decrypting may cost: a file names its own iteration counts.
//!
//! Every count is checked before it is spent, singly and in sum, inside encrypted parts too.
//! Refused: counts beyond [`MAX_ITERATIONS`], scrypt beyond that of key files.

use super::super::StoreError;
use super::unsupported;
use crate::key::pbe::{Cost, Encryption};
use crate::key::read::{MAX_SCRYPT_MEMORY, MAX_SCRYPT_PARALLEL, scrypt_memory};

/// The largest iteration count that is accepted. The largest default of any writer is 600000 (NSS,
/// GnuTLS).
pub const MAX_ITERATIONS: u32 = 1_000_000;

/// Checks an iteration count.
pub(super) fn check_iterations(found: u64, what: &'static str) -> Result<u32, StoreError> {
    match u32::try_from(found) {
        Ok(count @ 1..=MAX_ITERATIONS) => Ok(count),
        _ => Err(StoreError::Iterations { what, found, max: MAX_ITERATIONS }),
    }
}

/// What may still be spent on one file: it can hold any number of keys, each as costly as allowed.
pub(super) struct Budget(u64);

impl Budget {
    /// For a hundred of the costliest keys.
    const TOTAL: u32 = 100 * MAX_ITERATIONS;

    pub(super) fn new() -> Self {
        Self(u64::from(Self::TOTAL))
    }

    /// Takes off what decrypting once costs.
    pub(super) fn spend(&mut self, encryption: &Encryption) -> Result<(), StoreError> {
        let Some(left) = self.0.checked_sub(cost_of(encryption)?) else {
            let (what, found) = ("all of the PKCS#12 store", u64::from(Self::TOTAL) + 1);
            return Err(StoreError::Iterations { what, found, max: Self::TOTAL });
        };
        self.0 = left;
        Ok(())
    }
}

/// In iterations; 64 bytes of scrypt cost about as much as one of PBKDF2.
pub(super) fn cost_of(encryption: &Encryption) -> Result<u64, StoreError> {
    match encryption.cost() {
        Cost::Iterations(found) => {
            Ok(check_iterations(found, "the encryption of the PKCS#12 store")?.into())
        }
        Cost::Scrypt { n, r, p } => {
            let bytes = scrypt_memory(n, r);
            if bytes > MAX_SCRYPT_MEMORY || p > MAX_SCRYPT_PARALLEL {
                let what = format!(
                    "scrypt of more than {} MiB or {MAX_SCRYPT_PARALLEL} times",
                    MAX_SCRYPT_MEMORY >> 20
                );
                return Err(unsupported(what));
            }
            Ok((bytes / 64 * u64::from(p)).max(1))
        }
    }
}
