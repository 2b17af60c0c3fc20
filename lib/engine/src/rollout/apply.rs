//! Doing what a plan says.

use std::collections::HashMap;
use std::path::Path;

use time::OffsetDateTime;

use super::connect::{self, Connecting};
use super::diff::{Finding, Remedy, Sign};
use super::error::RolloutError;
use super::making::{make_devices, make_folder, uploaded};
use super::outcome::Report;
use super::password::{Passwords, choose};
use super::plan::Plan;
use super::remote::Remote;
use super::run::Run;
use super::shortened::ShortenedOf;
use super::spec::{CaSpec, Spec};
use super::step::{Action, DEVICES, REPLACE, Step, done, interrupted};
use super::{prune, summary, tenant, verdict};
use crate::client_id::DeviceId;
use crate::device::check::Check;
use crate::files::{self, Access};
use crate::issue::BeyondIssuer;
use crate::key::pkcs11::TokenKey;
use crate::list::{Device, DeviceList};
use crate::pki::{CaSettings, NewKey, Pki};
use crate::platform::blocking::Inquiry;
use crate::platform::standing::ID_TYPE;
use crate::provision::{self, Existing, Out, Summary};
use crate::registration;
use crate::secret::ChosenPassword;

/// Does what the plan says, for the same [`Remote`]. The passwords have been read or made before.
pub fn apply(
    spec: &Spec,
    mut plan: Plan,
    passwords: &Passwords,
    remote: &Remote<'_>,
    run: &Run<'_>,
) -> Result<Report, RolloutError> {
    let is_there = spec.pki.join("pki.toml").exists();
    Pki::make_folder_for(&spec.pki, spec.longest_chain)?;
    let mut pki = match plan.changes() || !is_there {
        true => Pki::open_or_create(&spec.pki, run.now)?,
        // Nobody has looked at the clock.
        false => Pki::open_unrecorded(&spec.pki, run.now)?,
    };
    let mut report = begun(&mut plan);
    for ca in &spec.cas {
        report.shortened.extend(make_ca(spec, &mut pki, ca, passwords, run.now)?);
    }
    done(&mut report.steps, &["password", "ca"]);
    let connecting = if remote.connect.is_some() { &plan.certified[..] } else { &[] };
    let connecting = (
        connecting.iter().map(|device| device.id.clone()).collect(),
        registration::id_types(connecting),
    );
    let csv = plan.registration.take();
    match in_order(spec, &mut pki, plan, (passwords, remote, run), csv, &mut report) {
        // What was made stays, and is told.
        Err(e) if report.verdict.is_some() || is_of_the_tenant(&e) => report.failure = Some(e),
        ended => ended?,
    }
    tell_of_devices(&mut report);
    if let (Some(wanted), None, false) = (remote.connect, &report.failure, report.is_stopped()) {
        connect(spec, &pki, (passwords, remote, run), wanted, connecting, &mut report)?;
    }
    Ok(report)
}

/// The report of a plan of which nothing is done yet.
fn begun(plan: &mut Plan) -> Report {
    let (left, others): (Vec<Finding>, Vec<Finding>) =
        std::mem::take(&mut plan.findings).into_iter().partition(Finding::is_left);
    let is_beside = |f: &Finding| f.remedy == Some(Remedy::Stays);
    let (stays, others): (Vec<Finding>, Vec<Finding>) = others.into_iter().partition(is_beside);
    let not_looked_at = others.into_iter().filter(|f| f.sign == Sign::NotLookedAt).collect();
    Report {
        steps: std::mem::take(&mut plan.steps),
        revocation_check: plan.revocation_check,
        verdict: None,
        left,
        stays,
        not_looked_at,
        pruned: None,
        shortened: Vec::new(),
        devices: Summary::default(),
        registered: None,
        connected: None,
        failure: None,
    }
}

/// Says how many devices were made and how many were not, if the run ended between the two.
fn tell_of_devices(report: &mut Report) {
    let made = report.devices.issued;
    let step = report.steps.iter().find(|step| step.kind == DEVICES && !step.done);
    if let Some(step) = step.filter(|_| made > 0 || report.devices.stopped) {
        let left = step.count.saturating_sub(made);
        interrupted(&mut report.steps, DEVICES, (made, left), "made");
    }
}

