//! Algorithms of public keys, and how they are written in a SubjectPublicKeyInfo.

use std::fmt;

use super::{Hash, MlDsa, SignatureAlgorithm};
use crate::der;

/// The algorithm of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// RSA with a modulus of so many bits.
    Rsa {
        /// Length of the modulus.
        bits: u32,
    },
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

impl KeyAlgorithm {
    /// The algorithm with which such a key signs here: the hash fits the key's strength.
    pub fn signature_algorithm(self) -> SignatureAlgorithm {
        match self {
            Self::Rsa { .. } => SignatureAlgorithm::RsaPkcs1(Hash::Sha256),
            Self::EcP256 => SignatureAlgorithm::Ecdsa(Hash::Sha256),
            Self::EcP384 => SignatureAlgorithm::Ecdsa(Hash::Sha384),
            Self::EcP521 => SignatureAlgorithm::Ecdsa(Hash::Sha512),
            Self::Ed25519 => SignatureAlgorithm::Ed25519,
            Self::MlDsa(set) => SignatureAlgorithm::MlDsa(set),
        }
    }

    /// Whether such a key can sign with SHA-256, as the platform's proof of possession wants.
    #[doc(hidden)]
    pub fn has_sha256(self) -> bool {
        !matches!(self, Self::Ed25519 | Self::MlDsa(_))
    }

    /// The DER of the AlgorithmIdentifier of its keys.
    pub(super) fn identifier(self) -> &'static [u8] {
        match self {
            Self::Rsa { .. } => spki_id::RSA,
            Self::EcP256 => spki_id::P256,
            Self::EcP384 => spki_id::P384,
            Self::EcP521 => spki_id::P521,
            Self::Ed25519 => spki_id::ED25519,
            Self::MlDsa(set) => set.identifier(),
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA {bits} bits"),
            Self::EcP256 => f.write_str("EC P-256"),
            Self::EcP384 => f.write_str("EC P-384"),
            Self::EcP521 => f.write_str("EC P-521"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::MlDsa(set) => set.fmt(f),
        }
    }
}

/// DER of the AlgorithmIdentifier in a SubjectPublicKeyInfo.
mod spki_id {
    pub(super) const RSA: &[u8] =
        &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    pub(super) const P256: &[u8] = &[
        0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
        0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
    ];
    pub(super) const P384: &[u8] = &[
        0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81,
        0x04, 0x00, 0x22,
    ];
    pub(super) const P521: &[u8] = &[
        0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81,
        0x04, 0x00, 0x23,
    ];
    pub(super) const ED25519: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
}

/// The SubjectPublicKeyInfo of a key, as everybody writes it: the contents of its BIT STRING under its algorithm.
pub(super) fn spki(algorithm: KeyAlgorithm, bits: &[u8]) -> Vec<u8> {
    // No bit of its last byte is unused.
    let bit_string = der::element(der::BIT_STRING, &[&[0], bits]);
    der::element(der::SEQUENCE, &[algorithm.identifier(), &bit_string])
}
