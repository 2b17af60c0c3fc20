//! Why the certificate of a tenant's server is not trusted.

use rustls::CertificateError;

use crate::crypto::{certificate_words, is_of_a_ca};
use crate::failure::{Failure, Fault, Hint, Underlying};

/// Why the certificate of a server is not trusted.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Distrust {
    /// None of the trusted CAs.
    #[error("no trusted CA signed it")]
    UnknownIssuer,
    /// A CA of the same name, with another key.
    #[error("it is signed by another CA of the same name as one that is trusted")]
    OtherKey,
    /// A CA's own certificate, which is not among the trusted ones.
    #[error("{0}")]
    OfACa(#[source] Underlying),
    /// By the clock of this machine.
    #[error("it has expired, or this machine's clock is ahead")]
    Expired,
    /// By the clock of this machine.
    #[error("it is not valid yet, or this machine's clock is behind")]
    NotValidYet,
    /// For other hosts.
    #[error("it was issued for another host name")]
    OtherName,
    /// Revoked.
    #[error("it is revoked")]
    Revoked,
    /// Another rule of the TLS library.
    #[error("{0}")]
    Other(#[source] Underlying),
}

impl Distrust {
    pub(in crate::platform) fn of(fault: &CertificateError) -> Self {
        use CertificateError as E;
        let kept =
            || Underlying::worded(certificate_words(fault), rustls::Error::from(fault.clone()));
        match fault {
            E::UnknownIssuer => Self::UnknownIssuer,
            E::BadSignature => Self::OtherKey,
            E::Expired | E::ExpiredContext { .. } => Self::Expired,
            E::NotValidYet | E::NotValidYetContext { .. } => Self::NotValidYet,
            E::NotValidForName | E::NotValidForNameContext { .. } => Self::OtherName,
            E::Revoked => Self::Revoked,
            of_a_ca if is_of_a_ca(of_a_ca) => Self::OfACa(kept()),
            _ => Self::Other(kept()),
        }
    }
}

impl Failure for Distrust {
    /// Whether another trust anchor would help.
    fn fault(&self) -> Fault {
        match self {
            Self::UnknownIssuer | Self::OtherKey | Self::OfACa(_) => Fault::Untrusted,
            Self::Expired
            | Self::NotValidYet
            | Self::OtherName
            | Self::Revoked
            | Self::Other(_) => Fault::Stranger,
        }
    }

    fn hint(&self) -> Option<Hint> {
        None
    }
}
