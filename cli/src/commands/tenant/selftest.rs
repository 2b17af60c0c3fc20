//! `tenant selftest`: does a tenant what we expect of it? With a CA that is made for this and removed again.

use std::path::PathBuf;
use std::time::Duration;

use c8y_pki_core::{failure::Task, shown};
use c8y_pki_engine::device::link::Target;
use c8y_pki_engine::files::{Access, Existing};
use c8y_pki_engine::platform::{bare_host, token};
use c8y_pki_engine::selftest::{self, Disposable, Plan, Step, Verdict};
use clap::Args;
use time::OffsetDateTime;

use crate::confirm::{ask, can_ask};
use crate::failure::{Failure, Outcome, Result};
use crate::hint::command;
use crate::outlet;
use crate::output::Output;
use crate::render::printable;
use crate::stop;
use crate::tenant::TenantArgs;

/// Arguments of `tenant selftest`.
#[derive(Debug, Args)]
pub(crate) struct SelfTestArgs {
    /// Make a CA and a device for this test, and remove both again
    #[arg(long, required = true)]
    disposable_ca: bool,
    /// Do not ask before it begins
    #[arg(long, short = 'y')]
    yes: bool,
    /// Write the report to this file too; - for standard output
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Port of MQTT over TLS
    #[arg(long, value_name = "PORT", default_value_t = 8883, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Port of HTTPS with client certificates
    #[arg(long, value_name = "PORT", default_value_t = token::PORT, value_parser = clap::value_parser!(u16).range(1..))]
    https_port: u16,
    /// Seconds that the device waits for each answer over MQTT
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    device_timeout: u64,
    #[command(flatten)]
    tenant: TenantArgs,
}

pub(super) fn run(args: &SelfTestArgs, out: Output) -> Result {
    let report_out = out.beside(args.report.as_deref());
    let flag = stop::on_interrupt();
    let roots = args.tenant.roots()?;
    let client = args.tenant.connect(out)?.stop_when(flag.clone());
    let status = selftest::prepare(&client)?;
    let made = Disposable::make(OffsetDateTime::now_utc())?;
    let what = plan_text(&status.tenant.id, client.host(), &made);
    if args.yes {
        out.note(&what);
    } else if !confirm(&what)? {
        return Ok(Outcome::NO);
    }
    let host = bare_host(client.host()).to_owned();
    let tell = |step: &Step| told(step, out);
    let plan = Plan {
        client: &client,
        mqtt: Target { host: host.clone(), port: args.port },
        https: Target { host, port: args.https_port },
        trusted: (!roots.is_empty()).then_some(roots),
        timeout: Duration::from_secs(args.device_timeout),
        silence: Duration::from_secs(1),
        at: OffsetDateTime::now_utc(),
        stop: &flag,
        removal: |fingerprint| {
            format!("c8y-pki {}", command(&Task::RemoveCa { name: fingerprint.to_owned() }))
        },
        tell: &tell,
    };
    let report = selftest::run(&plan, &status, &made);
    // First what has to be known, then what may fail.
    report_out.result(&report, |report| format!("{report}\n"))?;
    if let Some(path) = &args.report {
        let text = format!("{report}\n");
        let text = shown::lines(&text);
        outlet::write(path, text.as_bytes(), Access::Public, Existing::Replace, out)?;
    }
    Ok(match report.verdict {
        Verdict::AsExpected => Outcome::Done,
        Verdict::Differed => Outcome::NO,
        Verdict::Interrupted => Outcome::Stopped,
        Verdict::NotReached => Outcome::Failed(c8y_pki_core::failure::Kind::Surroundings),
    })
}

/// What is going to happen, and what to remove by hand if the process is killed.
fn plan_text(tenant: &str, host: &str, made: &Disposable) -> String {
    let (tenant, host) = (printable(tenant), printable(host));
    format!(
        "In the tenant {tenant} ({host}) this test uploads the CA {:?} (fingerprint {}), registers the \
         device {:?}, connects as it, revokes its certificate, and removes CA and device again. The serial \
         number {} stays in the tenant's revocation list for good. If the test is killed: `c8y-pki tenant \
         trust remove {}`, and delete the device in Device management.",
        made.name(),
        made.fingerprint(),
        made.device().as_str(),
        made.serial(),
        made.fingerprint(),
    )
}

fn told(step: &Step, out: Output) {
    if out.is_json() {
        return out.progress(&serde_json::json!({ "step": step.step, "outcome": step.outcome }));
    }
    out.note(&step.step.to_string());
}

fn confirm(what: &str) -> Result<bool> {
    if !can_ask() {
        return Err(Failure::usage(
            "a self-test changes the tenant and has to be confirmed, and there is no terminal to ask",
            "give --yes",
        ));
    }
    ask(&format!("{}\n", shown::lines(what)), "Begin?")
}
