//! PKCS#12 (RFC 7292), the keystore format of everybody.
//!
//! Reading takes what OpenSSL, keytool, GnuTLS, NSS and Python write; writing makes what all of
//! them read. The crate `p12-keystore` decrypts and parses the bags. Ours is what it cannot do:
//!
//! * BER: it reads DER only, and NSS writes BER. So a file is taken apart and handed over in DER.
//! * The MAC: a missing one is refused, GnuTLS's null password is tried beside the empty one, and
//!   a wrong password is told from a changed file.
//! * Costs: iteration counts and scrypt are checked before they are spent, one by one and in sum.
//! * One PFX for each bag that is in sight, so that a key may have its own password.
//! * Chains, aliases and entries, and all of writing: the crate's writer cannot put the alias on
//!   the leaf certificate, where OpenSSL and NSS look for it.
//!
//! Refused: public-key modes, PBMAC1, absurd iteration counts; on writing, passwords that Java
//! cannot take and keys with a password of their own, as one password covers the file for Java and
//! OpenSSL alike.
//!
//! # Limitations
//!
//! * Of the encryptions of RFC 7292 the crate knows 3DES of three keys and RC2 of 40 bits, those
//!   that are in use. It derives them from text: not from the null password, nor from signs
//!   beyond Unicode's first plane. PBES2 has neither bound.
//! * Inside an encrypted part it reads DER alone, which all of these tools write there, and passes
//!   over bags that it does not know and secret keys that it cannot open or that have no
//!   localKeyID. A key that is encrypted once more in there has to have the store's password, and
//!   counts by the crate's own bound of a million iterations, not in the sum: only who encrypted
//!   the part, and so knows the password, can place one.
//! * Keys have to be PKCS#8 that it can parse; one that is not encrypted, of version 1.
//! * A changed file of one encrypted part that no longer parses looks like a wrong password.
//! * It does not wipe its copies of keys from memory.

mod cost;
mod oid;
mod part;
mod pbe;
mod read;
mod write;

pub use cost::MAX_ITERATIONS;
pub use write::Derived;
pub(super) use write::write;

use super::ber::{self, BerError};
use super::link::link;
use super::{EntryKind, Format, OpenOptions, Store, StoreError};

/// Iterations for each of certificates, keys and MAC, unless asked otherwise: Java 17's default,
/// which every reader accepts. A device opens its keystore at every start, often on a slow
/// processor; more iterations protect weak passwords only, and ours can be random.
pub const DEFAULT_ITERATIONS: u32 = 10_000;

/// Whom a file is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compat {
    /// PBES2 with PBKDF2-HMAC-SHA256 and AES-256-CBC, MAC with HMAC-SHA256: Java from 8u301,
    /// and every OpenSSL, GnuTLS and NSS that is still looked after.
    #[default]
    Modern,
    /// Triple DES and a MAC with HMAC-SHA1 (RFC 7292, appendix C): any reader, of weaker
    /// protection.
    Legacy,
}

/// Algorithms and cost of a PKCS#12 file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pkcs12Options {
    /// Whom it is for.
    pub compat: Compat,
    /// Iterations of the key derivation for certificates and for each key; 1 to
    /// [`MAX_ITERATIONS`].
    pub encryption_iterations: u32,
    /// Iterations of the key derivation for the MAC; 1 to [`MAX_ITERATIONS`]. Fewer than for the
    /// encryption would let passwords be guessed at the MAC.
    pub mac_iterations: u32,
    /// Whether certificates stay unencrypted, which are public anyway. The MAC covers them.
    pub plain_certificates: bool,
}

impl Default for Pkcs12Options {
    fn default() -> Self {
        Self {
            compat: Compat::default(),
            encryption_iterations: DEFAULT_ITERATIONS,
            mac_iterations: DEFAULT_ITERATIONS,
            plain_certificates: false,
        }
    }
}

fn damaged(what: impl Into<String>) -> StoreError {
    StoreError::Damaged { format: Format::Pkcs12, what: what.into() }
}

fn unsupported(what: String) -> StoreError {
    StoreError::Unsupported { format: Format::Pkcs12, what }
}

/// Of the stores PKCS#12 alone is BER.
impl From<BerError> for StoreError {
    fn from(e: BerError) -> Self {
        match e {
            BerError::Truncated { what, needed, left } => {
                Self::Truncated { format: Format::Pkcs12, what, needed, left }
            }
            BerError::Damaged(what) => damaged(what),
        }
    }
}

/// Opens a file.
pub(super) fn open(bytes: &[u8], options: OpenOptions<'_>) -> Result<Store, StoreError> {
    let bags = read::read(bytes, options)?;
    let mut entries = link(bags.keys, &bags.certificates);
    for (alias, algorithm) in bags.secrets {
        let alias = alias.unwrap_or_else(|| "secret".to_owned());
        entries.push(&alias, None, EntryKind::SecretKey { algorithm });
    }
    Ok(entries.finish())
}

#[cfg(test)]
mod tests;
