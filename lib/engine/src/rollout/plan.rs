//! What is there, what is wanted, and so what is left to do.

use std::collections::HashSet;

use time::OffsetDateTime;

use super::apply::{choose, read_or_create};
use super::spec::{CaSpec, Spec};
use super::{Remote, RolloutError, longest, tenant, verdict};
use crate::files;
use crate::key::pkcs11::{KeyUri, is_one_token};
use crate::list::{BadRows, Device, DeviceList, new_ids};
use crate::pki::{Ca, KeyPlace, Pki};
use crate::platform::crl::{self, Switch};
use crate::provision::{ProvisionError, is_complete};
use crate::registration;
use crate::registry::Standing;
use crate::secret::{ChosenPassword, WeakPassword};

/// What is done with a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is made.
    Create,
    /// It is there already.
    Keep,
    /// It is written anew, because its contents change.
    Update,
    /// It is tried.
    Connect,
    /// The platform is asked about it.
    Judge,
}

/// One step of a rollout.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// The kind of thing: `password`, `ca`, `devices`, `registration`; at the tenant `trust`, `proof`,
    /// `verdict`, `register`, `connect`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// More about it, in words.
    pub detail: String,
    /// How many things it stands for.
    pub count: usize,
    /// Whether it is as wanted: in a plan, whether it was before.
    pub done: bool,
}

impl Step {
    pub(super) fn new(
        action: Action,
        kind: &'static str,
        name: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        let (name, detail) = (name.into(), detail.into());
        Self { action, kind, name, detail, count: 1, done: action == Action::Keep }
    }

    /// What became of it, in a word or two.
    pub fn word(&self) -> &'static str {
        match self.action {
            Action::Keep => "in place",
            Action::Judge if !self.done => "not accepted",
            _ if !self.done => "not done",
            Action::Create => "created",
            Action::Update => "updated",
            Action::Connect => "tried",
            Action::Judge => "accepted",
        }
    }

    /// Standing for so many things.
    pub(super) fn of(self, count: usize) -> Self {
        Self { count, ..self }
    }
}

/// Notes that all steps of these kinds are done.
pub(super) fn done(steps: &mut [Step], kinds: &[&str]) {
    steps.iter_mut().filter(|s| kinds.contains(&s.kind)).for_each(|s| s.done = true);
}

/// The steps, and what was read to find them.
#[derive(Debug)]
pub struct Plan {
    /// All steps in order, those that change nothing included.
    pub steps: Vec<Step>,
    /// What is wrong with the password given for keys of new CAs, where a weak one is allowed.
    pub weak_password: Option<WeakPassword>,
    /// Whether the tenant looks at its list of revocations; none without a tenant.
    pub revocation_check: Option<Switch>,
    pub(super) list: DeviceList,
    pub(super) registration: Option<String>,
    /// The place in the list of the first device that has no certificate.
    pub(super) first_new: Option<usize>,
    /// Devices that are issued, and have not all the files of the bundle in their directories.
    pub incomplete: usize,
}

impl Plan {
    /// What the user should know of how the device list was read, a sentence each.
    pub fn remarks(&self) -> &[String] {
        &self.list.remarks
    }

    /// Whether there is anything to do; that devices are to connect changes nothing.
    pub fn changes(&self) -> bool {
        changes(&self.steps)
    }
}

/// Whether any of the steps makes something, or writes it anew.
pub(super) fn changes(steps: &[Step]) -> bool {
    steps.iter().any(|s| matches!(s.action, Action::Create | Action::Update))
}

