//! Where a path leads that something is to be written to: one rule for all outputs.
//!
//! | what is there | what becomes of it |
//! | --- | --- |
//! | nothing, or a regular file | a file is written beside it and renamed over it |
//! | a symbolic link | the same for what it leads to, there or not; the link stays |
//! | a device, a FIFO, a socket | it is opened and written to, never replaced and never cut |
//! | an open descriptor (`/dev/fd/N`, `/dev/stdout`, `/proc/self/fd/N`) | the same, whatever it is of, also a file |
//! | a directory, or links that lead in a circle | an error |
//!
//! What is secret does not go to a terminal: anyone who wants to see it pipes it through another program.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal};
use std::path::{Component, Path, PathBuf};

use super::{Access, FileError, WRITE, fail, parent};
use crate::failure::{Hint, Permission};

/// So many links are followed, as on Linux.
const MOST_LINKS: usize = 40;

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Destination {
    /// A regular file, or a name that is free. Its links have been followed.
    File(PathBuf),
    /// What takes bytes and is no file.
    Stream(Stream),
}

/// What takes bytes and is no file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stream {
    /// A device or a FIFO, or an open file of another process.
    Node(PathBuf),
    /// A socket that somebody listens at.
    #[cfg(unix)]
    Socket(PathBuf),
    /// An open file of this process.
    #[cfg(unix)]
    Descriptor(i32),
}

/// Why something cannot be written to a place; the rest of a sentence.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub(super) enum Unfit {
    #[error("its symbolic links lead in a circle")]
    Circle,
    #[error("it is a terminal, and what is to be written is a secret")]
    Terminal,
    #[error("it is no regular file, and {0}")]
    NotAFile(&'static str),
    #[error("this program was started without that descriptor")]
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "other systems say it"))]
    NotOpen,
    #[error(
        "it is for its owner alone, and this program cannot set rights of files on this system"
    )]
    Unprotected,
}

impl Unfit {
    /// The reason in an error of the system's kind, if there is one.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }

    pub(super) fn hint(self) -> Option<Hint> {
        match self {
            Self::Circle | Self::NotOpen => None,
            Self::Terminal => Some("name a file, or pipe it on to a program that takes it".into()),
            Self::NotAFile(_) => Some("name a file".into()),
            Self::Unprotected => Some(Hint::permit(
                "if no other user can read that directory",
                Permission::DirectoryRights,
            )),
        }
    }
}

impl From<Unfit> for io::Error {
    fn from(unfit: Unfit) -> Self {
        Self::new(io::ErrorKind::InvalidInput, unfit)
    }
}

impl Destination {
    /// What `path` leads to at this moment.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            if let Some(stream) = descriptor(&path) {
                return Ok(Self::Stream(stream));
            }
            let metadata = match fs::symlink_metadata(&path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::File(path)),
                other => other?,
            };
            let kind = metadata.file_type();
            if kind.is_symlink() {
                path = parent(&path).join(fs::read_link(&path)?);
                continue;
            }
            return match () {
                () if kind.is_file() => Ok(Self::File(path)),
                () if kind.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
                #[cfg(unix)]
                () if std::os::unix::fs::FileTypeExt::is_socket(&kind) => {
                    Ok(Self::Stream(Stream::Socket(path)))
                }
                () => Ok(Self::Stream(Stream::Node(path))),
            };
        }
        Err(Unfit::Circle.into())
    }
}

/// The open descriptor that a path names.
#[cfg(unix)]
fn descriptor(path: &Path) -> Option<Stream> {
    let number = path.file_name()?.to_str()?.parse().ok().filter(|number| *number >= 0)?;
    // `/dev/fd` is a link to the other on Linux, and a directory of its own on other systems.
    let folder = fs::canonicalize(parent(path)).ok()?;
    let own = |name: &str| fs::canonicalize(name).is_ok_and(|own| own == folder);
    if folder == Path::new("/dev/fd") || own("/proc/self/fd") || own("/proc/thread-self/fd") {
        return Some(Stream::Descriptor(number));
    }
    // What these links say (`pipe:[4711]`) is no path: opening is the only way through them.
    let others = folder.starts_with("/proc") && folder.file_name().is_some_and(|n| n == "fd");
    others.then(|| Stream::Node(path.to_owned()))
}

#[cfg(not(unix))]
fn descriptor(_path: &Path) -> Option<Stream> {
    None
}

