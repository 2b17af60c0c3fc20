//! One tar archive for all devices, in a stream: what was written cannot be taken back.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::archive::SIZES;
use super::place::{Destination, Opened, Opening, Sizes, Writer};
use super::tar::{END, Headers, entries_of};
use crate::client_id::DeviceId;
use crate::files::Mark;
use crate::provision::bundle::BundleFile;
use crate::provision::error::{ProvisionError, Result};
use crate::provision::made::Made;
use crate::registry::Registry;

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

    fn write<'p>(&self, pieces: impl IntoIterator<Item = &'p [u8]>) -> io::Result<()> {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in pieces {
            stream.write_all(piece)?;
        }
        stream.flush()
    }
}

/// An archive in a stream, of which nobody knows here where it goes.
pub(super) struct Streamed<'a>(pub(super) &'a Stream);

impl Destination for Streamed<'_> {
    fn sizes(&self) -> Sizes {
        SIZES
    }

    fn location_of(&self, _id: &DeviceId) -> Option<PathBuf> {
        None
    }

    fn replacing_marker(&self) -> Option<PathBuf> {
        None
    }

    fn can_undo(&self) -> bool {
        false
    }

    fn check(&self) -> Result {
        Ok(())
    }

    fn open<'s>(&'s self, run: &Opening<'_>, _registry: &mut Registry) -> Result<Opened<'s>> {
        Ok(Some(Box::new(Open { headers: Headers::new(run.now), stream: self.0 })))
    }
}

/// A stream that is being written.
struct Open<'a> {
    headers: Headers,
    stream: &'a Stream,
}

impl Writer for Open<'_> {
    fn pack(&self, _chunk: usize, folder: &str, files: Vec<BundleFile>) -> Result<Vec<u8>> {
        self.headers.entries(folder, &files)
    }

    fn write(&self, _chunk: usize, made: &[Made], _first: bool) -> Result<Option<Mark>> {
        self.stream.write(entries_of(made)).map_err(ProvisionError::Write)?;
        Ok(None)
    }

    fn leave(self: Box<Self>, _failed: bool, _registry: &Registry) -> Result {
        Ok(())
    }

    fn finish(self: Box<Self>, _registry: &mut Registry) -> Result {
        self.stream.write([END.as_slice()]).map_err(ProvisionError::Write)
    }
}
