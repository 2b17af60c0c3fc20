//! The files of a device: PEM, keystores, truststores.
//!
//! | kind | files |
//! | --- | --- |
//! | `pem` | `key.pem`, `cert.pem`, `chain.pem` (leaf … root, as the platform wants it presented) |
//! | `p12` | `keystore.p12`: key and chain under the alias `devicekeyentry` |
//! | `jks` | `keystore.jks`: the same for Java |
//! | `thin-edge` | `tedge-certificate.pem` (the same chain), `tedge-private-key.pem`, and `tedge-setup.sh`, which puts both in place on the device |
//! | `truststore-p12` | `truststore.p12`: the server's certificates |
//! | `truststore-jks` | `truststore.jks`: the same for Java |

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use time::OffsetDateTime;

use super::error::{ProvisionError, Result};
use crate::cert::{Certificate, Encoded};
use crate::crypto::KeyType;
use crate::files::Access;
use crate::key::{KeyError, Pbes2Key, PrivateKey, read::is_encrypted};
use crate::registry::Record;
use crate::secret::{Password, SecretBytes};
use crate::store::{
    self, DEVICE_KEY_ALIAS, Derived, Format, Pkcs12Options, SERVER_CERTIFICATE_ALIAS, Store,
    StoreError, WriteOptions,
};

/// The private key where thin-edge.io looks for it.
pub(crate) const THIN_EDGE_KEY: &str = "tedge-private-key.pem";
/// What thin-edge.io presents.
pub(crate) const THIN_EDGE_CHAIN: &str = "tedge-certificate.pem";
/// Puts both in place on the device.
const THIN_EDGE_SCRIPT: &str = "tedge-setup.sh";

/// A kind of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bundle {
    /// Key, certificate and chain as PEM.
    Pem,
    /// Key and chain as PKCS#12.
    P12,
    /// Key and chain as JKS.
    Jks,
    /// Key and chain under the names that thin-edge.io uses, with a script that puts them in place.
    ThinEdge,
    /// The server's certificates as PKCS#12.
    TruststoreP12,
    /// The server's certificates as JKS.
    TruststoreJks,
}

impl Bundle {
    /// All kinds with their names.
    #[doc(hidden)]
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Pem, "pem"),
        (Self::P12, "p12"),
        (Self::Jks, "jks"),
        (Self::ThinEdge, "thin-edge"),
        (Self::TruststoreP12, "truststore-p12"),
        (Self::TruststoreJks, "truststore-jks"),
    ];

    /// Its name.
    #[doc(hidden)]
    pub fn name(self) -> &'static str {
        let named = Self::ALL.iter().find(|(kind, _)| *kind == self);
        named.map_or("", |(_, name)| name)
    }

    /// Whether it holds the device's key.
    #[doc(hidden)]
    pub fn has_key(self) -> bool {
        matches!(self, Self::Pem | Self::P12 | Self::Jks | Self::ThinEdge)
    }

    /// The files that it makes.
    #[doc(hidden)]
    pub fn file_names(self) -> &'static [&'static str] {
        match self {
            Self::Pem => &["key.pem", "cert.pem", "chain.pem"],
            Self::P12 => &["keystore.p12"],
            Self::Jks => &["keystore.jks"],
            Self::ThinEdge => &[THIN_EDGE_KEY, THIN_EDGE_CHAIN, THIN_EDGE_SCRIPT],
            Self::TruststoreP12 => &["truststore.p12"],
            Self::TruststoreJks => &["truststore.jks"],
        }
    }

    /// Whether it is a keystore or a truststore, which have a password.
    #[doc(hidden)]
    pub fn is_store(self) -> bool {
        !matches!(self, Self::Pem | Self::ThinEdge)
    }

    /// Refuses a kind that is not made for keys of that type.
    ///
    /// Errors: as [`Format::check_key`].
    pub fn check_key(self, key: KeyType) -> Result<(), StoreError> {
        match self {
            Self::P12 => Format::Pkcs12.check_key(key),
            Self::Jks => Format::Jks.check_key(key),
            Self::Pem | Self::ThinEdge => Format::Pem.check_key(key),
            Self::TruststoreP12 | Self::TruststoreJks => Ok(()),
        }
    }

    /// Whether it is a truststore.
    #[doc(hidden)]
    pub fn is_truststore(self) -> bool {
        matches!(self, Self::TruststoreP12 | Self::TruststoreJks)
    }
}

