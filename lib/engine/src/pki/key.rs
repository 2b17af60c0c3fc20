//! Where a CA's key is: in a file of its directory, encrypted, or in a token that a file names.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{AuthorityError, Result};
use crate::crypto::{CryptoError, KeyType, PublicKey, SignatureAlgorithm};
use crate::files;
use crate::key::pkcs11::{KeyUri, Pkcs11Error, TokenKey};
use crate::key::signer::Signer;
use crate::key::{CA_ITERATIONS, PrivateKey};
use crate::secret::{ChosenPassword, Password, SecretBytes};

/// The file of an encrypted key.
const KEY_FILE: &str = "key.pem";
/// The file with the PKCS#11 URI of a key in a token.
const URI_FILE: &str = "key.uri";

/// Where a CA's key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// In this file, encrypted. Its password opens it.
    File(PathBuf),
    /// In a token. The token's PIN opens it.
    Token {
        /// The key.
        uri: KeyUri,
        /// The file that says so.
        path: PathBuf,
    },
    /// In a token, by a file that does not name one.
    Unnamed {
        /// What is wrong with its text.
        problem: Pkcs11Error,
        /// The file.
        path: PathBuf,
    },
}

impl KeyPlace {
    /// Looks into a CA's directory. Where there is neither file, it is the key's that is missing.
    pub(super) fn in_dir(dir: &Path) -> Result<Self> {
        let path = dir.join(URI_FILE);
        if !path.exists() {
            return Ok(Self::File(dir.join(KEY_FILE)));
        }
        let bytes = files::read(&path)?;
        let text = String::from_utf8_lossy(&bytes);
        // What is wrong with one key is no concern of other CAs: it is said when the key is used.
        match text.trim().parse() {
            Ok(uri) => Ok(Self::Token { uri, path }),
            Err(problem) => Ok(Self::Unnamed { problem, path }),
        }
    }

    /// What is wrong with it, without opening it.
    pub(super) fn problem(&self) -> Option<String> {
        let path = self.path();
        let beside = path.with_file_name(KEY_FILE);
        match self {
            _ if !path.exists() => Some(format!("there is no key: {}", path.display())),
            Self::File(_) => None,
            Self::Unnamed { problem, .. } => Some(format!("{}: {problem}", path.display())),
            Self::Token { .. } if beside.exists() => {
                Some(format!("its key is in a token, and there is {}", beside.display()))
            }
            Self::Token { .. } => None,
        }
    }

    /// Whether it is in a token.
    pub fn is_in_token(&self) -> bool {
        !matches!(self, Self::File(_))
    }

    /// The file in the CA's directory.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Token { path, .. } | Self::Unnamed { path, .. } => path,
        }
    }

    /// Opens it: with the file's password, or the token's PIN; through this module, if the file names
    /// none. `own` is the public key of its certificate, which a token may not have.
    pub(super) fn open(
        &self,
        secret: &Password,
        module: Option<&Path>,
        own: Option<&PublicKey>,
    ) -> Result<Box<dyn Signer>> {
        match self {
            Self::File(path) => {
                let bytes = files::read(path)?;
                let key = PrivateKey::read(&bytes, Some(secret));
                let key =
                    key.map_err(|source| AuthorityError::Key { path: path.clone(), source })?;
                Ok(Box::new(key))
            }
            Self::Token { uri, path } => {
                let key =
                    TokenKey::open_for(&uri.clone().or_module(module), secret, own.as_slice());
                let key =
                    key.map_err(|source| AuthorityError::KeyUri { path: path.clone(), source })?;
                Ok(Box::new(key))
            }
            Self::Unnamed { problem, path } => {
                Err(AuthorityError::KeyUri { path: path.clone(), source: problem.clone() })
            }
        }
    }
}

/// A CA's key, ready to sign, wherever it is. Threads can share it.
pub struct CaKey {
    ca: String,
    signer: Box<dyn Signer>,
}

impl CaKey {
    pub(super) fn new(ca: &str, signer: Box<dyn Signer>) -> Self {
        Self { ca: ca.to_owned(), signer }
    }

    /// The name of the CA whose key it is.
    pub fn ca(&self) -> &str {
        &self.ca
    }
}

impl fmt::Debug for CaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CaKey({}, {})", self.ca, self.signer.public_key().algorithm())
    }
}

impl Signer for CaKey {
    fn public_key(&self) -> &PublicKey {
        self.signer.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.signer.algorithm()
    }

    fn sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, CryptoError> {
        self.signer.sign(message)
    }

    fn sign_sha256(&self, message: &[u8]) -> std::result::Result<Vec<u8>, CryptoError> {
        self.signer.sign_sha256(message)
    }
}

/// Where the key of a new CA comes from.
#[derive(Debug, Clone, Copy)]
pub enum NewKey<'a> {
    /// It is made, and kept in a file under this password.
    File(&'a ChosenPassword),
    /// It is made in a token and stays there.
    Token {
        /// What it is to be called; see [`TokenKey::generate`].
        uri: &'a KeyUri,
        /// The token's PIN.
        pin: &'a Password,
    },
    /// It is in a token already.
    InToken(&'a TokenKey),
}

/// The key of a CA that was made elsewhere.
#[derive(Debug, Clone, Copy)]
pub enum OwnKey<'a> {
    /// It will be kept in a file under this password.
    File(&'a PrivateKey, &'a ChosenPassword),
    /// It is in a token and stays there.
    InToken(&'a TokenKey),
}

/// A key for the directory of a CA: what signs, and the file that keeps it.
pub(super) struct StoredKey<'a> {
    pub(super) signer: Box<dyn Signer + 'a>,
    pub(super) file: &'static str,
    pub(super) bytes: SecretBytes,
}

impl<'a> StoredKey<'a> {
    fn in_file(key: impl Signer + 'a, bytes: SecretBytes) -> Self {
        Self { signer: Box::new(key), file: KEY_FILE, bytes }
    }

    fn in_token(key: impl Signer + 'a, uri: &KeyUri) -> Self {
        let bytes = SecretBytes::new(format!("{uri}\n").into_bytes());
        Self { signer: Box::new(key), file: URI_FILE, bytes }
    }
}

impl<'a> NewKey<'a> {
    pub(super) fn make(self, key_type: KeyType) -> Result<StoredKey<'a>> {
        match self {
            Self::File(password) => {
                let key = PrivateKey::generate_for_ca(key_type)?;
                let bytes = key.to_encrypted_pem(password.password(), CA_ITERATIONS)?;
                Ok(StoredKey::in_file(key, bytes))
            }
            Self::Token { uri, pin } => {
                let key = TokenKey::generate(uri, key_type, pin)?;
                let uri = key.uri().clone();
                Ok(StoredKey::in_token(key, &uri))
            }
            Self::InToken(key) => Ok(StoredKey::in_token(key, key.uri())),
        }
    }
}

impl<'a> OwnKey<'a> {
    /// Its public half.
    pub fn public_key(&self) -> &PublicKey {
        match self {
            Self::File(key, _) => key.public_key(),
            Self::InToken(key) => key.public_key(),
        }
    }

    pub(super) fn keep(self) -> Result<StoredKey<'a>> {
        match self {
            Self::File(key, password) => {
                let bytes = key.to_encrypted_pem(password.password(), CA_ITERATIONS)?;
                Ok(StoredKey::in_file(key, bytes))
            }
            Self::InToken(key) => Ok(StoredKey::in_token(key, key.uri())),
        }
    }
}
