//! Devices whose certificates are to be renewed: each keeps its subject and details, and gets a new
//! certificate for a new key or for the one it has.

use std::path::{Path, PathBuf};

use super::bundle::THIN_EDGE_KEY;
use super::destination::recover;
use super::error::Result;
use super::owners::Owners;
use crate::cert::spki_of;
use crate::crypto::{CryptoError, KeyPolicy, PublicKey, WeakKey};
use crate::files;
use crate::key::PrivateKey;
use crate::list::{Device, DeviceKey, DeviceList, Fault};
use crate::read;
use crate::registry::{Holder, Record, Registry};
use crate::secret::Password;

/// What to do about a key that is not to be kept.
const NEW_KEY: &str = "renew it with a new key: leave out --reuse-key, --key and --csr";

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
) -> Result<DeviceList> {
    if matches!(key, RenewedKey::Same(_)) {
        // A run that was killed may have left keys that are not in their place yet.
        recover(out, registry)?;
    }
    let kept = records.iter().filter(|_| !matches!(key, RenewedKey::New));
    let owners = Owners::of(registry, &[], kept.filter_map(|record| spki_of(&record.der)))?;
    let renewal = Renewal { key, keys, out, owners };
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

/// The live certificates of devices; those without one are faults.
pub fn live_of(registry: &Registry, ids: DeviceList) -> Result<(Vec<Record>, Vec<Fault>)> {
    let (mut records, mut faults) = (Vec::new(), ids.faults);
    for device in ids.devices {
        match registry.live_device(&device.id)? {
            Some(record) => records.push(record),
            None => {
                let id = device.id.as_str();
                let message = format!("device id {id:?} has no live certificate");
                let hint = format!("issue one: `c8y-pki device issue {id} --ca NAME --out DIR`");
                faults.push(Fault::of(&device, message, Some(hint)));
            }
        }
    }
    Ok((records, faults))
}

/// Where renewed certificates get their keys.
struct Renewal<'a> {
    key: RenewedKey<'a>,
    keys: KeyPolicy,
    out: &'a Path,
    owners: Owners,
}

impl Renewal<'_> {
    /// Where the new certificate of a device gets its key, whose live one is for `spki`.
    fn key(&self, device: &Device, record: &Record, spki: &[u8]) -> Result<DeviceKey, Fault> {
        let fault = |message: String, hint: &str| Fault::of(device, message, Some(hint.to_owned()));
        let id = device.id.as_str();
        let key = match self.key {
            // A registry of version 1 did not say where keys are.
            RenewedKey::New if record.location.is_some() && !record.has_key => {
                let hint = format!(
                    "renew it with its request: --csr; or give it a key from here: `c8y-pki device issue \
                     {id} --existing replace --ca NAME --out DIR`"
                );
                return Err(fault(format!("the device {id:?} keeps its key"), &hint));
            }
            RenewedKey::New => return Ok(DeviceKey::New),
            RenewedKey::Request(public) if public.spki() == spki => {
                DeviceKey::Requested(public.clone())
            }
            RenewedKey::Request(_) => {
                return Err(fault(
                    format!("the request has another key than the certificate of {id:?}"),
                    "sign it as a request: `c8y-pki device sign --existing replace`",
                ));
            }
            RenewedKey::Same(password) => {
                self.own_key(device, spki, &self.key_file(device, record), password)?
            }
            RenewedKey::File(path, password) => self.own_key(device, spki, path, password)?,
        };
        match self.owners.refuse(device, spki) {
            Some(refused) => Err(fault(refused.message, NEW_KEY)),
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
    ) -> Result<DeviceKey, Fault> {
        let (id, mut hint) = (device.id.as_str(), NEW_KEY.to_owned());
        let mut read = || -> Result<PrivateKey, String> {
            let bytes = files::read(path).map_err(|e| e.to_string())?;
            let key = read::key(&bytes, password).map_err(|e| {
                if e.is_about_password() {
                    hint = "give its password: --key-password-file FILE".to_owned();
                }
                format!("{}: {e}", path.display())
            })?;
            key.public_key().check_fit(self.keys).map_err(|e| {
                if let CryptoError::Weak(WeakKey::SmallExponent(3)) = e {
                    hint = format!("{NEW_KEY}; --allow-exponent-3 lets this one through");
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
        Err(Fault::of(device, problem, Some(hint)))
    }

    /// Where a device's key is: below `out`, or where it was written.
    fn key_file(&self, device: &Device, record: &Record) -> PathBuf {
        let here = self.out.join(device.id.file_name());
        let there = record.location.iter();
        let folders: Vec<&PathBuf> = [&here].into_iter().chain(there).collect();
        let places =
            folders.iter().flat_map(|f| ["key.pem", THIN_EDGE_KEY].map(|name| f.join(name)));
        places
            .clone()
            .find(|path| path.exists())
            .unwrap_or_else(|| folders.last().copied().unwrap_or(&here).join("key.pem"))
    }
}
