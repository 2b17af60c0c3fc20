//! Issuing devices, one or very many.
//!
//! [`list`] reads device lists and finds all their faults; [`request`] does the same for certificate
//! requests, [`renew`] for devices whose certificates run out; [`bundle`] makes a device's files;
//! [`run`] issues: in parallel, chunk by chunk, so that a certificate exists if and only if the
//! registry has it, and then its key is on disk. [`Out`] says where: into folders (through `staging`)
//! or into one archive (`archive`).

mod archive;
pub mod bundle;
pub(crate) mod cell;
mod commit;
mod failed;
mod ids;
pub mod inspect;
mod keys;
pub mod list;
mod make;
pub mod new_ids;
mod out;
mod plan;
pub mod refresh;
pub mod renew;
pub mod request;
pub(crate) mod rows;
mod run;
mod staging;
#[cfg(feature = "workbook")]
mod workbook;

use std::path::PathBuf;

use crate::authority::AuthorityError;
use crate::authority::policy::PolicyError;
use crate::cert::CertError;
use crate::failure::{Example, Failure, Fault, Hint, Secret, Setting, Task};
use crate::files::{FileError, GrowError, reason};
use crate::issue::IssueError;
use crate::key::KeyError;
use crate::name::NameError;
use crate::read::ReadError;
use crate::registry::RegistryError;
use crate::store::StoreError;

pub use failed::failed_csv;
pub use out::{Out, Stream};
pub(crate) use plan::is_complete;
pub use run::{Existing, Job, Progress, Summary, run, settle};
pub(crate) use staging::{FOLDER as STAGING, REPLACED};

/// The first line of the file with the devices' passwords ([`Job::secrets`]).
pub const SECRETS_HEADER: &str = "id,serial,store_password\n";

/// How many faults of single devices are kept; the others are only counted.
pub const MOST_FAULTS: usize = 10_000;

/// A fault in a device list or a row that could not be issued.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BadRow {
    /// The device identifier as it was given.
    pub id: String,
    /// The line of the list (from 1), if it came from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// A sentence that names the id, its place and the rule.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<Hint>,
}

/// The faults of many devices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BadRows {
    /// The first [`MOST_FAULTS`] of them, in the order of the list.
    pub first: Vec<BadRow>,
    /// How many there are.
    pub count: usize,
}

impl BadRows {
    /// Adds one; it is kept as long as they are few.
    pub fn add(&mut self, fault: BadRow) {
        self.count += 1;
        if self.first.len() < MOST_FAULTS {
            self.first.push(fault);
        }
    }

    /// Whether there are more than were kept.
    pub fn is_cut(&self) -> bool {
        self.count > self.first.len()
    }
}

impl From<Vec<BadRow>> for BadRows {
    fn from(first: Vec<BadRow>) -> Self {
        Self { count: first.len(), first }
    }
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
    /// A list as spreadsheets save "Unicode text".
    #[error("{file} is UTF-16; a list has to be UTF-8")]
    Utf16 {
        /// The list.
        file: String,
    },
    /// A list in an encoding that cannot be told.
    #[error("{file} is not UTF-8: line {line} is the first that shows it")]
    NotUtf8 {
        /// The list.
        file: String,
        /// The first line (from 1) that is not UTF-8.
        line: u64,
    },
    /// A list that is not the same any more.
    #[error("{file} was changed while it was read")]
    ListChanged {
        /// The list.
        file: String,
    },
    /// Devices that cannot be issued as asked; nothing was made.
    #[error("{} of {total} device{} cannot be issued; nothing was made", faults.count, if *total == 1 { "" } else { "s" })]
    Faults {
        /// Their faults.
        faults: BadRows,
        /// How many devices were asked for.
        total: usize,
    },
    /// Rows of a list that name no device; nothing was done with any of them.
    #[error("{} of {total} device{} of the list cannot be used; nothing was done", faults.count, if *total == 1 { "" } else { "s" })]
    BadList {
        /// Their faults.
        faults: BadRows,
        /// How many rows it has.
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
    /// A key for thin-edge.io that it could not open.
    #[error("thin-edge cannot open an encrypted private key, and this one would be encrypted")]
    EncryptedForThinEdge,
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

impl From<GrowError> for BulkError {
    fn from(e: GrowError) -> Self {
        match e {
            GrowError::Busy(path) => Self::Busy { path },
            GrowError::Changed { path, problem } => Self::Changed { path, problem },
            GrowError::File(e) => Self::File(e),
        }
    }
}

impl Failure for BulkError {
    fn fault(&self) -> Fault {
        match self {
            Self::Busy { .. } | Self::Write(_) => Fault::Environment,
            Self::KeyFile { source, .. } => source.fault(),
            Self::Recorded(e) => e.fault(),
            Self::Policy(e) => e.fault(),
            Self::Name(e) => e.fault(),
            Self::Issue(e) => e.fault(),
            Self::Key(e) => e.fault(),
            Self::Store(e) => e.fault(),
            Self::Registry(e) => e.fault(),
            Self::Authority(e) => e.fault(),
            Self::File(e) => e.fault(),
            Self::List { .. }
            | Self::Utf16 { .. }
            | Self::NotUtf8 { .. }
            | Self::ListChanged { .. }
            | Self::Faults { .. }
            | Self::BadList { .. }
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
            Self::List { .. } => {
                Some(Hint::run("start from a complete list", Task::PrintExample(Example::Devices)))
            }
            Self::Faults { faults, .. } | Self::BadList { faults, .. } if faults.is_cut() => {
                Some(format!(
                    "more than {MOST_FAULTS} faults: is it the right list, and has it the right column of ids?"
                ).into())
            }
            Self::NotUtf8 { .. } => Some(
                "it seems to be saved in the encoding of one country (ANSI, Windows-1252): save it as CSV UTF-8"
                    .into(),
            ),
            Self::Utf16 { .. } => Some("save it as CSV UTF-8".into()),
            Self::ListChanged { .. } => {
                Some("leave it alone and run the same command again: it goes on".into())
            }
            Self::WrongProfile { .. } => {
                Some(Hint::run("see what each is for", Task::ListProfiles))
            }
            Self::Output { .. } => Some(Hint::give("choose another folder", Setting::Output)),
            Self::NoStorePassword => Some(Hint::provide("give the password that the keystores are to have", Secret::StorePassword)),
            Self::NoKeyInBundle => Some("add pem, p12, jks or thin-edge to the bundle".into()),
            Self::EncryptedForThinEdge => Some(
                Hint::omit("do not encrypt the keys", Setting::EncryptedKeys)
                    .then(Hint::run("or decrypt the key first", Task::DecryptKey)),
            ),
            Self::NoTrustedCertificate => Some(
                Hint::give("give the server's certificate", Setting::ServerCertificate)
                    .then(Hint::run("fetch it from the server", Task::FetchServer { address: None })),
            ),
            Self::Write(_) => {
                Some("run the same command again: what was not written is issued then".into())
            }
            Self::Busy { .. } => Some("wait until it is finished".into()),
            Self::Finished { .. } => {
                Some("move it away, or give the devices that are left another file".into())
            }
            Self::Changed { .. } => Some(
                "put the right one back, or move this one away: the devices in it are recorded"
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
