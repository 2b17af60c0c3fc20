//! Is a CA to be used, and are the CAs' directories as they were made?

use std::collections::HashSet;
use std::path::Path;

use super::renew::RENEWED;
use super::{AuthorityError, Ca, IN_THE_MAKING, KeyPlace, Pki, Result};
use crate::cert::Certificate;
use crate::files::{self, Lock, beside};
use crate::key::pkcs11::{KeyUri, Pkcs11Error, TokenKey, is_one_token, public_keys};
use crate::key::signer::Signer;
use crate::name::Name;
use crate::registry::{Checked, Filter, Role, Status, Unfinished};
use crate::secret::Password;

/// Whether a CA of this subject is being renewed, or a renewal of it was stopped.
fn is_renewed(cas: &[Ca], subject: &Name) -> bool {
    let is_it = |ca: &&Ca| ca.certificate().subject.matches(subject);
    cas.iter().filter(is_it).any(|ca| ca.dir.join(RENEWED).exists())
}

/// A CA that the registry has, and whose directory is gone or has no certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostCa {
    /// Its subject.
    pub subject: Name,
}

impl Pki {
    /// Refuses a CA that is revoked, or stands under one that is.
    pub fn check_not_revoked(&self, ca: &Ca) -> Result<()> {
        for certificate in &ca.chain {
            if let Some(revoked) = self.registry.revocation(certificate)? {
                return Err(AuthorityError::Revoked {
                    subject: certificate.subject.to_string(),
                    since: revoked.at.date().to_string(),
                    reason: revoked.reason.name(),
                });
            }
        }
        Ok(())
    }

    /// That a CA, or one above it, is revoked; none if it is not.
    pub fn revoked(&self, ca: &Ca) -> Result<Option<AuthorityError>> {
        match self.check_not_revoked(ca) {
            Ok(()) => Ok(None),
            Err(revoked @ AuthorityError::Revoked { .. }) => Ok(Some(revoked)),
            Err(e) => Err(e),
        }
    }

    /// The names of the CAs of which nobody trusts a certificate any more: they, or CAs above them, are revoked.
    pub fn revoked_cas(&self) -> Result<HashSet<String>> {
        let mut names = HashSet::new();
        for ca in self.cas()? {
            if self.revoked(&ca)?.is_some() {
                names.insert(ca.name);
            }
        }
        Ok(names)
    }

    /// Looks whether each CA's directory is whole, and each CA's directory is there. Faults are noted.
    pub fn check_cas(&self, checked: &mut Checked) -> Result<()> {
        let cas = self.cas()?;
        for ca in &cas {
            let name = &ca.name;
            let cert = files::read(&ca.dir.join("cert.pem"))
                .ok()
                .and_then(|bytes| Certificate::all_from_pem_or_der(&bytes).ok());
            if cert.is_none_or(|certs| certs.first() != Some(ca.certificate())) {
                checked.note(
                    "ca",
                    format!(
                        "cert.pem of the CA {name} is not the first certificate of its chain.pem, which counts: copy \
                         that into cert.pem"
                    ),
                );
            }
            // A station has the keys that it may use.
            let may_miss = self.registry.is_shared() && !ca.has_key();
            if let Some(problem) = ca.key_place().problem().filter(|_| !may_miss) {
                checked.note("ca", format!("the CA {name}: {problem}"));
            }
        }
        self.note_unfinished(&cas, checked)?;
        self.note_leftovers(checked)?;
        self.check_shared(checked)?;
        for lost in self.lost_cas(&cas)? {
            let message = format!("the CA {} is recorded, and not in the directory", lost.subject);
            checked.note("ca", message);
        }
        Ok(())
    }

    /// The CAs that the registry has as live and that are not among these, those of the directory.
    pub fn lost_cas(&self, cas: &[Ca]) -> Result<Vec<LostCa>> {
        let mut lost = Vec::new();
        // A database has the CAs of other directories too.
        if self.registry.is_shared() {
            return Ok(lost);
        }
        let filter =
            Filter { role: Some(Role::Ca), status: Some(Status::Live), ..Filter::default() };
        self.registry.each(&filter, |record| -> Result<()> {
            // One whose request was signed here has its key and its directory elsewhere.
            let is_ours = record.has_key || record.location.is_some();
            let is_there = cas.iter().any(|ca| ca.certificate().der() == record.der);
            if is_ours && !is_there {
                // One that cannot be read is a fault of the registry, which its check names. A renewal records the new
                // certificate before it is in place.
                let subject = record.certificate().ok().map(|own| own.subject);
                let own = subject.filter(|subject| !is_renewed(cas, subject));
                lost.extend(own.map(|subject| LostCa { subject }));
            }
            Ok(())
        })?;
        Ok(lost)
    }

