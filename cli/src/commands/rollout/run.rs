//! The command: planned, confirmed, done, and told.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use c8y_pki_engine::files::{self, Access, Existing};
use c8y_pki_engine::platform::verdict::Verdict;
use c8y_pki_engine::rollout::report::{self, At, Picture};
use c8y_pki_engine::rollout::spec::{Allowed, Given, Spec, Which};
use c8y_pki_engine::rollout::{self, EXAMPLE, Passwords, Plan, Report, RolloutError, Run, Turn};
use serde::Serialize;
use time::OffsetDateTime;

use super::advice::Asked;
use super::args::RolloutArgs;
use super::beyond::Beyond;
use super::{plan, show};
use crate::clock;
use crate::confirm::confirm;
use crate::failure::{Failure, Outcome, Result};
use crate::hint::{self, SharedOptions};
use crate::line::Line;
use crate::old_ids;
use crate::outlet;
use crate::output::{Output, is_stdout};
use crate::pace::raise_file_limit;
use crate::progress::Phases;
use crate::render::count;
use crate::secrets::{known, warn_of_weak};
use crate::stop;
use crate::values::{DEFAULT_PKI, threads};

/// How many ids a question shows.
const MOST_IDS: usize = 20;

#[derive(Serialize)]
struct Done<'a> {
    #[serde(flatten)]
    report: &'a Report,
    out: String,
    registration: Option<String>,
}

pub(crate) fn run(args: &RolloutArgs, line: &Line, pki: &Path, out: Output) -> Result {
    let file = match (&args.example, &args.file) {
        (Some(dir), _) => write_example(dir)?,
        (None, Some(file)) => file.clone(),
        (None, None) => return Err(Failure::usage("no rollout file is given", "give a FILE")),
    };
    let out = out.beside(args.report.as_deref());
    let spec = spec(args, &file)?;
    warn_of_another_folder(pki, &spec, out);
    let asked = Asked { spec: &spec, args, line };
    let is_usual = [pki, &spec.pki] == [Path::new(DEFAULT_PKI); 2];
    hint::share(SharedOptions {
        pki: (!is_usual).then(|| asked.pki()),
        tenant: asked.at_tenant(),
        is_of_file: true,
    });
    if let Some(page) = &args.report {
        check_page(page, &spec)?;
    }
    let stop = stop::on_interrupt();
    raise_file_limit();
    let beyond = Beyond::of(args, &spec, &stop, out)?;
    if args.plan {
        let plan = planned(&spec, &beyond, out).map_err(|error| *error)?;
        return plan::show(&asked, &plan, out);
    }
    let told = || out.note("another rollout is working in this PKI directory: waiting for its end");
    let turn = Turn::take_if_there(&spec, &told, &stop)?;
    if stop.load(Ordering::Relaxed) {
        return Ok(Outcome::Stopped);
    }
    let (mut plan, mut turn) = (planned(&spec, &beyond, out), turn);
    if let Ok(plan) = &plan {
        if plan.changes() {
            let told = beyond.client.as_ref().and_then(|client| client.time());
            clock::hold_for_rollout(&spec.pki, OffsetDateTime::now_utc(), told)?;
        }
        if !confirmed(args, plan)? {
            out.note("Nothing was changed.");
            return Ok(Outcome::NO);
        }
    }
    if plan.is_ok() && turn.is_none() {
        turn = Turn::take(&spec, &told, &stop)?;
        match &turn {
            None => return Ok(Outcome::Stopped),
            // It has made what this one has found missing.
            Some(turn) if turn.waited => plan = planned(&spec, &beyond, out),
            Some(_) => {}
        }
    }
    let report = plan.and_then(|plan| apply(args, &spec, plan, &beyond, &stop, out));
    drop(turn);
    let page = args.report.as_ref().map(|page| write_page(page, &asked, &report, &beyond, out));
    let left_out = spec.tenant.is_some() && beyond.client.is_none();
    let ended = end(report.map_err(|error| *error)?, &asked, left_out, out)?;
    page.transpose()?;
    if let (true, Some(rehearsal)) = (args.stay, &beyond.rehearsal) {
        rehearsal.stay(&stop, out)?;
    }
    Ok(ended)
}

