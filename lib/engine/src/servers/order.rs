//! What a server's certificate is to be, and whether it can be.

use super::error::{Result, ServerError};
use crate::cert::{AltName, MAX_ALT_NAMES};
use crate::client_id::is_kept_by_windows;
use crate::crypto::{KeyType, PublicKey};
use crate::issue::BeyondIssuer;
use crate::key::PrivateKey;
use crate::name::{Name, NameBuilder, find_field};
use crate::profile::{Kind, Profile};
use crate::provision::ProvisionError;
use crate::provision::bundle::{self, Bundle};
use crate::registry::{Record, ServerName};
use crate::secret::SecretBytes;

/// What a server's certificate is to be.
#[derive(Debug, Clone, Copy)]
pub struct ServerOrder<'a> {
    /// The server, which is the common name.
    pub name: &'a ServerName,
    /// The profile, of kind `server`.
    pub profile: &'a Profile,
    /// Fields of the subject besides the common name.
    pub subject: &'a NameBuilder,
    /// The names beside the subject, by which clients know the server: [`names_for`].
    pub alt_names: &'a [AltName],
    /// Validity in days, in place of the profile's.
    pub days: Option<u32>,
    /// What to do with a validity that ends after the CA's.
    pub beyond_issuer: BeyondIssuer,
    /// Its key.
    pub key: ServerKey<'a>,
    /// The key as it was read from a file that is encrypted, to be written again as it is.
    pub key_pem: Option<&'a SecretBytes>,
    /// The certificate whose place it takes, and whether that one is revoked.
    pub replaces: Option<(&'a Record, bool)>,
}

/// Where a server's key comes from.
#[derive(Debug, Clone, Copy)]
pub enum ServerKey<'a> {
    /// It is made.
    New,
    /// It is here already.
    Own(&'a PrivateKey),
    /// It is with the server, which has proved that it has it.
    Requested(&'a PublicKey),
}

/// The files that a server gets.
#[derive(Debug, Clone, Copy)]
pub struct ServerFiles<'a> {
    /// Their kinds.
    pub kinds: &'a [Bundle],
    /// Whether `key.pem` is encrypted anew.
    pub encrypts_key: bool,
}

impl ServerFiles<'_> {
    /// Refuses what cannot be made. Truststores hold the root above the server, so there is something to put in.
    pub(super) fn check(&self, order: &ServerOrder<'_>) -> Result {
        if self.kinds.contains(&Bundle::ThinEdge) {
            return Err(ServerError::ThinEdge { name: order.name.clone() });
        }
        bundle::check(self.kinds, true, self.encrypts_key)?;
        match order.key {
            // Its files are certificates.
            ServerKey::Requested(_) => Ok(()),
            ServerKey::New => self.check_keys(order.profile.key),
            ServerKey::Own(key) => {
                KeyType::of(key.public_key().algorithm()).map_or(Ok(()), |key| self.check_keys(key))
            }
        }
    }

    fn check_keys(&self, key: KeyType) -> Result {
        let fit = self.kinds.iter().try_for_each(|kind| kind.check_key(key));
        Ok(fit.map_err(ProvisionError::from)?)
    }
}

/// The names of a server: those that were asked for, then those of the profile.
///
/// Errors: a name of the profile that the server's name cannot stand in.
pub fn names_for(
    profile: &Profile,
    name: &ServerName,
    asked: impl IntoIterator<Item = AltName>,
) -> Result<Vec<AltName>> {
    let own = profile.extensions.alt_names_of(name.as_str())?;
    let mut names: Vec<AltName> = Vec::new();
    for name in asked.into_iter().chain(own) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

impl ServerOrder<'_> {
    /// Whether it can be made at all; its subject.
    pub(super) fn check(&self) -> Result<Name> {
        let name = || self.name.clone();
        if self.profile.kind != Kind::Server {
            return Err(ServerError::WrongProfile { profile: self.profile.name.clone() });
        }
        // One that an older version has issued is renewed.
        if self.replaces.is_none() && is_kept_by_windows(self.name.as_str()) {
            return Err(ServerError::NameOfWindows { name: name() });
        }
        if self.alt_names.is_empty() {
            return Err(ServerError::NoNames { name: name() });
        }
        if self.alt_names.len() > MAX_ALT_NAMES {
            return Err(ServerError::ManyNames { name: name(), names: self.alt_names.len() });
        }
        let is_of_servers =
            |n: &&AltName| matches!(n, AltName::Dns(_) | AltName::Ip(_) | AltName::Uri(_));
        if let Some(other) = self.alt_names.iter().find(|name| !is_of_servers(name)) {
            return Err(ServerError::Form { alt_name: other.clone() });
        }
        // What clients compare with where they connect to (RFC 6125, 6.4; RFC 2818, 3.1).
        if self.alt_names.iter().all(|name| matches!(name, AltName::Uri(_))) {
            return Err(ServerError::OnlyUris { name: name() });
        }
        if self.subject.has("CN") {
            return Err(ServerError::SubjectWithCommonName);
        }
        let mut subject = self.subject.clone();
        subject.push(find_field("CN")?, self.name.as_str())?;
        Ok(subject.build()?)
    }
}
