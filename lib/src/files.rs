//! The only place that touches the file system for writing: atomic, and private where it must be.
//!
//! A secret has mode 0600 from its first octet, a private folder 0700 (Unix; elsewhere the
//! folder's own rules apply). Files appear whole under their name or not at all: they are written
//! under another name beside it, made durable, and renamed.

mod appender;
pub(crate) mod beside;
mod destination;
pub(crate) mod growing;
mod lock;
mod swap;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use destination::{Destination, Unfit};
pub use destination::{check_place, check_replaceable, is_stdout, is_stream, open_stream, stands};
pub(crate) use destination::{followed, regular};
pub use growing::{GrowError, Mark};
pub(crate) use lock::{BusyFile, FileId, Lock, OwnDir, Stamp};
pub(crate) use swap::{copy_others, exchange, like};

/// Whether a file or folder can be written, as far as the system tells beforehand: not on a read-only file
/// system, nor where this user may not.
pub(crate) fn is_writable(path: &Path) -> bool {
    #[cfg(unix)]
    return rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
    #[cfg(not(unix))]
    return fs::metadata(path).is_ok_and(|metadata| !metadata.permissions().readonly());
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

/// Largest file that is read whole, in octets: certificates, keys and lists are far smaller.
pub const MAX_READ: u64 = 1 << 30;

/// Largest file of keys, certificates or a keystore, in octets: ten thousand certificates have half of it. In
/// memory such a file takes several times its size.
pub const MAX_SMALL: u64 = 64 << 20;

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
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        if let Some(unfit) = Unfit::of(&self.source) {
            return unfit.hint().map(str::to_owned);
        }
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Some(FREE_SPACE.to_owned())
            }
            io::ErrorKind::NotFound if self.action == WRITE => {
                Some("make the folder first".to_owned())
            }
            _ => None,
        }
    }

    fn reason(&self) -> String {
        match self.source.kind() {
            io::ErrorKind::NotFound if self.action == WRITE => {
                "its folder does not exist".to_owned()
            }
            _ => reason(&self.source),
        }
    }

    /// Whether the path named by the user is at fault (absent, a folder, there already), and not
    /// the system.
    pub fn is_input(&self) -> bool {
        use io::ErrorKind as K;
        matches!(
            self.source.kind(),
            K::NotFound
                | K::IsADirectory
                | K::NotADirectory
                | K::AlreadyExists
                | K::InvalidData
                | K::InvalidInput
                | K::FileTooLarge
        )
    }
}

/// The system's reason in plain words, without its error number where it is a usual one.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder, not a file".to_owned(),
        io::ErrorKind::NotADirectory => "a part of its path is a file, not a folder".to_owned(),
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

/// Reads a whole file, up to [`MAX_READ`].
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    read_up_to(path, MAX_READ)
}

/// Reads a file of keys, certificates or a keystore, up to [`MAX_SMALL`].
pub fn read_small(path: &Path) -> Result<Vec<u8>, FileError> {
    read_up_to(path, MAX_SMALL)
}

fn read_up_to(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let read = || {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let too_large = || {
            let problem = format!("it is larger than {most} bytes");
            io::Error::new(io::ErrorKind::FileTooLarge, problem)
        };
        if metadata.len() > most {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(too_large());
        }
        Ok(bytes)
    };
    read().map_err(fail("read", path))
}

/// Opens a file that is to be read more than once. What can be read only once (a pipe) is copied
/// first, as by [`spool`].
pub(crate) fn open_for_passes(path: &Path) -> Result<File, FileError> {
    let open = || {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok((metadata.is_file(), file))
    };
    match open().map_err(fail("read", path))? {
        (true, file) => Ok(file),
        (false, stream) => spool(&path.display().to_string(), stream),
    }
}

/// Copies a stream into a file without a name, which goes with its last handle.
pub(crate) fn spool(name: &str, stream: impl Read) -> Result<File, FileError> {
    let mut stream = Watched { stream, failed: false };
    let mut copy = || {
        let mut file = tempfile::tempfile()?;
        io::copy(&mut stream, &mut file)?;
        file.rewind()?;
        Ok(file)
    };
    // The folder for temporary files may be what is full, and not what is read.
    let done = copy();
    let action = if stream.failed { "read" } else { "keep a temporary copy of" };
    done.map_err(fail(action, Path::new(name)))
}

