//! PKCS#12 (RFC 7292), the keystore format of everybody.
//!
//! Reading takes what OpenSSL, keytool, GnuTLS, NSS, Windows and Python write, in DER and BER;
//! writing makes what all of them read. Parts and bags are decrypted where they stand, by the same
//! code as private keys; its table says with what.
//!
//! * The MAC: HMAC with MD5, SHA-1, SHA-2, SHA-3 or BLAKE2, or PBMAC1 (RFC 9579). A missing one is
//!   refused unless asked for, and a wrong password is told from a changed file.
//! * Passwords: the empty one and none at all are tried both, and of a text beyond ASCII also
//!   the bytes that OpenSSL took before 1.1.0. A key may have its own password.
//! * Costs: iteration counts and scrypt are checked before they are spent, one by one and in sum.
//!
//! Refused by name: encryption to a public key, a signature in place of a MAC, ciphers and hashes
//! that are not in the tables, absurd iteration counts; on writing, passwords that Java cannot take
//! and keys with a password of their own, as one password covers the file for Java and OpenSSL alike.
//!
//! The crate `p12-keystore` is the second reader: [`confirm`] opens with it what `store create` and `store add`
//! have written before it goes out, and in tests each reads what the other writes. It does not read stores of
//! others, since it opens a whole file or nothing, in DER alone, with three encryptions.
//!
//! # Limitations
//!
//! * Bags of unknown types and revocation lists are passed over.
//! * Secret keys are listed, not read.
//! * Line ends, blanks and zeros after the end are passed over, other bytes are refused.

mod bags;
mod cost;
mod mac;
mod oid;
mod peer;
mod read;
mod write;

pub use cost::MAX_ITERATIONS;
pub use peer::confirm;
pub use write::Derived;
pub(super) use write::write;

use super::link::link;
use super::{EntryKind, Format, OpenOptions, Store, StoreError};
use crate::ber::{self, BerError};
use crate::key::pbe::PbeError;

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
    /// Whether the MAC is PBMAC1 (RFC 9579), with PBKDF2 and HMAC of SHA-256: for Java in FIPS mode and
    /// OpenSSL from 3.4. Java before 24, and OpenSSL before 3.4, cannot check it.
    pub pbmac1: bool,
}

impl Default for Pkcs12Options {
    fn default() -> Self {
        Self {
            compat: Compat::default(),
            encryption_iterations: DEFAULT_ITERATIONS,
            mac_iterations: DEFAULT_ITERATIONS,
            plain_certificates: false,
            pbmac1: false,
        }
    }
}

fn damaged(what: impl Into<String>) -> StoreError {
    StoreError::Damaged { format: Format::Pkcs12, what: what.into() }
}

fn unsupported(what: String) -> StoreError {
    StoreError::Unsupported { format: Format::Pkcs12, what }
}

/// What the encryption of a part or bag is refused for.
fn refused(error: PbeError) -> StoreError {
    match error {
        PbeError::Unsupported(what) => unsupported(what),
        PbeError::Malformed(error) => error.into(),
    }
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

/// Whether bytes begin as a PFX: a SEQUENCE of version 3 and a SEQUENCE.
pub(super) fn begins(bytes: &[u8]) -> bool {
    // It may be cut off: then the reader of the whole file says so.
    ber::first_contents(bytes).is_some_and(|rest| rest.starts_with(&[0x02, 0x01, 0x03, 0x30]))
        && bytes[0] == ber::SEQUENCE
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
