//! A PKI directory, as others use it.

use std::path::Path;

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::crl::{Crl, Reason};
use c8y_pki_core::failure::{Failure, Fault, Hint};
use c8y_pki_core::issue::BeyondIssuer;
use c8y_pki_core::key::signer::Signer;
use c8y_pki_core::name::Name;
use c8y_pki_core::profile::Profile;
use c8y_pki_core::secret::ChosenPassword;
use c8y_pki_engine::pki::RequestError;
use c8y_pki_engine::pki::{self as engine, Ca, CaKey, CaSettings, DeviceRequest, Issued, NewKey};
use time::OffsetDateTime;

use crate::Error;

/// A directory with CAs, their encrypted keys, and the registry of all that they have issued.
///
/// Threads share it in an `Arc`, and other programs can work on the same directory at the same time.
#[derive(Debug)]
pub struct Pki(engine::Pki);

impl Pki {
    /// Opens a directory that is there.
    ///
    /// Errors: there is none; its registry cannot be read; a clock that is behind what the registry has seen.
    pub fn open(dir: &Path, now: OffsetDateTime) -> Result<Self, Error> {
        Ok(Self(engine::Pki::open(dir, now)?))
    }

    /// Opens a directory, or makes it with an empty registry.
    pub fn open_or_create(dir: &Path, now: OffsetDateTime) -> Result<Self, Error> {
        Ok(Self(engine::Pki::open_or_create(dir, now)?))
    }

    /// Makes a root CA under a name that no other CA of the directory has.
    pub fn add_root(&mut self, name: &str, new: &NewCa, now: OffsetDateTime) -> Result<Ca, Error> {
        let profile = new.chosen("root");
        Ok(self.0.init_root(name, &new.settings(&profile), now)?)
    }

    /// Makes a CA below another one of the directory, whose key signs it.
    pub fn add_intermediate(
        &mut self,
        name: &str,
        parent: &CaKey,
        new: &NewCa,
        now: OffsetDateTime,
    ) -> Result<Ca, Error> {
        let (above, profile) = (self.ca(parent.ca())?, new.chosen("intermediate"));
        Ok(self.0.add_intermediate(name, &above, parent, &new.settings(&profile), now)?)
    }

    /// A CA by its name.
    pub fn ca(&self, name: &str) -> Result<Ca, Error> {
        Ok(self.0.ca(name)?)
    }

    /// All CAs.
    pub fn cas(&self) -> Result<Vec<Ca>, Error> {
        Ok(self.0.cas()?)
    }

    /// Signs one device's certificate and records it before it is returned. No file is written.
    ///
    /// CAs and signing policies are read anew each time. It waits for the disk: call it where a thread may wait,
    /// under tokio in `spawn_blocking`. A device that has a live certificate for the very key that is asked for gets
    /// that one again ([`Issued::is_new`] is false), so that a request can be repeated whose answer was lost.
    pub fn issue(&self, request: &DeviceRequest<'_>) -> Result<Issued, NotIssued> {
        Ok(self.0.issue(request)?)
    }

    /// The live certificate of a device, by its identifier in any case.
    pub fn device(&self, id: &DeviceId) -> Result<Option<Certificate>, Error> {
        let record = self.0.registry().live_device(id)?;
        Ok(record.map(|record| Certificate::from_der(&record.der)).transpose()?)
    }

    /// Revokes the live certificate of a device, if it has one, and returns it. The world learns it from the next
    /// [list](Self::revocation_list) of its CA.
    pub fn revoke(
        &mut self,
        id: &DeviceId,
        reason: Reason,
        now: OffsetDateTime,
    ) -> Result<Option<Certificate>, Error> {
        let Some(record) = self.0.registry().live_device(id)? else { return Ok(None) };
        let certificate = Certificate::from_der(&record.der)?;
        self.0.registry_mut().revoke(&[record], reason, now, now)?;
        Ok(Some(certificate))
    }

    /// Makes the next revocation list of a CA, which is good for so many days, and keeps it in the directory.
    pub fn revocation_list(
        &mut self,
        key: &CaKey,
        days: u32,
        now: OffsetDateTime,
    ) -> Result<Crl, Error> {
        let ca = self.ca(key.ca())?;
        Ok(self.0.make_crl(&ca, key as &dyn Signer, days, now)?)
    }

    pub(crate) fn inner(&mut self) -> &mut engine::Pki {
        &mut self.0
    }
}

/// How a new CA is to be. Its key is kept in a file of the directory, encrypted.
#[derive(Debug, Clone)]
#[must_use]
pub struct NewCa {
    subject: Name,
    password: ChosenPassword,
    profile: Option<Profile>,
    days: Option<u32>,
}

impl NewCa {
    /// By the built-in profile `root` or `intermediate`.
    pub fn new(subject: Name, password: ChosenPassword) -> Self {
        Self { subject, password, profile: None, days: None }
    }

    /// By this profile.
    pub fn profile(self, profile: Profile) -> Self {
        Self { profile: Some(profile), ..self }
    }

    /// Valid for so many days, in place of the profile's.
    pub fn days(self, days: u32) -> Self {
        Self { days: Some(days), ..self }
    }

    fn chosen(&self, usual: &str) -> Profile {
        // It is one of those that are built in, so it is there.
        let usual = || Profile::built_in(usual).expect("a built-in profile");
        self.profile.clone().unwrap_or_else(usual)
    }

    fn settings<'a>(&'a self, profile: &'a Profile) -> CaSettings<'a> {
        CaSettings {
            profile,
            subject: &self.subject,
            days: self.days,
            path_length: None,
            beyond_issuer: BeyondIssuer::of(self.days, false),
            key: NewKey::File(&self.password),
        }
    }
}

/// Why a device got no certificate: what a service has to tell apart.
#[derive(Debug)]
pub enum NotIssued {
    /// The device has a certificate for another key, or the key is another's (in HTTP: 409).
    Taken(Error),
    /// The request breaks a rule; repeated, it is refused again (422).
    Refused(Error),
    /// The fault is on this side: the disk, the clock, the CA, the registry (503). The sentence is for its operator.
    Failed(Error),
}

impl NotIssued {
    fn inner(&self) -> &Error {
        match self {
            Self::Taken(e) | Self::Refused(e) | Self::Failed(e) => e,
        }
    }
}

impl From<RequestError> for NotIssued {
    fn from(error: RequestError) -> Self {
        match &error {
            RequestError::AlreadyIssued { .. } | RequestError::SharedKey { .. } => {
                Self::Taken(error.into())
            }
            e if e.is_refusal() => Self::Refused(error.into()),
            _ => Self::Failed(error.into()),
        }
    }
}

impl std::fmt::Display for NotIssued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner().fmt(f)
    }
}

impl std::error::Error for NotIssued {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner().source()
    }
}

impl Failure for NotIssued {
    fn fault(&self) -> Fault {
        self.inner().fault()
    }

    fn hint(&self) -> Option<Hint> {
        self.inner().hint()
    }
}
