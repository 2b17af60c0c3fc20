//! What a device presents, and whom it trusts, from the very files that it will use.
//!
//! A directory of `device issue` (`key.pem` with `chain.pem`, else the files of thin-edge.io, else
//! `keystore.p12`, else `keystore.jks`), or one keystore; the truststore beside it, given by itself, or the trusted
//! entries of the keystore. Reading judges nothing but the files: whether key and certificate fit
//! is a fact to ask for. Refused: several keys of which none is called `devicekeyentry`, a key
//! without certificates, a truststore without certificates.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::cert::Certificate;
use crate::client_id::{ClientIdError, DeviceId};
use crate::failure::{Failure, Fault, Hint, Secret, Setting, Task};
use crate::files::{self, FileError};
use crate::key::{KeyError, PrivateKey};
use crate::read::{self, ReadError};
use crate::secret::{Password, SecretBytes};
use crate::store::{self, DEVICE_KEY_ALIAS, EntryKind, Format, Store, StoreError};

/// Truststores that a directory may hold.
const TRUSTSTORES: [&str; 3] = ["truststore.p12", "truststore.jks", "truststore.pem"];

/// Why a device's files could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The file system.
    #[error(transparent)]
    File(#[from] FileError),
    /// A directory that is not there.
    #[error("there is no directory {}", dir.display())]
    NoFolder {
        /// The directory.
        dir: PathBuf,
    },
    /// A directory with a key, and without what is presented.
    #[error("{} holds key.pem, but no chain.pem", dir.display())]
    NoChainFile {
        /// The directory.
        dir: PathBuf,
    },
    /// A directory that holds nothing of a device.
    #[error("{} holds neither key.pem nor keystore.p12 nor keystore.jks", dir.display())]
    Nothing {
        /// The directory.
        dir: PathBuf,
    },
    /// A file of a private key.
    #[error("{}: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// A file of certificates.
    #[error("{}: {source}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<ReadError>,
    },
    /// A keystore or truststore.
    #[error("{}: {source}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: StoreError,
    },
    /// A keystore without a key.
    #[error("{} holds no private key", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// A keystore with several keys.
    #[error(
        "{} holds several keys and none of them is {DEVICE_KEY_ALIAS}: {}",
        path.display(), aliases.join(", ")
    )]
    SeveralKeys {
        /// The file.
        path: PathBuf,
        /// What they are called.
        aliases: Vec<String>,
    },
    /// A key without certificates.
    #[error("{}: there is no certificate for the key", path.display())]
    NoChain {
        /// The file.
        path: PathBuf,
    },
    /// A truststore that trusts nobody.
    #[error("the truststore {} holds no certificate", path.display())]
    NoTrust {
        /// The file.
        path: PathBuf,
    },
}

impl CredentialError {
    /// The same, with the device's identifier in it where it is known.
    pub fn hint_for(&self, device: Option<&DeviceId>) -> Option<Hint> {
        match self {
            Self::File(e) => e.hint(),
            Self::Key { source: KeyError::NeedsPassword, .. } => {
                Some(Hint::provide("give the password of key.pem", Secret::KeyPassword))
            }
            Self::Store { source: StoreError::PasswordNeeded { .. }, .. } => {
                Some(Hint::provide("give the store's password", Secret::StorePassword))
            }
            Self::Store { source: StoreError::WrongKeyPassword { .. }, .. } => {
                Some(Hint::provide("give the key's own password", Secret::KeyPassword))
            }
            Self::Key { source, .. } => source.hint(),
            Self::Certificates { source, .. } => source.hint(),
            Self::Store { source, .. } => source.hint(),
            Self::NoFolder { .. } | Self::Nothing { .. } => {
                let id = device.map_or_else(|| "ID".to_owned(), DeviceId::to_string);
                Some(
                    Hint::give("is it the right directory?", Setting::DeviceFiles)
                        .then(Hint::run(
                            "if so, make the files",
                            Task::IssueDevice { id, replace: false },
                        ))
                        .then(Hint::give(
                            "if the device was issued before and has lost them, also",
                            Setting::Replace,
                        )),
                )
            }
            Self::NoChainFile { .. } => {
                let chain = "put its certificate, and the CAs above it up to the uploaded one, in order into \
                             chain.pem beside the key";
                Some(Hint::run(chain, Task::OrderChain))
            }
            Self::NoKey { .. } => {
                Some(Hint::give("if it is a truststore, give it as one", Setting::Truststore))
            }
            Self::SeveralKeys { .. } => {
                Some(format!("name the key of the device {DEVICE_KEY_ALIAS}").into())
            }
            Self::NoChain { .. } => {
                Some(Hint::run("put key and chain together", Task::CreateStore))
            }
            Self::NoTrust { .. } => {
                Some(Hint::run("put the server's CA into it", Task::FetchServer { address: None }))
            }
        }
    }

