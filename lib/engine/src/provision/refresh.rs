//! A CA has a new certificate for its key, or more above it: the chains in the directories of its devices are rewritten,
//! and nothing else. Keys and certificates of devices stay as they are, and so do aliases and passwords of stores.
//!
//! A device's directory is made anew beside the old one, then both change places in one step: a device has all its new
//! files or all its old ones. A run that was stopped is run again; what is as it should be is left alone.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::bundle::THIN_EDGE_CHAIN;
use super::error::Result;
use crate::cert::Certificate;
use crate::failure::{Failure, Hint, Task};
use crate::files::{self, Access, Lock};
use crate::list::BadRow;
use crate::pki::{Ca, Pki};
use crate::registry::{Filter, Status};
use crate::secret::Password;
use crate::store::{self, Compat, EntryKind, Format, Pkcs12Options, Store, WriteOptions};

/// How the name of a directory begins that is whole and waits for its place, or was in it.
const ASIDE: &str = ".refresh-";

/// How the name of a directory begins that is being made.
const MAKING: &str = ".refreshing-";

/// The lock of a directory of devices.
const LOCK: &str = ".c8y-pki-refresh.lock";

/// PBES2 and PBMAC1 (RFC 8018, appendix C), and encryptedData (RFC 5652, 8), as they stand in a file.
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const PBMAC1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0e];
const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x06];

/// What is to be refreshed.
#[derive(Debug)]
pub struct Refresh<'a> {
    /// Directories of devices.
    pub out: &'a Path,
    /// Only devices that this CA has issued.
    pub ca: Option<&'a str>,
    /// The password of all stores.
    pub store_password: Option<&'a Password>,
    /// Passwords of devices' own, by the name of the directory.
    pub own_passwords: &'a HashMap<String, Password>,
    /// Iterations of PKCS#12 files that are written; how they are protected stays as it is.
    pub iterations: u32,
    /// Whether it is only asked which files would be rewritten. Nothing is changed then.
    pub plan: bool,
}

/// A device whose files were rewritten.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Refreshed {
    /// Its directory.
    pub folder: PathBuf,
    /// The CA.
    pub ca: String,
    /// The files that have a new chain.
    pub files: Vec<String>,
}

/// What a run did.
#[derive(Debug, Default)]
pub struct Report {
    /// Devices whose files were rewritten.
    pub refreshed: Vec<Refreshed>,
    /// How many devices had the present chain already.
    pub current: usize,
    /// Directories that were left alone, with the reason; the id is the directory's name.
    pub left: Vec<BadRow>,
    /// Directories whose files could not be rewritten.
    pub failed: Vec<BadRow>,
}

/// Files that change, with what is to be in them.
type Changed = Vec<(String, Vec<u8>)>;

/// What becomes of one directory.
enum Done {
    Refreshed(Refreshed),
    Current,
    Left(BadRow),
    Failed(BadRow),
    /// It holds no files of a device, or those of another CA.
    Other,
}

/// Rewrites the chains of devices in a directory.
pub fn refresh(pki: &Pki, wanted: &Refresh<'_>, now: OffsetDateTime) -> Result<Report> {
    let _lock = match wanted.plan {
        true => None,
        false => Some(Lock::wait(&wanted.out.join(LOCK))?),
    };
    if !wanted.plan {
        settle(wanted.out)?;
    }
    let cas = pki.cas()?;
    let mut report = Report::default();
    for dir in files::list_dir(wanted.out)? {
        let name = dir.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        if name.starts_with('.') || dir.is_symlink() || !dir.is_dir() {
            continue;
        }
        let one = DeviceFolder { pki, cas: &cas, wanted, dir: &dir, name: &name, now };
        match one.refresh()? {
            Done::Refreshed(refreshed) => report.refreshed.push(refreshed),
            Done::Current => report.current += 1,
            Done::Left(fault) => report.left.push(fault),
            Done::Failed(fault) => report.failed.push(fault),
            Done::Other => {}
        }
    }
    Ok(report)
}

