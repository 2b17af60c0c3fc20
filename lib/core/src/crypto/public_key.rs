//! Public keys: SubjectPublicKeyInfo, key identifiers, verification.

use std::fmt;

use x509_parser::asn1_rs::Tag;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::backend::signature as sig;
use super::signature::verification;
use super::{CryptoError, Hash, KeyPolicy, MIN_RSA_BITS, SignatureAlgorithm, sha1, weak};
use super::{oid_text, pss};
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
        }
    }

    /// The DER of the AlgorithmIdentifier of its keys.
    pub(super) fn identifier(self) -> &'static [u8] {
        match self {
            Self::Rsa { .. } => spki_id::RSA,
            Self::EcP256 => spki_id::P256,
            Self::EcP384 => spki_id::P384,
            Self::EcP521 => spki_id::P521,
            Self::Ed25519 => spki_id::ED25519,
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

/// A public key in the form of a SubjectPublicKeyInfo (RFC 5280, 4.1.2.7).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    spki: Vec<u8>,
    bits: Vec<u8>,
    algorithm: KeyAlgorithm,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.algorithm)
    }
}

impl PublicKey {
    /// Reads the DER of a SubjectPublicKeyInfo. An RSA key that is too short is read, so that it
    /// can be shown; [`PublicKey::check_strength`] refuses it.
    pub fn from_spki(der: &[u8]) -> Result<Self, CryptoError> {
        let (rest, spki) = SubjectPublicKeyInfo::from_der(der)
            .map_err(|_| CryptoError::BadPublicKey("not a SubjectPublicKeyInfo"))?;
        if !rest.is_empty() {
            return Err(CryptoError::BadPublicKey("octets follow it"));
        }
        if spki.subject_public_key.unused_bits != 0 {
            return Err(CryptoError::BadPublicKey("its bit string is not whole octets"));
        }
        let bits = spki.subject_public_key.data.to_vec();
        let algorithm = key_algorithm(&spki, &bits)?;
        Ok(Self { spki: der.to_vec(), bits, algorithm })
    }

    pub(super) fn from_raw(algorithm: KeyAlgorithm, bits: &[u8]) -> Self {
        let id = algorithm.identifier();
        // No bit of its last octet is unused.
        let bit_string = der::element(der::BIT_STRING, &[&[0], bits]);
        let spki = der::element(der::SEQUENCE, &[id, &bit_string]);
        Self { spki, bits: bits.to_vec(), algorithm }
    }

    /// The DER of the SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The contents of the BIT STRING: an RSAPublicKey, an EC point, or 32 octets of Ed25519.
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// What kind of key it is.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// Key identifier by method 1 of RFC 5280, 4.2.1.2: SHA-1 of the BIT STRING's contents, as
    /// OpenSSL's `subjectKeyIdentifier = hash`.
    pub fn key_id(&self) -> [u8; 20] {
        sha1(&self.bits)
    }

    /// Refuses RSA below [`MIN_RSA_BITS`].
    pub fn check_strength(&self) -> Result<(), CryptoError> {
        match self.algorithm {
            KeyAlgorithm::Rsa { bits } if bits < MIN_RSA_BITS => Err(CryptoError::ShortRsa(bits)),
            _ => Ok(()),
        }
    }

    /// Refuses a key that must not be certified or taken in: one that is too short, one whose private half
    /// others can work out or whose signatures mean nothing, and one that is not written in the usual form
    /// ([`WeakKey`](super::WeakKey)). It costs some tens of microseconds for RSA.
    pub fn check_fit(&self, policy: KeyPolicy) -> Result<(), CryptoError> {
        self.check_sound(policy)?;
        Ok(weak::check_form(self)?)
    }

    /// The same for a key that others have certified, in whatever form.
    #[doc(hidden)]
    pub fn check_sound(&self, policy: KeyPolicy) -> Result<(), CryptoError> {
        self.check_strength()?;
        Ok(weak::check(self.algorithm, &self.bits, policy)?)
    }

