//! What was found of the CAs' last lists, for as long as it holds: a service asks for each device, and a list can
//! have a hundred thousand entries.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use time::OffsetDateTime;

use super::{Ca, Pki, Result};
use crate::clock::Evidence;
use crate::files::Stamp;
use crate::registry::AuditHead;

/// By the name of the CA.
#[derive(Debug, Default)]
pub(super) struct SeenLists(Mutex<HashMap<String, Seen>>);

/// A list that was read.
#[derive(Debug, Clone)]
struct Seen {
    /// The file as it was.
    stamp: Stamp,
    /// When the list was made; none if it cannot be read.
    this_update: Option<OffsetDateTime>,
    /// How far the registry was when it was found to know all of the list. Its rows are never removed: as long as
    /// it has that row of its audit log, it still does.
    known_at: Option<AuditHead>,
}

impl Pki {
    /// As [`Pki::evidence`]; lists that have not changed are not read again.
    pub(crate) fn evidence_seen(&self, cas: &[Ca]) -> Result<Evidence> {
        let explained = self.registry.explained_until()?;
        let mut lists = Vec::new();
        for ca in cas {
            let made = self.seen_list(ca).and_then(|seen| seen.this_update);
            if let Some(at) = made.filter(|at| explained.is_none_or(|until| *at > until)) {
                lists.push((ca.name.clone(), at));
            }
        }
        Ok(Evidence { audited: self.registry.last_entry()?, lists, tenant: None })
    }

    /// As [`Pki::check_not_rolled_back`]; a list that the registry was found to know is not compared again.
    pub(super) fn check_list_seen(&self, ca: &Ca) -> Result<()> {
        let seen = self.seen_list(ca);
        if let Some(head) = seen.as_ref().and_then(|seen| seen.known_at.as_ref())
            && self.registry.has_head(head)?
        {
            return Ok(());
        }
        let head = self.registry.audit_head()?;
        self.check_not_rolled_back(ca)?;
        if let Some(seen) = seen {
            self.keep_seen(ca, Seen { known_at: Some(head), ..seen });
        }
        Ok(())
    }

    /// The last list in a CA's directory; none if there is no file.
    fn seen_list(&self, ca: &Ca) -> Option<Seen> {
        let stamp = Stamp::of(&ca.list_path())?;
        let known = self.lists.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = known.get(&ca.name).filter(|seen| seen.stamp == stamp) {
            return Some(seen.clone());
        }
        drop(known);
        let list = ca.list_in_folder().ok().flatten().and_then(std::result::Result::ok);
        let seen = Seen { stamp, this_update: list.map(|list| list.this_update), known_at: None };
        self.keep_seen(ca, seen.clone());
        Some(seen)
    }

    fn keep_seen(&self, ca: &Ca, seen: Seen) {
        let mut known = self.lists.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(ca.name.clone(), seen);
    }
}
