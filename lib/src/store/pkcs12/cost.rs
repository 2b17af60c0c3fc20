//! What decrypting may cost: a file names its own iteration counts.
//!
//! Every count that is in sight is checked before a part is handed over, singly and in sum.
//! Refused: counts beyond [`MAX_ITERATIONS`], scrypt beyond that of key files, and every encryption but those
//! that `p12-keystore` knows.

use pkcs8::der::Decode;
use pkcs8::pkcs5::pbes2;

use super::super::StoreError;
use super::ber::{Element, Reader, dotted};
use super::{oid, unsupported};
use crate::key::read::{MAX_SCRYPT_MEMORY, MAX_SCRYPT_PARALLEL, scrypt_memory};

/// The largest iteration count that is accepted: that of `p12-keystore`. The largest default of
/// any writer is 600000 (NSS, GnuTLS).
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
        let Some(left) = self.0.checked_sub(encryption.cost) else {
            let (what, found) = ("all of the PKCS#12 store", u64::from(Self::TOTAL) + 1);
            return Err(StoreError::Iterations { what, found, max: Self::TOTAL });
        };
        self.0 = left;
        Ok(())
    }
}

/// How a part is encrypted, as far as it matters before it is decrypted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Encryption {
    /// In iterations.
    pub(super) cost: u64,
    /// Whether the key comes from the derivation of RFC 7292 and not from PBES2.
    pub(super) legacy: bool,
}

impl Encryption {
    /// Checks an AlgorithmIdentifier.
    pub(super) fn check(algorithm: Element<'_>) -> Result<Self, StoreError> {
        const WHAT: &str = "the encryption of the PKCS#12 store";
        let mut algorithm = Reader::new(algorithm.contents);
        let id = algorithm.oid("an encryption algorithm")?;
        match id {
            oid::PBES2 => {
                let parameters = algorithm.any("the parameters of PBES2")?.to_der()?;
                let cost = match pbes2::Parameters::from_der(&parameters).map(|p| p.kdf) {
                    Ok(pbes2::Kdf::Pbkdf2(kdf)) => {
                        check_iterations(u64::from(kdf.iteration_count), WHAT)?.into()
                    }
                    Ok(pbes2::Kdf::Scrypt(kdf)) => scrypt_cost(&kdf)?,
                    _ => {
                        let what = format!("PBES2 with {}", name_pbes2(&parameters)?);
                        return Err(unsupported(what));
                    }
                };
                Ok(Self { cost, legacy: false })
            }
            oid::PBE_SHA1_3DES | oid::PBE_SHA1_RC2_40 => {
                let mut parameters = algorithm.sequence("the parameters of an encryption")?;
                parameters.octets("a salt")?;
                let count = parameters.uint("an iteration count")?;
                Ok(Self { cost: check_iterations(count, WHAT)?.into(), legacy: true })
            }
            other => Err(unsupported(format!("the encryption {}", dotted(other)))),
        }
    }
}

/// 64 octets cost about as much as an iteration of PBKDF2.
fn scrypt_cost(kdf: &pbes2::ScryptParams) -> Result<u64, StoreError> {
    let octets = scrypt_memory(kdf.cost_parameter, kdf.block_size);
    if octets > MAX_SCRYPT_MEMORY || kdf.parallelization > MAX_SCRYPT_PARALLEL {
        let what = format!(
            "scrypt of more than {} MiB or {MAX_SCRYPT_PARALLEL} times",
            MAX_SCRYPT_MEMORY >> 20
        );
        return Err(unsupported(what));
    }
    Ok((octets / 64 * u64::from(kdf.parallelization)).max(1))
}

/// Names the two algorithms of PBES2 parameters that are beyond us.
fn name_pbes2(parameters: &[u8]) -> Result<String, StoreError> {
    let mut parts = Reader::new(parameters).sequence("the parameters of PBES2")?;
    let kdf = parts.sequence("the key derivation of PBES2")?.oid("a key derivation")?;
    let cipher = parts.sequence("the cipher of PBES2")?.oid("a cipher")?;
    Ok(format!("key derivation {} and cipher {}", dotted(kdf), dotted(cipher)))
}
