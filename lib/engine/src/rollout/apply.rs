//! Doing what a plan says.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use time::OffsetDateTime;

use super::RolloutError;
use super::connect::{self, Connected, Connecting};
use super::diff::{Finding, Sign};
use super::password::{Passwords, choose};
use super::plan::Plan;
use super::prune::{self, Pruned};
use super::shortened::ShortenedOf;
use super::spec::{CaSpec, Spec};
use super::step::{Action, REPLACE, Step, changes, done};
use super::summary;
use super::tenant::{self, Registered};
use super::verdict::{self, Judged};
use crate::cert::Certificate;
use crate::client_id::DeviceId;
use crate::crypto::KeyPolicy;
use crate::device::check::Check;
use crate::files::{self, Access};
use crate::issue::BeyondIssuer;
use crate::key::pkcs11::TokenKey;
use crate::list::{Device, DeviceList};
use crate::pki::{CaSettings, NewKey, Pki};
use crate::platform::PlatformError;
use crate::platform::blocking::{Client, Inquiry};
use crate::platform::crl::Switch;
use crate::platform::standing::ID_TYPE;
use crate::provision::bundle::BundleSettings;
use crate::provision::{self, Context, Existing, Job, Out, Progress, Summary};
use crate::read;
use crate::registration;
use crate::secret::ChosenPassword;
use crate::store::Pkcs12Options;

/// What a rollout has done.
#[derive(Debug, serde::Serialize)]
pub struct Report {
    /// The steps of its plan, and whether each is done.
    pub steps: Vec<Step>,
    /// Whether the tenant looks at its list of revocations; none without a tenant.
    pub revocation_check: Option<Switch>,
    /// What both sides say of a device's chain, if one was judged before the others were made.
    pub verdict: Option<Judged>,
    /// What is not as the file wants it, and was left as it is.
    pub left: Vec<Finding>,
    /// What was not looked at.
    pub not_looked_at: Vec<Finding>,
    /// What was made for less time than its profile says.
    pub shortened: Vec<ShortenedOf>,
    /// What became of the devices.
    pub devices: Summary,
    /// What became of those that are no longer in the list, if they were to be revoked.
    pub pruned: Option<Pruned>,
    /// What became of them at the tenant, if they were to be registered there.
    pub registered: Option<Registered>,
    /// Which of them connect, if they were to.
    pub connected: Option<Connected>,
    /// Why the steps at the tenant ended early.
    #[serde(skip)]
    pub failure: Option<RolloutError>,
}

impl Report {
    /// Nothing is done yet.
    fn of(plan: &mut Plan) -> Self {
        let (left, others): (Vec<Finding>, Vec<Finding>) =
            std::mem::take(&mut plan.findings).into_iter().partition(Finding::is_left);
        let not_looked_at = others.into_iter().filter(|f| f.sign == Sign::NotLookedAt).collect();
        Self {
            steps: std::mem::take(&mut plan.steps),
            revocation_check: plan.revocation_check,
            verdict: None,
            left,
            not_looked_at,
            pruned: None,
            shortened: Vec::new(),
            devices: Summary::default(),
            registered: None,
            connected: None,
            failure: None,
        }
    }

    /// Whether it was interrupted before its end.
    pub fn is_stopped(&self) -> bool {
        let told =
            matches!(self.failure, Some(RolloutError::Platform(PlatformError::Stopped { .. })));
        told || self.devices.stopped
            || self.registered.as_ref().is_some_and(|r| r.stopped)
            || self.connected.as_ref().is_some_and(|c| c.stopped)
    }

    /// Whether anything was made or written anew.
    pub fn changed(&self) -> bool {
        changes(&self.steps)
    }
}

/// What lies beyond this machine; what is not given is left out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Remote<'a> {
    /// The tenant.
    pub client: Option<&'a Client>,
    /// Where the devices are to connect, at the end.
    pub connect: Option<&'a Connecting>,
}