/// The rollout's file, with what the command line says besides.
fn spec(args: &RolloutArgs, file: &Path) -> Result<Spec> {
    let names = Spec::tenants_of(file)?;
    let on_line = args.tenant.tenant_on_line();
    // In a rehearsal variables say nothing of the tenant.
    let given = if args.sandbox { on_line } else { args.tenant.given_tenant() };
    let which = match given {
        // An id of a tenant, as at other commands, unless it is a name of the file.
        Some(name) if names.iter().any(|known| known == name) => Which::Named(name),
        // What a variable says is an id, as for all other commands.
        Some(name) if names.len() > 1 && on_line.is_some() && !args.local => Which::Named(name),
        _ if args.local => Which::NoneOfSeveral,
        _ => Which::TheOnly,
    };
    let mut spec = Spec::read_for(file, which)?;
    spec.passwords.weak = args.weak.weak_password;
    spec.passwords.given = Given {
        ca: known::ca_key(None).given()?,
        store: known::store(None).given()?,
        pin: known::ca_pin(None, "the token with the CA's key").given()?,
    };
    spec.allowed = Allowed {
        new_ca: args.new_ca,
        replace_differing: args.replace_differing,
        prune: args.prune,
        issue_revoked: args.issue_revoked,
    };
    Ok(if args.sandbox { spec.rehearsal() } else { spec })
}

/// The plan, with what is to be said of how it was found.
fn planned(
    spec: &Spec,
    beyond: &Beyond,
    out: Output,
) -> std::result::Result<Plan, Box<RolloutError>> {
    let plan = rollout::plan(spec, &beyond.remote(), OffsetDateTime::now_utc());
    if let Ok(plan) = &plan {
        if let Some(problem) = &plan.weak_password {
            warn_of_weak(problem, out);
        }
        plan.remarks().for_each(|remark| out.warning(remark));
    }
    plan.map_err(Box::new)
}

/// Asks before devices are revoked.
fn confirmed(args: &RolloutArgs, plan: &Plan) -> Result<bool> {
    let ids = plan.to_be_revoked();
    if ids.is_empty() || args.yes {
        return Ok(true);
    }
    let mut lines: Vec<String> = ids.iter().take(MOST_IDS).map(|id| (*id).to_owned()).collect();
    if ids.len() > MOST_IDS {
        lines.push(format!("and {} more", ids.len() - MOST_IDS));
    }
    let devices = count(ids.len(), "device");
    let question = format!("Revoke {devices}? This cannot be taken back.");
    confirm(&format!("revoking {devices}"), &lines, &question)
}

/// Says that the file names the PKI directory, where the command line or the environment names another.
fn warn_of_another_folder(pki: &Path, spec: &Spec, out: Output) {
    // One directory has many names; one that is not there yet has no other than this.
    let folder = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).ok();
    if pki != Path::new(DEFAULT_PKI) && folder(pki) != folder(&spec.pki) {
        let (named, meant) = (pki.display(), spec.pki.display());
        out.warning(&format!(
            "--pki or C8Y_PKI_DIR says {named}, but a rollout's file names its PKI directory: {meant}"
        ));
    }
}

/// What was done, or why it could not be.
type Applied = std::result::Result<Report, Box<RolloutError>>;

fn apply(
    args: &RolloutArgs,
    spec: &Spec,
    plan: Plan,
    beyond: &Beyond,
    stop: &AtomicBool,
    out: Output,
) -> Applied {
    if let (Some(_), Some(registration)) = (&beyond.rehearsal, &spec.registration) {
        // Another sandbox, which is gone, has nothing to say about this one. If the file cannot be
        // removed, the upload says so.
        let _ = std::fs::remove_file(&registration.result);
    }
    let passwords = Passwords::read_or_create(spec).map_err(Box::new)?;
    let phases = Phases::new(out);
    let run = Run {
        now: OffsetDateTime::now_utc(),
        threads: threads(args.threads),
        stop,
        progress: &|step, progress| phases.set(word(step), progress),
    };
    let report = rollout::apply(spec, plan, &passwords, &beyond.remote(), &run);
    phases.finish();
    report.map_err(Box::new)
}

