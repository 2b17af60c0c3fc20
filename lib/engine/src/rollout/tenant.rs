//! The steps at the tenant: which CAs it trusts, that their keys are ours, which devices it knows.
//!
//! What the tenant is to trust comes before the devices, so that it can judge one of them; which devices it
//! knows comes last. Each looks at what the tenant has first.

use std::path::PathBuf;

use time::OffsetDateTime;

use super::plan::{Action, Step, done};
use super::spec::{Spec, TenantSpec};
use super::{Passwords, RolloutError, Run};
use crate::cert::Certificate;
use crate::key::signer::Signer;
use crate::pki::{Ca, Pki};
use crate::platform::blocking::Client;
use crate::platform::pop;
use crate::platform::register::results::Results;
use crate::platform::register::{self, Outcome, Pace, RowResult, Sheet};
use crate::platform::trusted::{self, Added, Change, NewTrusted, TrustedCertificate};
use crate::provision::Progress;
use crate::registration::Level;

/// What became of the devices at the tenant.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Registered {
    /// The tenant's id.
    pub tenant: String,
    /// Rows of the registration CSV.
    pub rows: usize,
    /// Rows that this run has not sent, because the result file calls them done.
    pub before: usize,
    /// Devices that were created, now or before.
    pub created: usize,
    /// Devices that were there.
    pub updated: usize,
    /// Rows that the platform refused.
    pub failed: usize,
    /// Those rows, and why.
    #[serde(skip)]
    pub refused: Vec<RowResult>,
    /// The file with the result of each row.
    pub result: PathBuf,
    /// Whether it was interrupted before the last row.
    pub stopped: bool,
}

/// What is left to do there before devices are made.
pub(super) fn plan_trust(
    wanted: &TenantSpec,
    existing: &[Ca],
    client: &Client,
) -> Result<Vec<Step>, RolloutError> {
    let there = client.wait(trusted::list(client))?;
    let mut steps = Vec::new();
    for name in &wanted.cas {
        let certificate = existing.iter().find(|ca| ca.name == *name).map(Ca::certificate);
        let found = certificate.and_then(|c| find(&there, c));
        let former = certificate.and_then(|c| trusted::renewals_of(&there, c).into_iter().next());
        steps.push(trust_step(name, wanted, (found, former), client.wait(client.tenant())?));
        if wanted.prove {
            steps.push(proof_step(name, found));
        }
    }
    Ok(steps)
}

/// What is left to do there once they are made.
pub(super) fn plan_register(
    spec: &Spec,
    wanted: &TenantSpec,
    csv: Option<&str>,
    client: &Client,
) -> Result<Option<Step>, RolloutError> {
    if let Some((sheet, result)) = sheet(spec, wanted, csv)? {
        let due = Results::read(&result, &client.wait(client.place())?)?.due(&sheet).len();
        let before = sheet.rows.len() - due;
        let action = if due > 0 { Action::Create } else { Action::Keep };
        let detail = format!("{due} to register, {before} registered before by the result file");
        return Ok(Some(
            Step::new(action, "register", client.wait(client.tenant())?, detail).of(due),
        ));
    }
    Ok(None)
}

fn find<'a>(
    there: &'a [TrustedCertificate],
    certificate: &Certificate,
) -> Option<&'a TrustedCertificate> {
    let fingerprint = certificate.fingerprint_sha1();
    there.iter().find(|t| t.fingerprint == fingerprint)
}

/// How a certificate is to stand at the tenant; its name there is left to its users.
fn settings(wanted: &TenantSpec) -> Change {
    Change { name: None, enabled: Some(true), auto_registration: Some(wanted.auto_registration) }
}

fn trust_step(
    name: &str,
    wanted: &TenantSpec,
    (found, former): (Option<&TrustedCertificate>, Option<&TrustedCertificate>),
    tenant: &str,
) -> Step {
    let action = match found {
        None => Action::Create,
        Some(found) if settings(wanted).concerns(found) => Action::Update,
        Some(_) => Action::Keep,
    };
    let auto = if wanted.auto_registration { "with" } else { "without" };
    let mut detail = format!("trusted by {tenant}, {auto} auto-registration");
    if let (None, Some(former)) = (found, former) {
        let until = former.not_after.map_or_else(String::new, |t| format!(", until {}", t.date()));
        detail = format!(
            "{detail}; the CA was renewed: the tenant has its other certificate ({}{until})",
            former.fingerprint
        );
    }
    Step::new(action, "trust", name, detail)
}

