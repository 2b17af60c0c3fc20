//! The only place that touches the file system for writing: atomic, and private where it must be.
//!
//! A secret has mode 0600 from its first byte, a private directory 0700 (Unix; elsewhere the
//! directory's own rules apply). Files appear whole under their name or not at all: they are written
//! under another name beside it, made durable, and renamed.

pub(crate) mod beside;
mod cached;
mod destination;
mod folder;
pub(crate) mod growing;
mod lock;
mod protection;
mod reading;
mod swap;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Fault, Hint};
pub(crate) use cached::{Cached, Looked};
use destination::{Destination, Unfit};
pub use destination::{
    check_place, check_replaceable, is_stdout, is_stream, one_name, open_stream, stands,
};
pub(crate) use destination::{followed, regular};
pub(crate) use folder::{
    create_new_private_dir, remove_file, remove_tree, rename, sync_dir, sync_tree,
};
pub use folder::{create_private_dir, list_dir};
use folder::{parent, rename_new, sync_entries};
pub use growing::{GrowError, Mark, part_of as unfinished};
pub(crate) use lock::{BusyFile, FileId, Lock, OwnDir, Stamp};
pub use protection::allow_directory_rights;
pub use reading::{MAX_READ, MAX_SMALL, read, read_small};
pub(crate) use reading::{len, open_for_passes, spool};
pub(crate) use swap::{copy_others, exchange, like};

/// Whether a file or directory can be written, as far as the system tells beforehand: not on a read-only file
/// system, nor where this user may not.
pub(crate) fn is_writable(path: &Path) -> bool {
    #[cfg(unix)]
    return rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
    #[cfg(not(unix))]
    return fs::metadata(path).is_ok_and(|metadata| !metadata.permissions().readonly());
}

/// Whether other users can read or write a file, as far as its mode says.
pub(crate) fn is_open_to_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Whether files can be made beside this one.
pub(crate) fn is_folder_writable(path: &Path) -> bool {
    is_writable(parent(path))
}

/// Whether the disk on which a file is has no space left. It is tried: a quota, or a file system without names left, is
/// full though it has free blocks.
pub(crate) fn is_disk_full(path: &Path) -> bool {
    let attempt = || tempfile::NamedTempFile::new_in(parent(path))?.write_all(&[1; 1 << 14]);
    attempt().is_err_and(|e: io::Error| {
        matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    })
}

/// What is said of a full disk, wherever it is noticed.
pub(crate) const NO_SPACE: &str = "no space is left on the device";

/// What to do about a full disk.
pub(crate) const FREE_SPACE: &str =
    "free some space and run the same command again: nothing half-written is left";

/// The action of writing, as errors name it.
const WRITE: &str = "write";

/// A file operation that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {}", path.display(), self.reason())]
pub struct FileError {
    /// What was tried: `read`, `write`, …
    pub action: &'static str,
    /// On which path.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl FileError {
    fn reason(&self) -> String {
        match self.source.kind() {
            io::ErrorKind::NotFound if self.action == WRITE => {
                "its directory does not exist".to_owned()
            }
            _ => reason(&self.source),
        }
    }
}

impl Failure for FileError {
    fn fault(&self) -> Fault {
        use io::ErrorKind as K;
        match self.source.kind() {
            K::NotFound
            | K::IsADirectory
            | K::NotADirectory
            | K::AlreadyExists
            | K::InvalidData
            | K::InvalidInput
            | K::FileTooLarge => Fault::Input,
            // The other kinds are those of a disk, of its rights, and of another process; the type is open.
            _ => Fault::Environment,
        }
    }

    fn hint(&self) -> Option<Hint> {
        if let Some(unfit) = Unfit::of(&self.source) {
            return unfit.hint();
        }
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(FREE_SPACE.into()),
            io::ErrorKind::NotFound if self.action == WRITE => {
                Some("make the directory first".into())
            }
            _ => None,
        }
    }
}

/// The system's reason in plain words, without its error number where it is a usual one.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or directory".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory, not a file".to_owned(),
        io::ErrorKind::NotADirectory => "a part of its path is a file, not a directory".to_owned(),
        io::ErrorKind::AlreadyExists => "it exists already".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        io::ErrorKind::StorageFull => NO_SPACE.to_owned(),
        io::ErrorKind::QuotaExceeded => "the quota of this disk is used up".to_owned(),
        io::ErrorKind::FileTooLarge if error.raw_os_error().is_some() => {
            "it is larger than the system allows".to_owned()
        }
        _ => error.to_string(),
    }
}

