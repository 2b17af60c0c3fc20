//! The directories and archives into which devices were put, and what runs have not finished there.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::files::growing::part_of;
use crate::files::{Lock, beside};
use crate::provision::destination::{Out, is_running, waiting};
use crate::provision::error::Result;
use crate::registry::{Checked, Registry, Unfinished};

/// How many are looked at. There is one for each run, and mostly one for all of them.
const MOST: usize = 10_000;

/// What is known of a place.
#[derive(Default)]
struct Place {
    is_archive: bool,
    /// Devices that wait in its staging directory.
    waiting: u64,
    /// Where devices wait, by their serial numbers: as it was when somebody asked last.
    staged: HashMap<String, PathBuf>,
}

/// The places in which devices are.
#[derive(Default)]
pub(super) struct Places(BTreeMap<PathBuf, Place>);

impl Places {
    /// Notes the place of a device.
    pub(super) fn add(&mut self, location: &Path, is_archive: bool) {
        let Some(path) = (if is_archive { Some(location) } else { location.parent() }) else {
            return;
        };
        // Mostly it is known already, and then no path is copied.
        if !self.0.contains_key(path) && self.0.len() < MOST {
            self.0.insert(path.to_owned(), Place { is_archive, ..Place::default() });
        }
    }

    /// The directory in which a device waits that is to come to `location`.
    pub(super) fn staged(&mut self, location: &Path, serial: &str) -> Option<PathBuf> {
        let out = location.parent()?;
        let place = self.0.entry(out.to_owned()).or_default();
        let known = place.staged.get(serial).filter(|path| path.exists());
        if known.is_none() {
            place.staged = waiting(out);
        }
        place.staged.get(serial).cloned()
    }

    /// Notes that a device waits for its place.
    pub(super) fn waits(&mut self, location: &Path) {
        if let Some(place) = location.parent().and_then(|out| self.0.get_mut(out)) {
            place.waiting += 1;
        }
    }

    /// Tells what is not finished, and what is left.
    pub(super) fn report(self, registry: &Registry, checked: &mut Checked) -> Result {
        for (path, place) in self.0 {
            let found = match place.is_archive {
                true => of_archive(&path),
                false => of_folder(&path, place.waiting, registry)?,
            };
            checked.unfinished.extend(found);
            // Beside an archive there may be anybody's files.
            let left = if place.is_archive { Vec::new() } else { beside::left_in(&path) };
            checked.leftovers.extend(left.iter().map(|path| path.display().to_string()));
        }
        checked.leftovers.sort();
        checked.leftovers.dedup();
        Ok(())
    }
}

fn of_folder(out: &Path, devices: u64, registry: &Registry) -> Result<Option<Unfinished>> {
    let run = is_running(out, registry)?;
    let replaces =
        Out::Folders(out).destination().replacing_marker().is_some_and(|path| path.exists());
    if run.is_none() && !replaces && devices == 0 {
        return Ok(None);
    }
    let wait = match devices {
        0 => String::new(),
        1 => ", and 1 device is not yet in its place".to_owned(),
        n => format!(", and {n} devices are not yet in their place"),
    };
    let running = run == Some(true);
    let folder = out.display();
    let message = match running {
        true => format!("a run is writing to {folder}{wait}"),
        false => {
            format!("a run was stopped in {folder}{wait}: run the same command again to finish it")
        }
    };
    let path = folder.to_string();
    Ok(Some(Unfinished { kind: "devices", path, devices, running, message }))
}

fn of_archive(path: &Path) -> Option<Unfinished> {
    let part = part_of(path);
    let marker = Out::Archive(path).destination().replacing_marker();
    if !part.exists() && !marker.is_some_and(|marker| marker.exists()) {
        return None;
    }
    let running = Lock::is_held(&part);
    let archive = path.display();
    let message = match running {
        true => format!("a run is writing {archive}"),
        false => {
            format!(
                "a run that writes {archive} was stopped: run the same command again to finish it"
            )
        }
    };
    let path = archive.to_string();
    Some(Unfinished { kind: "archive", path, devices: 0, running, message })
}