/// Whether the steps at the tenant were ended by it.
fn is_of_the_tenant(error: &RolloutError) -> bool {
    matches!(
        error,
        RolloutError::Platform(_)
            | RolloutError::Trust(_)
            | RolloutError::Results(_)
            | RolloutError::NotTaken { .. }
    )
}

/// What there is beside the file and the PKI directory.
type With<'a> = (&'a Passwords, &'a Remote<'a>, &'a Run<'a>);

/// The CAs at the tenant, its verdict on one device, all devices, and their registration.
fn in_order(
    spec: &Spec,
    pki: &mut Pki,
    plan: Plan,
    (passwords, remote, run): With<'_>,
    csv: Option<String>,
    report: &mut Report,
) -> Result<(), RolloutError> {
    let tenant = spec.tenant.as_ref().zip(remote.client);
    if let Some((wanted, client)) = tenant {
        tenant::apply_trust(wanted, pki, passwords, client, run, &mut report.steps)?;
        let first = plan.first_new.and_then(|at| plan.list.devices.get(at));
        verdict::before_the_others(spec, pki, first, passwords, client, run, report)?;
    }
    if !report.devices.stopped {
        if plan.first_new.is_some() {
            report.shortened.extend(shortened_devices(spec, pki, run.now)?);
        }
        make_all(spec, pki, plan, (passwords, remote, run), report)?;
    }
    if report.devices.stopped {
        // A list for the platform names devices that have a certificate, all of them.
        return Ok(());
    }
    if let (Some(wanted), Some(csv)) = (&spec.registration, &csv) {
        write_registration(&wanted.file, csv, &mut report.steps)?;
    }
    if let Some((wanted, client)) = tenant {
        let told = (&mut report.steps[..], &mut report.registered);
        tenant::apply_register(spec, wanted, csv.as_deref(), client, run, told)?;
    }
    Ok(())
}

/// The devices that are missing, then those that are issued again, then those that are no longer wanted.
fn make_all(
    spec: &Spec,
    pki: &mut Pki,
    mut plan: Plan,
    (passwords, remote, run): With<'_>,
    report: &mut Report,
) -> Result<(), RolloutError> {
    let devices = std::mem::take(&mut plan.list.devices);
    let differing: Vec<Device> = plan.replaced.iter().map(|at| devices[*at].clone()).collect();
    let list = DeviceList { devices, ..plan.list };
    if plan.first_new.is_some() || !differing.is_empty() {
        make_folder(spec)?;
    }
    let rest = make_devices(spec, pki, list, passwords, run, Existing::Skip)?;
    report.devices = summary::together(std::mem::take(&mut report.devices), rest);
    if !report.devices.stopped {
        done(&mut report.steps, &[DEVICES]);
    }
    if !differing.is_empty() && !report.devices.stopped {
        let count = differing.len();
        let list = DeviceList { devices: differing, ..DeviceList::default() };
        let again = Existing::Replace { revoke: false };
        // What a stopped run has made counts no more than the rest: each device was compared with the file as it is now.
        provision::settle(pki, Out::Folders(&spec.devices.out), None)?;
        let replaced = make_devices(spec, pki, list, passwords, run, again)?;
        match replaced.stopped {
            false => done(&mut report.steps, &[REPLACE]),
            true => {
                let parts = (replaced.issued, count.saturating_sub(replaced.issued));
                interrupted(&mut report.steps, REPLACE, parts, "issued again");
            }
        }
        report.devices = summary::replaced_too(std::mem::take(&mut report.devices), replaced);
    }
    if spec.allowed.prune && !report.devices.stopped {
        let mut pruned = plan.unlisted.revoke(pki, run.now)?;
        if let (Some(client), Some(_)) = (remote.client, &spec.tenant) {
            pruned.withdrawn = Some(plan.unlisted.withdraw(client, run.now)?);
        }
        report.pruned = Some(pruned);
        done(&mut report.steps, &[prune::KIND]);
    }
    Ok(())
}

