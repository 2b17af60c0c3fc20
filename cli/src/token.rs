//! Keys in tokens, as the command line names them: a PKCS#11 URI wherever a key's file may stand.

use std::path::{Path, PathBuf};

use c8y_pki::authority::{Ca, KeyPlace};
use c8y_pki::key::pkcs11::{KeyUri, TokenKey};
use c8y_pki::key::signer::Signer;

use crate::commands::ca::ca_password;
use crate::commands::key::read_key;
use crate::failure::Result;
use crate::password::{self, Source};

/// The variable that names a module for URIs that name none.
pub(crate) const MODULE_VARIABLE: &str = "C8Y_PKI_PKCS11_MODULE";

/// Reads a URI. Not done by clap: it would show what it does not take, and that may hold a PIN.
pub(crate) fn uri(text: &str) -> Result<KeyUri> {
    let module = std::env::var_os(MODULE_VARIABLE).filter(|v| !v.is_empty()).map(PathBuf::from);
    Ok(text.parse::<KeyUri>()?.or_module(module.as_deref()))
}

/// The PIN of a token; `option` names its file.
pub(crate) fn pin<'a>(
    file: Option<&'a PathBuf>,
    option: &'static str,
    what: &'a str,
) -> Source<'a> {
    Source { file, option, variable: "C8Y_PKI_TOKEN_PIN", noun: "PIN", what }
}

/// What opens the key of a CA that exists: its file's password or its token's PIN.
pub(crate) fn ca_secret<'a>(ca: &Ca, file: Option<&'a PathBuf>) -> Source<'a> {
    match ca.key_place() {
        KeyPlace::File(_) => ca_password(file),
        KeyPlace::Token { .. } => pin(file, "--ca-password-file", "the token with the CA's key"),
    }
}

/// The private key of `--key FILE|URI`.
pub(crate) fn key(from: &Path, secret_file: Option<&PathBuf>) -> Result<Box<dyn Signer>> {
    match from.to_str().filter(|text| KeyUri::is_meant(text)) {
        Some(text) => Ok(Box::new(open(&uri(text)?, secret_file)?)),
        None => Ok(Box::new(read_key(from, password::of_key(secret_file, "the key"))?)),
    }
}

/// Opens a key in a token; the file, if any, is that of `--key-password-file`.
pub(crate) fn open(uri: &KeyUri, secret_file: Option<&PathBuf>) -> Result<TokenKey> {
    let pin = pin(secret_file, "--key-password-file", "the token with the key").existing()?;
    Ok(TokenKey::open(uri, &pin)?)
}