    /// Verifies `signature` over `message`. The key must be strong enough and fit the algorithm.
    pub fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        self.check_strength()?;
        if let (KeyAlgorithm::Rsa { .. }, SignatureAlgorithm::RsaPssSalt { hash, salt }) =
            (self.algorithm, algorithm)
        {
            return pss::verify(&self.bits, pss::Parameters { hash, salt }, message, signature);
        }
        let verifier = verification(self.algorithm, algorithm)?;
        sig::UnparsedPublicKey::new(verifier, &self.bits)
            .verify(message, signature)
            .map_err(|_| CryptoError::BadSignature)
    }

    /// Verifies a signature made with SHA-256, whatever the key's strength: RSA with PKCS#1 v1.5,
    /// ECDSA in DER. [`CryptoError::NoSha256`] for Ed25519.
    pub fn verify_sha256(&self, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let algorithm = match self.algorithm {
            KeyAlgorithm::Rsa { .. } => SignatureAlgorithm::RsaPkcs1(Hash::Sha256),
            KeyAlgorithm::Ed25519 => return Err(CryptoError::NoSha256(self.algorithm)),
            _ => SignatureAlgorithm::Ecdsa(Hash::Sha256),
        };
        self.verify(algorithm, message, signature)
    }
}

fn key_algorithm(
    spki: &SubjectPublicKeyInfo<'_>,
    bits: &[u8],
) -> Result<KeyAlgorithm, CryptoError> {
    let oid = oid_text(&spki.algorithm.algorithm);
    match oid.as_str() {
        // rsaEncryption, and RSASSA-PSS as a key's own algorithm (RFC 4055, 1.2)
        "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" => {
            Ok(KeyAlgorithm::Rsa { bits: rsa_bits(bits)? })
        }
        "1.2.840.10045.2.1" => {
            let parameters = spki.algorithm.parameters.as_ref();
            let curve = parameters.filter(|p| p.tag() == Tag::Oid).and_then(|p| p.as_oid().ok());
            match curve.map(|c| oid_text(&c)).as_deref() {
                Some("1.2.840.10045.3.1.7") => Ok(KeyAlgorithm::EcP256),
                Some("1.3.132.0.34") => Ok(KeyAlgorithm::EcP384),
                Some("1.3.132.0.35") => Ok(KeyAlgorithm::EcP521),
                Some(other) => {
                    Err(CryptoError::UnsupportedAlgorithm(format!("EC on curve {other}")))
                }
                None if parameters.is_some_and(|p| p.tag() == Tag::Sequence) => {
                    Err(CryptoError::ExplicitCurve)
                }
                None => {
                    Err(CryptoError::UnsupportedAlgorithm("EC without a named curve".to_owned()))
                }
            }
        }
        "1.3.101.112" => match bits.len() {
            32 => Ok(KeyAlgorithm::Ed25519),
            _ => Err(CryptoError::BadPublicKey("an Ed25519 key has 32 octets")),
        },
        other => Err(CryptoError::UnsupportedAlgorithm(algorithm_name(other))),
    }
}

/// Well-known names for algorithms that people meet and we refuse.
pub(super) fn algorithm_name(oid: &str) -> String {
    let name = match oid {
        // FIPS 204 and RFC 9881, 2
        "2.16.840.1.101.3.4.3.17" => "ML-DSA-44",
        "2.16.840.1.101.3.4.3.18" => "ML-DSA-65",
        "2.16.840.1.101.3.4.3.19" => "ML-DSA-87",
        "1.2.840.10040.4.1" => "DSA",
        "1.3.101.113" => "Ed448",
        "1.3.101.110" => "X25519",
        _ => return oid.to_owned(),
    };
    format!("{name} ({oid})")
}

/// The modulus and the exponent of an RSAPublicKey (RFC 8017, A.1.1), big-endian.
pub(super) fn rsa_numbers(rsa_public_key: &[u8]) -> Result<(Vec<u8>, Vec<u8>), CryptoError> {
    let numbers = yasna::parse_der(rsa_public_key, |reader| {
        reader.read_sequence(|reader| {
            let (modulus, positive) = reader.next().read_bigint_bytes()?;
            let (exponent, _) = reader.next().read_bigint_bytes()?;
            if positive {
                Ok((modulus, exponent))
            } else {
                Err(yasna::ASN1Error::new(yasna::ASN1ErrorKind::Invalid))
            }
        })
    });
    numbers.map_err(|_| CryptoError::BadPublicKey("not an RSAPublicKey"))
}

pub(super) fn rsa_bits(rsa_public_key: &[u8]) -> Result<u32, CryptoError> {
    let damaged = CryptoError::BadPublicKey("not an RSAPublicKey");
    let (modulus, _) = rsa_numbers(rsa_public_key)?;
    let first = modulus.iter().position(|b| *b != 0).ok_or(damaged)?;
    let bits = (modulus.len() - first) * 8 - modulus[first].leading_zeros() as usize;
    u32::try_from(bits).map_err(|_| CryptoError::BadPublicKey("its modulus is absurdly long"))
}
