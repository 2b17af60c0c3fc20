//! One error for all that this crate does.

use std::fmt;

use c8y_pki_core::failure::{Failure, Fault, Hint};

/// Any error of this crate: a sentence that names the thing, its value and the rule, whose fault it is, and what to do.
///
/// Each room of the crates below has an error of its own, which goes into this one by `?`. They are not named here:
/// what a caller has to decide is in [`Error::fault`], and the sentence is for people.
pub struct Error(Box<dyn Failure + Send + Sync>);

impl Error {
    /// Whose fault it is, and so whether another attempt may go well.
    pub fn fault(&self) -> Fault {
        self.0.fault()
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<Hint> {
        self.0.hint()
    }
}

impl<E: Failure + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::error::Error for Error {
    /// What lies under the error that it carries, whose sentence is its own.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
