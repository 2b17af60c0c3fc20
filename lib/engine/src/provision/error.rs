//! Why a run could not start or had to stop.

use std::path::PathBuf;

use crate::cert::CertError;
use crate::failure::{Failure, Fault, Hint, Secret, Setting, Task};
use crate::files::{FileError, GrowError, reason};
use crate::issue::IssueError;
use crate::key::KeyError;
use crate::list::{BadRow, BadRows, ListError};
use crate::name::NameError;
use crate::pki::policy::PolicyError;
use crate::pki::{AuthorityError, CertifyError};
use crate::read::ReadError;
use crate::registry::RegistryError;
use crate::store::StoreError;

/// What this room does, or why it could not.
pub(super) type Result<T = (), E = ProvisionError> = std::result::Result<T, E>;

/// Why a run could not start or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProvisionError {
    /// Devices that cannot be issued as asked; nothing was made.
    #[error("{} of {total} device{} cannot be issued; nothing was made", faults.count, if *total == 1 { "" } else { "s" })]
    Faults {
        /// Their faults.
        faults: BadRows,
        /// How many devices were asked for.
        total: usize,
    },
    /// Certificates that cannot be revoked as asked; nothing was changed.
    #[error("{} of {total} certificate{} cannot be revoked; nothing was changed", faults.len(), if *total == 1 { "" } else { "s" })]
    NotRevoked {
        /// Each of them.
        faults: Vec<BadRow>,
        /// How many were asked for.
        total: usize,
    },
    /// A profile that is not for devices.
    #[error("profile {name:?} is not for devices")]
    WrongProfile {
        /// Its name.
        name: String,
    },
    /// A bundle that needs a password.
    #[error("a keystore or truststore is asked for, but no store password was given")]
    NoStorePassword,
    /// The bundle would be empty.
    #[error("the bundle is empty: nothing would keep the devices' keys")]
    NoKeyInBundle,
    /// A key for thin-edge.io that it could not open.
    #[error("thin-edge cannot open an encrypted private key, but this one would be encrypted")]
    EncryptedForThinEdge,
    /// A truststore was asked for without certificates to put in.
    #[error("a truststore is asked for, but no certificate of the server was given")]
    NoTrustedCertificate,
    /// The output directory belongs to something else.
    #[error("{}: {problem}", path.display())]
    Output {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Another run is writing the file.
    #[error("{}: another run is writing it", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// A file with that name is there, and finished.
    #[error("{} is there already, and {todo} device{} would have to go into it", path.display(), if *todo == 1 { "" } else { "s" })]
    Finished {
        /// The file.
        path: PathBuf,
        /// How many devices are still to be issued.
        todo: usize,
    },
    /// An unfinished file is not the one that the registry knows.
    #[error("{} is not as the registry knows it: {problem}", path.display())]
    Changed {
        /// The unfinished file.
        path: PathBuf,
        /// What is different.
        problem: &'static str,
    },
    /// Something that a stream cannot do.
    #[error("a stream cannot hold {what}")]
    Stream {
        /// What was asked for.
        what: &'static str,
    },
    /// The stream's reader has gone, or the stream failed.
    #[error("cannot write the archive: {}", reason(.0))]
    Write(#[source] std::io::Error),
    /// One id for several requests.
    #[error("one id is given, and {requests} requests")]
    OneId {
        /// How many.
        requests: usize,
    },
    /// A key file that cannot be used.
    #[error("{}: {source}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<ReadError>,
    },
    /// The device list.
    #[error(transparent)]
    List(#[from] ListError),
    /// A certificate in the registry that cannot be read.
    #[error("a certificate in the registry cannot be read: {0}")]
    Recorded(#[from] CertError),
    /// The signing policy of the issuing CA.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The subject's fields.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Making certificates.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// Making keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Making stores.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The PKI directory.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A file operation.
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<GrowError> for ProvisionError {
    fn from(e: GrowError) -> Self {
        match e {
            GrowError::Busy(path) => Self::Busy { path },
            GrowError::Changed { path, problem } => Self::Changed { path, problem },
            GrowError::File(e) => Self::File(e),
        }
    }
}

impl From<CertifyError> for ProvisionError {
    fn from(e: CertifyError) -> Self {
        match e {
            CertifyError::Name(e) => e.into(),
            CertifyError::Issue(e) => e.into(),
            CertifyError::Policy(e) => e.into(),
        }
    }
}

impl Failure for ProvisionError {
    fn fault(&self) -> Fault {
        match self {
            Self::Busy { .. } | Self::Write(_) => Fault::Environment,
            Self::KeyFile { source, .. } => source.fault(),
            Self::List(e) => e.fault(),
            Self::Recorded(e) => e.fault(),
            Self::Policy(e) => e.fault(),
            Self::Name(e) => e.fault(),
            Self::Issue(e) => e.fault(),
            Self::Key(e) => e.fault(),
            Self::Store(e) => e.fault(),
            Self::Registry(e) => e.fault(),
            Self::Authority(e) => e.fault(),
            Self::File(e) => e.fault(),
            Self::Faults { .. }
            | Self::NotRevoked { .. }
            | Self::WrongProfile { .. }
            | Self::NoStorePassword
            | Self::NoKeyInBundle
            | Self::EncryptedForThinEdge
            | Self::NoTrustedCertificate
            | Self::Output { .. }
            | Self::Finished { .. }
            | Self::Changed { .. }
            | Self::Stream { .. }
            | Self::OneId { .. } => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Faults { faults, .. } => faults.hint(),
            Self::List(e) => e.hint(),
            Self::WrongProfile { .. } => {
                Some(Hint::run("see what each is for", Task::ListProfiles))
            }
            Self::Output { .. } => Some(Hint::give("choose another directory", Setting::Output)),
            Self::NoStorePassword => Some(Hint::provide(
                "give the password that the keystores are to have",
                Secret::StorePassword,
            )),
            Self::NoKeyInBundle => Some("add pem, p12, jks or thin-edge to the bundle".into()),
            Self::EncryptedForThinEdge => Some(
                Hint::omit("do not encrypt the keys", Setting::EncryptedKeys)
                    .then(Hint::run("or decrypt the key first", Task::DecryptKey)),
            ),
            Self::NoTrustedCertificate => {
                Some(Hint::give("give the server's certificate", Setting::ServerCertificate).then(
                    Hint::run("fetch it from the server", Task::FetchServer { address: None }),
                ))
            }
            Self::Write(_) => {
                Some("run the same command again: what was not written is issued then".into())
            }
            Self::Busy { .. } => Some("wait until it is finished".into()),
            Self::Finished { .. } => {
                Some("move it away, or name another file for the remaining devices".into())
            }
            Self::Changed { .. } => Some(
                "restore the right one, or move this one away: the devices in it are recorded"
                    .into(),
            ),
            Self::Stream { .. } => Some(Hint::give("write it to a file", Setting::Output)),
            Self::OneId { .. } => {
                Some("sign them one by one, or without an id: by their common names".into())
            }
            Self::KeyFile { source, .. } => source.hint(),
            Self::Recorded(_) => Some(Hint::run("see which", Task::CheckRegistry)),
            Self::Policy(e) => e.hint(),
            Self::Name(e) => e.hint(),
            Self::Issue(e) => e.hint(),
            Self::Key(e) => e.hint(),
            Self::Store(e) => e.hint(),
            Self::Registry(e) => e.hint(),
            Self::Authority(e) => e.hint(),
            Self::File(e) => e.hint(),
            _ => None,
        }
    }
}
