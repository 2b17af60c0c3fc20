//! The devices of a rollout, and the certificates that go with them.

use super::error::RolloutError;
use super::password::Passwords;
use super::run::Run;
use super::spec::Spec;
use crate::cert::Certificate;
use crate::crypto::KeyPolicy;
use crate::files;
use crate::issue::BeyondIssuer;
use crate::list::DeviceList;
use crate::pki::Pki;
use crate::provision::bundle::BundleSettings;
use crate::provision::{self, Context, Existing, Job, Keep, Out, RevokedDevices, Summary};
use crate::read;
use crate::store::Pkcs12Options;

/// Makes the devices of a list that are missing, or all of them again. The directory for them is there, unless nothing
/// is missing: see [`make_folder`].
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
        revoked: match spec.allowed.issue_revoked {
            true => RevokedDevices::Issue,
            false => RevokedDevices::LeaveOut,
        },
        keep: Keep::default(),
        order: None,
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

/// Makes the directory of the devices' directories. Where no device is made it is left out: an empty one would be in the
/// way of the directories that are to be moved there.
pub(super) fn make_folder(spec: &Spec) -> Result<(), RolloutError> {
    Ok(files::create_private_dir(&spec.devices.out)?)
}

/// The CAs that the tenant trusts, as far as the file says it.
pub(super) fn uploaded(spec: &Spec, pki: &Pki) -> Result<Vec<Certificate>, RolloutError> {
    let names = spec.tenant.iter().flat_map(|tenant| &tenant.cas);
    names.map(|name| Ok(pki.ca(name)?.certificate().clone())).collect()
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
