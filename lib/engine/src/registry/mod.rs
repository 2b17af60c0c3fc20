//! What has been issued: the registry of a PKI directory.
//!
//! Every certificate stands here with its DER. A device is issued if and only if its certificate
//! has a row, and at most one row of a device is `live`; a unique index on the folded client id
//! decides, between processes and machines too. Rows are never removed: a certificate that was
//! replaced or revoked stays as history.
//!
//! Each change also adds a row to an append-only audit log, which carries the hash of the row
//! before it and a digest of the rows that it is about. [`Registry::check`] recomputes all of them.

mod adopt;
mod audit;
mod check;
mod connections;
mod foreign;
mod handover;
mod keys;
mod marks;
mod opening;
pub(crate) mod pipeline;
mod query;
mod reading;
mod renames;
mod rollback;
mod schema;
mod sqlite;
mod times;

use std::collections::BTreeMap;
use std::path::PathBuf;

use time::OffsetDateTime;

use crate::cert::{CertError, Certificate, Encoded, Serial};
use crate::client_id::DeviceId;
use crate::crl::{Reason, Revoked};
use crate::crypto::{CryptoError, fill_random, hex};
use crate::failure::{Failure, Fault, Hint, Setting, Task};
use crate::files::{FREE_SPACE, NO_SPACE};

pub use adopt::{Adopted, Adoption};
pub(crate) use audit::AuditHead;
pub use audit::AuditRow;
pub use check::{Checked, Finding, Scan, Unfinished};
pub use foreign::ForeignSerial;
pub use keys::KeyHolders;
pub(crate) use keys::{KeyStart, Newcomers, key_start};
pub use query::{Snapshot, Standings};
pub(crate) use rollback::number_of;
pub use rollback::{FoundRevocation, Takeover};
pub use sqlite::Registry;

/// Why the registry cannot do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The file is not a registry of ours.
    #[error("{0} is not a c8y-pki registry")]
    NotARegistry(String),
    /// Written by a later version.
    #[error("the registry {path} has schema version {found}; this program knows up to {known}")]
    TooNew {
        /// Path of the file.
        path: String,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Another process issued or changed one of these certificates a moment ago, or a serial number
    /// repeats.
    #[error(
        "a certificate of this batch was issued or changed by another process at the same time"
    )]
    Conflict,
    /// Another process has given the CA another name since the registry was opened.
    #[error("the CA {from:?} is called {to:?} now: another process has renamed it")]
    Renamed {
        /// The name under which something was to be recorded.
        from: String,
        /// Its name now.
        to: String,
    },
    /// A key from outside that somebody else has had certified at the same time.
    #[error("the key of {holder} is that of {other} too, which another process has recorded")]
    KeyTaken {
        /// Who was to get it: `the device "gw-1"`, `the new CA`.
        holder: String,
        /// Who has it.
        other: String,
    },
    /// A serial number that the issuer has given before it came here.
    #[error("the serial number {serial} was given before, to {subject}")]
    SerialGiven {
        /// The serial number.
        serial: Serial,
        /// What the database of OpenSSL says of it.
        subject: String,
    },
    /// No certificate of that device, or with that serial number.
    #[error("there is no certificate {what} in the registry")]
    Unknown {
        /// `of the device "gw-1"`, `with the serial number 4a…`.
        what: String,
    },
    /// A certificate that is revoked already.
    #[error("the certificate {serial} of {holder} is revoked already, since {since}: {reason}")]
    AlreadyRevoked {
        /// Its serial number.
        serial: Serial,
        /// The device, or the subject of a CA.
        holder: String,
        /// Since when.
        since: String,
        /// Why.
        reason: &'static str,
    },
    /// A date of revocation that cannot be.
    #[error("the certificate {serial} of {holder} cannot be revoked as of {at}: {problem}")]
    RevocationDate {
        /// Its serial number.
        serial: Serial,
        /// The device, or the subject of a CA.
        holder: String,
        /// The date.
        at: String,
        /// `it is valid from …`, `that lies in the future`.
        problem: String,
    },
    /// The file is damaged.
    #[error("the registry {path} is damaged: {message}")]
    Damaged {
        /// Path of the file.
        path: String,
        /// What SQLite or we found.
        message: String,
    },
    /// The file was moved away or replaced while it was open.
    #[error("the registry {0} was moved away or replaced since it was opened")]
    Exchanged(String),
    /// The disk is full.
    #[error("the registry {0} cannot be written: {NO_SPACE}")]
    NoSpace(String),
    /// Nothing can be written there.
    #[error("the registry {0} cannot be written: it is read-only")]
    ReadOnly(String),
    /// Of a former version, at a place where it cannot be brought up to the present one.
    #[error(
        "the registry {path} has schema version {found}, and it is read-only: it cannot be brought up to {known}"
    )]
    TooOld {
        /// Path of the file.
        path: String,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// SQLite failed.
    #[error("the registry {path} cannot be used: {message}")]
    Database {
        /// Path of the file.
        path: String,
        /// What SQLite said.
        message: String,
    },
}

