//! What signs certificates, CRLs and proofs: a key in memory, or one in a token (`pkcs11`).

use super::PrivateKey;
use crate::crypto::{CryptoError, PublicKey, SignatureAlgorithm};

/// A private key that signs without showing itself.
pub trait Signer: std::fmt::Debug + Send + Sync {
    /// The public half.
    fn public_key(&self) -> &PublicKey;

    /// The one algorithm with which this key signs.
    fn algorithm(&self) -> SignatureAlgorithm;

    /// Signs the message (not its hash) with [`Signer::algorithm`]. ECDSA comes as DER.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError>;

    /// Signs the message with SHA-256 whatever the key's strength, as the platform's proof of
    /// possession wants: RSA with PKCS#1 v1.5, ECDSA in DER. [`CryptoError::NoSha256`] for keys
    /// that have no such signature (Ed25519, ML-DSA).
    fn sign_sha256(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError>;
}

impl<T: Signer + ?Sized> Signer for &T {
    fn public_key(&self) -> &PublicKey {
        (**self).public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        (**self).algorithm()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        (**self).sign(message)
    }

    fn sign_sha256(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        (**self).sign_sha256(message)
    }
}

impl Signer for PrivateKey {
    fn public_key(&self) -> &PublicKey {
        self.pair.public()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.pair.signature_algorithm()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.pair.sign(message)
    }

    fn sign_sha256(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.pair.sign_sha256(&self.pkcs8, message)
    }
}
