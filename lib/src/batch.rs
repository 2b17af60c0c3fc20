//! Many devices from a list, as others run it.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::crypto::KeyPolicy;
use c8y_pki_core::issue::BeyondIssuer;
use c8y_pki_core::name::NameBuilder;
use c8y_pki_core::profile::Profile;
use c8y_pki_core::secret::Password;
use c8y_pki_core::store::{DEFAULT_ITERATIONS, Pkcs12Options};
use c8y_pki_engine::files;
use c8y_pki_engine::list::DeviceList;
use c8y_pki_engine::pki::{CaKey, Replacing};
use c8y_pki_engine::provision::bundle::{Bundle, BundleSettings};
use c8y_pki_engine::provision::{self, Context, Existing, Job, Keep, Out, RevokedDevices, Summary};
use time::OffsetDateTime;

use crate::{Error, Pki};

/// What devices of a list get: by default key, certificate and chain as PEM, by the built-in profile `device`.
///
/// A run that was stopped, however it ended, is resumed by the same run again. Devices that have a live certificate
/// are left as they are.
#[derive(Debug, Clone)]
#[must_use]
pub struct Batch<'a> {
    key: &'a CaKey,
    profile: Option<Profile>,
    subject: Option<NameBuilder>,
    days: Option<u32>,
    files: Vec<Bundle>,
    store_password: Option<Password>,
    key_password: Option<Password>,
    trusted: Vec<Certificate>,
    existing: Existing,
    stop: Option<&'a AtomicBool>,
}

impl<'a> Batch<'a> {
    /// Devices of this CA.
    pub fn new(key: &'a CaKey) -> Self {
        Self {
            key,
            profile: None,
            subject: None,
            days: None,
            files: vec![Bundle::Pem],
            store_password: None,
            key_password: None,
            trusted: Vec::new(),
            existing: Existing::Skip,
            stop: None,
        }
    }

    /// By this profile, of kind `device`.
    pub fn profile(self, profile: Profile) -> Self {
        Self { profile: Some(profile), ..self }
    }

    /// With these fields of the subject besides the common name, in place of the profile's.
    pub fn subject(self, fields: NameBuilder) -> Self {
        Self { subject: Some(fields), ..self }
    }

    /// Valid for so many days, in place of the profile's. The run is refused if that is beyond the CA's end.
    pub fn days(self, days: u32) -> Self {
        Self { days: Some(days), ..self }
    }

    /// These files for each device.
    pub fn files(self, files: &[Bundle]) -> Self {
        Self { files: files.to_vec(), ..self }
    }

    /// The password of keystores and truststores.
    pub fn store_password(self, password: Password) -> Self {
        Self { store_password: Some(password), ..self }
    }

    /// The password of `key.pem`, which is plain otherwise.
    pub fn key_password(self, password: Password) -> Self {
        Self { key_password: Some(password), ..self }
    }

    /// The server's certificates, for truststores.
    pub fn trusted(self, certificates: Vec<Certificate>) -> Self {
        Self { trusted: certificates, ..self }
    }

    /// Gives devices that have a live certificate another one, also those whose certificate was revoked.
    pub fn replace(self, replacing: Replacing) -> Self {
        let revoke = replacing == Replacing::Revoke;
        Self { existing: Existing::Replace { revoke }, ..self }
    }

    /// Ends the run, once this is set, after what is being made.
    pub fn stop_when(self, stop: &'a AtomicBool) -> Self {
        Self { stop: Some(stop), ..self }
    }

    /// Issues the devices of the list, each recorded before its files count.
    ///
    /// Errors: faults of the list, of which nothing is issued; a profile that is for something else; the registry; a
    /// full disk. What was recorded before an error stays issued.
    pub fn run(
        &self,
        pki: &mut Pki,
        devices: DeviceList,
        out: Destination<'_>,
        now: OffsetDateTime,
    ) -> Result<Summary, Error> {
        let (pki, profile) = (pki.inner(), self.chosen());
        let (ca, policy) = (pki.ca(self.key.ca())?, pki.policy(self.key.ca()));
        let subject = match &self.subject {
            Some(fields) => fields.clone(),
            None => profile.subject_except(&[])?,
        };
        if let Destination::Directory(dir) = out {
            files::create_private_dir(dir)?;
        }
        let job = Job {
            ca: &ca,
            key: self.key,
            profile: &profile,
            subject: &subject,
            days: self.days,
            beyond_issuer: BeyondIssuer::of(self.days, false),
            out: match out {
                Destination::Directory(dir) => Out::Folders(dir),
                Destination::Archive(path) => Out::Archive(path),
            },
            bundle: self.bundle(),
            existing: self.existing,
            // The program names each device.
            revoked: RevokedDevices::Issue,
            keep: Keep::default(),
            order: None,
            secrets: None,
            key_pool: None,
            keep_going: false,
            policy: &policy,
            keys: KeyPolicy::default(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        };
        let context = Context::at(now);
        let context = Context { stop: self.stop.unwrap_or(context.stop), ..context };
        Ok(provision::run(pki, &job, devices, &context)?)
    }

    fn chosen(&self) -> Profile {
        // It is one of those that are built in, so it is there.
        let usual = || Profile::built_in("device").expect("a built-in profile");
        self.profile.clone().unwrap_or_else(usual)
    }

    fn bundle(&self) -> BundleSettings<'_> {
        BundleSettings {
            kinds: &self.files,
            store_password: self.store_password.as_ref(),
            key_password: self.key_password.as_ref(),
            key_iterations: DEFAULT_ITERATIONS,
            pkcs12: Pkcs12Options::default(),
            trusted: &self.trusted,
        }
    }
}

/// Where devices' files go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination<'a> {
    /// Into this directory, which gets one directory for each device.
    Directory(&'a Path),
    /// Into this tar archive, which has its name when it is whole.
    Archive(&'a Path),
}
