//! Private keys: made, read, written, and signing.
//!
//! [`PrivateKey::generate`] makes one of each [`KeyType`]. [`PrivateKey::read`] takes every form
//! that users of OpenSSL, GnuTLS and keytool have; [`read`] lists them. Keys are written as PKCS#8
//! ([`PrivateKey::to_pem`], [`PrivateKey::to_encrypted_pem`]): PBES2 with AES-256-CBC and
//! PBKDF2-HMAC-SHA256 (RFC 8018), which every OpenSSL since 1.0 reads.
//!
//! Refused: RSA below 2048 bits, DSA, curves with explicit parameters, encrypted keys whose key
//! derivation would take minutes or gigabytes.

mod legacy;
pub(crate) mod pbe;
mod pbes2;
pub mod pkcs11;
pub mod read;
pub mod signer;

use std::fmt;

pub use pbes2::Pbes2Key;

use crate::cert::pem_text;
use crate::crypto::{CryptoError, KeyAlgorithm, KeyPair, KeyType, PublicKey, RsaKeys};
use crate::failure::{Failure, Fault, Hint, Task};
use crate::secret::{Password, SecretBytes};

/// PBKDF2 iterations for keys that protect a CA (OWASP's figure for HMAC-SHA256).
pub const CA_ITERATIONS: u32 = 600_000;

/// Why a key could not be made, read or written.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// The key is encrypted and no password was given.
    #[error("the private key is encrypted, but no password was given")]
    NeedsPassword,
    /// The password does not open the key.
    #[error("the password does not open the private key, or the key is damaged")]
    WrongPassword,
    /// There is no private key in it.
    #[error("there is no private key in it, only {found}")]
    NoKey {
        /// What is there instead.
        found: String,
    },
    /// A form of key or encryption that is not read.
    #[error("this form of private key is not supported: {0}")]
    Unsupported(String),
    /// An EC key that spells its curve out.
    #[error("this form of private key is not supported: EC with explicit parameters")]
    UnnamedCurve,
    /// A key file of Windows.
    #[error("this form of private key is not supported: PVK, a key file of Windows")]
    Pvk,
    /// The encryption asks for absurd work.
    #[error("the key's encryption asks for {what}, more than the limit of {limit}")]
    TooCostly {
        /// What it asks for, with its unit.
        what: String,
        /// The most that is accepted.
        limit: String,
    },
    /// Bytes that are not what they claim to be.
    #[error("the private key is damaged: {0}")]
    Damaged(&'static str),
    /// The backend refuses it.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl Failure for KeyError {
    fn fault(&self) -> Fault {
        match self {
            Self::Crypto(e) => e.fault(),
            Self::NeedsPassword
            | Self::WrongPassword
            | Self::NoKey { .. }
            | Self::Unsupported(_)
            | Self::UnnamedCurve
            | Self::Pvk
            | Self::TooCostly { .. }
            | Self::Damaged(_) => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::WrongPassword => {
                Some("give the password with which it was encrypted; of a file its first line counts, with all spaces".into())
            }
            Self::NoKey { found } if found.contains("CERTIFICATE") => {
                Some(Hint::run("see the certificate", Task::ShowFile))
            }
            Self::Unsupported(what) if what.starts_with("its encryption is") => Some(
                "encrypt it again: openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out NEW".into(),
            ),
            Self::NeedsPassword => Some("give its password file".into()),
            Self::Pvk => Some(
                "convert it: openssl rsa -provider legacy -provider default -inform PVK -in KEY.pvk \
                 -out KEY.pem"
                    .into(),
            ),
            Self::UnnamedCurve => Some(
                "name the curve: openssl ec -in KEY -param_enc named_curve -out NEW".into(),
            ),
            Self::Crypto(e) => e.hint(),
            _ => None,
        }
    }
}

/// A private key: its PKCS#8 and the backend's handle to sign with.
pub struct PrivateKey {
    pair: KeyPair,
    pkcs8: SecretBytes,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public_key().algorithm())
    }
}

impl PrivateKey {
    /// Makes a new key with randomness from the system's generator.
    pub fn generate(key_type: KeyType) -> Result<Self, KeyError> {
        let (pair, pkcs8) = KeyPair::generate(key_type)?;
        Ok(Self { pair, pkcs8 })
    }

    /// The same for the key of a CA: an RSA key is made by the crypto backend ([`RsaKeys::Backend`]).
    /// [`PrivateKey::generate`] is faster ([`RsaKeys::Own`]).
    ///
    /// [`CryptoError::RingRsa`] in a build with ring, which cannot make RSA keys.
    pub fn generate_for_ca(key_type: KeyType) -> Result<Self, KeyError> {
        let (pair, pkcs8) = KeyPair::generate_for_ca(key_type)?;
        Ok(Self { pair, pkcs8 })
    }

    /// The same, and an RSA key is made as `maker` says.
    ///
    /// [`CryptoError::RingRsa`] if that is the backend in a build with ring, which cannot make RSA keys.
    #[doc(hidden)]
    pub fn generate_by(key_type: KeyType, maker: RsaKeys) -> Result<Self, KeyError> {
        let (pair, pkcs8) = KeyPair::generate_by(key_type, maker)?;
        Ok(Self { pair, pkcs8 })
    }

    /// Reads the first private key in PEM or DER bytes; see [`read`] for the forms.
    pub fn read(bytes: &[u8], password: Option<&Password>) -> Result<Self, KeyError> {
        read::read(bytes, password)
    }

    /// Loads PKCS#8 that is not encrypted.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        read::from_pkcs8(der)
    }

    fn from_parts(pair: KeyPair, pkcs8: SecretBytes) -> Result<Self, KeyError> {
        pair.public().check_strength()?;
        Ok(Self { pair, pkcs8 })
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        self.pair.public()
    }

    /// PKCS#8 DER, version 1, not encrypted.
    pub fn pkcs8(&self) -> &SecretBytes {
        &self.pkcs8
    }

    /// PEM of the plain PKCS#8.
    pub fn to_pem(&self) -> SecretBytes {
        SecretBytes::new(pem_text("PRIVATE KEY", self.pkcs8.expose()))
    }

    /// PEM of the encrypted PKCS#8: PBES2, AES-256-CBC, PBKDF2-HMAC-SHA256 with `iterations`.
    pub fn to_encrypted_pem(
        &self,
        password: &Password,
        iterations: u32,
    ) -> Result<SecretBytes, KeyError> {
        Pbes2Key::new(password, iterations)?.seal(self)
    }

    /// The key's algorithm, for messages.
    #[doc(hidden)]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.public_key().algorithm()
    }
}
