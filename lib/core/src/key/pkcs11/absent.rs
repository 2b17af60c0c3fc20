//! In a build without the feature `pkcs11`: every token says so.

use std::convert::Infallible;
use std::path::Path;

use super::{KeyUri, Pkcs11Error, TokenContents};
use crate::crypto::{CryptoError, KeyType, PublicKey, SignatureAlgorithm};
use crate::key::signer::Signer;
use crate::secret::Password;

/// A private key in a token. This build knows none.
#[derive(Debug)]
pub struct TokenKey(Infallible);

impl TokenKey {
    /// [`Pkcs11Error::NotBuiltIn`].
    pub fn open(_: &KeyUri, _: &Password) -> Result<Self, Pkcs11Error> {
        Err(Pkcs11Error::NotBuiltIn)
    }

    /// [`Pkcs11Error::NotBuiltIn`].
    pub fn open_for(_: &KeyUri, _: &Password, _: &[&PublicKey]) -> Result<Self, Pkcs11Error> {
        Err(Pkcs11Error::NotBuiltIn)
    }

    /// [`Pkcs11Error::NotBuiltIn`].
    pub fn check_new(_: &KeyUri, _: KeyType, _: &Password) -> Result<(), Pkcs11Error> {
        Err(Pkcs11Error::NotBuiltIn)
    }

    /// [`Pkcs11Error::NotBuiltIn`].
    pub fn generate(_: &KeyUri, _: KeyType, _: &Password) -> Result<Self, Pkcs11Error> {
        Err(Pkcs11Error::NotBuiltIn)
    }

    /// Cannot be called: there is no such key.
    pub fn uri(&self) -> &KeyUri {
        match self.0 {}
    }
}

impl Signer for TokenKey {
    fn public_key(&self) -> &PublicKey {
        match self.0 {}
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.0 {}
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match self.0 {}
    }

    fn sign_sha256(&self, _: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match self.0 {}
    }
}

/// [`Pkcs11Error::NotBuiltIn`].
pub fn is_one_token(_: &KeyUri, _: &KeyUri) -> Result<bool, Pkcs11Error> {
    Err(Pkcs11Error::NotBuiltIn)
}

/// [`Pkcs11Error::NotBuiltIn`].
pub fn list(_: &Path) -> Result<Vec<TokenContents>, Pkcs11Error> {
    Err(Pkcs11Error::NotBuiltIn)
}

/// [`Pkcs11Error::NotBuiltIn`].
pub fn public_keys(_: &KeyUri) -> Result<Vec<PublicKey>, Pkcs11Error> {
    Err(Pkcs11Error::NotBuiltIn)
}
