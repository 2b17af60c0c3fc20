//! What a file holds, for people and programs: certificates, requests, CRLs, keys, stores. PKCS#7 is
//! shown as the certificates and CRLs in it.
//!
//! [`inspect`] takes the bytes of any such file, PEM or DER, finds out what it is and returns
//! [`Item`]s: plain data with all that is public in it. A private key shows its public half only.

mod crl;
mod extensions;

use serde::Serialize;
use time::OffsetDateTime;

use crl::crl_view;
pub use extensions::ExtensionView;
pub(crate) use extensions::views as extensions_of;

use crate::armor;
use crate::cert::{CertError, Certificate, pem_blocks, without_trust};
use crate::crl::{Crl, CrlError};
use crate::crypto::{CryptoError, PublicKey, hex, sha256};
use crate::csr::{CsrError, Request};
use crate::failure::{Failure, Fault, Hint};
use crate::key::{KeyError, PrivateKey, read::is_encrypted};
use crate::name::Name;
use crate::secret::Password;
use crate::store::pkcs7::{self, Pkcs7Error};
use crate::store::{self, Format, StoreError};

/// Why a file cannot be described.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// Nothing that we know.
    #[error("it holds no certificate, request, revocation list, key or keystore")]
    Unknown,
    /// A damaged certificate, or no PEM block at all.
    #[error(transparent)]
    Cert(#[from] CertError),
    /// A damaged request.
    #[error(transparent)]
    Csr(#[from] CsrError),
    /// A damaged CRL.
    #[error(transparent)]
    Crl(#[from] CrlError),
    /// A damaged public key.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// A private key that cannot be read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A damaged PKCS#7 file.
    #[error(transparent)]
    Pkcs7(#[from] Pkcs7Error),
    /// A store that cannot be opened, or bytes that are nothing we know.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Failure for InspectError {
    fn fault(&self) -> Fault {
        match self {
            Self::Unknown => Fault::Input,
            Self::Cert(e) => e.fault(),
            Self::Csr(e) => e.fault(),
            Self::Crl(e) => e.fault(),
            Self::Crypto(e) => e.fault(),
            Self::Key(e) => e.fault(),
            Self::Pkcs7(e) => e.fault(),
            Self::Store(e) => e.fault(),
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Unknown => None,
            Self::Cert(e) => e.hint(),
            Self::Csr(e) => e.hint(),
            Self::Crl(e) => e.hint(),
            Self::Crypto(e) => e.hint(),
            Self::Key(e) => e.hint(),
            Self::Pkcs7(e) => e.hint(),
            Self::Store(e) => e.hint(),
        }
    }
}

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
    fn of(key: &Result<PublicKey, CryptoError>) -> Self {
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
fn algorithm<T: ToString>(found: &Result<T, CryptoError>, odd: Option<&str>) -> String {
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

/// Passwords for what a file may hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Passwords<'a> {
    /// For an encrypted key or a store.
    pub password: Option<&'a Password>,
    /// For keys in a store, where they have one of their own.
    pub key: Option<&'a Password>,
}

/// Whether the file cannot be described without a password: a PKCS#12 or JKS store.
pub fn needs_password(bytes: &[u8]) -> bool {
    let bytes = armor::der(bytes);
    if store::is_pkcs12(bytes) {
        return true;
    }
    matches!(store::detect(bytes), Ok(Format::Jks | Format::Pkcs12))
        && !pkcs7::is_signed_data(bytes)
        && describe_der(bytes, Passwords::default()).is_none()
}

/// Describes what the bytes hold.
///
/// Errors: a certificate, request, CRL or store that is damaged, a wrong password, or bytes that
/// are none of these.
pub fn inspect(bytes: &[u8], passwords: Passwords<'_>) -> Result<Vec<Item>, InspectError> {
    // Line ends behind DER, and text that is not UTF-8, are no part of it.
    let plain = armor::plain(armor::der(bytes));
    let bytes = &*plain;
    if pkcs7::is_signed_data(bytes) {
        return Ok(pkcs7_items(&pkcs7::contents(bytes)?));
    }
    if let Some(item) = describe_der(bytes, passwords) {
        return item.map(|item| vec![item]);
    }
    match store::detect(bytes).map_err(unknown)? {
        Format::Pem if !store::is_pkcs12(bytes) => describe_pem(bytes, passwords),
        format => {
            let options = store::OpenOptions {
                store_password: passwords.password,
                key_password: passwords.key,
                // Looking is no trust.
                allow_unverified: true,
            };
            let store = store::open_with(bytes, options)?;
            // PKCS#12 in PEM is PKCS#12.
            let format = if format == Format::Pem { Format::Pkcs12 } else { format };
            Ok(vec![Item::Store(store::Listing::new(format, &store))])
        }
    }
}

fn unknown(e: StoreError) -> InspectError {
    match e {
        StoreError::Unrecognised { .. } => InspectError::Unknown,
        other => other.into(),
    }
}

/// Bare DER of anything but a store.
fn describe_der(bytes: &[u8], passwords: Passwords<'_>) -> Option<Result<Item, InspectError>> {
    if bytes.first() != Some(&0x30) {
        return None;
    }
    if let Ok(cert) = Certificate::from_der(bytes) {
        return Some(Ok(certificate(&cert)));
    }
    if let Ok(request) = Request::from_der(bytes) {
        return Some(Ok(Item::Request(request_view(&request))));
    }
    if let Ok(crl) = Crl::from_der(bytes) {
        return Some(Ok(Item::Crl(crl_view(&crl))));
    }
    if let Ok(key) = PublicKey::from_spki(bytes) {
        return Some(Ok(Item::PublicKey(KeyView::of(&key))));
    }
    if is_encrypted(bytes) {
        return Some(private_key(bytes, passwords));
    }
    PrivateKey::read(bytes, None)
        .ok()
        .map(|key| Ok(Item::PrivateKey(KeyView::of(key.public_key()))))
}

fn describe_pem(bytes: &[u8], passwords: Passwords<'_>) -> Result<Vec<Item>, InspectError> {
    let blocks = pem_blocks(bytes).map_err(CertError::Pem)?;
    if blocks.is_empty() {
        return Err(CertError::NoCertificate.into());
    }
    let key_blocks = blocks.iter().filter(|b| b.tag().ends_with("PRIVATE KEY")).count();
    let mut items = Vec::with_capacity(blocks.len());
    for block in &blocks {
        // Labels lie: CAs send PKCS#7 as CERTIFICATE.
        if pkcs7::is_label(block.tag()) || pkcs7::is_signed_data(block.contents()) {
            items.extend(pkcs7_block(block)?);
            continue;
        }
        items.push(match block.tag() {
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                certificate(&Certificate::from_der(without_trust(block))?)
            }
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => {
                Item::Request(request_view(&Request::from_der(block.contents())?))
            }
            "X509 CRL" => Item::Crl(crl_view(&Crl::from_der(block.contents())?)),
            "PUBLIC KEY" => Item::PublicKey(KeyView::of(&PublicKey::from_spki(block.contents())?)),
            // The first key of a file is read from its whole text: EC PARAMETERS stand before it.
            tag if tag.ends_with("PRIVATE KEY") && key_blocks == 1 => {
                private_key(bytes, passwords)?
            }
            _ => other(block),
        });
    }
    Ok(items)
}

/// Of a block with the label of PKCS#7; encrypted messages have the same.
fn pkcs7_block(block: &pem::Pem) -> Result<Vec<Item>, InspectError> {
    match pkcs7::contents(block.contents()) {
        Ok(found) => Ok(pkcs7_items(&found)),
        Err(Pkcs7Error::OtherContent(_)) => Ok(vec![other(block)]),
        Err(e) => Err(e.into()),
    }
}

fn pkcs7_items(found: &pkcs7::Contents) -> Vec<Item> {
    let certificates = found.certificates.iter().map(certificate);
    certificates.chain(found.revocation_lists.iter().map(|l| Item::Crl(crl_view(l)))).collect()
}

fn certificate(cert: &Certificate) -> Item {
    Item::Certificate(Box::new(CertificateView::of(cert)))
}

fn other(block: &pem::Pem) -> Item {
    Item::Other { label: block.tag().to_owned(), bytes: block.contents().len() }
}

fn private_key(bytes: &[u8], passwords: Passwords<'_>) -> Result<Item, InspectError> {
    if passwords.password.is_none() && is_encrypted(bytes) {
        return Ok(Item::EncryptedPrivateKey);
    }
    let key = PrivateKey::read(bytes, passwords.password)?;
    Ok(Item::PrivateKey(KeyView::of(key.public_key())))
}

fn request_view(request: &Request) -> RequestView {
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
