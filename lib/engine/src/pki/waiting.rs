//! A CA that waits for its certificate: its key and its request are here, and its issuer is elsewhere.
//!
//! Its directory has `request.pem` and the key, and no `cert.pem`, so it is no CA yet. It appears with both or not at
//! all; when the answer comes, `cert.pem` is written last, and from then on it is a CA whose making was stopped until
//! the registry has it (`unrecorded`). A run that was stopped before that leaves it waiting.

use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::import::climb;
use super::key::{KeyPlace, NewKey};
use super::unrecorded::{REQUEST, UNRECORDED};
use super::{AuthorityError, Ca, IN_THE_MAKING, Pki, Result, check_name};
use crate::cert::Certificate;
use crate::chain;
use crate::crypto::{KeyPolicy, KeyType};
use crate::csr::{self, Request};
use crate::files::{self, Access, Existing, Lock};
use crate::issue;
use crate::name::Name;
use crate::registry::RegistryError;

/// A CA that waits for its certificate.
#[derive(Debug, Clone)]
pub struct WaitingCa {
    /// Its name.
    pub name: String,
    /// Its request.
    pub request: Request,
    /// The request as it was written, in PEM.
    pub pem: String,
    dir: PathBuf,
    key: KeyPlace,
}

impl WaitingCa {
    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file of its request.
    pub fn request_path(&self) -> PathBuf {
        self.dir.join(REQUEST)
    }

    /// Where its key is.
    pub fn key_place(&self) -> &KeyPlace {
        &self.key
    }

    fn load(name: &str, dir: PathBuf) -> Result<Self> {
        let path = dir.join(REQUEST);
        let bytes = files::read_small(&path)?;
        let unfit = |source| AuthorityError::Request { path: path.clone(), source };
        let request = Request::all_from_pem_or_der(&bytes).map_err(unfit)?.into_iter().next();
        let request = request.unwrap_or(Err(csr::CsrError::NoRequest)).map_err(unfit)?;
        let pem = String::from_utf8_lossy(&bytes).into_owned();
        let key = KeyPlace::in_dir(&dir)?;
        Ok(Self { name: name.to_owned(), request, pem, dir, key })
    }
}

/// What a CA asks of another one.
#[derive(Debug, Clone)]
pub struct CaWish<'a> {
    /// Its subject.
    pub subject: &'a Name,
    /// The type of its key.
    pub key_type: KeyType,
    /// Where its key comes from, and where it is kept.
    pub key: NewKey<'a>,
    /// How many CAs it wants to have below it; none if its issuer decides.
    pub path_length: Option<u8>,
    /// The key usages that it asks for.
    pub key_usage: &'a [String],
}

/// What came of the answer to a request.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The CA.
    pub ca: Ca,
    /// The subject that the request has, if the issuer gave it another one.
    pub asked: Option<Name>,
}

/// Whether a directory is that of a CA that waits.
pub(super) fn is_waiting(dir: &Path) -> bool {
    dir.join(REQUEST).exists() && !dir.join("cert.pem").exists()
}

/// Says that a CA waits, if it does.
pub(super) fn refuse_waiting(pki: &Path, name: &str) -> Result<()> {
    let dir = pki.join("ca").join(name);
    match is_waiting(&dir) {
        true => Err(AuthorityError::Waiting { name: name.to_owned(), request: dir.join(REQUEST) }),
        false => Ok(()),
    }
}

impl Pki {
    /// The CAs that wait for their certificates, by name.
    pub fn waiting(&self) -> Result<Vec<WaitingCa>> {
        let mut all = Vec::new();
        for dir in files::list_dir(&self.dir.join("ca"))? {
            let name = dir.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
            if check_name(&name).is_ok() && is_waiting(&dir) {
                all.push(WaitingCa::load(&name, dir)?);
            }
        }
        Ok(all)
    }

    /// The CA of that name, if it waits for its certificate.
    pub fn waiting_ca(&self, name: &str) -> Result<Option<WaitingCa>> {
        check_name(name)?;
        let dir = self.ca_dir(name);
        is_waiting(&dir).then(|| WaitingCa::load(name, dir)).transpose()
    }

