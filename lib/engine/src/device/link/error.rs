//! Why there is no connection to a server.

use super::super::Alert;
use crate::failure::{Failure, Fault, Hint, Task, Underlying};
use crate::name::Name;

/// Why a device does not trust a server.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerFault {
    /// The truststore lacks its CA.
    #[error("{} no certificate of {missing}, which signed the last one presented", store(*own))]
    UnknownIssuer {
        /// Whether the device has a truststore of its own; else the system decides.
        own: bool,
        /// Who signed what the server presents last.
        missing: Name,
    },
    /// The truststore has a CA of that name with another key.
    #[error("the truststore has a certificate of {issuer}, but its key is not the one that signed")]
    OtherKey {
        /// The name.
        issuer: Name,
    },
    /// A certificate of the server has expired.
    #[error("its certificate has expired by the clock of this machine")]
    Expired,
    /// A certificate of the server is not valid yet.
    #[error("its certificate is not valid yet by the clock of this machine")]
    NotValidYet,
    /// The certificate is for other hosts.
    #[error("its certificate is not for {host:?}, but for {}", listed(names))]
    OtherName {
        /// The host that was asked for.
        host: String,
        /// The names in the certificate.
        names: Vec<String>,
    },
    /// A certificate that signed itself and says CA:TRUE, and is not the one in the truststore.
    #[error(
        "its certificate, {subject}, signed itself and is that of a CA (CA:TRUE): it is accepted only if the \
         truststore has exactly this certificate{}",
        if *other { ", and it has another one of that name" } else { "" }
    )]
    SelfSigned {
        /// Its subject.
        subject: Name,
        /// Whether the truststore has another certificate of that name.
        other: bool,
    },
    /// Something else.
    #[error("its certificate is refused: {0}")]
    Other(#[source] Underlying),
}

fn store(own: bool) -> &'static str {
    match own {
        true => "the truststore has",
        false => "the device has no truststore, and the system has",
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "other names".to_owned(),
        names => names.join(", "),
    }
}

impl Failure for ServerFault {
    /// Whether the device's truststore is to be set right, or the server's certificate or this machine's clock.
    fn fault(&self) -> Fault {
        match self {
            Self::UnknownIssuer { .. } | Self::OtherKey { .. } | Self::SelfSigned { .. } => {
                Fault::Untrusted
            }
            Self::Expired | Self::NotValidYet | Self::OtherName { .. } | Self::Other(_) => {
                Fault::Stranger
            }
        }
    }

    fn hint(&self) -> Option<Hint> {
        Some(LinkError::check())
    }
}

/// Why there is no TLS connection to a server.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkError {
    /// Not a host name or address.
    #[error("{host:?} is not a host name or an address")]
    BadHost {
        /// What was given.
        host: String,
    },
    /// The name does not resolve.
    #[error("the host name {host:?} does not resolve: {reason}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        #[source]
        reason: Underlying,
    },
    /// The port is closed.
    #[error("nothing listens on {target}")]
    NothingListens {
        /// Host and port.
        target: String,
    },
    /// No way to the host.
    #[error("{target} cannot be reached: {reason}")]
    Unreachable {
        /// Host and port.
        target: String,
        /// What the system said.
        #[source]
        reason: Underlying,
    },
    /// No TCP connection in time.
    #[error("{target} did not take the TCP connection within {seconds} seconds")]
    TcpTimeout {
        /// Host and port.
        target: String,
        /// The time that it had.
        seconds: u64,
    },
    /// No handshake in time.
    #[error("{target} took the connection, but did not answer in TLS within {seconds} seconds")]
    TlsTimeout {
        /// Host and port.
        target: String,
        /// The time that it had.
        seconds: u64,
    },
    /// Closed during the handshake.
    #[error("{target} closed the connection during the TLS handshake")]
    Closed {
        /// Host and port.
        target: String,
    },
    /// Something else than TLS.
    #[error("what answers at {target} does not speak TLS")]
    NotTls {
        /// Host and port.
        target: String,
    },
    /// A handshake that is larger than can be read here.
    #[error(
        "{target} sends a TLS handshake larger than 64 KiB, which c8y-pki cannot read: so it is not known \
         whether the device connects"
    )]
    TooLarge {
        /// Host and port.
        target: String,
    },
    /// No version of TLS, no cipher or no kind of key that both sides have.
    #[error("{target} and this program have no common settings for TLS: {reason}")]
    Incompatible {
        /// Host and port.
        target: String,
        /// Whether it is the version.
        version: bool,
        /// What is missing.
        #[source]
        reason: Underlying,
    },
    /// The server's certificate.
    #[error("the device does not trust {target}: {fault}")]
    Untrusted {
        /// Host and port.
        target: String,
        /// Why not.
        #[source]
        fault: ServerFault,
    },
    /// The server ended TLS, and says why.
    #[error("the server ended TLS with {}", alert.words())]
    Alert {
        /// Its reason.
        alert: Alert,
    },
    /// The device's key or certificate cannot be used in TLS.
    #[error("the device's key and certificate cannot be used for TLS: {reason}")]
    Identity {
        /// Why not.
        #[source]
        reason: Underlying,
    },
    /// The truststore cannot be used.
    #[error("the truststore cannot be used for TLS: {reason}")]
    Trust {
        /// Why not.
        #[source]
        reason: Underlying,
    },
    /// Something else.
    #[error("TLS failed: {reason}")]
    Tls {
        /// What went wrong.
        #[source]
        reason: Underlying,
    },
}

impl LinkError {
    /// Where more is told.
    pub(in crate::device) fn check() -> Hint {
        Hint::run("see the likely causes, step by step", Task::CheckDevice)
    }
}

impl Failure for LinkError {
    fn fault(&self) -> Fault {
        match self {
            Self::Untrusted { fault, .. } => fault.fault(),
            Self::BadHost { .. } | Self::Identity { .. } | Self::Trust { .. } => Fault::Input,
            Self::Alert { .. } => Fault::Unclear,
            Self::Resolve { .. }
            | Self::NothingListens { .. }
            | Self::Unreachable { .. }
            | Self::TcpTimeout { .. }
            | Self::TlsTimeout { .. } => Fault::Unreached,
            Self::Closed { .. } => Fault::Closed,
            Self::NotTls { .. }
            | Self::TooLarge { .. }
            | Self::Incompatible { .. }
            | Self::Tls { .. } => Fault::Stranger,
        }
    }

    fn hint(&self) -> Option<Hint> {
        Some(Self::check())
    }
}
