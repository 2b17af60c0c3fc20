//! `rollout`: everything from one file.

mod rehearsal;
mod show;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use c8y_pki_engine::device::check::Check;
use c8y_pki_engine::device::link::Target;
use c8y_pki_engine::device::service::{self, Service};
use c8y_pki_engine::files::{self, Access, Existing};
use c8y_pki_engine::platform::blocking::Client;
use c8y_pki_engine::platform::crl::Switch;
use c8y_pki_engine::platform::verdict::Verdict;
use c8y_pki_engine::platform::{PlatformError, bare_host, features};
use c8y_pki_engine::rollout::report::{self, At, Picture};
use c8y_pki_engine::rollout::spec::Spec;
use c8y_pki_engine::rollout::{
    self, Connecting, EXAMPLE, Passwords, Plan, Remote, Report, RolloutError, Run, Step,
};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use crate::clock;
use crate::commands::sandbox;
use crate::failure::{Failure, Outcome, Result};
use crate::old_ids;
use crate::outlet;
use crate::output::Output;
use crate::pace::{RateArgs, raise_file_limit};
use crate::progress::Phases;
use crate::render::count;
use crate::secrets::{WeakArgs, warn_of_weak};
use crate::stop;
use crate::tenant::TenantArgs;
use crate::values::{DEFAULT_PKI, threads};
use rehearsal::Rehearsal;
use show::Beside;

/// Arguments of `rollout`.
#[derive(Debug, Args)]
#[command(after_help = "\
After a change, an error or a power cut run the same command again: it does not repeat what is
done. The PKI directory is the one that the file names; --pki and C8Y_PKI_DIR are not used.

Examples:
  c8y-pki rollout --example demo --sandbox   writes an example to ./demo and rehearses it
  c8y-pki rollout rollout.toml --plan        what would be done; exit code 0
  c8y-pki rollout rollout.toml --connect=5   the same for real, and whether 5 devices connect
  c8y-pki rollout rollout.toml --sandbox --report rollout.html

With a [tenant] section the CAs are uploaded, their keys proven and the devices registered; user and
password come from C8Y_USER and C8Y_PASSWORD, or C8Y_TOKEN. Before devices are made, the platform is
asked for its verdict on the chain of one of them; if that is no, no other one is made (exit code 1).

With --sandbox the tenant is in this process and ends with it; C8Y_* and the host in the file are
not used. Keys, certificates and stores are real, and stay: the next run without --sandbox uses
them. In this rehearsal devices trust the sandbox's server, not what their truststores hold.

Exit codes: 0 done, or nothing to do; 1 the tenant refused something, or a device does not connect;
2 a fault in the file or list, or in the login; nothing was made; 3 the environment failed or the
run was interrupted: run it again.")]
pub(crate) struct RolloutArgs {
    /// The rollout file (`c8y-pki profile show rollout.toml` prints one)
    #[arg(required_unless_present = "example")]
    file: Option<PathBuf>,
    /// Show what would be done, and change nothing
    #[arg(long)]
    plan: bool,
    /// Write the embedded example to DIR (unless it is there) and run that
    #[arg(long, value_name = "DIR", conflicts_with_all = ["file", "plan"])]
    example: Option<PathBuf>,
    /// Leave out the steps at the tenant
    #[arg(long)]
    local: bool,
    /// Rehearse: at a tenant in memory, to which every device connects
    #[arg(long, conflicts_with = "local")]
    sandbox: bool,
    /// With --sandbox: leave it running until Ctrl-C, for other commands and clients
    #[arg(long, requires = "sandbox", conflicts_with = "plan")]
    stay: bool,
    /// At the end connect all devices, or N of them, spread evenly over the list
    #[arg(
        long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "all",
        value_parser = sample, conflicts_with = "local"
    )]
    connect: Option<Sample>,
    /// Port of MQTT over TLS, for --connect; by default that of the file, else 8883. 9883 is the MQTT Service, which
    /// has rules of its own
    #[arg(
        long, value_name = "PORT", requires = "connect", conflicts_with = "sandbox",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    mqtt_port: Option<u16>,
    #[command(flatten)]
    rate: RateArgs,
    /// Write an HTML page for people: the CAs, the devices, when certificates expire, what failed and why; - for
    /// standard output
    #[arg(long, value_name = "FILE", conflicts_with = "plan")]
    report: Option<PathBuf>,
    /// Number of worker threads; by default one per processor
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    weak: WeakArgs,
    #[command(flatten)]
    tenant: TenantArgs,
}

