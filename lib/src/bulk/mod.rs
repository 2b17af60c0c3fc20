//! Issuing devices, one or very many.
//!
//! [`list`] reads device lists and finds all their faults; [`request`] does the same for certificate
//! requests, [`renew`] for devices whose certificates run out; [`bundle`] makes a device's files;
//! [`run`] issues: in parallel, chunk by chunk, through `staging`, so that a certificate exists
//! if and only if the registry has it, and then its key is on disk.

pub mod bundle;
pub mod inspect;
pub mod list;
mod plan;
pub mod renew;
pub mod request;
mod run;
mod staging;

use std::path::PathBuf;

use crate::authority::AuthorityError;
use crate::authority::policy::PolicyError;
use crate::cert::CertError;
use crate::files::FileError;
use crate::issue::IssueError;
use crate::key::KeyError;
use crate::name::NameError;
use crate::registry::RegistryError;
use crate::store::StoreError;

pub(crate) use plan::is_complete;
pub use run::{Existing, Job, Progress, Summary, run};

/// A fault in a device list or a row that could not be issued.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// The device identifier as it was given.
    pub id: String,
    /// The line of the list (from 1), if it came from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// A sentence that names the id, its place and the rule.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Why a run could not start or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BulkError {
    /// A list that is no CSV with a column of ids.
    #[error("{file}: {problem}")]
    List {
        /// The list.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Devices that cannot be issued as asked; nothing was made.
    #[error("{} of {total} device{} cannot be issued; nothing was made", faults.len(), if *total == 1 { "" } else { "s" })]
    Faults {
        /// Each of them.
        faults: Vec<Fault>,
        /// How many devices were asked for.
        total: usize,
    },
    /// Certificates that cannot be revoked as asked; nothing was changed.
    #[error("{} of {total} certificate{} cannot be revoked; nothing was changed", faults.len(), if *total == 1 { "" } else { "s" })]
    NotRevoked {
        /// Each of them.
        faults: Vec<Fault>,
        /// How many were asked for.
        total: usize,
    },
    /// A profile that is not for devices.
    #[error("profile {name:?} is for CAs, not for devices")]
    WrongProfile {
        /// Its name.
        name: String,
    },
    /// A bundle that needs a password.
    #[error("a keystore or truststore is asked for, and no store password was given")]
    NoStorePassword,
    /// The bundle would be empty.
    #[error("the bundle is empty: nothing would keep the devices' keys")]
    NoKeyInBundle,
    /// A truststore was asked for without certificates to put in.
    #[error("a truststore is asked for, and no certificate of the server was given")]
    NoTrustedCertificate,
    /// The output folder belongs to something else.
    #[error("{}: {problem}", path.display())]
    Output {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
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
        source: KeyError,
    },
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
    /// The PKI folder.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A file operation.
    #[error(transparent)]
    File(#[from] FileError),
}

impl BulkError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::List { .. } => {
                Some("`c8y-pki profile show devices.csv` prints a list to start from".to_owned())
            }
            Self::WrongProfile { .. } => {
                Some("`c8y-pki profile list` shows what each is for".to_owned())
            }
            Self::Output { .. } => Some("choose another --out".to_owned()),
            Self::NoStorePassword => Some("give --store-password-file".to_owned()),
            Self::NoKeyInBundle => Some("add pem, p12 or jks to the bundle".to_owned()),
            Self::NoTrustedCertificate => Some(
                "give --server-cert; `c8y-pki store fetch HOST:8883` saves it from the server"
                    .to_owned(),
            ),
            Self::OneId { .. } => {
                Some("sign them one by one, or without an id: by their common names".to_owned())
            }
            Self::KeyFile { source, .. } => source.hint(),
            Self::Recorded(_) => Some("`c8y-pki registry check` names it".to_owned()),
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
