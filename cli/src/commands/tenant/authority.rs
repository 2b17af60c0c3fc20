//! `tenant authority`: the platform's own CA.

use c8y_pki_engine::platform::authority::{self, Feature, Status};
use c8y_pki_engine::platform::trusted::TrustedCertificate;
use clap::{Args, Subcommand};
use serde::Serialize;
use time::OffsetDateTime;

use super::trust::view::{View, details};
use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render::{as_line, colons};
use crate::tenant::{TenantArgs, show_requests};

/// What has to be known of the CA's certificate by those who would pin it.
const YEARLY: &str = "the platform renews this CA by itself each 2 October at 02:00, with the same key and name: its \
                      fingerprint changes, certificates of devices stay valid. Do not pin it by fingerprint";

/// Commands about the platform's own CA.
#[derive(Debug, Subcommand)]
pub(crate) enum AuthorityCommand {
    /// Say whether the tenant may have one, whether it has one, and until when
    #[command(after_help = "\
Examples:
  c8y-pki tenant authority status
  c8y-pki tenant authority status --json | jq .feature

Exit codes: 0 devices can enrol: the feature is on, and the CA is there, enabled and not expired; 1 they
cannot; 2 wrong credentials or rights; 3 not reached.")]
    Status(AuthorityArgs),
    /// Make it, if there is none
    #[command(after_help = "\
Devices registered with a one-time password get their certificates there: `registration add`, `device
enrol`.

Examples:
  c8y-pki tenant authority create
  c8y-pki tenant authority create --json

Exit codes: 0 it is there, also when it was before; 1 the platform refuses, e.g. because the feature is
off; 2 wrong credentials or rights; 3 not reached.")]
    Create(AuthorityArgs),
    /// Give it new dates now; the platform does so each year by itself
    #[command(after_help = "\
Key and name stay, the fingerprint changes. The platform says no while it is valid for more than 18
months.

Examples:
  c8y-pki tenant authority renew

Exit codes: 0 renewed; 1 the platform says no, or there is no CA; 2 wrong credentials or rights;
3 not reached.")]
    Renew(AuthorityArgs),
    /// Switch on the feature certificate-authority for the tenant
    #[command(after_help = "\
Examples:
  c8y-pki tenant authority enable
  c8y-pki tenant authority create

Exit codes: 0 it is on, also when it was before; 1 the platform does not have the feature, or says no;
2 wrong credentials or rights; 3 not reached.")]
    Enable(AuthorityArgs),
}

/// Arguments of all of them.
#[derive(Debug, Args)]
pub(crate) struct AuthorityArgs {
    /// Print the requests, send nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    tenant: TenantArgs,
}

pub(super) fn run(command: &AuthorityCommand, out: Output) -> Result {
    let (args, request) = match command {
        AuthorityCommand::Status(args) => (args, None),
        AuthorityCommand::Create(args) => (args, Some(authority::create_request())),
        AuthorityCommand::Renew(args) => (args, Some(authority::renew_request())),
        AuthorityCommand::Enable(args) => (args, Some(authority::enable_request())),
    };
    if args.dry_run {
        let all: Vec<_> = [authority::feature_request()].into_iter().chain(request).collect();
        return show_requests(&all, out);
    }
    let client = args.tenant.connect(out)?;
    match command {
        AuthorityCommand::Status(_) => status(&client.wait(authority::status(&client))?, out),
        AuthorityCommand::Create(_) => {
            let (is_new, found) = client.wait(authority::create(&client))?;
            show(&found, if is_new { "made" } else { "already there" }, out)
        }
        AuthorityCommand::Renew(_) => {
            let (former, now) = client.wait(authority::renew(&client))?;
            out.note(&format!("its former SHA-1 fingerprint was {}", colons(&former.fingerprint)));
            show(&now, "renewed", out)
        }
        AuthorityCommand::Enable(_) => enabled(client.wait(authority::enable(&client))?, out),
    }
}

fn show(found: &TrustedCertificate, action: &'static str, out: Output) -> Result {
    out.result(&View::of(found, Some(action)), details)?;
    out.note(YEARLY);
    Ok(Outcome::Done)
}

#[derive(Serialize)]
struct Enabled {
    feature: Feature,
    action: &'static str,
}

fn enabled(is_new: bool, out: Output) -> Result {
    let action = if is_new { "switched on" } else { "on already" };
    out.result(&Enabled { feature: Feature::On, action }, |e| {
        as_line(&format!("The feature certificate-authority: {}", e.action))
    })?;
    Ok(Outcome::Done)
}

/// What there is, for `--json`.
#[derive(Serialize)]
struct Shown<'a> {
    feature: Feature,
    /// Whether devices can enrol, as far as the tenant's settings tell.
    ready: bool,
    authority: Option<View<'a>>,
}

fn status(found: &Status, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    let usable =
        |ca: &TrustedCertificate| ca.is_enabled() && ca.not_after.is_none_or(|end| end > now);
    let ready = found.feature == Feature::On && found.authority.as_ref().is_some_and(usable);
    let authority = found.authority.as_ref().map(|ca| View::of(ca, None));
    out.result(&Shown { feature: found.feature, ready, authority }, text)?;
    match (found.feature, &found.authority) {
        (Feature::On, Some(_)) => out.note(YEARLY),
        (Feature::On, None) => out.note("make it: `c8y-pki tenant authority create`"),
        (Feature::Off, _) => out.note("switch it on: `c8y-pki tenant authority enable`"),
        (Feature::Absent, _) => out.note(
            "ask the operator whether this platform is new enough; a CA of your own needs no such feature",
        ),
    }
    Ok(Outcome::of(ready))
}

fn text(shown: &Shown<'_>) -> String {
    let feature = match shown.feature {
        Feature::On => "on",
        Feature::Off => "off: the tenant can have no CA of the platform until it is switched on",
        Feature::Absent => "the platform does not know it",
    };
    let ca = shown
        .authority
        .as_ref()
        .map_or_else(|| "The tenant has no CA of the platform.\n".to_owned(), details);
    format!("Feature certificate-authority: {feature}\n{ca}")
}
