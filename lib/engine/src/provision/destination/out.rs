//! Where the files of devices go, as a caller names it.

use std::path::Path;

use super::archive::Archive;
use super::folders::Folders;
use super::place::Destination;
use super::stream::{Stream, Streamed};

/// Where the files of devices go.
#[derive(Debug, Clone, Copy)]
pub enum Out<'a> {
    /// Into this directory, which gets one directory per device.
    Folders(&'a Path),
    /// Into this tar archive, with one directory per device in it. It is called `<name>.part` until it
    /// is whole.
    Archive(&'a Path),
    /// The same archive, into a stream. A chunk is recorded when it was written: what the reader
    /// makes of it nobody knows here. A run that was stopped leaves an archive without its end.
    Stream(&'a Stream),
}

impl<'a> Out<'a> {
    /// What people call it: the whole path, or that it is a stream.
    pub(in crate::provision) fn named(self) -> String {
        match self {
            Self::Folders(path) | Self::Archive(path) => {
                let whole = std::path::absolute(path);
                whole.as_deref().unwrap_or(path).display().to_string()
            }
            Self::Stream(_) => "a stream".to_owned(),
        }
    }

    /// The place itself, which is asked from here on.
    pub(in crate::provision) fn destination(self) -> Box<dyn Destination + 'a> {
        match self {
            Self::Folders(dir) => Box::new(Folders::new(dir)),
            Self::Archive(path) => Box::new(Archive::new(path)),
            Self::Stream(stream) => Box::new(Streamed(stream)),
        }
    }
}
