//! Files that are read whole, or more than once.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::Path;

use super::{FileError, fail};

/// Largest file that is read whole, in bytes: certificates, keys and lists are far smaller.
pub const MAX_READ: u64 = 1 << 30;

/// Largest file of keys, certificates or a keystore, in bytes: ten thousand certificates have half of it. In
/// memory such a file takes several times its size.
pub const MAX_SMALL: u64 = 64 << 20;

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
    // The directory for temporary files may be what is full, and not what is read.
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

/// The size of a file in bytes; none if there is no file.
pub(crate) fn len(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
}