/// Finishes or forgets what a stopped run has left.
fn settle(out: &Path) -> Result {
    for path in files::list_dir(out)? {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if name.starts_with(MAKING) {
            files::remove_tree(&path)?;
        } else if let Some(device) = name.strip_prefix(ASIDE) {
            let place = out.join(device);
            match place.exists() {
                // The former files, or new ones that are made again.
                true => files::remove_tree(&path)?,
                false => files::rename(&path, &place)?,
            }
        }
    }
    Ok(())
}

/// One device's directory.
struct DeviceFolder<'a> {
    pki: &'a Pki,
    cas: &'a [Ca],
    wanted: &'a Refresh<'a>,
    dir: &'a Path,
    name: &'a str,
    now: OffsetDateTime,
}

impl DeviceFolder<'_> {
    fn refresh(&self) -> Result<Done> {
        let Some(leaf) = self.leaf()? else { return Ok(Done::Other) };
        let signed = |ca: &&Ca| {
            let own = ca.certificate();
            own.subject.matches(&leaf.issuer)
                && own.public_key.as_ref().is_ok_and(|key| leaf.verify_signature(key).is_ok())
        };
        let of_ca = self.cas.iter().find(signed);
        let Some(ca) = of_ca.filter(|ca| self.wanted.ca.is_none_or(|name| name == ca.name)) else {
            let unknown = format!("no CA of this PKI directory has signed {}", leaf.subject);
            let is_other = self.wanted.ca.is_some() || of_ca.is_some();
            return Ok(if is_other { Done::Other } else { Done::Left(self.fault(unknown, None)) });
        };
        let filter = Filter { serial: Some(&leaf.serial), ..Filter::default() };
        let records = self.pki.registry().find(&filter)?;
        let own = records.iter().find(|record| record.der == leaf.der());
        match own.map(|record| record.status) {
            Some(Status::Live) => {}
            Some(status) => {
                let why = format!("its certificate {} is {}", leaf.serial, status.name());
                return Ok(Done::Left(self.fault(why, None)));
            }
            None => {
                let why = format!("its certificate {} is not in the registry", leaf.serial);
                let files = self.dir.display().to_string();
                let hint = Hint::run("record it", Task::ImportDevice { files });
                return Ok(Done::Left(self.fault(why, Some(hint))));
            }
        }
        let chain: Vec<Certificate> = [&[leaf][..], &ca.chain].concat();
        match self.changed(&chain)? {
            Err(fault) => Ok(Done::Failed(fault)),
            Ok(changed) if changed.is_empty() => Ok(Done::Current),
            Ok(changed) => {
                if !self.wanted.plan {
                    self.replace(&changed)?;
                }
                let files = changed.into_iter().map(|(name, _)| name).collect();
                let folder = self.dir.to_owned();
                Ok(Done::Refreshed(Refreshed { folder, ca: ca.name.clone(), files }))
            }
        }
    }

    fn fault(&self, message: String, hint: Option<Hint>) -> BadRow {
        BadRow { id: self.name.to_owned(), line: None, message, hint }
    }

    /// The device's certificate: the first of its PEM files, or that of its keystore.
    fn leaf(&self) -> Result<Option<Certificate>> {
        for name in ["cert.pem", "chain.pem", THIN_EDGE_CHAIN] {
            let path = self.dir.join(name);
            if !path.is_file() {
                continue;
            }
            if let Ok(mut all) = Certificate::all_from_pem_or_der(&files::read_small(&path)?) {
                return Ok((!all.is_empty()).then(|| all.swap_remove(0)));
            }
        }
        for (_, bytes) in self.stores()? {
            let Ok(store) = self.open(&bytes) else { continue };
            let leaf = store.entries.iter().find_map(|entry| chain_of(entry.kind())?.first());
            if leaf.is_some() {
                return Ok(leaf.cloned());
            }
        }
        Ok(None)
    }

    /// Its files that are stores.
    fn stores(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let mut stores = Vec::new();
        for path in files::list_dir(self.dir)? {
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
            let is_store = ["p12", "pfx", "pkcs12", "jks"].contains(&ending);
            if is_store && path.is_file() && !path.is_symlink() {
                stores.push((name.to_owned(), files::read_small(&path)?));
            }
        }
        Ok(stores)
    }

    fn password(&self) -> Option<&Password> {
        self.wanted.own_passwords.get(self.name).or(self.wanted.store_password)
    }

    fn open(&self, bytes: &[u8]) -> Result<Store, store::StoreError> {
        store::open(bytes, self.password(), None)
    }

    /// The files whose chain is another one, with what is to be in them; a store that cannot be rewritten keeps all
    /// of them as they are.
    fn changed(&self, chain: &[Certificate]) -> Result<Result<Changed, BadRow>> {
        let mut changed = Vec::new();
        let text: String = chain.iter().map(Certificate::pem).collect();
        for name in ["chain.pem", THIN_EDGE_CHAIN] {
            let path = self.dir.join(name);
            if path.is_file() && files::read_small(&path)? != text.as_bytes() {
                changed.push((name.to_owned(), text.clone().into_bytes()));
            }
        }
        for (name, bytes) in self.stores()? {
            match self.rewritten(&bytes, chain) {
                Ok(None) => {}
                Ok(Some(bytes)) => changed.push((name, bytes)),
                Err(e) => {
                    let message = format!("{name}: {e}; none of its files was changed");
                    return Ok(Err(self.fault(message, e.hint())));
                }
            }
        }
        Ok(Ok(changed))
    }

    /// A store with the chain in place of the one that its key has; none if it has it, or no such key.
    fn rewritten(
        &self,
        bytes: &[u8],
        chain: &[Certificate],
    ) -> Result<Option<Vec<u8>>, store::StoreError> {
        let mut store = self.open(bytes)?;
        let mut is_changed = false;
        for entry in &mut store.entries {
            is_changed |= entry.renew_chain(chain);
        }
        if !is_changed {
            return Ok(None);
        }
        let format = store::detect(bytes)?;
        let mut options = WriteOptions::new(self.password(), self.now);
        if format == Format::Pkcs12 {
            // What reads it today reads the new one.
            let has = |oid: &[u8]| bytes.windows(oid.len()).any(|part| part == oid);
            options.pkcs12 = Pkcs12Options {
                compat: if has(PBES2) { Compat::Modern } else { Compat::Legacy },
                encryption_iterations: self.wanted.iterations,
                mac_iterations: self.wanted.iterations,
                plain_certificates: !has(ENCRYPTED_DATA),
                pbmac1: has(PBMAC1),
            };
        }
        let written = store::write(&store, format, &options)?;
        Ok(Some(written))
    }

    /// Lets a directory with the changed files take the place of the device's, in one step.
    fn replace(&self, changed: &[(String, Vec<u8>)]) -> Result {
        let making = self.wanted.out.join(format!("{MAKING}{}", self.name));
        let aside = self.wanted.out.join(format!("{ASIDE}{}", self.name));
        files::remove_tree(&making)?;
        files::create_private_dir(&making)?;
        let names: Vec<&str> = changed.iter().map(|(name, _)| name.as_str()).collect();
        files::copy_others(self.dir, &making, &names)?;
        for (name, bytes) in changed {
            let path = making.join(name);
            files::write_new(&path, bytes, Access::Private)?;
            files::like(&self.dir.join(name), &path)?;
        }
        files::like(self.dir, &making)?;
        files::sync_tree(&making)?;
        files::rename(&making, &aside)?;
        if !files::exchange(self.dir, &aside)? {
            // Without an exchange the directory is missing between two renames; a run after that finishes it.
            files::rename(self.dir, &making)?;
            files::rename(&aside, self.dir)?;
            files::remove_tree(&making)?;
            return Ok(files::sync_dir(self.wanted.out)?);
        }
        files::sync_dir(self.wanted.out)?;
        Ok(files::remove_tree(&aside)?)
    }
}

fn chain_of(kind: &EntryKind) -> Option<&[Certificate]> {
    match kind {
        EntryKind::Key { chain, .. } | EntryKind::Sealed { chain, .. } => Some(chain),
        _ => None,
    }
}