/// Connects the devices, and tells which of them do.
fn connect(
    spec: &Spec,
    pki: &Pki,
    (passwords, remote, run): With<'_>,
    wanted: &Connecting,
    (ids, id_types): (Vec<DeviceId>, HashMap<String, String>),
    report: &mut Report,
) -> Result<(), RolloutError> {
    let uploaded = uploaded(spec, pki)?;
    let store = passwords.store.as_ref();
    let inquiry = remote.client.map(|client| Inquiry::new(client, ID_TYPE));
    let inquiry = inquiry.map(|inquiry| inquiry.with_id_types(id_types));
    let inquiry = inquiry.as_ref();
    let check = Check { longest: pki.longest_chain(), ..wanted.check.clone() };
    let wanted = &Connecting { check, ..wanted.clone() };
    let connected = connect::apply(spec, wanted, inquiry, ids, &uploaded, store, run);
    let tried = connected.connected + connected.failed.len();
    match connected.stopped {
        false => done(&mut report.steps, &["connect"]),
        true => {
            let parts = (tried, connected.devices.saturating_sub(tried));
            interrupted(&mut report.steps, "connect", parts, "tried");
        }
    }
    if tried > 0 {
        report.not_looked_at.retain(|finding| finding.key != connect::KEY);
    }
    report.connected = Some(connected);
    Ok(())
}

fn shortened_devices(
    spec: &Spec,
    pki: &Pki,
    now: OffsetDateTime,
) -> Result<Option<ShortenedOf>, RolloutError> {
    let (wanted, ca) = (&spec.devices, pki.ca(&spec.devices.ca)?);
    let of = ("devices", wanted.ca.as_str());
    Ok(ShortenedOf::of(of, (&wanted.profile, wanted.days), ca.certificate(), now))
}

/// Writes the registration CSV, unless it is there as it should be.
fn write_registration(file: &Path, csv: &str, steps: &mut [Step]) -> Result<(), RolloutError> {
    if !steps.iter().any(|s| s.kind == "registration" && s.action != Action::Keep) {
        return Ok(());
    }
    if let Some(dir) = file.parent().filter(|d| !d.as_os_str().is_empty()) {
        files::create_private_dir(dir)?;
    }
    files::write(file, csv.as_bytes(), Access::Public, files::Existing::Replace)?;
    done(steps, &["registration"]);
    Ok(())
}

fn make_ca(
    spec: &Spec,
    pki: &mut Pki,
    wanted: &CaSpec,
    passwords: &Passwords,
    now: OffsetDateTime,
) -> Result<Option<ShortenedOf>, RolloutError> {
    if pki.cas()?.iter().any(|ca| ca.name == wanted.name) {
        return Ok(None);
    }
    let taken = match &wanted.token {
        Some(token) if token.existing_key => {
            let pin = passwords.pin_for(&wanted.name)?;
            Some(TokenKey::open(&token.uri, pin)?)
        }
        _ => None,
    };
    let chosen = match wanted.token {
        None => choose(spec, passwords.ca.clone())?,
        // It protects nothing: the key has no file.
        Some(_) => ChosenPassword::unjudged(passwords.ca.clone()),
    };
    let settings = CaSettings {
        profile: &wanted.profile,
        subject: &wanted.subject,
        days: wanted.days,
        path_length: None,
        beyond_issuer: BeyondIssuer::of(wanted.days, false),
        key: match (&wanted.token, &taken) {
            (_, Some(key)) => NewKey::InToken(key),
            (Some(token), None) => {
                NewKey::Token { uri: &token.uri, pin: passwords.pin_for(&wanted.name)? }
            }
            (None, None) => NewKey::File(&chosen),
        },
    };
    let Some(parent) = &wanted.parent else {
        pki.init_root(&wanted.name, &settings, now)?;
        return Ok(None);
    };
    let parent = pki.ca(parent)?;
    let key = passwords.unlock(&parent)?;
    pki.add_intermediate(&wanted.name, &parent, &key, &settings, now)?;
    let (of, wanted) = (("ca", wanted.name.as_str()), (&wanted.profile, wanted.days));
    Ok(ShortenedOf::of(of, wanted, parent.certificate(), now))
}
