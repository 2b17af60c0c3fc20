//! Public keys: SubjectPublicKeyInfo, key identifiers, verification.

use std::fmt;

use x509_parser::asn1_rs::Tag;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::backend::signature as sig;
use super::key_algorithm::spki;
use super::pss;
use super::refused::algorithm_name;
use super::rsa_numbers::rsa_bits;
use super::verification::verification;
use super::{
    CryptoError, Hash, KeyAlgorithm, KeyPolicy, MIN_RSA_BITS, MlDsa, SignatureAlgorithm, sha1, weak,
};
use crate::ber::oid_text;

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
            return Err(CryptoError::BadPublicKey("bytes follow it"));
        }
        if spki.subject_public_key.unused_bits != 0 {
            return Err(CryptoError::BadPublicKey("its bit string is not whole bytes"));
        }
        let bits = spki.subject_public_key.data.to_vec();
        let algorithm = key_algorithm(&spki, &bits)?;
        Ok(Self { spki: der.to_vec(), bits, algorithm })
    }

    pub(super) fn from_raw(algorithm: KeyAlgorithm, bits: &[u8]) -> Self {
        Self { spki: spki(algorithm, bits), bits: bits.to_vec(), algorithm }
    }

    /// The DER of the SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The contents of the BIT STRING: an RSAPublicKey, an EC point, or the bytes of Ed25519 and ML-DSA.
    #[doc(hidden)]
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// What kind of key it is.
    #[doc(hidden)]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// Key identifier by method 1 of RFC 5280, 4.2.1.2: SHA-1 of the BIT STRING's contents, as
    /// OpenSSL's `subjectKeyIdentifier = hash`.
    #[doc(hidden)]
    pub fn key_id(&self) -> [u8; 20] {
        sha1(&self.bits)
    }

    /// Refuses RSA below [`MIN_RSA_BITS`].
    #[doc(hidden)]
    pub fn check_strength(&self) -> Result<(), CryptoError> {
        match self.algorithm {
            KeyAlgorithm::Rsa { bits } if bits < MIN_RSA_BITS => Err(CryptoError::ShortRsa(bits)),
            _ => Ok(()),
        }
    }

    /// Refuses a key that must not be certified or taken in: one that is too short, one whose private half
    /// others can work out or whose signatures mean nothing, and one that is not written in the usual form
    /// ([`WeakKey`](super::WeakKey)). It costs some tens of microseconds for RSA.
    #[doc(hidden)]
    pub fn check_fit(&self, policy: KeyPolicy) -> Result<(), CryptoError> {
        self.check_sound(policy)?;
        Ok(weak::check_form(self.algorithm, &self.bits, &self.spki)?)
    }

    /// The same for a key that others have certified, in whatever form.
    #[doc(hidden)]
    pub fn check_sound(&self, policy: KeyPolicy) -> Result<(), CryptoError> {
        self.check_strength()?;
        Ok(weak::check(self.algorithm, &self.bits, policy)?)
    }

    /// Verifies `signature` over `message`. The key must be strong enough and fit the algorithm.
    #[doc(hidden)]
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
    /// ECDSA in DER. [`CryptoError::NoSha256`] for Ed25519 and ML-DSA.
    pub fn verify_sha256(&self, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let algorithm = match self.algorithm {
            KeyAlgorithm::Rsa { .. } => SignatureAlgorithm::RsaPkcs1(Hash::Sha256),
            other if !other.has_sha256() => return Err(CryptoError::NoSha256(other)),
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
            _ => Err(CryptoError::BadPublicKey("an Ed25519 key has 32 bytes")),
        },
        other => match MlDsa::of_oid(other) {
            Some(set) if bits.len() == set.public_len() => Ok(KeyAlgorithm::MlDsa(set)),
            Some(set) => Err(CryptoError::MlDsaLength { set, found: bits.len() }),
            None => Err(CryptoError::UnsupportedAlgorithm(algorithm_name(other))),
        },
    }
}
