//! Why something cannot be done with an order.

use crate::failure::{Failure, Fault, Hint, Underlying};
use crate::files::FileError;
use crate::list::ListError;
use crate::pki::AuthorityError;
use crate::profile::ProfileError;
use crate::registry::RegistryError;

pub(super) type Result<T = (), E = OrderError> = std::result::Result<T, E>;

/// Why something cannot be done with an order.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// A name that no order can have.
    #[error(
        "an order cannot be named {0:?}: at most 64 letters, digits, `.`, `_` and `-`, the first a letter or a digit, \
         and none that Windows keeps for itself (con, nul, a dot at the end)"
    )]
    BadName(String),
    /// A customer's name that is too long.
    #[error("the customer's name has {0} characters, and may have 200")]
    LongCustomer(usize),
    /// An order that was taken back.
    #[error("the order {name:?} was taken back on {since}")]
    TakenBack {
        /// Its name.
        name: String,
        /// The day.
        since: String,
    },
    /// What an order says of itself cannot be read.
    #[error("the options of the order {name:?} cannot be read: {problem}")]
    Options {
        /// Its name.
        name: String,
        /// What is wrong with them.
        #[source]
        problem: Underlying,
    },
    /// The file of its profile.
    #[error(transparent)]
    File(#[from] FileError),
    /// Its profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// Its list.
    #[error(transparent)]
    List(#[from] ListError),
    /// The PKI directory.
    #[error(transparent)]
    Pki(#[from] AuthorityError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl Failure for OrderError {
    fn fault(&self) -> Fault {
        match self {
            Self::BadName(_)
            | Self::LongCustomer(_)
            | Self::TakenBack { .. }
            | Self::Options { .. } => Fault::Input,
            Self::File(e) => e.fault(),
            Self::Profile(e) => e.fault(),
            Self::List(e) => e.fault(),
            Self::Pki(e) => e.fault(),
            Self::Registry(e) => e.fault(),
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::TakenBack { .. } => Some("make another order from the right list".into()),
            Self::Options { .. } => Some("was it made by a newer version of c8y-pki?".into()),
            Self::BadName(_) | Self::LongCustomer(_) => None,
            Self::File(e) => e.hint(),
            Self::Profile(e) => e.hint(),
            Self::List(e) => e.hint(),
            Self::Pki(e) => e.hint(),
            Self::Registry(e) => e.hint(),
        }
    }
}
