//! Signature algorithms: their identifiers, and which key can verify which.

use std::fmt;

use super::hash::Hash;
use super::pss;
use super::refused::algorithm_name;
use super::{CryptoError, MlDsa};
use crate::ber::oid_text;
use crate::der;

/// A signature algorithm of a certificate, request or CRL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5.
    RsaPkcs1(Hash),
    /// RSASSA-PSS, salt as long as the hash, MGF1 with the same hash.
    RsaPss(Hash),
    /// RSASSA-PSS with a salt of another length; verified only.
    #[doc(hidden)]
    RsaPssSalt {
        /// The hash, also in MGF1.
        hash: Hash,
        /// Bytes of the salt.
        salt: u16,
    },
    /// ECDSA, signature in DER.
    Ecdsa(Hash),
    /// Ed25519.
    Ed25519,
    /// ML-DSA, without a context (RFC 9881, section 2).
    MlDsa(MlDsa),
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = |h: &Hash| match h {
            Hash::Sha256 => "SHA-256",
            Hash::Sha384 => "SHA-384",
            Hash::Sha512 => "SHA-512",
        };
        match self {
            Self::RsaPkcs1(h) => write!(f, "RSA with {}", hash(h)),
            Self::RsaPss(h) => write!(f, "RSA-PSS with {}", hash(h)),
            Self::RsaPssSalt { hash: h, salt } => {
                write!(f, "RSA-PSS with {} and a salt of {salt} bytes", hash(h))
            }
            Self::Ecdsa(h) => write!(f, "ECDSA with {}", hash(h)),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::MlDsa(set) => set.fmt(f),
        }
    }
}

/// Object identifiers of signature algorithms, as DER contents.
mod sig_id {
    pub(super) const RSA_SHA256: &[u64] = &[1, 2, 840, 113549, 1, 1, 11];
    pub(super) const RSA_SHA384: &[u64] = &[1, 2, 840, 113549, 1, 1, 12];
    pub(super) const RSA_SHA512: &[u64] = &[1, 2, 840, 113549, 1, 1, 13];
    pub(super) const ECDSA_SHA256: &[u64] = &[1, 2, 840, 10045, 4, 3, 2];
    pub(super) const ECDSA_SHA384: &[u64] = &[1, 2, 840, 10045, 4, 3, 3];
    pub(super) const ECDSA_SHA512: &[u64] = &[1, 2, 840, 10045, 4, 3, 4];
    pub(super) const ED25519: &[u64] = &[1, 3, 101, 112];

    /// The last arc of a hash's identifier, and its length in bytes.
    pub(super) fn pss(hash: super::Hash) -> (u8, u8) {
        match hash {
            super::Hash::Sha256 => (1, 32),
            super::Hash::Sha384 => (2, 48),
            super::Hash::Sha512 => (3, 64),
        }
    }

    /// DER of RSASSA-PSS-params with one hash throughout and a salt of the hash's length, as the
    /// verifying backends want it: SHA-256/32, SHA-384/48, SHA-512/64.
    pub(super) fn pss_params(hash_arc: u8, salt: u8) -> Vec<u8> {
        let hash: Vec<u8> =
            [&[0x30, 0x0d, 0x06, 0x09], &SHA2[..], &[hash_arc, 0x05, 0x00]].concat();
        let mut mgf = vec![0x30, 0x1a, 0x06, 0x09];
        mgf.extend([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08]);
        mgf.extend(&hash);
        let mut out = vec![0x30, 0x34, 0xa0, 0x0f];
        out.extend(&hash);
        out.extend([0xa1, 0x1c]);
        out.extend(&mgf);
        out.extend([0xa2, 0x03, 0x02, 0x01, salt]);
        out
    }
    const SHA2: [u8; 8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
}

impl SignatureAlgorithm {
    /// The hash that is signed; none for Ed25519 and ML-DSA, which hash inside.
    #[doc(hidden)]
    pub fn hash(self) -> Option<Hash> {
        match self {
            Self::RsaPkcs1(hash)
            | Self::RsaPss(hash)
            | Self::RsaPssSalt { hash, .. }
            | Self::Ecdsa(hash) => Some(hash),
            Self::Ed25519 | Self::MlDsa(_) => None,
        }
    }

