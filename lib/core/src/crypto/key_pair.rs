//! Private keys in the backend: making, loading, signing.

use std::fmt;

#[cfg(feature = "aws-lc-rs")]
use super::backend::encoding::AsBigEndian as _;
use super::backend::{self, signature as sig};
use super::rsa::{self, RsaError, RsaSize};
use super::rsa_numbers::rsa_bits;
use super::{
    CryptoError, KeyAlgorithm, KeyType, MlDsa, PublicKey, RsaKeys, SignatureAlgorithm, fill_random,
    ml_dsa, p384,
};
#[cfg(feature = "aws-lc-rs")]
use crate::der;
use crate::failure::Underlying;
use crate::secret::SecretBytes;

/// A private key loaded into the backend. It signs; its bytes are kept elsewhere.
pub struct KeyPair {
    inner: Inner,
    public: PublicKey,
}

enum Inner {
    Rsa(backend::rsa::KeyPair),
    Ec(sig::EcdsaKeyPair),
    Ed(sig::Ed25519KeyPair),
    MlDsa(ml_dsa::Pair),
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.public.algorithm())
    }
}

impl KeyPair {
    /// Makes a new key for a CA: an RSA key is made by the backend, not by [`rsa`], whose candidates are
    /// consecutive numbers.
    pub(crate) fn generate_for_ca(key_type: KeyType) -> Result<(Self, SecretBytes), CryptoError> {
        Self::generate_by(key_type, RsaKeys::Backend)
    }

    /// Makes a new key, an RSA key as `maker` says.
    pub(crate) fn generate_by(
        key_type: KeyType,
        maker: RsaKeys,
    ) -> Result<(Self, SecretBytes), CryptoError> {
        key_type.check_available_by(maker)?;
        match maker {
            RsaKeys::Backend if key_type.is_rsa() => backend_rsa(key_type),
            _ => Self::generate(key_type),
        }
    }

    /// Makes a new key; returns it with its PKCS#8 (version 1, for the sake of old readers).
    pub fn generate(key_type: KeyType) -> Result<(Self, SecretBytes), CryptoError> {
        key_type.check_available()?;
        match key_type {
            KeyType::Rsa2048 => generate_rsa(RsaSize::Bits2048),
            KeyType::Rsa3072 => generate_rsa(RsaSize::Bits3072),
            KeyType::Rsa4096 => generate_rsa(RsaSize::Bits4096),
            KeyType::EcP256 => generate_ec(KeyAlgorithm::EcP256),
            KeyType::EcP384 => generate_ec(KeyAlgorithm::EcP384),
            KeyType::EcP521 => generate_ec(KeyAlgorithm::EcP521),
            KeyType::Ed25519 => {
                let mut seed = zeroize::Zeroizing::new([0u8; 32]);
                fill_random(seed.as_mut())?;
                let pkcs8 = ed25519_pkcs8(seed.as_ref());
                Ok((Self::from_ed25519_seed(seed.as_ref())?, pkcs8))
            }
            KeyType::MlDsa(set) => Ok(Self::from_ml_dsa(ml_dsa::Pair::generate(set)?)),
        }
    }

    /// Loads an RSA key from PKCS#8. The backend checks it for consistency.
    pub(crate) fn from_rsa_pkcs8(pkcs8: &[u8]) -> Result<Self, CryptoError> {
        let pair = backend::rsa::KeyPair::from_pkcs8(pkcs8)
            .map_err(|e| CryptoError::BadPrivateKey(Underlying::of(e)))?;
        Ok(Self::from_rsa(pair))
    }

    /// Loads an EC key from PKCS#8. With ring the public key has to be inside.
    pub(crate) fn from_ec_pkcs8(curve: KeyAlgorithm, pkcs8: &[u8]) -> Result<Self, CryptoError> {
        #[cfg(feature = "aws-lc-rs")]
        let pair = sig::EcdsaKeyPair::from_pkcs8(ec_signing(curve)?, pkcs8);
        #[cfg(not(feature = "aws-lc-rs"))]
        let pair = sig::EcdsaKeyPair::from_pkcs8(
            ec_signing(curve)?,
            pkcs8,
            &backend::rand::SystemRandom::new(),
        );
        let pair = pair.map_err(|e| CryptoError::BadPrivateKey(Underlying::of(e)))?;
        Ok(Self::from_ec(curve, pair))
    }

