//! The directory of one device: are its files those of the bundle, and do they hold what the registry and the file say?

use std::path::{Path, PathBuf};

use super::finding::{Remedy, Sign};
use super::stores::Stores;
use crate::cert::Certificate;
use crate::files;
use crate::key::{PrivateKey, read::is_encrypted};
use crate::provision::bundle::{Bundle, THIN_EDGE_CHAIN, THIN_EDGE_KEY};
use crate::registry::Record;
use crate::secret::SecretBytes;

/// The files of a bundle that hold a whole chain as PEM.
const CHAINS: [&str; 2] = ["chain.pem", THIN_EDGE_CHAIN];

/// The file of a bundle that holds the device's certificate alone.
const CERTIFICATE: &str = "cert.pem";

/// The files of a bundle that hold the private key as PEM.
const KEYS: [&str; 2] = ["key.pem", THIN_EDGE_KEY];

/// What is said of files that hold the certificate of another device, or a former one.
const ANOTHER: &str = "their files hold another certificate than their live one";

/// Something that is not as the file wants it, or was not looked at.
pub(super) struct Other {
    pub(super) sign: Sign,
    pub(super) key: &'static str,
    pub(super) what: String,
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
    pub(super) remedy: Remedy,
}

impl Other {
    fn new(key: &'static str, what: impl Into<String>) -> Self {
        let (sign, remedy) = (Sign::Differs, Remedy::Replace);
        Self { sign, key, what: what.into(), old: None, new: None, remedy }
    }

    /// Something that nobody can look at here.
    fn unseen(name: &str, reason: &str) -> Self {
        let what = format!("{name} was not looked at: {reason}");
        Self { sign: Sign::NotLookedAt, ..Self::new("devices.bundle", what) }
    }

    fn values(self, old: impl Into<Option<String>>, new: impl Into<Option<String>>) -> Self {
        Self { old: old.into(), new: new.into(), ..self }
    }
}

/// A device's directory, and what is to be in it.
pub(super) struct Folder<'a> {
    /// The directory of all directories.
    pub(super) out: &'a Path,
    /// Its own.
    pub(super) dir: PathBuf,
    pub(super) bundle: &'a [Bundle],
    /// Its certificate, and those above it.
    pub(super) chain: &'a [Certificate],
    /// Whether its keystores are opened too, which takes time.
    pub(super) with_keystores: bool,
}

