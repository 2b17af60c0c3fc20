//! The staging directory: where a chunk of devices waits until the registry has it.
//!
//! ```text
//! <out>/.c8y-pki-staging/<run>/lock            held while the run lives
//! <out>/.c8y-pki-staging/<run>/registry        which registry it records into
//! <out>/.c8y-pki-staging/<run>/<chunk>/.journal which device, which directory, which serial number
//! <out>/.c8y-pki-staging/<run>/<chunk>/<directory>/…
//! ```
//!
//! A chunk is written, made durable, recorded, and only then renamed into place. A directory that is
//! in the way belongs to a certificate that was replaced: it is moved to
//! `<out>/.replaced/<folder>/<number>`, because keys are never removed unasked. Whatever a stopped run
//! leaves is settled by [`recover`]: devices whose very certificate the registry has are renamed into
//! place, all others go.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::files::{self, Access, OwnDir};
use crate::provision::error::Result;
use crate::provision::made::Made;
use crate::registry::{Registry, Status};

pub(crate) const FOLDER: &str = ".c8y-pki-staging";
/// No device's directory begins with a dot.
const JOURNAL: &str = ".journal";

/// The identity of the registry that a run records into.
const REGISTRY: &str = "registry";

/// Where the directories of replaced certificates go. No device's directory begins with a dot.
pub(crate) const REPLACED: &str = ".replaced";

/// The staging directory of a run. Dropping it does not remove it; [`Staging::close`] does.
#[derive(Debug)]
pub(super) struct Staging {
    out: PathBuf,
    dir: OwnDir,
}

impl Staging {
    /// Opens a staging directory in `out` for the run of that name.
    pub(super) fn open(out: &Path, run: &str, registry: &Registry) -> Result<Self> {
        let dir = OwnDir::create(&out.join(FOLDER).join(run))?;
        files::note(&dir.path().join(REGISTRY), &registry.identity()?)?;
        Ok(Self { out: out.to_owned(), dir })
    }

    /// The directory of a chunk.
    pub(super) fn chunk_dir(&self, index: usize) -> PathBuf {
        self.dir.path().join(index.to_string())
    }

    /// Writes the journal of a chunk and makes the whole chunk durable.
    pub(super) fn seal(&self, index: usize, devices: &[Made]) -> Result {
        let dir = self.chunk_dir(index);
        let lines: String = devices
            .iter()
            .map(|d| format!("{}\t{}\t{}\n", d.serial(), d.id.file_name(), d.id.folded()))
            .collect();
        files::write_new(&dir.join(JOURNAL), lines.as_bytes(), Access::Private)?;
        Ok(files::sync_tree(&dir)?)
    }

    /// Moves the devices of a recorded chunk into place.
    pub(super) fn publish(&self, index: usize, devices: &[Made], registry: &Registry) -> Result {
        let dir = self.chunk_dir(index);
        for device in devices {
            let name = device.id.file_name();
            let is_live = || {
                let live = registry.live_device(&device.id)?;
                Ok(live.is_some_and(|live| live.serial == *device.serial()))
            };
            put_in_place(&dir.join(&name), &self.out, &name, is_live)?;
        }
        Ok(files::remove_tree(&dir)?)
    }

    /// Removes the staging directory.
    pub(super) fn close(self) -> Result {
        self.dir.remove()?;
        // Another run may be using its own directory beside it.
        let _ = std::fs::remove_dir(self.out.join(FOLDER));
        Ok(())
    }
}

/// Renames a device's directory into place. Where one is in the way, the live certificate's stays.
fn put_in_place(
    staged: &Path,
    out: &Path,
    folder: &str,
    is_live: impl Fn() -> Result<bool>,
) -> Result {
    let target = out.join(folder);
    let history = out.join(REPLACED).join(folder);
    match files::rename(staged, &target) {
        Err(_) if target.exists() => {}
        done => return Ok(done?),
    }
    // Another process may have replaced this device since it was recorded, and been faster here.
    if !is_live()? {
        return move_aside(staged, &history);
    }
    move_aside(&target, &history)?;
    Ok(files::rename(staged, &target)?)
}

