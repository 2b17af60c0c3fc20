//! The one seam to the crypto backend: aws-lc-rs by default, ring as the other.
//!
//! Everything above this module speaks of [`KeyType`], [`PublicKey`], `KeyPair` and
//! [`SignatureAlgorithm`]; no other module names a backend. Algorithm identifiers are those of
//! RFC 3279, RFC 4055 (RSA), RFC 5758 (ECDSA), RFC 8410 (Ed25519) and RFC 9881 (ML-DSA, with the feature `ml-dsa`).
//!
//! Refused: RSA below 2048 bits, MD5 and SHA-1 signatures, curves other than P-256, P-384, P-521
//! and that of Ed25519. What is certified or taken in has to be no weak key either ([`WeakKey`]). ring does not
//! know P-521; asking for it there is [`CryptoError::Backend`]. RSA keys of devices are made by `rsa`, with
//! either backend, or by the backend itself ([`RsaKeys`]); those of CAs by the backend, which with ring is
//! [`CryptoError::RingRsa`].

use std::fmt;
use std::str::FromStr;

#[cfg(feature = "tls")]
mod alerts;
mod hash;
mod key_algorithm;
mod key_pair;
mod mac_hash;
mod ml_dsa;
mod p384;
mod pss;
mod public_key;
#[cfg(feature = "pkcs11")]
mod raw;
mod refused;
mod rsa;
mod rsa_numbers;
mod signature;
mod stream;
#[cfg(feature = "tls")]
mod tls_words;
mod verification;
mod verifier;
mod weak;

#[cfg(feature = "tls")]
#[doc(hidden)]
pub use alerts::{alert_name, alert_words};
pub use hash::Hash;
pub use key_algorithm::KeyAlgorithm;
#[doc(hidden)]
pub use key_pair::KeyPair;
pub(crate) use key_pair::ed25519_pkcs8;
pub(crate) use mac_hash::MacHash;
pub use ml_dsa::MlDsa;
pub use public_key::PublicKey;
#[cfg(feature = "pkcs11")]
pub(crate) use raw::ecdsa_to_der;
pub use signature::SignatureAlgorithm;
pub(crate) use signature::odd_parameters;
#[doc(hidden)]
pub use stream::{Sha256, hmac_sha256};
#[cfg(feature = "tls")]
#[doc(hidden)]
pub use tls_words::{
    certificate_words, has_no_common_version, is_full, is_of_a_ca, is_too_large, tls_reason,
    tls_words, too_large_words,
};
#[doc(hidden)]
pub use verifier::Verifier;
pub use weak::{KeyPolicy, MAX_RSA_BITS, WeakKey};

#[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
compile_error!("choose a crypto backend: the feature `aws-lc-rs` (default) or `ring`");

#[cfg(feature = "aws-lc-rs")]
use aws_lc_rs as backend;
#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
use ring as backend;

use backend::rand::SecureRandom;

use crate::failure::{Failure, Fault, Hint, Setting, Task, Underlying};
use crate::secret::Password;

/// The name of the crypto backend this build uses: `aws-lc-rs` or `ring`.
pub const BACKEND: &str = if cfg!(feature = "aws-lc-rs") { "aws-lc-rs" } else { "ring" };

/// Smallest RSA modulus that is accepted, in bits (NIST SP 800-131A; platform: "Device
/// certificates", 1024 bits are unsafe).
pub const MIN_RSA_BITS: u32 = 2048;

/// What to do when a token fails.
pub(crate) const TOKEN_LOST: &str =
    "is the token still there, and can it be reached? then run the same command again";

