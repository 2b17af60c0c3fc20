//! Which run makes which devices: two runs with one list would make every device twice and throw one of them away.
//!
//! ```text
//! <pki>/.runs/<run>/lock      held while the run lives
//! <pki>/.runs/<run>/place     where its devices' files go
//! <pki>/.runs/<run>/devices   the devices that it makes: the start of the SHA-256 of each folded id
//! ```
//!
//! A run names its devices before it makes the first, under the lock of the PKI directory. If another run that lives
//! has named one of them, it waits until that one has ended, however it ended, and looks again at what is left. Nothing
//! here is kept beyond the life of a process: whether a device is issued, the registry says alone.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::context::{Context, Progress};
use super::destination::Out;
use super::error::Result;
use crate::crypto::sha256;
use crate::files::{self, Access, Lock, OwnDir};
use crate::issue::IssueError;
use crate::list::{Device, Devices};
use crate::pki::Pki;
use crate::registry::batch_name;

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

/// Devices of a run, each by the first 8 bytes of the SHA-256 of its folded id: a million of them are 8 MB. Two ids that
/// have the same start would only make a run wait for another one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named(Vec<[u8; 8]>);

impl Named {
    pub(super) fn of<'d>(ids: impl Iterator<Item = Cow<'d, Device>>) -> Self {
        let start = |device: Cow<'d, Device>| {
            let digest = sha256(device.id.folded().as_bytes());
            let mut start = [0; 8];
            start.copy_from_slice(&digest[..8]);
            start
        };
        let mut all: Vec<[u8; 8]> = ids.map(start).collect();
        all.sort_unstable();
        Self(all)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many of these devices a run has named. One that ends meanwhile has none.
    fn common(&self, run: &Path) -> usize {
        let named = files::read(&run.join(DEVICES)).unwrap_or_default();
        let (named, _) = named.as_chunks::<8>();
        named.iter().filter(|id| self.0.binary_search(id).is_ok()).count()
    }
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
    pub(super) fn take(pki: &Pki, due: &Named, out: Out<'_>) -> Result<Claimed> {
        let folder = pki.dir().join(FOLDER);
        if due.is_empty() && !folder.exists() {
            return Ok(Claimed::Own(None));
        }
        let _turn = Lock::wait(&pki.lock_path())?;
        let mut others = Vec::new();
        for run in runs(&folder)? {
            if let Some(gone) = OwnDir::take_over(&run)? {
                gone.remove()?;
            } else if due.common(&run) > 0 {
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
        let named = due.0.as_flattened();
        files::write_new(&dir.path().join(DEVICES), named, Access::Private)?;
        Ok(Claimed::Own(Some(Self { dir: Some(dir), folder })))
    }
}

/// Takes away what runs have left that are gone. A run does so by itself: this is for commands that find nothing to do.
pub(super) fn tidy(pki: &Pki, out: Out<'_>) -> Result {
    Claim::take(pki, &Named::default(), out).map(drop)
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

/// The runs of a PKI directory that are making devices of a list: a run with that list waits for them. Nothing is
/// changed.
pub fn at_work(pki: &Pki, devices: &Devices) -> Result<Vec<AtWork>> {
    let folder = pki.dir().join(FOLDER);
    let lives: Vec<PathBuf> =
        runs(&folder)?.into_iter().filter(|run| OwnDir::is_held(run)).collect();
    if lives.is_empty() {
        return Ok(Vec::new());
    }
    let ids = Named::of((0..devices.len()).map(|index| devices.outline(index)));
    let of = |run: &PathBuf| {
        let place = files::read(&run.join(PLACE)).unwrap_or_default();
        let place = String::from_utf8_lossy(&place).into_owned();
        AtWork { place, devices: ids.common(run) }
    };
    Ok(lives.iter().map(of).filter(|run| run.devices > 0).collect())
}

/// Waits until one of these runs has ended, or this one is stopped. Tells now and then how far they are: `count` says it.
pub(super) fn wait(
    others: &[PathBuf],
    context: &Context<'_>,
    mut count: impl FnMut() -> Result<Progress>,
) -> Result {
    let (mut counted, mut pause) = (Instant::now(), Duration::ZERO);
    while others.iter().all(|run| OwnDir::is_held(run)) && !context.is_stopped() {
        if counted.elapsed() >= pause {
            let start = Instant::now();
            (context.progress)(count()?);
            (counted, pause) = (Instant::now(), COUNT.max(start.elapsed() * 10));
        }
        sleep(LOOK);
    }
    Ok(())
}