impl Stream {
    /// Opens it to be written to. A FIFO is waited for until somebody reads it.
    pub(super) fn open(&self, access: Access) -> io::Result<File> {
        let file = match self {
            Self::Node(path) => OpenOptions::new().write(true).open(path)?,
            #[cfg(unix)]
            Self::Socket(path) => {
                let stream = std::os::unix::net::UnixStream::connect(path)?;
                File::from(std::os::fd::OwnedFd::from(stream))
            }
            #[cfg(unix)]
            Self::Descriptor(number) => duplicate(*number)?,
        };
        if access == Access::Private && file.is_terminal() {
            return Err(Unfit::Terminal.into());
        }
        Ok(file)
    }
}

/// Another handle of an open descriptor, with its place in the file: opened again by its path, a file
/// would be written over from its beginning, and a socket could not be opened at all.
#[cfg(unix)]
fn duplicate(number: i32) -> io::Result<File> {
    use std::os::fd::AsFd;
    match number {
        0 => Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?)),
        1 => Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
        2 => Ok(File::from(io::stderr().as_fd().try_clone_to_owned()?)),
        number => duplicate_other(number),
    }
}

#[cfg(target_os = "linux")]
fn duplicate_other(number: i32) -> io::Result<File> {
    use rustix::io::Errno;
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    let duplicate = || {
        let own = pidfd_open(getpid(), PidfdFlags::empty())?;
        pidfd_getfd(&own, number, PidfdGetfdFlags::empty())
    };
    match duplicate() {
        // Linux before 5.6, or a container that does not allow it. To append destroys nothing.
        Err(Errno::NOSYS | Errno::PERM) => {
            OpenOptions::new().append(true).open(format!("/proc/self/fd/{number}"))
        }
        Err(Errno::BADF) => Err(Unfit::NotOpen.into()),
        other => Ok(File::from(other?)),
    }
}

/// On other systems opening it is duplicating it.
#[cfg(all(unix, not(target_os = "linux")))]
fn duplicate_other(number: i32) -> io::Result<File> {
    OpenOptions::new().write(true).open(format!("/dev/fd/{number}"))
}

/// Whether a regular file stands where something is to be written: what is no file is not replaced. A
/// link counts as what it leads to.
///
/// Errors: a directory, and what cannot be looked at.
pub fn stands(path: &Path) -> Result<bool, FileError> {
    match Destination::of(path).map_err(fail(WRITE, path))? {
        Destination::File(target) => Ok(fs::symlink_metadata(target).is_ok()),
        Destination::Stream(_) => Ok(false),
    }
}

/// Whether something can be written there later: the directory is there, and it is none itself.
pub fn check_place(path: &Path) -> Result<(), FileError> {
    match Destination::of(path).map_err(fail(WRITE, path))? {
        Destination::File(target) if !parent(&target).is_dir() => {
            Err(fail(WRITE, path)(io::ErrorKind::NotFound.into()))
        }
        _ => Ok(()),
    }
}

/// Whether a path leads to what takes bytes and is no file.
pub fn is_stream(path: &Path) -> bool {
    matches!(Destination::of(path), Ok(Destination::Stream(_)))
}

/// Whether a path is the standard output of this process: `/dev/stdout`, `/dev/fd/1`, or a link to that.
pub fn is_stdout(path: &Path) -> bool {
    #[cfg(unix)]
    return matches!(Destination::of(path), Ok(Destination::Stream(Stream::Descriptor(1))));
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Opens what takes bytes and is no file; none if it is a file, or nothing.
///
/// Errors: it cannot be opened; it is a terminal, and what is to be written is private.
pub fn open_stream(path: &Path, access: Access) -> Result<Option<File>, FileError> {
    match Destination::of(path).map_err(fail(WRITE, path))? {
        Destination::File(_) => Ok(None),
        Destination::Stream(stream) => stream.open(access).map(Some).map_err(fail(WRITE, path)),
    }
}

/// The file that a path leads to, behind all links, for what cannot be written to a stream; `because`
/// says why, as the rest of a sentence: `it is read again`.
pub(crate) fn regular(path: &Path, because: &'static str) -> Result<PathBuf, FileError> {
    match Destination::of(path).map_err(fail(WRITE, path))? {
        Destination::File(target) => Ok(target),
        Destination::Stream(_) => Err(fail(WRITE, path)(Unfit::NotAFile(because).into())),
    }
}

/// The same for files that are read and then replaced.
///
/// Errors: it is no regular file, or cannot be looked at.
pub fn check_replaceable(path: &Path) -> Result<(), FileError> {
    regular(path, "what it holds is to be replaced").map(drop)
}

/// The one name of a place, by which two paths are known to lead to the same one: absolute, behind all links, also where
/// nothing is yet.
pub fn one_name(path: &Path) -> PathBuf {
    let path = followed(path);
    let path = std::path::absolute(&path).unwrap_or(path);
    let mut name = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(name.pop()),
            part => name.push(part),
        }
        // What `..` leads to is above where a link leads.
        name = name.canonicalize().unwrap_or(name);
    }
    name
}

