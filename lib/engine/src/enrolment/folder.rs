//! The directory of a device that enrolled, and how it changes over to the next files.
//!
//! A directory that is prepared has a file `.renewal` in it, and takes it along when it changes places. So it can be
//! told what `<device>.new` is: with that file the next files, without it the former ones.

use std::io;
use std::path::{Path, PathBuf};

use crate::client_id::DeviceId;
use crate::failure::{Failure, Fault, Hint};
use crate::files::{self, Access, BusyFile, Existing, FileError};

/// Tells a directory that was prepared from any other.
const MARK: &str = ".renewal";
/// The device's private key, in PKCS#8 as PEM.
const KEY: &str = "key.pem";
/// Its certificate.
const CERT: &str = "cert.pem";
/// What it presents.
const CHAIN: &str = "chain.pem";
/// The one-time password of an enrolment that is under way.
const ONE_TIME: &str = "one-time-password";

/// Why a directory cannot be changed over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The file system.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another process is at it.
    #[error("another process works on the files of {device}: {} is locked", path.display())]
    Busy {
        /// The device.
        device: String,
        /// The lock.
        path: PathBuf,
    },
    /// A directory of somebody else's with the name that the next files are to have.
    #[error("{} exists, and has no files of a renewal", dir.display())]
    Foreign {
        /// The directory.
        dir: PathBuf,
    },
}

impl Failure for FolderError {
    fn fault(&self) -> Fault {
        match self {
            Self::File(e) => e.fault(),
            Self::Busy { .. } => Fault::Environment,
            Self::Foreign { .. } => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::File(e) => e.hint(),
            Self::Busy { .. } => Some("wait until it has ended, and run this again".into()),
            Self::Foreign { .. } => Some("the next files are prepared in it: move it away".into()),
        }
    }
}

/// The directory of a device, held by this process until it is dropped.
#[derive(Debug)]
pub struct Folder {
    out: PathBuf,
    name: String,
    _held: BusyFile,
}

impl Folder {
    /// Takes the directory for this process, and finishes a change that one before has begun. The directory of
    /// devices is made if it is not there.
    pub fn open(out: &Path, id: &DeviceId) -> Result<Self, FolderError> {
        files::create_private_dir(out)?;
        let name = id.file_name();
        let path = out.join(format!(".{name}.busy"));
        let held = BusyFile::try_take(&path)?
            .ok_or_else(|| FolderError::Busy { device: id.as_str().to_owned(), path })?;
        let folder = Self { out: out.to_owned(), name, _held: held };
        folder.finish()?;
        Ok(folder)
    }

    /// The device's directory.
    pub fn dir(&self) -> PathBuf {
        self.out.join(&self.name)
    }

    /// Where the next files are prepared.
    pub fn next(&self) -> PathBuf {
        self.out.join(format!("{}.new", self.name))
    }

    /// The device's key.
    pub fn key(&self) -> PathBuf {
        self.dir().join(KEY)
    }

    /// The device's certificate.
    pub fn cert(&self) -> PathBuf {
        self.dir().join(CERT)
    }

    /// What the device presents.
    pub fn chain(&self) -> PathBuf {
        self.dir().join(CHAIN)
    }

    /// The one-time password of an enrolment that is under way.
    pub fn one_time(&self) -> PathBuf {
        self.dir().join(ONE_TIME)
    }

    /// Removes the one-time password: it is used up.
    pub fn forget_one_time(&self) -> Result<(), FileError> {
        files::remove_file(&self.one_time())
    }

    /// Makes the directory for the next files; one that a run before has prepared is taken as it is.
    ///
    /// Errors: [`FolderError::Foreign`] if there is a directory of that name that is not of a renewal.
    pub fn prepare(&self) -> Result<Next, FolderError> {
        let dir = self.next();
        let there = files::list_dir(&dir)?;
        if !there.is_empty() && !there.iter().any(|path| path.ends_with(MARK)) {
            return Err(FolderError::Foreign { dir });
        }
        files::create_private_dir(&dir)?;
        files::note(&dir.join(MARK), "prepared\n")?;
        Ok(Next { dir })
    }

    /// Removes what was prepared.
    pub fn discard(&self, next: Next) -> Result<(), FolderError> {
        // The mark goes last: without it the directory would be taken for somebody else's.
        for path in files::list_dir(&next.dir)?.iter().filter(|path| !path.ends_with(MARK)) {
            if path.is_dir() { files::remove_tree(path)? } else { files::remove_file(path)? }
        }
        Ok(files::remove_tree(&next.dir)?)
    }

    /// Lets the prepared files take the place of the device's, in one step. They get owner and mode of those
    /// that they replace; whatever else is in the directory is copied. Returns where the former files are.
    ///
    /// On a file system that cannot exchange two directories the device has no directory between two renames; a
    /// run after that finishes it.
    pub fn promote(&self, next: Next) -> Result<PathBuf, FolderError> {
        let dir = self.dir();
        files::copy_others(&dir, &next.dir, &[KEY, CERT, CHAIN, MARK, ONE_TIME])?;
        for name in [KEY, CERT, CHAIN] {
            files::like(&dir.join(name), &next.dir.join(name))?;
        }
        files::like(&dir, &next.dir)?;
        files::sync_tree(&next.dir)?;
        let place = self.former_place()?;
        if !files::exchange(&dir, &next.dir)? {
            files::rename(&dir, &place)?;
            files::rename(&next.dir, &dir).inspect_err(|_| {
                let _ = files::rename(&place, &dir);
            })?;
        }
        files::sync_dir(&self.out)?;
        self.finish()?;
        Ok(place)
    }

