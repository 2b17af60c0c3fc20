//! PKCS#12 (RFC 7292), the keystore format of everybody.
//!
//! Reading takes what OpenSSL, keytool, GnuTLS, NSS and Python write: PBES2, the 3DES and RC2 of
//! RFC 7292, BER, certificates without names and keys without localKeyID. Writing makes what all of
//! them read. Refused: files without MAC unless asked for, public-key modes, PBMAC1, absurd
//! iteration counts; on writing, passwords that Java cannot take and keys with a password of their
//! own, as one password covers the file for Java and OpenSSL alike.
//!
//! The crate `p12-keystore` is not used: it cannot read BER (so nothing that NSS writes) nor the
//! null password of GnuTLS, and cannot put the alias on the leaf certificate.

mod ber;
mod oid;
mod pbe;
mod read;
mod write;

pub use pbe::MAX_ITERATIONS;
pub(super) use write::write;

use super::link::link;
use super::{EntryKind, OpenOptions, Store, StoreError};

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
}

impl Default for Pkcs12Options {
    fn default() -> Self {
        Self {
            compat: Compat::default(),
            encryption_iterations: DEFAULT_ITERATIONS,
            mac_iterations: DEFAULT_ITERATIONS,
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