    /// Loads an Ed25519 key from its 32 bytes of seed.
    pub(crate) fn from_ed25519_seed(seed: &[u8]) -> Result<Self, CryptoError> {
        use sig::KeyPair as _;
        let pair = sig::Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|e| CryptoError::BadPrivateKey(Underlying::of(e)))?;
        let public = PublicKey::from_raw(KeyAlgorithm::Ed25519, pair.public_key().as_ref());
        Ok(Self { inner: Inner::Ed(pair), public })
    }

    /// Loads an ML-DSA key from what stands in the OCTET STRING of its PKCS#8 (RFC 9881, section 6); returns it with
    /// the PKCS#8 of its seed, or of the expanded key if there is no seed.
    pub(crate) fn from_ml_dsa_private_key(
        set: MlDsa,
        private_key: &[u8],
    ) -> Result<(Self, SecretBytes), CryptoError> {
        Ok(Self::from_ml_dsa(ml_dsa::Pair::read(set, private_key)?))
    }

    fn from_ml_dsa((pair, pkcs8): (ml_dsa::Pair, SecretBytes)) -> (Self, SecretBytes) {
        let public = PublicKey::from_raw(KeyAlgorithm::MlDsa(pair.set()), pair.public());
        (Self { inner: Inner::MlDsa(pair), public }, pkcs8)
    }

    fn from_rsa(pair: backend::rsa::KeyPair) -> Self {
        use sig::KeyPair as _;
        let bits = pair.public_key().as_ref().to_vec();
        let modulus_bits = rsa_bits(&bits).unwrap_or_default();
        let public = PublicKey::from_raw(KeyAlgorithm::Rsa { bits: modulus_bits }, &bits);
        Self { inner: Inner::Rsa(pair), public }
    }

    fn from_ec(curve: KeyAlgorithm, pair: sig::EcdsaKeyPair) -> Self {
        use sig::KeyPair as _;
        let public = PublicKey::from_raw(curve, pair.public_key().as_ref());
        Self { inner: Inner::Ec(pair), public }
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The algorithm with which this key signs: the hash fits the key's strength.
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.public.algorithm().signature_algorithm()
    }

    /// Signs `message` with [`KeyPair::signature_algorithm`].
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let rng = backend::rand::SystemRandom::new();
        match &self.inner {
            Inner::Rsa(pair) => {
                #[cfg(feature = "aws-lc-rs")]
                let len = pair.public_modulus_len();
                #[cfg(not(feature = "aws-lc-rs"))]
                let len = pair.public().modulus_len();
                let mut signature = vec![0; len];
                pair.sign(&sig::RSA_PKCS1_SHA256, &rng, message, &mut signature)
                    .map_err(|_| CryptoError::Failed("signing with RSA"))?;
                Ok(signature)
            }
            Inner::Ec(pair) => pair
                .sign(&rng, message)
                .map(|s| s.as_ref().to_vec())
                .map_err(|_| CryptoError::Failed("signing with ECDSA")),
            Inner::Ed(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Inner::MlDsa(pair) => pair.sign(message),
        }
    }

    /// Signs `message` with SHA-256, whatever the key's strength. `pkcs8` is this key.
    pub(crate) fn sign_sha256(
        &self,
        pkcs8: &SecretBytes,
        message: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        match self.public.algorithm() {
            KeyAlgorithm::Rsa { .. } | KeyAlgorithm::EcP256 => self.sign(message),
            KeyAlgorithm::EcP384 => p384::sign_sha256(pkcs8.expose(), message),
            KeyAlgorithm::EcP521 => p521_sign_sha256(pkcs8.expose(), message),
            other @ (KeyAlgorithm::Ed25519 | KeyAlgorithm::MlDsa(_)) => {
                Err(CryptoError::NoSha256(other))
            }
        }
    }

    /// The PKCS#8 of an EC key with the public key inside, whatever it was read from.
    #[cfg(feature = "aws-lc-rs")]
    pub(crate) fn ec_to_pkcs8(&self) -> Option<SecretBytes> {
        match &self.inner {
            Inner::Ec(pair) => pair.to_pkcs8v1().ok().map(|d| SecretBytes::new(d.as_ref())),
            _ => None,
        }
    }

    /// ring cannot write keys; it only loads EC keys that hold their public key already.
    #[cfg(not(feature = "aws-lc-rs"))]
    pub(crate) fn ec_to_pkcs8(&self) -> Option<SecretBytes> {
        None
    }
}

