//! One tar archive for all devices, in a file that grows with the run.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::growth::{finish, grow, settle};
use super::place::{Destination, Opened, Opening, Sizes, Writer};
use super::tar::{END, Headers, entries_of};
use crate::client_id::DeviceId;
use crate::files::growing::{GROWS, Growing, part_of};
use crate::files::{self, Mark};
use crate::provision::bundle::BundleFile;
use crate::provision::error::{ProvisionError, Result};
use crate::provision::made::Made;
use crate::registry::Registry;

/// How an archive is shared out: it is faster than directories, so it takes more devices to keep syncs rare.
pub(super) const SIZES: Sizes = Sizes { chunk: 1024, group: 64 };

/// An archive in a file.
pub(super) struct Archive<'a> {
    path: &'a Path,
    absolute: PathBuf,
}

impl<'a> Archive<'a> {
    pub(super) fn new(path: &'a Path) -> Self {
        Self { path, absolute: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()) }
    }
}

impl Destination for Archive<'_> {
    fn sizes(&self) -> Sizes {
        SIZES
    }

    fn location_of(&self, _id: &DeviceId) -> Option<PathBuf> {
        Some(self.absolute.clone())
    }

    fn replacing_marker(&self) -> Option<PathBuf> {
        Some(part_of(self.path).with_extension("replacing"))
    }

    fn check(&self) -> Result {
        if self.path.is_dir() {
            let problem = "it is a directory; an archive is a file";
            return Err(ProvisionError::Output { path: self.path.to_owned(), problem });
        }
        files::regular(self.path, GROWS)?;
        Ok(())
    }

    fn settle(&self, registry: &mut Registry) -> Result {
        settle(self.path, &END, registry)
    }

    fn open<'s>(&'s self, run: &Opening<'_>, registry: &mut Registry) -> Result<Opened<'s>> {
        let Some(file) = grow(self.path, run.todo, registry)? else { return Ok(None) };
        Ok(Some(Box::new(Open { headers: Headers::new(run.now), file: Mutex::new(file) })))
    }
}

/// An archive that is being written.
struct Open {
    headers: Headers,
    /// Only the thread that commits asks for it.
    file: Mutex<Growing>,
}

impl Open {
    fn file(&self) -> MutexGuard<'_, Growing> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn into_file(self) -> Growing {
        self.file.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer for Open {
    fn pack(&self, _chunk: usize, folder: &str, files: Vec<BundleFile>) -> Result<Vec<u8>> {
        self.headers.entries(folder, &files)
    }

    fn take(&self, made: &[Made]) -> Result {
        let mut file = self.file();
        Ok(entries_of(made).try_for_each(|entries| file.push(entries))?)
    }

    fn write(&self, _chunk: usize, made: &[Made], first: bool) -> Result<Option<Mark>> {
        let mut file = self.file();
        Ok(Some(if first { file.seal()? } else { file.add(entries_of(made))? }))
    }

    fn confirm(&self, mark: &Mark) {
        self.file().confirm(mark);
    }

    fn leave(self: Box<Self>, _failed: bool, _registry: &Registry) -> Result {
        Ok(self.into_file().leave()?)
    }

    fn finish(self: Box<Self>, registry: &mut Registry) -> Result {
        finish(self.into_file(), &END, registry)
    }
}
