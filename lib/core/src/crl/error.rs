//! Why a list cannot be read or made.

use crate::failure::{Failure, Fault, Hint, Task, Underlying};
use crate::issue::IssueError;
use crate::name::Name;

/// Why bytes are not a CRL, or why one cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CrlError {
    /// Not the DER of a CRL.
    #[error("not a certificate revocation list: {0}")]
    Malformed(#[source] Underlying),
    /// No CRL in a PEM text.
    #[error("there is no revocation list (BEGIN X509 CRL) in it")]
    NoList,
    /// The issuer's key usage lacks cRLSign.
    #[error("{issuer} cannot sign revocation lists: its keyUsage lacks cRLSign")]
    NotACrlSigner {
        /// Subject of the CA.
        issuer: Name,
    },
    /// nextUpdate is not after thisUpdate.
    #[error("the revocation list would end before it begins")]
    NoTime,
    /// Encoding or signing failed.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

impl Failure for CrlError {
    fn fault(&self) -> Fault {
        match self {
            Self::Issue(e) => e.fault(),
            Self::Malformed(_) | Self::NoList | Self::NotACrlSigner { .. } | Self::NoTime => {
                Fault::Input
            }
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Issue(e) => e.hint(),
            Self::NoList => Some(Hint::run("see what it holds", Task::ShowFile)),
            _ => None,
        }
    }
}
