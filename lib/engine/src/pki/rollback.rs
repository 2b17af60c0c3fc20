//! Is the registry older than what its CAs have made? Cheap: only the last list of each CA is looked at.

use std::path::Path;

use time::OffsetDateTime;

use super::last_list::{LastList, Lost};
use super::{AuthorityError, Ca, NewKey, Pki, Result};
use crate::cert::Certificate;
use crate::crl::Crl;
use crate::files::Lock;
use crate::registry::{Filter, FoundRevocation, Record, Replaced, Role, Status, number_of};

/// What a list has and the registry has not.
#[derive(Debug, Clone)]
pub struct Rollback {
    /// The CA whose list it is.
    pub ca: String,
    /// The list.
    pub list: Crl,
    /// Its number.
    pub number: u64,
    /// The last number that the registry knows of.
    pub known_number: u64,
    /// What it revokes and the registry does not.
    pub lost: Vec<FoundRevocation>,
}

impl Rollback {
    /// What differs, as a sentence that begins with the list.
    pub fn sentence(&self) -> String {
        let list = format!("revocation list {} of {}", self.number, self.ca);
        let Some(first) = self.lost.first() else {
            return match self.known_number {
                0 => format!("{list} was made, and the registry knows of none"),
                known => format!("{list} was made, and the registry knows of list {known} at most"),
            };
        };
        let holder = match first.record.as_ref().and_then(|record| record.holder.name()) {
            Some(name) => format!(" ({name})"),
            None => String::new(),
        };
        let more = match self.lost.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        format!("{list} revokes {}{holder}{more}, and the registry does not", first.revoked.serial)
    }
}

impl Pki {
    /// Opens the directory with a registry that may be older than its CAs; returns those that it does not
    /// know, too. It has to know one of them: another directory's registry is not to be repaired.
    pub fn open_to_repair(dir: &Path, now: OffsetDateTime) -> Result<(Self, Vec<Ca>)> {
        let (pki, cas) = Self::open_unsettled(dir, now)?;
        let mut unknown = Vec::new();
        let mut known = cas.is_empty();
        for ca in cas {
            if pki.registry.has(ca.certificate())? {
                known = true;
            } else {
                // It was never used, or the registry knows a former certificate of it, or devices.
                known |= ca.is_unrecorded();
                known |= pki.check_name_is_free(&ca.name, ca.certificate()).is_ok()
                    && !pki.registry.ends_of(&ca.name)?.is_empty();
                unknown.push(ca);
            }
        }
        if !known {
            let path = pki.registry.path().to_owned();
            let what = "it knows none of the CAs of this directory";
            return Err(AuthorityError::RegistryLost { path, what });
        }
        Ok((pki, unknown))
    }

    /// Records a CA of the directory that the registry does not know, in place of its former certificate.
    pub fn record_unknown(&mut self, ca: &Ca, now: OffsetDateTime) -> Result<()> {
        let filter =
            Filter { role: Some(Role::Ca), status: Some(Status::Live), ..Filter::default() };
        let own = ca.certificate();
        let is_former = |record: &Record| {
            record.certificate().is_ok_and(|c| c.spki == own.spki && c.subject == own.subject)
        };
        let former = self.registry.find(&filter)?.into_iter().find(is_former);
        let replaces = former.map(|record| Replaced { row: record.row, revoke: false });
        self.record_in_place_of(ca, replaces, now)?;
        ca.settle()
    }

    /// Compares a list of a CA, whose signature was checked, with the registry: none if that knows all.
    ///
    /// Errors: a number that cannot be gone on from.
    pub fn compare_list(&self, ca: &Ca, list: &Crl) -> Result<Option<Rollback>> {
        let number = number_of(list).map_err(|problem| {
            let (ca, path) = (ca.name.clone(), ca.list_path());
            AuthorityError::LastList { ca, path, problem: problem.into() }
        })?;
        let known_number = self.registry.crl_number(&ca.name)?;
        let lost = self.registry.lost_revocations(list, &ca.certificate().subject)?;
        if lost.is_empty() && number <= known_number {
            return Ok(None);
        }
        if self.registry.has_accepted(list)? {
            return Ok(None);
        }
        let (ca, list) = (ca.name.clone(), list.clone());
        Ok(Some(Rollback { ca, list, number, known_number, lost }))
    }