impl Folder<'_> {
    /// What is not as the file wants it.
    pub(super) fn look(&self, record: &Record, stores: &mut Stores<'_>) -> Vec<Other> {
        if !self.dir.exists() {
            return vec![self.elsewhere(record)];
        }
        let mut found = self.kinds();
        for name in CHAINS.into_iter().chain([CERTIFICATE]) {
            found.extend(self.certificates_in(name));
        }
        for name in KEYS {
            found.extend(self.key_in(name));
        }
        found.extend(self.open_to_others());
        let mut unopened = None;
        for kind in self.bundle.iter().filter(|kind| kind.is_store()) {
            for name in kind.file_names() {
                let wanted = kind.is_truststore() || self.with_keystores;
                let path = self.dir.join(name);
                if !wanted || !path.exists() {
                    continue;
                }
                match self.store(*kind, &path, stores) {
                    Ok(others) => found.extend(others),
                    Err(reason) => unopened = Some(format!("{name}: {reason}")),
                }
            }
        }
        if let Some(reason) = unopened {
            let what = format!("it does not open the stores ({reason})");
            found.push(Other::new("passwords.store", what));
        }
        found
    }

    fn elsewhere(&self, record: &Record) -> Other {
        let there = record.location.as_deref().filter(|place| place.is_dir() && *place != self.dir);
        let is_own = there.and_then(Path::file_name) == self.dir.file_name();
        match there.and_then(Path::parent).filter(|_| is_own) {
            Some(from) => Other {
                remedy: Remedy::Move { from: from.to_owned(), to: self.out.to_owned() },
                ..Other::new("devices.out", "their directories")
                    .values(from.display().to_string(), self.out.display().to_string())
            },
            None => Other::new("devices.out", "their directories are not there")
                .values(None, self.out.display().to_string()),
        }
    }

    /// Kinds of the bundle whose files are not all there, and kinds that are there and not in the bundle.
    fn kinds(&self) -> Vec<Other> {
        let mut found = Vec::new();
        for (kind, name) in Bundle::ALL {
            let is_there = |file: &&str| self.dir.join(file).exists();
            let names = kind.file_names();
            let count = names.iter().filter(|file| is_there(file)).count();
            let name = Some(name.to_owned());
            match self.bundle.contains(&kind) {
                true if count == 0 => {
                    found.push(Other::new("devices.bundle", "files").values(None, name))
                }
                true if count < names.len() => {
                    let lacking: Vec<&str> =
                        names.iter().filter(|file| !is_there(file)).copied().collect();
                    let what = format!("without {}", lacking.join(", "));
                    found.push(Other::new("devices.bundle", what).values(None, name));
                }
                false if count == names.len() => {
                    found.push(Other::new("devices.bundle", "files").values(name, None));
                }
                _ => {}
            }
        }
        found
    }

    fn certificates_in(&self, name: &str) -> Option<Other> {
        let path = self.dir.join(name);
        if !path.exists() {
            return None;
        }
        let bytes = match files::read_small(&path) {
            Ok(bytes) => bytes,
            Err(e) => return Some(Other::unseen(name, &files::reason(&e.source))),
        };
        match Certificate::all_from_pem_or_der(&bytes) {
            Err(e) => Some(Other::new("devices.bundle", format!("{name}: {e}"))),
            Ok(all) if name != CERTIFICATE => self.judge(&all),
            Ok(all) if all.first() != self.chain.first() => {
                Some(Other::new("devices.bundle", ANOTHER))
            }
            Ok(all) => (all.len() > 1).then(|| {
                let what = format!("{name} has more than their own certificate");
                Other::new("devices.bundle", what)
            }),
        }
    }

    /// Files with a key that other users can read.
    fn open_to_others(&self) -> impl Iterator<Item = Other> {
        let stores = self.bundle.iter().filter(|kind| kind.is_store() && kind.has_key());
        let names =
            KEYS.into_iter().chain(stores.flat_map(|kind| kind.file_names().iter().copied()));
        names.filter(|name| files::is_open_to_others(&self.dir.join(name))).map(|name| {
            let remedy = Remedy::Protect { path: self.out.to_owned() };
            Other { remedy, ..Other::new("devices.out", format!("other users can read {name}")) }
        })
    }

    /// Is the key in a file that of the live certificate?
    fn key_in(&self, name: &str) -> Option<Other> {
        let path = self.dir.join(name);
        if !path.exists() {
            return None;
        }
        let bytes = match files::read_small(&path) {
            Ok(bytes) => SecretBytes::new(bytes),
            Err(e) => return Some(Other::unseen(name, &files::reason(&e.source))),
        };
        if is_encrypted(bytes.expose()) {
            return Some(Other::unseen(name, "it is encrypted"));
        }
        let key = match PrivateKey::read(bytes.expose(), None) {
            Ok(key) => key,
            Err(e) => return Some(Other::new("devices.bundle", format!("{name}: {e}"))),
        };
        let is_own = self.chain.first().is_some_and(|own| own.spki == key.public_key().spki());
        let what = || format!("the key in {name} is not that of their live certificate");
        (!is_own).then(|| Other::new("devices.bundle", what()))
    }

    fn judge(&self, chain: &[Certificate]) -> Option<Other> {
        if chain == self.chain {
            return None;
        }
        if chain.first() != self.chain.first() {
            return Some(Other::new("devices.bundle", ANOTHER));
        }
        let remedy = Remedy::Refresh { out: self.out.to_owned() };
        let what = "the chain in their files is not the present one of their CA";
        Some(Other { remedy, ..Other::new("devices.ca", what) })
    }

    fn store(
        &self,
        kind: Bundle,
        path: &Path,
        stores: &mut Stores<'_>,
    ) -> Result<Vec<Other>, String> {
        if !stores.has_password() {
            return Err("there is no password yet".to_owned());
        }
        let bytes = files::read_small(path).map_err(|e| files::reason(&e.source))?;
        if !kind.is_truststore() {
            return Ok(self.judge(&stores.keystore(&bytes)?).into_iter().collect());
        }
        let differs = stores.truststore(&bytes)?.into_iter();
        Ok(differs.map(|(key, old, new)| Other::new(key, "trusted").values(old, new)).collect())
    }
}
