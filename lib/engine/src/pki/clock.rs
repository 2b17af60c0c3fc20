//! What a PKI directory knows of the time.

use time::OffsetDateTime;

use super::{Pki, Result};
use crate::clock::{Evidence, SLACK, rfc3339};
use crate::registry::Checked;

impl Pki {
    /// What a clock is to be held to before anything is written: the audit log's last entry and the lists
    /// that were made last. What somebody has explained before does not count.
    pub fn evidence(&self) -> Result<Evidence> {
        let explained = self.registry.explained_until()?;
        let mut lists = Vec::new();
        for ca in self.cas()? {
            let Ok(Some(Ok(list))) = ca.list_in_folder() else { continue };
            if explained.is_none_or(|until| list.this_update > until) {
                lists.push((ca.name, list.this_update));
            }
        }
        Ok(Evidence { audited: self.registry.last_entry()?, lists, tenant: None })
    }

    /// Notes times that do not go forward: of the audit log, and of lists that begin in the future.
    pub fn check_times(&self, now: OffsetDateTime, checked: &mut Checked) -> Result<()> {
        self.registry.check_times(now, checked)?;
        for ca in self.cas()? {
            let Ok(Some(Ok(list))) = ca.list_in_folder() else { continue };
            if list.this_update - now > SLACK {
                let message = format!(
                    "the last revocation list of {} begins at {}, which is in the future: until then it \
                     hides the lists after it",
                    ca.name,
                    rfc3339(list.this_update)
                );
                checked.note("clock", message);
            }
        }
        Ok(())
    }
}
