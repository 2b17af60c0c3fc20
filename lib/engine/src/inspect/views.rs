//! What is shown of each kind of thing: plain data.

use serde::Serialize;
use time::OffsetDateTime;

use super::extensions::{self, ExtensionView};
use crate::cert::Certificate;
use crate::crypto::{CryptoError, PublicKey, hex, sha256};
use crate::csr::{CsrError, Request};
use crate::name::Name;
use crate::store;

/// One thing in a file.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Item {
    /// A certificate.
    Certificate(Box<CertificateView>),
    /// A certificate request.
    Request(RequestView),
    /// A revocation list.
    Crl(CrlView),
    /// A private key, its public half only.
    PrivateKey(KeyView),
    /// A private key under a password that was not given.
    EncryptedPrivateKey,
    /// A public key.
    PublicKey(KeyView),
    /// A keystore or truststore.
    Store(store::Listing),
    /// A PEM block of another kind.
    Other {
        /// Its label.
        label: String,
        /// Its length, in bytes.
        bytes: usize,
    },
}

/// A public key.
#[derive(Debug, Clone, Serialize)]
pub struct KeyView {
    /// Algorithm and size.
    pub algorithm: String,
    /// SHA-256 of the SubjectPublicKeyInfo, lower-case hex.
    pub spki_sha256: String,
    /// Key identifier (RFC 5280, 4.2.1.2 method 1), lower-case hex.
    pub key_id: String,
}

impl KeyView {
    /// What there is to say of a public key.
    pub fn of(key: &PublicKey) -> Self {
        Self {
            algorithm: key.algorithm().to_string(),
            spki_sha256: hex(&sha256(key.spki())),
            key_id: hex(&key.key_id()),
        }
    }
}

/// A key that can be used, or why not.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum KeyOrFault {
    /// The key.
    Key(KeyView),
    /// Why it cannot be used.
    Fault {
        /// A sentence.
        fault: String,
    },
}

impl KeyOrFault {
    pub(super) fn of(key: &Result<PublicKey, CryptoError>) -> Self {
        match key {
            Ok(key) => Self::Key(KeyView::of(key)),
            Err(e) => Self::Fault { fault: e.to_string() },
        }
    }
}

/// A certificate.
#[derive(Debug, Clone, Serialize)]
pub struct CertificateView {
    /// X.509 version.
    pub version: u32,
    /// Serial number, lower-case hex.
    pub serial: String,
    /// Subject (RFC 4514).
    pub subject: Name,
    /// Issuer (RFC 4514).
    pub issuer: Name,
    /// First moment of validity (RFC 3339).
    #[serde(with = "time::serde::rfc3339")]
    pub not_before: OffsetDateTime,
    /// Last moment of validity (RFC 3339).
    #[serde(with = "time::serde::rfc3339")]
    pub not_after: OffsetDateTime,
    /// Whether it may sign other certificates.
    pub ca: bool,
    /// How many CA certificates may follow, if limited.
    pub path_length: Option<u32>,
    /// The subject's key.
    pub public_key: KeyOrFault,
    /// The signature's algorithm, or why it is refused.
    pub signature_algorithm: String,
    /// Extensions in their order.
    pub extensions: Vec<ExtensionView>,
    /// SHA-1 of the DER, lower-case hex: the platform's fingerprint.
    pub fingerprint_sha1: String,
    /// SHA-256 of the DER, lower-case hex.
    pub fingerprint_sha256: String,
}

impl CertificateView {
    /// Describes a certificate.
    pub fn of(cert: &Certificate) -> Self {
        Self {
            version: cert.version,
            serial: cert.serial.to_string(),
            subject: cert.subject.clone(),
            issuer: cert.issuer.clone(),
            not_before: cert.not_before,
            not_after: cert.not_after,
            ca: cert.is_ca(),
            path_length: cert.basic_constraints.and_then(|bc| bc.path_length),
            public_key: KeyOrFault::of(&cert.public_key),
            signature_algorithm: algorithm(
                &cert.signature_algorithm,
                cert.odd_signature_parameters,
            ),
            extensions: extensions::views(cert),
            fingerprint_sha1: cert.fingerprint_sha1(),
            fingerprint_sha256: cert.fingerprint_sha256(),
        }
    }
}

/// The algorithm with what is unusual about its parameters, or why it cannot be used.
pub(super) fn algorithm<T: ToString>(found: &Result<T, CryptoError>, odd: Option<&str>) -> String {
    match (found, odd) {
        (Ok(algorithm), None) => algorithm.to_string(),
        (Ok(algorithm), Some(odd)) => format!("{} ({odd})", algorithm.to_string()),
        (Err(e), _) => e.to_string(),
    }
}

/// A certificate request.
#[derive(Debug, Clone, Serialize)]
pub struct RequestView {
    /// Subject (RFC 4514).
    pub subject: Name,
    /// The key in it.
    pub public_key: KeyOrFault,
    /// The signature's algorithm, or why it is refused.
    pub signature_algorithm: String,
    /// Whether it is signed with the key in it.
    pub possession: bool,
    /// Why that could not be looked at, if it could not.
    pub possession_unknown: Option<String>,
    /// All common names, if there are several.
    pub common_names: Vec<String>,
    /// The names that it asks for beside the subject (subjectAltName): `DNS:broker.example.com`.
    pub asked_names: Vec<String>,
    /// Why those cannot be said, if they cannot.
    pub asked_names_problem: Option<String>,
}

/// A revocation list.
#[derive(Debug, Clone, Serialize)]
pub struct CrlView {
    /// Who signed it (RFC 4514).
    pub issuer: Name,
    /// Its number, in decimal; hex with `0x` if it is longer than 16 bytes.
    pub number: Option<String>,
    /// When it was made (RFC 3339).
    #[serde(with = "time::serde::rfc3339")]
    pub this_update: OffsetDateTime,
    /// When the next one is due (RFC 3339).
    #[serde(with = "time::serde::rfc3339::option")]
    pub next_update: Option<OffsetDateTime>,
    /// The issuer's key identifier, lower-case hex.
    pub authority_key_id: Option<String>,
    /// The signature's algorithm, or why it is refused.
    pub signature_algorithm: String,
    /// What it is for, if that is not every certificate of its issuer.
    pub part: Option<&'static str>,
    /// The revoked certificates.
    pub revoked: Vec<RevokedView>,
}

/// A revoked certificate.
#[derive(Debug, Clone, Serialize)]
pub struct RevokedView {
    /// Serial number, lower-case hex.
    pub serial: String,
    /// When (RFC 3339).
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Why, in the words of RFC 5280, 5.3.1.
    pub reason: &'static str,
    /// The issuer of the certificate, in an indirect list (RFC 4514).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

/// What a request asks for.
pub(super) fn request_view(request: &Request) -> RequestView {
    let (possession, asked) = (request.check_possession(), request.asked_names());
    let names: Vec<String> = request.subject.values("CN").map(str::to_owned).collect();
    RequestView {
        subject: request.subject.clone(),
        public_key: KeyOrFault::of(&request.public_key),
        signature_algorithm: algorithm(
            &request.signature_algorithm,
            request.odd_signature_parameters,
        ),
        possession: possession.is_ok(),
        possession_unknown: match possession {
            Ok(_) | Err(CsrError::NotPossessed { .. }) => None,
            Err(e) => Some(e.to_string()),
        },
        common_names: if names.len() > 1 { names } else { Vec::new() },
        asked_names_problem: asked.as_ref().err().map(ToString::to_string),
        asked_names: asked.iter().flatten().map(ToString::to_string).collect(),
    }
}
