//! What every error of this library says besides its sentence: who has to act, and what to do.
//!
//! The trait stands beside each error and names every variant, so that a new one does not compile until it is
//! judged. Exit codes, whether something is tried again and the verdict of a check derive from it.

mod hint;
mod task;
mod underlying;

pub use hint::{Hint, Means, Words, use_words};
pub use task::{Example, Permission, Secret, Setting, SubjectField, Task};
pub use underlying::{Underlying, unsaid};

/// Who has to do something about an error, and whether the same may go well later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The caller: another argument, file or password.
    Input,
    /// The other side is not trusted by what the caller gives: another truststore is needed, or another server.
    Untrusted,
    /// This machine: a disk, a token, another process.
    Environment,
    /// The other side was not reached, so nothing was done there.
    Unreached,
    /// The other side says that it has no time, so nothing was done there.
    Busy,
    /// No answer came: it is not known whether anything was done there.
    Lost,
    /// The other side closed without a reason: a network does so, and some servers that refuse or are overloaded.
    Closed,
    /// What answers is not what was asked for: another server, a proxy, or one without a valid certificate.
    Stranger,
    /// The platform says no, and it says the same while it is overloaded.
    Unclear,
    /// The platform says no.
    Refusal,
}

/// What a failure comes to, in the three kinds that a caller has to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The answer is no.
    No,
    /// Something else has to be given.
    WrongInput,
    /// The surroundings failed. Trying again may help.
    Surroundings,
}

impl Fault {
    /// The kind of it.
    pub fn kind(self) -> Kind {
        match self {
            Self::Unclear | Self::Refusal => Kind::No,
            Self::Input | Self::Untrusted => Kind::WrongInput,
            Self::Environment
            | Self::Unreached
            | Self::Busy
            | Self::Lost
            | Self::Closed
            | Self::Stranger => Kind::Surroundings,
        }
    }

    /// Whether the same may go well later, with nothing changed here.
    pub fn may_pass(self) -> bool {
        self.kind() == Kind::Surroundings
    }
}

/// An error that says who has to act, and what to do.
pub trait Failure: std::error::Error {
    /// Whose fault it is. An error that only carries another one says what that one says.
    fn fault(&self) -> Fault;

    /// What the user can do about it.
    fn hint(&self) -> Option<Hint>;
}
