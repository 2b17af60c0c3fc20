//! A public key that verifies many signatures: it is read once.

use super::backend::signature as sig;
use super::verification::verification;
use super::{CryptoError, PublicKey, SignatureAlgorithm};

/// A public key with the algorithm of the signatures that it verifies.
pub struct Verifier {
    algorithm: SignatureAlgorithm,
    #[cfg(feature = "aws-lc-rs")]
    key: sig::ParsedPublicKey,
    #[cfg(not(feature = "aws-lc-rs"))]
    key: sig::UnparsedPublicKey<Vec<u8>>,
}

impl Verifier {
    /// Reads a key for signatures of the algorithm with which such keys sign here
    /// ([`KeyAlgorithm::signature_algorithm`](super::KeyAlgorithm::signature_algorithm)).
    pub fn new(key: &PublicKey) -> Result<Self, CryptoError> {
        key.check_strength()?;
        let algorithm = key.algorithm().signature_algorithm();
        let verifier = verification(key.algorithm(), algorithm)?;
        #[cfg(feature = "aws-lc-rs")]
        let key = sig::ParsedPublicKey::new(verifier, key.bits())
            .map_err(|_| CryptoError::BadPublicKey("the backend does not take it"))?;
        #[cfg(not(feature = "aws-lc-rs"))]
        let key = sig::UnparsedPublicKey::new(verifier, key.bits().to_vec());
        Ok(Self { algorithm, key })
    }

    /// The algorithm of the signatures that it verifies.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Whether a signature over `message` is the key's.
    pub fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        #[cfg(feature = "aws-lc-rs")]
        return self.key.verify_sig(message, signature).is_ok();
        #[cfg(not(feature = "aws-lc-rs"))]
        return self.key.verify(message, signature).is_ok();
    }
}