/// Behind all links; the path itself where they lead to no file.
pub(crate) fn followed(path: &Path) -> PathBuf {
    match Destination::of(path) {
        Ok(Destination::File(target)) => target,
        _ => path.to_owned(),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::{Existing, write};
    use super::*;
    use crate::failure::{Failure, Fault};
    use std::io::Read;
    use std::os::unix::fs::symlink;

    fn put(path: &Path, existing: Existing) -> Result<(), FileError> {
        write(path, b"new", Access::Public, existing)
    }

    #[test]
    fn a_link_stays_and_leads_to_the_new_file() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("far")).unwrap();
        fs::write(at("far/target"), "old").unwrap();
        symlink("far/target", at("one")).unwrap();
        symlink(at("one"), at("two")).unwrap();
        assert!(stands(&at("two")).unwrap());
        put(&at("two"), Existing::Replace).unwrap();
        assert!(put(&at("two"), Existing::Refuse).is_err());
        assert_eq!(fs::read(at("far/target")).unwrap(), b"new");
        assert_eq!(fs::read_link(at("two")).unwrap(), at("one"));
        assert_eq!(fs::read_link(at("one")).unwrap(), Path::new("far/target"));
        assert_eq!(fs::read_dir(at("far")).unwrap().count(), 1, "a temporary file is left");
        // One that leads to nothing yet.
        symlink("far/later", at("dangling")).unwrap();
        assert!(!stands(&at("dangling")).unwrap());
        put(&at("dangling"), Existing::Refuse).unwrap();
        assert_eq!(fs::read(at("far/later")).unwrap(), b"new");
        symlink("nowhere/later", at("lost")).unwrap();
        assert!(check_place(&at("lost")).is_err());
        assert!(check_place(&at("free")).is_ok());
    }

    #[test]
    fn a_place_has_one_name() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("far/deep")).unwrap();
        fs::write(at("list"), "").unwrap();
        symlink("far/deep", at("link")).unwrap();
        symlink("./list", at("other")).unwrap();
        symlink("none/../later", at("dangling")).unwrap();
        for (one, other) in [
            ("list", "./list"),
            ("list", "far/../list"),
            ("list", "none/../list"),
            ("list", "other"),
            ("list", "link/../../list"),
            ("later", "none/.././later"),
            ("later", "dangling"),
            ("far/deep/later", "link/later"),
        ] {
            assert_eq!(one_name(&at(one)), one_name(&at(other)), "{one} {other}");
        }
        assert_ne!(one_name(&at("list")), one_name(&at("link/../list")));
        assert_ne!(one_name(&at("later")), one_name(&at("list")));
    }

    #[test]
    fn circles_and_folders_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        symlink("b", at("a")).unwrap();
        symlink("a", at("b")).unwrap();
        let error = put(&at("a"), Existing::Replace).unwrap_err();
        assert!(error.to_string().ends_with("its symbolic links lead in a circle"), "{error}");
        assert!(error.fault() == Fault::Input);
        symlink(".", at("folder")).unwrap();
        let error = put(&at("folder"), Existing::Replace).unwrap_err();
        assert!(error.to_string().contains("it is a directory"), "{error}");
        assert!(stands(dir.path()).is_err());
    }

    #[test]
    fn a_socket_is_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(is_stream(&path) && !stands(&path).unwrap());
        put(&path, Existing::Refuse).unwrap();
        let mut found = String::new();
        listener.accept().unwrap().0.read_to_string(&mut found).unwrap();
        assert_eq!(found, "new");
        let error = regular(&path, "it is read again").unwrap_err();
        assert!(error.to_string().ends_with("no regular file, and it is read again"), "{error}");
        assert!(error.fault() == Fault::Input && error.hint().is_some());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_open_descriptor_is_gone_on_with() {
        use std::io::Write;
        use std::os::fd::AsRawFd;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"before ").unwrap();
        for folder in ["/dev/fd", "/proc/self/fd", "/proc/thread-self/fd"] {
            let name = Path::new(folder).join(file.as_raw_fd().to_string());
            assert!(!stands(&name).unwrap());
            put(&name, Existing::Refuse).unwrap();
        }
        file.write_all(b" after").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"before newnewnew after");
        assert!(is_stdout(Path::new("/dev/fd/1")) && !is_stdout(&path));
        // A file of that name is one.
        assert_eq!(
            Destination::of(&dir.path().join("1")).unwrap(),
            Destination::File(dir.path().join("1"))
        );
    }
}