impl FromStr for Bundle {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names: Vec<&str> = Self::ALL.iter().map(|(_, name)| *name).collect();
        Self::ALL
            .iter()
            .find(|(_, name)| *name == text)
            .map(|(bundle, _)| *bundle)
            .ok_or_else(|| format!("{text:?} is not one of {}", names.join(", ")))
    }
}

/// The names of kinds, with commas between them.
pub(crate) fn names(kinds: &[Bundle]) -> String {
    kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(",")
}

/// The kinds of files that were made for a device with a certificate: as the registry keeps it, or, where a former
/// version has recorded it, those whose files are all in one of its directories. PEM if neither tells of a key.
pub fn had(record: &Record, folder: Option<&Path>) -> Vec<Bundle> {
    let kept = record.bundle.iter().flat_map(|names| names.split(','));
    let mut kinds: Vec<Bundle> = kept.filter_map(|name| name.parse().ok()).collect();
    if record.bundle.is_none() {
        let folders: Vec<&Path> = record.location.as_deref().into_iter().chain(folder).collect();
        let is_there = |kind: &Bundle| {
            let whole = |dir: &&Path| kind.file_names().iter().all(|name| dir.join(name).exists());
            folders.iter().any(whole)
        };
        kinds = Bundle::ALL.iter().map(|(kind, _)| *kind).filter(is_there).collect();
    }
    if !kinds.iter().any(|kind| kind.has_key()) {
        kinds.insert(0, Bundle::Pem);
    }
    kinds
}

/// Refuses kinds of files that cannot be made, whatever the passwords are.
pub(crate) fn check(kinds: &[Bundle], has_trusted: bool, encrypts_keys: bool) -> Result {
    if !kinds.iter().any(|kind| kind.has_key()) {
        return Err(ProvisionError::NoKeyInBundle);
    }
    if kinds.contains(&Bundle::ThinEdge) && encrypts_keys {
        return Err(ProvisionError::EncryptedForThinEdge);
    }
    if kinds.iter().any(|kind| kind.is_truststore()) && !has_trusted {
        return Err(ProvisionError::NoTrustedCertificate);
    }
    Ok(())
}

/// What to make for each device.
#[derive(Debug, Clone, Copy)]
pub struct BundleSettings<'a> {
    /// The kinds. None at all: what each device had, where its certificate takes the place of another one
    /// ([`had`]); PEM where that is not known.
    pub kinds: &'a [Bundle],
    /// Password of keystores and truststores.
    pub store_password: Option<&'a Password>,
    /// Password of `key.pem`; without one the key is written plain.
    pub key_password: Option<&'a Password>,
    /// PBKDF2 iterations of an encrypted `key.pem`.
    pub key_iterations: u32,
    /// Algorithms and iterations of PKCS#12.
    pub pkcs12: Pkcs12Options,
    /// What truststores hold.
    pub trusted: &'a [Certificate],
}

/// A file of a device.
pub struct BundleFile {
    /// Its name.
    pub name: &'static str,
    /// Its contents.
    pub bytes: Vec<u8>,
    /// Who may read it.
    pub access: Access,
}

impl BundleFile {
    fn private(name: &'static str, bytes: Vec<u8>) -> Self {
        Self { name, bytes, access: Access::Private }
    }

    fn public(name: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name, bytes: bytes.into(), access: Access::Public }
    }
}