/// A stream that knows whether it was the one that failed.
struct Watched<R> {
    stream: R,
    failed: bool,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer).inspect_err(|_| self.failed = true)
    }
}

/// The size of a file in octets; none if there is no file.
pub(crate) fn len(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
}

/// Creates a folder of mode 0700 with its parents; one that exists is left as it is.
pub fn create_private_dir(path: &Path) -> Result<(), FileError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    let created = builder.create(path).map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => io::ErrorKind::NotADirectory.into(),
        _ => e,
    });
    created.map_err(fail("create the folder", path))
}

/// Creates a folder of mode 0700 whose parent exists; an error if it exists.
pub(crate) fn create_new_private_dir(path: &Path) -> Result<(), FileError> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path).map_err(fail("create the folder", path))
}

fn open_new(path: &Path, access: Access) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(if access == Access::Private { 0o600 } else { 0o644 });
    }
    #[cfg(not(unix))]
    let _ = access;
    options.open(path)
}

/// Opens a private file for reading and writing, with what is in it; makes it if it is not there.
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

/// Makes an empty private file if there is none: for those that another library then opens.
pub(crate) fn touch_private(path: &Path) -> Result<(), FileError> {
    match open_new(path, Access::Private) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(fail(WRITE, path)(e)),
        _ => Ok(()),
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

/// Writes a note of one line, durable, over what is there. Whoever reads it sees by its line end whether
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

fn parent(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(unix)]
fn sync_entries(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_entries(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes it durable what is in a folder, and under which name.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), FileError> {
    sync_entries(dir).map_err(fail("sync", dir))
}

/// Makes everything below `dir` durable, with one call where the system has it.
#[cfg(target_os = "linux")]
pub(crate) fn sync_tree(dir: &Path) -> Result<(), FileError> {
    let sync = || rustix::fs::syncfs(File::open(dir)?).map_err(io::Error::from);
    sync().map_err(fail("sync", dir))
}

/// Makes everything below `dir` durable, file by file.
#[cfg(not(target_os = "linux"))]
pub(crate) fn sync_tree(dir: &Path) -> Result<(), FileError> {
    fn walk(dir: &Path) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.is_dir() { walk(&path)? } else { File::open(&path)?.sync_all()? }
        }
        sync_entries(dir)
    }
    walk(dir).map_err(fail("sync", dir))
}

/// Renames a file or folder.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(from, to).map_err(fail("rename", from))
}

/// Renames a file; fails if the name is taken.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // A file system that cannot do it in one step.
            Err(Errno::INVAL | Errno::NOSYS) => {}
            done => return done.map_err(io::Error::from),
        }
    }
    // A hard link fails if the name is taken, which a rename does not.
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}

/// Removes a file; one that is not there is fine.
pub(crate) fn remove_file(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(fail("remove", path)(e)),
        _ => Ok(()),
    }
}

/// Removes a folder with everything in it; one that is not there is fine.
pub(crate) fn remove_tree(dir: &Path) -> Result<(), FileError> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(fail("remove", dir)(e)),
        _ => Ok(()),
    }
}

/// The entries of a folder, sorted; none if it does not exist.
pub fn list_dir(dir: &Path) -> Result<Vec<PathBuf>, FileError> {
    let list = || -> io::Result<Vec<PathBuf>> {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(dir)?.map(|e| e.map(|e| e.path())).collect::<io::Result<_>>()?;
        paths.sort();
        Ok(paths)
    };
    match list() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(fail("list", dir)),
    }
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
        assert!(read_error.to_string().contains("it is a folder"), "{read_error}");
        let write_error = write(dir.path(), b"", Access::Public, Existing::Replace).unwrap_err();
        assert!(write_error.is_input(), "{write_error}");
        assert!(list_dir(dir.path()).unwrap().is_empty());
    }
}
