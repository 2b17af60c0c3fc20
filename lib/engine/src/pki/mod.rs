//! The PKI directory: its CAs, their keys, its registry.
//!
//! ```text
//! pki/pki.toml           version of the directory's form, the longest chain, signing policies (see [`policy`])
//! pki/registry.sqlite    what has been issued
//! pki/ca/<name>/         cert.pem, chain.pem (itself … root), key.pem (encrypted, 0600) or key.uri
//!                        (of a key in a token), crl.pem, last-list.json (its number)
//! ```
//!
//! A CA appears with all its files or not at all: they are written to a directory beside it, which is
//! then renamed. Changes to CAs hold a lock on `pki.toml`'s neighbour `pki.lock`.

mod again;
mod check;
mod clock;
mod config;
mod device_request;
mod error;
mod folder;
mod history;
mod import;
mod issued;
mod key;
mod last_list;
mod longest;
mod owners;
pub mod policy;
mod pool;
mod refusal;
mod rename;
mod renew;
mod revocation;
mod rollback;
mod seen_lists;
mod server_rules;
mod unrecorded;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use time::OffsetDateTime;

pub use again::Again;
pub use check::{TokenKeyStanding, TokenKeyState};
use config::{read_config, read_policies};
pub(crate) use device_request::id_of;
pub use device_request::{DeviceRequest, Replacing};
pub use error::AuthorityError;
pub use history::{Former, History, Untaken, certificates_in};
pub use import::find_own;
pub use issued::Issued;
pub(crate) use issued::has_twin;
use key::StoredKey;
pub use key::{CaKey, KeyPlace, NewKey, OwnKey};
pub use last_list::Lost;
pub(crate) use owners::KeyOwners;
use policy::SigningPolicy;
pub use pool::KeyPool;
pub(crate) use pool::{Drawing, Drawn};
pub use refusal::RequestError;
pub use rollback::Rollback;
use seen_lists::SeenLists;
use unrecorded::UNRECORDED;

use crate::cert::{Certificate, LongestChain, Serial};
use crate::client_id::is_kept_by_windows;
use crate::crl::Reason;
use crate::crypto::{KeyPolicy, KeyType};
use crate::files::{self, Access, Existing, Lock};
use crate::issue::{self, BeyondIssuer, Issuer, Order, Validity};
use crate::key::signer::Signer;
use crate::name::Name;
use crate::profile::{Kind, PathLength, Profile};
use crate::registry::{Adopted, Holder, NewRecord, Newcomers, Registry, RegistryError, Replaced};
use crate::secret::Password;

/// Longest name of a CA, in characters.
pub const MAX_NAME: usize = 64;

/// How the directory of a CA begins until it is whole.
const IN_THE_MAKING: &str = ".new-";

type Result<T> = std::result::Result<T, AuthorityError>;

/// A CA of the directory: what is known of it without its key.
#[derive(Debug, Clone)]
pub struct Ca {
    /// Its name: that of its directory.
    pub name: String,
    /// Its certificate and those above it, the root last.
    pub chain: Vec<Certificate>,
    /// Name of the CA above it, if that is in the directory too.
    pub parent: Option<String>,
    dir: PathBuf,
    key: KeyPlace,
}

impl Ca {
    /// Its certificate.
    pub fn certificate(&self) -> &Certificate {
        // `load` refuses an empty chain.
        &self.chain[0]
    }

    /// The PEM of its chain: itself … root.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(Certificate::pem).collect()
    }

    /// Its directory.
    #[doc(hidden)]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where its key is.
    #[doc(hidden)]
    pub fn key_place(&self) -> &KeyPlace {
        &self.key
    }

    /// Opens its key: with the password of its file, or the PIN of its token.
    pub fn unlock(&self, secret: &Password) -> Result<CaKey> {
        self.unlock_through(secret, None)
    }

    /// The same, with the PKCS#11 module for a key in a token whose URI names none.
    pub fn unlock_through(&self, secret: &Password, module: Option<&Path>) -> Result<CaKey> {
        let own = self.certificate().public_key.as_ref().ok();
        Ok(CaKey::new(&self.name, self.key.open(secret, module, own)?))
    }
}

/// How a new CA is to be.
#[derive(Debug, Clone)]
pub struct CaSettings<'a> {
    /// Its profile, of kind `root` or `intermediate`.
    pub profile: &'a Profile,
    /// Its subject.
    pub subject: &'a Name,
    /// Validity in days, in place of the profile's.
    pub days: Option<u32>,
    /// Path length, in place of the profile's.
    pub path_length: Option<PathLength>,
    /// What to do when it would outlive its issuer.
    pub beyond_issuer: BeyondIssuer,
    /// Where its key comes from, and where it is kept.
    pub key: NewKey<'a>,
}

