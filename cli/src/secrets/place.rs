//! Where the key of a new CA is kept, and what opens it and the key above it.

use std::path::PathBuf;

use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::key::pkcs11::{KeyUri, TokenKey};
use c8y_pki_core::secret::{ChosenPassword, Password};
use c8y_pki_engine::pki::{Ca, NewKey};
use clap::Args;

use super::parent::{Above, KeyPlaces};
use super::source::Source;
use super::weak::WeakArgs;
use super::{known, uri};
use crate::failure::Result;
use crate::output::Output;

/// Where the key of a new CA is kept.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    /// Make its key in a token, where it stays: the PKCS#11 URI of the new key, for example
    /// pkcs11:token=Factory;object=root [env: C8Y_PKI_PKCS11_MODULE if it has no module-path]
    #[arg(long, value_name = "URI")]
    pub(crate) token: Option<String>,
    /// With --token: the key is there already, use it
    #[arg(long, requires = "token", conflicts_with = "key_type")]
    existing_key: bool,
    /// File whose first line is the password of the new CA's key, or the PIN of its token
    /// [env: C8Y_PKI_CA_PASSWORD, C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_password_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) weak: WeakArgs,
}

/// The place of a new key, before anybody was asked for a secret.
pub(crate) struct Place<'a> {
    args: &'a PlaceArgs,
    uri: Option<KeyUri>,
    key_type: KeyType,
    out: Output,
}

impl<'a> Place<'a> {
    /// `key_type` is that of a key that is to be made.
    pub(crate) fn of(args: &'a PlaceArgs, key_type: KeyType, out: Output) -> Result<Self> {
        let uri = args.token.as_deref().map(uri::parse).transpose()?;
        if uri.is_none() {
            // A token makes its keys itself.
            key_type.check_available_for_ca()?;
        }
        Ok(Self { args, uri, key_type, out })
    }

    fn source(&self) -> Source<'_> {
        let file = self.args.ca_password_file.as_ref();
        match self.uri {
            None => known::ca_key(file),
            Some(_) => known::ca_pin(file, "the token for the new key"),
        }
    }

    /// A new password for a file, the PIN of a token that has one.
    fn ask(&self) -> Result<ChosenPassword> {
        match self.uri {
            None => self.source().chosen(self.args.weak, self.out),
            Some(_) => self.source().existing().map(ChosenPassword::unjudged),
        }
    }

    /// What was given: a new password is judged, a PIN was chosen when its token was set up.
    fn choose(&self, secret: Password) -> Result<ChosenPassword> {
        match self.uri {
            None => self.args.weak.choose(secret, self.out),
            Some(_) => Ok(ChosenPassword::unjudged(secret)),
        }
    }

    /// With its own secret.
    pub(crate) fn ready(self) -> Result<Ready> {
        let secret = self.ask()?;
        self.with(secret)
    }

    /// With its own secret, and that of the key above it.
    pub(crate) fn ready_under(
        self,
        parent: &Ca,
        parent_file: Option<&PathBuf>,
    ) -> Result<(Password, Ready)> {
        let above = Above::of(parent, self.uri.as_ref())?;
        let source = above.source(parent_file, self.args.ca_password_file.as_ref());
        let (secret, own) = match above.places {
            KeyPlaces::OneToken => {
                let pin = source.existing()?;
                (pin.clone(), ChosenPassword::unjudged(pin))
            }
            places => match (source.given()?, self.source().given()?) {
                (None, Some(own)) if places == KeyPlaces::Files => (own.clone(), self.choose(own)?),
                (given, own) => (
                    given.map_or_else(|| source.existing(), Ok)?,
                    own.map_or_else(|| self.ask(), |own| self.choose(own))?,
                ),
            },
        };
        Ok((secret, self.with(own)?))
    }

    /// A token is tried before anything is made: its PIN, and the key or the place for it.
    fn with(self, secret: ChosenPassword) -> Result<Ready> {
        let taken = match &self.uri {
            Some(uri) if self.args.existing_key => Some(TokenKey::open(uri, secret.password())?),
            Some(uri) => {
                TokenKey::check_new(uri, self.key_type, secret.password())?;
                None
            }
            None => None,
        };
        Ok(Ready { uri: self.uri, taken, secret })
    }
}

/// The place of a new key, with the secret that opens it.
pub(crate) struct Ready {
    uri: Option<KeyUri>,
    taken: Option<TokenKey>,
    secret: ChosenPassword,
}

impl Ready {
    pub(crate) fn new_key(&self) -> NewKey<'_> {
        match (&self.taken, &self.uri) {
            (Some(key), _) => NewKey::InToken(key),
            (None, Some(uri)) => NewKey::Token { uri, pin: self.secret.password() },
            (None, None) => NewKey::File(&self.secret),
        }
    }
}
