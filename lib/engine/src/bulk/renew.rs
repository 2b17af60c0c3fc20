//! Devices whose certificates are to be renewed: each keeps its subject and details, and gets a new
//! certificate for a new key or for the one it has.

use crate::failure::{Hint, Permission, Secret, Setting, Task};
use std::path::{Path, PathBuf};

use super::bundle::THIN_EDGE_KEY;
use super::keys::Owners;
use super::list::{Device, DeviceKey, DeviceList};
use super::staging::recover;
use super::{BadRow, BulkError};
use crate::cert::spki_of;
use crate::client_id::DeviceId;
use crate::crypto::{CryptoError, KeyPolicy, PublicKey, WeakKey};
use crate::files;
use crate::key::PrivateKey;
use crate::read;
use crate::registry::{Record, Registry};
use crate::secret::Password;

/// What to do about a key that is not to be kept.
fn new_key() -> Hint {
    Hint::omit("renew it with a new key", Setting::KeptKey)
}

/// Where a renewed certificate's key comes from.
#[derive(Debug, Clone, Copy)]
pub enum RenewedKey<'a> {
    /// A new one.
    New,
    /// The one in `key.pem` of the device's folder, under this password if it is encrypted.
    Same(Option<&'a Password>),
    /// The one in this file, for the only device; it must be the key that the device has.
    File(&'a Path, Option<&'a Password>),
    /// The one in a request, for the only device; it must be the key that the device has.
    Request(&'a PublicKey),
}

/// The devices of `records`, each live, as a list to be issued with
/// [`Existing::Replace`](super::Existing::Replace). `out` is where folders are looked for that are not
/// where they were written.
///
/// Devices that cannot be renewed so, as a key is missing, another one, weak (`keys` says what is let through)
/// or somebody else's too, are faults of the list.
pub fn list(
    registry: &Registry,
    records: Vec<Record>,
    key: RenewedKey<'_>,
    keys: KeyPolicy,
    out: &Path,
) -> Result<DeviceList, BulkError> {
    if matches!(key, RenewedKey::Same(_)) {
        // A run that was killed may have left keys that are not in their place yet.
        recover(out, registry)?;
    }
    let kept = records.iter().filter(|_| !matches!(key, RenewedKey::New));
    let owners = Owners::of(registry, &[], kept.filter_map(|record| spki_of(&record.der)))?;
    let mut list = DeviceList::default();
    for record in records {
        let id = record.client_id.clone().unwrap_or_default();
        let Ok(parsed) = DeviceId::parse(&id) else { continue };
        let certificate = record.certificate()?;
        let source = source(&record, &certificate.spki, &parsed, key, keys, out);
        let source = source.and_then(|source| match source {
            DeviceKey::New => Ok(source),
            _ => match owners.refuse(&parsed, &certificate.spki) {
                Some((message, _)) => Err((message, new_key())),
                None => Ok(source),
            },
        });
        match source {
            Ok(key) => list.devices.push(Device {
                id: parsed,
                key,
                subject: Some(certificate.subject),
                line: None,
                details: record.details,
            }),
            Err((message, hint)) => {
                list.faults.push(BadRow { id, line: None, message, hint: Some(hint) });
            }
        }
    }
    Ok(list)
}

/// The live certificates of devices; those without one are faults.
pub fn live_of(
    registry: &Registry,
    ids: DeviceList,
) -> Result<(Vec<Record>, Vec<BadRow>), BulkError> {
    let (mut records, mut faults) = (Vec::new(), ids.faults);
    for device in ids.devices {
        match registry.live_device(&device.id.folded())? {
            Some(record) => records.push(record),
            None => faults.push(BadRow {
                id: device.id.as_str().to_owned(),
                line: device.line,
                message: format!("device id {:?} has no live certificate", device.id.as_str()),
                hint: Some(Hint::run(
                    "issue one",
                    Task::IssueDevice { id: device.id.to_string(), replace: false },
                )),
            }),
        }
    }
    Ok((records, faults))
}

fn source(
    record: &Record,
    spki: &[u8],
    id: &DeviceId,
    key: RenewedKey<'_>,
    keys: KeyPolicy,
    out: &Path,
) -> Result<DeviceKey, (String, Hint)> {
    match key {
        // A registry of version 1 did not say where keys are.
        RenewedKey::New if record.location.is_some() && !record.has_key => Err((
            format!("the device {:?} keeps its key", id.as_str()),
            Hint::give("renew it with its request", Setting::Request).then(Hint::run(
                "or give it a key from here",
                Task::IssueDevice { id: id.to_string(), replace: true },
            )),
        )),
        RenewedKey::New => Ok(DeviceKey::New),
        RenewedKey::Request(public) if public.spki() == spki => {
            Ok(DeviceKey::Requested(public.clone()))
        }
        RenewedKey::Request(_) => Err((
            format!("the request has another key than the certificate of {:?}", id.as_str()),
            Hint::run("sign it as a request", Task::SignRequests),
        )),
        RenewedKey::Same(password) => own_key(key_file(record, id, out), spki, id, password, keys),
        RenewedKey::File(path, password) => own_key(path.to_owned(), spki, id, password, keys),
    }
}

/// A key file, if it holds the key of the device's live certificate.
fn own_key(
    path: PathBuf,
    spki: &[u8],
    id: &DeviceId,
    password: Option<&Password>,
    keys: KeyPolicy,
) -> Result<DeviceKey, (String, Hint)> {
    let id = id.as_str();
    let mut hint = new_key();
    let mut read = || -> Result<PrivateKey, String> {
        let bytes = files::read(&path).map_err(|e| e.to_string())?;
        let key = read::key(&bytes, password).map_err(|e| {
            if e.is_about_password() {
                hint = Hint::provide("give its password", Secret::KeyPassword);
            }
            format!("{}: {e}", path.display())
        })?;
        key.public_key().check_fit(keys).map_err(|e| {
            if let CryptoError::Weak(WeakKey::SmallExponent(3)) = e {
                hint = new_key()
                    .then(Hint::permit("to let this one through", Permission::ExponentThree));
            }
            format!("{}: {e}", path.display())
        })?;
        Ok(key)
    };
    let problem = match read() {
        Ok(key) if key.public_key().spki() == spki => {
            return Ok(DeviceKey::File { path, password: password.cloned() });
        }
        Ok(_) => {
            format!("the key in {} is not that of the live certificate of {id:?}", path.display())
        }
        Err(problem) => format!("the key of {id:?}: {problem}"),
    };
    Err((problem, hint))
}

/// Where a device's key is: below `out`, or where it was written.
fn key_file(record: &Record, id: &DeviceId, out: &Path) -> PathBuf {
    let here = out.join(id.file_name());
    let there = record.location.iter();
    let folders: Vec<&PathBuf> = [&here].into_iter().chain(there).collect();
    let places = folders.iter().flat_map(|f| ["key.pem", THIN_EDGE_KEY].map(|name| f.join(name)));
    places
        .clone()
        .find(|path| path.exists())
        .unwrap_or_else(|| folders.last().copied().unwrap_or(&here).join("key.pem"))
}
