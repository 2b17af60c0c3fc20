//! The other half of `registry check`: is every live device's key where it was written, and its own?

use std::collections::HashMap;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::BulkError;
use crate::client_id::DeviceId;
use crate::crypto::sha256;
use crate::files::{self, growing::part_of};
use crate::key::{PrivateKey, read::is_encrypted};
use crate::registry::{Checked, Filter, Record, Registry, Role, Status};
use crate::secret::SecretBytes;

/// How many keys were looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Keys {
    /// Keys that fit their live certificates.
    pub good: u64,
    /// Files that are there, but encrypted, so that nothing can be said of what is in them.
    pub sealed: u64,
    /// Devices that keep their keys themselves.
    pub with_device: u64,
}

/// Looks for the key of every live device in the folder or archive in which it was put. What is
/// missing or does not fit is noted in `checked`.
pub fn check_keys(registry: &Registry, checked: &mut Checked) -> Result<Keys, BulkError> {
    let mut keys = Keys::default();
    let mut archives = Archives::default();
    let filter =
        Filter { role: Some(Role::Device), status: Some(Status::Live), ..Filter::default() };
    registry.each(&filter, |record| -> Result<(), BulkError> {
        let Some(place) = record.location.as_ref().filter(|_| record.has_key) else {
            keys.with_device += 1;
            return Ok(());
        };
        let found = match archives.at(place) {
            Some(archive) => archive.and_then(|archive| look_into(&record, place, archive)),
            None => look(&record, place),
        };
        match found {
            Ok(Found::Good) => keys.good += 1,
            Ok(Found::Sealed) => keys.sealed += 1,
            Err(problem) => checked.note("key", problem),
        }
        Ok(())
    })?;
    Ok(keys)
}

enum Found {
    Good,
    Sealed,
}

/// What an archive has for a device.
enum Held {
    /// SHA-256 of the SubjectPublicKeyInfo of its key.
    Key([u8; 32]),
    /// An encrypted key, or a store.
    Sealed,
    /// A file that holds no key.
    Damaged(String),
}

type Contents = HashMap<String, Held>;

/// The archive that was read last: devices of one run stand side by side in the registry.
#[derive(Default)]
struct Archives(Option<(PathBuf, Result<Contents, String>)>);

impl Archives {
    /// The contents of the archive at `place`; none if no archive is or was there.
    fn at(&mut self, place: &Path) -> Option<Result<&Contents, String>> {
        if self.0.as_ref().is_none_or(|(path, _)| path != place) {
            // One that is not finished has another name.
            let part = part_of(place);
            let path = [place, &part].into_iter().find(|path| path.is_file())?;
            self.0 = Some((place.to_owned(), contents(path)));
        }
        self.0.as_ref().map(|(_, contents)| contents.as_ref().map_err(String::clone))
    }
}

/// Reads an archive once, from its beginning to its end or to where it is cut off.
fn contents(path: &Path) -> Result<Contents, String> {
    let fail = |e: &dyn std::fmt::Display| format!("the archive {}: {e}", path.display());
    let file = files::open_for_passes(path).map_err(|e| fail(&e))?;
    let mut archive = tar::Archive::new(BufReader::new(file));
    let mut contents = Contents::new();
    for entry in archive.entries().map_err(|e| fail(&e))? {
        // An unfinished one may be cut off in the middle: what stands before that counts.
        let Ok(mut entry) = entry else { break };
        let name = entry.path().map_err(|e| fail(&e))?.to_string_lossy().into_owned();
        let Some((folder, file)) = name.split_once('/') else { continue };
        let held = match file {
            "key.pem" => {
                let mut bytes = Vec::new();
                if (&mut entry).take(files::MAX_READ).read_to_end(&mut bytes).is_err() {
                    break;
                }
                held(&SecretBytes::new(bytes))
            }
            "keystore.p12" | "keystore.jks" if !contents.contains_key(folder) => Held::Sealed,
            _ => continue,
        };
        contents.insert(folder.to_owned(), held);
    }
    Ok(contents)
}

fn held(bytes: &SecretBytes) -> Held {
    if is_encrypted(bytes.expose()) {
        return Held::Sealed;
    }
    match PrivateKey::read(bytes.expose(), None) {
        Ok(key) => Held::Key(sha256(key.public_key().spki())),
        Err(e) => Held::Damaged(e.to_string()),
    }
}

fn look_into(record: &Record, place: &Path, archive: &Contents) -> Result<Found, String> {
    let id = record.client_id.as_deref().unwrap_or_default();
    let folder = DeviceId::parse(id).map(|id| id.file_name()).unwrap_or_default();
    let place = place.display();
    match (archive.get(&folder), record.certificate()) {
        (None, _) => Err(format!("the key of {id:?} is not in {place}")),
        (Some(Held::Damaged(problem)), _) => {
            Err(format!("the key of {id:?} in {place}: {problem}"))
        }
        (Some(Held::Key(key)), Ok(cert)) if *key != sha256(&cert.spki) => {
            Err(format!("the key of {id:?} in {place} is not that of its live certificate"))
        }
        (Some(Held::Key(_)), _) => Ok(Found::Good),
        (Some(Held::Sealed), _) => Ok(Found::Sealed),
    }
}

fn look(record: &Record, folder: &Path) -> Result<Found, String> {
    let id = record.client_id.as_deref().unwrap_or_default();
    let path = folder.join("key.pem");
    if !path.exists() {
        let stores = ["keystore.p12", "keystore.jks"];
        if stores.iter().any(|name| folder.join(name).exists()) {
            return Ok(Found::Sealed);
        }
        let staging = folder.with_file_name(super::staging::FOLDER);
        let where_else = match staging.exists() {
            true => "; a run is not finished: it may be in its staging, and run again it goes on",
            false => "",
        };
        return Err(format!("the key of {id:?} is not in {}{where_else}", folder.display()));
    }
    let bytes = files::read(&path).map_err(|e| format!("the key of {id:?}: {e}"))?;
    if is_encrypted(&bytes) {
        return Ok(Found::Sealed);
    }
    let key = PrivateKey::read(&bytes, None)
        .map_err(|e| format!("the key of {id:?}, {}: {e}", path.display()))?;
    match record.certificate() {
        Ok(cert) if cert.spki != key.public_key().spki() => Err(format!(
            "the key in {} is not that of the live certificate of {id:?}",
            path.display()
        )),
        _ => Ok(Found::Good),
    }
}
