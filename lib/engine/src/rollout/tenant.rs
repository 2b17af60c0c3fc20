//! The steps at the tenant: which CAs it trusts, that their keys are ours, which devices it knows.
//!
//! What the tenant is to trust comes before the devices, so that it can judge one of them; which devices it
//! knows comes last. Each looks at what the tenant has first.

use std::collections::HashSet;
use std::path::PathBuf;

use time::OffsetDateTime;

use super::connect;
use super::diff::{Finding, Remedy, Sign};
use super::known;
use super::registered::Registered;
use super::spec::{Spec, TenantSpec};
use super::step::{Action, Step, done, interrupted};
use super::{Passwords, Remote, RolloutError, Run};
use crate::cert::Certificate;
use crate::key::signer::Signer;
use crate::list::Device;
use crate::pki::{Ca, Pki};
use crate::platform::blocking::Client;
use crate::platform::pop;
use crate::platform::register::results::Results;
use crate::platform::register::{self, Outcome, Pace, Row, RowResult, Sheet};
use crate::platform::trusted::{self, Added, Change, NewTrusted, TrustedCertificate};
use crate::provision::Progress;
use crate::registration::Level;
use crate::shown;

/// What is left to do there before devices are made.
pub(super) fn plan_trust(
    spec: &Spec,
    wanted: &TenantSpec,
    existing: &[Ca],
    client: &Client,
) -> Result<(Vec<Step>, Vec<Finding>), RolloutError> {
    let there = client.wait(trusted::list(client))?;
    let tenant = client.wait(client.tenant())?;
    let (mut steps, mut findings) = (Vec::new(), Vec::new());
    let place = format!("{tenant} at {}", client.host());
    findings.push(Finding::new(Sign::InPlace, "tenant.host", place, "asked"));
    for name in &wanted.cas {
        let certificate = existing.iter().find(|ca| ca.name == *name).map(Ca::certificate);
        let found = certificate.and_then(|c| find(&there, c));
        let former = certificate.and_then(|c| trusted::renewals_of(&there, c).into_iter().next());
        let step = trust_step(name, wanted, (found, former), tenant);
        findings.extend(trust_findings(&step, wanted, found));
        steps.push(step);
        if wanted.prove {
            let step = proof_step(name, found);
            findings.push(step.finding("tenant.prove"));
            steps.push(step);
        } else {
            let is_proven = found.is_some_and(|f| f.proof_of_possession_valid);
            let word = if is_proven { "proven already" } else { "not proven, and not wanted" };
            findings.push(Finding::new(Sign::InPlace, "tenant.prove", name, word));
        }
    }
    let unwanted =
        |ca: &&Ca| !wanted.cas.contains(&ca.name) && find(&there, ca.certificate()).is_some();
    findings.extend(existing.iter().filter(unwanted).map(|ca| {
        let is_of_file = spec.cas.iter().any(|of_file| of_file.name == ca.name);
        let (what, remedy) = match is_of_file {
            true => {
                let certificate = ca.dir().join("cert.pem");
                ("not in the list of CAs", Remedy::Distrust { certificate })
            }
            // Another file may have it in the same PKI directory.
            false => ("a CA that is not in this file: it stays", Remedy::Stays),
        };
        let detail = format!("trusted by {tenant}, and {what}");
        Finding::new(Sign::Unlisted, "tenant.cas", &ca.name, detail).by(remedy)
    }));
    Ok((steps, findings))
}

/// Refuses a file after which the tenant would trust no CA of the devices: neither one that the file uploads nor one that
/// is there.
pub(super) fn check_anchor(
    spec: &Spec,
    wanted: &TenantSpec,
    existing: &[Ca],
    client: &Client,
) -> Result<(), RolloutError> {
    let mut above = vec![spec.devices.ca.as_str()];
    while let Some(parent) = parent_of(spec, above[above.len() - 1]) {
        above.push(parent);
    }
    let of = |name: &str| existing.iter().find(|ca| ca.name == name);
    let chain = of(&spec.devices.ca).map_or(&[][..], |ca| ca.chain.as_slice());
    let is_uploaded = wanted.cas.iter().any(|name| {
        above.contains(&name.as_str())
            || of(name).is_some_and(|ca| chain.contains(ca.certificate()))
    });
    if is_uploaded {
        return Ok(());
    }
    let there = client.wait(trusted::list(client))?;
    let is_trusted = |own: &Certificate| find(&there, own).is_some_and(|found| found.is_enabled());
    if chain.iter().any(is_trusted) {
        return Ok(());
    }
    Err(RolloutError::NoAnchor {
        file: spec.file.display().to_string(),
        tenant: client.wait(client.tenant())?.to_owned(),
        ca: spec.devices.ca.clone(),
        cas: wanted.cas.clone(),
    })
}

fn parent_of<'a>(spec: &'a Spec, name: &str) -> Option<&'a str> {
    spec.cas.iter().find(|ca| ca.name == name)?.parent.as_deref()
}

/// How a trusted certificate compares with the file, setting by setting.
fn trust_findings(
    step: &Step,
    wanted: &TenantSpec,
    found: Option<&TrustedCertificate>,
) -> Vec<Finding> {
    let whole = step.finding("tenant.cas");
    let Some(found) = found.filter(|_| step.action == Action::Update) else { return vec![whole] };
    let word = |on: bool| Some(if on { "true" } else { "false" }.to_owned());
    let mut findings = Vec::new();
    if found.auto_registration_enabled != wanted.auto_registration {
        let values = (word(found.auto_registration_enabled), word(wanted.auto_registration));
        let one = Finding { key: "tenant.auto_registration".to_owned(), ..whole.clone() };
        findings.push(one.values(values.0, values.1));
    }
    if !found.is_enabled() {
        let one = Finding { detail: format!("{}; it is disabled there", whole.detail), ..whole };
        findings.push(one.values("disabled".to_owned(), "enabled".to_owned()));
    }
    findings
}