impl fmt::Debug for BundleFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BundleFile({}, {} bytes)", self.name, self.bytes.len())
    }
}

/// Makes the files of devices that share a CA: what they share is made once.
#[derive(Debug)]
pub struct Bundler<'a> {
    settings: BundleSettings<'a>,
    kinds: Vec<Bundle>,
    above: &'a [Certificate],
    above_pem: String,
    truststores: Vec<(&'static str, Vec<u8>)>,
    /// What one password for all keystores, and for all keys, is worth: derived once.
    derived: Option<Derived>,
    key_encryption: Option<Pbes2Key>,
    now: OffsetDateTime,
}

impl<'a> Bundler<'a> {
    /// Prepares for devices whose certificates stand under `above` (issuer first). Each of them may
    /// have a store password of its own.
    ///
    /// Errors: no kind keeps the key, or a password or the server's certificate is missing.
    pub fn new(
        settings: BundleSettings<'a>,
        above: &'a [Certificate],
        own_passwords: bool,
        now: OffsetDateTime,
    ) -> Result<Self> {
        Self::of_kinds(settings, settings.kinds, above, own_passwords, now)
    }

    /// The same with other kinds than those of the settings.
    pub(super) fn of_kinds(
        settings: BundleSettings<'a>,
        kinds: &[Bundle],
        above: &'a [Certificate],
        own_passwords: bool,
        now: OffsetDateTime,
    ) -> Result<Self> {
        check(kinds, !settings.trusted.is_empty(), settings.key_password.is_some())?;
        let wants_password = kinds.iter().any(|k| k.is_store());
        if wants_password && settings.store_password.is_none() && !own_passwords {
            return Err(ProvisionError::NoStorePassword);
        }
        let mut bundler = Self {
            settings,
            kinds: kinds.to_vec(),
            above,
            above_pem: above.iter().map(Certificate::pem).collect(),
            truststores: Vec::new(),
            derived: None,
            key_encryption: None,
            now,
        };
        if let Some(password) = settings.key_password {
            let iterations = settings.key_iterations;
            bundler.key_encryption =
                Some(Pbes2Key::new(password, iterations).map_err(KeyError::from)?);
        }
        if let Some(password) = settings.store_password.filter(|_| !own_passwords) {
            bundler.truststores = bundler.make_truststores(password)?;
            if kinds.contains(&Bundle::P12) {
                bundler.derived = Some(Derived::new(&bundler.options(Some(password)))?);
            }
        }
        Ok(bundler)
    }

    /// The kinds that it makes.
    pub(super) fn kinds(&self) -> &[Bundle] {
        &self.kinds
    }

    fn make_truststores(&self, password: &Password) -> Result<Vec<(&'static str, Vec<u8>)>> {
        let kinds = self.kinds.iter().filter(|kind| kind.is_truststore());
        kinds.map(|kind| self.truststore(*kind, password)).collect()
    }

