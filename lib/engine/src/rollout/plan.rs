//! What is there, what is wanted, and so what is left to do.

use time::OffsetDateTime;

use super::connect;
use super::diff::{self, Finding, Held, Remedy, Sign};
use super::listed::{DeviceStep, device_step};
use super::password::{self, choose};
use super::prune::Unlisted;
use super::spec::{CaSpec, RegistrationSpec, Spec};
pub use super::step::{Action, Step};
use super::step::{REPLACE, changes};
use super::{Remote, RolloutError, leftover, longest, places, tenant, verdict};
use crate::crypto::{KeyType, MlDsa};
use crate::files;
use crate::issue::Validity;
use crate::key::pkcs11::{KeyUri, is_one_token};
use crate::list::{Device, DeviceList};
use crate::pki::{Ca, KeyPlace, LostCa, Pki};
use crate::platform::crl::{self, Switch};
use crate::provision::ProvisionError;
use crate::registration;
use crate::registry::{self, Checked, Filter, Role};
use crate::secret::{ChosenPassword, WeakPassword};
use crate::shown;

/// The steps, and what was read to find them.
#[derive(Debug)]
pub struct Plan {
    /// All steps in order, those that change nothing included.
    pub steps: Vec<Step>,
    /// What is wrong with the password given for keys of new CAs, where a weak one is allowed.
    pub weak_password: Option<WeakPassword>,
    /// Whether the tenant looks at its list of revocations; none without a tenant, and in a rehearsal.
    pub revocation_check: Option<Switch>,
    pub(super) list: DeviceList,
    /// The devices of the list without those that were revoked.
    pub(super) certified: Vec<Device>,
    /// About keys that the platform's documentation does not name.
    key_remark: Option<String>,
    pub(super) registration: Option<String>,
    /// The place in the list of the first device that has no certificate.
    pub(super) first_new: Option<usize>,
    /// How what is there compares with the file, key by key.
    pub findings: Vec<Finding>,
    /// The places in the list of devices that are issued again, if that is allowed.
    pub(super) replaced: Vec<usize>,
    pub(super) unlisted: Unlisted,
}

impl Plan {
    /// What the user should know of how the device list was read and of the keys that the file wants, a sentence
    /// each.
    pub fn remarks(&self) -> impl Iterator<Item = &str> {
        self.list.remarks.iter().chain(&self.key_remark).map(String::as_str)
    }

    /// Whether there is anything to do; that devices are to connect changes nothing.
    pub fn changes(&self) -> bool {
        changes(&self.steps)
    }

    /// Whether anything is not as the file wants it, also what this run would leave as it is.
    pub fn differs(&self) -> bool {
        self.findings.iter().any(Finding::is_change)
    }

    /// The ids of devices that this run would revoke.
    pub fn to_be_revoked(&self) -> Vec<&str> {
        let is_due = self.steps.iter().any(|step| step.action == Action::Remove);
        let live = self.unlisted.live.iter().filter(|_| is_due);
        live.filter_map(|record| record.holder.device()).map(|id| id.as_str()).collect()
    }
}

