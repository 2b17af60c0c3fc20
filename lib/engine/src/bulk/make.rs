//! One device: its key, its certificate, its files.

use std::path::{Path, PathBuf};

use super::BulkError;
use super::archive::Headers;
use super::bundle::Bundler;
use super::list::{Device, DeviceKey};
use super::out::Out;
use super::plan::Due;
use super::run::Job;
use crate::authority::{Drawing, Drawn};
use crate::cert::Serial;
use crate::client_id::DeviceId;
use crate::crypto::{PublicKey, random_password};
use crate::files;
use crate::issue::{IssueError, Template};
use crate::key::read::is_encrypted;
use crate::key::{KeyError, PrivateKey};
use crate::name::NameTemplate;
use crate::read::{self, ReadError};
use crate::registry::NewRecord;
use crate::secret::{Password, SecretBytes};
use crate::store::DEFAULT_ITERATIONS;

/// Length of a device's own store password, in characters: 116 bits.
const PASSWORD_CHARS: usize = 20;

/// A device to be made.
pub(super) struct Todo {
    pub(super) device: Device,
    pub(super) due: Due,
}

/// A device that was made.
pub(super) struct Made {
    pub(super) record: NewRecord,
    /// Its part of the archive; nothing where it has a folder.
    pub(super) entries: Vec<u8>,
    /// Its line in the list of passwords.
    pub(super) secrets: Option<SecretBytes>,
    /// The file of the pool that goes when it is recorded.
    pub(super) drawn: Option<PathBuf>,
}

/// A device's key: here, as PEM too if that is what it was read from, or in the device only.
#[allow(clippy::large_enum_variant, reason = "there is one of it at a time, on a worker's stack")]
enum Key<'a> {
    Here { key: PrivateKey, pem: Option<SecretBytes>, drawn: Option<PathBuf> },
    Elsewhere(&'a PublicKey),
}

/// Makes devices, on any thread.
pub(super) struct Maker<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) template: Template<'a>,
    pub(super) subject: NameTemplate,
    pub(super) bundler: Bundler<'a>,
    pub(super) location: Option<PathBuf>,
    /// Where new keys come from, if they are not made.
    pub(super) pool: Option<Drawing<'a>>,
    /// What entries of an archive have in common.
    pub(super) headers: Headers,
}

impl Maker<'_> {
    /// Makes a device. Its files go into a folder of the chunk, if there is one.
    pub(super) fn make(&self, todo: Todo, chunk: Option<&Path>) -> Result<Made, BulkError> {
        let Todo { device, due } = todo;
        let key = self.key(&device.key)?;
        let public_key = match &key {
            Key::Elsewhere(public) => *public,
            Key::Here { key, .. } => key.public_key(),
        };
        let subject = match &device.subject {
            Some(own) => own.der().to_vec(),
            None => self.subject.fill(device.id.as_str())?,
        };
        let serial = Serial::random().map_err(IssueError::from)?;
        let certificate = self.template.issue(&subject, public_key, serial)?;
        let folder = device.id.file_name();
        let password = self.own_password()?;
        let files = match &key {
            Key::Here { key, pem, .. } => {
                self.bundler.files(key, pem.as_ref(), &certificate, password.as_ref())?
            }
            Key::Elsewhere(_) => self.bundler.certificate_files(&certificate).into(),
        };
        let entries = match chunk {
            Some(chunk) => {
                let dir = chunk.join(&folder);
                files::create_new_private_dir(&dir)?;
                for file in files {
                    files::write_new(&dir.join(file.name), &file.bytes, file.access)?;
                }
                Vec::new()
            }
            None => self.headers.entries(&folder, &files).map_err(BulkError::Write)?,
        };
        // Nothing needs quotes: an id holds neither a separator nor a quote (`client_id`).
        let secrets = password.map(|password| {
            let line = [device.id.as_str(), ",", &certificate.serial.to_string(), ","];
            let line = [line.concat().as_str(), password.expose(), "\n"].concat();
            SecretBytes::new(line)
        });
        let has_key = matches!(key, Key::Here { .. }) && self.location.is_some();
        let record = NewRecord {
            ca: self.job.ca.name.clone(),
            location: self.location_of(&device.id),
            device: Some(device.id),
            certificate,
            details: device.details,
            has_key,
            replaces: match due {
                Due::InPlaceOf(replaced) => Some(replaced),
                Due::New | Due::Not => None,
            },
            key_from_outside: self.pool.is_some() || !matches!(device.key, DeviceKey::New),
        };
        let drawn = match key {
            Key::Here { drawn, .. } => drawn,
            Key::Elsewhere(_) => None,
        };
        Ok(Made { record, entries, secrets, drawn })
    }

    /// The device's own store password, if it is to get one.
    fn own_password(&self) -> Result<Option<Password>, BulkError> {
        let own = self.job.secrets.map(|_| random_password(PASSWORD_CHARS)).transpose();
        Ok(own.map_err(IssueError::from)?)
    }

    /// A device's folder, or the archive that it is in.
    fn location_of(&self, id: &DeviceId) -> Option<PathBuf> {
        let location = self.location.as_ref()?;
        Some(match self.job.out {
            Out::Folders(_) => location.join(id.file_name()),
            Out::Archive(_) | Out::Stream(_) => location.clone(),
        })
    }

    /// An encrypted key stays encrypted: as it is, or, where the file is more than its PEM, anew under
    /// the same password.
    fn kept_form(
        &self,
        key: &PrivateKey,
        bytes: SecretBytes,
        password: Option<&Password>,
    ) -> Result<Option<SecretBytes>, BulkError> {
        let is_protected = is_encrypted(bytes.expose()) || read::is_store(bytes.expose());
        let password = password.filter(|password| !password.expose().is_empty());
        let (true, Some(password)) = (is_protected, password) else {
            return Ok(None);
        };
        let blocks = bytes.expose().windows(11).filter(|w| w == b"-----BEGIN ").count();
        if blocks == 1 && bytes.expose().starts_with(b"-----BEGIN ") {
            return Ok(Some(bytes));
        }
        let iterations = self.job.bundle.key_iterations.max(DEFAULT_ITERATIONS);
        Ok(Some(key.to_encrypted_pem(password, iterations)?))
    }

    fn key<'d>(&self, source: &'d DeviceKey) -> Result<Key<'d>, BulkError> {
        match source {
            DeviceKey::New => {
                let (key, drawn) = match &self.pool {
                    Some(pool) => {
                        let Drawn { key, file } = pool.draw()?;
                        (key, Some(file))
                    }
                    None => (
                        PrivateKey::generate_by(self.job.profile.key, self.job.profile.rsa_keys)?,
                        None,
                    ),
                };
                Ok(Key::Here { key, pem: None, drawn })
            }
            DeviceKey::Requested(public) => Ok(Key::Elsewhere(public)),
            DeviceKey::File { path, password } => {
                let bytes = SecretBytes::new(files::read(path)?);
                let at = |source: ReadError| BulkError::KeyFile {
                    path: path.clone(),
                    source: Box::new(source),
                };
                let key = read::key(bytes.expose(), password.as_ref()).map_err(at)?;
                let unfit = |e| at(KeyError::from(e).into());
                key.public_key().check_fit(self.job.keys).map_err(unfit)?;
                let pem = self.kept_form(&key, bytes, password.as_ref())?;
                Ok(Key::Here { key, pem, drawn: None })
            }
        }
    }
}
