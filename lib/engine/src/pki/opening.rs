//! Opening the directory: to write to it or to read it, and what it says of itself then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use time::OffsetDateTime;

use super::ca::{check_name, load_seen, parent_of};
use super::config::{made, own_policies, read_config};
use super::policy::{self, SigningPolicy};
use super::seen_lists::SeenLists;
use super::together::Together;
use super::{AuthorityError, Brought, Ca, CaKey, KeyPool, Pki, Result, server, waiting};
use crate::cert::{Certificate, LongestChain};
use crate::crypto::KeyType;
use crate::files::{self, Cached};
use crate::key::signer::Signer as _;
use crate::registry::{KeptCas, Registry};

impl Pki {
    /// Opens the directory, or makes it with an empty registry.
    pub fn open_or_create(dir: &Path, now: OffsetDateTime) -> Result<Self> {
        Self::make_folder(dir)?;
        Self::open(dir, now)
    }

    /// Opens the directory. CAs that a stopped run has made but not recorded are recorded now; the clock is the
    /// caller's to look at before.
    pub fn open(dir: &Path, now: OffsetDateTime) -> Result<Self> {
        let mut pki = Self::open_unrecorded(dir, now)?;
        pki.record_unfinished(now)?;
        Ok(pki)
    }

    /// Opens the directory and records nothing: what is there can be looked at before `now` is believed.
    /// [`Pki::record_unfinished`] is to be called before it is written to.
    pub fn open_unrecorded(dir: &Path, now: OffsetDateTime) -> Result<Self> {
        let (pki, cas) = Self::open_unsettled(dir, now)?;
        pki.check_known(&cas)?;
        Ok(pki)
    }

    /// Opens the directory as far as its CAs need not be known to its registry.
    pub(super) fn open_unsettled(dir: &Path, now: OffsetDateTime) -> Result<(Self, Vec<Ca>)> {
        Self::open_by(dir, |path| {
            // SQLite would make it with the umask's mode; its side files take over the mode of this.
            files::touch_private(path)?;
            Ok(Registry::open(path, now)?)
        })
    }

    /// Opens the directory for a command that only reads: also where nothing can be written, as on a read-only
    /// file system. Nothing is recorded.
    pub fn open_to_read(dir: &Path, now: OffsetDateTime) -> Result<Self> {
        let (pki, cas) = Self::open_by(dir, |path| {
            if !path.exists() && files::is_folder_writable(path) {
                files::touch_private(path)?;
            }
            Ok(Registry::open_to_read(path, now)?)
        })?;
        pki.check_known(&cas)?;
        Ok(pki)
    }

    pub(super) fn open_by(
        dir: &Path,
        open: impl FnOnce(&Path) -> Result<Registry>,
    ) -> Result<(Self, Vec<Ca>)> {
        let path = dir.join("pki.toml");
        if !path.exists() {
            return Err(AuthorityError::NotAPki(dir.to_owned()));
        }
        let config = read_config(&path)?;
        let longest = config.longest_chain.unwrap_or_default();
        if let Some(registry) = server::open(dir, &path, &config.registry)? {
            return Self::over(dir, registry, longest);
        }
        let registry = dir.join(config.registry);
        let has_registry = files::len(&registry).is_some_and(|bytes| bytes > 0);
        if !has_registry && !files::list_dir(&dir.join("ca"))?.is_empty() {
            let what = "it is missing or empty";
            return Err(AuthorityError::RegistryLost { path: registry, what });
        }
        Self::over(dir, open(&registry)?, longest)
    }

    fn over(dir: &Path, registry: Registry, longest: LongestChain) -> Result<(Self, Vec<Ca>)> {
        registry.check_here()?;
        let mut pki = Self {
            dir: dir.to_owned(),
            registry,
            policies: BTreeMap::new(),
            tables: BTreeMap::new(),
            kept: KeptCas::default(),
            news: Vec::new(),
            longest,
            certified: OnceLock::new(),
            together: Together::default(),
            chains: Cached::default(),
            given: Cached::default(),
            lists: SeenLists::default(),
        };
        if !pki.registry.is_read_only() {
            // Names first: what follows finds a CA by the name of its directory.
            pki.settle_renamings()?;
            pki.settle_renewals()?;
            pki.settle_adoptions()?;
        }
        pki.bring()?;
        let cas = pki.read_policies()?;
        Ok((pki, cas))
    }

    /// Reads pki.toml for what each CA may sign; returns the CAs.
    pub(super) fn read_policies(&mut self) -> Result<Vec<Ca>> {
        let (own, path) = (own_policies(&self.dir)?, self.dir.join("pki.toml"));
        // A draft with a mistake is told, too.
        let mut given = made(&path, &own)?;
        self.tables = own;
        if self.registry.is_shared() {
            self.tables = self.counting(&self.tables.clone())?;
            given = made(&path, &self.tables)?;
        }
        let cas = self.cas()?;
        self.policies = policy::of_all(&cas, &given);
        Ok(cas)
    }

    /// What came from the database when the directory was opened, if the registry is in one that others share.
    pub fn news(&self) -> &[Brought] {
        &self.news
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The registry, to write to.
    pub fn registry_mut(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// What a CA may sign.
    pub fn policy(&self, ca: &str) -> SigningPolicy {
        self.policies.get(ca).cloned().unwrap_or_default()
    }

    pub(super) fn ca_dir(&self, name: &str) -> PathBuf {
        self.dir.join("ca").join(name)
    }

    /// All CAs by name.
    pub fn cas(&self) -> Result<Vec<Ca>> {
        let mut cas = Vec::new();
        for dir in files::list_dir(&self.dir.join("ca"))? {
            let name = dir.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
            // Directories that begin with a dot are CAs in the making.
            if check_name(&name).is_ok() && dir.join("cert.pem").exists() {
                cas.push(load_seen(name, dir, &self.chains)?);
            }
        }
        let all: Vec<(String, Certificate)> =
            cas.iter().map(|ca| (ca.name.clone(), ca.certificate().clone())).collect();
        for ca in &mut cas {
            ca.parent = ca.chain.get(1).and_then(|above| parent_of(above, &all));
        }
        Ok(cas)
    }

    /// Its pool of keys of a type.
    pub fn key_pool(&self, key_type: KeyType) -> KeyPool {
        KeyPool::new(&self.dir, key_type)
    }

    /// A CA by its name.
    pub fn ca(&self, name: &str) -> Result<Ca> {
        self.find_ca(&self.cas()?, name).cloned()
    }

    /// The CA whose key this is. It may have got another name since its key was opened, and another CA the former one.
    pub(super) fn ca_of<'c>(&self, cas: &'c [Ca], key: &CaKey) -> Result<&'c Ca> {
        let spki = key.public_key().spki();
        let mut own = cas.iter().filter(|ca| ca.certificate().spki == spki);
        let first = own.next();
        match own.chain(first).find(|ca| ca.name == key.ca()).or(first) {
            Some(ca) => Ok(ca),
            None => self.find_ca(cas, key.ca()),
        }
    }

    pub(super) fn find_ca<'c>(&self, cas: &'c [Ca], name: &str) -> Result<&'c Ca> {
        waiting::refuse_waiting(&self.dir, name)?;
        cas.iter().find(|ca| ca.name == name).ok_or_else(|| AuthorityError::NoSuchCa {
            name: name.to_owned(),
            pki: self.dir.clone(),
            known: cas.iter().map(|ca| ca.name.clone()).collect(),
        })
    }
}
