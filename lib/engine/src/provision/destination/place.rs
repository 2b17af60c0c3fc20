//! What a run asks of a place for devices' files, and what it does there.

use std::path::PathBuf;

use time::OffsetDateTime;

use crate::client_id::DeviceId;
use crate::files::Mark;
use crate::provision::bundle::BundleFile;
use crate::provision::error::Result;
use crate::provision::made::Made;
use crate::registry::Registry;

/// How devices are shared out at most, which is where making one takes microseconds.
#[derive(Debug, Clone, Copy)]
pub(in crate::provision) struct Sizes {
    /// Devices that are committed together: enough to share a sync. Slow ones are fewer, so that a second is lost when
    /// the power goes.
    pub(in crate::provision) chunk: usize,
    /// Devices that a worker takes at a time: it is not worth its while to queue for each, nor to wake the
    /// thread that commits.
    pub(in crate::provision) group: usize,
}

/// The run for which a place is opened.
pub(in crate::provision) struct Opening<'a> {
    pub(in crate::provision) batch: &'a str,
    /// How many devices it has.
    pub(in crate::provision) todo: usize,
    pub(in crate::provision) now: OffsetDateTime,
}

/// What was opened, if there is something to do.
pub(in crate::provision) type Opened<'a> = Option<Box<dyn Writer + 'a>>;

/// Where the files of devices go.
pub(in crate::provision) trait Destination: Sync {
    /// How devices are shared out at most.
    fn sizes(&self) -> Sizes;

    /// A device's directory, if it gets one.
    fn folder_of(&self, _id: &DeviceId) -> Option<PathBuf> {
        None
    }

    /// What the registry notes as a device's place.
    fn location_of(&self, id: &DeviceId) -> Option<PathBuf>;

    /// The file that marks a run that replaces devices and is not finished.
    fn replacing_marker(&self) -> Option<PathBuf>;

    /// Whether what was written can be taken back, or cut off.
    fn can_undo(&self) -> bool {
        true
    }

    /// Refuses a place that cannot take devices.
    fn check(&self) -> Result;

    /// Puts devices into place that a stopped run has recorded; returns how many.
    fn recover(&self, _registry: &Registry) -> Result<usize> {
        Ok(0)
    }

    /// Finishes a file that a stopped run has left, if it only lacks its end.
    fn settle(&self, _registry: &mut Registry) -> Result {
        Ok(())
    }

    /// Opens it for a run. None if there is nothing to do.
    fn open<'s>(&'s self, run: &Opening<'_>, registry: &mut Registry) -> Result<Opened<'s>>;
}

/// A place that is open for a run. Workers pack on any thread; one thread does the rest.
pub(in crate::provision) trait Writer: Sync {
    /// Makes room for a chunk, before the first of its devices is made.
    fn begin(&self, _chunk: usize) -> Result {
        Ok(())
    }

    /// Packs a device's files: what goes into one file for all, or nothing where they have a directory of their own.
    fn pack(&self, chunk: usize, folder: &str, files: Vec<BundleFile>) -> Result<Vec<u8>>;

    /// Takes devices of the chunk that is committed next, as they are made.
    fn take(&self, _made: &[Made]) -> Result {
        Ok(())
    }

    /// Writes a chunk durably: for the `first` time, all of which was taken; or again, without what is not due any
    /// more. What grows says how far it has come.
    fn write(&self, chunk: usize, made: &[Made], first: bool) -> Result<Option<Mark>>;

    /// What was written counts: the registry has that mark.
    fn confirm(&self, _mark: &Mark) {}

    /// Puts the devices of a recorded chunk into place.
    fn publish(&self, _chunk: usize, _made: &[Made], _registry: &Registry) -> Result {
        Ok(())
    }

    /// Leaves it for a later run, after an interruption or, if the run has `failed`, an error.
    fn leave(self: Box<Self>, failed: bool, registry: &Registry) -> Result;

    /// Ends it: all devices are in it.
    fn finish(self: Box<Self>, registry: &mut Registry) -> Result;
}
