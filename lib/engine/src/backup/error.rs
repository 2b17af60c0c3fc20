//! What goes wrong with a backup.

use std::path::PathBuf;

use crate::failure::{Failure, Fault, Hint, Task};
use crate::files::FileError;
use crate::pki::AuthorityError;
use crate::registry::RegistryError;

/// Why a backup was not made, or not restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// There is something where the backup is to be.
    #[error("{} exists already, and a backup is never written over another one", .0.display())]
    Exists(PathBuf),
    /// The copy of the registry is not as it was written.
    #[error(
        "the copy of the registry is not good, so there is no backup: {first} ({findings} in all)"
    )]
    Faulty {
        /// The first finding.
        first: String,
        /// How many there are.
        findings: usize,
    },
    /// No backup of this program.
    #[error("{} is not a backup: {problem}", path.display())]
    NotABackup {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A backup whose files are not those of its manifest.
    #[error("the backup {} is damaged: {problem}", path.display())]
    Damaged {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// There is a PKI directory where the backup is to go.
    #[error("{} is a PKI directory with a registry of its own, which would be replaced", .0.display())]
    InUse(PathBuf),
    /// There is something else where the backup is to go.
    #[error("{} is not empty, and no PKI directory", .0.display())]
    NotEmpty(PathBuf),
    /// A PKI directory whose registry is in a database, which other directories may share.
    #[error("the registry of {} is in a database, and a backup is restored into a file", .0.display())]
    InDatabase(PathBuf),
    /// Somebody else has the registry open.
    #[error("another process has the registry {} open", .0.display())]
    Busy(PathBuf),
    /// A file operation.
    #[error(transparent)]
    File(#[from] FileError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The PKI directory.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

impl Failure for BackupError {
    fn fault(&self) -> Fault {
        match self {
            Self::File(e) => e.fault(),
            Self::Registry(e) => e.fault(),
            Self::Authority(e) => e.fault(),
            Self::Busy(_) => Fault::Environment,
            Self::Faulty { .. } => Fault::Refusal,
            Self::Exists(_)
            | Self::NotABackup { .. }
            | Self::Damaged { .. }
            | Self::InUse(_)
            | Self::InDatabase(_)
            | Self::NotEmpty(_) => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::File(e) => e.hint(),
            Self::Registry(e) => e.hint(),
            Self::Authority(e) => e.hint(),
            Self::Busy(_) => Some("wait until it has ended, and run again".into()),
            Self::Faulty { .. } => Some(Hint::run("see all of it", Task::CheckRegistry)),
            Self::Exists(_) => Some("choose another name, with the date for example".into()),
            Self::Damaged { .. } => Some("take another copy of it, or an older backup".into()),
            Self::NotEmpty(_) => Some("choose a directory that is empty or not there yet".into()),
            Self::InDatabase(_) => Some(Hint::run(
                "restore it into a new directory, and take it to an empty database",
                Task::MoveRegistry,
            )),
            Self::NotABackup { .. } | Self::InUse(_) => None,
        }
    }
}
