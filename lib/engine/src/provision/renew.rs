//! Devices whose certificates are to be renewed: each keeps its subject and details, and gets a new
//! certificate for a new key or for the one it has.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::bundle::THIN_EDGE_KEY;
use super::destination::{self, waiting};
use super::error::Result;
use super::owners::Owners;
use crate::cert::spki_of;
use crate::crypto::{CryptoError, KeyPolicy, PublicKey, WeakKey};
use crate::failure::{Hint, Permission, Secret, Setting, Task};
use crate::files;
use crate::key::PrivateKey;
use crate::list::{BadRow, Device, DeviceKey, DeviceList};
use crate::read;
use crate::registry::{Holder, Record, Registry};
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
    /// The one in `key.pem` of the device's directory, under this password if it is encrypted.
    Same(Option<&'a Password>),
    /// The one in this file, for the only device; it must be the key that the device has.
    File(&'a Path, Option<&'a Password>),
    /// The one in a request, for the only device; it must be the key that the device has.
    Request(&'a PublicKey),
}

/// The devices of `records`, each live, as a list to be issued with
/// [`Existing::Replace`](super::Existing::Replace). `out` is where directories are looked for that are not
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
) -> Result<DeviceList> {
    let kept = records.iter().filter(|_| !matches!(key, RenewedKey::New));
    let owners = Owners::of(registry, &[], kept.filter_map(|record| spki_of(&record.der)))?;
    let waiting = match key {
        RenewedKey::Same(_) => waiting(out),
        _ => HashMap::new(),
    };
    let renewal = Renewal { key, keys, out, owners, waiting };
    let mut list = DeviceList::default();
    for record in records {
        let Holder::Device(id) = &record.holder else { continue };
        let certificate = record.certificate()?;
        let mut device = Device::from(id.clone());
        match renewal.key(&device, &record, &certificate.spki) {
            Ok(key) => {
                device.key = key;
                device.subject = Some(certificate.subject);
                device.details = record.details;
                list.devices.push(device);
            }
            Err(fault) => list.faults.push(fault),
        }
    }
    Ok(list)
}

/// Puts keys into place that a run has left which was killed. It comes before [`list`] with [`RenewedKey::Same`].
pub fn recover(registry: &Registry, out: &Path) -> Result<()> {
    destination::recover(out, registry)?;
    Ok(())
}

/// Devices that are to be renewed.
#[derive(Debug, Default)]
pub struct LiveOf {
    /// Their live certificates.
    pub records: Vec<Record>,
    /// Those whose certificate was revoked: they are not renewed.
    pub revoked: Vec<BadRow>,
    /// Those that have none for another reason, and what is wrong with the list.
    pub faults: Vec<BadRow>,
}

/// The live certificates of devices, and why others have none.
pub fn live_of(registry: &Registry, ids: DeviceList) -> Result<LiveOf> {
    let mut found = LiveOf { faults: ids.faults, ..LiveOf::default() };
    for device in ids.devices {
        if let Some(record) = registry.live_device(&device.id)? {
            found.records.push(record);
            continue;
        }
        let id = device.id.as_str();
        let last = registry.history(id)?.pop();
        // One that was revoked is issued only if that is asked for.
        let task = Task::IssueDevice { id: id.to_owned(), replace: last.is_some() };
        // An order that is younger asks for a new certificate.
        let revoked = match &last {
            Some(last) if !registry.is_ordered_since(id, last)? => last.revoked,
            _ => None,
        };
        match revoked {
            Some((at, reason)) => {
                let (since, why) = (at.date(), reason.name());
                let message = format!("device id {id:?} was revoked on {since} ({why})");
                let hint = Hint::run("if it is to get a new certificate, issue one", task);
                found.revoked.push(BadRow::of(&device, message, Some(hint)));
            }
            None => {
                let message = format!("device id {id:?} has no live certificate");
                let hint = Hint::run("issue one", task);
                found.faults.push(BadRow::of(&device, message, Some(hint)));
            }
        }
    }
    Ok(found)
}

