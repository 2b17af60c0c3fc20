//! The whole job from one file: CAs, devices, keystores, truststore, registration CSV.
//!
//! [`spec`] reads the file, [`plan`] compares it with what is there, [`apply`] does what is left.
//! Everything is idempotent: a second run finds everything in place and changes nothing. Upload to
//! the tenant and the check that devices connect will follow the registration step.

mod apply;
mod plan;
pub mod spec;

pub use apply::{Passwords, Report, apply};
pub use plan::{Action, Plan, Step, plan};

use crate::error::Error;

/// The embedded example: file names and their contents.
pub static EXAMPLE: [(&str, &str); 2] = [
    ("rollout.toml", include_str!("../../templates/rollout.toml")),
    ("devices.csv", include_str!("../../templates/devices.csv")),
];

/// Why a rollout cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RolloutError {
    /// A fault in the file, with its line.
    #[error("{file} line {line}: {problem}")]
    Spec {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A CA is there, but not as the file wants it.
    #[error("the CA {name:?} has the subject {found}; {file} wants {wanted}")]
    OtherSubject {
        /// Its name.
        name: String,
        /// The file.
        file: String,
        /// Its subject.
        found: String,
        /// The subject in the file.
        wanted: String,
    },
    /// A CA is there under another parent.
    #[error("the CA {name:?} stands under {found}; {file} wants it under {wanted}")]
    OtherParent {
        /// Its name.
        name: String,
        /// The file.
        file: String,
        /// The CA above it.
        found: String,
        /// The parent in the file.
        wanted: String,
    },
    /// A password file that does not exist and is not to be made.
    #[error("the password file {0} does not exist")]
    NoPassword(String),
    /// Any other error, in one of the steps.
    #[error(transparent)]
    Step(Box<Error>),
}

impl RolloutError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::OtherSubject { .. } | Self::OtherParent { .. } => Some(
                "a CA cannot be changed: give the new one another name, or correct the file"
                    .to_owned(),
            ),
            Self::NoPassword(_) => Some(
                "write the password into it, or set `create = true` under [passwords]".to_owned(),
            ),
            Self::Step(e) => e.hint(),
            Self::Spec { .. } => {
                Some("`c8y-pki profile show rollout.toml` prints a complete file".to_owned())
            }
        }
    }

    /// The error of a step, if it is one.
    pub(crate) fn inner(&self) -> Option<&Error> {
        match self {
            Self::Step(e) => Some(e),
            _ => None,
        }
    }
}

/// Turns any error of the modules below into a step's.
fn step<E: Into<Error>>(e: E) -> RolloutError {
    RolloutError::Step(Box::new(e.into()))
}