    /// Finishes what a run before, or this one, has changed over.
    fn finish(&self) -> Result<(), FolderError> {
        let (dir, next) = (self.dir(), self.next());
        if !dir.exists() && next.join(MARK).exists() {
            files::rename(&next, &dir)?;
        }
        if !dir.join(MARK).exists() {
            return Ok(());
        }
        if next.exists() && !next.join(MARK).exists() {
            files::rename(&next, &self.former_place()?)?;
        }
        files::sync_dir(&self.out)?;
        Ok(files::remove_file(&dir.join(MARK))?)
    }

    /// A place for the former files that nothing has.
    fn former_place(&self) -> Result<PathBuf, FileError> {
        let all = self.out.join(".replaced").join(&self.name);
        files::create_private_dir(&all)?;
        let free = (1u32..).map(|n| all.join(n.to_string())).find(|path| !path.exists());
        free.ok_or_else(|| FileError {
            action: "find a name in",
            path: all.clone(),
            source: io::ErrorKind::StorageFull.into(),
        })
    }
}

/// A directory in which the next files are prepared.
#[derive(Debug)]
pub struct Next {
    dir: PathBuf,
}

impl Next {
    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The next key.
    pub fn key(&self) -> PathBuf {
        self.dir.join(KEY)
    }

    /// The next certificate: it is written last, and with it the files are whole.
    pub fn cert(&self) -> PathBuf {
        self.dir.join(CERT)
    }

    /// Keeps the next key, durable before it is used.
    pub fn keep_key(&self, pem: &[u8]) -> Result<(), FileError> {
        files::write(&self.key(), pem, Access::Private, Existing::Replace)
    }

    /// Keeps the next certificate.
    pub fn keep_certificate(&self, cert: &str, chain: &str) -> Result<(), FileError> {
        let write = |name: &str, text: &str| {
            files::write(&self.dir.join(name), text.as_bytes(), Access::Public, Existing::Replace)
        };
        write(CHAIN, chain)?;
        write(CERT, cert)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn device() -> DeviceId {
        DeviceId::parse("gw").unwrap()
    }

    /// A directory with files of the first generation.
    fn first(out: &Path) -> Folder {
        let folder = Folder::open(out, &device()).unwrap();
        files::create_private_dir(&folder.dir()).unwrap();
        for (path, text) in [(folder.key(), "key 1"), (folder.cert(), "1"), (folder.chain(), "1")] {
            fs::write(path, text).unwrap();
        }
        fs::write(folder.dir().join("truststore.pem"), "trust").unwrap();
        folder
    }

    fn prepared(folder: &Folder) -> Next {
        let next = folder.prepare().unwrap();
        next.keep_key(b"key 2").unwrap();
        next.keep_certificate("2", "2").unwrap();
        next
    }

    fn names(dir: &Path) -> Vec<String> {
        let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        files::list_dir(dir).unwrap().into_iter().map(name).collect()
    }

    #[test]
    fn the_next_files_take_the_place_and_the_former_ones_are_kept() {
        let out = tempfile::tempdir().unwrap();
        let folder = first(out.path());
        let former = folder.promote(prepared(&folder)).unwrap();
        assert_eq!(fs::read_to_string(folder.key()).unwrap(), "key 2");
        assert_eq!(fs::read_to_string(former.join(KEY)).unwrap(), "key 1");
        let all = ["cert.pem", "chain.pem", "key.pem", "truststore.pem"];
        assert_eq!(names(&folder.dir()), all);
        assert_eq!(names(&former), all);
        assert!(!folder.next().exists());
        // And again, into another place.
        assert_ne!(folder.promote(prepared(&folder)).unwrap(), former);
        drop(folder);
        assert_eq!(names(out.path()), [".replaced", "gw"]);
    }

    #[test]
    fn a_change_that_was_stopped_is_finished() {
        let out = tempfile::tempdir().unwrap();
        let folder = first(out.path());
        let next = prepared(&folder);
        // Exchanged, and then killed.
        assert!(files::exchange(&folder.dir(), next.dir()).unwrap());
        drop(folder);
        let folder = Folder::open(out.path(), &device()).unwrap();
        assert_eq!(fs::read_to_string(folder.key()).unwrap(), "key 2");
        let former = out.path().join(".replaced/gw/1");
        assert_eq!(fs::read_to_string(former.join(KEY)).unwrap(), "key 1");
        assert!(!folder.dir().join(MARK).exists() && !folder.next().exists());
        // Without an exchange: killed between the two renames.
        let next = prepared(&folder);
        fs::rename(folder.dir(), out.path().join(".replaced/gw/2")).unwrap();
        drop((folder, next));
        let folder = Folder::open(out.path(), &device()).unwrap();
        assert_eq!(fs::read_to_string(folder.key()).unwrap(), "key 2");
    }

    #[test]
    fn what_is_prepared_is_used_again_and_a_folder_of_others_is_left_alone() {
        let out = tempfile::tempdir().unwrap();
        let folder = first(out.path());
        prepared(&folder);
        let next = folder.prepare().unwrap();
        assert_eq!(fs::read_to_string(next.key()).unwrap(), "key 2");
        folder.discard(next).unwrap();
        fs::create_dir(folder.next()).unwrap();
        fs::write(folder.next().join("mine"), "").unwrap();
        let error = folder.prepare().unwrap_err();
        assert!(matches!(error, FolderError::Foreign { .. }), "{error}");
        assert!(folder.next().join("mine").exists());
    }

    #[test]
    fn one_process_at_a_time() {
        let out = tempfile::tempdir().unwrap();
        let held = first(out.path());
        let error = Folder::open(out.path(), &device()).unwrap_err();
        assert!(matches!(error, FolderError::Busy { .. }), "{error}");
        drop(held);
        Folder::open(out.path(), &device()).unwrap();
    }
}
