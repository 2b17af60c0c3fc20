//! Why a server gets no certificate.

use time::OffsetDateTime;

use crate::cert::{AltName, AltNameError, CertError, MAX_ALT_NAMES, Serial};
use crate::clock::{ClockError, rfc3339};
use crate::failure::{Failure, Fault, Hint, Setting, Task};
use crate::files::FileError;
use crate::issue::IssueError;
use crate::key::KeyError;
use crate::name::NameError;
use crate::pki::AuthorityError;
use crate::pki::policy::PolicyError;
use crate::provision::ProvisionError;
use crate::registry::{RegistryError, ServerName, ServerNameError};

/// What this room does, or why it could not.
pub(super) type Result<T = (), E = ServerError> = std::result::Result<T, E>;

/// Why a server gets no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A profile that is not for servers.
    #[error("profile {profile:?} is not for servers")]
    WrongProfile {
        /// Its name.
        profile: String,
    },
    /// A name that is none.
    #[error(transparent)]
    ServerName(#[from] ServerNameError),
    /// No directory can have the name on Windows.
    #[error(
        "a server cannot be named {name}: Windows keeps that name for itself, and no directory can have it there"
    )]
    NameOfWindows {
        /// Its name.
        name: ServerName,
    },
    /// No names beside the subject.
    #[error(
        "the server {name} has no name that clients could compare: neither a DNS name nor an address"
    )]
    NoNames {
        /// The server.
        name: ServerName,
    },
    /// Names that clients do not compare.
    #[error("the server {name} has only URIs: clients compare a DNS name or an address")]
    OnlyUris {
        /// The server.
        name: ServerName,
    },
    /// Too many names.
    #[error(
        "the server {name} would have {names} names; a certificate has at most {MAX_ALT_NAMES}"
    )]
    ManyNames {
        /// The server.
        name: ServerName,
        /// How many.
        names: usize,
    },
    /// A name of a form that is for others.
    #[error("{alt_name} is no name of a server: servers have DNS names, addresses and URIs")]
    Form {
        /// The name.
        alt_name: AltName,
    },
    /// A common name among the fields of the subject.
    #[error("the subject has a common name, but a server's common name is its name")]
    SubjectWithCommonName,
    /// The server has a certificate in use.
    #[error(
        "the server {name} has a live certificate already, {serial}, valid until {}", rfc3339(*not_after)
    )]
    AlreadyIssued {
        /// The server.
        name: ServerName,
        /// The serial number of that certificate.
        serial: Serial,
        /// The end of its validity.
        not_after: OffsetDateTime,
    },
    /// Files that are for devices.
    #[error("thin-edge is a bundle for devices, and {name} is a server")]
    ThinEdge {
        /// The server.
        name: ServerName,
    },
    /// A device has the name.
    #[error(
        "{name} is the id of a device: by its common name the platform would take one for the other"
    )]
    IsDevice {
        /// The name.
        name: ServerName,
    },
    /// No live certificate.
    #[error("the server {name} has no live certificate")]
    Unknown {
        /// The server.
        name: ServerName,
    },
    /// Its key is not here.
    #[error("the key of the server {name} is not here")]
    NoKey {
        /// The server.
        name: ServerName,
    },
    /// Somebody else has its key.
    #[error("the key of the server {name} is that of {other} too")]
    SharedKey {
        /// The server.
        name: ServerName,
        /// Who has it.
        other: String,
    },
    /// Another process was faster.
    #[error("the server {name} was issued or changed by another process at the same time")]
    Taken {
        /// The server.
        name: ServerName,
    },
    /// A name of the profile, or of a request.
    #[error(transparent)]
    AltName(#[from] AltNameError),
    /// The subject's fields.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The signing policy or a name constraint of the CA.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The clock is not believed.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// The CA cannot sign it.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// Making its key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Making its files.
    #[error(transparent)]
    Provision(#[from] Box<ProvisionError>),
    /// A certificate in the registry that cannot be read.
    #[error("a certificate in the registry cannot be read: {0}")]
    Recorded(#[from] CertError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The PKI directory, or a CA in it that must not sign.
    #[error(transparent)]
    Authority(#[from] Box<AuthorityError>),
    /// A file operation.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Failure for ServerError {
    fn fault(&self) -> Fault {
        match self {
            Self::WrongProfile { .. }
            | Self::NameOfWindows { .. }
            | Self::NoNames { .. }
            | Self::OnlyUris { .. }
            | Self::ManyNames { .. }
            | Self::Form { .. }
            | Self::SubjectWithCommonName
            | Self::AlreadyIssued { .. }
            | Self::ThinEdge { .. }
            | Self::IsDevice { .. }
            | Self::Unknown { .. }
            | Self::NoKey { .. }
            | Self::SharedKey { .. } => Fault::Input,
            Self::Taken { .. } => Fault::Environment,
            Self::ServerName(e) => e.fault(),
            Self::AltName(e) => e.fault(),
            Self::Name(e) => e.fault(),
            Self::Policy(e) => e.fault(),
            Self::Clock(e) => e.fault(),
            Self::Issue(e) => e.fault(),
            Self::Key(e) => e.fault(),
            Self::Provision(e) => e.fault(),
            Self::Recorded(e) => e.fault(),
            Self::Registry(e) => e.fault(),
            Self::Authority(e) => e.fault(),
            Self::File(e) => e.fault(),
        }
    }

    fn hint(&self) -> Option<Hint> {
        Some(match self {
            Self::NameOfWindows { .. } => {
                "choose another name; other names go into the certificate beside it".into()
            }
            Self::WrongProfile { .. } => Hint::run("choose one of kind server", Task::ListProfiles),
            Self::NoNames { .. } | Self::OnlyUris { .. } => {
                Hint::give("say how clients reach it", Setting::AltNames)
            }
            Self::AlreadyIssued { name, .. } => {
                Hint::run("renew it", Task::RenewServer { name: name.to_string() })
            }
            Self::SubjectWithCommonName => "leave the common name out".into(),
            Self::ThinEdge { .. } => "give pem, p12, jks, truststore-p12 or truststore-jks".into(),
            Self::IsDevice { .. } => "give the server another name".into(),
            Self::Unknown { .. } => Hint::run("see all of them", Task::ListServers)
                .then("one that was revoked is not renewed: issue it again"),
            Self::NoKey { .. } => "give its request".into(),
            Self::SharedKey { .. } => "let the server make a key of its own".into(),
            Self::Taken { .. } => "run the same command again".into(),
            Self::ManyNames { .. } | Self::Form { .. } => return None,
            Self::ServerName(e) => return e.hint(),
            Self::AltName(e) => return e.hint(),
            Self::Name(e) => return e.hint(),
            Self::Policy(e) => return e.hint(),
            Self::Clock(e) => return e.hint(),
            Self::Issue(e) => return e.hint(),
            Self::Key(e) => return e.hint(),
            Self::Provision(e) => return e.hint(),
            Self::Recorded(_) => Hint::run("see which it is", Task::CheckRegistry),
            Self::Registry(e) => return e.hint(),
            Self::Authority(e) => return e.hint(),
            Self::File(e) => return e.hint(),
        })
    }
}

impl From<ProvisionError> for ServerError {
    fn from(e: ProvisionError) -> Self {
        Box::new(e).into()
    }
}

impl From<AuthorityError> for ServerError {
    fn from(e: AuthorityError) -> Self {
        Box::new(e).into()
    }
}
