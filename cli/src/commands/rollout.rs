//! `rollout`: everything from one file.

use std::path::{Path, PathBuf};

use c8y_pki::files::{self, Access, Existing};
use c8y_pki::platform::PlatformError;
use c8y_pki::rollout::spec::Spec;
use c8y_pki::rollout::{self, Action, EXAMPLE, Passwords, Report, RolloutError, Step};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use crate::commands::device::threads;
use crate::failure::{Failure, Outcome, Result};
use crate::output::Output;
use crate::progress::Line;
use crate::render::{count, table};
use crate::stop;
use crate::tenant::TenantArgs;

/// Arguments of `rollout`.
#[derive(Debug, Args)]
#[command(after_help = "\
What is done stays done: run it again after a change, a fault or a power cut.

Examples:
  c8y-pki rollout --example demo        writes an example to ./demo and runs it
  c8y-pki rollout rollout.toml --plan   what would be done; exit code 0
  c8y-pki rollout rollout.toml --json

With a [tenant] section the CAs are uploaded, their keys proven and the devices registered; user and
password come from C8Y_USER and C8Y_PASSWORD, or C8Y_TOKEN.

Exit codes: 0 done, or nothing to do; 1 the tenant refused something; 2 a fault in the file or list,
nothing was made; 3 the environment failed or the run was interrupted: run it again.")]
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
    /// Number of worker threads; by default one per processor
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    #[command(flatten)]
    tenant: TenantArgs,
}

#[derive(Serialize)]
struct Planned<'a> {
    plan: &'a [Step],
    changes: bool,
}

#[derive(Serialize)]
struct Done<'a> {
    #[serde(flatten)]
    report: &'a Report,
    out: String,
    registration: Option<String>,
}

pub(crate) fn run(args: &RolloutArgs, out: Output) -> Result {
    let file = match (&args.example, &args.file) {
        (Some(dir), _) => write_example(dir)?,
        (None, Some(file)) => file.clone(),
        (None, None) => return Err(Failure::usage("no rollout file is given", "give a FILE")),
    };
    let spec = Spec::read(&file)?;
    let now = OffsetDateTime::now_utc();
    let stop = stop::on_interrupt();
    let client = match &spec.tenant {
        Some(tenant) if !args.local => {
            let client = args.tenant.connect_to(tenant.host.as_deref(), out)?;
            Some(client.stop_when(stop.clone()))
        }
        _ => None,
    };
    let plan = rollout::plan(&spec, client.as_ref(), now)?;
    if args.plan {
        let changes = plan.changes();
        out.result(&Planned { plan: &plan.steps, changes }, |p| {
            let end = if p.changes { "" } else { "Everything is in place.\n" };
            steps_text(p.plan, true) + end
        })?;
        return Ok(Outcome::Done);
    }
    let passwords = Passwords::read_or_create(&spec)?;
    let line = Line::new(out);
    let threads = threads(args.threads);
    let report =
        rollout::apply(&spec, plan, &passwords, client.as_ref(), now, threads, &stop, &|p| {
            line.set(p);
        });
    line.finish();
    let mut report = report?;
    let failure = report.failure.take();
    let done = Done {
        report: &report,
        out: spec.devices.out.display().to_string(),
        registration: spec.registration.as_ref().map(|r| r.file.display().to_string()),
    };
    out.result(&done, |d| text(d, &spec))?;
    if report.devices.incomplete > 0 {
        out.warning(&format!(
            "{} issued before, but not all the files of the bundle are in {}: moved, lost, or \
             issued with another bundle",
            count(report.devices.incomplete, "device"),
            spec.devices.out.display()
        ));
    }
    let stopped_there =
        matches!(failure, Some(RolloutError::Platform(PlatformError::Stopped { .. })));
    if let Some(failure) = failure.filter(|_| !stopped_there) {
        return Err(failure.into());
    }
    let registered = report.registered.as_ref();
    if stopped_there || report.devices.stopped || registered.is_some_and(|r| r.stopped) {
        out.warning("interrupted; run the same command again to finish");
        return Ok(Outcome::Stopped);
    }
    if let Some(refused) = registered.filter(|r| r.failed > 0) {
        let failed = count(refused.failed, "device");
        out.warning(&format!("the tenant refused {failed}: see {}", refused.result.display()));
        return Ok(Outcome::No);
    }
    Ok(Outcome::Done)
}

/// Writes the files of the example that are not there.
fn write_example(dir: &Path) -> Result<PathBuf> {
    files::create_private_dir(dir)?;
    for (name, text) in EXAMPLE {
        let path = dir.join(name);
        if !path.exists() {
            files::write(&path, text.as_bytes(), Access::Public, Existing::Refuse)?;
        }
    }
    Ok(dir.join(EXAMPLE[0].0))
}

fn steps_text(steps: &[Step], planned: bool) -> String {
    let word = |step: &Step| match step.action {
        Action::Keep => "in place",
        Action::Create if planned => "create",
        Action::Update if planned => "update",
        _ if !step.done => "not done",
        Action::Create => "created",
        Action::Update => "updated",
    };
    let row =
        |s: &Step| vec![word(s).to_owned(), s.kind.to_owned(), s.name.clone(), s.detail.clone()];
    table(&[], steps.iter().map(row).collect())
}

fn text(done: &Done<'_>, spec: &Spec) -> String {
    let devices = &done.report.devices;
    let mut text = steps_text(&done.report.steps, false);
    if done.report.steps.iter().all(|s| s.action == Action::Keep) {
        text.push_str("\nNothing to do: everything is in place.\n");
    } else {
        let issued = count(devices.issued, "device");
        text.push_str(&format!("\n{issued} issued in {:.1} s.\n", devices.seconds));
    }
    if let Some(r) = &done.report.registered {
        text.push_str(&format!(
            "Tenant {}: {} registered, {} there before, {} refused.\n",
            r.tenant, r.created, r.updated, r.failed
        ));
    }
    let mut place = |what: &str, path: &Path| {
        text.push_str(&format!("{what:<14}{}\n", path.display()));
    };
    place("devices", &spec.devices.out);
    if let Some(registration) = &spec.registration {
        place("registration", &registration.file);
    }
    place("CAs", &spec.pki.join("ca"));
    place("passwords", spec.passwords.ca.parent().unwrap_or(Path::new(".")));
    text
}
