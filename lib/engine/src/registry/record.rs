//! What the registry keeps of a certificate, and what is asked of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use time::OffsetDateTime;

use super::holder::{Holder, Role};
use crate::cert::{CertError, Certificate, Encoded, Serial};
use crate::crl::{Reason, Revoked};
use crate::crypto::{CryptoError, fill_random, hex};

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

    pub(super) fn of_name(name: &str) -> Option<Self> {
        [Self::Live, Self::Superseded, Self::Revoked].into_iter().find(|s| s.name() == name)
    }
}

/// A row of the registry's certificates, which stays the same for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId(pub(super) i64);

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