/// Compares the file with what is there. Nothing is changed.
pub fn plan(spec: &Spec, remote: &Remote<'_>, now: OffsetDateTime) -> Result<Plan, RolloutError> {
    let pki = match spec.pki.join("pki.toml").exists() {
        true => Some(Pki::open_to_read(&spec.pki, now)?),
        false => None,
    };
    places::check(spec)?;
    let list = read_list(spec)?;
    let existing = pki.as_ref().map(Pki::cas).transpose()?.unwrap_or_default();
    let ends = ends(pki.as_ref())?;
    let (mut steps, mut findings) = plan_cas(spec, (pki.as_ref(), &existing), (&ends, now))?;
    let weak_password = weak_password(spec, &existing)?;
    for path in &spec.truststore.certificates {
        files::read(path)?;
    }
    let devices = device_step(spec, &list.devices, pki.as_ref())?;
    check_days(spec, &existing, now)?;
    let store = password::of_stores(spec)?;
    let mut held = match &pki {
        Some(pki) => {
            let (there, dates) = ((pki, existing.as_slice()), (ends.as_slice(), now));
            diff::look(spec, &list.devices, there, dates, store.as_ref())?
        }
        None => Held::default(),
    };
    let at_tenant = spec.tenant.as_ref().zip(remote.client);
    let unlisted = Unlisted::of(&mut held, spec, at_tenant.map(|(_, client)| client))?;
    let mut revocation_check = None;
    if let Some((wanted, client)) = at_tenant {
        // The tenant of a rehearsal has no list of what was revoked before.
        if !spec.is_rehearsal {
            revocation_check = Some(client.wait(crl::switch(client))?);
        }
        let (at, found) = tenant::plan_trust(spec, wanted, &existing, client)?;
        steps.extend(at);
        findings.extend(found);
        tenant::check_anchor(spec, wanted, &existing, client)?;
    }
    let DeviceStep { step, finding, first_new, revoked } = devices;
    let is_revoked = |device: &Device| revoked.contains(&device.id.folded());
    let is_certified = |device: &&Device| spec.allowed.issue_revoked || !is_revoked(device);
    let certified: Vec<Device> = list.devices.iter().filter(is_certified).cloned().collect();
    let judged_before = steps.len();
    steps.push(step);
    findings.extend(finding);
    diff::hold_back(spec, &existing, &mut findings);
    let (mut replaced, differing) = plan_differing(spec, held);
    findings.extend(differing);
    if spec.allowed.issue_revoked {
        let all = list.devices.iter().enumerate();
        replaced.extend(all.filter_map(|(at, device)| is_revoked(device).then_some(at)));
    }
    steps.extend(replace_step(spec, replaced.len()));
    findings.extend(unlisted.findings(spec));
    steps.extend(unlisted.step(spec));
    let registration = match &spec.registration {
        None => None,
        Some(wanted) => {
            // Without a device it is a header alone: nobody who uploads it registers what was revoked.
            let csv = registration::create(&certified, &wanted.settings)?;
            steps.push(registration_step(wanted, &csv, certified.len()));
            findings.extend(diff::of_sheet(wanted, &csv, &revoked));
            Some(csv)
        }
    };
    if let Some((wanted, client)) = at_tenant {
        let sheet = (registration.as_deref(), certified.as_slice());
        let mut registers = false;
        if let Some((step, found)) = tenant::plan_register(spec, wanted, sheet, client)? {
            registers = step.count > 0;
            findings.extend(found);
            steps.push(step);
        }
        let judged = verdict::step(spec, first_new.is_some(), registers);
        steps.splice(judged_before..judged_before, judged);
    }
    findings.extend(leftover::findings(spec, &list.devices));
    findings.extend(tenant::not_asked(spec, remote));
    if let Some(wanted) = remote.connect {
        let step = connect::step(wanted, certified.len());
        findings.push(connect::to_be_tried(&step));
        steps.push(step);
    }
    Ok(Plan {
        steps,
        weak_password,
        revocation_check,
        list,
        certified,
        key_remark: key_remark(spec),
        registration,
        first_new,
        findings,
        replaced,
        unlisted,
    })
}

/// The steps and findings of passwords and CAs.
fn plan_cas(
    spec: &Spec,
    (pki, existing): (Option<&Pki>, &[Ca]),
    dates: (&[OffsetDateTime], OffsetDateTime),
) -> Result<(Vec<Step>, Vec<Finding>), RolloutError> {
    let (mut steps, mut findings) = password::plan(spec, existing)?;
    longest::check(spec, existing)?;
    let lost = pki.map(|pki| pki.lost_cas(existing)).transpose()?.unwrap_or_default();
    for ca in &spec.cas {
        second_ca(spec, ca, existing)?;
        lost_ca(spec, ca, (existing, &lost))?;
        steps.push(ca_step(spec, ca, existing)?);
    }
    one_token(spec, existing)?;
    let there = (existing, pki.map(Pki::registry));
    findings.extend(diff::of_cas(spec, there, dates, spec.longest_chain()?)?);
    findings.extend(pki.map(|pki| ca_folders(spec, pki)).transpose()?.unwrap_or_default());
    Ok((steps, findings))
}

/// The devices that are issued again, and what is said of those that differ from the file.
fn plan_differing(spec: &Spec, held: Held) -> (Vec<usize>, Vec<Finding>) {
    if !spec.allowed.replace_differing {
        return (Vec::new(), held.findings);
    }
    let findings = held.findings.into_iter().map(|finding| match finding.remedy {
        Some(Remedy::Replace) => finding.by(Remedy::Apply),
        _ => finding,
    });
    (held.differing, findings.collect())
}

/// The ends of all CA certificates that the registry has: one of them ends what was shortened.
fn ends(pki: Option<&Pki>) -> Result<Vec<OffsetDateTime>, RolloutError> {
    let Some(pki) = pki else { return Ok(Vec::new()) };
    let cas = pki.registry().find(&Filter { role: Some(Role::Ca), ..Filter::default() })?;
    Ok(cas.iter().map(|record| record.not_after).collect())
}

/// Refuses devices that would outlive their CA, as the run itself would.
fn check_days(spec: &Spec, existing: &[Ca], now: OffsetDateTime) -> Result<(), RolloutError> {
    let Some(days) = spec.devices.days else { return Ok(()) };
    let ca = &spec.devices.ca;
    let end = match existing.iter().find(|found| found.name == *ca) {
        Some(found) => found.certificate().not_after,
        // It is to be made now, and ends with its own issuer at the latest.
        None => {
            let Some(wanted) = spec.cas.iter().find(|wanted| wanted.name == *ca) else {
                return Ok(());
            };
            Validity::of(&wanted.profile, now, wanted.days).not_after
        }
    };
    // That it has ended is told elsewhere.
    let validity = Validity::of(&spec.devices.profile, now, Some(days));
    let Some(most) = validity.most_before(end).filter(|_| end >= now) else { return Ok(()) };
    let file = spec.file.display().to_string();
    Err(RolloutError::Days { file, days, ca: ca.clone(), end: end.date(), most })
}