/// Moves a directory into `history`, under the next number.
fn move_aside(folder: &Path, history: &Path) -> Result {
    files::create_private_dir(history)?;
    let number = files::list_dir(history)?.len() + 1;
    let free = (number..).map(|n| history.join(n.to_string())).find(|path| !path.exists());
    // There is always a free number.
    let free = free.unwrap_or_else(|| history.join("0"));
    Ok(files::rename(folder, &free)?)
}

/// Settles what stopped runs have left in `out`. Returns how many devices were put into place.
pub(in crate::provision) fn recover(out: &Path, registry: &Registry) -> Result<usize> {
    let mut finished = 0;
    for run in files::list_dir(&out.join(FOLDER))?.into_iter().filter(|p| p.is_dir()) {
        let Some(run) = OwnDir::take_over(&run)? else { continue };
        let chunks: Vec<PathBuf> =
            files::list_dir(run.path())?.into_iter().filter(|p| p.is_dir()).collect();
        // A run that was stopped before its first chunk holds nothing, whatever its note says: that
        // may have been written in part.
        if !chunks.is_empty() && is_anothers(run.path(), registry)? {
            continue;
        }
        for chunk in chunks {
            finished += recover_chunk(out, &chunk, registry)?;
        }
        run.remove()?;
    }
    let _ = std::fs::remove_dir(out.join(FOLDER));
    Ok(finished)
}

/// Whether a run of this registry that has a staging directory in `out` is going on; none if there is no such run.
/// Nothing is changed.
pub(in crate::provision) fn is_running(out: &Path, registry: &Registry) -> Result<Option<bool>> {
    let mut found = None;
    for run in files::list_dir(&out.join(FOLDER))?.into_iter().filter(|path| path.is_dir()) {
        // One that has ended a moment ago takes its files with it.
        let others = is_anothers(&run, registry).unwrap_or(false);
        if !others && run.exists() {
            found = Some(found == Some(true) || OwnDir::is_held(&run));
        }
    }
    Ok(found)
}

/// The directories of devices that wait in `out` for their place, by their serial numbers: what the journals
/// of runs say, whether the registry has them or not. What goes away meanwhile is left out.
pub(in crate::provision) fn waiting(out: &Path) -> HashMap<String, PathBuf> {
    let below = |dir: &Path| files::list_dir(dir).unwrap_or_default();
    let mut waiting = HashMap::new();
    for chunk in below(&out.join(FOLDER)).iter().flat_map(|run| below(run)) {
        let journal = journal(&chunk).unwrap_or_default();
        waiting.extend(journal.into_iter().map(|line| (line.serial, chunk.join(line.folder))));
    }
    waiting
}

/// What a journal says of a device.
struct Line {
    serial: String,
    folder: String,
    folded: String,
}

/// The journal of a chunk; what is not whole of it is left out.
fn journal(chunk: &Path) -> Result<Vec<Line>> {
    let text = files::read(&chunk.join(JOURNAL))?;
    let line = |line: &str| {
        let mut parts = line.splitn(3, '\t').map(str::to_owned);
        Some(Line { serial: parts.next()?, folder: parts.next()?, folded: parts.next()? })
    };
    Ok(String::from_utf8_lossy(&text).lines().filter_map(line).collect())
}

/// Whether the run was one of another PKI directory, which knows what of it counts.
fn is_anothers(run: &Path, registry: &Registry) -> Result<bool> {
    let path = run.join(REGISTRY);
    Ok(path.exists() && files::read(&path)? != registry.identity()?.as_bytes())
}

fn recover_chunk(out: &Path, chunk: &Path, registry: &Registry) -> Result<usize> {
    let mut finished = 0;
    // Without a journal the chunk was not durable, so the registry cannot have it.
    if !chunk.join(JOURNAL).exists() {
        return Ok(0);
    }
    for Line { serial, folder, folded } in journal(chunk)? {
        let staged = chunk.join(&folder);
        let history = registry.history(folded)?;
        let Some(record) = history.iter().find(|r| r.serial.to_string() == serial) else {
            continue;
        };
        if !staged.exists() {
            continue;
        }
        if record.status == Status::Live {
            put_in_place(&staged, out, &folder, || Ok(true))?;
            finished += 1;
        } else {
            // Replaced or revoked in the meantime: still a key that somebody may ask for.
            move_aside(&staged, &out.join(REPLACED).join(folder))?;
        }
    }
    Ok(finished)
}