    /// Finds the algorithm that an AlgorithmIdentifier names.
    ///
    /// Errors: [`CryptoError::WeakSignature`] for MD5 and SHA-1, [`CryptoError::UnsupportedAlgorithm`]
    /// for anything else we do not use, parameters that the standards forbid included.
    #[doc(hidden)]
    pub fn from_identifier(
        id: &x509_parser::x509::AlgorithmIdentifier<'_>,
    ) -> Result<Self, CryptoError> {
        let oid = oid_text(&id.algorithm);
        let has_null = id.parameters.as_ref().is_some_and(|p| p.as_null().is_ok());
        let none = id.parameters.is_none();
        let found = match oid.as_str() {
            // RFC 4055, 5: NULL, and absent must be accepted
            "1.2.840.113549.1.1.11" if has_null || none => Self::RsaPkcs1(Hash::Sha256),
            "1.2.840.113549.1.1.12" if has_null || none => Self::RsaPkcs1(Hash::Sha384),
            "1.2.840.113549.1.1.13" if has_null || none => Self::RsaPkcs1(Hash::Sha512),
            "1.2.840.113549.1.1.10" => return Self::from_pss(id),
            // RFC 5758, 3.2: absent; some write NULL, which Java and OpenSSL take
            "1.2.840.10045.4.3.2" if has_null || none => Self::Ecdsa(Hash::Sha256),
            "1.2.840.10045.4.3.3" if has_null || none => Self::Ecdsa(Hash::Sha384),
            "1.2.840.10045.4.3.4" if has_null || none => Self::Ecdsa(Hash::Sha512),
            // RFC 8410, 3: absent
            "1.3.101.112" if none => Self::Ed25519,
            "1.2.840.113549.1.1.4" => return Err(CryptoError::WeakSignature("RSA with MD5")),
            "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => {
                return Err(CryptoError::WeakSignature("RSA with SHA-1"));
            }
            "1.2.840.10045.4.1" => return Err(CryptoError::WeakSignature("ECDSA with SHA-1")),
            "1.2.840.10040.4.3" => return Err(CryptoError::WeakSignature("DSA with SHA-1")),
            // RFC 9881, 2: absent
            other => match MlDsa::of_oid(other) {
                Some(set) if none => Self::MlDsa(set),
                Some(set) => {
                    let with_parameters = format!("{set} with parameters");
                    return Err(CryptoError::UnsupportedAlgorithm(with_parameters));
                }
                None => return Err(CryptoError::UnsupportedAlgorithm(algorithm_name(other))),
            },
        };
        Ok(found)
    }

    fn from_pss(id: &x509_parser::x509::AlgorithmIdentifier<'_>) -> Result<Self, CryptoError> {
        use x509_parser::asn1_rs::ToDer;
        let params = id.parameters.as_ref().and_then(|p| p.to_der_vec().ok()).unwrap_or_default();
        let pss::Parameters { hash, salt } = pss::parameters(&params)?;
        let usual = u16::from(sig_id::pss(hash).1) == salt;
        Ok(if usual { Self::RsaPss(hash) } else { Self::RsaPssSalt { hash, salt } })
    }

    /// The DER of the AlgorithmIdentifier.
    #[doc(hidden)]
    pub fn identifier(self) -> Vec<u8> {
        let (oid, null) = match self {
            Self::RsaPkcs1(Hash::Sha256) => (sig_id::RSA_SHA256, true),
            Self::RsaPkcs1(Hash::Sha384) => (sig_id::RSA_SHA384, true),
            Self::RsaPkcs1(Hash::Sha512) => (sig_id::RSA_SHA512, true),
            Self::Ecdsa(Hash::Sha256) => (sig_id::ECDSA_SHA256, false),
            Self::Ecdsa(Hash::Sha384) => (sig_id::ECDSA_SHA384, false),
            Self::Ecdsa(Hash::Sha512) => (sig_id::ECDSA_SHA512, false),
            Self::Ed25519 => (sig_id::ED25519, false),
            Self::MlDsa(set) => return set.identifier().to_vec(),
            // We sign with the usual salt only.
            Self::RsaPss(hash) | Self::RsaPssSalt { hash, .. } => {
                let (arc, salt) = sig_id::pss(hash);
                let pss = der::oid(&[1, 2, 840, 113549, 1, 1, 10]);
                return der::element(der::SEQUENCE, &[&pss, &sig_id::pss_params(arc, salt)]);
            }
        };
        let parameters: &[u8] = if null { &[0x05, 0x00] } else { &[] };
        der::element(der::SEQUENCE, &[&der::oid(oid), parameters])
    }
}

/// Parameters of an algorithm that we take, and that standards do not want there (RFC 5758, 3.2 and
/// RFC 4055, 3.1), as what a signature is named with.
pub(crate) fn odd_parameters(
    id: &x509_parser::x509::AlgorithmIdentifier<'_>,
) -> Option<&'static str> {
    match SignatureAlgorithm::from_identifier(id) {
        Ok(SignatureAlgorithm::Ecdsa(_)) if id.parameters.is_some() => {
            Some("NULL parameters beside ecdsa-with-SHA2")
        }
        Ok(SignatureAlgorithm::RsaPssSalt { .. }) => {
            Some("an RSA-PSS salt that is not as long as its hash")
        }
        _ => None,
    }
}
