//! Where the key of a new CA is kept, and what opens it and the key above it.

use std::path::PathBuf;

use c8y_pki::authority::{Ca, NewKey};
use c8y_pki::crypto::KeyType;
use c8y_pki::key::pkcs11::{KeyUri, TokenKey, is_one_token};
use c8y_pki::secret::{ChosenPassword, Password};
use clap::Args;

use super::ca_password;
use crate::failure::Result;
use crate::output::Output;
use crate::password::{Source, WeakArgs};
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
    #[command(flatten)]
    pub(super) weak: WeakArgs,
}

/// The place of a new key, before anybody was asked for a secret.
pub(super) struct Place<'a> {
    args: &'a PlaceArgs,
    uri: Option<KeyUri>,
    key_type: KeyType,
    out: Output,
}

impl<'a> Place<'a> {
    /// `key_type` is that of a key that is to be made.
    pub(super) fn of(args: &'a PlaceArgs, key_type: KeyType, out: Output) -> Result<Self> {
        let uri = args.token.as_deref().map(token::uri).transpose()?;
        if uri.is_none() {
            // A token makes its keys itself.
            key_type.check_available_for_ca()?;
        }
        Ok(Self { args, uri, key_type, out })
    }

    fn source(&self) -> Source<'_> {
        let file = self.args.ca_password_file.as_ref();
        match self.uri {
            None => ca_password(file),
            Some(_) => token::pin(file, "--ca-password-file", "the token for the new key"),
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
    pub(super) fn ready(self) -> Result<Ready> {
        let secret = self.ask()?;
        self.with(secret)
    }

    /// With its own secret, and that of the key above it.
    pub(super) fn ready_under(
        self,
        parent: &Ca,
        parent_file: Option<&PathBuf>,
    ) -> Result<(Password, Ready)> {
        let above = Above::of(parent, self.uri.as_ref())?;
        let source = above.source(parent_file, self.args.ca_password_file.as_ref());
        let (secret, own) = match above.bond {
            Bond::OneToken => {
                let pin = source.existing()?;
                (pin.clone(), ChosenPassword::unjudged(pin))
            }
            bond => match (source.given()?, self.source().given()?) {
                (None, Some(own)) if bond == Bond::Files => (own.clone(), self.choose(own)?),
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
pub(super) struct Ready {
    uri: Option<KeyUri>,
    taken: Option<TokenKey>,
    secret: ChosenPassword,
}

impl Ready {
    pub(super) fn new_key(&self) -> NewKey<'_> {
        match (&self.taken, &self.uri) {
            (Some(key), _) => NewKey::InToken(key),
            (None, Some(uri)) => NewKey::Token { uri, pin: self.secret.password() },
            (None, None) => NewKey::File(&self.secret),
        }
    }
}

/// What the keys of a CA and of the one above it have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bond {
    /// Both are in files: the password of the lower one opens both, unless another is given.
    Files,
    /// Both are in one token, which has one PIN.
    OneToken,
    /// Each is in a token of its own. What is given for one is never tried at the other, since a token
    /// counts wrong PINs.
    TwoTokens,
    /// One is in a file, the other in a token.
    Mixed,
}

/// The key of the CA above.
pub(super) struct Above {
    pub(super) bond: Bond,
    what: String,
    is_in_token: bool,
}

impl Above {
    /// `own` is the URI of the lower key, if that is in a token.
    pub(super) fn of(parent: &Ca, own: Option<&KeyUri>) -> Result<Self> {
        let is_in_token = parent.key_place().is_in_token();
        let bond = match (token::uri_of(parent), own) {
            (Some(above), Some(own)) if is_one_token(&above, own)? => Bond::OneToken,
            (Some(_), Some(_)) => Bond::TwoTokens,
            _ if is_in_token || own.is_some() => Bond::Mixed,
            _ => Bond::Files,
        };
        let what = match is_in_token {
            false => format!("the key of {}", parent.name),
            true => format!("the token with the key of {}", parent.name),
        };
        Ok(Self { bond, what, is_in_token })
    }

    /// Where its secret comes from. In one token the file given for the lower key does too.
    pub(super) fn source<'a>(
        &'a self,
        file: Option<&'a PathBuf>,
        own_file: Option<&'a PathBuf>,
    ) -> Source<'a> {
        const OPTION: &str = "--parent-password-file";
        let what = &self.what;
        match self.bond {
            Bond::OneToken => token::pin(file.or(own_file), OPTION, what),
            Bond::TwoTokens => {
                Source { variable: "C8Y_PKI_PARENT_PIN", ..token::pin(file, OPTION, what) }
            }
            Bond::Mixed if self.is_in_token => token::pin(file, OPTION, what),
            Bond::Files | Bond::Mixed => Source {
                file,
                option: OPTION,
                variable: "C8Y_PKI_PARENT_PASSWORD",
                noun: "password",
                what,
            },
        }
    }
}
