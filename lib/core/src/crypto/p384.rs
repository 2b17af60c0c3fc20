//! ECDSA on P-384 with SHA-256 (FIPS 186-5, 6.4.1), which neither backend can make: they tie the
//! curve to SHA-384. The platform's proof of possession wants SHA-256 from every key. The nonce is
//! derived from key and message (RFC 6979).

use p384::ecdsa::signature::hazmat::PrehashSigner;
use p384::ecdsa::{DerSignature, SigningKey};
use p384::pkcs8::DecodePrivateKey;

use super::{CryptoError, sha256};
use crate::failure::Underlying;

/// Signs with a key in PKCS#8; the signature is DER.
pub(super) fn sign_sha256(pkcs8: &[u8], message: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let key = SigningKey::from_pkcs8_der(pkcs8)
        .map_err(|e| CryptoError::BadPrivateKey(Underlying::of(e)))?;
    let signature: DerSignature = key
        .sign_prehash(&sha256(message))
        .map_err(|_| CryptoError::Failed("signing with ECDSA"))?;
    Ok(signature.as_bytes().to_vec())
}
