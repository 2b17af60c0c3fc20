//! A directory for each device.

use std::path::{Path, PathBuf};

use super::place::{Destination, Opened, Opening, Sizes, Writer};
use super::staging::{Staging, recover};
use crate::client_id::DeviceId;
use crate::files::{self, Mark};
use crate::provision::bundle::BundleFile;
use crate::provision::error::{ProvisionError, Result};
use crate::provision::made::Made;
use crate::registry::Registry;

/// When the run began that replaces devices and is not finished, in Unix seconds.
const REPLACING: &str = ".c8y-pki-replacing";

/// A directory that gets one directory for each device.
pub(super) struct Folders<'a> {
    dir: &'a Path,
    absolute: PathBuf,
}

impl<'a> Folders<'a> {
    pub(super) fn new(dir: &'a Path) -> Self {
        Self { dir, absolute: std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()) }
    }
}

impl Destination for Folders<'_> {
    fn sizes(&self) -> Sizes {
        Sizes { chunk: 512, group: 16 }
    }

    fn folder_of(&self, id: &DeviceId) -> Option<PathBuf> {
        Some(self.dir.join(id.file_name()))
    }

    fn location_of(&self, id: &DeviceId) -> Option<PathBuf> {
        Some(self.absolute.join(id.file_name()))
    }

    fn replacing_marker(&self) -> Option<PathBuf> {
        Some(self.dir.join(REPLACING))
    }

    fn check(&self) -> Result {
        if !self.dir.join("pki.toml").exists() {
            return Ok(());
        }
        let problem = "it is a PKI directory; choose another directory for devices";
        Err(ProvisionError::Output { path: self.dir.to_owned(), problem })
    }

    fn recover(&self, registry: &Registry) -> Result<usize> {
        recover(self.dir, registry)
    }

    fn open<'s>(&'s self, run: &Opening<'_>, registry: &mut Registry) -> Result<Opened<'s>> {
        if run.todo == 0 {
            return Ok(None);
        }
        let staging = Staging::open(self.dir, run.batch, registry)?;
        Ok(Some(Box::new(Open { dir: self.dir, staging })))
    }
}

/// Directories that wait in a staging directory until the registry has their devices.
struct Open<'a> {
    dir: &'a Path,
    staging: Staging,
}

impl Writer for Open<'_> {
    fn begin(&self, chunk: usize) -> Result {
        Ok(files::create_private_dir(&self.staging.chunk_dir(chunk))?)
    }

    fn pack(&self, chunk: usize, folder: &str, files: Vec<BundleFile>) -> Result<Vec<u8>> {
        let dir = self.staging.chunk_dir(chunk).join(folder);
        files::create_new_private_dir(&dir)?;
        for file in files {
            files::write_new(&dir.join(file.name), &file.bytes, file.access)?;
        }
        Ok(Vec::new())
    }

    fn write(&self, chunk: usize, made: &[Made], first: bool) -> Result<Option<Mark>> {
        if first {
            self.staging.seal(chunk, made)?;
        }
        Ok(None)
    }

    fn publish(&self, chunk: usize, made: &[Made], registry: &Registry) -> Result {
        self.staging.publish(chunk, made, registry)
    }

    fn leave(self: Box<Self>, failed: bool, registry: &Registry) -> Result {
        if !failed {
            return self.staging.close();
        }
        // What was recorded must not go with the rest: it is put into place, or stays.
        drop(self.staging);
        let _ = recover(self.dir, registry);
        Ok(())
    }

    fn finish(self: Box<Self>, _registry: &mut Registry) -> Result {
        self.staging.close()
    }
}
