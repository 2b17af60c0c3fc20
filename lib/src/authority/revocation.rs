//! A CA's next revocation list.

use time::{Duration, OffsetDateTime};

use super::{Ca, Pki, Result};
use crate::crl::{self, Crl};
use crate::files::{self, Access, Existing, Lock};
use crate::issue::Issuer;
use crate::key::signer::Signer;

impl Pki {
    /// Makes the CA's next CRL, with every certificate that it has issued and that is revoked,
    /// writes it to its folder as `crl.pem` and returns it.
    ///
    /// Errors: [`AuthorityError::RolledBack`](super::AuthorityError::RolledBack) if the CA's last list has
    /// what the registry does not have.
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
        self.refuse_rollback(ca)?;
        let subject = &ca.certificate().subject;
        let others: Vec<String> = self
            .cas()?
            .into_iter()
            .filter(|other| other.name != ca.name && other.certificate().subject.matches(subject))
            .map(|other| other.name)
            .collect();
        let path = ca.list_path();
        // What the registry knows is at least as high, as was looked at.
        let number = self.registry.next_crl_number(&ca.name, &others, 1, now)?;
        let revoked = self.registry.revoked(subject)?;
        let next = now + Duration::days(days.into());
        let crl = crl::make(&issuer, &revoked, number, now, next)?;
        files::write(&path, crl.pem().as_bytes(), Access::Public, Existing::Replace)?;
        Ok(crl)
    }
}
