//! A device that was made, until it is recorded.

use std::path::PathBuf;

use crate::cert::Serial;
use crate::client_id::DeviceId;
use crate::registry::NewRecord;
use crate::secret::SecretBytes;

/// A device that was made.
pub(super) struct Made {
    /// Its number in the run, from 0.
    pub(super) number: usize,
    pub(super) id: DeviceId,
    pub(super) record: NewRecord,
    /// Its part of the archive; nothing where it has a directory.
    pub(super) entries: Vec<u8>,
    /// Its line in the list of passwords.
    pub(super) secrets: Option<SecretBytes>,
    /// The file of the pool that goes when it is recorded.
    pub(super) drawn: Option<PathBuf>,
}

impl Made {
    /// The serial number of its certificate.
    pub(super) fn serial(&self) -> &Serial {
        &self.record.certificate.serial
    }
}
