//! `tenant crl`: revocations to the platform, and its list back.

use std::path::{Path, PathBuf};

use c8y_pki_core::crl::{Crl, Reason, Revoked};
use c8y_pki_core::failure::Task;
use c8y_pki_engine::files::{Access, Existing};
use c8y_pki_engine::platform::crl::{self, Switch};
use clap::{Args, Subcommand};
use serde::Serialize;
use time::OffsetDateTime;

use crate::clock;
use crate::failure::{Failure, Outcome, Result};
use crate::hint;
use crate::outlet;
use crate::output::Output;
use crate::render::{as_line, count};
use crate::tenant::{TenantArgs, show_requests};

/// Commands about the platform's revocation list.
#[derive(Debug, Subcommand)]
pub(crate) enum CrlCommand {
    /// Upload what the registry has revoked
    #[command(after_help = "\
The platform only adds entries; entries that it has already are not changed. It checks the list
only if this is switched on in the tenant. By default it is off: then revoked devices can still
connect, and the upload ends with exit code 1. Certificates on hold are left out, because the
platform cannot end a hold. A revocation of the last 24 hours is uploaded without a date, which
means now.

Examples:
  c8y-pki tenant crl upload
  c8y-pki tenant crl upload --ca line-7 --dry-run

Exit codes: 0 sent, and the tenant checks its list, or this user may not see whether it does (a
warning says so); 1 sent, but the tenant does not check its list; 2 wrong credentials or rights; 3
not reached.")]
    Upload(UploadArgs),
    /// Download the platform's list, signed by the platform
    #[command(after_help = "\
Examples:
  c8y-pki tenant crl download --out platform.crl
  c8y-pki tenant crl download --json")]
    Download(DownloadArgs),
    /// Say whether the tenant checks its revocation list
    #[command(after_help = "\
Reads the tenant option configuration/crl.offline.check.enabled; one that was never set is off.

Examples:
  c8y-pki tenant crl status
  c8y-pki tenant crl status --json

Exit codes: 0 on; 1 off; 2 wrong credentials, or no right to read options; 3 not reached.")]
    Status {
        #[command(flatten)]
        tenant: TenantArgs,
    },
    /// Switch the tenant's check of its revocation list on: then revoked devices are refused
    #[command(after_help = "\
Sets the tenant option configuration/crl.offline.check.enabled to true.

Examples:
  c8y-pki tenant crl enable
  c8y-pki tenant crl enable --dry-run

Exit codes: 0 on, also when it was before; 2 wrong credentials or rights; 3 not reached.")]
    Enable(TurnArgs),
    /// Switch the tenant's check of its revocation list off: then revoked devices can connect again
    #[command(after_help = "\
Sets the tenant option configuration/crl.offline.check.enabled to false. The list stays as it is.

Examples:
  c8y-pki tenant crl disable
  c8y-pki tenant crl disable --dry-run

Exit codes: 0 off, also when it was before; 2 wrong credentials or rights; 3 not reached.")]
    Disable(TurnArgs),
}

/// Arguments of `tenant crl enable` and `disable`.
#[derive(Debug, Args)]
pub(crate) struct TurnArgs {
    /// Print the request, send nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    tenant: TenantArgs,
}

/// Arguments of `tenant crl upload`.
#[derive(Debug, Args)]
pub(crate) struct UploadArgs {
    /// Only what this CA has issued; may be repeated
    #[arg(long, value_name = "NAME")]
    ca: Vec<String>,
    /// Upload certificates on hold too, for good
    #[arg(long)]
    with_holds: bool,
    /// Print the requests, send nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    tenant: TenantArgs,
}

/// Arguments of `tenant crl download`.
#[derive(Debug, Args)]
pub(crate) struct DownloadArgs {
    /// Where to write it, - for standard output; by default what it holds is shown
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write DER instead of PEM
    #[arg(long, requires = "out")]
    der: bool,
    #[command(flatten)]
    tenant: TenantArgs,
}

#[derive(Serialize)]
struct Uploaded {
    revocations: usize,
    on_hold: usize,
    requests: usize,
    /// Whether the tenant looks at its list; none where nothing was sent.
    revocation_check: Option<Switch>,
}

pub(super) fn run(command: &CrlCommand, pki: &Path, out: Output) -> Result {
    match command {
        CrlCommand::Upload(args) => upload(args, pki, out),
        CrlCommand::Download(args) => download(args, out),
        CrlCommand::Status { tenant } => status(tenant, out),
        CrlCommand::Enable(args) => turn(args, true, out),
        CrlCommand::Disable(args) => turn(args, false, out),
    }
}

