//! Keystores and truststores: bytes in, bytes out (no file, network or clock).
//!
//! [`open`] finds out the [`Format`] by itself, since names lie: keytool writes PKCS#12 into files
//! called `.jks`. A [`Store`] is the same whatever it was read from; [`write()`] turns it into
//! bytes.
//!
//! * PKCS#12: RFC 7292, with PBES2 of RFC 8018. The format to prefer.
//! * JKS: Java's own until version 8. Its protection of keys is weak (one SHA-1 a guess), so write
//!   it only for programs that read nothing else.
//! * PEM: RFC 7468 texts, without any protection.
//!
//! [`pkcs7`] is beside them: files that hold certificates only, as CAs hand them out.
//!
//! ```
//! use c8y_pki_core::cert::Certificate;
//! use c8y_pki_core::secret::Password;
//! use c8y_pki_core::store::{self, Format, SERVER_CERTIFICATE_ALIAS, Store, WriteOptions};
//! use time::macros::datetime;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server_pem = include_str!("../../testdata/root.cert.pem");
//! let server = Certificate::all_from_pem_or_der(server_pem.as_bytes())?.remove(0);
//! let mut truststore = Store::new();
//! truststore.add_trusted(SERVER_CERTIFICATE_ALIAS, server)?;
//!
//! let password = Password::new("trust-Secret-1");
//! let options = WriteOptions::new(Some(&password), datetime!(2026-01-02 03:04:05 UTC));
//! let bytes = store::write(&truststore, Format::Pkcs12, &options)?;
//!
//! assert_eq!(store::detect(&bytes)?, Format::Pkcs12);
//! assert_eq!(store::open(&bytes, Some(&password), None)?, truststore);
//! # Ok(())
//! # }
//! ```
//!
//! Refused: JCEKS, BKS, UBER, BCFKS and PVK by name; stores without integrity check (unless asked for), iteration counts beyond
//! [`MAX_ITERATIONS`], equal aliases, keys without their chain, and on writing whatever Java could
//! not open.

mod error;
mod foreign;
mod jks;
mod link;
mod listing;
mod model;
mod pem;
mod pkcs12;
pub mod pkcs7;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use time::OffsetDateTime;

pub use error::StoreError;
pub use listing::{ListedCertificate, ListedEntry, Listing};
pub use model::{Entry, EntryKind, Store};
pub use pkcs12::{Compat, DEFAULT_ITERATIONS, Derived, MAX_ITERATIONS, Pkcs12Options, confirm};

use crate::armor;
use crate::crypto::{CryptoError, KeyType, fill_random};
use crate::secret::Password;

/// The alias of a device's key and chain in the platform's recipe.
pub const DEVICE_KEY_ALIAS: &str = "devicekeyentry";

/// The alias of the platform's server certificate in the platform's recipe.
pub const SERVER_CERTIFICATE_ALIAS: &str = "servercertificate";

/// The format of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// PKCS#12 (RFC 7292).
    Pkcs12,
    /// Java KeyStore.
    Jks,
    /// PEM text (RFC 7468).
    Pem,
}

impl Format {
    /// Refuses to write a store with a key of that type from which no reader takes it. Java 25 and pyca/cryptography
    /// 50 know ML-DSA and open such a PKCS#12 file; neither takes the key from it (RFC 9881's seed is not what Java
    /// expects).
    ///
    /// Errors: [`StoreError::NoReader`] for ML-DSA, except in PEM.
    pub fn check_key(self, key: KeyType) -> Result<(), StoreError> {
        match key {
            KeyType::MlDsa(set) if self != Self::Pem => {
                Err(StoreError::NoReader { format: self, set })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pkcs12 => "PKCS#12",
            Self::Jks => "JKS",
            Self::Pem => "PEM",
        })
    }
}

impl FromStr for Format {
    type Err = String;

    /// A file name's ending: `p12`, `pfx`, `jks`, `pem`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "p12" | "pfx" => Ok(Self::Pkcs12),
            "jks" => Ok(Self::Jks),
            "pem" => Ok(Self::Pem),
            _ => Err(format!("{text:?} is not one of p12, pfx, jks, pem")),
        }
    }
}

/// Tells the format of a store from its first bytes.
///
/// Errors: [`StoreError::Empty`], [`StoreError::Jceks`], [`StoreError::Foreign`],
/// [`StoreError::Unrecognised`].
pub fn detect(bytes: &[u8]) -> Result<Format, StoreError> {
    let bytes = &*armor::plain(bytes);
    const JCEKS_MAGIC: [u8; 4] = [0xce; 4];
    const SEQUENCE: u8 = 0x30;
    if bytes.is_empty() {
        return Err(StoreError::Empty);
    }
    if bytes.starts_with(&jks::MAGIC) {
        return Ok(Format::Jks);
    }
    if bytes.starts_with(&JCEKS_MAGIC) {
        return Err(StoreError::Jceks);
    }
    if let Some(foreign) = foreign::named(bytes) {
        return Err(foreign);
    }
    // Text before the first block is allowed (RFC 7468, section 2), and '0' is 0x30: no PKCS#12 is text,
    // since its length takes bytes beyond ASCII.
    // A text may be in Latin-1: the names that OpenSSL prints are.
    let der = bytes[0] == SEQUENCE && std::str::from_utf8(bytes).is_err();
    if bytes.windows(11).any(|w| w == b"-----BEGIN ") && !der {
        return Ok(Format::Pem);
    }
    if der {
        return Ok(Format::Pkcs12);
    }
    Err(StoreError::Unrecognised { looks: kind_of(bytes) })
}

