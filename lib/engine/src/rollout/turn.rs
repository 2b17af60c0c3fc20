//! One rollout at a time in a PKI directory: the next one waits.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::RolloutError;
use super::spec::Spec;
use crate::files::{self, BusyFile};
use crate::pki::Pki;

/// The file that says that a rollout is running.
const BUSY: &str = "rollout.lock";

/// Between two looks at it.
const PAUSE: Duration = Duration::from_millis(200);

/// The right to change a PKI directory as a rollout, until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct Turn {
    /// None where nothing can be written.
    _busy: Option<BusyFile>,
    /// Whether another rollout had to be waited for.
    pub waited: bool,
}

impl Turn {
    /// Waits until no other rollout works in the file's PKI directory, which is made if it is not there. `told` is
    /// called once if there is one; none if `stop` ends the wait.
    pub fn take(
        spec: &Spec,
        told: &dyn Fn(),
        stop: &AtomicBool,
    ) -> Result<Option<Self>, RolloutError> {
        Pki::make_folder_for(&spec.pki, spec.longest_chain)?;
        Self::wait(&spec.pki, told, stop)
    }

    /// The same for a directory that is there; none also where there is no directory.
    pub fn take_if_there(
        spec: &Spec,
        told: &dyn Fn(),
        stop: &AtomicBool,
    ) -> Result<Option<Self>, RolloutError> {
        if spec.pki.join("pki.toml").exists() {
            Self::wait(&spec.pki, told, stop)
        } else {
            Ok(None)
        }
    }

    fn wait(dir: &Path, told: &dyn Fn(), stop: &AtomicBool) -> Result<Option<Self>, RolloutError> {
        if !files::is_folder_writable(&dir.join(BUSY)) {
            // No rollout can change anything there.
            return Ok(Some(Self { _busy: None, waited: false }));
        }
        let mut waited = false;
        loop {
            if let Some(busy) = BusyFile::try_take(&dir.join(BUSY))? {
                return Ok(Some(Self { _busy: Some(busy), waited }));
            }
            if !waited {
                told();
                waited = true;
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            thread::sleep(PAUSE);
        }
    }
}