fn upload(args: &UploadArgs, dir: &Path, out: Output) -> Result {
    let mut revoked = revoked(&args.ca, dir, out)?;
    let all = revoked.len();
    revoked.retain(|r| args.with_holds || r.reason != Reason::CertificateHold);
    let requests = crl::requests(&revoked, OffsetDateTime::now_utc());
    if args.dry_run {
        if requests.is_empty() {
            out.note("Nothing is revoked: there is nothing to send.");
        }
        return show_requests(&requests, out);
    }
    let (mut tenant, mut check) = (String::new(), None);
    if !revoked.is_empty() {
        let client = args.tenant.connect(out)?;
        client.wait(client.tenant())?.clone_into(&mut tenant);
        clock::hold_to(&client, dir, out)?;
        client.wait(crl::upload(&client, &requests))?;
        check = Some(client.wait(crl::switch(&client))?);
    }
    let on_hold = all - revoked.len();
    let done = Uploaded {
        revocations: revoked.len(),
        on_hold,
        requests: requests.len(),
        revocation_check: check,
    };
    out.result(&done, |d| match d.revocations {
        0 if d.on_hold > 0 => "Nothing is revoked except certificates on hold.\n".to_owned(),
        0 => "Nothing is revoked.\n".to_owned(),
        n => {
            as_line(&format!("{} sent to tenant {tenant}{}", count(n, "revocation"), effect(check)))
        }
    })?;
    if on_hold > 0 {
        out.note(&format!("{} on hold left out (--with-holds)", count(on_hold, "certificate")));
    }
    match check {
        Some(Switch::Off) => Err(Failure::no(
            format!(
                "the tenant {tenant} does not check its revocation list: revoked devices can connect"
            ),
            format!("switch the check on: {}", hint::run(&Task::EnableCrlCheck)),
        )),
        Some(Switch::Unknown) => {
            out.warning(&format!(
                "it is not known whether the tenant {tenant} checks its revocation list: to read that needs \
                 ROLE_OPTION_MANAGEMENT_READ"
            ));
            Ok(Outcome::Done)
        }
        Some(Switch::On) | None => Ok(Outcome::Done),
    }
}

/// What a list that was sent does.
fn effect(check: Option<Switch>) -> &'static str {
    match check {
        Some(Switch::On) => ", which checks its list",
        Some(Switch::Off) => ", which does not check its list",
        Some(Switch::Unknown) | None => "",
    }
}

#[derive(Serialize)]
struct Turned {
    tenant: String,
    revocation_check: Switch,
    /// Whether it was switched now.
    changed: bool,
}

fn status(args: &TenantArgs, out: Output) -> Result {
    let client = args.connect(out)?;
    let (tenant, check) =
        (client.wait(client.tenant())?.to_owned(), client.wait(crl::is_on(&client))?);
    let found = Turned { tenant, revocation_check: check, changed: false };
    out.result(&found, turned)?;
    if check == Switch::Unknown {
        return Err(Failure::no(
            format!("the option {} is neither true nor false", crl::KEY),
            format!("set it: {}", hint::run(&Task::EnableCrlCheck)),
        ));
    }
    Ok(Outcome::of(check == Switch::On))
}

fn turn(args: &TurnArgs, on: bool, out: Output) -> Result {
    if args.dry_run {
        return show_requests(&[crl::turn_request(on)], out);
    }
    let client = args.tenant.connect(out)?;
    let tenant = client.wait(client.tenant())?.to_owned();
    // What cannot be read may be written all the same.
    let changed = client.wait(crl::switch(&client))?.known() != Some(on);
    if changed {
        client.wait(crl::turn(&client, on))?;
    }
    let revocation_check = if on { Switch::On } else { Switch::Off };
    out.result(&Turned { tenant, revocation_check, changed }, turned)?;
    Ok(Outcome::Done)
}

fn turned(found: &Turned) -> String {
    let now = match found.revocation_check {
        Switch::On => "on: the tenant refuses devices that are in its list",
        Switch::Off => "off: the tenant does not check its list, revoked devices can connect",
        Switch::Unknown => "not known",
    };
    let word = if found.changed { " (changed)" } else { "" };
    as_line(&format!("revocation check of {}: {now}{word}", found.tenant))
}

/// What the CAs have revoked; of all CAs if none is named. CAs with one name share a list.
fn revoked(names: &[String], dir: &Path, out: Output) -> Result<Vec<Revoked>> {
    let pki = clock::open_to_read(dir, out)?;
    let cas = match names {
        [] => pki.cas()?,
        names => names.iter().map(|name| pki.ca(name)).collect::<std::result::Result<_, _>>()?,
    };
    let (mut subjects, mut revoked) = (Vec::new(), Vec::new());
    for ca in cas {
        let subject = ca.certificate().subject.clone();
        if !subjects.contains(&subject) {
            revoked.extend(pki.registry().revoked(&subject)?);
            subjects.push(subject);
        }
    }
    Ok(revoked)
}

#[derive(Serialize)]
struct Downloaded {
    issuer: String,
    #[serde(with = "time::serde::rfc3339")]
    this_update: OffsetDateTime,
    revoked: usize,
    file: String,
}

fn download(args: &DownloadArgs, out: Output) -> Result {
    let client = args.tenant.connect(out)?;
    let crl: Crl = client.wait(crl::download(&client))?;
    let Some(path) = &args.out else {
        let found = c8y_pki_engine::inspect::inspect(crl.der(), Default::default())?;
        out.results(&found, crate::render::items)?;
        return Ok(Outcome::Done);
    };
    let bytes = if args.der { crl.der().to_vec() } else { crl.pem().into_bytes() };
    outlet::write(path, &bytes, Access::Public, Existing::Replace, out)?;
    let out = out.beside(Some(path));
    let done = Downloaded {
        issuer: crl.issuer.to_string(),
        this_update: crl.this_update,
        revoked: crl.revoked.len(),
        file: path.display().to_string(),
    };
    out.result(&done, |d| {
        as_line(&format!("{}: {} revoked, by {}", outlet::name(path), d.revoked, d.issuer))
    })?;
    Ok(Outcome::Done)
}
