//! The platform's own verdict on one device of the CA, before the others are made (platform: "The platform's
//! own verdict on a chain"): what is wrong with the CAs or at the tenant is wrong with all of them.
//!
//! A device that has a live certificate stands for the others; without one the first of the list is made. It
//! counts like every other one: the next run takes it as it is.

use time::OffsetDateTime;

use super::judged::Judged;
use super::making::{make_devices, make_folder, uploaded};
use super::spec::Spec;
use super::step::{Action, Step};
use super::{Passwords, Report, RolloutError, Run};
use crate::cert::Certificate;
use crate::client_id::DeviceId;
use crate::list::{Device, DeviceList};
use crate::pki::{Ca, Pki};
use crate::platform::blocking::Client;
use crate::platform::verdict::{self, Comparison, Ours};
use crate::provision::Existing;
use crate::registry::{Filter, Record, RegistryError, Role, Status};

/// The kind of the step.
pub(super) const KIND: &str = "verdict";

/// The step of a plan; none if no device is to be made or registered.
pub(super) fn step(spec: &Spec, makes: bool, registers: bool) -> Option<Step> {
    let before = if makes { "the other devices are made" } else { "devices are registered" };
    let detail = format!("before {before}, the platform is asked about the chain of one device");
    (makes || registers).then(|| Step::new(Action::Judge, KIND, &spec.devices.ca, detail))
}

/// Has a device judged, if the plan has that step. `first` is the first of those that are to be made. What the
/// platform says is in the report.
///
/// Errors: the answer is no, or the tenant is not reached.
pub(super) fn before_the_others(
    spec: &Spec,
    pki: &mut Pki,
    first: Option<&Device>,
    passwords: &Passwords,
    client: &Client,
    run: &Run<'_>,
    report: &mut Report,
) -> Result<(), RolloutError> {
    if report.steps.iter().all(|step| step.kind != KIND) {
        return Ok(());
    }
    let ca = pki.ca(&spec.devices.ca)?;
    let mut one = live_of(pki, &ca, run.now)?;
    if let (None, Some(first)) = (&one, first) {
        let list = DeviceList { devices: vec![first.clone()], ..DeviceList::default() };
        make_folder(spec)?;
        report.devices = make_devices(spec, pki, list, passwords, run, Existing::Skip)?;
        if report.devices.stopped {
            return Ok(());
        }
        one = live_of(pki, &ca, run.now)?;
    }
    // Revoked by another process a moment ago.
    let Some((device, leaf)) = one else { return Ok(()) };
    let chain = [&[leaf], ca.chain.as_slice()].concat();
    let platform = client.wait(verdict::ask(client, &chain))?;
    let of = "which this file uploads";
    let ours = Ours::judge(&chain, &uploaded(spec, pki)?, of, run.now, pki.longest_chain());
    let compared = Comparison::new(client.wait(client.tenant())?, platform, ours);
    let (ca, accepted) = (ca.name.clone(), compared.platform.accepts_for(&compared.tenant));
    for step in report.steps.iter_mut().filter(|step| step.kind == KIND) {
        step.done = accepted == Some(true);
        step.answer = accepted;
        step.detail = format!("{device}: {}", compared.platform);
    }
    let judged = report.verdict.insert(Judged { ca, device, compared });
    match accepted {
        Some(false) => Err(RolloutError::ChainRefused(Box::new(judged.clone()))),
        Some(true) | None => Ok(()),
    }
}

/// Why the search ends.
enum Ended {
    Found(String, Box<Certificate>),
    Failed(RegistryError),
}

impl From<RegistryError> for Ended {
    fn from(e: RegistryError) -> Self {
        Self::Failed(e)
    }
}

/// A device with a live certificate that the CA has signed with its present key.
fn live_of(
    pki: &Pki,
    ca: &Ca,
    now: OffsetDateTime,
) -> Result<Option<(String, Certificate)>, RolloutError> {
    let filter = Filter {
        ca: Some(&ca.name),
        role: Some(Role::Device),
        status: Some(Status::Live),
        ..Filter::default()
    };
    let fit = |record: &Record| {
        let leaf = record.certificate().ok()?;
        let key = ca.certificate().public_key.as_ref().ok()?;
        let is_fit = record.not_after > now && leaf.verify_signature(key).is_ok();
        is_fit.then_some(leaf)
    };
    let found = pki.registry().each(&filter, |record| match fit(&record) {
        Some(leaf) => Err(Ended::Found(
            record.holder.device().map(DeviceId::to_string).unwrap_or_default(),
            Box::new(leaf),
        )),
        None => Ok(()),
    });
    match found {
        Ok(()) => Ok(None),
        Err(Ended::Failed(e)) => Err(e.into()),
        Err(Ended::Found(device, leaf)) => Ok(Some((device, *leaf))),
    }
}