    /// Makes the key of a CA whose issuer is elsewhere, and its request.
    ///
    /// Errors: a name that is taken, also by a CA that waits; a key that somebody has.
    pub fn request_ca(&mut self, name: &str, wish: &CaWish<'_>) -> Result<WaitingCa> {
        let _lock = self.lock_for(name)?;
        self.check_name_is_unused(name, &wish.key)?;
        let kept = wish.key.make(wish.key_type)?;
        let key = kept.signer.as_ref();
        key.public_key().check_fit(KeyPolicy::default())?;
        self.check_unclaimed(key.public_key().spki())?;
        let der = csr::make_for_ca(wish.subject, wish.path_length, wish.key_usage, key)
            .map_err(|source| AuthorityError::Request { path: self.ca_dir(name), source })?;
        let staging = self.dir.join("ca").join(format!("{IN_THE_MAKING}{name}"));
        files::remove_tree(&staging)?;
        files::create_private_dir(&staging)?;
        let put = |file: &str, bytes: &[u8], access| {
            files::write(&staging.join(file), bytes, access, Existing::Refuse)
        };
        let placed = put(kept.file, kept.bytes.expose(), Access::Private)
            .and_then(|()| put(REQUEST, csr::pem(&der).as_bytes(), Access::Public))
            .and_then(|()| files::rename(&staging, &self.ca_dir(name)));
        if let Err(e) = placed {
            let _ = files::remove_tree(&staging);
            return Err(e.into());
        }
        WaitingCa::load(name, self.ca_dir(name))
    }

    /// Refuses a key that a CA of the directory or a recorded certificate has, or another CA that waits.
    fn check_unclaimed(&self, spki: &[u8]) -> Result<()> {
        let has_it = |other: &WaitingCa| {
            other.request.public_key.as_ref().is_ok_and(|key| key.spki() == spki)
        };
        if let Some(other) = self.waiting()?.into_iter().find(has_it) {
            return Err(AuthorityError::KeyTaken(format!("the CA {:?}", other.name)));
        }
        if let Some(other) = self.cas()?.into_iter().find(|ca| ca.certificate().spki == spki) {
            return Err(AuthorityError::KeyTaken(format!("the CA {:?}", other.name)));
        }
        match self.registry.with_key(spki)?.first() {
            Some(record) => Err(AuthorityError::KeyTaken(record.whose())),
            None => Ok(()),
        }
    }

    /// Takes in the certificate of a CA that waits for it. `heap` holds that and, in any order, those above it.
    ///
    /// Errors: [`AuthorityError::NotAnswered`] if none is for the key of the request; a certificate of no CA, or one
    /// under which no device can connect. The CA goes on waiting then.
    pub fn take_answer(
        &mut self,
        name: &str,
        heap: &[Certificate],
        keys: KeyPolicy,
        now: OffsetDateTime,
    ) -> Result<Answered> {
        let _lock = Lock::wait(&self.lock_path())?;
        let Some(waiting) = self.waiting_ca(name)? else {
            // It has its certificate already, or it is not there.
            self.ca(name)?;
            return Err(AuthorityError::NameTaken(name.to_owned()));
        };
        let own = answer_to(&waiting, heap)?;
        issue::check_ca(own)?;
        if let Ok(key) = &own.public_key {
            key.check_fit(keys)?;
        }
        self.check_key_is_free(own, |_| true)?;
        self.check_name_is_free(name, own)?;
        let known: Vec<Certificate> = self.cas()?.into_iter().flat_map(|ca| ca.chain).collect();
        let line = climb(own, heap.iter().chain(&known), self.longest_chain())?;
        chain::check_ca(&line, now).map_err(Box::new).map_err(AuthorityError::Unusable)?;
        self.put_answer(&waiting, &line, now)?;
        let asked = waiting.request.subject;
        let asked = (!asked.matches(&own.subject)).then_some(asked);
        Ok(Answered { ca: self.ca(name)?, asked })
    }

    /// Writes the chain of a CA that has waited, its certificate last, and records it.
    fn put_answer(
        &mut self,
        waiting: &WaitingCa,
        line: &[Certificate],
        now: OffsetDateTime,
    ) -> Result<()> {
        let dir = &waiting.dir;
        let put = |file: &str, text: &str| {
            files::write(&dir.join(file), text.as_bytes(), Access::Public, Existing::Replace)
        };
        let chain: String = line.iter().map(Certificate::pem).collect();
        put(UNRECORDED, "")?;
        put("chain.pem", &chain)?;
        put("cert.pem", &line[0].pem())?;
        let ca = self.ca(&waiting.name)?;
        let recorded = self.record_with(&ca, None, true, now);
        if let Err(AuthorityError::Registry(RegistryError::KeyTaken { .. })) = recorded {
            // Somebody has had its key certified in the meantime: it is no CA.
            files::remove_file(&dir.join("cert.pem"))?;
        }
        recorded?;
        files::beside::sweep(dir);
        ca.settle()
    }
}

/// The certificate that answers a request: the newest for its key.
fn answer_to<'a>(waiting: &WaitingCa, heap: &'a [Certificate]) -> Result<&'a Certificate> {
    let wanted = waiting.request.public_key.as_ref().ok().map(|key| key.spki());
    let own = heap.iter().filter(|cert| Some(cert.spki.as_slice()) == wanted);
    own.max_by_key(|cert| cert.not_before).ok_or_else(|| AuthorityError::NotAnswered {
        name: waiting.name.clone(),
        subjects: heap.iter().map(|cert| cert.subject.clone()).collect(),
    })
}