/// PKCS#8 version 1 of an Ed25519 seed (RFC 8410, section 7).
pub(crate) fn ed25519_pkcs8(seed: &[u8]) -> SecretBytes {
    const PREFIX: [u8; 16] = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    SecretBytes::new([&PREFIX, seed].concat())
}

fn generate_rsa(size: RsaSize) -> Result<(KeyPair, SecretBytes), CryptoError> {
    let mut pkcs8 = rsa::generate(size, &mut fill_random).map_err(|e| match e {
        RsaError::Random(e) => e,
        RsaError::NoPrime => CryptoError::Failed("making an RSA key"),
    })?;
    let pair = KeyPair::from_rsa_pkcs8(&pkcs8)?;
    Ok((pair, SecretBytes::new(std::mem::take(&mut *pkcs8))))
}

#[cfg(feature = "aws-lc-rs")]
fn generate_ec(curve: KeyAlgorithm) -> Result<(KeyPair, SecretBytes), CryptoError> {
    let failed = |_| CryptoError::Failed("making an EC key");
    let pair = sig::EcdsaKeyPair::generate(ec_signing(curve)?).map_err(failed)?;
    let scalar = pair.private_key().as_be_bytes().map_err(failed)?;
    let pair = KeyPair::from_ec(curve, pair);
    let pkcs8 = ec_pkcs8(&pair.public, scalar.as_ref());
    Ok((pair, pkcs8))
}

#[cfg(feature = "aws-lc-rs")]
fn backend_rsa(key_type: KeyType) -> Result<(KeyPair, SecretBytes), CryptoError> {
    use backend::encoding::{AsDer as _, Pkcs8V1Der};
    use backend::rsa::KeySize;
    let size = match key_type {
        KeyType::Rsa3072 => KeySize::Rsa3072,
        KeyType::Rsa4096 => KeySize::Rsa4096,
        _ => KeySize::Rsa2048,
    };
    let failed = |_| CryptoError::Failed("making an RSA key");
    let pair = backend::rsa::KeyPair::generate(size).map_err(failed)?;
    let pkcs8: Pkcs8V1Der<'static> = pair.as_der().map_err(failed)?;
    Ok((KeyPair::from_rsa(pair), SecretBytes::new(pkcs8.as_ref())))
}

#[cfg(not(feature = "aws-lc-rs"))]
fn backend_rsa(key_type: KeyType) -> Result<(KeyPair, SecretBytes), CryptoError> {
    Err(CryptoError::RingRsa(key_type))
}

/// PKCS#8 version 1 of an EC key with the public key inside (RFC 5958, section 2; RFC 5915, section 3).
/// The backend writes it too, but for that works the coordinates of the public key out again: an
/// inversion, a tenth of what the key cost.
#[cfg(feature = "aws-lc-rs")]
fn ec_pkcs8(public: &PublicKey, scalar: &[u8]) -> SecretBytes {
    // No bit of its last byte is unused.
    let bits = der::element(der::BIT_STRING, &[&[0], public.bits()]);
    let public_key = der::element(der::CONTEXT_1, &[&bits]);
    let private_key = der::secret(der::OCTET_STRING, &[scalar]);
    let key = der::secret(der::SEQUENCE, &[&[der::INTEGER, 1, 1], &private_key, &public_key]);
    let key = der::secret(der::OCTET_STRING, &[&key]);
    let version = [der::INTEGER, 1, 0];
    SecretBytes::new(der::element(
        der::SEQUENCE,
        &[&version, public.algorithm().identifier(), &key],
    ))
}

