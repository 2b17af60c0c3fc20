//! CAs whose making was stopped before the registry knew them.
//!
//! The directory of a new CA has a marker until its certificate is recorded. Only such a CA may be recorded when
//! the directory is opened; one without it is unknown because the registry is older, or another directory's.

use time::OffsetDateTime;

use super::history::ADOPTING;
use super::{AuthorityError, Ca, Pki, Result};
use crate::files::{self, Lock};

/// The marker in the directory of a CA that the registry need not know yet.
pub(super) const UNRECORDED: &str = "unrecorded";

/// The request of a CA, in its directory while it waits for its certificate and until that is recorded.
pub(super) const REQUEST: &str = "request.pem";

impl Ca {
    /// Whether its making was stopped before it was recorded, or is going on.
    pub(super) fn is_unrecorded(&self) -> bool {
        self.dir.join(UNRECORDED).exists() && !self.list_path().exists()
    }

    /// Lets the directory be that of a CA that the registry knows.
    pub(super) fn settle(&self) -> Result<()> {
        // The request comes first: while the marker is there, this is done again.
        for marker in [REQUEST, UNRECORDED, ADOPTING] {
            let marker = self.dir.join(marker);
            if marker.exists() {
                files::remove_file(&marker)?;
                files::sync_dir(&self.dir)?;
            }
        }
        Ok(())
    }
}

impl Pki {
    /// Refuses a registry that does not know a CA of the directory, unless the making of that was stopped.
    pub(super) fn check_known(&self, cas: &[Ca]) -> Result<()> {
        for ca in cas {
            // Looked at first: the process that is making it takes the marker away once the registry has it.
            let is_unrecorded = ca.is_unrecorded();
            if !is_unrecorded && !self.registry.has(ca.certificate())? {
                let path = self.registry.path().to_owned();
                let what = "it does not know the CAs of this directory";
                return Err(AuthorityError::RegistryLost { path, what });
            }
        }
        Ok(())
    }

    /// Records the CAs whose making was stopped, and puts into a shared database what it does not have of the CAs. To be
    /// called once the clock has been looked at: rows carry its time.
    pub fn record_unfinished(&mut self, now: OffsetDateTime) -> Result<()> {
        let is_marked = |ca: &Ca| ca.dir.join(UNRECORDED).exists();
        if self.cas()?.iter().any(is_marked) {
            // The process that is making a CA holds it, until that is recorded.
            let _lock = Lock::wait(&self.lock_path())?;
            for ca in self.cas()?.into_iter().filter(is_marked) {
                self.record_in_place_of(&ca, None, now)?;
                ca.settle()?;
            }
        }
        self.publish(now)
    }
}
