//! The key of a CA that exists: its file's password, or its token's PIN.

use std::path::PathBuf;

use c8y_pki_core::key::pkcs11::{KeyUri, is_one_token};
use c8y_pki_core::secret::Password;
use c8y_pki_engine::pki::{Ca, CaKey, KeyPlace};

use super::source::Source;
use super::{known, uri};
use crate::failure::{Failure, Result};

/// What opens the key of a CA that exists.
pub(super) fn secret<'a>(ca: &Ca, file: Option<&'a PathBuf>) -> Source<'a> {
    match ca.key_place().is_in_token() {
        false => known::ca_key(file),
        true => known::ca_pin(file, "the token with the CA's key"),
    }
}

/// Opens the key of a CA, with the secret from where it comes from.
pub(crate) fn unlock(ca: &Ca, file: Option<&PathBuf>) -> Result<CaKey> {
    ca.check_has_key()?;
    let source = secret(ca, file);
    source.named_in(unlock_with(ca, &source.existing()?))
}

/// Opens the key of a CA.
pub(crate) fn unlock_with(ca: &Ca, secret: &Password) -> Result<CaKey> {
    Ok(ca.unlock_through(secret, uri::module().as_deref())?)
}

/// The URI of a CA's key, if it is in a token, with the module through which it is opened.
pub(super) fn uri_of(ca: &Ca) -> Option<KeyUri> {
    match ca.key_place() {
        KeyPlace::Token { uri, .. } => Some(uri.clone().or_module(uri::module().as_deref())),
        KeyPlace::File(_) | KeyPlace::Unnamed { .. } => None,
    }
}

/// What opens the keys of several CAs: asked for once for those in files, and once for a token. A PIN
/// is for one token: others would count it as a wrong one.
#[derive(Default)]
pub(crate) struct Unlocked {
    files: Option<Password>,
    token: Option<(String, KeyUri, Password)>,
}

impl Unlocked {
    pub(crate) fn unlock(&mut self, ca: &Ca, file: Option<&PathBuf>) -> Result<CaKey> {
        ca.check_has_key()?;
        let Some(uri) = uri_of(ca) else {
            let source = secret(ca, file);
            let password = match self.files.take() {
                Some(known) => known,
                None => source.existing()?,
            };
            return source.named_in(unlock_with(ca, self.files.insert(password)));
        };
        match &self.token {
            Some((_, known, pin)) if is_one_token(known, &uri)? => unlock_with(ca, pin),
            Some((other, ..)) => Err(Failure::usage(
                format!("the keys of {other} and {} are in different tokens", ca.name),
                "there is one PIN at a time: name them one by one",
            )),
            None => {
                let source = secret(ca, file);
                let pin = source.existing()?;
                let key = source.named_in(unlock_with(ca, &pin))?;
                self.token = Some((ca.name.clone(), uri, pin));
                Ok(key)
            }
        }
    }
}
