//! A device's key: made, drawn from the pool, or read from a file.

use std::path::{Path, PathBuf};

use super::error::{ProvisionError, Result};
use super::job::Job;
use crate::crypto::{KeyType, PublicKey};
use crate::files;
use crate::key::read::is_encrypted;
use crate::key::{KeyError, PrivateKey};
use crate::list::DeviceKey;
use crate::pki::{Drawing, Drawn};
use crate::read::{self, ReadError};
use crate::secret::{Password, SecretBytes};
use crate::store::DEFAULT_ITERATIONS;

/// A device's key: here, as PEM too if that is what it was read from, or in the device only.
#[allow(clippy::large_enum_variant, reason = "there is one of it at a time, on a worker's stack")]
pub(super) enum Key<'a> {
    Here { key: PrivateKey, pem: Option<SecretBytes>, drawn: Option<PathBuf> },
    Elsewhere(&'a PublicKey),
}

impl<'a> Key<'a> {
    /// The key that a device is to have; a new one is of that type, or of the job's, and is drawn from the `pool`, if there
    /// is one.
    pub(super) fn of(
        source: &'a DeviceKey,
        (job, key_type): (&Job<'_>, Option<KeyType>),
        pool: Option<&Drawing<'_>>,
    ) -> Result<Self> {
        match (source, pool) {
            (DeviceKey::Requested(public), _) => Ok(Self::Elsewhere(public)),
            (DeviceKey::File { path, password }, _) => read_key(path, password.as_ref(), job),
            (DeviceKey::New, Some(pool)) => {
                let Drawn { key, file } = pool.draw()?;
                Ok(Self::Here { key, pem: None, drawn: Some(file) })
            }
            (DeviceKey::New, None) => {
                let key_type = key_type.unwrap_or(job.profile.key);
                let key = PrivateKey::generate_by(key_type, job.profile.rsa_keys)?;
                Ok(Self::Here { key, pem: None, drawn: None })
            }
        }
    }

    /// Its public half.
    pub(super) fn public(&self) -> &PublicKey {
        match self {
            Self::Here { key, .. } => key.public_key(),
            Self::Elsewhere(public) => public,
        }
    }
}

fn read_key<'a>(path: &Path, password: Option<&Password>, job: &Job<'_>) -> Result<Key<'a>> {
    let bytes = SecretBytes::new(files::read(path)?);
    let at = |source: ReadError| ProvisionError::KeyFile {
        path: path.to_owned(),
        source: Box::new(source),
    };
    let key = read::key(bytes.expose(), password).map_err(at)?;
    key.public_key().check_fit(job.keys).map_err(|e| at(KeyError::from(e).into()))?;
    let pem = kept_form(&key, bytes, password, job.bundle.key_iterations)?;
    Ok(Key::Here { key, pem, drawn: None })
}

/// An encrypted key stays encrypted: as it is, or, where the file is more than its PEM, anew under
/// the same password.
fn kept_form(
    key: &PrivateKey,
    bytes: SecretBytes,
    password: Option<&Password>,
    iterations: u32,
) -> Result<Option<SecretBytes>> {
    let is_protected = is_encrypted(bytes.expose()) || read::is_store(bytes.expose());
    let password = password.filter(|password| !password.expose().is_empty());
    let (true, Some(password)) = (is_protected, password) else {
        return Ok(None);
    };
    let blocks = bytes.expose().windows(11).filter(|w| w == b"-----BEGIN ").count();
    if blocks == 1 && bytes.expose().starts_with(b"-----BEGIN ") {
        return Ok(Some(bytes));
    }
    Ok(Some(key.to_encrypted_pem(password, iterations.max(DEFAULT_ITERATIONS))?))
}
