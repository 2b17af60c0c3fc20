//! Whether anything can be issued now: what a service says of itself before somebody asks it.

use time::OffsetDateTime;

use super::{CaKey, Pki, RequestError};
use crate::issue::Issuer;

impl Pki {
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
        let ca = self.find_ca(&cas, key.ca())?;
        self.check_may_sign(ca)?;
        self.policy_now(ca, &cas)?;
        Issuer::new(ca.certificate(), key, now)?;
        Ok(())
    }
}
