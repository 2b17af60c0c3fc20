//! `device revoke --reason keyCompromise`: every certificate of a key that others have, no matter whose it is.

use std::collections::HashSet;

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_engine::list::BadRow;
use c8y_pki_engine::provision::ProvisionError;
use c8y_pki_engine::registry::{Holder, Record, Registry, Status};

use crate::confirm::{ask, can_ask};
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::render::as_line;

/// Most holders of a key that a sentence names.
const MOST_NAMED: usize = 5;

/// Certificates that are revoked too, as their keys are those of certificates that were named.
pub(super) struct SameKey {
    /// All of them, those that were revoked before left out.
    pub(super) records: Vec<Record>,
    /// Those of other devices or of CAs, each with what it is.
    others: Vec<String>,
    /// The first holder whose key they have.
    holder: String,
}

impl SameKey {
    /// Looks for every certificate with the key of a `named` one, live or superseded; those of CAs are refused
    /// unless they may be meant too.
    pub(super) fn of(cas_too: bool, named: &[&Record], registry: &Registry) -> Result<Self> {
        let read = |r: &&Record| r.certificate().map_err(ProvisionError::from);
        let certificates: Vec<_> =
            named.iter().map(read).collect::<std::result::Result<_, ProvisionError>>()?;
        let holders = registry.with_keys(certificates.iter().map(|cert| cert.spki.as_slice()))?;
        let seen: HashSet<&[u8]> = named.iter().map(|record| record.der.as_slice()).collect();
        let mut records = holders.into_records();
        records.retain(|r| r.status != Status::Revoked && !seen.contains(r.der.as_slice()));
        let holder = named.first().map(|record| record.whose()).unwrap_or_default();
        refuse_cas(cas_too, &holder, &records)?;
        let folded = |r: &Record| r.holder.device().map(DeviceId::folded);
        let ids: HashSet<_> = named.iter().filter_map(|record| folded(record)).collect();
        let is_other = |r: &&Record| folded(r).is_none_or(|id| !ids.contains(&id));
        let line = |r: &Record| {
            format!("{}  {}  {}, issued by {}", r.whose(), r.serial, r.status.name(), r.ca)
        };
        let others = records.iter().filter(is_other).map(line).collect();
        Ok(Self { records, others, holder })
    }

    /// Whether others have the key.
    pub(super) fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// Names the certificates of others and asks whether they are to be revoked; nothing to ask without any.
    pub(super) fn confirm(&self, yes: bool, out: Output) -> Result<bool> {
        if !self.has_others() {
            return Ok(true);
        }
        let told = format!("The key of {} is also that of:", self.holder);
        if yes {
            out.note(&told);
            self.others.iter().for_each(|line| out.note(&format!("  {line}")));
            return Ok(true);
        }
        if !can_ask() {
            let mut named = self.others[..self.others.len().min(MOST_NAMED)].join("; ");
            if self.others.len() > MOST_NAMED {
                named.push_str(&format!("; and {} more", self.others.len() - MOST_NAMED));
            }
            let holder = &self.holder;
            return Err(Failure::usage(
                format!(
                    "others have the key of {holder} too, and there is no terminal to ask: {named}"
                ),
                "give --yes to revoke theirs with it",
            ));
        }
        let others = self.others.iter().map(|line| as_line(&format!("  {line}")));
        let text: String = std::iter::once(as_line(&told)).chain(others).collect();
        ask(&text, "Revoke all of them? A revocation is final.")
    }
}

/// A CA's certificate takes everything below it along, so it has to be asked for.
fn refuse_cas(cas_too: bool, holder: &str, records: &[Record]) -> Result<()> {
    let cas: Vec<&Record> = records.iter().filter(|record| record.holder == Holder::Ca).collect();
    if cas_too || cas.is_empty() {
        return Ok(());
    }
    let fault = |ca: &&Record| BadRow {
        id: ca.serial.to_string(),
        line: None,
        message: format!(
            "the key of {holder} is that of {} too, whose certificate is {}: after it is revoked, no \
             certificate below it is valid any more",
            ca.whose(),
            ca.serial
        ),
        hint: Some("if you want that, add --ca-certificate".into()),
    };
    let faults: Vec<BadRow> = cas.iter().map(fault).collect();
    Err(ProvisionError::NotRevoked { total: faults.len() + 1, faults }.into())
}
