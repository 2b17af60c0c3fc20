//! What the PKI directory and its registry say.

use std::collections::{BTreeMap, HashSet};

use time::{Duration, OffsetDateTime};

use super::{
    CaState, HalfTakenBack, Limits, ListState, LiveState, OrderState, Picture, WaitingState,
};
use crate::crl::Crl;
use crate::orders::{self, OrderError};
use crate::pki::{AuthorityError, Ca, Pki};
use crate::registry::{Filter, RegistryError, Role, Status};

impl Picture {
    /// Looks at a PKI directory as it is now. The tenant is not asked.
    pub fn of(pki: &Pki, limits: Limits, now: OffsetDateTime) -> Result<Self, OrderError> {
        let cas = pki.cas()?;
        let mut devices = live(pki, Role::Device, limits, now)?;
        let mut servers = live(pki, Role::Server, limits, now)?;
        let state = |ca: &Ca| -> Result<CaState, AuthorityError> {
            Ok(CaState {
                name: ca.name.clone(),
                not_after: ca.certificate().not_after,
                revoked: pki.revoked(ca)?.map(|revoked| revoked.to_string()),
                has_cas_below: cas.iter().any(|other| other.parent.as_ref() == Some(&ca.name)),
                devices: devices.remove(&ca.name).unwrap_or_default(),
                servers: servers.remove(&ca.name).unwrap_or_default(),
                list: list(pki, ca)?,
            })
        };
        let states = cas.iter().map(state).collect::<Result<_, _>>()?;
        let waiting = pki.waiting()?.into_iter().map(|ca| {
            let subject = ca.request.subject.to_string();
            WaitingState { name: ca.name, subject }
        });
        let (waiting, (orders, taken_back, half_taken_back)) = (waiting.collect(), orders(pki)?);
        let lost = pki.lost_cas(&cas)?.into_iter().map(|lost| lost.subject.to_string()).collect();
        Ok(Self {
            at: now,
            limits,
            cas: states,
            lost,
            waiting,
            orders,
            taken_back,
            half_taken_back,
            tenant: None,
        })
    }
}

/// The live certificates of devices or servers, by CA.
fn live(
    pki: &Pki,
    role: Role,
    limits: Limits,
    now: OffsetDateTime,
) -> Result<BTreeMap<String, LiveState>, RegistryError> {
    let mut all: BTreeMap<String, LiveState> = BTreeMap::new();
    let soon = now.saturating_add(Duration::days(i64::from(limits.device_days)));
    let filter = Filter { role: Some(role), status: Some(Status::Live), ..Filter::default() };
    pki.registry().each::<RegistryError>(&filter, |record| {
        let state = all.entry(record.ca).or_default();
        state.live += 1;
        state.first_end =
            Some(state.first_end.map_or(record.not_after, |end| end.min(record.not_after)));
        match record.not_after {
            end if end < now => state.expired += 1,
            end if end < soon => state.ending += 1,
            _ => {}
        }
        Ok(())
    })?;
    Ok(all)
}

/// The list of a CA, against what the registry has revoked under its name.
fn list(pki: &Pki, ca: &Ca) -> Result<ListState, AuthorityError> {
    let revoked = pki.registry().revoked(&ca.certificate().subject)?;
    let (last, problem) = match pki.made_list(ca)? {
        Ok(last) => (last, None),
        Err(lost) => (None, Some(lost.problem.to_string())),
    };
    let listed = |crl: &Crl| -> HashSet<Vec<u8>> {
        crl.revoked.iter().map(|entry| entry.serial.bytes().to_vec()).collect()
    };
    let listed = last.as_ref().map(listed).unwrap_or_default();
    let unlisted = revoked.iter().filter(|entry| !listed.contains(entry.serial.bytes())).count();
    Ok(ListState {
        revoked: revoked.len(),
        unlisted,
        next_update: last.as_ref().and_then(|crl| crl.next_update),
        made: last.is_some() || problem.is_some(),
        problem,
    })
}

/// The orders of the registry, how many others were taken back, and those of them that have live certificates.
fn orders(pki: &Pki) -> Result<(Vec<OrderState>, usize, Vec<HalfTakenBack>), OrderError> {
    let (mut all, mut taken_back, mut half) = (Vec::new(), 0, Vec::new());
    for order in pki.registry().orders()? {
        if order.taken_back.is_some() {
            taken_back += 1;
            let live = orders::take_back(pki.registry(), &order)?.revoke.len();
            half.extend((live > 0).then_some(HalfTakenBack { name: order.name, live }));
            continue;
        }
        let progress = orders::progress(pki.registry(), &order)?;
        all.push(OrderState { name: order.name, ca: order.ca, progress });
    }
    Ok((all, taken_back, half))
}