    /// Compares the last list in a CA's directory with the registry.
    ///
    /// Errors: [`AuthorityError::LastList`] if it has made one, which is not there or cannot be used.
    pub fn compare_last_list(&self, ca: &Ca) -> Result<Option<Rollback>> {
        match self.last_list(ca)? {
            LastList::None => Ok(None),
            LastList::Of(list) => self.compare_list(ca, &list),
            LastList::Lost(lost) => Err(lost.error()),
        }
    }

    /// What is wrong with a CA's last list, if it has made one that cannot be compared.
    pub fn lost_list(&self, ca: &Ca) -> Result<Option<Lost>> {
        match self.last_list(ca)? {
            LastList::Lost(lost) => Ok(Some(lost)),
            LastList::None | LastList::Of(_) => Ok(None),
        }
    }

    /// Accepts that the registry does not have what the last lists of a CA, and of others with its subject,
    /// revoke, or that they are lost; returns what is given up, a sentence each.
    pub fn accept_rollback(&mut self, ca: &Ca, now: OffsetDateTime) -> Result<Vec<String>> {
        let _lock = Lock::wait(&self.lock_path())?;
        let mut accepted = Vec::new();
        for ca in self.with_subject_of(ca)? {
            match self.last_list(&ca)? {
                LastList::None => {}
                LastList::Of(list) => {
                    let Some(rollback) = self.compare_list(&ca, &list)? else { continue };
                    let list = (&rollback.list, rollback.number);
                    self.registry.accept_rollback(&ca.name, list, &rollback.lost, now)?;
                    accepted.push(rollback.sentence());
                }
                LastList::Lost(lost) => {
                    self.registry.accept_loss(&ca.name, lost.number, now)?;
                    accepted.push(lost.sentence());
                }
            }
        }
        Ok(accepted)
    }

    /// A CA, then others of its subject, whose lists are about the same certificates.
    pub(super) fn with_subject_of(&self, ca: &Ca) -> Result<Vec<Ca>> {
        let subject = &ca.certificate().subject;
        let is_one =
            |other: &Ca| other.name != ca.name && other.certificate().subject.matches(subject);
        let others = self.cas()?.into_iter().filter(is_one);
        Ok([ca.clone()].into_iter().chain(others).collect())
    }

    /// Whether the next list of a CA may be made, by the last lists of its subject: what [`Pki::make_crl`] looks
    /// at again when it makes it.
    pub fn check_last_lists(&self, ca: &Ca) -> Result<()> {
        self.refuse_rollback(&self.with_subject_of(ca)?)
    }

    /// Refuses to make a list from a registry that is older than the last one of its issuer.
    pub(super) fn refuse_rollback(&self, all: &[Ca]) -> Result<()> {
        for ca in all {
            if let Some(rollback) = self.compare_last_list(ca)? {
                let refused = format!("no list of {} is made", all[0].name);
                return Err(rolled_back(&rollback, refused));
            }
        }
        Ok(())
    }

    /// Refuses to sign for a CA with a registry that is older than its last list: only that is looked at.
    pub fn check_not_rolled_back(&self, ca: &Ca) -> Result<()> {
        match self.last_list(ca)? {
            LastList::None => Ok(()),
            LastList::Of(list) => match self.compare_list(ca, &list)? {
                None => Ok(()),
                Some(rollback) => Err(rolled_back(&rollback, format!("{} signs nothing", ca.name))),
            },
            LastList::Lost(lost) if lost.is_newer => Err(lost.error()),
            // The registry knows what it revoked.
            LastList::Lost(_) => Ok(()),
        }
    }

    /// Refuses a name under which another CA has issued, whose directory is gone: it would be given that one's
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

fn rolled_back(rollback: &Rollback, refused: String) -> AuthorityError {
    AuthorityError::RolledBack { ca: rollback.ca.clone(), refused, difference: rollback.sentence() }
}
