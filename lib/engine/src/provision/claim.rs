//! Which run makes which devices: two runs with one list would make every device twice and throw one of them away.
//!
//! ```text
//! <pki>/.runs/<run>/lock      held while the run lives
//! <pki>/.runs/<run>/place     where its devices' files go
//! <pki>/.runs/<run>/devices   the folded ids of the devices that it makes
//! ```
//!
//! A run names its devices before it makes the first, under the lock of the PKI directory. If another run that lives
//! has named one of them, it waits until that one has ended, however it ended, and looks again at what is left. Nothing
//! here is kept beyond the life of a process: whether a device is issued, the registry says alone.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::context::{Context, Progress};
use super::destination::Out;
use super::error::Result;
use crate::files::{self, Access, Lock, OwnDir};
use crate::issue::IssueError;
use crate::list::Devices;
use crate::pki::Pki;
use crate::registry::{Registry, RowId, batch_name};

const FOLDER: &str = ".runs";
const PLACE: &str = "place";
const DEVICES: &str = "devices";

/// How often a run that waits looks whether the other one has ended.
const LOOK: Duration = Duration::from_millis(100);

/// How often it counts what the other one has done, at most; a count may take a tenth of the time between two.
const COUNT: Duration = Duration::from_millis(500);

/// A run that is making devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtWork {
    /// Where the files of its devices go: a directory, an archive, or a stream.
    pub place: String,
    /// How many of the devices in question it makes.
    pub devices: usize,
}

/// Whose turn it is.
pub(super) enum Claimed {
    /// This run's. Without devices there is nothing to be named.
    Own(Option<Claim>),
    /// These runs, by their directories, are making some of the devices.
    Others(Vec<PathBuf>),
}

/// Devices that this run has named, until it is dropped.
pub(super) struct Claim {
    dir: Option<OwnDir>,
    folder: PathBuf,
}

impl Claim {
    /// Names the devices of a run, unless others are making some of them.
    pub(super) fn take(pki: &Pki, due: &HashSet<String>, out: Out<'_>) -> Result<Claimed> {
        let folder = pki.dir().join(FOLDER);
        if due.is_empty() && !folder.exists() {
            return Ok(Claimed::Own(None));
        }
        let _turn = Lock::wait(&pki.lock_path())?;
        let mut others = Vec::new();
        for run in runs(&folder)? {
            if let Some(gone) = OwnDir::take_over(&run)? {
                gone.remove()?;
            } else if common(&run, due) > 0 {
                others.push(run);
            }
        }
        if !others.is_empty() {
            return Ok(Claimed::Others(others));
        }
        if due.is_empty() {
            let _ = std::fs::remove_dir(&folder);
            return Ok(Claimed::Own(None));
        }
        // Only to be told from others.
        let name = batch_name(time::OffsetDateTime::UNIX_EPOCH).map_err(IssueError::from)?;
        let dir = OwnDir::create(&folder.join(name))?;
        files::write_new(&dir.path().join(PLACE), out.named().as_bytes(), Access::Private)?;
        let ids = due.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
        files::write_new(&dir.path().join(DEVICES), ids.as_bytes(), Access::Private)?;
        Ok(Claimed::Own(Some(Self { dir: Some(dir), folder })))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // What stays is somebody's who is gone: the next run takes it away.
        let _ = self.dir.take().map(OwnDir::remove);
        let _ = std::fs::remove_dir(&self.folder);
    }
}

fn runs(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(files::list_dir(folder)?.into_iter().filter(|path| path.is_dir()).collect())
}

/// How many of these devices a run has named. One that ends meanwhile has none.
fn common(run: &Path, ids: &HashSet<String>) -> usize {
    let named = files::read(&run.join(DEVICES)).unwrap_or_default();
    String::from_utf8_lossy(&named).lines().filter(|id| ids.contains(*id)).count()
}

/// The runs of a PKI directory that are making devices of a list: a run with that list waits for them. Nothing is
/// changed.
pub fn at_work(pki: &Pki, devices: &Devices) -> Result<Vec<AtWork>> {
    let folder = pki.dir().join(FOLDER);
    let lives: Vec<PathBuf> =
        runs(&folder)?.into_iter().filter(|run| OwnDir::is_held(run)).collect();
    if lives.is_empty() {
        return Ok(Vec::new());
    }
    let ids: HashSet<String> =
        (0..devices.len()).map(|index| devices.outline(index).id.folded()).collect();
    let of = |run: &PathBuf| {
        let place = files::read(&run.join(PLACE)).unwrap_or_default();
        let place = String::from_utf8_lossy(&place).into_owned();
        AtWork { place, devices: common(run, &ids) }
    };
    Ok(lives.iter().map(of).filter(|run| run.devices > 0).collect())
}

/// Waits until one of these runs has ended, or this one is stopped, and tells how many of the `due` devices the registry
/// has got since its row `begun`.
pub(super) fn wait(
    others: &[PathBuf],
    registry: &Registry,
    (due, begun): (&HashSet<String>, RowId),
    context: &Context<'_>,
) -> Result {
    let (mut counted, mut pause) = (Instant::now(), Duration::ZERO);
    while others.iter().all(|run| OwnDir::is_held(run)) && !context.is_stopped() {
        if counted.elapsed() >= pause {
            let start = Instant::now();
            let mut done = 0;
            for id in due {
                let live = registry.live_device(id)?;
                done += usize::from(live.is_some_and(|live| live.row > begun));
            }
            (context.progress)(Progress { done, total: due.len() });
            (counted, pause) = (Instant::now(), COUNT.max(start.elapsed() * 10));
        }
        sleep(LOOK);
    }
    Ok(())
}
