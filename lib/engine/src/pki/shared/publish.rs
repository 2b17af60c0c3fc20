//! From the directory into the database.

use time::OffsetDateTime;

use super::chains::{self, Verdict};
use crate::pki::last_list::LastList;
use crate::pki::{Ca, Pki, Result};
use crate::registry::{Registry, SharedCa, digest, number_of};

impl Pki {
    /// Puts into the database what it does not have of the CAs, or only an older one: what an older version or a stopped
    /// command has left. Nothing if the registry is a file, or if this user may not.
    ///
    /// Policies of CAs that are there stay as they are: see [`Pki::publish_policies`].
    pub fn publish(&mut self, now: OffsetDateTime) -> Result<()> {
        if self.registry.is_shared() {
            self.publish_to(&self.registry, now)?;
            self.kept = self.registry.kept_cas()?;
        }
        Ok(())
    }

    pub(in crate::pki) fn publish_to(
        &self,
        registry: &Registry,
        now: OffsetDateTime,
    ) -> Result<()> {
        let kept = registry.kept_cas()?;
        if !kept.may_add {
            return Ok(());
        }
        let (mut next, mut with_list) = (Vec::new(), Vec::new());
        for ca in self.cas()? {
            let there = kept.get(&ca.name);
            let is_to_go = match there {
                None => !ca.is_unrecorded() && registry.has(ca.certificate())?,
                Some(there) if there.chain == digest(ca.chain_pem()) => false,
                Some(_) => kept.may_change && is_newer(registry, &ca)?,
            };
            if is_to_go {
                next.push(self.shared(&ca)?);
            }
            let list = there.map_or(0, |there| there.list);
            if (is_to_go || there.is_some()) && ca.list_number()? > (list, true) {
                with_list.push(ca);
            }
        }
        if !next.is_empty() {
            registry.publish_cas(&next, now)?;
        }
        with_list.iter().try_for_each(|ca| self.publish_list(registry, ca, now))
    }

    /// Puts the last list of a CA into a database, unless a newer one is there.
    pub(in crate::pki) fn publish_list(
        &self,
        registry: &Registry,
        ca: &Ca,
        now: OffsetDateTime,
    ) -> Result<()> {
        if let LastList::Of(list) = self.last_list(ca)?
            && let Ok(number) = number_of(&list)
        {
            registry.publish_list(&ca.name, (number, list.der()), now)?;
        }
        Ok(())
    }

    /// What stations get to know when a CA gets certificates: of it, and of those below it. Nothing if the registry is a
    /// file.
    pub(in crate::pki) fn shared_with(&self, next: &Ca) -> Result<Vec<SharedCa>> {
        if !self.registry.is_shared() {
            return Ok(Vec::new());
        }
        let mut all = vec![self.shared(next)?];
        for changed in self.changed_by(next)?.into_iter().filter(|ca| ca.name != next.name) {
            all.push(self.shared(&changed)?);
        }
        Ok(all)
    }

    fn shared(&self, ca: &Ca) -> Result<SharedCa> {
        let (name, chain) = (ca.name.clone(), ca.chain_pem());
        Ok(SharedCa { policy: self.policy_text(&name)?, name, chain })
    }
}

/// Whether the directory's chain of a CA is newer than that of the database.
fn is_newer(registry: &Registry, ca: &Ca) -> Result<bool> {
    let Some(shared) = registry.shared_ca(&ca.name)? else { return Ok(false) };
    let theirs = chains::read(registry, &shared)?;
    Ok(matches!(chains::compare(registry, ca, theirs)?, Verdict::Ours))
}
