//! Whether anything can be issued now: what a service says of itself before somebody asks it.

use time::OffsetDateTime;

use super::{AuthorityError, Ca, CaKey, Pki, RequestError};
use crate::issue::Issuer;

impl Pki {
    /// The CA of an open key, as it is now.
    pub(crate) fn ca_now(&self, key: &CaKey) -> Result<Ca, AuthorityError> {
        self.ca_of(&self.cas()?, key).cloned()
    }

    /// Refuses if the registry was exchanged, or the clock is not believed.
    pub(crate) fn check_clock(
        &self,
        now: OffsetDateTime,
        believed: OffsetDateTime,
    ) -> Result<(), RequestError> {
        self.check_now(&self.cas()?, now, Some(believed))
    }

    /// Refuses if no device could get a certificate now, whichever it is and whatever it asks for. `believed` is what
    /// the clock should say in a program that runs since it was believed.
    pub(crate) fn check_able(
        &self,
        key: &CaKey,
        now: OffsetDateTime,
        believed: OffsetDateTime,
    ) -> Result<(), RequestError> {
        let cas = self.cas()?;
        self.check_now(&cas, now, Some(believed))?;
        let ca = self.ca_of(&cas, key)?;
        self.check_may_sign(ca)?;
        self.policy_now(ca, &cas)?;
        Issuer::new(ca.certificate(), key, now)?;
        Ok(())
    }
}