impl Failure for RegistryError {
    fn fault(&self) -> Fault {
        match self {
            Self::Conflict
            | Self::Renamed { .. }
            | Self::KeyTaken { .. }
            | Self::Database { .. }
            | Self::Exchanged(_)
            | Self::NoSpace(_)
            | Self::ReadOnly(_) => Fault::Environment,
            Self::NotARegistry(_)
            | Self::TooNew { .. }
            | Self::SerialGiven { .. }
            | Self::Unknown { .. }
            | Self::AlreadyRevoked { .. }
            | Self::RevocationDate { .. }
            | Self::Damaged { .. }
            | Self::TooOld { .. } => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        let text = match self {
            Self::TooNew { .. } => "use a newer version of c8y-pki",
            Self::Conflict => "run the same command again: it makes the rest",
            Self::Renamed { .. } => "run the command again, with the new name",
            Self::KeyTaken { .. } => {
                "let each device make its own key, then run the same command again for the others"
            }
            Self::RevocationDate { .. } => {
                return Some(Hint::omit(
                    "give a time since which the certificate was valid; for the present time",
                    Setting::RevokedAt,
                ));
            }
            Self::Unknown { .. } => return Some(Hint::run("see all of them", Task::ListDevices)),
            Self::Damaged { .. } => {
                return Some(
                    Hint::run("see what is damaged", Task::CheckRegistry).then("restore a backup"),
                );
            }
            Self::Exchanged(_) => {
                "stop this program and start it again: it then opens the new file"
            }
            Self::NoSpace(_) => FREE_SPACE,
            Self::ReadOnly(_) => "is it mounted read-only, or another user's?",
            Self::TooOld { .. } => {
                "copy the PKI directory to where it can be written, and read it there"
            }
            _ => return None,
        };
        Some(text.into())
    }
}

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A certificate authority.
    Ca,
    /// A device.
    Device,
}

impl Role {
    /// Its name in the registry and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Device => "device",
        }
    }
}

/// Where a certificate stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// In use.
    Live,
    /// Another one took its place.
    Superseded,
    /// Revoked.
    Revoked,
}

impl Status {
    /// Its name in the registry and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Superseded => "superseded",
            Self::Revoked => "revoked",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        [Self::Live, Self::Superseded, Self::Revoked].into_iter().find(|s| s.name() == name)
    }
}

/// A row of the registry's certificates, which stays the same for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId(i64);

/// The certificate whose place a new one takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// Its row.
    pub row: RowId,
    /// Whether it is revoked too, with the reason `superseded`.
    pub revoke: bool,
}

/// What the registry has of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Unknown,
    /// A live certificate.
    Live,
    /// Certificates that are not live any more.
    Former,
}

/// Whose a certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A CA's; its subject names it.
    Ca,
    /// A device's. An identifier that an older version has recorded is what it was, though it may break a rule
    /// that is younger than it.
    Device(DeviceId),
}

impl Holder {
    /// The device, if it is one's.
    pub fn device(&self) -> Option<&DeviceId> {
        match self {
            Self::Ca => None,
            Self::Device(id) => Some(id),
        }
    }

    /// What its certificate is for.
    pub fn role(&self) -> Role {
        match self {
            Self::Ca => Role::Ca,
            Self::Device(_) => Role::Device,
        }
    }
}