/// Whether bytes begin as PKCS#12 does, bare or in PEM; whether they are whole is not looked at.
pub fn is_pkcs12(bytes: &[u8]) -> bool {
    pkcs12::begins(bytes) || pem::enclosed_pkcs12(bytes).is_some()
}

/// What a file looks like that is no store; a file with a password in it is text.
fn kind_of(bytes: &[u8]) -> &'static str {
    const ZIP_MAGIC: &[u8] = b"PK\x03\x04";
    match std::str::from_utf8(bytes) {
        _ if bytes.starts_with(ZIP_MAGIC) => "a ZIP archive",
        Ok(_) => "text",
        Err(_) => "binary data",
    }
}

/// How to open a store.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenOptions<'a> {
    /// The store's password. PKCS#12 without one is tried with the empty password.
    pub store_password: Option<&'a Password>,
    /// The password of its keys, if it differs.
    pub key_password: Option<&'a Password>,
    /// Whether to open PKCS#12 without MAC, and JKS without password: then nothing shows
    /// whether the store was changed.
    pub allow_unverified: bool,
}

/// Opens a store of any format. A JKS key that neither password opens stays
/// [`EntryKind::Sealed`].
pub fn open(
    bytes: &[u8],
    store_password: Option<&Password>,
    key_password: Option<&Password>,
) -> Result<Store, StoreError> {
    open_with(bytes, OpenOptions { store_password, key_password, allow_unverified: false })
}

/// Opens a store of any format, as [`open`], with all options.
pub fn open_with(bytes: &[u8], options: OpenOptions<'_>) -> Result<Store, StoreError> {
    match detect(bytes)? {
        Format::Pkcs12 => pkcs12::open(bytes, options),
        Format::Jks => jks::open(bytes, options),
        // certtool writes PKCS#12 as PEM unless told otherwise.
        Format::Pem => match pem::enclosed_pkcs12(bytes) {
            Some(bytes) => pkcs12::open(&bytes, options),
            None => pem::open(bytes, options),
        },
    }
}

/// How to write a store.
#[derive(Debug, Clone, Copy)]
pub struct WriteOptions<'a> {
    /// The store's password: printable ASCII, not empty. PEM takes none.
    #[doc(hidden)]
    pub store_password: Option<&'a Password>,
    /// Whether PKCS#12 is written without any password: nothing is encrypted, and there is no MAC, as in the
    /// `cacerts` of Java since 18. Anyone who can read the file has the keys in it.
    #[doc(hidden)]
    pub unprotected: bool,
    /// The password of the keys, if it is to differ: JKS only.
    #[doc(hidden)]
    pub key_password: Option<&'a Password>,
    /// The date that JKS gives to entries without one: usually now.
    #[doc(hidden)]
    pub modified: OffsetDateTime,
    /// Algorithms and iterations of PKCS#12.
    #[doc(hidden)]
    pub pkcs12: Pkcs12Options,
    /// What was derived from the password before, for PKCS#12; not used if it does not fit.
    #[doc(hidden)]
    pub derived: Option<&'a Derived>,
}

impl<'a> WriteOptions<'a> {
    /// One password for store and keys, and the defaults of [`Pkcs12Options`].
    pub fn new(store_password: Option<&'a Password>, modified: OffsetDateTime) -> Self {
        let pkcs12 = Pkcs12Options::default();
        let (unprotected, key_password, derived) = (false, None, None);
        Self { store_password, unprotected, key_password, modified, pkcs12, derived }
    }

    /// Another password for the keys: JKS only.
    #[must_use]
    pub fn key_password(self, password: &'a Password) -> Self {
        Self { key_password: Some(password), ..self }
    }

    /// The password, fit for Java.
    fn java_password(&self, format: Format) -> Result<&'a Password, StoreError> {
        let needed = StoreError::PasswordNeeded { format };
        let password = self.store_password.filter(|p| !p.expose().is_empty()).ok_or(needed)?;
        for password in [Some(password), self.key_password].into_iter().flatten() {
            if !password.is_ascii() {
                return Err(StoreError::PasswordCharset { format });
            }
        }
        Ok(password)
    }
}

/// Where salts come from: fills the bytes.
type Salt<'a> = &'a mut dyn FnMut(&mut [u8]) -> Result<(), CryptoError>;

/// Writes a store. Salts come from the system's random generator.
///
/// Errors: [`StoreError::CannotHold`] for what the format has no place for, [`StoreError::NoReader`] for keys that
/// [`Format::check_key`] refuses, [`StoreError::PasswordNeeded`] and [`StoreError::PasswordCharset`] for passwords that Java
/// does not take, [`StoreError::Iterations`].
pub fn write(
    store: &Store,
    format: Format,
    options: &WriteOptions<'_>,
) -> Result<Vec<u8>, StoreError> {
    store.entries.iter().filter_map(key_type).try_for_each(|key| format.check_key(key))?;
    match format {
        Format::Pkcs12 => pkcs12::write(store, options, &mut fill_random),
        Format::Jks => jks::write(store, options, &mut fill_random),
        Format::Pem => pem::write(store, options),
    }
}

/// The type of an entry's key, by the certificate that belongs to it.
fn key_type(entry: &Entry) -> Option<KeyType> {
    let EntryKind::Key { chain, .. } = &entry.kind else { return None };
    let key = chain.first()?.public_key.as_ref().ok()?;
    KeyType::of(key.algorithm())
}

#[cfg(test)]
mod tests;
