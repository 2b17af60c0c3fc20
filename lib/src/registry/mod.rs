//! What has been issued: the registry of a PKI folder.
//!
//! Every certificate stands here with its DER. A device is issued if and only if its certificate
//! has a row, and at most one row of a device is `live`; a unique index on the folded client id
//! decides, between processes and machines too. Each change also adds a row to an append-only
//! audit log, which carries the hash of the row before it.

mod audit;
mod sqlite;

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::cert::Certificate;
use crate::client_id::DeviceId;

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
    /// Another process issued one of these devices a moment ago, or a serial number repeats.
    #[error("a device of this batch was issued by another process at the same time")]
    Conflict,
    /// SQLite failed.
    #[error("the registry {path} cannot be used: {message}")]
    Database {
        /// Path of the file.
        path: String,
        /// What SQLite said.
        message: String,
    },
}

impl RegistryError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::TooNew { .. } => Some("use a newer version of c8y-pki".to_owned()),
            Self::Conflict => Some("run the same command again: it takes what is left".to_owned()),
            _ => None,
        }
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

/// A certificate to be recorded.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// Name of the issuing CA; its own for a root.
    pub ca: String,
    /// The device, if it is one.
    pub device: Option<DeviceId>,
    /// The certificate.
    pub certificate: Certificate,
    /// Columns of the device list, for the registration CSV.
    pub details: BTreeMap<String, String>,
}

/// A certificate as it stands in the registry.
#[derive(Debug, Clone)]
pub struct Record {
    /// Name of the issuing CA.
    pub ca: String,
    /// What it is for.
    pub role: Role,
    /// The device identifier, for devices.
    pub client_id: Option<String>,
    /// Where it stands in its life.
    pub status: Status,
    /// When it was recorded.
    pub recorded: OffsetDateTime,
    /// Which run recorded it.
    pub batch: String,
    /// The certificate's DER.
    pub der: Vec<u8>,
    /// Columns of the device list.
    pub details: BTreeMap<String, String>,
}
