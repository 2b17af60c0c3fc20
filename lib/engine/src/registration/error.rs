//! Why a registration CSV cannot be made.

use super::one_time::OneTimeError;
use crate::crypto::CryptoError;
use crate::failure::{Failure, Fault, Hint, Setting};

/// Why a CSV cannot be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistrationError {
    /// A column without the two that it needs.
    #[error(
        "{id:?} has no {missing}: with a column {column}, the platform needs TYPE and NAME too"
    )]
    NeedsTypeAndName {
        /// The device.
        id: String,
        /// The column.
        column: &'static str,
        /// What is missing.
        missing: &'static str,
    },
    /// Two headers that mean the same column.
    #[error("the columns {0:?} and {1:?} of the device list both mean {2}")]
    SameColumn(String, String, String),
    /// More than one additional external id.
    #[error("the columns {0:?} and {1:?} are both external ids; the platform takes one")]
    TwoExternalIds(String, String),
    /// A column that certificate devices do not have.
    #[error("column {0:?} cannot be used with certificates")]
    NotWithCertificates(String),
    /// A header that makes an array.
    #[error("the custom property {0:?} would be an array, which the platform does not take")]
    Array(String),
    /// A placeholder that there is not.
    #[error("{{{0}}} is no placeholder of registrations: the only one is {{id}}")]
    Placeholder(String),
    /// Making a one-time password.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// A one-time password that a list gives, and that the platform does not take.
    #[error("the one-time password (ENROLLMENT_OTP) of {id:?} cannot be used: {problem}")]
    OneTime {
        /// The device.
        id: String,
        /// What is wrong with it.
        #[source]
        problem: OneTimeError,
    },
    /// A value that cannot stand in its column.
    #[error("{column} of {id:?} is {value:?}; {rule}")]
    Value {
        /// The device.
        id: String,
        /// The column.
        column: &'static str,
        /// The value.
        value: String,
        /// What the platform takes.
        rule: &'static str,
    },
}

impl Failure for RegistrationError {
    fn fault(&self) -> Fault {
        match self {
            Self::Crypto(e) => e.fault(),
            Self::NeedsTypeAndName { .. }
            | Self::SameColumn(..)
            | Self::TwoExternalIds(..)
            | Self::NotWithCertificates(_)
            | Self::Array(_)
            | Self::Placeholder(_)
            | Self::OneTime { .. }
            | Self::Value { .. } => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::NeedsTypeAndName { missing: "TYPE", .. } => {
                Some(Hint::give("give the devices a type", Setting::DeviceType))
            }
            Self::NeedsTypeAndName { .. } => {
                Some(Hint::give("give the devices a name", Setting::DeviceName))
            }
            Self::NotWithCertificates(_) => Some(
                Hint::say("remove it; the one-time passwords with which devices enrol stand in a column ENROLLMENT_OTP")
                    .then(Hint::give("to have them made", Setting::OneTimePasswords)),
            ),
            _ => None,
        }
    }
}