#[cfg(not(feature = "aws-lc-rs"))]
fn generate_ec(curve: KeyAlgorithm) -> Result<(KeyPair, SecretBytes), CryptoError> {
    let rng = backend::rand::SystemRandom::new();
    let document = sig::EcdsaKeyPair::generate_pkcs8(ec_signing(curve)?, &rng)
        .map_err(|_| CryptoError::Failed("making an EC key"))?;
    let pair = KeyPair::from_ec_pkcs8(curve, document.as_ref())?;
    Ok((pair, SecretBytes::new(document.as_ref())))
}

#[cfg(feature = "aws-lc-rs")]
fn p521_sign_sha256(pkcs8: &[u8], message: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let pair = sig::EcdsaKeyPair::from_pkcs8(&sig::ECDSA_P521_SHA256_ASN1_SIGNING, pkcs8)
        .map_err(|e| CryptoError::BadPrivateKey(Underlying::of(e)))?;
    pair.sign(&backend::rand::SystemRandom::new(), message)
        .map(|s| s.as_ref().to_vec())
        .map_err(|_| CryptoError::Failed("signing with ECDSA"))
}

#[cfg(not(feature = "aws-lc-rs"))]
fn p521_sign_sha256(_: &[u8], _: &[u8]) -> Result<Vec<u8>, CryptoError> {
    Err(CryptoError::Backend { what: "signing with EC P-521".to_owned() })
}