/// What can go wrong with keys and signatures.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CryptoError {
    /// The backend in this build lacks the algorithm.
    #[error("{what} is not available in the crypto backend {BACKEND}")]
    Backend {
        /// What was asked for.
        what: String,
    },
    /// A name that is not one of [`KeyType`]'s.
    #[error(
        "key type {0:?} is not one of rsa-2048, rsa-3072, rsa-4096, ec-p256, ec-p384, ec-p521, ed25519, ml-dsa-44, \
         ml-dsa-65, ml-dsa-87"
    )]
    UnknownKeyType(String),
    /// An algorithm identifier that we do not use.
    #[error("the algorithm {0} is not supported")]
    UnsupportedAlgorithm(String),
    /// An EC key whose curve is described by numbers, not by its name.
    #[error("the algorithm EC with explicit curve parameters is not supported")]
    ExplicitCurve,
    /// A signature made with a broken hash.
    #[error("the signature algorithm {0} is refused: its hash is broken")]
    WeakSignature(&'static str),
    /// An RSA modulus that is too short.
    #[error("an RSA key of {0} bits is refused: the minimum is {MIN_RSA_BITS}")]
    ShortRsa(u32),
    /// A key whose private half others can work out.
    #[error(transparent)]
    Weak(#[from] WeakKey),
    /// An RSA key that the backend is to make, in a build whose backend cannot.
    #[error(
        "a key of type {0} for a CA, or with rsa_keys = \"backend\", is made by the crypto backend, and {BACKEND} \
         cannot make RSA keys"
    )]
    RingRsa(KeyType),
    /// ML-DSA in a build without it.
    #[error(
        "{0} is not available in this build: it needs the feature ml-dsa and the crypto backend aws-lc-rs, and this \
         build has {instead}",
        instead = no_ml_dsa()
    )]
    NoMlDsa(MlDsa),
    /// Not a SubjectPublicKeyInfo, or a key in it that is not whole.
    #[error("the subject public key is damaged: {0}")]
    BadPublicKey(&'static str),
    /// An ML-DSA public key of another length than its parameter set has (FIPS 204, section 4, table 2).
    #[error(
        "the subject public key is damaged: an {set} key has {} bytes, and this one has {found}",
        set.public_len()
    )]
    MlDsaLength {
        /// The parameter set.
        set: MlDsa,
        /// Bytes of the key.
        found: usize,
    },
    /// Not a private key that the backend accepts.
    #[error("the private key is damaged or inconsistent ({0})")]
    BadPrivateKey(#[source] Underlying),
    /// A key that has no signature with SHA-256.
    #[error("a key of type {0} gives no signature with SHA-256")]
    NoSha256(KeyAlgorithm),
    /// The signature does not verify.
    #[error("the signature does not match")]
    BadSignature,
    /// A key in a token that did not sign.
    #[error("{0}")]
    Token(#[source] Underlying),
    /// The system's random generator or the backend failed.
    #[error("{0} failed in the crypto backend")]
    Failed(&'static str),
}

impl Failure for CryptoError {
    fn fault(&self) -> Fault {
        match self {
            Self::Failed(_) | Self::Token(_) => Fault::Environment,
            Self::Weak(weak) => weak.fault(),
            Self::Backend { .. }
            | Self::UnknownKeyType(_)
            | Self::UnsupportedAlgorithm(_)
            | Self::ExplicitCurve
            | Self::WeakSignature(_)
            | Self::ShortRsa(_)
            | Self::RingRsa(_)
            | Self::NoMlDsa(_)
            | Self::BadPublicKey(_)
            | Self::MlDsaLength { .. }
            | Self::BadPrivateKey(_)
            | Self::NoSha256(_)
            | Self::BadSignature => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Backend { .. } => {
                Some("use a build with the default backend aws-lc-rs".into())
            }
            Self::RingRsa(_) => Some(
                Hint::give("take an EC key", Setting::KeyType)
                    .then("or use a build with the default backend aws-lc-rs"),
            ),
            Self::NoMlDsa(_) => Some(
                "use a build with the backend aws-lc-rs and the feature ml-dsa, as the default build of the command \
                 line is"
                    .into(),
            ),
            Self::Weak(weak) => weak.hint(),
            Self::ExplicitCurve => Some(
                "write the key with the curve's name, and make the request with that: `openssl ec -in KEY \
                 -param_enc named_curve -out NEW-KEY`; a new one: `openssl ecparam -name prime256v1 -genkey \
                 -noout -out NEW-KEY`"
                    .into(),
            ),
            Self::NoSha256(_) => Some("the platform's proof wants an RSA or EC key".into()),
            Self::Token(_) => Some(TOKEN_LOST.into()),
            Self::ShortRsa(_) => {
                Some(Hint::run("make a new key", Task::NewKey { key_type: "rsa-2048" }))
            }
            _ => None,
        }
    }
}

/// What a build without ML-DSA has instead.
fn no_ml_dsa() -> &'static str {
    if cfg!(feature = "aws-lc-rs") { "not that feature" } else { "the crypto backend ring" }
}

/// The key types that can be generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// RSA, modulus of 2048 bits.
    Rsa2048,
    /// RSA, modulus of 3072 bits.
    Rsa3072,
    /// RSA, modulus of 4096 bits.
    Rsa4096,
    /// ECDSA on NIST P-256.
    EcP256,
    /// ECDSA on NIST P-384.
    EcP384,
    /// ECDSA on NIST P-521.
    EcP521,
    /// Ed25519.
    Ed25519,
    /// ML-DSA.
    MlDsa(MlDsa),
}

impl KeyType {
    /// All key types, in the order in which help texts list them.
    pub const ALL: [Self; 10] = [
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::EcP256,
        Self::EcP384,
        Self::EcP521,
        Self::Ed25519,
        Self::MlDsa(MlDsa::P44),
        Self::MlDsa(MlDsa::P65),
        Self::MlDsa(MlDsa::P87),
    ];

