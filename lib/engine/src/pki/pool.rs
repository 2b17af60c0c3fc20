//! The key pool: keys that were made ahead of time, encrypted, each for one device.
//!
//! ```text
//! <pki>/key-pool/<type>/<key id>.pem              a key that waits
//! <pki>/key-pool/<type>/.drawn/<run>/lock         held while the run lives
//! <pki>/key-pool/<type>/.drawn/<run>/<key id>.pem a key that the run has drawn
//! ```
//!
//! A run draws a key by renaming it, so that no two can have the same. It is removed when the
//! certificate for it is recorded. What a stopped run leaves is settled by the next one: keys that are
//! certified go, the others wait again. The key id is that of RFC 5280, 4.2.1.2 (1), in hex.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::{AuthorityError, Result};
use crate::crypto::{KeyPolicy, KeyType, RsaKeys, hex, sha256};
use crate::files::{self, Access, Existing, OwnDir};
use crate::key::{CA_ITERATIONS, Pbes2Key, PrivateKey};
use crate::registry::{Filter, KeyStart, Registry, key_start};
use crate::secret::Password;

const DRAWN: &str = ".drawn";

/// The keys of one type that wait in a PKI directory.
#[derive(Debug, Clone)]
pub struct KeyPool {
    dir: PathBuf,
    key_type: KeyType,
    maker: RsaKeys,
}

impl KeyPool {
    pub(super) fn new(pki: &Path, key_type: KeyType) -> Self {
        let dir = pki.join("key-pool").join(key_type.name());
        Self { dir, key_type, maker: RsaKeys::default() }
    }

    /// The same pool, which makes RSA keys so.
    #[must_use]
    pub fn made_by(self, maker: RsaKeys) -> Self {
        Self { maker, ..self }
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// How many keys wait in it.
    pub fn len(&self) -> Result<usize> {
        Ok(self.waiting()?.len())
    }

    /// Whether no key waits in it.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    fn waiting(&self) -> Result<Vec<PathBuf>> {
        keys_in(&self.dir)
    }

    /// Keys that wait, and those that are drawn: they may wait again.
    fn all(&self) -> Result<Vec<PathBuf>> {
        let mut paths = self.waiting()?;
        for run in files::list_dir(&self.dir.join(DRAWN))? {
            paths.extend(keys_in(&run)?);
        }
        Ok(paths)
    }

    /// Whether no key is there, neither waiting nor drawn: the next one chooses the password.
    pub fn is_new(&self) -> Result<bool> {
        Ok(self.all()?.is_empty())
    }

    /// Makes keys until `count` wait, on so many threads. Each is durable once `progress` has been told
    /// of it. Returns how many were made; fewer than asked for when `stop` was set.
    ///
    /// Errors: a password that does not open the keys that are there; the file system.
    pub fn fill(
        &self,
        registry: &Registry,
        count: usize,
        password: &Password,
        threads: usize,
        stop: &AtomicBool,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<usize> {
        files::create_private_dir(&self.dir)?;
        // Each key has a name of its own, so that nobody writes a file again that was left half written.
        files::beside::sweep(&self.dir);
        self.settle(registry)?;
        let missing = count.saturating_sub(self.len()?);
        let sealing = match opener(&self.all()?, password)? {
            None => Pbes2Key::new(password, CA_ITERATIONS)?,
            Some(sealing) => sealing,
        };
        let (begun, made) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let failure = Mutex::new(None);
        let work = || -> Result<()> {
            while begun.fetch_add(1, Ordering::Relaxed) < missing && !stop.load(Ordering::Relaxed) {
                let key = PrivateKey::generate_by(self.key_type, self.maker)?;
                let path = self.dir.join(file_name(&key));
                let pem = sealing.seal(&key)?;
                files::write(&path, pem.expose(), Access::Private, Existing::Refuse)?;
                progress(made.fetch_add(1, Ordering::Relaxed) + 1, missing);
            }
            Ok(())
        };
        thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                scope.spawn(|| {
                    if let Err(e) = work() {
                        begun.store(missing, Ordering::Relaxed);
                        failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(e);
                    }
                });
            }
        });
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(e) => Err(e),
            None => Ok(made.into_inner()),
        }
    }

    /// Opens the pool for a run of that name, after settling what stopped runs have left.
    ///
    /// Errors: fewer keys than `count`; a password that does not open them.
    pub(crate) fn draw_for<'a>(
        &self,
        run: &str,
        count: usize,
        password: &'a Password,
        registry: &Registry,
    ) -> Result<Drawing<'a>> {
        self.settle(registry)?;
        let waiting = self.waiting()?;
        if waiting.len() < count {
            return Err(AuthorityError::PoolTooSmall {
                key_type: self.key_type,
                waiting: waiting.len(),
                wanted: count,
            });
        }
        let opening = match opener(&waiting, password)? {
            Some(opening) => opening,
            None => Pbes2Key::new(password, 1)?,
        };
        let dir = OwnDir::create(&self.dir.join(DRAWN).join(run))?;
        let certified = registry.certified_keys()?;
        let waiting = Mutex::new(waiting.into_iter());
        Ok(Drawing { pool: self.clone(), waiting, opening, password, dir, certified })
    }

    /// Settles what runs have left that did not come to their end.
    pub(crate) fn settle(&self, registry: &Registry) -> Result<()> {
        for run in files::list_dir(&self.dir.join(DRAWN))? {
            let Some(run) = OwnDir::take_over(&run)? else { continue };
            let drawn = keys_in(run.path())?;
            let certified = match drawn.is_empty() {
                true => HashSet::new(),
                false => certified(registry, run.path())?,
            };
            for path in drawn {
                let name = path.file_name().unwrap_or_default();
                if certified.contains(&*name.to_string_lossy()) {
                    files::remove_file(&path)?;
                } else {
                    files::rename(&path, &self.dir.join(name))?;
                }
            }
            files::sync_dir(&self.dir)?;
            run.remove()?;
        }
        Ok(())
    }
}