/// Compares the file with what is there. Nothing is changed.
pub fn plan(spec: &Spec, remote: &Remote<'_>, now: OffsetDateTime) -> Result<Plan, RolloutError> {
    let pki = match spec.pki.join("pki.toml").exists() {
        true => Some(Pki::open_to_read(&spec.pki, now)?),
        false => None,
    };
    let list = read_list(spec)?;
    let mut steps = Vec::new();
    for path in [Some(&spec.passwords.ca), spec.passwords.store.as_ref()].into_iter().flatten() {
        steps.push(password_step(spec, path)?);
    }
    let existing = pki.as_ref().map(Pki::cas).transpose()?.unwrap_or_default();
    if let Some(path) = spec.passwords.pin.as_ref().filter(|path| !path.exists()) {
        return Err(RolloutError::NoPinFile(path.display().to_string()));
    }
    longest::check(spec, &existing)?;
    for ca in &spec.cas {
        steps.push(ca_step(spec, ca, &existing)?);
    }
    one_token(spec, &existing)?;
    let weak_password = weak_password(spec, &existing)?;
    for path in &spec.truststore.certificates {
        files::read(path)?;
    }
    let devices = device_step(spec, &list.devices, pki.as_ref())?;
    let at_tenant = spec.tenant.as_ref().zip(remote.client);
    let mut revocation_check = None;
    if let Some((wanted, client)) = at_tenant {
        revocation_check = Some(client.wait(crl::switch(client))?);
        steps.extend(tenant::plan_trust(wanted, &existing, client)?);
        steps.extend(verdict::step(spec, devices.first_new.is_some()));
    }
    let DeviceStep { step, first_new, incomplete } = devices;
    steps.push(step);
    let registration = match &spec.registration {
        None => None,
        Some(wanted) => {
            let csv = registration::create(&list.devices, &wanted.settings)?;
            let same = files::read(&wanted.file).ok().map(|found| found == csv.as_bytes());
            let action = match same {
                None => Action::Create,
                Some(true) => Action::Keep,
                Some(false) => Action::Update,
            };
            let (name, count) = (wanted.file.display().to_string(), list.devices.len());
            let detail = format!("{count} devices");
            steps.push(Step::new(action, "registration", name, detail).of(count));
            Some(csv)
        }
    };
    if let Some((wanted, client)) = at_tenant {
        steps.extend(tenant::plan_register(spec, wanted, registration.as_deref(), client)?);
    }
    if let Some(wanted) = remote.connect {
        let all = list.devices.len();
        let count = wanted.sample.unwrap_or(all).min(all);
        let by = if wanted.check.service.is_some() { "the MQTT Service" } else { "MQTT" };
        let detail = format!("{count} of {all} devices over {by}, with their own files");
        let target = wanted.check.target.to_string();
        steps.push(Step::new(Action::Connect, "connect", target, detail).of(count));
    }
    Ok(Plan { steps, weak_password, revocation_check, list, registration, first_new, incomplete })
}

/// What is wrong with the password that is given for keys of new CAs, if a weak one may be used. One that
/// only opens keys is not judged; nor is one that is not there yet: it will be random.
fn weak_password(spec: &Spec, existing: &[Ca]) -> Result<Option<WeakPassword>, RolloutError> {
    let is_new = |ca: &&CaSpec| existing.iter().all(|known| known.name != ca.name);
    let path = &spec.passwords.ca;
    if !path.exists() || spec.cas.iter().filter(is_new).all(|ca| ca.token.is_some()) {
        return Ok(None);
    }
    let given = read_or_create(path, false)?;
    let weak = ChosenPassword::judge(given.clone()).err();
    choose(spec, given)?;
    Ok(weak)
}

pub(super) fn read_list(spec: &Spec) -> Result<DeviceList, RolloutError> {
    let file = spec.devices.from.display().to_string();
    let bytes = files::read(&spec.devices.from)?;
    let list = DeviceList::from_csv_with(&file, &bytes, &spec.devices.list);
    let list = list.map_err(ProvisionError::from)?;
    if !list.faults.is_empty() {
        let total = list.devices.len() + list.faults.len();
        return Err(ProvisionError::Faults { faults: list.faults.into(), total }.into());
    }
    Ok(list)
}

fn password_step(spec: &Spec, path: &std::path::Path) -> Result<Step, RolloutError> {
    let exists = path.exists();
    if !exists && !spec.passwords.create {
        return Err(RolloutError::NoPassword(path.display().to_string()));
    }
    let (action, detail) = match exists {
        true => (Action::Keep, ""),
        false => (Action::Create, "random, 24 characters"),
    };
    Ok(Step::new(action, "password", path.display().to_string(), detail))
}