/// What was not looked at because nobody asks the tenant, or because no device connects.
pub(super) fn not_asked(spec: &Spec, remote: &Remote<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let not =
        |key: &str, name: &str, detail: String| Finding::new(Sign::NotLookedAt, key, name, detail);
    if remote.client.is_none() {
        let host = spec.tenant.as_ref().and_then(|tenant| tenant.host.as_deref());
        let name = host.unwrap_or("the tenant");
        if spec.tenant.is_some() {
            findings.push(not("tenant", name, "the tenant was not asked".to_owned()));
        } else if !spec.tenants.is_empty() {
            let names = spec.tenants.join(", ");
            findings.push(not("tenant", &names, "none of these tenants was asked".to_owned()));
        }
    }
    if let (Some(tenant), Some(registration)) = (&spec.tenant, &spec.registration)
        && !tenant.register
    {
        let name = registration.file.display().to_string();
        let detail =
            "it is not uploaded: which devices the tenant has was not looked at".to_owned();
        findings.push(not("tenant.register", &name, detail));
    }
    if let (Some(tenant), Some(_), None) = (&spec.tenant, remote.client, remote.connect) {
        let detail = format!("whether devices connect at port {} was not tried", tenant.mqtt_port);
        findings.push(not(connect::KEY, &tenant.mqtt_port.to_string(), detail));
    }
    findings
}

/// What is left to do there once they are made, and how that compares.
pub(super) fn plan_register(
    spec: &Spec,
    wanted: &TenantSpec,
    (csv, devices): (Option<&str>, &[Device]),
    client: &Client,
) -> Result<Option<(Step, Vec<Finding>)>, RolloutError> {
    if wanted.register && csv.is_some() && devices.is_empty() {
        let tenant = client.wait(client.tenant())?;
        let detail = "nothing to register: all devices of the list are revoked";
        let step = Step::new(Action::Keep, "register", tenant, detail).of(0);
        let finding = step.finding("tenant.register");
        return Ok(Some((step, vec![finding])));
    }
    if let Some((sheet, result)) = sheet(spec, wanted, csv)? {
        // Which of them the tenant has is told by the result file: it is asked for a few of them only.
        let results = Results::read(&result, &client.wait(client.place())?)?;
        let due = results.due(&sheet);
        let changed = match results.changed(&due) {
            0 => String::new(),
            n => format!(" ({n} of them again: their rows have other columns or values now)"),
        };
        let due: HashSet<u64> = due.into_iter().map(|row| row.line).collect();
        let rows: Vec<&Row> = sheet.rows.iter().filter(|row| !due.contains(&row.line)).collect();
        let known = known::ask(client, &rows, devices)?;
        let (due, before) = (due.len(), rows.len());
        let action = if due > 0 { Action::Create } else { Action::Keep };
        let rate = wanted
            .rate
            .map_or_else(String::new, |n| format!(", at most {} a second", shown::count(n, "row")));
        let detail = format!(
            "{due} to register{changed}, {before} registered before by the result file{}; {} a request{rate}",
            known.words(before),
            shown::count(wanted.chunk, "row")
        );
        let tenant = client.wait(client.tenant())?;
        let lost = known.finding(tenant, &result);
        let step = Step::new(action, "register", tenant, detail).of(due);
        // In place is what was seen.
        let own = (lost.is_none() || due > 0).then(|| step.finding("tenant.register"));
        return Ok(Some((step, own.into_iter().chain(lost).collect())));
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
    // The platform takes no list without a row.
    let csv = csv.filter(|csv| csv.lines().nth(1).is_some());
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

/// Registers the devices, as far as that is left to do. What became of them is in `registered`, also if the tenant has
/// ended it.
pub(super) fn apply_register(
    spec: &Spec,
    wanted: &TenantSpec,
    csv: Option<&str>,
    client: &Client,
    run: &Run<'_>,
    (steps, registered): (&mut [Step], &mut Option<Registered>),
) -> Result<(), RolloutError> {
    let Some((sheet, result)) = sheet(spec, wanted, csv)? else {
        return Ok(());
    };
    let mut results = Results::open(&result, &client.wait(client.place())?)?;
    let before = sheet.rows.len() - results.due(&sheet).len();
    let pace = Pace { chunk: wanted.chunk, per_second: wanted.rate };
    let told = |done, total| (run.progress)("register", Progress::of(done, total));
    let name = "registration.csv";
    let mut summary =
        client.wait(register::upload(client, name, &sheet, &mut results, pace, run.stop, &told))?;
    let failure = summary.failure.take();
    match summary.left {
        0 => done(steps, &["register"]),
        left => interrupted(steps, "register", (summary.sent, left), "sent"),
    }
    let (created, updated) = (summary.count(Outcome::Created), summary.count(Outcome::Updated));
    let (sent_before, failed) = (before, summary.failed());
    let (done, refused): (Vec<RowResult>, Vec<RowResult>) =
        summary.rows.into_iter().partition(|row| row.outcome.is_done());
    *registered = Some(Registered {
        tenant: client.wait(client.tenant())?.to_owned(),
        rows: sheet.rows.len(),
        before: sent_before,
        created,
        updated,
        failed,
        left: summary.left,
        done: done.into_iter().map(|row| row.id).collect(),
        refused,
        result,
        stopped: failure.is_none() && summary.left > 0,
    });
    failure.map_or(Ok(()), |failure| Err(failure.into()))
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
