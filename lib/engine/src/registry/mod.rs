//! What has been issued: the registry of a PKI directory.
//!
//! Every certificate stands here with its DER. A device is issued if and only if its certificate
//! has a row, and at most one row of a device is `live`; a unique index on the folded client id
//! decides, between processes and machines too. Rows are never removed: a certificate that was
//! replaced or revoked stays as history.
//!
//! Each change also adds a row to an append-only audit log, which carries the hash of the row
//! before it and a digest of the rows that it is about. [`Registry::check`] recomputes all of them.

#[macro_use]
mod database;

mod adopt;
mod audit;
mod backup;
mod check;
mod error;
mod foreign;
mod handle;
mod handover;
mod holder;
mod issue;
mod keys;
mod marks;
mod new_row;
mod orders;
pub(crate) mod pipeline;
mod query;
mod renames;
mod rollback;
mod times;
mod transfer;

use std::collections::BTreeMap;
use std::path::PathBuf;

use time::OffsetDateTime;

use crate::cert::{CertError, Certificate, Encoded, Serial};
use crate::crl::{Reason, Revoked};
use crate::crypto::{CryptoError, fill_random, hex};

pub use adopt::{Adopted, Adoption};
pub(crate) use audit::AuditHead;
pub use audit::AuditRow;
pub use check::{Checked, Finding, Scan, Unfinished};
pub use error::RegistryError;
pub use foreign::ForeignSerial;
use handle::Database;
pub use handle::Registry;
pub use holder::{Holder, ServerName, ServerNameError};
pub use keys::KeyHolders;
pub(crate) use keys::{KeyStart, Newcomers, key_start};
pub use orders::{NewOrder, OrderRecord, OrderState, Ordered, OrderedDevice, Step};
pub use query::{Snapshot, Standings};
pub(crate) use rollback::number_of;
pub use rollback::{FoundRevocation, Takeover};
pub use transfer::Transferred;

#[cfg(feature = "postgres")]
pub use self::database::postgres::{Address, AddressError, Surroundings};
type Result<T> = std::result::Result<T, RegistryError>;

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A certificate authority.
    Ca,
    /// A device.
    Device,
    /// A server.
    Server,
}

impl Role {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Device => "device",
            Self::Server => "server",
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
    /// None, but a device whose id looks the same has a live one: only the case or the form of its letters is different.
    Twin,
    /// None, but a server has its id as its common name.
    Server,
    /// Certificates that are not live any more.
    Former,
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
    /// The kinds of files that were made for it, by their names with commas between them; none if that is not known.
    pub bundle: Option<String>,
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
    /// The kinds of files that were made for it, by their names with commas between them; none if that is not known:
    /// former versions did not keep it.
    pub bundle: Option<String>,
}

impl Record {
    /// The certificate.
    pub fn certificate(&self) -> std::result::Result<Certificate, CertError> {
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
pub(crate) fn batch_name(now: OffsetDateTime) -> std::result::Result<String, CryptoError> {
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
    bundle: Option<&'a str>,
}

impl Row<'_> {
    fn digest(&self) -> [u8; 32] {
        let optional =
            |text: Option<&str>| text.map_or(Vec::new(), |t| [b"+", t.as_bytes()].concat());
        let bundle = optional(self.bundle);
        let fields = [
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
            &bundle,
        ];
        // A row of a former version has no bundle, and the digest that it had.
        let known = if self.bundle.is_some() { fields.len() } else { fields.len() - 1 };
        audit::digest(&fields[..known])
    }
}

/// How an audit row names a certificate: its serial number and the SHA-256 of its DER.
fn audit_name(serial: &[u8], der: &[u8]) -> serde_json::Value {
    serde_json::json!({ "serial": hex(serial), "sha256": hex(&crate::crypto::sha256(der)) })
}
