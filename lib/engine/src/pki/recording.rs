//! How the certificate of a CA is recorded.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::{Ca, Pki, Result, history};
use crate::registry::{Holder, NewRecord, Replaced, With};

impl Pki {
    /// Records a CA's certificate under the name of the CA that issued it, if it is in the directory, perhaps in place
    /// of a former one.
    pub(super) fn record_in_place_of(
        &mut self,
        ca: &Ca,
        replaces: Option<Replaced>,
        now: OffsetDateTime,
    ) -> Result<()> {
        self.record_with(ca, replaces, false, now)
    }

    pub(super) fn record_with(
        &mut self,
        ca: &Ca,
        replaces: Option<Replaced>,
        key_from_outside: bool,
        now: OffsetDateTime,
    ) -> Result<()> {
        if self.registry.has(ca.certificate())? {
            return Ok(());
        }
        let record = record_of(ca, replaces, key_from_outside);
        let cas = &self.shared_with(ca)?;
        let (batch, with) = (history::own_batch(&ca.name), With { cas, ..With::default() });
        Ok(self.registry.record_with(&batch, now, &[&record], with, None)?)
    }
}

/// A CA's certificate as it is recorded: under the name of the CA that issued it, if it is in the directory.
pub(super) fn record_of(ca: &Ca, replaces: Option<Replaced>, key_from_outside: bool) -> NewRecord {
    NewRecord {
        ca: ca.parent.as_ref().unwrap_or(&ca.name).clone(),
        holder: Holder::Ca,
        certificate: ca.certificate().into(),
        details: BTreeMap::new(),
        location: std::path::absolute(&ca.dir).ok(),
        has_key: true,
        bundle: None,
        replaces,
        key_from_outside,
    }
}
