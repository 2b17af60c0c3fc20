//! What PostgreSQL's errors mean, and what is wrong with the address of a server.

use std::error::Error;
use std::path::{Path, PathBuf};

use postgres::error::SqlState;

use crate::crypto::tls_words;
use crate::failure::{Failure, Fault, Hint, Underlying};
use crate::registry::RegistryError;

/// Whether the connection is lost, or the server is about to end it: another one may do.
pub(super) fn is_lost(e: &postgres::Error) -> bool {
    match e.code() {
        Some(code) => [
            &SqlState::ADMIN_SHUTDOWN,
            &SqlState::CRASH_SHUTDOWN,
            &SqlState::CANNOT_CONNECT_NOW,
            &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            &SqlState::TOO_MANY_CONNECTIONS,
        ]
        .contains(&code),
        None => e.is_closed() || has_io(e),
    }
}

/// Whether the next attempt to connect may succeed. A certificate that is refused is refused again.
pub(super) fn may_come_back(e: &postgres::Error) -> bool {
    let mut sources = std::iter::successors(e.source(), |e| (*e).source());
    is_lost(e) && !sources.any(|e| tls_of(e).is_some())
}

/// An error of the system: nothing, or no longer anything, answers there.
fn has_io(e: &postgres::Error) -> bool {
    let mut source = e.source();
    while let Some(e) = source {
        if e.is::<std::io::Error>() {
            return true;
        }
        source = e.source();
    }
    false
}

/// What an error means for the registry.
pub(super) fn error(name: &Path, e: postgres::Error) -> RegistryError {
    let path = name.display().to_string();
    let Some(db) = e.as_db_error().cloned() else {
        let (is_lost, reason) = (is_lost(&e), Underlying::worded(sentence(&e), e));
        return match is_lost {
            true => RegistryError::Unreachable { path, reason },
            false => RegistryError::Database { path, reason },
        };
    };
    let code = db.code().clone();
    let is = |known: &[&SqlState]| known.contains(&&code);
    let reason = Underlying::worded(db.message().to_owned(), db);
    match () {
        () if is(&[
            &SqlState::UNIQUE_VIOLATION,
            &SqlState::T_R_SERIALIZATION_FAILURE,
            &SqlState::T_R_DEADLOCK_DETECTED,
        ]) =>
        {
            RegistryError::Conflict
        }
        () if is(&[&SqlState::DISK_FULL]) => RegistryError::NoSpaceThere(path),
        () if is(&[&SqlState::READ_ONLY_SQL_TRANSACTION]) => RegistryError::ReadOnlyThere(path),
        () if is(&[&SqlState::LOCK_NOT_AVAILABLE]) => RegistryError::Busy(path),
        () if is(&[&SqlState::INSUFFICIENT_PRIVILEGE]) => {
            RegistryError::NotAllowed { path, reason }
        }
        () if is(&[&SqlState::DATA_CORRUPTED, &SqlState::INDEX_CORRUPTED]) => {
            RegistryError::Damaged { path, reason }
        }
        () if is(&[
            &SqlState::INVALID_PASSWORD,
            &SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            &SqlState::INVALID_CATALOG_NAME,
        ]) =>
        {
            RegistryError::Refused { path, reason }
        }
        () if is_lost(&e) => RegistryError::Unreachable { path, reason },
        () => RegistryError::Database { path, reason },
    }
}

/// The error and what is behind it, in one sentence.
fn sentence(e: &postgres::Error) -> String {
    let mut text = e.to_string();
    let mut source = e.source();
    while let Some(e) = source {
        if let Some(tls) = tls_of(e) {
            return format!("{text}: {}", tls_words(tls));
        }
        let more = e.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = e.source();
    }
    text
}

/// The fault of a handshake, whose own words are for programmers.
fn tls_of<'e>(e: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let inner = e.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    e.downcast_ref().or_else(|| inner?.downcast_ref())
}

/// What is wrong with the address of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It is no URL of that kind.
    #[error("{url} is no address of a PostgreSQL server: {problem}")]
    Url {
        /// The URL, without a password.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It holds a password.
    #[error(
        "the address of the registry {0} holds a password: files with addresses can be read by others"
    )]
    PasswordInUrl(String),
    /// A mode of TLS that is not known or not safe.
    #[error("sslmode {mode:?} is not possible: it is disable, require, verify-ca or verify-full")]
    Mode {
        /// The mode.
        mode: String,
    },
    /// Nothing says whom to trust.
    #[error("sslmode {mode} asks for a trusted CA, and {} does not exist", path.display())]
    NoRoots {
        /// The mode.
        mode: &'static str,
        /// The file in which libpq's users have it.
        path: PathBuf,
    },
    /// The certificates of the operating system without a look at the server's name.
    #[error("sslrootcert=system is not possible with sslmode {mode}: it needs verify-full")]
    SystemRoots {
        /// The mode.
        mode: &'static str,
    },
    /// A file of passwords that others can read.
    #[error("the password file {} can be read by other users: its mode has to be 0600", .0.display())]
    OpenPasswordFile(PathBuf),
    /// A file that cannot be used.
    #[error("{} cannot be used for the connection to the registry: {problem}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}

impl Failure for AddressError {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::PasswordInUrl(_) => Some(
                "leave it out there, and put it into the password file (~/.pgpass, mode 0600)"
                    .into(),
            ),
            Self::Url { .. } => Some("as postgresql://user@host:5432/database?sslmode=verify-full".into()),
            Self::Mode { .. } => Some(
                "verify-full checks the server's certificate and name; disable is for a network that nobody else reaches"
                    .into(),
            ),
            Self::NoRoots { .. } => Some(
                "name the CA of the server with sslrootcert=FILE; sslrootcert=system takes the operating system's certificates"
                    .into(),
            ),
            Self::SystemRoots { .. } => Some(
                "everybody gets a certificate of one of the operating system's CAs: only the name tells servers apart"
                    .into(),
            ),
            Self::OpenPasswordFile(_) => Some("chmod 0600 that file".into()),
            Self::File { .. } => None,
        }
    }
}
