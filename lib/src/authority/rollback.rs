//! Is the registry older than what its CAs have made? Cheap: only the last list of each CA is looked at.

use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::{AuthorityError, Ca, NewKey, Pki, Result};
use crate::cert::Certificate;
use crate::crl::Crl;
use crate::files::{self, Lock};
use crate::registry::{Filter, FoundRevocation, Record, Replaced, Role, Status, number_of};

/// What a list has and the registry has not.
#[derive(Debug, Clone)]
pub struct Rollback {
    /// The CA whose list it is.
    pub ca: String,
    /// The list.
    pub list: Crl,
    /// The last number that the registry knows of.
    pub known_number: u64,
    /// What it revokes and the registry does not.
    pub lost: Vec<FoundRevocation>,
}

impl Rollback {
    /// The list's number.
    pub fn number(&self) -> u64 {
        number_of(&self.list)
    }

    /// What differs, as a sentence that begins with the list.
    pub fn sentence(&self) -> String {
        let list = format!("revocation list {} of {}", self.number(), self.ca);
        let Some(first) = self.lost.first() else {
            return match self.known_number {
                0 => format!("{list} was made, and the registry knows of none"),
                known => format!("{list} was made, and the registry knows of list {known} at most"),
            };
        };
        let holder = match first.record.as_ref().and_then(|record| record.client_id.as_deref()) {
            Some(id) => format!(" ({id})"),
            None => String::new(),
        };
        let more = match self.lost.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        format!("{list} revokes {}{holder}{more}, and the registry does not", first.revoked.serial)
    }
}

impl Ca {
    /// Where its last list is.
    pub(super) fn list_path(&self) -> PathBuf {
        self.dir.join("crl.pem")
    }

    /// Its last list; none if it has made none.
    ///
    /// Errors: a file that holds no list, or one that this CA has not signed.
    pub(super) fn last_list(&self) -> Result<Option<Crl>> {
        let path = self.list_path();
        if !path.exists() {
            return Ok(None);
        }
        let bad = |path: PathBuf, problem: String| AuthorityError::LastList { path, problem };
        let found = Crl::all_from_pem_or_der(&files::read(&path)?);
        let list = match found.map(|mut lists| lists.pop()) {
            Ok(Some(list)) => list,
            Ok(None) => return Err(bad(path, "it is empty".to_owned())),
            Err(e) => return Err(bad(path, e.to_string())),
        };
        if !self.has_signed(&list) {
            return Err(bad(path, "it is not signed with this CA's key".to_owned()));
        }
        Ok(Some(list))
    }

    /// Whether a list is this CA's own.
    pub fn has_signed(&self, list: &Crl) -> bool {
        let own = self.certificate();
        list.issuer.matches(&own.subject)
            && own.public_key.as_ref().is_ok_and(|key| list.verify_signature(key).is_ok())
    }
}

impl Pki {
    /// Opens the folder with a registry that may be older than its CAs; returns those that it does not
    /// know, too. It has to know one of them: another folder's registry is not to be repaired.
    pub fn open_to_repair(dir: &Path, now: OffsetDateTime) -> Result<(Self, Vec<Ca>)> {
        let (pki, cas) = Self::open_unsettled(dir, now)?;
        let mut unknown = Vec::new();
        let mut known = cas.is_empty();
        for ca in cas {
            if pki.registry.has(ca.certificate())? {
                known = true;
            } else {
                // It may know a former certificate of it, or devices.
                known |= pki.check_name_is_free(&ca.name, ca.certificate()).is_ok()
                    && !pki.registry.ends_of(&ca.name)?.is_empty();
                unknown.push(ca);
            }
        }
        if !known {
            let path = pki.registry.path().to_owned();
            let what = "it knows none of the CAs of this folder";
            return Err(AuthorityError::RegistryLost { path, what });
        }
        Ok((pki, unknown))
    }

    /// Records a CA of the folder that the registry does not know, in place of its former certificate.
    pub fn record_unknown(&mut self, ca: &Ca, now: OffsetDateTime) -> Result<()> {
        let filter =
            Filter { role: Some(Role::Ca), status: Some(Status::Live), ..Filter::default() };
        let own = ca.certificate();
        let is_former = |record: &Record| {
            record.certificate().is_ok_and(|c| c.spki == own.spki && c.subject == own.subject)
        };
        let former = self.registry.find(&filter)?.into_iter().find(is_former);
        let replaces = former.map(|record| Replaced { row: record.row, revoke: false });
        self.record_in_place_of(ca, replaces, now)
    }

    /// Compares a list of a CA, whose signature was checked, with the registry: none if that knows all.
    pub fn compare_list(&self, ca: &Ca, list: &Crl) -> Result<Option<Rollback>> {
        let known_number = self.registry.crl_number(&ca.name)?;
        let lost = self.registry.lost_revocations(list)?;
        if lost.is_empty() && number_of(list) <= known_number {
            return Ok(None);
        }
        if self.registry.has_accepted(list)? {
            return Ok(None);
        }
        Ok(Some(Rollback { ca: ca.name.clone(), list: list.clone(), known_number, lost }))
    }

    /// Compares the last list in a CA's folder with the registry.
    pub fn compare_last_list(&self, ca: &Ca) -> Result<Option<Rollback>> {
        match ca.last_list()? {
            Some(list) => self.compare_list(ca, &list),
            None => Ok(None),
        }
    }

    /// Accepts that the registry does not have what a CA's last list revokes; returns what is given up.
    pub fn accept_rollback(&mut self, ca: &Ca, now: OffsetDateTime) -> Result<Option<Rollback>> {
        let _lock = Lock::wait(&self.lock_path())?;
        let Some(rollback) = self.compare_last_list(ca)? else { return Ok(None) };
        self.registry.accept_rollback(&ca.name, &rollback.list, &rollback.lost, now)?;
        Ok(Some(rollback))
    }

    /// Refuses to make a list from a registry that is older than the last one.
    pub(super) fn refuse_rollback(&self, ca: &Ca) -> Result<()> {
        match self.compare_last_list(ca)? {
            None => Ok(()),
            Some(rollback) => Err(AuthorityError::RolledBack {
                ca: ca.name.clone(),
                difference: rollback.sentence(),
            }),
        }
    }

    /// Refuses a name under which another CA has issued, whose folder is gone: it would be given that one's
    /// certificates.
    pub(super) fn check_name_is_free(&self, name: &str, own: &Certificate) -> Result<()> {
        for der in self.registry.ends_of(name)? {
            // One whose issuer was never here is recorded under its own name.
            let is_own = |cert: &Certificate| {
                let key = own.public_key.as_ref();
                cert.spki == own.spki || key.is_ok_and(|key| cert.verify_signature(key).is_ok())
            };
            if !Certificate::from_der(&der).is_ok_and(|cert| is_own(&cert)) {
                return Err(AuthorityError::NameOfAnother(name.to_owned()));
            }
        }
        Ok(())
    }

    /// The same before a key is made, which cannot have signed anything yet.
    pub(super) fn check_name_is_unused(&self, name: &str, key: &NewKey<'_>) -> Result<()> {
        match key {
            NewKey::InToken(_) => Ok(()),
            _ if self.registry.ends_of(name)?.is_empty() => Ok(()),
            _ => Err(AuthorityError::NameOfAnother(name.to_owned())),
        }
    }
}