/// How many devices connect: none stands for all.
type Sample = Option<usize>;

fn sample(text: &str) -> std::result::Result<Sample, String> {
    match text.parse() {
        _ if text == "all" => Ok(None),
        Ok(0) | Err(_) => Err("give a number from 1, or all".to_owned()),
        Ok(number) => Ok(Some(number)),
    }
}

#[derive(Serialize)]
struct Planned<'a> {
    plan: &'a [Step],
    changes: bool,
    revocation_check: Option<Switch>,
}

#[derive(Serialize)]
struct Done<'a> {
    #[serde(flatten)]
    report: &'a Report,
    out: String,
    registration: Option<String>,
}

/// The tenant of a run, which may be in this process, and where devices connect to.
struct Beyond {
    rehearsal: Option<Rehearsal>,
    client: Option<Client>,
    connecting: Option<Connecting>,
}

pub(crate) fn run(args: &RolloutArgs, pki: &Path, out: Output) -> Result {
    let file = match (&args.example, &args.file) {
        (Some(dir), _) => write_example(dir)?,
        (None, Some(file)) => file.clone(),
        (None, None) => return Err(Failure::usage("no rollout file is given", "give a FILE")),
    };
    let out = out.beside(args.report.as_deref());
    let mut spec = Spec::read(&file)?;
    spec.passwords.weak = args.weak.weak_password;
    warn_of_another_folder(pki, &spec, out);
    let spec = if args.sandbox { spec.rehearsal() } else { spec };
    if let Some(page) = &args.report {
        check_page(page)?;
    }
    let stop = stop::on_interrupt();
    raise_file_limit();
    let beyond = Beyond::of(args, &spec, &stop, out)?;
    let plan = rollout::plan(&spec, &beyond.remote(), OffsetDateTime::now_utc());
    if let Some(problem) = plan.as_ref().ok().and_then(|plan| plan.weak_password.as_ref()) {
        warn_of_weak(problem, out);
    }
    if let Ok(plan) = &plan {
        plan.remarks().iter().for_each(|remark| out.warning(remark));
    }
    if args.plan {
        let plan = plan?;
        let planned = Planned {
            plan: &plan.steps,
            changes: plan.changes(),
            revocation_check: plan.revocation_check,
        };
        let tenant_left_out = spec.tenant.is_some() && beyond.client.is_none();
        let beside = Beside { incomplete: plan.incomplete, tenant_left_out };
        out.result(&planned, |p| show::plan(p.plan, p.changes, p.revocation_check, beside))?;
        return Ok(Outcome::Done);
    }
    if let Ok(plan) = &plan
        && plan.changes()
    {
        let told = beyond.client.as_ref().and_then(|client| client.time());
        clock::hold_for_rollout(&spec.pki, OffsetDateTime::now_utc(), told)?;
    }
    let report =
        plan.map_err(Box::new).and_then(|plan| apply(args, &spec, plan, &beyond, &stop, out));
    let page = args.report.as_ref().map(|page| write_page(page, &spec, &report, &beyond, out));
    let left_out = spec.tenant.is_some() && beyond.client.is_none();
    let ended = end(report.map_err(|error| *error)?, &spec, (args.sandbox, left_out), out)?;
    page.transpose()?;
    if let (true, Some(rehearsal)) = (args.stay, &beyond.rehearsal) {
        stay(rehearsal, &stop, out)?;
    }
    Ok(ended)
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

impl Beyond {
    fn of(args: &RolloutArgs, spec: &Spec, stop: &Arc<AtomicBool>, out: Output) -> Result<Self> {
        if args.sandbox {
            let rehearsal = Rehearsal::start(spec)?;
            let client = Some(rehearsal.client()?.stop_when(stop.clone()));
            let connecting = Some(rehearsal.connecting(args.connect.flatten()));
            return Ok(Self { rehearsal: Some(rehearsal), client, connecting });
        }
        let Some(tenant) = spec.tenant.as_ref().filter(|_| !args.local) else {
            if args.connect.is_some() {
                return Err(Failure::usage(
                    "--connect needs a tenant to connect to",
                    "write a [tenant] section, or rehearse with --sandbox",
                ));
            }
            return Ok(Self { rehearsal: None, client: None, connecting: None });
        };
        let client = args.tenant.connect_to(tenant.host.as_deref(), out)?;
        let connecting = args.connect.map(|sample| {
            let host = bare_host(client.host()).to_owned();
            let port = args.mqtt_port.unwrap_or(tenant.mqtt_port);
            let service = (port == service::PORT).then(|| at_service(&client)).transpose()?;
            let target = Target { host, port };
            let check = Check { service, ..Check::new(target, OffsetDateTime::now_utc()) };
            Ok(Connecting {
                pace: args.rate.pace(&check.target.host),
                check,
                trusted: None,
                sample,
            })
        });
        let connecting = connecting.transpose().map_err(|e: PlatformError| Failure::from(e))?;
        let client = Some(client.stop_when(stop.clone()));
        Ok(Self { rehearsal: None, client, connecting })
    }

    fn remote(&self) -> Remote<'_> {
        Remote { client: self.client.as_ref(), connect: self.connecting.as_ref() }
    }
}