/// A certificate to be recorded.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// Name of the issuing CA; its own for a root.
    pub ca: String,
    /// Whose it is.
    pub holder: Holder,
    /// The certificate.
    pub certificate: Encoded,
    /// Columns of the device list, for the registration CSV.
    pub details: BTreeMap<String, String>,
    /// The directory in which its files are, if they are in one.
    pub location: Option<PathBuf>,
    /// Whether its private key is there too.
    pub has_key: bool,
    /// The certificate that it replaces, which must be live.
    pub replaces: Option<Replaced>,
    /// Whether its key was not made for it just now, so that somebody else may have it: of a request, a file,
    /// a pool or a token. Then it is recorded only if nobody has.
    pub key_from_outside: bool,
}

/// A certificate as it stands in the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its row.
    pub row: RowId,
    /// Name of the issuing CA.
    pub ca: String,
    /// Whose it is.
    pub holder: Holder,
    /// Its serial number.
    pub serial: Serial,
    /// First moment of its validity.
    pub not_before: OffsetDateTime,
    /// Last moment of its validity.
    pub not_after: OffsetDateTime,
    /// Where it stands in its life.
    pub status: Status,
    /// When and why it was revoked.
    pub revoked: Option<(OffsetDateTime, Reason)>,
    /// When it was recorded.
    pub recorded: OffsetDateTime,
    /// Which run recorded it.
    pub batch: String,
    /// The certificate's DER.
    pub der: Vec<u8>,
    /// Columns of the device list.
    pub details: BTreeMap<String, String>,
    /// The directory in which its files were put.
    pub location: Option<PathBuf>,
    /// Whether its private key was put there too.
    pub has_key: bool,
}

impl Record {
    /// The certificate.
    pub fn certificate(&self) -> Result<Certificate, CertError> {
        Certificate::from_der(&self.der)
    }

    /// What a revocation list says of it, if it is revoked.
    pub fn revocation(&self) -> Option<Revoked> {
        self.revoked.map(|(at, reason)| Revoked { serial: self.serial.clone(), at, reason })
    }
}

/// Which certificates are meant; every condition that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter<'a> {
    /// Issued by this CA.
    pub ca: Option<&'a str>,
    /// For this.
    pub role: Option<Role>,
    /// In this state.
    pub status: Option<Status>,
    /// With this serial number.
    pub serial: Option<&'a Serial>,
    /// Recorded by this run.
    pub batch: Option<&'a str>,
    /// With a validity that ends before this moment.
    pub expires_before: Option<OffsetDateTime>,
}

/// A name for what is recorded together, which no other has.
pub(crate) fn batch_name(now: OffsetDateTime) -> Result<String, CryptoError> {
    let mut random = [0; 6];
    fill_random(&mut random)?;
    Ok(format!("{}-{}", now.unix_timestamp(), hex(&random)))
}

/// The digest of what a row says and nobody may change: its fields, each with its length in front.
#[derive(Debug)]
struct Row<'a> {
    ca: &'a str,
    role: &'a str,
    client_id: Option<&'a str>,
    folded_id: Option<&'a str>,
    issuer: &'a [u8],
    serial: &'a [u8],
    not_before: i64,
    not_after: i64,
    recorded: i64,
    batch: &'a str,
    details: &'a str,
    location: Option<&'a str>,
    has_key: bool,
    der: &'a [u8],
}

impl Row<'_> {
    fn digest(&self) -> [u8; 32] {
        let optional =
            |text: Option<&str>| text.map_or(Vec::new(), |t| [b"+", t.as_bytes()].concat());
        audit::digest(&[
            self.ca.as_bytes(),
            self.role.as_bytes(),
            &optional(self.client_id),
            &optional(self.folded_id),
            self.issuer,
            self.serial,
            &self.not_before.to_be_bytes(),
            &self.not_after.to_be_bytes(),
            &self.recorded.to_be_bytes(),
            self.batch.as_bytes(),
            self.details.as_bytes(),
            &optional(self.location),
            &[u8::from(self.has_key)],
            self.der,
        ])
    }
}

/// How an audit row names a certificate: its serial number and the SHA-256 of its DER.
fn audit_name(serial: &[u8], der: &[u8]) -> serde_json::Value {
    serde_json::json!({ "serial": hex(serial), "sha256": hex(&crate::crypto::sha256(der)) })
}
