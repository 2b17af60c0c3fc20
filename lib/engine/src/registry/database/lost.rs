//! What is done again because the connection to the database was lost.

use crate::registry::{RegistryError, Result};

/// How often something is tried whose connection is lost each time.
const MOST_ATTEMPTS: u32 = 5;

/// Does something that changes nothing if the connection is lost, and does it again then.
pub(in crate::registry) fn again<T>(mut run: impl FnMut() -> Result<T>) -> Result<T> {
    let mut attempts = 1;
    loop {
        match run() {
            Err(RegistryError::NotDone { .. }) if attempts < MOST_ATTEMPTS => attempts += 1,
            done => return done,
        }
    }
}
