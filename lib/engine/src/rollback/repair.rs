//! Taking over what the registry has lost.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use super::{Comparison, Found, RollbackError, places};
use crate::clock::rfc3339;
use crate::pki::Pki;
use crate::registry::{Holder, NewRecord, Replaced, Takeover};

/// What a repair has taken over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Repaired {
    /// Certificates that were recorded.
    pub certificates: usize,
    /// Revocations of certificates that the registry has.
    pub revocations: usize,
    /// Revocations of certificates that it does not have.
    pub unknown_revocations: usize,
    /// Lists that were given and put back in place of lost ones.
    pub lists: usize,
    /// What hand-over files tell, and nothing can be done about here.
    pub told: usize,
    /// What cannot be taken over, those included: certificates that are no device's, lists that are lost.
    pub unsettled: usize,
}

impl Comparison {
    /// Revokes what lists revoke, raises the numbers of lists, and puts lists back that were lost and given;
    /// then records what was found. Each part is one transaction with its rows in the audit log: a repair that
    /// was stopped is resumed by the next one. A certificate that cannot be recorded keeps nothing else
    /// from being taken over.
    pub fn repair(&self, pki: &mut Pki, now: OffsetDateTime) -> Result<Repaired, RollbackError> {
        let unsettled = self.unsettled();
        let mut repaired = Repaired { told: self.told.len(), unsettled, ..Repaired::default() };
        self.take_over(pki, now, &mut repaired)?;
        for name in self.cas_given() {
            let ca = pki.ca(name)?;
            // Now that its number is known, a CA without a list has lost it.
            if let Some(list) = pki.lost_list(&ca)?.and_then(|lost| self.given_for(&lost)) {
                pki.put_list_back(&ca, list)?;
                repaired.lists += 1;
            }
        }
        let fit = self.certificates.iter().filter(|found| found.unfit.is_none());
        let mut found: Vec<&Found> = fit.collect();
        // Of a device's certificates the newest is the live one.
        found.sort_by_key(|found| found.certificate.not_before);
        let batch = format!("repair {}", rfc3339(now));
        for one in &found {
            record(pki, one, &batch, now)?;
            repaired.certificates += 1;
        }
        let issuers: BTreeSet<&str> = found.iter().map(|found| found.ca.as_str()).collect();
        for ca in issuers {
            let issuer = pki.ca(ca)?.certificate().subject.clone();
            let revoked = pki.registry_mut().revoke_found(&issuer, now)?;
            repaired.revocations += revoked;
            repaired.unknown_revocations = repaired.unknown_revocations.saturating_sub(revoked);
        }
        Ok(repaired)
    }

    /// The CAs of which lists were given.
    fn cas_given(&self) -> BTreeSet<&str> {
        self.given.iter().map(|(ca, _, _)| ca.as_str()).collect()
    }

    fn take_over(
        &self,
        pki: &mut Pki,
        now: OffsetDateTime,
        repaired: &mut Repaired,
    ) -> Result<(), RollbackError> {
        // Several lists of one issuer may be given: what the first has revoked is known to the next.
        for rollback in &self.lists {
            let issuer = pki.ca(&rollback.ca)?.certificate().subject.clone();
            let lost = pki.registry().lost_revocations(&rollback.list, &issuer)?;
            let known = lost.iter().filter(|lost| lost.record.is_some()).count();
            repaired.revocations += known;
            repaired.unknown_revocations += lost.len() - known;
            let number = Some((rollback.ca.as_str(), rollback.number));
            let takeover = Takeover { issuer: &issuer, found: &lost, number };
            pki.registry_mut().take_over(&takeover, now)?;
        }
        Ok(())
    }

    /// What a repair would do, a sentence each.
    pub fn plan(&self) -> Vec<String> {
        let mut plan = Vec::new();
        for ca in self.cas_given() {
            let mut lost = self.lost.iter().filter(|lost| lost.ca == ca);
            let is_put = lost.any(|lost| self.given_for(lost).is_some());
            if is_put || self.unlisted.iter().any(|name| name == ca) {
                plan.push(format!(
                    "put the list that was given into the directory of {ca}, as crl.pem"
                ));
            }
        }
        for found in self.certificates.iter().filter(|found| found.unfit.is_none()) {
            let cert = &found.certificate;
            plan.push(format!("record the certificate {} of {}", cert.serial, cert.subject));
        }
        let mut seen = BTreeSet::new();
        let mut numbers: BTreeMap<&str, u64> = BTreeMap::new();
        for rollback in &self.lists {
            for lost in rollback.lost.iter().filter(|l| seen.insert(l.revoked.serial.to_string())) {
                let recorded = lost.record.as_ref().and_then(|record| record.holder.name());
                let found = self.certificates.iter().map(|found| &found.certificate);
                let mut found = found.filter(|cert| cert.serial == lost.revoked.serial);
                let holder = recorded.or_else(|| found.next()?.subject.common_name());
                plan.push(format!(
                    "revoke {} ({}) since {}: {}",
                    lost.revoked.serial,
                    holder.unwrap_or("a certificate that the registry does not have"),
                    rfc3339(lost.revoked.at),
                    lost.revoked.reason.name()
                ));
            }
            if rollback.number > rollback.known_number {
                let number = numbers.entry(&rollback.ca).or_default();
                *number = rollback.number.max(*number);
            }
        }
        plan.extend(numbers.iter().map(|(ca, number)| {
            format!("continue the lists of {ca} after number {}", number.saturating_add(1))
        }));
        plan
    }
}

fn record(
    pki: &mut Pki,
    found: &Found,
    batch: &str,
    now: OffsetDateTime,
) -> Result<(), RollbackError> {
    let cert = &found.certificate;
    // Those that are neither a device's nor a server's are left out before.
    let Ok(holder) = Holder::of_certificate(cert) else { return Ok(()) };
    let live = pki.registry().live_device(holder.folded().unwrap_or_default())?;
    let mut new = NewRecord {
        ca: found.ca.clone(),
        holder,
        certificate: cert.into(),
        details: BTreeMap::new(),
        location: Some(places::absolute(&found.place)),
        has_key: found.has_key,
        bundle: None,
        replaces: None,
        // It was certified already.
        key_from_outside: false,
    };
    let registry = pki.registry_mut();
    match live {
        Some(live) if live.not_before > cert.not_before => {
            registry.record_former(batch, now, &new, live.row)?;
        }
        live => {
            new.replaces = live.map(|live| Replaced { row: live.row, revoke: false });
            registry.record(batch, now, &[new])?;
        }
    }
    Ok(())
}
