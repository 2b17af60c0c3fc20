//! Doing what a plan says.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use time::OffsetDateTime;

use super::RolloutError;
use super::plan::{Action, Plan, Step, done};
use super::spec::{CaSpec, Spec};
use super::tenant::{self, Registered};
use crate::authority::{CaSettings, Pki};
use crate::bulk::bundle::BundleSettings;
use crate::bulk::{self, Existing, Job, Out, Progress, Summary};
use crate::cert::Certificate;
use crate::crypto::random_password;
use crate::files::{self, Access};
use crate::issue::Outliving;
use crate::platform::Client;
use crate::secret::Password;
use crate::store::Pkcs12Options;

/// Length of the passwords that are made, in characters: 139 bits.
const PASSWORD_CHARS: usize = 24;

/// The passwords of a rollout.
#[derive(Debug)]
pub struct Passwords {
    /// For the keys of CAs.
    pub ca: Password,
    /// For keystores and truststores.
    pub store: Option<Password>,
}

impl Passwords {
    /// Reads the password files; makes those that do not exist where the file says so.
    pub fn read_or_create(spec: &Spec) -> Result<Self, RolloutError> {
        let one = |path: &Path| read_or_create(path, spec.passwords.create);
        Ok(Self {
            ca: one(&spec.passwords.ca)?,
            store: spec.passwords.store.as_deref().map(one).transpose()?,
        })
    }
}

fn read_or_create(path: &Path, create: bool) -> Result<Password, RolloutError> {
    if !path.exists() && create {
        let password = random_password(PASSWORD_CHARS)?;
        if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
            files::create_private_dir(dir)?;
        }
        let line = format!("{}\n", password.expose());
        files::write(path, line.as_bytes(), Access::Private, files::Existing::Refuse)?;
        return Ok(password);
    }
    let bytes = files::read(path)?;
    Password::from_file(&bytes)
        .ok_or_else(|| RolloutError::NoPassword(format!("{} (it is empty)", path.display())))
}

/// What a rollout has done.
#[derive(Debug, serde::Serialize)]
pub struct Report {
    /// The steps of its plan, and whether each is done.
    pub steps: Vec<Step>,
    /// What became of the devices.
    pub devices: Summary,
    /// What became of them at the tenant, if they were to be registered there.
    pub registered: Option<Registered>,
    /// Why the steps at the tenant ended early.
    #[serde(skip)]
    pub failure: Option<RolloutError>,
}

/// Does what the plan says. The passwords have been read or made before. Without a client the steps
/// at the tenant are left out.
#[allow(clippy::too_many_arguments, reason = "what a run is told, each for itself")]
pub fn apply(
    spec: &Spec,
    plan: Plan,
    passwords: &Passwords,
    client: Option<&Client>,
    now: OffsetDateTime,
    threads: usize,
    stop: &AtomicBool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report, RolloutError> {
    let mut pki = Pki::open_or_create(&spec.pki, now)?;
    for ca in &spec.cas {
        make_ca(&mut pki, ca, &passwords.ca, now)?;
    }
    let mut steps = plan.steps;
    done(&mut steps, &["password", "ca"]);
    let trusted = trusted(spec, &pki)?;
    let ca = pki.ca(&spec.devices.ca)?;
    let key = ca.unlock(&passwords.ca)?;
    files::create_private_dir(&spec.devices.out)?;
    let job = Job {
        ca: &ca,
        key: &key,
        profile: &spec.devices.profile,
        subject: &spec.devices.subject,
        days: spec.devices.days,
        outliving: Outliving::Refuse,
        out: Out::Folders(&spec.devices.out),
        bundle: BundleSettings {
            kinds: &spec.devices.bundle,
            store_password: passwords.store.as_ref(),
            key_password: None,
            key_iterations: 0,
            pkcs12: Pkcs12Options::default(),
            trusted: &trusted,
        },
        existing: Existing::Skip,
        secrets: None,
        key_pool: None,
        keep_going: false,
        policy: &pki.policy(&ca.name),
        threads,
    };
    let devices = bulk::run(&mut pki, &job, plan.list, now, stop, progress)?;
    if !devices.stopped {
        done(&mut steps, &["devices"]);
    }
    if let (Some(wanted), Some(csv)) = (&spec.registration, &plan.registration)
        && steps.iter().any(|s| s.kind == "registration" && s.action != Action::Keep)
    {
        if let Some(dir) = wanted.file.parent().filter(|d| !d.as_os_str().is_empty()) {
            files::create_private_dir(dir)?;
        }
        files::write(&wanted.file, csv.as_bytes(), Access::Public, files::Existing::Replace)?;
        done(&mut steps, &["registration"]);
    }
    let mut report = Report { steps, devices, registered: None, failure: None };
    if let (Some(wanted), Some(client), false) = (&spec.tenant, client, report.devices.stopped) {
        let (csv, steps) = (plan.registration.as_deref(), &mut report.steps);
        match tenant::apply(spec, wanted, &pki, passwords, csv, client, now, stop, progress, steps)
        {
            Ok(registered) => report.registered = registered,
            // What was made here stays, and is told.
            Err(e) => report.failure = Some(e),
        }
    }
    Ok(report)
}

fn make_ca(
    pki: &mut Pki,
    wanted: &CaSpec,
    password: &Password,
    now: OffsetDateTime,
) -> Result<(), RolloutError> {
    if pki.cas()?.iter().any(|ca| ca.name == wanted.name) {
        return Ok(());
    }
    let settings = CaSettings {
        profile: &wanted.profile,
        subject: &wanted.subject,
        days: wanted.days,
        path_length: None,
        outliving: Outliving::Refuse,
        password,
    };
    match &wanted.parent {
        None => pki.init_root(&wanted.name, &settings, now)?,
        Some(parent) => {
            let parent = pki.ca(parent)?;
            let key = parent.unlock(password)?;
            pki.add_intermediate(&wanted.name, &parent, &key, &settings, now)?
        }
    };
    Ok(())
}

fn trusted(spec: &Spec, pki: &Pki) -> Result<Vec<Certificate>, RolloutError> {
    let mut trusted = Vec::new();
    for path in &spec.truststore.certificates {
        let bytes = files::read(path)?;
        let certificates = Certificate::all_from_pem_or_der(&bytes)
            .map_err(|e| RolloutError::Certificate { path: path.clone(), source: e })?;
        trusted.extend(certificates);
    }
    for name in &spec.truststore.cas {
        trusted.push(pki.ca(name)?.certificate().clone());
    }
    Ok(trusted)
}