/// How a rollout runs.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The time.
    pub now: OffsetDateTime,
    /// Number of worker threads that make devices; at least one is used.
    pub threads: usize,
    /// Ends the run after what is being done.
    pub stop: &'a AtomicBool,
    /// Is told how far the devices are: at which step (`devices`, `register`, `connect`), and how many.
    pub progress: &'a (dyn Fn(&'static str, Progress) + Sync),
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("threads", &self.threads).finish_non_exhaustive()
    }
}

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
    let mut report = Report::of(&mut plan);
    for ca in &spec.cas {
        report.shortened.extend(make_ca(spec, &mut pki, ca, passwords, run.now)?);
    }
    done(&mut report.steps, &["password", "ca"]);
    let connecting = if remote.connect.is_some() { &plan.list.devices[..] } else { &[] };
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
    if let (Some(wanted), None, false) = (remote.connect, &report.failure, report.is_stopped()) {
        connect(spec, &pki, (passwords, remote, run), wanted, connecting, &mut report)?;
    }
    Ok(report)
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
        verdict::before_the_others(spec, pki, &plan, passwords, client, run, report)?;
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
    done(&mut report.steps, &["devices"]);
    if let (Some(wanted), Some(csv)) = (&spec.registration, &csv) {
        write_registration(&wanted.file, csv, &mut report.steps)?;
    }
    if let Some((wanted, client)) = tenant {
        let (csv, steps) = (csv.as_deref(), &mut report.steps);
        report.registered = tenant::apply_register(spec, wanted, csv, client, run, steps)?;
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
    let rest = make_devices(spec, pki, list, passwords, run, Existing::Skip)?;
    report.devices = summary::together(std::mem::take(&mut report.devices), rest);
    if !differing.is_empty() && !report.devices.stopped {
        let list = DeviceList { devices: differing, ..DeviceList::default() };
        let again = Existing::Replace { revoke: false };
        let replaced = make_devices(spec, pki, list, passwords, run, again)?;
        if !replaced.stopped {
            done(&mut report.steps, &[REPLACE]);
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
    if !connected.stopped {
        done(&mut report.steps, &["connect"]);
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

pub(super) fn make_devices(
    spec: &Spec,
    pki: &mut Pki,
    list: DeviceList,
    passwords: &Passwords,
    run: &Run<'_>,
    existing: Existing,
) -> Result<Summary, RolloutError> {
    let trusted = trusted(spec, pki)?;
    let ca = pki.ca(&spec.devices.ca)?;
    let key = passwords.unlock(&ca)?;
    files::create_private_dir(&spec.devices.out)?;
    let job = Job {
        ca: &ca,
        key: &key,
        profile: &spec.devices.profile,
        subject: &spec.devices.subject,
        days: spec.devices.days,
        beyond_issuer: BeyondIssuer::of(spec.devices.days, false),
        out: Out::Folders(&spec.devices.out),
        bundle: BundleSettings {
            kinds: &spec.devices.bundle,
            store_password: passwords.store.as_ref(),
            key_password: None,
            key_iterations: 0,
            pkcs12: Pkcs12Options::default(),
            trusted: &trusted,
        },
        existing,
        secrets: None,
        key_pool: None,
        keep_going: false,
        policy: &pki.policy(&ca.name),
        keys: KeyPolicy::default(),
        threads: run.threads,
    };
    let told = |progress| (run.progress)("devices", progress);
    let context = Context { stop: run.stop, progress: &told, ..Context::at(run.now) };
    Ok(provision::run(pki, &job, list, &context)?)
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

/// The CAs that the tenant trusts, as far as the file says it.
pub(super) fn uploaded(spec: &Spec, pki: &Pki) -> Result<Vec<Certificate>, RolloutError> {
    let names = spec.tenant.iter().flat_map(|tenant| &tenant.cas);
    names.map(|name| Ok(pki.ca(name)?.certificate().clone())).collect()
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

fn trusted(spec: &Spec, pki: &Pki) -> Result<Vec<Certificate>, RolloutError> {
    let mut trusted = Vec::new();
    for path in &spec.truststore.certificates {
        let bytes = files::read(path)?;
        let certificates = read::certificates(&bytes, None)
            .map_err(|e| RolloutError::Certificate { path: path.clone(), source: Box::new(e) })?;
        trusted.extend(certificates);
    }
    for name in &spec.truststore.cas {
        trusted.push(pki.ca(name)?.certificate().clone());
    }
    Ok(trusted)
}