/// An open PKI directory. Threads can share it.
#[derive(Debug)]
pub struct Pki {
    dir: PathBuf,
    registry: Registry,
    policies: BTreeMap<String, SigningPolicy>,
    longest: LongestChain,
    /// The keys that are certified, once [`Pki::issue`] has asked for them.
    certified: Mutex<Option<Newcomers>>,
    /// The last lists that it has looked at.
    lists: SeenLists,
}

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
    fn open_unsettled(dir: &Path, now: OffsetDateTime) -> Result<(Self, Vec<Ca>)> {
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

    fn open_by(
        dir: &Path,
        open: impl FnOnce(&Path) -> Result<Registry>,
    ) -> Result<(Self, Vec<Ca>)> {
        let path = dir.join("pki.toml");
        if !path.exists() {
            return Err(AuthorityError::NotAPki(dir.to_owned()));
        }
        let config = read_config(&path)?;
        let longest = config.longest_chain.unwrap_or_default();
        let registry = dir.join(config.registry);
        let has_registry = files::len(&registry).is_some_and(|bytes| bytes > 0);
        if !has_registry && !files::list_dir(&dir.join("ca"))?.is_empty() {
            let what = "it is missing or empty";
            return Err(AuthorityError::RegistryLost { path: registry, what });
        }
        let registry = open(&registry)?;
        let policies = BTreeMap::new();
        let (certified, lists) = (Mutex::new(None), SeenLists::default());
        let mut pki = Self { dir: dir.to_owned(), registry, policies, longest, certified, lists };
        if !pki.registry.is_read_only() {
            // Names first: what follows finds a CA by the name of its directory.
            pki.settle_renamings()?;
            pki.settle_renewals()?;
            pki.settle_adoptions()?;
        }
        let cas = pki.read_policies()?;
        Ok((pki, cas))
    }

    /// Reads pki.toml for what each CA may sign; returns the CAs.
    fn read_policies(&mut self) -> Result<Vec<Ca>> {
        let path = self.dir.join("pki.toml");
        let given = read_policies(&self.dir, &path, &read_config(&path)?)?;
        let cas = self.cas()?;
        self.policies = policy::of_all(&cas, &given);
        Ok(cas)
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

    fn ca_dir(&self, name: &str) -> PathBuf {
        self.dir.join("ca").join(name)
    }

    /// All CAs by name.
    pub fn cas(&self) -> Result<Vec<Ca>> {
        let mut cas = Vec::new();
        for dir in files::list_dir(&self.dir.join("ca"))? {
            let name = dir.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
            // Directories that begin with a dot are CAs in the making.
            if check_name(&name).is_ok() && dir.join("cert.pem").exists() {
                cas.push(load(name, dir)?);
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

    fn find_ca<'c>(&self, cas: &'c [Ca], name: &str) -> Result<&'c Ca> {
        cas.iter().find(|ca| ca.name == name).ok_or_else(|| AuthorityError::NoSuchCa {
            name: name.to_owned(),
            pki: self.dir.clone(),
            known: cas.iter().map(|ca| ca.name.clone()).collect(),
        })
    }

    /// Makes a root CA.
    pub fn init_root(
        &mut self,
        name: &str,
        settings: &CaSettings<'_>,
        now: OffsetDateTime,
    ) -> Result<Ca> {
        want_kind(settings.profile, Kind::Root)?;
        let _lock = self.lock_for(name)?;
        self.check_name_is_unused(name, &settings.key)?;
        let kept = settings.key.make(settings.profile.key)?;
        let key = kept.signer.as_ref();
        key.public_key().check_fit(KeyPolicy::default())?;
        let wanted = settings.path_length.unwrap_or(settings.profile.path_length);
        let order = Order {
            profile: settings.profile,
            subject: settings.subject,
            public_key: key.public_key(),
            serial: Serial::random()?,
            validity: Validity::of(settings.profile, now, settings.days),
            path_length: issue::path_length(wanted, &[], self.longest)?,
        };
        let certificate = issue::self_sign(&order, key)?;
        self.check_key_is_free(&certificate, |_| true)?;
        self.check_name_is_free(name, &certificate)?;
        Ok(self.keep(name, vec![certificate], &kept, None, now)?.0)
    }

    /// Makes an intermediate CA under `parent`, whose key is at hand.
    pub fn add_intermediate(
        &mut self,
        name: &str,
        parent: &Ca,
        parent_key: &dyn Signer,
        settings: &CaSettings<'_>,
        now: OffsetDateTime,
    ) -> Result<Ca> {
        want_kind(settings.profile, Kind::Intermediate)?;
        self.policy(&parent.name).check_subject(&parent.certificate().subject, settings.subject)?;
        let _lock = self.lock_for(name)?;
        // As it is now: it may have been renewed since the caller looked.
        let parent = &self.ca(&parent.name)?;
        self.check_not_revoked(parent)?;
        self.check_not_rolled_back(parent)?;
        policy::check_names(parent, settings.subject, &[])?;
        let wanted = settings.path_length.unwrap_or(settings.profile.path_length);
        let path_length = issue::path_length(wanted, &parent.chain, self.longest)?;
        let issuer = Issuer::new(parent.certificate(), parent_key, now)?;
        let validity = Validity::of(settings.profile, now, settings.days);
        let validity = issuer.fit(validity, settings.beyond_issuer)?;
        self.check_name_is_unused(name, &settings.key)?;
        let kept = settings.key.make(settings.profile.key)?;
        kept.signer.public_key().check_fit(KeyPolicy::default())?;
        let order = Order {
            profile: settings.profile,
            subject: settings.subject,
            public_key: kept.signer.public_key(),
            serial: Serial::random()?,
            validity,
            path_length,
        };
        let mut chain = vec![issue::issue(&order, &issuer)?];
        self.check_key_is_free(&chain[0], |_| true)?;
        self.check_name_is_free(name, &chain[0])?;
        chain.extend(parent.chain.iter().cloned());
        Ok(self.keep(name, chain, &kept, None, now)?.0)
    }

    fn lock_for(&self, name: &str) -> Result<Lock> {
        check_name(name)?;
        let lock = Lock::wait(&self.lock_path())?;
        Self::check_new_name(&self.dir, name)?;
        Ok(lock)
    }

    /// Whether a new CA may have this name in a PKI directory, which need not be there yet: to be asked
    /// before anybody is asked for a secret.
    pub fn check_new_name(pki: &Path, name: &str) -> Result<()> {
        check_name(name)?;
        if is_kept_by_windows(name) {
            return Err(AuthorityError::NameOfWindows(name.to_owned()));
        }
        match pki.join("ca").join(name).exists() {
            true => Err(AuthorityError::NameTaken(name.to_owned())),
            false => Ok(()),
        }
    }

    /// Refuses the key of a CA of the directory whose certificate is one of those, and a key that the registry
    /// has for another CA, a device or a revoked certificate. A CA that is taken in again, since its directory was
    /// lost, has its own.
    fn check_key_is_free(
        &self,
        own: &Certificate,
        is_one: impl Fn(&Certificate) -> bool,
    ) -> Result<()> {
        let has_it = |ca: &Ca| ca.certificate().spki == own.spki && is_one(ca.certificate());
        if let Some(other) = self.cas()?.into_iter().find(has_it) {
            return Err(AuthorityError::KeyTaken(format!("the CA {:?}", other.name)));
        }
        for record in self.registry.with_key(&own.spki)? {
            let other = record.certificate();
            let is_ca = record.holder == Holder::Ca;
            let is_own = is_ca && other.is_ok_and(|other| other == *own || !is_one(&other));
            let holder = record.whose();
            match record.revoked {
                None | Some((_, Reason::Superseded)) if is_own => {}
                None => return Err(AuthorityError::KeyTaken(holder)),
                Some(_) => {
                    let revoked = format!("a revoked certificate, {} of {holder}", record.serial);
                    return Err(AuthorityError::KeyTaken(revoked));
                }
            }
        }
        Ok(())
    }

    /// Writes the directory of a new CA and records it; what it did before is recorded first, with it.
    fn keep(
        &mut self,
        name: &str,
        chain: Vec<Certificate>,
        kept: &StoredKey<'_>,
        history: Option<&History>,
        now: OffsetDateTime,
    ) -> Result<(Ca, Adopted)> {
        let staging = self.dir.join("ca").join(format!("{IN_THE_MAKING}{name}"));
        files::remove_tree(&staging)?;
        files::create_private_dir(&staging)?;
        let chain_pem: String = chain.iter().map(Certificate::pem).collect();
        let put = |file: &str, bytes: &[u8], access| {
            files::write(&staging.join(file), bytes, access, Existing::Refuse)
        };
        let written = put(kept.file, kept.bytes.expose(), Access::Private)
            .and_then(|()| put("chain.pem", chain_pem.as_bytes(), Access::Public))
            .and_then(|()| put("cert.pem", chain[0].pem().as_bytes(), Access::Public))
            .and_then(|()| put(UNRECORDED, b"", Access::Public));
        let placed = written.map_err(AuthorityError::from).and_then(|()| {
            let adopted = match history {
                Some(history) => self.adopt_staged(name, &staging, history, now)?,
                None => Adopted::default(),
            };
            files::rename(&staging, &self.ca_dir(name))?;
            Ok(adopted)
        });
        let adopted = match placed {
            Ok(adopted) => adopted,
            Err(e) => {
                // What is recorded waits for its place.
                if !self.registry.has(&chain[0])? {
                    let _ = files::remove_tree(&staging);
                }
                return Err(e);
            }
        };
        let ca = self.ca(name)?;
        let recorded = self.record_with(&ca, None, true, now);
        if let Err(AuthorityError::Registry(RegistryError::KeyTaken { .. })) = recorded {
            // Somebody has had its key certified in the meantime: there is no such CA.
            files::remove_tree(&ca.dir)?;
        }
        recorded?;
        ca.settle()?;
        Ok((ca, adopted))
    }

    /// Records a new CA whose directory is still in the making, with what it did before.
    fn adopt_staged(
        &mut self,
        name: &str,
        staging: &Path,
        history: &History,
        now: OffsetDateTime,
    ) -> Result<Adopted> {
        let mut ca = load(name.to_owned(), staging.to_owned())?;
        let all: Vec<(String, Certificate)> =
            self.cas()?.into_iter().map(|ca| (ca.name.clone(), ca.certificate().clone())).collect();
        ca.parent = ca.chain.get(1).and_then(|above| parent_of(above, &all));
        let place = Ca { dir: self.ca_dir(name), ..ca.clone() };
        // One whose directory was lost is recorded already.
        let is_new = !self.registry.has(ca.certificate())?;
        let own = is_new.then(|| record_of(&place, None, true));
        self.adopt_new(&ca, history, own, now)
    }

    /// Records a CA's certificate under the name of the CA that issued it, if it is in the directory.
    fn record(&mut self, ca: &Ca, now: OffsetDateTime) -> Result<()> {
        self.record_in_place_of(ca, None, now)
    }

    fn record_in_place_of(
        &mut self,
        ca: &Ca,
        replaces: Option<Replaced>,
        now: OffsetDateTime,
    ) -> Result<()> {
        self.record_with(ca, replaces, false, now)
    }

    fn record_with(
        &mut self,
        ca: &Ca,
        replaces: Option<Replaced>,
        key_from_outside: bool,
        now: OffsetDateTime,
    ) -> Result<()> {
        if self.registry.has(ca.certificate())? {
            return Ok(());
        }
        let record = record_of(ca, replaces, key_from_outside);
        Ok(self.registry.record(&history::own_batch(&ca.name), now, &[record])?)
    }
}

/// A CA's certificate as it is recorded: under the name of the CA that issued it, if it is in the directory.
fn record_of(ca: &Ca, replaces: Option<Replaced>, key_from_outside: bool) -> NewRecord {
    NewRecord {
        ca: ca.parent.as_ref().unwrap_or(&ca.name).clone(),
        holder: Holder::Ca,
        certificate: ca.certificate().into(),
        details: BTreeMap::new(),
        location: std::path::absolute(&ca.dir).ok(),
        has_key: true,
        bundle: None,
        replaces,
        key_from_outside,
    }
}

/// The CA whose certificate this is, or was before it was renewed.
fn parent_of(above: &Certificate, all: &[(String, Certificate)]) -> Option<String> {
    let same = all.iter().find(|(_, cert)| cert == above);
    let renewed = || {
        all.iter().find(|(_, cert)| cert.spki == above.spki && cert.subject.matches(&above.subject))
    };
    same.or_else(renewed).map(|(name, _)| name.clone())
}

fn check_name(name: &str) -> Result<()> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let first = name.bytes().next().is_some_and(fits);
    let rest = name.bytes().all(|b| fits(b) || b == b'-' || b == b'_');
    if first && rest && name.len() <= MAX_NAME {
        Ok(())
    } else {
        Err(AuthorityError::BadName(name.to_owned()))
    }
}

fn want_kind(profile: &Profile, wanted: Kind) -> Result<()> {
    let word = |kind| match kind {
        Kind::Root => "root CA",
        Kind::Intermediate => "intermediate CA",
        Kind::Device => "device",
        Kind::Server => "server",
    };
    if profile.kind == wanted {
        return Ok(());
    }
    Err(AuthorityError::WrongProfile {
        profile: profile.name.clone(),
        is: word(profile.kind),
        wanted: word(wanted),
    })
}

fn load(name: String, dir: PathBuf) -> Result<Ca> {
    let path = dir.join("chain.pem");
    let bytes = files::read(&path)?;
    let chain = Certificate::all_from_pem_or_der(&bytes)
        .map_err(|e| AuthorityError::Certificate { path, source: Box::new(e.into()) })?;
    let key = KeyPlace::in_dir(&dir)?;
    Ok(Ca { name, chain, parent: None, dir, key })
}
