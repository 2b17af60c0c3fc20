//! Renewing a CA: the same name, key and extensions with new dates, so that everything it has
//! signed stays valid.
//!
//! The new chain is first written beside the old one, then recorded (which supersedes the old
//! certificate), then put in its place, also in the chains of the CAs below. A run that was stopped
//! in between is settled when the directory is opened: finished if the registry has the new
//! certificate, forgotten if not.

use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::{AuthorityError, Ca, Pki, Result};
use crate::cert::{Certificate, Serial};
use crate::crypto::KeyPolicy;
use crate::files::{self, Access, Existing, Lock, beside};
use crate::issue::{self, BeyondIssuer, Issuer, Validity};
use crate::key::signer::Signer;
use crate::registry::Replaced;

/// The new chain of a CA whose renewal is under way.
pub(super) const RENEWED: &str = "renewed.pem";

/// How the name of a file with a former certificate of a CA begins.
pub(crate) const FORMER: &str = "former-";

impl Pki {
    /// Renews a CA. `key` is that of its issuer: its parent in this directory, or its own for a root.
    /// With `revoke` its former certificate is revoked, not just superseded.
    ///
    /// Errors: an issuer that is not in this directory; a validity that outlives it; a certificate that
    /// was signed by another key.
    pub fn renew_ca(
        &mut self,
        name: &str,
        key: &dyn Signer,
        validity: Validity,
        beyond_issuer: BeyondIssuer,
        revoke: bool,
        now: OffsetDateTime,
    ) -> Result<Ca> {
        let _lock = Lock::wait(&self.lock_path())?;
        let ca = self.ca(name)?;
        self.check_not_revoked(&ca)?;
        let (old, above) = (ca.certificate(), self.issuer_of(&ca)?);
        if let Ok(own) = &old.public_key {
            // An exponent of 3 was let through when the CA was taken in.
            own.check_fit(KeyPolicy { allow_exponent_3: true })?;
        }
        let renewed = match &above {
            None => {
                // A root that has ended may renew itself: its key is what counts.
                let issuer = Issuer::new(old, key, now.clamp(old.not_before, old.not_after))?;
                issue::renew(old, &Serial::random()?, validity, &issuer)?
            }
            Some(parent) => {
                let issuer = Issuer::new(parent.certificate(), key, now)?;
                let validity = issuer.fit(validity, beyond_issuer)?;
                issue::renew(old, &Serial::random()?, validity, &issuer)?
            }
        };
        let replaces = self.registry.row_of(old)?.map(|row| Replaced { row, revoke });
        let mut chain = vec![renewed];
        chain.extend(above.map(|parent| parent.chain).unwrap_or_default());
        let path = ca.dir.join(RENEWED);
        let next = Ca { chain, ..ca };
        files::write(&path, next.chain_pem().as_bytes(), Access::Public, Existing::Replace)?;
        if let Err(e) = self.record_in_place_of(&next, replaces, now) {
            let _ = files::remove_file(&path);
            return Err(e);
        }
        self.put_in_place(&next, &path)?;
        self.ca(name)
    }

    /// The CA that signs a CA's certificate; none if it signs itself.
    pub fn issuer_of(&self, ca: &Ca) -> Result<Option<Ca>> {
        match &ca.parent {
            Some(parent) => Ok(Some(self.ca(parent)?)),
            None if ca.certificate().is_self_issued() => Ok(None),
            None => Err(AuthorityError::IssuerElsewhere {
                name: ca.name.clone(),
                issuer: ca.certificate().issuer.to_string(),
            }),
        }
    }

    pub(crate) fn lock_path(&self) -> PathBuf {
        self.dir.join("pki.lock")
    }

    /// Settles renewals that were stopped.
    pub(super) fn settle_renewals(&self) -> Result<()> {
        let mut lock = None;
        for dir in files::list_dir(&self.dir.join("ca"))? {
            let path = dir.join(RENEWED);
            if !path.exists() {
                continue;
            }
            // The process that is renewing holds it; when it is free, the file is there no more or left over.
            if lock.is_none() {
                lock = Some(Lock::wait(&self.lock_path())?);
            }
            let Ok(bytes) = files::read(&path) else { continue };
            let chain = Certificate::all_from_pem_or_der(&bytes).map_err(|e| {
                AuthorityError::Certificate { path: path.clone(), source: Box::new(e.into()) }
            })?;
            let name = dir.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            if self.registry.has(&chain[0])? {
                let next = Ca { chain, ..self.ca(name)? };
                self.put_in_place(&next, &path)?;
            } else {
                files::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Writes the chain of a renewed CA over its former one, and into the chains of those below.
    pub(super) fn put_in_place(&self, next: &Ca, left_over: &Path) -> Result<()> {
        let replace = |path: PathBuf, text: String| {
            files::write(&path, text.as_bytes(), Access::Public, Existing::Replace)
        };
        for changed in self.changed_by(next)? {
            let is_next = changed.name == next.name;
            let former = self.ca(&changed.name)?.chain.swap_remove(0);
            if is_next && former != *next.certificate() {
                // It is needed where devices present it, until it ends. Once the chain is replaced nobody
                // would see which one it was: so it comes first.
                let path = changed.dir.join(format!("{FORMER}{}.pem", former.serial));
                replace(path, former.pem())?;
            }
            replace(changed.dir.join("chain.pem"), changed.chain_pem())?;
            if is_next {
                replace(changed.dir.join("cert.pem"), changed.certificate().pem())?;
            }
        }
        // The chain may be in place already, and its certificate not.
        replace(next.dir.join("cert.pem"), next.certificate().pem())?;
        // A killed renewal may have left a file whose name no later one uses.
        beside::sweep(&next.dir);
        Ok(files::remove_file(left_over)?)
    }
}

impl Pki {
    /// The CAs whose chains a CA's new certificates change, as they become: itself, and those below it.
    pub(super) fn changed_by(&self, next: &Ca) -> Result<Vec<Ca>> {
        let own = next.certificate();
        let formers = self.formers(next)?;
        let is_one = |c: &Certificate| c == own || is_former(c, own) || formers.contains(c);
        let mut changed = Vec::new();
        for ca in self.cas()? {
            let Some(at) = ca.chain.iter().position(is_one) else { continue };
            let chain = [&ca.chain[..at], &next.chain].concat();
            if chain != ca.chain {
                changed.push(Ca { chain, ..ca });
            }
        }
        Ok(changed)
    }

    /// Certificates that a CA has had, also by other issuers: the one that is in place, and those that were put
    /// aside.
    fn formers(&self, next: &Ca) -> Result<Vec<Certificate>> {
        let mut formers = vec![self.ca(&next.name)?.certificate().clone()];
        for path in files::list_dir(&next.dir)? {
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            if name.starts_with(FORMER) && name.ends_with(".pem") {
                let certificates = Certificate::all_from_pem_or_der(&files::read_small(&path)?);
                formers.extend(certificates.map_err(|e| AuthorityError::Certificate {
                    path,
                    source: Box::new(e.into()),
                })?);
            }
        }
        Ok(formers)
    }
}

/// Whether a certificate is an earlier one of the same CA: the same name and key, by the same issuer.
fn is_former(certificate: &Certificate, now: &Certificate) -> bool {
    certificate != now
        && certificate.spki == now.spki
        && certificate.subject.matches(&now.subject)
        && certificate.issuer.matches(&now.issuer)
}