fn fail(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError { action, path, source }
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Its owner only: keys, keystores, passwords.
    Private,
    /// Everybody whom the process's umask lets: certificates, lists.
    Public,
}

fn open_new(path: &Path, access: Access) -> io::Result<File> {
    protection::check(access)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(if access == Access::Private { 0o600 } else { 0o644 });
    }
    options.open(path)
}

/// Opens a file for reading and writing, with what is in it; makes it if it is not there. Only its owner may read it,
/// where the system has modes: it holds no secret, except where [`protection::check`] was asked before.
fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

/// Writes a new file without making it durable: for staging, which syncs once for many files.
pub(crate) fn write_new(path: &Path, bytes: &[u8], access: Access) -> Result<(), FileError> {
    open_new(path, access).and_then(|mut f| f.write_all(bytes)).map_err(fail(WRITE, path))
}

/// Makes an empty private file if there is none: for those that another library then opens. The one there is, the
/// registry, holds no secret.
pub(crate) fn touch_private(path: &Path) -> Result<(), FileError> {
    match path.exists() {
        true => Ok(()),
        false => open_private(path).map(drop).map_err(fail(WRITE, path)),
    }
}

/// Whether a file that exists may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It may.
    Replace,
    /// It is an error.
    Refuse,
}

/// Writes a file so that it is there whole and durable, or not at all. A link leads to the file that is
/// written; what is no file (a device, a FIFO, a descriptor) is written to, whatever `existing` says.
pub fn write(
    path: &Path,
    bytes: &[u8],
    access: Access,
    existing: Existing,
) -> Result<(), FileError> {
    write_with(path, access, existing, |file| {
        file.write_all(bytes).map_err(|source| FileError {
            action: WRITE,
            path: path.to_owned(),
            source,
        })
    })
}

/// The same for contents that come bit by bit: `contents` writes them. Its error leaves no file.
pub fn write_with<E: From<FileError>>(
    path: &Path,
    access: Access,
    existing: Existing,
    contents: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<(), E> {
    let system = |e: io::Error| E::from(fail(WRITE, path)(e));
    let target = match Destination::of(path).map_err(system)? {
        Destination::File(target) => target,
        Destination::Stream(stream) => {
            let mut file = stream.open(access).map_err(system)?;
            contents(&mut file)?;
            // Only a file can be made durable.
            let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
            return if is_file { file.sync_all().map_err(system) } else { Ok(()) };
        }
    };
    // Locked until the end: nobody takes it for one that a killed process has left.
    let (mut file, temporary) = beside::create(&target, access).map_err(system)?;
    let attempt = || -> Result<(), E> {
        contents(&mut file)?;
        file.sync_all().map_err(system)?;
        let put = || -> io::Result<()> {
            match existing {
                Existing::Replace => fs::rename(&temporary, &target)?,
                Existing::Refuse => rename_new(&temporary, &target)?,
            }
            sync_entries(parent(&target))
        };
        put().map_err(system)
    };
    attempt().inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

/// Writes a note of one line, durable, over what is there. The process that reads it sees by its line end whether
/// it is whole: a process that is killed leaves no other file.
pub(crate) fn note(path: &Path, line: &str) -> Result<(), FileError> {
    let note = || {
        let mut file = open_private(path)?;
        file.set_len(0)?;
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        sync_entries(parent(path))
    };
    note().map_err(fail(WRITE, path))
}

/// Adds to the end of a file, durable before this returns; a new file is open to everybody whom the
/// process's umask lets. A process that is killed may leave the last line in half.
pub(crate) fn append(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let append = || {
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        file.write_all(bytes)?;
        file.sync_data()
    };
    append().map_err(fail(WRITE, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn secrets_are_private_and_writes_atomic() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        write(&path, b"secret", Access::Private, Existing::Refuse).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = write(&path, b"other", Access::Private, Existing::Refuse).unwrap_err();
        assert!(again.to_string().ends_with("it exists already"), "{again}");
        assert_eq!(fs::read(&path).unwrap(), b"secret");
        write(&path, b"other", Access::Private, Existing::Replace).unwrap();
        assert_eq!(read(&path).unwrap(), b"other");
        assert_eq!(list_dir(dir.path()).unwrap().len(), 1, "a temporary file is left");
    }

    #[test]
    fn folders_in_place_of_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let read_error = read(dir.path()).unwrap_err();
        assert!(read_error.to_string().contains("it is a directory"), "{read_error}");
        let write_error = write(dir.path(), b"", Access::Public, Existing::Replace).unwrap_err();
        assert!(write_error.fault() == Fault::Input, "{write_error}");
        assert!(list_dir(dir.path()).unwrap().is_empty());
    }
}
