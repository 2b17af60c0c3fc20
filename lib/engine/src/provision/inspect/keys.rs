//! The keys, one after the other, on all cores.

use std::path::Path;
use std::thread;

use super::super::bundle::THIN_EDGE_KEY;
use super::super::error::Result;
use super::archives::{Archive, Archives, Held};
use super::places::Places;
use crate::client_id::DeviceId;
use crate::crypto::sha256;
use crate::files;
use crate::key::{PrivateKey, read::is_encrypted};
use crate::registry::pipeline::in_order;
use crate::registry::{Checked, Filter, Record, Registry, Role, Scan, Status};

/// Devices that are handed to a worker together.
const CHUNK: usize = 64;

/// How many devices get a second look. With more lost keys than that, the count no longer matters.
const MOST_DOUBTS: usize = 10_000;

/// How many keys were looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Keys {
    /// Keys that fit their live certificates.
    pub good: u64,
    /// Files that are there, but encrypted, so that nothing can be said of what is in them.
    pub sealed: u64,
    /// Devices that keep their keys themselves.
    pub with_device: u64,
    /// Devices whose files wait for their place in the staging directory of a run.
    pub waiting: u64,
}

/// Looks for the key of every live device in the directory or archive in which it was put, on all cores. What
/// is missing or does not fit is noted in `checked`, and so is what runs have not finished.
pub fn check_keys(registry: &Registry, checked: &mut Checked) -> Result<Keys> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    check_keys_with(registry, &Scan { threads, progress: &|_, _| {} }, checked)
}

/// The same with so many threads, and tells how far it is.
pub fn check_keys_with(
    registry: &Registry,
    scan: &Scan<'_>,
    checked: &mut Checked,
) -> Result<Keys> {
    let total: u64 = registry.device_counts()?.values().sum();
    let (mut keys, mut places, mut doubts, mut done) =
        (Keys::default(), Places::default(), Vec::new(), 0);
    let read = |give: &mut dyn FnMut(Vec<KeyCheck>)| checks(registry, &mut places, give);
    let work = |checks: Vec<KeyCheck>| checks.into_iter().map(KeyCheck::look).collect::<Vec<_>>();
    let take = |results: Vec<(Record, Looked)>| {
        done += results.len() as u64;
        for (record, looked) in results {
            match looked {
                Ok(found) => keys.add(found),
                Err(problem) if doubts.len() < MOST_DOUBTS => doubts.push((record, problem)),
                Err(problem) => checked.note("key", problem),
            }
        }
        (scan.progress)(done, total.max(done));
    };
    in_order(scan.threads, read, work, take)?;
    let mut archives = Archives::default();
    for (record, problem) in doubts {
        match look_again(registry, &record, &mut archives, &mut places)? {
            Some(Ok(found)) => keys.add(found),
            Some(Err(_)) => checked.note("key", problem),
            // Nothing of it is live any more.
            None => {}
        }
    }
    places.report(registry, checked)?;
    Ok(keys)
}

/// What is to be said of a device's key, or what is wrong with it.
type Looked = Result<Found, String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Good,
    Sealed,
    WithDevice,
    Waiting,
}

impl Keys {
    fn add(&mut self, found: Found) {
        *match found {
            Found::Good => &mut self.good,
            Found::Sealed => &mut self.sealed,
            Found::WithDevice => &mut self.with_device,
            Found::Waiting => &mut self.waiting,
        } += 1;
    }
}

/// A device whose key is to be looked at.
struct KeyCheck {
    record: Record,
    archive: Option<Archive>,
}

impl KeyCheck {
    fn of(record: Record, archives: &mut Archives) -> Self {
        let place = record.location.as_ref().filter(|_| record.has_key);
        let archive = place.and_then(|place| archives.at(place));
        Self { record, archive }
    }

    fn look(self) -> (Record, Looked) {
        let looked = match (&self.record.location, &self.archive) {
            _ if !self.record.has_key => Ok(Found::WithDevice),
            (None, _) => Ok(Found::WithDevice),
            (Some(place), Some(archive)) => look_into(&self.record, place, archive),
            (Some(place), None) => look(&self.record, place),
        };
        (self.record, looked)
    }
}

/// Reads the live devices.
fn checks(registry: &Registry, places: &mut Places, give: &mut dyn FnMut(Vec<KeyCheck>)) -> Result {
    let mut archives = Archives::default();
    let filter =
        Filter { role: Some(Role::Device), status: Some(Status::Live), ..Filter::default() };
    let mut chunk = Vec::with_capacity(CHUNK);
    registry.each(&filter, |record| -> Result {
        let check = KeyCheck::of(record, &mut archives);
        if let Some(place) = &check.record.location {
            places.add(place, check.archive.is_some());
        }
        chunk.push(check);
        if chunk.len() == CHUNK {
            give(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK)));
        }
        Ok(())
    })?;
    give(chunk);
    Ok(())
}

/// Looks at a device again whose key did not fit: with its live certificate as it is now. None if it has
/// none.
fn look_again(
    registry: &Registry,
    record: &Record,
    archives: &mut Archives,
    places: &mut Places,
) -> Result<Option<Looked>> {
    let Some(id) = record.holder.device() else { return Ok(None) };
    // A run moves a device from its staging to its place: a look at both in turn may miss it once.
    for _ in 0..2 {
        let Some(now) = registry.live_device(id)? else { return Ok(None) };
        let serial = now.serial.to_string();
        let check = KeyCheck::of(now, archives);
        let (in_archive, place) = (check.archive.is_some(), check.record.location.clone());
        let (now, looked) = check.look();
        let (Err(_), Some(place), false) = (&looked, place, in_archive) else {
            return Ok(Some(looked));
        };
        if let Some(staged) = places.staged(&place, &serial)
            && let Ok(Found::Good | Found::Sealed) = look(&now, &staged)
        {
            places.waits(&place);
            return Ok(Some(Ok(Found::Waiting)));
        }
    }
    Ok(Some(Err(String::new())))
}

/// The device's identifier, for messages.
fn id_of(record: &Record) -> &str {
    record.holder.device().map_or("", DeviceId::as_str)
}

fn look_into(record: &Record, place: &Path, archive: &Archive) -> Looked {
    let contents = archive.as_ref().as_ref().map_err(String::clone)?;
    let id = id_of(record);
    let folder = record.holder.device().map(DeviceId::file_name).unwrap_or_default();
    let place = place.display();
    match (contents.of(&folder), record.certificate()) {
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

fn look(record: &Record, folder: &Path) -> Looked {
    let id = id_of(record);
    let plain = ["key.pem", THIN_EDGE_KEY].map(|name| folder.join(name));
    let Some(path) = plain.into_iter().find(|path| path.exists()) else {
        let stores = ["keystore.p12", "keystore.jks"];
        if stores.iter().any(|name| folder.join(name).exists()) {
            return Ok(Found::Sealed);
        }
        return Err(format!("the key of {id:?} is not in {}", folder.display()));
    };
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