/// Refuses a CA that would be a second one of a subject, unless that is allowed.
fn second_ca(spec: &Spec, wanted: &CaSpec, existing: &[Ca]) -> Result<(), RolloutError> {
    let Some(other) = diff::second_of_a_subject(spec, wanted, existing) else { return Ok(()) };
    if spec.allowed.new_ca {
        return Ok(());
    }
    Err(RolloutError::SecondCa {
        file: spec.file.display().to_string(),
        name: wanted.name.clone(),
        subject: wanted.subject.to_string(),
        other: other.to_owned(),
        renamed: spec.cas.iter().all(|ca| ca.name != other),
    })
}

/// What is wrong with the directories of the CAs, which are read elsewhere from their `chain.pem` alone.
fn ca_folders(spec: &Spec, pki: &Pki) -> Result<Vec<Finding>, RolloutError> {
    let mut checked = Checked::default();
    pki.check_cas(&mut checked)?;
    let name = spec.pki.display().to_string();
    let row = |fault: registry::Finding| Finding::new(Sign::Differs, "pki", &name, fault.message);
    Ok(checked.findings.into_iter().map(row).collect())
}

/// Refuses to make a CA again whose directory is lost, unless a second one is allowed.
fn lost_ca(
    spec: &Spec,
    wanted: &CaSpec,
    (existing, lost): (&[Ca], &[LostCa]),
) -> Result<(), RolloutError> {
    let is_there = existing.iter().any(|ca| ca.name == wanted.name);
    let is_lost = lost.iter().any(|lost| lost.subject.matches(&wanted.subject));
    if is_there || !is_lost || spec.allowed.new_ca {
        return Ok(());
    }
    Err(RolloutError::LostCa {
        file: spec.file.display().to_string(),
        name: wanted.name.clone(),
        subject: wanted.subject.to_string(),
        pki: spec.pki.clone(),
    })
}

/// The first key type of the file that the platform is not known to take.
fn key_remark(spec: &Spec) -> Option<String> {
    let keys = spec.cas.iter().map(|ca| ca.profile.key).chain([spec.devices.profile.key]);
    let mut sets = keys.filter_map(|key| match key {
        KeyType::MlDsa(set) => Some(set),
        _ => None,
    });
    sets.next().map(MlDsa::remark)
}

fn replace_step(spec: &Spec, count: usize) -> Option<Step> {
    let (are, them) = if count == 1 { ("is", "it") } else { ("are", "them") };
    let devices = shown::count(count, "device");
    let revoked = if spec.allowed.issue_revoked { ", or revoked" } else { "" };
    let detail = format!(
        "{devices} that {are} not as the file wants {them}{revoked}, by {}",
        spec.devices.ca
    );
    let out = spec.devices.out.display().to_string();
    (count > 0).then(|| Step::new(Action::Update, REPLACE, out, detail).of(count))
}

fn registration_step(wanted: &RegistrationSpec, csv: &str, count: usize) -> Step {
    let same = files::read(&wanted.file).ok().map(|found| found == csv.as_bytes());
    let action = match same {
        None => Action::Create,
        Some(true) => Action::Keep,
        Some(false) => Action::Update,
    };
    let name = wanted.file.display().to_string();
    Step::new(action, "registration", name, shown::count(count, "device")).of(count)
}

/// What is wrong with the password that is given for keys of new CAs, if a weak one may be used. One that
/// only opens keys is not judged; nor is one that is not there yet: it will be random.
fn weak_password(spec: &Spec, existing: &[Ca]) -> Result<Option<WeakPassword>, RolloutError> {
    let is_new = |ca: &&CaSpec| existing.iter().all(|known| known.name != ca.name);
    let path = &spec.passwords.ca;
    if !path.exists() || spec.cas.iter().filter(is_new).all(|ca| ca.token.is_some()) {
        return Ok(None);
    }
    let given = password::read_or_create(path, None, false)?;
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
    let has_pin = spec.passwords.pin.is_some() || spec.passwords.given.pin.is_some();
    if in_token && !has_pin {
        return Err(RolloutError::NoPin(wanted.name.clone()));
    }
    let under = wanted.parent.as_ref().map_or_else(String::new, |p| format!(" under {p}"));
    let action = if found.is_some() { Action::Keep } else { Action::Create };
    Ok(Step::new(action, "ca", &wanted.name, format!("{}{under}", wanted.subject)))
}
