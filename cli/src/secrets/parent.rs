//! The key of the CA above another one: whose password opens it, whose PIN.

use std::path::PathBuf;

use c8y_pki_core::key::pkcs11::{KeyUri, is_one_token};
use c8y_pki_core::secret::Password;
use c8y_pki_engine::pki::Ca;

use super::source::Source;
use super::{ca, known};
use crate::failure::Result;

/// What the keys of a CA and of the one above it have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyPlaces {
    /// Both are in files: the password of the lower one opens both, unless another is given.
    Files,
    /// Both are in one token, which has one PIN.
    OneToken,
    /// Each is in a token of its own. What is given for one is never tried at the other, since a token
    /// counts wrong PINs.
    TwoTokens,
    /// The upper one is in a token, the lower one in a file.
    UpperInToken,
    /// The upper one is in a file, the lower one in a token.
    LowerInToken,
}

impl KeyPlaces {
    /// `own` is the URI of the lower key, if that is in a token.
    fn of(parent: &Ca, own: Option<&KeyUri>) -> Result<Self> {
        let is_in_token = parent.key_place().is_in_token();
        Ok(match (ca::uri_of(parent), own) {
            (Some(above), Some(own)) if is_one_token(&above, own)? => Self::OneToken,
            (Some(_), Some(_)) => Self::TwoTokens,
            _ if is_in_token => Self::UpperInToken,
            (_, Some(_)) => Self::LowerInToken,
            (_, None) => Self::Files,
        })
    }
}

/// The key of the CA above.
pub(super) struct Above {
    pub(super) places: KeyPlaces,
    what: String,
}

impl Above {
    /// `own` is the URI of the lower key, if that is in a token.
    pub(super) fn of(parent: &Ca, own: Option<&KeyUri>) -> Result<Self> {
        parent.check_has_key()?;
        let what = match parent.key_place().is_in_token() {
            false => format!("the key of {}", parent.name),
            true => format!("the token with the key of {}", parent.name),
        };
        Ok(Self { places: KeyPlaces::of(parent, own)?, what })
    }

    #[cfg(test)]
    pub(super) fn with(places: KeyPlaces, what: &str) -> Self {
        Self { places, what: what.to_owned() }
    }

    /// Where its secret comes from. In one token the file given for the lower key does too.
    pub(super) fn source<'a>(
        &'a self,
        file: Option<&'a PathBuf>,
        own_file: Option<&'a PathBuf>,
    ) -> Source<'a> {
        match self.places {
            KeyPlaces::OneToken => known::parent_pin(file.or(own_file), &self.what),
            KeyPlaces::TwoTokens => known::second_pin(file, &self.what),
            KeyPlaces::UpperInToken => known::parent_pin(file, &self.what),
            KeyPlaces::Files | KeyPlaces::LowerInToken => known::parent_key(file, &self.what),
        }
    }
}

/// What opens the key that signs for a CA once more: its parent's, or a root's own.
pub(crate) fn signing_secret(
    ca: &Ca,
    parent: Option<&Ca>,
    own_file: Option<&PathBuf>,
    parent_file: Option<&PathBuf>,
) -> Result<Password> {
    let own = ca::secret(ca, own_file);
    let Some(parent) = parent else {
        ca.check_has_key()?;
        return own.existing();
    };
    let above = Above::of(parent, ca::uri_of(ca).as_ref())?;
    above_or_own(above.source(parent_file, own_file), own, above.places)
}

/// The secret of the key above: of two keys in files the lower one's password does too.
pub(super) fn above_or_own(
    above: Source<'_>,
    own: Source<'_>,
    places: KeyPlaces,
) -> Result<Password> {
    match (above.given()?, places) {
        (Some(secret), _) => Ok(secret),
        (None, KeyPlaces::Files) => own.given()?.map_or_else(|| above.existing(), Ok),
        (None, _) => above.existing(),
    }
}
