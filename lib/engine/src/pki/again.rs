//! A CA of the directory that is taken in again: with more certificates above it, or with a certificate that its
//! issuer has renewed or another one has signed. It stays the same CA as long as its key and subject do.

use time::OffsetDateTime;

use super::import::climb;
use super::renew::RENEWED;
use super::{AuthorityError, Ca, Pki, Result};
use crate::cert::Certificate;
use crate::chain;
use crate::crypto::KeyPolicy;
use crate::files::{self, Access, Existing, Lock};
use crate::issue;
use crate::registry::Replaced;

/// What taking a CA in again has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// Nothing: it is as it was.
    Same,
    /// The certificates above it.
    Completed,
    /// Its certificate; this was the former one.
    Renewed(Box<Certificate>),
}

impl Pki {
    /// Takes in again a CA of the directory. `heap` holds a certificate for its key and subject and, in any order,
    /// those above it. Its former certificate becomes superseded, and stays in its directory.
    ///
    /// Errors: [`AuthorityError::Import`] for certificates of which none is this CA's, or only an older one.
    pub fn take_in_again(
        &mut self,
        name: &str,
        heap: &[Certificate],
        keys: KeyPolicy,
        now: OffsetDateTime,
    ) -> Result<(Ca, Again)> {
        let _lock = Lock::wait(&self.lock_path())?;
        let ca = self.ca(name)?;
        self.check_not_revoked(&ca)?;
        let old = ca.certificate();
        let own = newest(&ca, heap)?;
        if own != old {
            self.check_next(own, keys, now)?;
        }
        let known: Vec<Certificate> = self.cas()?.into_iter().flat_map(|ca| ca.chain).collect();
        let line = climb(own, heap.iter().chain(&known), self.longest_chain())?;
        if own == old && line.len() <= ca.chain.len() {
            return Ok((ca, Again::Same));
        }
        chain::check_ca(&line, now).map_err(Box::new).map_err(AuthorityError::Unusable)?;
        let again = match own == old {
            true => Again::Completed,
            false => Again::Renewed(Box::new(old.clone())),
        };
        let replaces = self.registry.row_of(old)?.map(|row| Replaced { row, revoke: false });
        let parent = self.cas()?.into_iter().find(|ca| line.get(1) == Some(ca.certificate()));
        let next = Ca { chain: line, parent: parent.map(|ca| ca.name), ..ca };
        let path = next.dir.join(RENEWED);
        files::write(&path, next.chain_pem().as_bytes(), Access::Public, Existing::Replace)?;
        // One that is recorded already is not recorded again.
        if let Err(e) = self.record_in_place_of(&next, replaces, now) {
            let _ = files::remove_file(&path);
            return Err(e);
        }
        self.put_in_place(&next, &path)?;
        // Certificates above it have no row with which others would have got them.
        self.publish(now)?;
        Ok((self.ca(name)?, again))
    }

    /// Whether a certificate may take the place of a CA's.
    fn check_next(&self, own: &Certificate, keys: KeyPolicy, now: OffsetDateTime) -> Result<()> {
        issue::check_ca(own)?;
        if let Ok(key) = &own.public_key {
            key.check_fit(keys)?;
        }
        let serial = &own.serial;
        if now > own.not_after {
            let end = own.not_after.date();
            return Err(AuthorityError::Import(format!("the certificate {serial} ended on {end}")));
        }
        if self.registry.has(own)? {
            return Err(AuthorityError::Import(format!(
                "the certificate {serial} of {} is an older one, and was replaced already",
                own.subject
            )));
        }
        Ok(())
    }
}

/// The CA's newest certificate in a heap.
fn newest<'a>(ca: &'a Ca, heap: &'a [Certificate]) -> Result<&'a Certificate> {
    let old = ca.certificate();
    let of_key: Vec<&Certificate> = heap.iter().filter(|c| c.spki == old.spki).collect();
    let name = &ca.name;
    if of_key.is_empty() {
        return Err(AuthorityError::Import(format!(
            "a CA named {name:?} exists already, and none of the certificates is for its key"
        )));
    }
    let own = of_key.iter().copied().filter(|c| c.subject.matches(&old.subject));
    let Some(newest) = own.max_by_key(|c| c.not_before) else {
        return Err(AuthorityError::Import(format!(
            "the certificate for the key of {name} has the subject {}, and the CA's is {}: devices that it has \
             issued would not chain to it",
            of_key[0].subject, old.subject
        )));
    };
    if newest != old && newest.not_before < old.not_before {
        return Err(AuthorityError::Import(format!(
            "the certificate {} of {name} is older than the one that it has, {}",
            newest.serial, old.serial
        )));
    }
    Ok(newest)
}
