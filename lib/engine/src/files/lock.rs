//! Locks between processes, and directories that are their owner's while it lives.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{
    FileError, create_private_dir, fail, list_dir, open_private, remove_file, remove_tree,
};

/// A lock on a file, held until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock(#[allow(dead_code, reason = "held for its lock")] File);

impl Lock {
    /// Waits until the lock is free.
    pub(crate) fn wait(path: &Path) -> Result<Self, FileError> {
        let lock = || {
            let file = open_private(path)?;
            file.lock()?;
            Ok(Self(file))
        };
        lock().map_err(fail("lock", path))
    }

    /// Whether a process holds the lock. Nothing is written: where there is no file, nobody does.
    pub(crate) fn is_held(path: &Path) -> bool {
        let file = File::open(path);
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock)))
    }

    /// Takes the lock if nobody holds it; none either if its directory is gone.
    pub(crate) fn try_take(path: &Path) -> Result<Option<Self>, FileError> {
        let file = match open_private(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(fail("lock", path))?,
        };
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(e)) => Err(fail("lock", path)(e)),
        }
    }
}

/// A file that says that something is in use: held by one process, gone afterwards.
#[derive(Debug)]
pub(crate) struct BusyFile {
    path: PathBuf,
    _lock: File,
}

impl BusyFile {
    /// Takes it if nobody holds it.
    pub(crate) fn try_take(path: &Path) -> Result<Option<Self>, FileError> {
        loop {
            let file = open_private(path).map_err(fail("lock", path))?;
            match file.try_lock() {
                Err(fs::TryLockError::WouldBlock) => return Ok(None),
                Err(fs::TryLockError::Error(e)) => return Err(fail("lock", path)(e)),
                // The process that held it may have taken it away between our two calls.
                Ok(()) if is_at(&file, path) => {
                    return Ok(Some(Self { path: path.to_owned(), _lock: file }));
                }
                Ok(()) => {}
            }
        }
    }
}

impl Drop for BusyFile {
    fn drop(&mut self) {
        // It is held here until then. If it stays, it is free all the same.
        let _ = fs::remove_file(&self.path);
    }
}

/// Which file it is, whatever its name: the device and the number on it. The system does not tell everywhere;
/// then it is whether there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId(u64, u64);

impl FileId {
    /// The file at that path; none if there is none.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|found| Self::read(&found))
    }

    #[cfg(unix)]
    fn read(found: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(found.dev(), found.ino())
    }

    #[cfg(not(unix))]
    fn read(_: &fs::Metadata) -> Self {
        Self(0, 0)
    }
}

/// A file as it is: another content, put there by any program, shows in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    file: FileId,
    length: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// The file at that path; none if there is none.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        let (length, modified) = (found.len(), found.modified().ok());
        Some(Self { file: FileId::read(&found), length, modified })
    }
}

pub(super) fn is_at(file: &File, path: &Path) -> bool {
    file.metadata().is_ok_and(|own| FileId::of(path) == Some(FileId::read(&own)))
}

/// A directory of a process's own, below one that others look through: it is theirs to settle when the
/// process is gone, which its lock tells.
#[derive(Debug)]
pub(crate) struct OwnDir {
    dir: PathBuf,
    _lock: Lock,
}

impl OwnDir {
    /// Whether the directory's owner lives. Nothing is written.
    pub(crate) fn is_held(dir: &Path) -> bool {
        Lock::is_held(&dir.join(Self::LOCK))
    }

    const LOCK: &'static str = "lock";

    /// Makes the directory, with those above it.
    pub(crate) fn create(dir: &Path) -> Result<Self, FileError> {
        let gone = |e: &FileError| e.source.kind() == io::ErrorKind::NotFound;
        loop {
            // A process that settles may take the directory away until the lock is held.
            let made = create_private_dir(dir).and_then(|()| Lock::wait(&dir.join(Self::LOCK)));
            match made {
                Err(e) if gone(&e) => {}
                Err(e) => return Err(e),
                Ok(lock) if dir.join(Self::LOCK).exists() => {
                    return Ok(Self { dir: dir.to_owned(), _lock: lock });
                }
                Ok(_) => {}
            }
        }
    }

    /// Takes over the directory of a process that is gone; none if it lives.
    pub(crate) fn take_over(dir: &Path) -> Result<Option<Self>, FileError> {
        let path = dir.join(Self::LOCK);
        // Without a lock it is just being made, or almost removed, and empty; or its lock was lost.
        if !path.exists() && (fs::remove_dir(dir).is_ok() || !dir.exists()) {
            return Ok(None);
        }
        let lock = Lock::try_take(&path)?;
        Ok(lock.map(|lock| Self { dir: dir.to_owned(), _lock: lock }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }

    /// Removes the directory: its lock last, so that what is left after a kill is still somebody's.
    ///
    /// On Windows a file that is open keeps its name, and its directory is not empty. So the lock is given back before
    /// its file goes; one who takes it over in between finds nothing to settle.
    pub(crate) fn remove(self) -> Result<(), FileError> {
        let Self { dir, _lock: held } = self;
        let lock = dir.join(Self::LOCK);
        for path in list_dir(&dir)?.into_iter().filter(|path| *path != lock) {
            if path.is_dir() { remove_tree(&path)? } else { remove_file(&path)? }
        }
        let held = cfg!(unix).then_some(held);
        remove_file(&lock)?;
        drop(held);
        let _ = fs::remove_dir(&dir);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_excludes_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::wait(&path).unwrap();
        assert!(Lock::try_take(&path).unwrap().is_none());
        drop(held);
        assert!(Lock::try_take(&path).unwrap().is_some());
        assert!(Lock::try_take(&dir.path().join("none/lock")).unwrap().is_none());
    }

    #[test]
    fn a_folder_is_settled_by_others_when_its_owner_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("all/own");
        let own = OwnDir::create(&path).unwrap();
        fs::write(path.join("x"), "").unwrap();
        assert!(OwnDir::take_over(&path).unwrap().is_none());
        assert!(path.join("x").exists());
        drop(own);
        OwnDir::take_over(&path).unwrap().unwrap().remove().unwrap();
        assert!(!path.exists());
        // Killed before it had a lock.
        fs::create_dir(&path).unwrap();
        assert!(OwnDir::take_over(&path).unwrap().is_none());
        assert!(!path.exists());
        // Its lock was lost.
        fs::create_dir_all(path.join("chunk")).unwrap();
        assert!(OwnDir::take_over(&path).unwrap().is_some());
    }
}
