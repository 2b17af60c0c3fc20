//! Where the key of a new CA is kept, and what opens it and the key above it.

use std::path::PathBuf;

use c8y_pki::authority::{Ca, KeyPlace, NewKey};
use c8y_pki::crypto::KeyType;
use c8y_pki::key::pkcs11::{self, KeyUri, TokenKey};
use c8y_pki::secret::Password;
use clap::Args;

use super::ca_password;
use crate::failure::Result;
use crate::password::Source;
use crate::token;

/// Where the key of a new CA is kept.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    /// Make its key in a token, where it stays: the PKCS#11 URI of the new key, for example
    /// pkcs11:token=Factory;object=root [env: C8Y_PKI_PKCS11_MODULE if it has no module-path]
    #[arg(long, value_name = "URI")]
    pub(super) token: Option<String>,
    /// With --token: the key is there already, use it
    #[arg(long, requires = "token", conflicts_with = "key_type")]
    existing_key: bool,
    /// File whose first line is the password of the new CA's key, or the PIN of its token
    /// [env: C8Y_PKI_CA_PASSWORD, C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE")]
    pub(super) ca_password_file: Option<PathBuf>,
}

/// The place of a new key, before anybody was asked for a secret.
pub(super) struct Place<'a> {
    args: &'a PlaceArgs,
    uri: Option<KeyUri>,
    key_type: KeyType,
}

impl<'a> Place<'a> {
    /// `key_type` is that of a key that is to be made.
    pub(super) fn of(args: &'a PlaceArgs, key_type: KeyType) -> Result<Self> {
        let uri = match &args.token {
            Some(text) => Some(pkcs11::with_token(&token::uri(text)?)?),
            None => None,
        };
        Ok(Self { args, uri, key_type })
    }

    fn source(&self) -> Source<'_> {
        let file = self.args.ca_password_file.as_ref();
        match self.uri {
            None => ca_password(file),
            Some(_) => token::pin(file, "--ca-password-file", "the token for the new key"),
        }
    }

    /// A new password for a file, the PIN of a token that has one.
    fn ask(&self) -> Result<Password> {
        match self.uri {
            None => self.source().new_one(),
            Some(_) => self.source().existing(),
        }
    }

    /// With its own secret.
    pub(super) fn ready(self) -> Result<Ready> {
        let secret = self.ask()?;
        self.with(secret)
    }

    /// With its own secret, and that of the key above it. In files, the password of the new key opens
    /// that above too, unless another is given. A token has one PIN for both, and a PIN opens nothing
    /// else: a token counts wrong ones.
    pub(super) fn ready_under(
        self,
        parent: &Ca,
        parent_file: Option<&PathBuf>,
    ) -> Result<(Password, Ready)> {
        let what = secret_of(parent);
        let is_shared = match (parent.key_place(), &self.uri) {
            (KeyPlace::File(_), None) => true,
            (KeyPlace::Token { uri, .. }, Some(new)) => uri.is_same_token(new),
            _ => false,
        };
        let both_in_tokens = parent.key_place().is_in_token() && self.uri.is_some();
        let above = match parent_secret(parent, parent_file, &what) {
            // C8Y_PKI_TOKEN_PIN is that of the new key's token.
            source if both_in_tokens && !is_shared => {
                Source { variable: "C8Y_PKI_PARENT_PIN", ..source }
            }
            source => source,
        };
        let (above, own) = match (above.given()?, self.source().given()?) {
            (None, Some(own)) if is_shared => (own.clone(), own),
            (Some(above), None) if is_shared && both_in_tokens => (above.clone(), above),
            (None, None) if is_shared && both_in_tokens => {
                let pin = above.existing()?;
                (pin.clone(), pin)
            }
            (given, own) => {
                (given.map_or_else(|| above.existing(), Ok)?, own.map_or_else(|| self.ask(), Ok)?)
            }
        };
        Ok((above, self.with(own)?))
    }

    /// A token is tried before anything is made: its PIN, and the key or the place for it.
    fn with(self, secret: Password) -> Result<Ready> {
        let taken = match &self.uri {
            Some(uri) if self.args.existing_key => Some(TokenKey::open(uri, &secret)?),
            Some(uri) => {
                TokenKey::check_new(uri, self.key_type, &secret)?;
                None
            }
            None => None,
        };
        Ok(Ready { uri: self.uri, taken, secret })
    }
}

/// The place of a new key, with the secret that opens it.
pub(super) struct Ready {
    uri: Option<KeyUri>,
    taken: Option<TokenKey>,
    secret: Password,
}

impl Ready {
    pub(super) fn new_key(&self) -> NewKey<'_> {
        match (&self.taken, &self.uri) {
            (Some(key), _) => NewKey::InToken(key),
            (None, Some(uri)) => NewKey::Token { uri, pin: &self.secret },
            (None, None) => NewKey::File(&self.secret),
        }
    }
}

/// Whether one secret may stand for the keys of both: in files, or in one token.
pub(super) fn have_one_secret(ca: &Ca, parent: &Ca) -> bool {
    match (ca.key_place(), parent.key_place()) {
        (KeyPlace::File(_), KeyPlace::File(_)) => true,
        (KeyPlace::Token { uri, .. }, KeyPlace::Token { uri: above, .. }) => {
            uri.is_same_token(above)
        }
        _ => false,
    }
}

/// What opens the key of the CA above is called in messages.
pub(super) fn secret_of(parent: &Ca) -> String {
    match parent.key_place().is_in_token() {
        false => format!("the key of {}", parent.name),
        true => format!("the token with the key of {}", parent.name),
    }
}

/// What opens the key of the CA above; `what` is [`secret_of`] it.
pub(super) fn parent_secret<'a>(
    parent: &Ca,
    file: Option<&'a PathBuf>,
    what: &'a str,
) -> Source<'a> {
    const OPTION: &str = "--parent-password-file";
    match parent.key_place().is_in_token() {
        false => Source {
            file,
            option: OPTION,
            variable: "C8Y_PKI_PARENT_PASSWORD",
            noun: "password",
            what,
        },
        true => token::pin(file, OPTION, what),
    }
}
