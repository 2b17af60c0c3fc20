//! Keys in tokens, as the command line names them: a PKCS#11 URI wherever a key's file may stand.

use std::path::{Path, PathBuf};

use c8y_pki::authority::{Ca, CaKey, KeyPlace};
use c8y_pki::cert::Certificate;
use c8y_pki::key::pkcs11::{KeyUri, TokenKey, is_one_token};
use c8y_pki::key::signer::Signer;
use c8y_pki::secret::Password;

use crate::commands::ca::ca_password;
use crate::commands::key::read_key;
use crate::failure::{Failure, Result};
use crate::password::{self, Source};

/// The variable that names a module for URIs that name none.
const MODULE_VARIABLE: &str = "C8Y_PKI_PKCS11_MODULE";

/// Reads a URI. Not done by clap: it would show what it does not take, and that may hold a PIN.
pub(crate) fn uri(text: &str) -> Result<KeyUri> {
    let uri = text.parse::<KeyUri>()?.or_module(module().as_deref());
    Ok(uri.with_module_from(Path::new("")))
}

/// The module for URIs that name none.
pub(crate) fn module() -> Option<PathBuf> {
    std::env::var_os(MODULE_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The URI that stands where the name of a file may stand; none if it is that.
pub(crate) fn as_uri(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| KeyUri::is_meant(text))
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
    match ca.key_place().is_in_token() {
        false => ca_password(file),
        true => pin(file, "--ca-password-file", "the token with the CA's key"),
    }
}

/// Opens the key of a CA, with the secret from where it comes from.
pub(crate) fn unlock(ca: &Ca, file: Option<&PathBuf>) -> Result<CaKey> {
    unlock_with(ca, &ca_secret(ca, file).existing()?)
}

/// Opens the key of a CA.
pub(crate) fn unlock_with(ca: &Ca, secret: &Password) -> Result<CaKey> {
    Ok(ca.unlock_through(secret, module().as_deref())?)
}

/// The URI of a CA's key, if it is in a token, with the module through which it is opened.
pub(crate) fn uri_of(ca: &Ca) -> Option<KeyUri> {
    match ca.key_place() {
        KeyPlace::Token { uri, .. } => Some(uri.clone().or_module(module().as_deref())),
        KeyPlace::File(_) | KeyPlace::Unnamed { .. } => None,
    }
}

/// The private key of `--key FILE|URI`.
pub(crate) fn key(from: &Path, secret_file: Option<&PathBuf>) -> Result<Box<dyn Signer>> {
    match as_uri(from) {
        Some(text) => {
            let option = "--key-password-file";
            Ok(Box::new(open(text, pin(secret_file, option, "the token with the key"))?))
        }
        None => Ok(Box::new(read_key(from, password::of_key(secret_file, "the key"))?)),
    }
}

/// Opens a key in a token.
pub(crate) fn open(text: &str, pin: Source<'_>) -> Result<TokenKey> {
    open_for(text, pin, &[])
}

/// Opens a key in a token, whose public half may be in one of these certificates alone.
pub(crate) fn open_for(text: &str, pin: Source<'_>, beside: &[Certificate]) -> Result<TokenKey> {
    let uri = uri(text)?;
    let known: Vec<_> = beside.iter().filter_map(|cert| cert.public_key.as_ref().ok()).collect();
    Ok(TokenKey::open_for(&uri, &pin.existing()?, &known)?)
}

/// What opens the keys of several CAs: asked for once for those in files, and once for a token. A PIN
/// is for one token: others would count it as a wrong one.
#[derive(Default)]
pub(crate) struct Secrets {
    files: Option<Password>,
    token: Option<(String, KeyUri, Password)>,
}

impl Secrets {
    pub(crate) fn unlock(&mut self, ca: &Ca, file: Option<&PathBuf>) -> Result<CaKey> {
        let Some(uri) = uri_of(ca) else {
            let password = match self.files.take() {
                Some(known) => known,
                None => ca_secret(ca, file).existing()?,
            };
            return unlock_with(ca, self.files.insert(password));
        };
        match &self.token {
            Some((_, known, pin)) if is_one_token(known, &uri)? => unlock_with(ca, pin),
            Some((other, ..)) => Err(Failure::usage(
                format!("the keys of {other} and {} are in different tokens", ca.name),
                "there is one PIN at a time: name them one by one",
            )),
            None => {
                let pin = ca_secret(ca, file).existing()?;
                let key = unlock_with(ca, &pin)?;
                self.token = Some((ca.name.clone(), uri, pin));
                Ok(key)
            }
        }
    }
}
