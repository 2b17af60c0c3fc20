//! The connections of an open registry: each thread that asks has one of its own, since SQLite's are not to be
//! used by two threads at once.
//!
//! The first belongs to the thread that opened the registry. A thread that ends leaves its connection to the
//! next new one, so there are never more than there were threads at one time.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use thread_local::ThreadLocal;

use super::error;
use super::opening::set_up;
use super::reading::{Way, connect};
use crate::files::FileId;
use crate::registry::{RegistryError, Result};

/// SQLite's page cache of a thread that comes later, in KiB as a negative number: what SQLite itself chooses.
const CACHE: i64 = -2_000;

/// A connection for each thread, to one file.
#[derive(Debug)]
pub(in crate::registry) struct Connections {
    of_threads: ThreadLocal<Connection>,
    /// Which file the first one has opened; unknown where the system does not tell.
    file: Option<FileId>,
}

impl Connections {
    /// Those of a file whose first one was made just now.
    pub(in crate::registry) fn over(connection: Connection, path: &Path) -> Self {
        let of_threads = ThreadLocal::new();
        of_threads.get_or(|| connection);
        Self { of_threads, file: FileId::of(path) }
    }

    /// The connection of this thread.
    pub(in crate::registry) fn of_thread(&self, path: &Path, way: Way) -> Result<&Connection> {
        self.of_threads.get_or_try(|| {
            self.check_in_place(path)?;
            match way {
                Way::Written => {
                    let fail = |e: rusqlite::Error| error(path, e);
                    // Without the flag that makes a file: an empty registry is not this one.
                    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                    let connection = Connection::open_with_flags(path, flags).map_err(fail)?;
                    set_up(&connection, CACHE).map_err(fail)?;
                    Ok(connection)
                }
                way => connect(path, way),
            }
        })
    }

    /// Refuses a file that was moved away or replaced, as by a backup, since it was opened: what would be recorded
    /// now would be lost.
    pub(in crate::registry) fn check_in_place(&self, path: &Path) -> Result<()> {
        match self.file == FileId::of(path) {
            true => Ok(()),
            false => Err(RegistryError::Exchanged(path.display().to_string())),
        }
    }
}
