//! What every error of this library says besides its sentence: who has to act, and what to do.
//!
//! The trait stands beside each error and names every variant, so that a new one does not compile until it is
//! judged. Exit codes, whether something is tried again and the verdict of a check derive from it.

mod hint;
mod task;

pub use hint::{Hint, Means, Words, use_words};
pub use task::{Example, Permission, Secret, Setting, SubjectField, Task};

/// Who has to do something about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The caller: another argument, file or password.
    Input,
    /// The environment: a disk, a network, another process. Trying again may help.
    Environment,
    /// Nobody: the platform was asked, and its answer is no.
    Refusal,
}

/// An error that says who has to act, and what to do.
pub trait Failure: std::error::Error {
    /// Whose fault it is. An error that only carries another one says what that one says.
    fn fault(&self) -> Fault;

    /// What the user can do about it.
    fn hint(&self) -> Option<Hint>;
}
