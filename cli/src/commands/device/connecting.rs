//! What the commands share that connect as a device would: where its files are and what opens them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use c8y_pki_core::client_id::{ClientId, DeviceId};
use c8y_pki_core::secret::Password;
use c8y_pki_engine::device::credentials::{CredentialError, Credentials, Files, Place};
use c8y_pki_engine::device::link::Target;
use c8y_pki_engine::device::mqtt::ConnectOptions;
use c8y_pki_engine::device::service::Service;
use c8y_pki_engine::registry::Registry;
use clap::Args;

use super::at_service::ServiceArgs;
use super::endpoint::EndpointArgs;
use crate::failure::{Failure, Result};
use crate::secrets::{Source, known};

/// Where the files of devices are, and what opens them.
#[derive(Debug, Args)]
pub(super) struct FilesArgs {
    /// The directory that has one directory per device; by default out, or with --order where each device was put
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The directory of one device, in place of --out
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// A PKCS#12, JKS or PEM file with the key and the chain of one device
    #[arg(long, value_name = "FILE", conflicts_with = "bundle")]
    keystore: Option<PathBuf>,
    /// The device's truststore, or a PEM file with CAs
    #[arg(long, value_name = "FILE")]
    truststore: Option<PathBuf>,
    /// File with the password of keystore and truststore [env: C8Y_PKI_STORE_PASSWORD]
    #[arg(long, value_name = "FILE")]
    store_password_file: Option<PathBuf>,
    /// File with the password of key.pem, or of the key in a JKS file if it has one of its own
    /// [env: C8Y_PKI_KEY_PASSWORD]
    #[arg(long, value_name = "FILE")]
    key_password_file: Option<PathBuf>,
}

/// A device, by its identifier or by its files.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    /// If none, the common name of its certificate says it.
    pub(super) device: Option<DeviceId>,
    place: FilePlace,
}

#[derive(Debug, Clone)]
enum FilePlace {
    Bundle(PathBuf),
    Keystore(PathBuf),
}

impl Subject {
    /// What the device is called before its certificate was read.
    pub(super) fn name(&self) -> String {
        match (&self.device, &self.place) {
            (Some(device), _) => device.to_string(),
            (None, FilePlace::Bundle(path) | FilePlace::Keystore(path)) => {
                path.display().to_string()
            }
        }
    }
}

impl FilesArgs {
    /// The device whose directory is in --out.
    pub(super) fn in_out(&self, device: DeviceId) -> Subject {
        let out = self.out.as_deref().unwrap_or(Path::new("out"));
        let place = FilePlace::Bundle(out.join(device.file_name()));
        Subject { device: Some(device), place }
    }

    /// The device whose directory is where the registry says, unless --out says something else.
    pub(super) fn where_put(&self, device: DeviceId, registry: &Registry) -> Result<Subject> {
        let live = match self.out {
            Some(_) => None,
            None => registry.live_device(&device)?,
        };
        let folder = live.and_then(|live| live.location).filter(|place| place.is_dir());
        Ok(match folder {
            Some(folder) => Subject { device: Some(device), place: FilePlace::Bundle(folder) },
            None => self.in_out(device),
        })
    }

    /// The devices that are named, each once, or the one whose files are.
    pub(super) fn subjects(&self, ids: &[String]) -> Result<Vec<Subject>> {
        let mut devices =
            ids.iter().map(|id| DeviceId::parse(id)).collect::<std::result::Result<Vec<_>, _>>()?;
        // Two connections of one device would end each other.
        let mut seen = BTreeSet::new();
        devices.retain(|device| seen.insert(device.clone()));
        let place = match (&self.bundle, &self.keystore) {
            (Some(dir), _) => FilePlace::Bundle(dir.clone()),
            (None, Some(file)) => FilePlace::Keystore(file.clone()),
            (None, None) => return Ok(devices.into_iter().map(|d| self.in_out(d)).collect()),
        };
        if devices.len() > 1 {
            return Err(Failure::usage(
                "--bundle and --keystore are for one device, but several are named",
                "name one device, or none: then its id is read from the certificate",
            ));
        }
        Ok(vec![Subject { device: devices.into_iter().next(), place }])
    }

    /// With the passwords that are given; others are asked for when they turn out to be needed.
    pub(super) fn opener(&self) -> Result<Opener<'_>> {
        let store_password = known::store(self.store_password_file.as_ref()).given()?;
        let key_password = self.key_password().given()?;
        Ok(Opener { files: self, store_password, key_password })
    }

    fn key_password(&self) -> Source<'_> {
        known::key(self.key_password_file.as_ref(), "the device's key")
    }
}

/// What a device's files hold, or why they cannot be used.
pub(super) type Opened = std::result::Result<Credentials, CredentialError>;

/// Opens the files of devices.
pub(super) struct Opener<'a> {
    files: &'a FilesArgs,
    store_password: Option<Password>,
    key_password: Option<Password>,
}

impl Opener<'_> {
    pub(super) fn read(&self, subject: &Subject) -> Opened {
        Credentials::read(&Files {
            place: match &subject.place {
                FilePlace::Bundle(dir) => Place::Bundle(dir),
                FilePlace::Keystore(file) => Place::Keystore(file),
            },
            truststore: self.files.truststore.as_deref(),
            store_password: self.store_password.as_ref(),
            key_password: self.key_password.as_ref(),
        })
    }

    /// Reads, and asks for the passwords that turn out to be needed.
    pub(super) fn read_asking(&mut self, subject: &Subject) -> Result<Opened> {
        loop {
            match self.read(subject) {
                Err(e) if e.needs_store_password() && self.store_password.is_none() => {
                    let source = known::store(self.files.store_password_file.as_ref());
                    self.store_password = Some(source.existing()?);
                }
                Err(e) if e.needs_key_password() && self.key_password.is_none() => {
                    self.key_password = Some(self.files.key_password().existing()?);
                }
                other => return Ok(other),
            }
        }
    }
}

pub(super) fn no_device(hint: &str) -> Failure {
    Failure::usage("no device is named", hint)
}

/// One device that is to connect.
pub(super) struct Ready {
    pub(super) device: DeviceId,
    pub(super) credentials: Credentials,
    pub(super) target: Target,
    pub(super) timeout: Duration,
    /// If none, it connects to MQTT over TLS.
    pub(super) service: Option<Service>,
}

impl Ready {
    /// Reads its files; without an identifier the certificate says which it is.
    pub(super) fn new(
        files: &FilesArgs,
        endpoint: &EndpointArgs,
        id: Option<&String>,
        (at, service): (&ServiceArgs, Option<Service>),
    ) -> Result<Self> {
        let target = endpoint.target_at(at.default_port())?;
        let ids: Vec<String> = id.into_iter().cloned().collect();
        let mut subjects = files.subjects(&ids)?;
        let Some(subject) = subjects.pop() else {
            return Err(no_device("give its id, --bundle or --keystore"));
        };
        let credentials = files.opener()?.read_asking(&subject)??;
        let device = match &subject.device {
            Some(device) => device.clone(),
            None => credentials.device()?,
        };
        Ok(Self { device, credentials, target, timeout: endpoint.timeout(), service })
    }

    pub(super) fn options(&self) -> ConnectOptions {
        let client_id = ClientId::of_device(self.device.clone());
        let user = self.service.as_ref().and_then(Service::user);
        ConnectOptions { timeout: self.timeout, user, ..ConnectOptions::new(client_id) }
    }
}