    /// Whether a store wants a password that was not given.
    pub fn needs_store_password(&self) -> bool {
        matches!(self, Self::Store { source: StoreError::PasswordNeeded { .. }, .. })
    }

    /// Whether the key wants a password that was not given.
    pub fn needs_key_password(&self) -> bool {
        matches!(self, Self::Key { source: KeyError::NeedsPassword, .. })
    }
}

impl Failure for CredentialError {
    fn fault(&self) -> Fault {
        match self {
            Self::File(e) => e.fault(),
            Self::Key { source, .. } => source.fault(),
            Self::Certificates { source, .. } => source.fault(),
            Self::Store { source, .. } => source.fault(),
            Self::NoFolder { .. }
            | Self::NoChainFile { .. }
            | Self::Nothing { .. }
            | Self::NoKey { .. }
            | Self::SeveralKeys { .. }
            | Self::NoChain { .. }
            | Self::NoTrust { .. } => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        self.hint_for(None)
    }
}

/// Where a device's key is.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// The directory of a device.
    Bundle(&'a Path),
    /// A PKCS#12, JKS or PEM file with key and chain.
    Keystore(&'a Path),
}

/// The files of a device, and what opens them.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// Key and chain.
    pub place: Place<'a>,
    /// The truststore, or a PEM file of CAs, if it is not beside or inside of the keystore.
    pub truststore: Option<&'a Path>,
    /// Password of keystore and truststore.
    pub store_password: Option<&'a Password>,
    /// Password of `key.pem`, or of the key in a JKS file if it differs from the store's.
    pub key_password: Option<&'a Password>,
}

/// Whom a device trusts.
#[derive(Debug, Clone)]
pub struct Trusted {
    /// The file.
    pub from: PathBuf,
    /// The certificates.
    pub certificates: Vec<Certificate>,
    /// Aliases that Java passes over, because the file does not mark them as trusted.
    pub unseen_by_java: Vec<String>,
}

impl Trusted {
    /// Reads a truststore, or a file of CAs, by itself: for a device without certificate.
    pub fn read(path: &Path, password: Option<&Password>) -> Result<Self, CredentialError> {
        let place = Place::Keystore(path);
        let files = Files { place, truststore: None, store_password: password, key_password: None };
        truststore(path, &files)
    }
}

/// What a device presents, and whom it trusts.
#[derive(Debug)]
pub struct Credentials {
    /// The file of the certificates.
    pub from: PathBuf,
    /// Its private key.
    pub key: PrivateKey,
    /// What it presents, in that order; never empty.
    pub chain: Vec<Certificate>,
    /// Its truststore; none for the system's.
    pub trusted: Option<Trusted>,
}

impl Credentials {
    /// Reads a device's files.
    pub fn read(files: &Files<'_>) -> Result<Self, CredentialError> {
        let (mut found, beside) = match files.place {
            Place::Keystore(path) => (from_store(path, files)?, None),
            Place::Bundle(dir) => {
                let truststores = TRUSTSTORES.map(|name| dir.join(name));
                (from_bundle(dir, files)?, truststores.into_iter().find(|path| path.exists()))
            }
        };
        if let Some(path) = files.truststore.or(beside.as_deref()) {
            found.trusted = Some(truststore(path, files)?);
        }
        Ok(found)
    }

    /// The first certificate: the device's own.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.chain.first()
    }

    /// Who the device is by its own certificate's common name.
    pub fn device(&self) -> Result<DeviceId, ClientIdError> {
        let name = self.leaf().and_then(|leaf| leaf.subject.common_name());
        DeviceId::parse(name.unwrap_or_default())
    }

    /// Whether the first certificate is about the key.
    pub fn key_fits(&self) -> bool {
        self.leaf().is_some_and(|leaf| leaf.public_key.as_ref() == Ok(self.key.public_key()))
    }
}

fn from_bundle(dir: &Path, files: &Files<'_>) -> Result<Credentials, CredentialError> {
    if dir.metadata().is_err_and(|e| e.kind() == ErrorKind::NotFound) {
        return Err(CredentialError::NoFolder { dir: dir.to_owned() });
    }
    let key = dir.join("key.pem");
    if key.exists() {
        let chains = ["chain.pem", "cert.pem"].map(|name| dir.join(name));
        return match chains.into_iter().find(|path| path.exists()) {
            Some(chain) => from_pem(&key, chain, files),
            None => Err(CredentialError::NoChainFile { dir: dir.to_owned() }),
        };
    }
    let (key, chain) = (dir.join("tedge-private-key.pem"), dir.join("tedge-certificate.pem"));
    if key.exists() && chain.exists() {
        return from_pem(&key, chain, files);
    }
    let stores = ["keystore.p12", "keystore.jks"].map(|name| dir.join(name));
    match stores.iter().find(|path| path.exists()) {
        Some(path) => from_store(path, files),
        None => Err(CredentialError::Nothing { dir: dir.to_owned() }),
    }
}

