//! What a store holds, as data to show: what `keytool -list -v` tells, never a key.

use serde::Serialize;
use time::OffsetDateTime;

use super::{Entry, EntryKind, Format, Store};
use crate::cert::Certificate;

/// A store's description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// The format it was found in.
    pub format: Format,
    /// Its entries in their order.
    pub entries: Vec<ListedEntry>,
}

/// An entry's description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedEntry {
    /// Its name.
    pub alias: String,
    /// When it was made (RFC 3339); JKS only.
    #[serde(with = "time::serde::rfc3339::option")]
    pub modified: Option<OffsetDateTime>,
    /// `key`, `trusted`, `secret_key`, or `sealed_key` when its password was not given.
    pub entry_type: &'static str,
    /// Number of certificates.
    pub chain_length: usize,
    /// Of trusted certificates: whether Java sees the entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub java_trusted: Option<bool>,
    /// Dotted object identifier of a secret key's algorithm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_algorithm: Option<String>,
    /// The certificates, leaf first.
    pub certificates: Vec<ListedCertificate>,
}

/// A certificate's description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedCertificate {
    /// Whom it is about (RFC 4514).
    pub subject: String,
    /// Who signed it (RFC 4514).
    pub issuer: String,
    /// Serial number, hex in lower case.
    pub serial: String,
    /// First moment of validity (RFC 3339).
    #[serde(with = "time::serde::rfc3339")]
    pub not_before: OffsetDateTime,
    /// Last moment of validity (RFC 3339).
    #[serde(with = "time::serde::rfc3339")]
    pub not_after: OffsetDateTime,
    /// SHA-1 of the DER, hex in lower case.
    pub sha1: String,
    /// SHA-256 of the DER, hex in lower case.
    pub sha256: String,
    /// The public key's algorithm and size, or why it cannot be used.
    pub key_algorithm: String,
}

impl Listing {
    /// Describes a store that was read from `format`.
    pub fn new(format: Format, store: &Store) -> Self {
        Self { format, entries: store.entries.iter().map(ListedEntry::new).collect() }
    }
}

impl ListedEntry {
    fn new(entry: &Entry) -> Self {
        let (entry_type, certificates) = match &entry.kind {
            EntryKind::Key { chain, .. } => ("key", &chain[..]),
            EntryKind::Trusted { certificate, .. } => {
                ("trusted", std::slice::from_ref(&**certificate))
            }
            EntryKind::SecretKey { .. } => ("secret_key", &[][..]),
            EntryKind::Sealed { chain, .. } => ("sealed_key", &chain[..]),
        };
        let (java_trusted, secret_algorithm) = match &entry.kind {
            EntryKind::Trusted { java_trusted, .. } => (Some(*java_trusted), None),
            EntryKind::SecretKey { algorithm } => (None, algorithm.clone()),
            _ => (None, None),
        };
        Self {
            alias: entry.alias.clone(),
            modified: entry.modified,
            entry_type,
            chain_length: certificates.len(),
            java_trusted,
            secret_algorithm,
            certificates: certificates.iter().map(ListedCertificate::new).collect(),
        }
    }
}

impl ListedCertificate {
    fn new(certificate: &Certificate) -> Self {
        let key_algorithm = match &certificate.public_key {
            Ok(key) => key.algorithm().to_string(),
            Err(e) => e.to_string(),
        };
        Self {
            subject: certificate.subject.to_string(),
            issuer: certificate.issuer.to_string(),
            serial: certificate.serial.to_string(),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            sha1: certificate.fingerprint_sha1(),
            sha256: certificate.fingerprint_sha256(),
            key_algorithm,
        }
    }
}