    /// The name on the command line and in profiles.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
            Self::Rsa4096 => "rsa-4096",
            Self::EcP256 => "ec-p256",
            Self::EcP384 => "ec-p384",
            Self::EcP521 => "ec-p521",
            Self::Ed25519 => "ed25519",
            Self::MlDsa(set) => set.name(),
        }
    }

    /// The type that makes keys of that algorithm; none for an RSA key of another length.
    #[doc(hidden)]
    pub fn of(algorithm: KeyAlgorithm) -> Option<Self> {
        Some(match algorithm {
            KeyAlgorithm::Rsa { bits: 2048 } => Self::Rsa2048,
            KeyAlgorithm::Rsa { bits: 3072 } => Self::Rsa3072,
            KeyAlgorithm::Rsa { bits: 4096 } => Self::Rsa4096,
            KeyAlgorithm::Rsa { .. } => return None,
            KeyAlgorithm::EcP256 => Self::EcP256,
            KeyAlgorithm::EcP384 => Self::EcP384,
            KeyAlgorithm::EcP521 => Self::EcP521,
            KeyAlgorithm::Ed25519 => Self::Ed25519,
            KeyAlgorithm::MlDsa(set) => Self::MlDsa(set),
        })
    }

    /// Whether it is an RSA key: only those can take part in key encipherment.
    #[doc(hidden)]
    pub fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096)
    }

    /// Whether this build can generate and use such keys; [`CryptoError::Backend`] or [`CryptoError::NoMlDsa`] if
    /// not.
    pub fn check_available(self) -> Result<(), CryptoError> {
        if let Self::MlDsa(set) = self {
            return set.check_available();
        }
        if cfg!(feature = "aws-lc-rs") || self != Self::EcP521 {
            return Ok(());
        }
        Err(CryptoError::Backend { what: format!("making keys of type {self}") })
    }
}

impl KeyType {
    /// The same for the key of a CA, which the backend itself has to make;
    /// [`CryptoError::RingRsa`] if it cannot.
    #[doc(hidden)]
    pub fn check_available_for_ca(self) -> Result<(), CryptoError> {
        self.check_available_by(RsaKeys::Backend)
    }

    /// The same if an RSA key is to be made so; [`CryptoError::RingRsa`] if the backend is to make it and
    /// cannot.
    #[doc(hidden)]
    pub fn check_available_by(self, maker: RsaKeys) -> Result<(), CryptoError> {
        self.check_available()?;
        match cfg!(feature = "aws-lc-rs") || !self.is_rsa() || maker == RsaKeys::Own {
            true => Ok(()),
            false => Err(CryptoError::RingRsa(self)),
        }
    }
}

/// Who makes the RSA keys of devices. Other keys are always made by the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RsaKeys {
    /// The search of this library: fast, and with either backend. It tests consecutive odd numbers, so that
    /// a program on the same processor that can count the tests learns something about the primes.
    #[default]
    Own,
    /// The crypto backend, which draws each candidate anew. ring cannot.
    Backend,
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyType {
    type Err = CryptoError;

    fn from_str(text: &str) -> Result<Self, CryptoError> {
        let found = Self::ALL.into_iter().find(|t| t.name() == text);
        found.ok_or_else(|| CryptoError::UnknownKeyType(text.to_owned()))
    }
}

/// Fills `out` from the system's generator.
pub fn fill_random(out: &mut [u8]) -> Result<(), CryptoError> {
    backend::rand::SystemRandom::new()
        .fill(out)
        .map_err(|_| CryptoError::Failed("the random generator"))
}

/// A random password of so many characters, each equally likely (5.8 bits each): letters and digits
/// without those that people take for others (0 and O, 1, l and I). It survives CSV, shells, labels.
pub fn random_password(chars: usize) -> Result<Password, CryptoError> {
    const CHARS: &[u8; 57] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
    // The largest multiple of 57 in a byte: taking more would favour some.
    const FAIR: u8 = 228;
    let mut text = zeroize::Zeroizing::new(String::with_capacity(chars));
    while text.len() < chars {
        let mut octet = [0];
        fill_random(&mut octet)?;
        if octet[0] < FAIR {
            text.push(CHARS[usize::from(octet[0]) % CHARS.len()].into());
        }
    }
    Ok(Password::new(text.as_str()))
}

/// SHA-1, for key identifiers, fingerprints and the JKS digest: never for signatures.
pub fn sha1(data: &[u8]) -> [u8; 20] {
    let digest = backend::digest::digest(&backend::digest::SHA1_FOR_LEGACY_USE_ONLY, data);
    let mut out = [0; 20];
    out.copy_from_slice(digest.as_ref());
    out
}

/// SHA-256.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    let digest = backend::digest::digest(&backend::digest::SHA256, data);
    let mut out = [0; 32];
    out.copy_from_slice(digest.as_ref());
    out
}

/// Lower-case hexadecimal, the form of fingerprints on the platform.
pub fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

/// The bytes that hex digits of any case stand for; none if it is anything else or a digit is missing.
#[doc(hidden)]
pub fn unhex(digits: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    base16ct::mixed::decode_vec(digits).ok()
}

/// The same backend for TLS.
#[cfg(feature = "tls")]
#[doc(hidden)]
pub fn tls_provider() -> rustls::crypto::CryptoProvider {
    #[cfg(feature = "aws-lc-rs")]
    return rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "aws-lc-rs"))]
    return rustls::crypto::ring::default_provider();
}