fn proof_step(name: &str, found: Option<&TrustedCertificate>) -> Step {
    let is_proven = found.is_some_and(|f| f.proof_of_possession_valid);
    let action = if is_proven { Action::Keep } else { Action::Create };
    Step::new(action, "proof", name, "possession of its key")
}

/// The registration CSV taken apart, and where its results are kept; none if it is not uploaded.
fn sheet(
    spec: &Spec,
    wanted: &TenantSpec,
    csv: Option<&str>,
) -> Result<Option<(Sheet, PathBuf)>, RolloutError> {
    let (Some(registration), Some(csv), true) = (&spec.registration, csv, wanted.register) else {
        return Ok(None);
    };
    let file = registration.file.display().to_string();
    let sheet = Sheet::read(&file, csv.as_bytes()).map_err(|report| {
        let first = report.findings.into_iter().find(|f| f.level == Level::Error);
        let (line, problem) = first.map(|f| (f.line, f.message)).unwrap_or_default();
        RolloutError::NotTaken { file, line, problem }
    })?;
    Ok(Some((sheet, registration.result.clone())))
}

/// Uploads the CAs and proves possession of their keys, as far as that is left to do.
pub(super) fn apply_trust(
    wanted: &TenantSpec,
    pki: &Pki,
    passwords: &Passwords,
    client: &Client,
    run: &Run<'_>,
    steps: &mut [Step],
) -> Result<(), RolloutError> {
    trust(wanted, pki, client, run.now)?;
    done(steps, &["trust"]);
    if wanted.prove {
        for name in &wanted.cas {
            let ca = pki.ca(name)?;
            let open =
                || Ok::<_, RolloutError>(Box::new(passwords.unlock(&ca)?) as Box<dyn Signer>);
            client.wait(pop::prove(client, ca.certificate(), open, run.now))?;
        }
        done(steps, &["proof"]);
    }
    Ok(())
}

/// Registers the devices, as far as that is left to do.
pub(super) fn apply_register(
    spec: &Spec,
    wanted: &TenantSpec,
    csv: Option<&str>,
    client: &Client,
    run: &Run<'_>,
    steps: &mut [Step],
) -> Result<Option<Registered>, RolloutError> {
    let Some((sheet, result)) = sheet(spec, wanted, csv)? else {
        return Ok(None);
    };
    let mut results = Results::open(&result, &client.wait(client.place())?)?;
    let before = sheet.rows.len() - results.due(&sheet).len();
    let pace = Pace { chunk: wanted.chunk, per_second: wanted.rate };
    let told = |done, total| (run.progress)("register", Progress::of(done, total));
    let name = "registration.csv";
    let mut summary =
        client.wait(register::upload(client, name, &sheet, &mut results, pace, run.stop, &told))?;
    if let Some(failure) = summary.failure.take() {
        return Err(failure.into());
    }
    if summary.left == 0 {
        done(steps, &["register"]);
    }
    Ok(Some(Registered {
        tenant: client.wait(client.tenant())?.to_owned(),
        rows: sheet.rows.len(),
        before,
        created: summary.count(Outcome::Created),
        updated: summary.count(Outcome::Updated),
        failed: summary.failed(),
        stopped: summary.left > 0,
        refused: summary.rows.into_iter().filter(|r| !r.outcome.is_done()).collect(),
        result,
    }))
}

/// Uploads the CAs, and brings those that are there to what the file says.
fn trust(
    wanted: &TenantSpec,
    pki: &Pki,
    client: &Client,
    now: OffsetDateTime,
) -> Result<(), RolloutError> {
    let cas: Vec<Ca> = wanted.cas.iter().map(|name| pki.ca(name)).collect::<Result<_, _>>()?;
    for ca in &cas {
        trusted::check(ca.certificate(), now)?;
    }
    let new: Vec<NewTrusted<'_>> = cas
        .iter()
        .map(|ca| NewTrusted {
            certificate: ca.certificate(),
            name: ca.certificate().subject.common_name().unwrap_or(&ca.name),
            enabled: true,
            auto_registration: wanted.auto_registration,
        })
        .collect();
    for (new, added) in new.iter().zip(client.wait(trusted::add(client, &new))?) {
        match added {
            Added::Created => {}
            Added::InAnotherTenant => return Err(new.in_another_tenant().into()),
            Added::AlreadyThere => {
                let found =
                    client.wait(trusted::known(client, &new.certificate.fingerprint_sha1()))?;
                if settings(wanted).concerns(&found) {
                    client.wait(trusted::update(client, &found, &settings(wanted)))?;
                }
            }
        }
    }
    Ok(())
}