fn ec_signing(curve: KeyAlgorithm) -> Result<&'static sig::EcdsaSigningAlgorithm, CryptoError> {
    match curve {
        KeyAlgorithm::EcP256 => Ok(&sig::ECDSA_P256_SHA256_ASN1_SIGNING),
        KeyAlgorithm::EcP384 => Ok(&sig::ECDSA_P384_SHA384_ASN1_SIGNING),
        #[cfg(feature = "aws-lc-rs")]
        KeyAlgorithm::EcP521 => Ok(&sig::ECDSA_P521_SHA512_ASN1_SIGNING),
        other => Err(CryptoError::Backend { what: format!("signing with {other}") }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BACKEND, Hash};
    use super::*;
    use crate::failure::Failure;

    #[test]
    fn every_available_key_type_signs_and_verifies() {
        for key_type in KeyType::ALL {
            if key_type.check_available().is_err() {
                let refused = KeyPair::generate(key_type).map(|_| ()).unwrap_err();
                match key_type {
                    KeyType::MlDsa(set) => assert_eq!(refused, CryptoError::NoMlDsa(set)),
                    _ => {
                        assert_eq!(BACKEND, "ring", "{key_type}");
                        assert!(matches!(refused, CryptoError::Backend { .. }));
                    }
                }
                continue;
            }
            let (pair, _) = KeyPair::generate(key_type).unwrap();
            let signature = pair.sign(b"message").unwrap();
            let algorithm = pair.signature_algorithm();
            pair.public().verify(algorithm, b"message", &signature).unwrap();
            assert_eq!(
                pair.public().verify(algorithm, b"massage", &signature),
                Err(CryptoError::BadSignature)
            );
            let again = PublicKey::from_spki(pair.public().spki()).unwrap();
            assert_eq!(&again, pair.public());
        }
    }

    #[test]
    fn a_ca_gets_its_rsa_key_from_the_backend_or_none() {
        let made = KeyPair::generate_for_ca(KeyType::Rsa3072);
        if BACKEND == "ring" {
            let error = made.unwrap_err();
            assert_eq!(error, CryptoError::RingRsa(KeyType::Rsa3072));
            assert!(error.hint().unwrap().to_string().contains("EC key"), "{error}");
        } else {
            let (pair, pkcs8) = made.unwrap();
            assert_eq!(pair.public().algorithm(), KeyAlgorithm::Rsa { bits: 3072 });
            let again = KeyPair::from_rsa_pkcs8(pkcs8.expose()).unwrap();
            assert_eq!(again.public(), pair.public());
        }
        let (pair, _) = KeyPair::generate_for_ca(KeyType::EcP384).unwrap();
        assert_eq!(pair.public().algorithm(), KeyAlgorithm::EcP384);
    }

    /// Both of our primes are in the upper half of numbers of their length; of the backend's about one in
    /// seven is below it (FIPS 186-5, A.1.3 asks for the square root of 2). So 64 keys tell who made them,
    /// but for one time in 500 millions.
    #[test]
    fn rsa_keys_are_made_by_whom_it_was_said() {
        let lowest = |maker, count| {
            let tops = (0..count).map(|_| {
                let (_, pkcs8) = KeyPair::generate_by(KeyType::Rsa2048, maker).unwrap();
                rsa::tests::tops_of_primes(pkcs8.expose()).into_iter().min().unwrap()
            });
            tops.min().unwrap()
        };
        assert_eq!(lowest(RsaKeys::Own, 8), 3);
        if BACKEND == "ring" {
            let error = KeyPair::generate_by(KeyType::Rsa2048, RsaKeys::Backend).unwrap_err();
            assert_eq!(error, CryptoError::RingRsa(KeyType::Rsa2048));
        } else {
            assert_eq!(lowest(RsaKeys::Backend, 64), 2);
        }
        // Of other keys there is one maker.
        let (pair, _) = KeyPair::generate_by(KeyType::EcP256, RsaKeys::Backend).unwrap();
        assert_eq!(pair.public().algorithm(), KeyAlgorithm::EcP256);
    }

    /// The backend's own encoder is the other implementation.
    #[cfg(feature = "aws-lc-rs")]
    #[test]
    fn a_new_ec_key_is_written_as_the_backend_writes_it() {
        for key_type in [KeyType::EcP256, KeyType::EcP384, KeyType::EcP521] {
            for _ in 0..20 {
                let (pair, pkcs8) = KeyPair::generate(key_type).unwrap();
                assert!(pair.ec_to_pkcs8().unwrap() == pkcs8, "{key_type}");
            }
        }
    }

    #[test]
    fn every_key_but_ed25519_and_ml_dsa_signs_with_sha256() {
        for key_type in KeyType::ALL.into_iter().filter(|t| t.check_available().is_ok()) {
            let (pair, pkcs8) = KeyPair::generate(key_type).unwrap();
            let Ok(signature) = pair.sign_sha256(&pkcs8, b"code") else {
                assert!(matches!(key_type, KeyType::Ed25519 | KeyType::MlDsa(_)), "{key_type}");
                continue;
            };
            pair.public().verify_sha256(b"code", &signature).unwrap();
            assert!(pair.public().verify_sha256(b"code\n", &signature).is_err(), "{key_type}");
        }
    }

    #[test]
    fn identifiers_round_trip() {
        use x509_parser::prelude::FromDer;
        use x509_parser::x509::AlgorithmIdentifier;
        let hashes = [Hash::Sha256, Hash::Sha384, Hash::Sha512];
        let all = hashes
            .iter()
            .flat_map(|h| {
                [
                    SignatureAlgorithm::RsaPkcs1(*h),
                    SignatureAlgorithm::RsaPss(*h),
                    SignatureAlgorithm::Ecdsa(*h),
                ]
            })
            .chain([SignatureAlgorithm::Ed25519])
            .chain(MlDsa::ALL.map(SignatureAlgorithm::MlDsa));
        for algorithm in all {
            let der = algorithm.identifier();
            let (rest, id) = AlgorithmIdentifier::from_der(&der).unwrap();
            assert!(rest.is_empty());
            assert_eq!(SignatureAlgorithm::from_identifier(&id), Ok(algorithm));
        }
    }

    #[test]
    fn a_signature_of_another_kind_never_matches() {
        let (pair, _) = KeyPair::generate(KeyType::Ed25519).unwrap();
        let signature = pair.sign(b"m").unwrap();
        let wrong = SignatureAlgorithm::Ecdsa(Hash::Sha256);
        assert_eq!(pair.public().verify(wrong, b"m", &signature), Err(CryptoError::BadSignature));
    }
}