/// Where renewed certificates get their keys.
struct Renewal<'a> {
    key: RenewedKey<'a>,
    keys: KeyPolicy,
    out: &'a Path,
    owners: Owners,
    /// Directories that are not in their place yet, by their serial numbers.
    waiting: HashMap<String, PathBuf>,
}

impl Renewal<'_> {
    /// Where the new certificate of a device gets its key, whose live one is for `spki`.
    fn key(&self, device: &Device, record: &Record, spki: &[u8]) -> Result<DeviceKey, BadRow> {
        let fault = |message: String, hint: Hint| BadRow::of(device, message, Some(hint));
        let id = device.id.as_str();
        let key = match self.key {
            // A registry of version 1 did not say where keys are.
            RenewedKey::New if record.location.is_some() && !record.has_key => {
                let task = Task::IssueDevice { id: id.to_owned(), replace: true };
                let hint = Hint::give("renew it with its request", Setting::Request)
                    .then(Hint::run("or give it a key from here", task));
                return Err(fault(format!("the device {id:?} keeps its key"), hint));
            }
            RenewedKey::New => return Ok(DeviceKey::New),
            RenewedKey::Request(public) if public.spki() == spki => {
                DeviceKey::Requested(public.clone())
            }
            RenewedKey::Request(_) => {
                return Err(fault(
                    format!("the request has another key than the certificate of {id:?}"),
                    Hint::run("sign it as a request", Task::SignRequests),
                ));
            }
            RenewedKey::Same(password) => {
                self.own_key(device, spki, &self.key_file(device, record), password)?
            }
            RenewedKey::File(path, password) => self.own_key(device, spki, path, password)?,
        };
        match self.owners.refuse(device, spki) {
            Some(refused) => Err(fault(refused.message, new_key())),
            None => Ok(key),
        }
    }

    /// A key file, if it holds the key of the device's live certificate.
    fn own_key(
        &self,
        device: &Device,
        spki: &[u8],
        path: &Path,
        password: Option<&Password>,
    ) -> Result<DeviceKey, BadRow> {
        let (id, mut hint) = (device.id.as_str(), new_key());
        let mut read = || -> Result<PrivateKey, String> {
            let bytes = files::read(path).map_err(|e| e.to_string())?;
            let key = read::key(&bytes, password).map_err(|e| {
                if e.is_about_password() {
                    hint = Hint::provide("give its password", Secret::KeyPassword);
                }
                format!("{}: {e}", path.display())
            })?;
            key.public_key().check_fit(self.keys).map_err(|e| {
                if let CryptoError::Weak(WeakKey::SmallExponent(3)) = e {
                    hint = new_key()
                        .then(Hint::permit("to let this one through", Permission::ExponentThree));
                }
                format!("{}: {e}", path.display())
            })?;
            Ok(key)
        };
        let place = path.display();
        let problem = match read() {
            Ok(key) if key.public_key().spki() == spki => {
                let (path, password) = (path.to_owned(), password.cloned());
                return Ok(DeviceKey::File { path, password });
            }
            Ok(_) => format!("the key in {place} is not that of the live certificate of {id:?}"),
            Err(problem) => format!("the key of {id:?}: {problem}"),
        };
        Err(BadRow::of(device, problem, Some(hint)))
    }

    /// Where a device's key is: below `out`, on its way there, or where it was written.
    fn key_file(&self, device: &Device, record: &Record) -> PathBuf {
        let here = self.out.join(device.id.file_name());
        let waits = self.waiting.get(&record.serial.to_string());
        let there = record.location.iter();
        let folders: Vec<&PathBuf> = [&here].into_iter().chain(waits).chain(there).collect();
        let places =
            folders.iter().flat_map(|f| ["key.pem", THIN_EDGE_KEY].map(|name| f.join(name)));
        places
            .clone()
            .find(|path| path.exists())
            .unwrap_or_else(|| folders.last().copied().unwrap_or(&here).join("key.pem"))
    }
}