/// What devices are called while a step works on them.
fn word(step: &'static str) -> &'static str {
    match step {
        "register" => "devices registered",
        "connect" => "devices connected",
        _ => "devices",
    }
}

/// Shows what was done, and says how it ended.
fn end(mut report: Report, asked: &Asked<'_>, tenant_left_out: bool, out: Output) -> Result {
    let spec = asked.spec;
    let stopped = report.is_stopped();
    let failure = report.failure.take();
    let done = Done {
        report: &report,
        out: spec.devices.out.display().to_string(),
        registration: spec.registration.as_ref().map(|r| r.file.display().to_string()),
    };
    out.result(&done, |done| show::report(done.report, asked, tenant_left_out))?;
    old_ids::warn(&report.devices.old_ids, out);
    if report.pruned.as_ref().is_some_and(|pruned| pruned.revoked > 0) {
        out.note(&format!(
            "For servers that read the CA's own list, make the next one: `{}`",
            asked.next_list()
        ));
    }
    warn_of_verdict(&report, out);
    if report.devices.incomplete > 0 {
        out.warning(&format!(
            "{} issued before, but not all the files of the bundle are in {}: moved, lost, or \
             issued with another bundle",
            count(report.devices.incomplete, "device"),
            spec.devices.out.display()
        ));
    }
    if stopped {
        out.warning("interrupted; run the same command again to finish");
        return Ok(Outcome::Stopped);
    }
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    let refused = report.registered.as_ref().filter(|r| r.failed > 0);
    if let Some(refused) = refused {
        let failed = count(refused.failed, "device");
        out.warning(&format!("the tenant refused {failed}: see {}", refused.result.display()));
    }
    let unconnected = report.connected.as_ref().filter(|c| !c.failed.is_empty());
    if let Some(unconnected) = unconnected {
        let failed = count(unconnected.failed.len(), "device");
        let more = asked.more_of_one();
        let more = more.map_or_else(String::new, |c| format!("; `{c}` says more about one device"));
        out.warning(&format!("{failed} did not connect{more}"));
    }
    Ok(Outcome::of(refused.is_none() && unconnected.is_none()))
}

/// What the platform has not said of the chain, or says otherwise than we do.
fn warn_of_verdict(report: &Report, out: Output) {
    let Some(judged) = &report.verdict else { return };
    let (device, platform) = (&judged.device, &judged.compared.platform);
    if let (Verdict::NotAsked { .. }, None) = (platform, &report.failure) {
        out.warning(&format!(
            "it is not known whether the platform accepts the chain of {device} ({platform}); the devices \
             were made or registered in spite of that"
        ));
    }
    if let (Some(true), Some(false)) =
        (platform.accepts_for(&judged.compared.tenant), judged.compared.agree)
    {
        out.warning(&format!(
            "the platform accepts the chain of {device}, but our own check does not: {}; the platform's \
             verdict counts",
            judged.compared.ours.detail
        ));
    }
}

/// Refuses to write over a file that is no such page, and where the rollout reads or writes something else.
fn check_page(path: &Path, spec: &Spec) -> Result<()> {
    if let Some(purpose) = rollout::purpose(spec, path).filter(|_| !is_stdout(path)) {
        return Err(Failure::usage(
            format!("the page would be written to {}, which {purpose}", path.display()),
            "name another file with --report",
        ));
    }
    if !outlet::stands(path)?
        || files::read(path).is_ok_and(|b| b.starts_with(report::MARK.as_bytes()))
    {
        return Ok(());
    }
    Err(Failure::usage(
        format!("{} exists and is not the page of a rollout", path.display()),
        "name another file with --report, or move it away",
    ))
}

fn write_page(
    path: &Path,
    asked: &Asked<'_>,
    report: &Applied,
    beyond: &Beyond,
    out: Output,
) -> Result<()> {
    let tenant = match (&beyond.rehearsal, &beyond.client) {
        (Some(_), _) => At::Sandbox,
        (None, Some(client)) => client.wait(client.place()).map_or(At::Nowhere, At::Tenant),
        (None, None) => At::Nowhere,
    };
    let run = report.as_ref().map_err(|error| &**error);
    let picture = Picture::gather(asked.spec, run, tenant, OffsetDateTime::now_utc())?;
    let picture = picture.took(clock::since_start());
    let picture = picture.applied_by(|finding| plan::applied(finding, asked));
    outlet::write(path, picture.html().as_bytes(), Access::Public, Existing::Replace, out)
}

/// Writes the files of the example that are not there.
fn write_example(dir: &Path) -> Result<PathBuf> {
    outlet::check_folder(dir)?;
    files::create_private_dir(dir)?;
    for (name, text) in EXAMPLE {
        let path = dir.join(name);
        if !path.exists() {
            files::write(&path, text.as_bytes(), Access::Public, Existing::Refuse)?;
        }
    }
    Ok(dir.join(EXAMPLE[0].0))
}
