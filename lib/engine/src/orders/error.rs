//! Why something cannot be done with an order.

use crate::crypto::CryptoError;
use crate::failure::{Failure, Fault, Hint, Underlying};
use crate::files::FileError;
use crate::list::ListError;
use crate::name::NameError;
use crate::pki::AuthorityError;
use crate::profile::{ProfileError, UnknownProfile};
use crate::provision::ProvisionError;
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
    /// A device that an order has in another case.
    #[error(
        "device id {id:?} is not in the order {order:?}, which has {ordered:?}: an id is the same to the letter"
    )]
    OtherCase {
        /// The id.
        id: String,
        /// The order.
        order: String,
        /// The id as it stands there.
        ordered: String,
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
    /// Devices that would outlive their CA.
    #[error("a validity of {days} days is asked for, but the CA {ca} ends on {end}")]
    Days {
        /// What is asked for.
        days: u32,
        /// The CA.
        ca: String,
        /// The day on which it ends.
        end: time::Date,
        /// The most that it allows.
        most: i64,
    },
    /// What is wrong with how its devices are to be made.
    #[error(transparent)]
    Provision(Box<ProvisionError>),
    /// A profile that there is not.
    #[error(transparent)]
    UnknownProfile(#[from] UnknownProfile),
    /// A subject.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A type of keys.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
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

impl From<ProvisionError> for OrderError {
    fn from(e: ProvisionError) -> Self {
        Self::Provision(Box::new(e))
    }
}

impl Failure for OrderError {
    fn fault(&self) -> Fault {
        match self {
            Self::BadName(_)
            | Self::LongCustomer(_)
            | Self::TakenBack { .. }
            | Self::OtherCase { .. }
            | Self::Days { .. }
            | Self::Options { .. } => Fault::Input,
            Self::Provision(e) => e.fault(),
            Self::UnknownProfile(e) => e.fault(),
            Self::Name(e) => e.fault(),
            Self::Crypto(e) => e.fault(),
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
            Self::OtherCase { .. } => Some("write it as the order does".into()),
            Self::Options { .. } => Some("was it made by a newer version of c8y-pki?".into()),
            Self::BadName(_) | Self::LongCustomer(_) => None,
            Self::Days { most: 0, .. } => Some("renew the CA first".into()),
            Self::Days { most, .. } => {
                Some(format!("ask for at most {most}, or for none: then it is shortened").into())
            }
            Self::Provision(e) => e.hint(),
            Self::UnknownProfile(e) => e.hint(),
            Self::Name(e) => e.hint(),
            Self::Crypto(e) => e.hint(),
            Self::File(e) => e.hint(),
            Self::Profile(e) => e.hint(),
            Self::List(e) => e.hint(),
            Self::Pki(e) => e.hint(),
            Self::Registry(e) => e.hint(),
        }
    }
}