/// How devices speak to the MQTT Service of a tenant.
fn at_service(client: &Client) -> std::result::Result<Service, PlatformError> {
    let tenant = Some(client.wait(client.tenant())?.to_owned());
    // A user who may not ask, or a platform that does not know the feature: then the connection shows it.
    let feature = client.wait(features::is_on(client, service::SMART_REST)).ok();
    Ok(Service { tenant, feature, smart_rest: false })
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
fn end(
    mut report: Report,
    spec: &Spec,
    (rehearsed, tenant_left_out): (bool, bool),
    out: Output,
) -> Result {
    let stopped = report.is_stopped();
    let failure = report.failure.take();
    let done = Done {
        report: &report,
        out: spec.devices.out.display().to_string(),
        registration: spec.registration.as_ref().map(|r| r.file.display().to_string()),
    };
    out.result(&done, |done| show::report(done.report, spec, tenant_left_out))?;
    old_ids::warn(&report.devices.old_ids, out);
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
        out.warning(&format!("{failed} did not connect{}", more_of_one(spec, rehearsed)));
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
             were made in spite of that"
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

/// The command that says more of a device; there is none for a tenant that is gone.
fn more_of_one(spec: &Spec, rehearsed: bool) -> String {
    if rehearsed {
        return String::new();
    }
    let password = match &spec.passwords.store {
        Some(file) => format!(" --store-password-file {}", file.display()),
        None => String::new(),
    };
    let dir = spec.devices.out.display();
    format!("; `c8y-pki device check ID --out {dir}{password}` says more about one device")
}

/// Refuses to write over a file that is no such page.
fn check_page(path: &Path) -> Result<()> {
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
    spec: &Spec,
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
    let picture = Picture::gather(spec, run, tenant, OffsetDateTime::now_utc())?;
    let picture = picture.took(clock::since_start());
    outlet::write(path, picture.html().as_bytes(), Access::Public, Existing::Replace, out)
}

/// Leaves the sandbox running until it is to end, for other commands and clients.
fn stay(rehearsal: &Rehearsal, stop: &AtomicBool, out: Output) -> Result<()> {
    let sandbox = &rehearsal.sandbox;
    let shown = sandbox.connections_after(0).last().map_or(0, |connection| connection.number);
    sandbox::announce(sandbox, Path::new(sandbox::CA_OUT), None, out)?;
    sandbox::watch(sandbox, shown, stop, out);
    Ok(())
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