/// There is one PIN, and a token counts wrong ones: so there is one token.
fn one_token(spec: &Spec, existing: &[Ca]) -> Result<(), RolloutError> {
    let mut known: Option<(&str, &KeyUri)> = None;
    for wanted in &spec.cas {
        let found = existing.iter().find(|ca| ca.name == wanted.name).map(Ca::key_place);
        let uri = match (found, &wanted.token) {
            (Some(KeyPlace::Token { uri, path }), _) if uri.module.is_none() => {
                return Err(RolloutError::NoModule(path.clone()));
            }
            (Some(KeyPlace::Token { uri, .. }), _) => uri,
            (None, Some(token)) => &token.uri,
            _ => continue,
        };
        match known {
            Some((first, other)) if !is_one_token(uri, other)? => {
                let (first, second) = (first.to_owned(), wanted.name.clone());
                return Err(RolloutError::TwoTokens { first, second });
            }
            _ => known = Some((&wanted.name, uri)),
        }
    }
    Ok(())
}

fn ca_step(spec: &Spec, wanted: &CaSpec, existing: &[Ca]) -> Result<Step, RolloutError> {
    let file = || spec.file.display().to_string();
    let found = existing.iter().find(|ca| ca.name == wanted.name);
    if let Some(ca) = found {
        if ca.certificate().subject != wanted.subject {
            return Err(RolloutError::OtherSubject {
                name: wanted.name.clone(),
                file: file(),
                found: ca.certificate().subject.to_string(),
                wanted: wanted.subject.to_string(),
            });
        }
        if ca.parent != wanted.parent {
            let name = |p: &Option<String>| p.clone().unwrap_or_else(|| "no other CA".to_owned());
            return Err(RolloutError::OtherParent {
                name: wanted.name.clone(),
                file: file(),
                found: name(&ca.parent),
                wanted: name(&wanted.parent),
            });
        }
    }
    let in_token = found.map_or(wanted.token.is_some(), |ca| ca.key_place().is_in_token());
    if wanted.token.is_some() && !in_token {
        return Err(RolloutError::NotInToken { name: wanted.name.clone(), file: file() });
    }
    if in_token && spec.passwords.pin.is_none() {
        return Err(RolloutError::NoPin(wanted.name.clone()));
    }
    let under = wanted.parent.as_ref().map_or_else(String::new, |p| format!(" under {p}"));
    let action = if found.is_some() { Action::Keep } else { Action::Create };
    Ok(Step::new(action, "ca", &wanted.name, format!("{}{under}", wanted.subject)))
}

/// The step of the devices, and what was found on the way.
struct DeviceStep {
    step: Step,
    first_new: Option<usize>,
    incomplete: usize,
}

fn device_step(
    spec: &Spec,
    devices: &[Device],
    pki: Option<&Pki>,
) -> Result<DeviceStep, RolloutError> {
    let mut issued = HashSet::new();
    let mut faults = BadRows::default();
    if pki.is_none() {
        faults = new_ids::refused(devices);
    }
    if let Some(pki) = pki {
        let mut standings = pki.registry().standings()?;
        for device in devices {
            let known = match standings.of(&device.id)? {
                Standing::Unknown => {
                    new_ids::fault(device).into_iter().for_each(|fault| faults.add(fault));
                    false
                }
                Standing::Live => true,
                // Revoked devices are left alone.
                Standing::Former => {
                    pki.registry().history(&device.id)?.last().is_some_and(|r| r.revoked.is_some())
                }
            };
            if known {
                issued.insert(device.id.folded());
            }
        }
    }
    if faults.count > 0 {
        return Err(ProvisionError::Faults { faults, total: devices.len() }.into());
    }
    let live = issued.len();
    let new = devices.len() - live;
    let incomplete = devices
        .iter()
        .filter(|d| issued.contains(&d.id.folded()))
        .filter(|d| !is_complete(&spec.devices.out.join(d.id.file_name()), &spec.devices.bundle))
        .count();
    let without = match incomplete {
        0 => String::new(),
        n => format!(" ({n} of them without all their files)"),
    };
    let bundle: Vec<&str> = crate::provision::bundle::Bundle::ALL
        .iter()
        .filter(|(kind, _)| spec.devices.bundle.contains(kind))
        .map(|(_, name)| *name)
        .collect();
    let action = if new > 0 { Action::Create } else { Action::Keep };
    let detail = format!(
        "{new} new, {live} issued before{without}, by {}: {}",
        spec.devices.ca,
        bundle.join(", ")
    );
    let first_new = devices.iter().position(|d| !issued.contains(&d.id.folded()));
    let step = Step::new(action, "devices", spec.devices.out.display().to_string(), detail);
    Ok(DeviceStep { step: step.of(new), first_new, incomplete })
}
