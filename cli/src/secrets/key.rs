//! A private key, in a file or a token.

use std::path::{Path, PathBuf};

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::key::pkcs11::{KeyUri, TokenKey};
use c8y_pki_core::key::signer::Signer;
use c8y_pki_core::key::{PrivateKey, read::is_encrypted};
use c8y_pki_core::read::{self as library, ReadError};
use c8y_pki_core::secret::Password;
use c8y_pki_engine::Error;
use c8y_pki_engine::files;

use super::opening::{needs_password, opening};
use super::source::Source;
use super::{known, uri};
use crate::failure::{Failure, Result};

/// Where a key is, as `FILE|URI` says it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum At<'a> {
    File(&'a Path),
    /// The URI, not looked at yet.
    Token(&'a str),
}

impl<'a> At<'a> {
    pub(crate) fn of(named: &'a Path) -> Self {
        match named.to_str().filter(|text| KeyUri::is_meant(text)) {
            Some(text) => Self::Token(text),
            None => Self::File(named),
        }
    }
}

/// A key that was opened.
pub(crate) enum Opened {
    File(PrivateKey),
    Token(TokenKey),
}

/// The key that a command is about (`--password-file`).
pub(crate) fn opened(named: &Path, file: Option<&PathBuf>) -> Result<Opened> {
    match At::of(named) {
        At::File(path) => read(path, known::own_key(file, "the key")).map(Opened::File),
        At::Token(text) => open(text, known::own_pin(file), &[]).map(Opened::Token),
    }
}

/// The private key of `--key FILE|URI`, by which something is signed.
pub(crate) fn signer(named: &Path, file: Option<&PathBuf>) -> Result<Box<dyn Signer>> {
    match At::of(named) {
        At::File(path) => Ok(Box::new(read(path, known::key(file, "the key"))?)),
        At::Token(text) => Ok(Box::new(open(text, known::key_pin(file), &[])?)),
    }
}

/// The key in a token of `--key URI`, whose public half may be in one of these certificates alone.
pub(crate) fn open_for(
    text: &str,
    file: Option<&PathBuf>,
    beside: &[Certificate],
) -> Result<TokenKey> {
    open(text, known::key_pin(file), beside)
}

fn open(text: &str, pin: Source<'_>, beside: &[Certificate]) -> Result<TokenKey> {
    let uri = uri::parse(text)?;
    let known: Vec<_> = beside.iter().filter_map(|cert| cert.public_key.as_ref().ok()).collect();
    let opened = TokenKey::open_for(&uri, &pin.existing()?, &known);
    pin.named_in(opened.map_err(Failure::from))
}

/// Reads a private key; its password is asked for only if it has one.
pub(crate) fn read(path: &Path, source: Source<'_>) -> Result<PrivateKey> {
    // It is not shown: somebody may have put a PIN into it.
    if let At::Token(_) = At::of(path) {
        return Err(Failure::usage(
            "a key in a token has no file to read or to write",
            "its PIN is changed with the tool of the token's maker",
        ));
    }
    let bytes = files::read_small(path)?;
    let read = read_bytes(&bytes, source)?
        .map(|(key, _)| key)
        .map_err(|e| Failure::from(Error::from(e).in_file(path.display().to_string())));
    // A plain key fails for another reason.
    if is_encrypted(&bytes) || library::is_store(&bytes) { source.named_in(read) } else { read }
}

/// The key in bytes, and the password that opened it, if it has one.
pub(crate) fn read_bytes(
    bytes: &[u8],
    source: Source<'_>,
) -> Result<std::result::Result<(PrivateKey, Option<Password>), ReadError>> {
    if library::is_store(bytes) {
        let open = |password: Option<&Password>| {
            library::key(bytes, password).map(|key| (key, password.cloned()))
        };
        return opening(source, open, needs_password);
    }
    let password = if is_encrypted(bytes) { Some(source.existing()?) } else { None };
    Ok(library::key(bytes, password.as_ref()).map(|key| (key, password)))
}
