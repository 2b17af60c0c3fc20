//! Directories and their entries: made, made durable, renamed, removed, listed.

use std::fs;
#[cfg(unix)]
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::{FileError, fail};

/// Creates a directory of mode 0700 with its parents; one that exists is left as it is.
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
    created.map_err(fail("create the directory", path))
}

/// Creates a directory of mode 0700 whose parent exists; an error if it exists.
pub(crate) fn create_new_private_dir(path: &Path) -> Result<(), FileError> {
    #[cfg_attr(not(unix), allow(unused_mut, reason = "there is no mode to be set"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path).map_err(fail("create the directory", path))
}

pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(unix)]
pub(super) fn sync_entries(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
pub(super) fn sync_entries(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes it durable what is in a directory, and under which name.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), FileError> {
    sync_entries(dir).map_err(fail("sync", dir))
}

/// Makes everything below `dir` durable, with one call where the system has it.
#[cfg(target_os = "linux")]
pub(crate) fn sync_tree(dir: &Path) -> Result<(), FileError> {
    let sync = || rustix::fs::syncfs(File::open(dir)?).map_err(io::Error::from);
    sync().map_err(fail("sync", dir))
}

/// Makes everything below `dir` durable, file by file. They are opened to be written to: Windows makes nothing durable
/// through a handle that only reads (Microsoft: FlushFileBuffers).
#[cfg(not(target_os = "linux"))]
pub(crate) fn sync_tree(dir: &Path) -> Result<(), FileError> {
    fn walk(dir: &Path) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            match path.is_dir() {
                true => walk(&path)?,
                false => fs::OpenOptions::new().write(true).open(&path)?.sync_all()?,
            }
        }
        sync_entries(dir)
    }
    walk(dir).map_err(fail("sync", dir))
}

/// Renames a file or directory.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(from, to).map_err(fail("rename", from))
}

/// Renames a file; fails if the name is taken.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
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

/// Removes a directory with everything in it; one that is not there is fine.
pub(crate) fn remove_tree(dir: &Path) -> Result<(), FileError> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(fail("remove", dir)(e)),
        _ => Ok(()),
    }
}

/// The entries of a directory, sorted; none if it does not exist.
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