/// The names of key files for which a run has certificates.
fn certified(registry: &Registry, run: &Path) -> Result<HashSet<String>> {
    let mut names = HashSet::new();
    let batch = run.file_name().unwrap_or_default().to_string_lossy();
    let filter = Filter { batch: Some(&batch), ..Filter::default() };
    registry.each(&filter, |record| -> Result<()> {
        if let Ok(certificate) = record.certificate()
            && let Ok(key) = certificate.public_key
        {
            names.insert(format!("{}.pem", hex(&key.key_id())));
        }
        Ok(())
    })?;
    Ok(names)
}

fn file_name(key: &PrivateKey) -> String {
    format!("{}.pem", hex(&key.public_key().key_id()))
}

/// What opens the first of these keys that is still there, and so all that were made with it; checked at
/// that one.
fn opener(paths: &[PathBuf], password: &Password) -> Result<Option<Pbes2Key>> {
    for path in paths {
        let at = |source| AuthorityError::Key { path: path.to_owned(), source };
        let bytes = match files::read(path) {
            // Drawn by another process.
            Err(_) if !path.exists() => continue,
            other => other?,
        };
        let opening = Pbes2Key::of(&bytes, password).map_err(at)?;
        opening.open(&bytes).map_err(at)?;
        return Ok(Some(opening));
    }
    Ok(None)
}

fn keys_in(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = files::list_dir(dir)?;
    paths.retain(|path| path.extension().is_some_and(|e| e == "pem"));
    Ok(paths)
}

/// A pool that a run draws from, on any thread.
#[derive(Debug)]
pub(crate) struct Drawing<'a> {
    pool: KeyPool,
    waiting: Mutex<std::vec::IntoIter<PathBuf>>,
    opening: Pbes2Key,
    password: &'a Password,
    dir: OwnDir,
    /// Keys that came back to the pool, for example with a backup, must not be certified again.
    certified: HashSet<KeyStart>,
}

/// A key that was drawn, and the file that is to go when it is certified.
pub(crate) struct Drawn {
    pub(crate) key: PrivateKey,
    pub(crate) file: PathBuf,
}

impl Drawing<'_> {
    /// Draws a key that nobody else has.
    pub(crate) fn draw(&self) -> Result<Drawn> {
        loop {
            let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(path) = next else {
                let key_type = self.pool.key_type;
                return Err(AuthorityError::PoolTooSmall { key_type, waiting: 0, wanted: 1 });
            };
            let file = self.dir.path().join(path.file_name().unwrap_or_default());
            match files::rename(&path, &file) {
                // Another process was faster.
                Err(_) if !path.exists() => {}
                Err(e) => return Err(e.into()),
                Ok(()) => {
                    let key = self.open(&file)?;
                    if self.certified.contains(&key_start(&sha256(key.public_key().spki()))) {
                        return Err(AuthorityError::KeyUsed(path));
                    }
                    return Ok(Drawn { key, file });
                }
            }
        }
    }

    fn open(&self, file: &Path) -> Result<PrivateKey> {
        let at = |source| AuthorityError::Key { path: file.to_owned(), source };
        let bytes = files::read(file)?;
        let key = match self.opening.open(&bytes).map_err(at)? {
            Some(key) => key,
            // Made at another time, when the pool was empty: with another salt.
            None => PrivateKey::read(&bytes, Some(self.password)).map_err(at)?,
        };
        key.public_key().check_fit(KeyPolicy::default()).map_err(|e| at(e.into()))?;
        Ok(key)
    }

    /// Makes it durable that the keys drawn so far wait no more. Before they are certified: after a power
    /// cut they would be drawn again.
    pub(crate) fn make_durable(&self) -> Result<()> {
        files::sync_dir(self.dir.path())?;
        Ok(files::sync_dir(&self.pool.dir)?)
    }

    /// Ends the run: keys that were drawn and not certified wait again.
    pub(crate) fn close(self, registry: &Registry) -> Result<()> {
        let Self { pool, dir, .. } = self;
        drop(dir);
        pool.settle(registry)
    }
}