    fn options<'p>(&self, password: Option<&'p Password>) -> WriteOptions<'p> {
        let mut options = WriteOptions::new(password, self.now);
        options.pkcs12 = self.settings.pkcs12;
        options
    }

    fn truststore(&self, kind: Bundle, password: &Password) -> Result<(&'static str, Vec<u8>)> {
        let mut store = Store::new();
        for (index, certificate) in self.settings.trusted.iter().enumerate() {
            let alias = match index {
                0 => SERVER_CERTIFICATE_ALIAS.to_owned(),
                n => format!("{SERVER_CERTIFICATE_ALIAS}{}", n + 1),
            };
            store.add_trusted(&alias, certificate.clone())?;
        }
        let (name, format) = match kind {
            Bundle::TruststoreJks => ("truststore.jks", Format::Jks),
            _ => ("truststore.p12", Format::Pkcs12),
        };
        Ok((name, store::write(&store, format, &self.options(Some(password)))?))
    }

    /// Makes the files of one device. `key_pem` is the key as it was read from a file: `key.pem` gets
    /// just that, unless the settings say that it is to be encrypted. `own` is its own store password.
    pub fn files(
        &self,
        key: &PrivateKey,
        key_pem: Option<&SecretBytes>,
        certificate: &Encoded,
        own: Option<&Password>,
    ) -> Result<Vec<BundleFile>> {
        let mut files = Vec::with_capacity(8);
        let mut options = self.options(own.or(self.settings.store_password));
        options.derived = self.derived.as_ref();
        let keystore = |name, format| self.keystore(name, format, &options, key, certificate);
        for kind in &self.kinds {
            match kind {
                Bundle::Pem => {
                    let bytes = self.key_pem(key, key_pem)?.expose().to_vec();
                    files.push(BundleFile::private("key.pem", bytes));
                    files.extend(self.certificate_files(certificate));
                }
                Bundle::P12 => files.push(keystore("keystore.p12", Format::Pkcs12)?),
                Bundle::Jks => files.push(keystore("keystore.jks", Format::Jks)?),
                Bundle::ThinEdge => files.extend(self.thin_edge(key, key_pem, certificate)?),
                Bundle::TruststoreP12 | Bundle::TruststoreJks => {}
            }
        }
        let own_truststores = own.map(|own| self.make_truststores(own)).transpose()?;
        let truststores = own_truststores.as_ref().unwrap_or(&self.truststores);
        files.extend(
            truststores.iter().map(|(name, bytes)| BundleFile::private(name, bytes.clone())),
        );
        Ok(files)
    }

    /// Makes the files of a device that keeps its key: `cert.pem` and `chain.pem`.
    pub fn certificate_files(&self, certificate: &Encoded) -> [BundleFile; 2] {
        let pem = certificate.pem();
        let chain = [pem.as_str(), &self.above_pem].concat();
        [BundleFile::public("cert.pem", pem), BundleFile::public("chain.pem", chain)]
    }

    fn thin_edge(
        &self,
        key: &PrivateKey,
        as_read: Option<&SecretBytes>,
        certificate: &Encoded,
    ) -> Result<[BundleFile; 3]> {
        if as_read.is_some_and(|pem| is_encrypted(pem.expose())) {
            return Err(ProvisionError::EncryptedForThinEdge);
        }
        let key = self.key_pem(key, as_read)?.expose().to_vec();
        let [_, chain] = self.certificate_files(certificate);
        Ok([
            BundleFile::private(THIN_EDGE_KEY, key),
            BundleFile { name: THIN_EDGE_CHAIN, ..chain },
            BundleFile::public(THIN_EDGE_SCRIPT, include_bytes!("thin-edge.sh")),
        ])
    }

    fn key_pem(&self, key: &PrivateKey, as_read: Option<&SecretBytes>) -> Result<SecretBytes> {
        match (&self.key_encryption, as_read) {
            (Some(encryption), _) => Ok(encryption.seal(key)?),
            (None, Some(pem)) => Ok(pem.clone()),
            (None, None) => Ok(key.to_pem()),
        }
    }

    fn keystore(
        &self,
        name: &'static str,
        format: Format,
        options: &WriteOptions<'_>,
        key: &PrivateKey,
        certificate: &Encoded,
    ) -> Result<BundleFile> {
        let mut chain = vec![Certificate::from_der(&certificate.der)?];
        chain.extend(self.above.iter().cloned());
        Ok(BundleFile::private(name, keystore(format, options, key, chain)?))
    }
}

/// A keystore of a device: its key and its chain, the certificate first.
pub(crate) fn keystore(
    format: Format,
    options: &WriteOptions<'_>,
    key: &PrivateKey,
    chain: Vec<Certificate>,
) -> Result<Vec<u8>, StoreError> {
    let store = Store::of_issued_key(DEVICE_KEY_ALIAS, key.pkcs8().clone(), chain);
    store::write(&store, format, options)
}
