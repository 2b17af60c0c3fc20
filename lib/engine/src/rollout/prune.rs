//! Devices that are no longer in the list: revoked here, and withdrawn at the tenant.
//!
//! What is revoked is recorded first. Whether the tenant knows of it is seen in the tenant's own list, so that a run that
//! was stopped in between is finished by the next one.

use std::collections::BTreeSet;

use serde::Serialize;
use time::OffsetDateTime;

use super::RolloutError;
use super::diff::{Finding, Held, Remedy, Sign};
use super::spec::Spec;
use super::step::{Action, Step};
use crate::cert::Serial;
use crate::client_id::DeviceId;
use crate::crl::{Reason, Revoked};
use crate::pki::Pki;
use crate::platform::blocking::Client;
use crate::platform::crl;
use crate::registry::Record;
use crate::shown;

/// The kind of the step.
pub(super) const KIND: &str = "prune";

/// What became of devices that are no longer in the list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Devices whose certificates were revoked now.
    pub revoked: usize,
    /// Revocations that the tenant was sent; none without a tenant.
    pub withdrawn: Option<usize>,
}

/// Devices that are no longer in the list.
#[derive(Debug, Default)]
pub(super) struct Unlisted {
    /// With live certificates.
    pub(super) live: Vec<Record>,
    /// Revoked, which the tenant does not know.
    pub(super) unknown_there: Vec<Record>,
    /// Of devices that are in the list, revoked, which the tenant does not know either: a rollout does not send them.
    unsent: Vec<Record>,
}

impl Unlisted {
    /// Looks which of the revoked ones the tenant does not know, if there is a tenant. That of a rehearsal knows none, and
    /// nobody sends it any.
    pub(super) fn of(
        held: &mut Held,
        spec: &Spec,
        client: Option<&Client>,
    ) -> Result<Self, RolloutError> {
        let client = client.filter(|_| !spec.is_rehearsal);
        let live = std::mem::take(&mut held.unlisted);
        let mut unknown_there = std::mem::take(&mut held.withdrawn);
        let mut unsent = std::mem::take(&mut held.revoked);
        match client.filter(|_| !unknown_there.is_empty() || !unsent.is_empty()) {
            None => [&mut unknown_there, &mut unsent].into_iter().for_each(Vec::clear),
            Some(client) => {
                let list = client.wait(crl::download(client))?;
                let known: std::collections::HashSet<&Serial> =
                    list.revoked.iter().map(|revoked| &revoked.serial).collect();
                for records in [&mut unknown_there, &mut unsent] {
                    records.retain(|record| !known.contains(&record.serial));
                }
            }
        }
        Ok(Self { live, unknown_there, unsent })
    }

    /// How they are told in a plan.
    pub(super) fn findings(&self, spec: &Spec) -> Vec<Finding> {
        let out = spec.devices.out.display().to_string();
        let of = |records: &[Record], detail: &str| {
            let mut finding = Finding::new(Sign::Unlisted, "devices.from", &out, detail);
            records.iter().for_each(|record| finding.count(id_of(record)));
            let remedy = if spec.allowed.prune { Remedy::Apply } else { Remedy::Prune };
            Some(finding.by(remedy)).filter(|finding| finding.devices > 0)
        };
        let live = of(&self.live, live_words(spec));
        let unknown = "no longer in the list and revoked, and the tenant's list does not have them";
        live.into_iter().chain(of(&self.unknown_there, unknown)).chain(self.unsent(&out)).collect()
    }

    /// That the tenant lacks revocations of devices of the list.
    fn unsent(&self, out: &str) -> Option<Finding> {
        let detail = "revoked, and the tenant's list of revocations does not have them";
        let mut finding = Finding::new(Sign::Differs, "devices.from", out, detail);
        // One that was revoked twice is one device.
        let ids: BTreeSet<&str> = self.unsent.iter().map(id_of).collect();
        ids.into_iter().for_each(|id| finding.count(id));
        Some(finding.by(Remedy::SendRevocations)).filter(|finding| finding.devices > 0)
    }

    /// The step, if it is allowed and there is something to do.
    pub(super) fn step(&self, spec: &Spec) -> Option<Step> {
        let count = self.live.len() + self.unknown_there.len();
        if !spec.allowed.prune || count == 0 {
            return None;
        }
        let what = if count == 1 { "that is" } else { "that are" };
        let kept = if spec.tenant.is_some() { "; the tenant keeps their registration" } else { "" };
        let devices = shown::count(count, "device");
        let detail = format!("{devices} {what} no longer in the list{kept}");
        let step = Step::new(Action::Remove, KIND, spec.devices.out.display().to_string(), detail);
        Some(step.of(count))
    }

    /// Revokes the live ones.
    pub(super) fn revoke(
        &self,
        pki: &mut Pki,
        now: OffsetDateTime,
    ) -> Result<Pruned, RolloutError> {
        if !self.live.is_empty() {
            pki.registry_mut().revoke(&self.live, Reason::CessationOfOperation, now, now)?;
        }
        Ok(Pruned { revoked: self.live.len(), withdrawn: None })
    }

    /// Sends what the tenant does not know.
    pub(super) fn withdraw(
        &self,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<usize, RolloutError> {
        let reason = Reason::CessationOfOperation;
        let fresh = self.live.iter().map(|r| Revoked { serial: r.serial.clone(), at: now, reason });
        let former = self.unknown_there.iter().filter_map(Record::revocation);
        let revoked: Vec<Revoked> = fresh.chain(former).collect();
        client.wait(crl::upload(client, &crl::requests(&revoked, now)))?;
        Ok(revoked.len())
    }
}

/// A rollout revokes, and no more: a call that takes back the registration of a device after its first connection is not
/// among those of the platform that we know from its documentation.
fn live_words(spec: &Spec) -> &'static str {
    match spec.tenant.is_some() {
        false => "no longer in the list, and their certificates are live",
        true => {
            "no longer in the list, and their certificates are live; revoking them leaves their registration at \
             the tenant"
        }
    }
}

fn id_of(record: &Record) -> &str {
    record.holder.device().map_or("", DeviceId::as_str)
}
