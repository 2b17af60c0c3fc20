//! A CA's next revocation list.

use time::{Duration, OffsetDateTime};

use super::{Ca, Pki, Result};
use crate::crl::{self, Crl};
use crate::files::Lock;
use crate::issue::Issuer;
use crate::key::signer::Signer;

impl Pki {
    /// Makes the CA's next CRL, with every certificate that it has issued and that is revoked,
    /// writes it to its directory as `crl.pem` and returns it.
    ///
    /// Errors: [`AuthorityError::RolledBack`](super::AuthorityError::RolledBack) if the last list of the
    /// CA, or of another one with its subject, has what the registry does not have;
    /// [`AuthorityError::LastList`](super::AuthorityError::LastList) if that list is lost.
    ///
    /// Certificates stay in it after their own end: RFC 5280, 5.1.2.6 and 3.3 let them go only once
    /// a list issued after that end has shown them, and a list without them tells nobody anything new.
    pub fn make_crl(
        &mut self,
        ca: &Ca,
        key: &dyn Signer,
        days: u32,
        now: OffsetDateTime,
    ) -> Result<Crl> {
        let now = now.replace_nanosecond(0).unwrap_or(now);
        let issuer = Issuer::new(ca.certificate(), key, now)?;
        // Until it is written, so that crl.pem is never an older one than was made last.
        let _lock = Lock::wait(&self.lock_path())?;
        let all = self.with_subject_of(ca)?;
        self.refuse_rollback(&all)?;
        let others: Vec<String> = all.into_iter().skip(1).map(|other| other.name).collect();
        ca.begin_list(self.registry.crl_number(&ca.name)?)?;
        // What the registry knows is at least as high, as was looked at.
        let number = self.registry.next_crl_number(&ca.name, &others, 1, now)?;
        let revoked = self.registry.revoked(&ca.certificate().subject)?;
        let next = now + Duration::days(days.into());
        let crl = crl::make(&issuer, &revoked, number, now, next)?;
        ca.keep_list(&crl)?;
        if self.registry.is_shared() {
            self.publish_list(&self.registry, ca, now)?;
        }
        Ok(crl)
    }
}
