//! Which key can verify which signature.

use super::backend::signature as sig;
use super::{CryptoError, Hash, KeyAlgorithm, SignatureAlgorithm, ml_dsa};

pub(super) fn verification(
    key: KeyAlgorithm,
    algorithm: SignatureAlgorithm,
) -> Result<&'static dyn sig::VerificationAlgorithm, CryptoError> {
    use {Hash::*, KeyAlgorithm as K, SignatureAlgorithm as S};
    Ok(match (key, algorithm) {
        (K::Rsa { .. }, S::RsaPkcs1(Sha256)) => &sig::RSA_PKCS1_2048_8192_SHA256,
        (K::Rsa { .. }, S::RsaPkcs1(Sha384)) => &sig::RSA_PKCS1_2048_8192_SHA384,
        (K::Rsa { .. }, S::RsaPkcs1(Sha512)) => &sig::RSA_PKCS1_2048_8192_SHA512,
        (K::Rsa { .. }, S::RsaPss(Sha256)) => &sig::RSA_PSS_2048_8192_SHA256,
        (K::Rsa { .. }, S::RsaPss(Sha384)) => &sig::RSA_PSS_2048_8192_SHA384,
        (K::Rsa { .. }, S::RsaPss(Sha512)) => &sig::RSA_PSS_2048_8192_SHA512,
        (K::EcP256, S::Ecdsa(Sha256)) => &sig::ECDSA_P256_SHA256_ASN1,
        (K::EcP256, S::Ecdsa(Sha384)) => &sig::ECDSA_P256_SHA384_ASN1,
        (K::EcP384, S::Ecdsa(Sha256)) => &sig::ECDSA_P384_SHA256_ASN1,
        (K::EcP384, S::Ecdsa(Sha384)) => &sig::ECDSA_P384_SHA384_ASN1,
        #[cfg(feature = "aws-lc-rs")]
        (K::EcP256, S::Ecdsa(Sha512)) => &sig::ECDSA_P256_SHA512_ASN1,
        #[cfg(feature = "aws-lc-rs")]
        (K::EcP384, S::Ecdsa(Sha512)) => &sig::ECDSA_P384_SHA512_ASN1,
        #[cfg(feature = "aws-lc-rs")]
        (K::EcP521, S::Ecdsa(Sha256)) => &sig::ECDSA_P521_SHA256_ASN1,
        #[cfg(feature = "aws-lc-rs")]
        (K::EcP521, S::Ecdsa(Sha384)) => &sig::ECDSA_P521_SHA384_ASN1,
        #[cfg(feature = "aws-lc-rs")]
        (K::EcP521, S::Ecdsa(Sha512)) => &sig::ECDSA_P521_SHA512_ASN1,
        #[cfg(not(feature = "aws-lc-rs"))]
        (K::EcP256 | K::EcP384 | K::EcP521, S::Ecdsa(_)) => {
            return Err(CryptoError::Backend { what: format!("verifying {algorithm} with {key}") });
        }
        (K::Ed25519, S::Ed25519) => &sig::ED25519,
        (K::MlDsa(key), S::MlDsa(set)) if key == set => return ml_dsa::verification(set),
        // A signature of one kind never matches a key of another.
        _ => return Err(CryptoError::BadSignature),
    })
}
