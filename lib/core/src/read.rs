//! Certificates, keys, requests and revocation lists from whatever file they come in: PEM with anything
//! around it, DER, PKCS#7 under any label, PKCS#12, JKS. One reader, so that every command takes what another
//! one does.
//!
//! A store is opened with its password; PKCS#12 without a password is tried with none. Refused: a file
//! with several keys where one is asked for, and stores that were changed. What is not read from a store:
//! requests, which no store holds, and revocation lists, which PKCS#12 may hold and nobody writes.

use crate::armor;
use crate::cert::{CertError, Certificate, pem_blocks, pem_parts};
use crate::crl::{Crl, CrlError};
use crate::csr::{CsrError, Request};
use crate::failure::{Failure, Fault, Hint, Task};
use crate::key::{KeyError, PrivateKey};
use crate::secret::Password;
use crate::store::pkcs7::{self, Pkcs7Error};
use crate::store::{self, EntryKind, Format, OpenOptions, Store, StoreError};

/// Why a file gives no certificate or key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A certificate that is damaged, or none at all.
    #[error(transparent)]
    Cert(#[from] CertError),
    /// A PKCS#7 file that is damaged or holds something else.
    #[error(transparent)]
    Pkcs7(#[from] Pkcs7Error),
    /// A store that does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key that cannot be read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No request, or none that can be read.
    #[error(transparent)]
    Csr(#[from] CsrError),
    /// A revocation list that is damaged, or none at all.
    #[error(transparent)]
    Crl(#[from] CrlError),
    /// A store without what was asked for.
    #[error("the {format} store holds no {what}")]
    Nothing {
        /// Its format.
        format: Format,
        /// What was asked for.
        what: &'static str,
    },
    /// A store with more keys than one.
    #[error("the {format} store has {count} private keys: it is not clear which one to use")]
    SeveralKeys {
        /// Its format.
        format: Format,
        /// How many.
        count: usize,
    },
}

impl Failure for ReadError {
    fn fault(&self) -> Fault {
        match self {
            Self::Cert(e) => e.fault(),
            Self::Pkcs7(e) => e.fault(),
            Self::Store(e) => e.fault(),
            Self::Key(e) => e.fault(),
            Self::Csr(e) => e.fault(),
            Self::Crl(e) => e.fault(),
            Self::Nothing { .. } | Self::SeveralKeys { .. } => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Cert(e) => e.hint(),
            Self::Pkcs7(e) => e.hint(),
            Self::Store(e) => e.hint(),
            Self::Key(e) => e.hint(),
            Self::Csr(e) => e.hint(),
            Self::Crl(e) => e.hint(),
            Self::Nothing { .. } => Some(Hint::run("see what it holds", Task::ShowStore)),
            Self::SeveralKeys { .. } => Some("make a store with that key alone".into()),
        }
    }
}

impl ReadError {
    /// Whether a password is missing or wrong.
    pub fn is_about_password(&self) -> bool {
        match self {
            Self::Key(e) => matches!(e, KeyError::NeedsPassword | KeyError::WrongPassword),
            Self::Store(e) => matches!(
                e,
                StoreError::PasswordNeeded { .. }
                    | StoreError::WrongPassword { .. }
                    | StoreError::WrongKeyPassword { .. }
            ),
            _ => false,
        }
    }
}

/// Whether bytes are a keystore, whose password opens certificates and keys alike.
pub fn is_store(bytes: &[u8]) -> bool {
    // DER of every kind begins as PKCS#12 does.
    match store::detect(bytes) {
        Ok(Format::Jks) => true,
        Ok(Format::Pkcs12) => store::is_pkcs12(bytes),
        Ok(Format::Pem) => store::is_pkcs12(bytes),
        Err(_) => false,
    }
}

/// Opens a store for what it holds.
fn open(bytes: &[u8], password: Option<&Password>) -> Result<Store, StoreError> {
    let options = OpenOptions {
        store_password: password,
        key_password: None,
        // As a PEM file, one without MAC is what its sender says.
        allow_unverified: password.is_none(),
    };
    store::open_with(bytes, options)
}

/// Names what is known by name only.
fn refuse_foreign(bytes: &[u8]) -> Result<(), StoreError> {
    match store::detect(bytes) {
        Err(e @ (StoreError::Foreign { .. } | StoreError::Jceks)) => Err(e),
        _ => Ok(()),
    }
}

fn format_of(bytes: &[u8]) -> Format {
    store::detect(bytes).unwrap_or(Format::Pkcs12)
}

/// All certificates of a file, in its order; of a store those of keys first, leaf first.
///
/// Errors: [`ReadError`]; a store whose password is not given is [`StoreError::PasswordNeeded`].
pub fn certificates(
    bytes: &[u8],
    password: Option<&Password>,
) -> Result<Vec<Certificate>, ReadError> {
    if is_store(bytes) {
        let mut found: Vec<Certificate> = Vec::new();
        for entry in open(bytes, password)?.entries {
            match entry.into_kind() {
                EntryKind::Key { chain, .. } | EntryKind::Sealed { chain, .. } => {
                    found.extend(chain)
                }
                EntryKind::Trusted { certificate, .. } => found.push(*certificate),
                EntryKind::SecretKey { .. } => {}
            }
        }
        let nothing = ReadError::Nothing { format: format_of(bytes), what: "certificate" };
        return if found.is_empty() { Err(nothing) } else { Ok(found) };
    }
    refuse_foreign(bytes)?;
    let bytes = armor::der(bytes);
    if pkcs7::is_signed_data(bytes) {
        return Ok(pkcs7::read(bytes)?);
    }
    if bytes.first() == Some(&0x30) {
        return Ok(Certificate::all_from_pem_or_der(bytes)?);
    }
    let mut found = Vec::new();
    for block in pem_blocks(bytes).map_err(CertError::Pem)? {
        let contents = block.contents();
        // Labels lie: CAs send PKCS#7 as CERTIFICATE.
        if pkcs7::is_signed_data(contents) {
            found.extend(pkcs7::read(contents)?);
        } else if is_certificate(block.tag()) || pkcs7::is_label(block.tag()) {
            found.push(Certificate::from_der(armor::first(contents))?);
        }
    }
    if found.is_empty() { Err(CertError::NoCertificate.into()) } else { Ok(found) }
}

fn is_certificate(label: &str) -> bool {
    matches!(label, "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE")
}

/// The private key of a file: as [`PrivateKey::read`], and that of a store that holds one.
///
/// Errors: [`ReadError`].
pub fn key(bytes: &[u8], password: Option<&Password>) -> Result<PrivateKey, ReadError> {
    if !is_store(bytes) {
        refuse_foreign(bytes)?;
        return Ok(PrivateKey::read(bytes, password)?);
    }
    let format = format_of(bytes);
    let entries = open(bytes, password)?.entries;
    let mut keys = entries.iter().filter_map(|entry| match entry.kind() {
        EntryKind::Key { pkcs8, .. } => Some(pkcs8),
        _ => None,
    });
    let nothing = ReadError::Nothing { format, what: "private key that its password opens" };
    let first = keys.next().ok_or(nothing)?;
    match keys.count() {
        0 => Ok(PrivateKey::from_pkcs8(first.expose())?),
        more => Err(ReadError::SeveralKeys { format, count: more + 1 }),
    }
}

/// Whether a file may hold a private key beside other things: a store, or PEM with a block of one.
pub fn may_hold_key(bytes: &[u8]) -> bool {
    let is_key = |block: &pem::Pem| block.tag().ends_with("PRIVATE KEY");
    let blocks = || pem_parts(&armor::plain(bytes));
    is_store(bytes) || blocks().is_ok_and(|blocks| blocks.iter().any(is_key))
}

/// All requests of a file in their order. Each is read by itself: one that is damaged does not hide the others.
///
/// Errors: [`ReadError`]; there is none in it.
pub fn requests(bytes: &[u8]) -> Result<Vec<Result<Request, CsrError>>, ReadError> {
    refuse_foreign(bytes)?;
    Ok(Request::all_from_pem_or_der(bytes)?)
}

/// All revocation lists of a file in their order, those in PKCS#7 too.
///
/// Errors: [`ReadError`]; there is none in it, or one that is damaged.
pub fn lists(bytes: &[u8]) -> Result<Vec<Crl>, ReadError> {
    refuse_foreign(bytes)?;
    let bytes = armor::der(bytes);
    if pkcs7::is_signed_data(bytes) {
        return some(pkcs7::contents(bytes)?.revocation_lists);
    }
    if bytes.first() == Some(&0x30) {
        return Ok(Crl::all_from_pem_or_der(bytes)?);
    }
    let mut found = Vec::new();
    for block in pem_blocks(bytes).map_err(CrlError::Malformed)? {
        let contents = block.contents();
        if pkcs7::is_signed_data(contents) {
            found.extend(pkcs7::contents(contents)?.revocation_lists);
        } else if block.tag() == "X509 CRL" {
            found.push(Crl::from_der(contents)?);
        }
    }
    some(found)
}

fn some(lists: Vec<Crl>) -> Result<Vec<Crl>, ReadError> {
    if lists.is_empty() { Err(CrlError::NoList.into()) } else { Ok(lists) }
}