    /// What a stopped command has left that the next one finishes.
    fn note_unfinished(&self, cas: &[Ca], checked: &mut Checked) -> Result<()> {
        let running = Lock::is_held(&self.lock_path());
        for ca in cas {
            let (name, path) = (&ca.name, ca.dir.display().to_string());
            let what = match ca.dir.join(RENEWED).exists() {
                true => "renewal",
                false if !self.registry.has(ca.certificate())? => "making",
                false => continue,
            };
            let message = match running {
                true => format!(
                    "the {what} of the CA {name} is not finished: another command is running"
                ),
                false => format!(
                    "the {what} of the CA {name} was stopped: the next command that writes to this \
                     PKI directory finishes it"
                ),
            };
            checked.unfinished.push(Unfinished { kind: "ca", path, devices: 0, running, message });
        }
        Ok(())
    }

    /// What killed commands have left in the PKI directory.
    fn note_leftovers(&self, checked: &mut Checked) -> Result<()> {
        let mut left = beside::left_in(&self.dir);
        for dir in files::list_dir(&self.dir.join("ca"))? {
            let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // The process that makes a CA holds the lock, from before its directory is begun until it has its name.
            if name.starts_with(IN_THE_MAKING) && !Lock::is_held(&self.lock_path()) && dir.exists()
            {
                left.push(dir);
            } else {
                left.extend(beside::left_in(&dir));
            }
        }
        for pool in files::list_dir(&self.dir.join("key-pool"))? {
            left.extend(beside::left_in(&pool));
        }
        checked.leftovers.extend(left.iter().map(|path| path.display().to_string()));
        Ok(())
    }

    /// Looks whether the keys of CAs that are in tokens are there. Without a PIN only public keys can be
    /// seen, and where none can, nothing is said. `module` is for URIs that name none. What is missing is
    /// noted in `checked`.
    pub fn check_token_keys(
        &self,
        module: Option<&Path>,
        pin: Option<&Password>,
        checked: &mut Checked,
    ) -> Result<Vec<TokenKeyState>> {
        let cas = self.cas()?;
        let uri_of = |ca: &Ca| match ca.key_place() {
            KeyPlace::Token { uri, .. } => Some(uri.clone().or_module(module)),
            KeyPlace::File(_) | KeyPlace::Unnamed { .. } => None,
        };
        let keys: Vec<(&Ca, KeyUri)> =
            cas.iter().filter_map(|ca| Some((ca, uri_of(ca)?))).collect();
        // A PIN is for one token: others would count it as a wrong one.
        let one = keys.windows(2).all(|pair| is_one_token(&pair[0].1, &pair[1].1).unwrap_or(false));
        let pin_for_all = pin.filter(|_| one);
        let mut states = Vec::new();
        for (ca, uri) in &keys {
            let (state, reason) = match look_for(uri, pin_for_all, ca.certificate()) {
                Ok(state) => (state, None),
                Err(Missing::Gone(problem)) => {
                    checked.note("ca", format!("the CA {}: {problem}", ca.name));
                    (TokenKeyStanding::Missing, Some(problem))
                }
                Err(Missing::Unknown(reason)) => {
                    let several = "the keys of the CAs are in several tokens, and there is one PIN";
                    let reason = if pin.is_some() && !one { several.to_owned() } else { reason };
                    (TokenKeyStanding::NotLookedAt, Some(reason))
                }
            };
            states.push(TokenKeyState { ca: ca.name.clone(), uri: uri.to_string(), state, reason });
        }
        Ok(states)
    }
}

/// What could be seen of a CA's key in a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKeyStanding {
    /// It has signed, and it is that of the CA's certificate.
    Good,
    /// Its public half is in the token; more cannot be seen without a PIN.
    Visible,
    /// It is not there, or it is another one.
    Missing,
    /// Nothing can be said.
    NotLookedAt,
}

/// A CA whose key is in a token.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TokenKeyState {
    /// Its name.
    pub ca: String,
    /// The key's URI.
    pub uri: String,
    /// What could be seen of it.
    pub state: TokenKeyStanding,
    /// Why it is missing, or why it was not looked at.
    pub reason: Option<String>,
}

enum Missing {
    Gone(String),
    Unknown(String),
}

fn look_for(
    uri: &KeyUri,
    pin: Option<&Password>,
    certificate: &Certificate,
) -> std::result::Result<TokenKeyStanding, Missing> {
    let judge = |e: Pkcs11Error| match e {
        Pkcs11Error::NoKey { .. }
        | Pkcs11Error::SeveralKeys { .. }
        | Pkcs11Error::UnusableKey { .. } => Missing::Gone(e.to_string()),
        e => Missing::Unknown(e.to_string()),
    };
    match pin {
        Some(pin) => match opened(uri, pin, certificate).map_err(judge)?.public_key().spki() {
            own if own == certificate.spki => Ok(TokenKeyStanding::Good),
            _ => Err(Missing::Gone(format!("{uri} is not the key of its certificate"))),
        },
        None if public_keys(uri).map_err(judge)?.iter().any(|k| k.spki() == certificate.spki) => {
            Ok(TokenKeyStanding::Visible)
        }
        None => Err(Missing::Unknown("its public key cannot be seen without the PIN".to_owned())),
    }
}

/// The key, whose public half may be in the certificate alone.
fn opened(
    uri: &KeyUri,
    pin: &Password,
    certificate: &Certificate,
) -> std::result::Result<TokenKey, Pkcs11Error> {
    TokenKey::open_for(uri, pin, certificate.public_key.as_ref().ok().as_slice())
}
