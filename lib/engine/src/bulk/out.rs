//! Where the files of devices go.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::client_id::DeviceId;
use crate::files::growing::part_of;

/// When the run began that replaces devices and is not finished, in Unix seconds.
const REPLACING: &str = ".c8y-pki-replacing";

/// Where the files of devices go.
#[derive(Debug, Clone, Copy)]
pub enum Out<'a> {
    /// Into this folder, which gets one folder per device.
    Folders(&'a Path),
    /// Into this tar archive, with one folder per device in it. It is called `<name>.part` until it
    /// is whole.
    Archive(&'a Path),
    /// The same archive, into a stream. A chunk is recorded when it was written: what the reader
    /// makes of it nobody knows here. A run that was stopped leaves an archive without its end.
    Stream(&'a Stream),
}

impl Out<'_> {
    /// A device's folder, if it gets one.
    pub(super) fn folder_of(&self, id: &DeviceId) -> Option<PathBuf> {
        match self {
            Self::Folders(dir) => Some(dir.join(id.file_name())),
            Self::Archive(_) | Self::Stream(_) => None,
        }
    }

    /// What the registry notes as a device's place.
    pub(super) fn location(&self) -> Option<PathBuf> {
        match self {
            Self::Folders(path) | Self::Archive(path) => {
                Some(std::path::absolute(path).unwrap_or_else(|_| (*path).to_owned()))
            }
            Self::Stream(_) => None,
        }
    }

    /// The file that marks a run that replaces devices.
    pub(super) fn replacing_marker(&self) -> Option<PathBuf> {
        match self {
            Self::Folders(dir) => Some(dir.join(REPLACING)),
            Self::Archive(path) => Some(part_of(path).with_extension("replacing")),
            Self::Stream(_) => None,
        }
    }
}

/// A stream that takes an archive.
pub struct Stream(Mutex<Box<dyn Write + Send>>);

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

impl Stream {
    /// Takes a stream.
    pub fn new(stream: impl Write + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(stream)))
    }

    pub(super) fn write<'p>(&self, pieces: impl IntoIterator<Item = &'p [u8]>) -> io::Result<()> {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in pieces {
            stream.write_all(piece)?;
        }
        stream.flush()
    }
}