fn from_pem(key: &Path, from: PathBuf, files: &Files<'_>) -> Result<Credentials, CredentialError> {
    let bytes = SecretBytes::new(files::read_small(key)?);
    let key = PrivateKey::read(bytes.expose(), files.key_password)
        .map_err(|source| CredentialError::Key { path: key.to_owned(), source })?;
    let chain = read::certificates(&files::read_small(&from)?, None)
        .map_err(|e| CredentialError::Certificates { path: from.clone(), source: Box::new(e) })?;
    if chain.is_empty() {
        return Err(CredentialError::NoChain { path: from });
    }
    Ok(Credentials { from, key, chain, trusted: None })
}

fn open(path: &Path, files: &Files<'_>) -> Result<(Store, Format), CredentialError> {
    let bytes = SecretBytes::new(files::read_small(path)?);
    let failed = |source| CredentialError::Store { path: path.to_owned(), source };
    let format = store::detect(bytes.expose()).map_err(failed)?;
    let opened = store::open(bytes.expose(), files.store_password, files.key_password);
    opened.map(|store| (store, format)).map_err(failed)
}

fn from_store(path: &Path, files: &Files<'_>) -> Result<Credentials, CredentialError> {
    let (store, format) = open(path, files)?;
    let is_key =
        |kind: &EntryKind| matches!(kind, EntryKind::Key { .. } | EntryKind::Sealed { .. });
    let mut keys = store.entries.iter().filter(|entry| is_key(entry.kind()));
    let named = store.entry(DEVICE_KEY_ALIAS).filter(|entry| is_key(entry.kind()));
    let entry = match (named, keys.next(), keys.next()) {
        (Some(named), ..) => named,
        (None, Some(only), None) => only,
        (None, None, _) => return Err(CredentialError::NoKey { path: path.to_owned() }),
        (None, Some(_), Some(_)) => {
            let keys = store.entries.iter().filter(|entry| is_key(entry.kind()));
            let aliases = keys.map(|entry| entry.alias.clone()).collect();
            return Err(CredentialError::SeveralKeys { path: path.to_owned(), aliases });
        }
    };
    let EntryKind::Key { pkcs8, chain } = entry.kind() else {
        let source = StoreError::WrongKeyPassword { format, alias: entry.alias.clone() };
        return Err(CredentialError::Store { path: path.to_owned(), source });
    };
    if chain.is_empty() {
        return Err(CredentialError::NoChain { path: path.to_owned() });
    }
    let key = PrivateKey::from_pkcs8(pkcs8.expose())
        .map_err(|source| CredentialError::Key { path: path.to_owned(), source })?;
    let trusted =
        Some(trusted_entries(path, &store, format)).filter(|t| !t.certificates.is_empty());
    Ok(Credentials { from: path.to_owned(), key, chain: chain.clone(), trusted })
}

fn truststore(path: &Path, files: &Files<'_>) -> Result<Trusted, CredentialError> {
    // Certificates in DER or PKCS#7 are no store, and what people have been given all the same.
    let bytes = files::read_small(path)?;
    // Beside a key, they are its chain.
    let bare = (!read::may_hold_key(&bytes)).then(|| read::certificates(&bytes, None).ok());
    let trusted = match bare.flatten() {
        Some(certificates) => {
            Trusted { from: path.to_owned(), certificates, unseen_by_java: Vec::new() }
        }
        None => {
            let (store, format) = open(path, files)?;
            trusted_entries(path, &store, format)
        }
    };
    match trusted.certificates.is_empty() {
        true => Err(CredentialError::NoTrust { path: path.to_owned() }),
        false => Ok(trusted),
    }
}

fn trusted_entries(path: &Path, store: &Store, format: Format) -> Trusted {
    let mut trusted =
        Trusted { from: path.to_owned(), certificates: Vec::new(), unseen_by_java: Vec::new() };
    for entry in &store.entries {
        if let EntryKind::Trusted { certificate, java_trusted } = entry.kind() {
            trusted.certificates.push((**certificate).clone());
            if !java_trusted && format == Format::Pkcs12 {
                trusted.unseen_by_java.push(entry.alias.clone());
            }
        }
    }
    trusted
}
