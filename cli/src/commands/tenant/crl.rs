//! `tenant crl`: revocations to the platform, and its list back.

use std::path::{Path, PathBuf};

use c8y_pki::crl::{Crl, Reason, Revoked};
use c8y_pki::files::{Access, Existing};
use c8y_pki::platform::crl;
use clap::{Args, Subcommand};
use serde::Serialize;
use time::OffsetDateTime;

use crate::clock;
use crate::failure::{Outcome, Result};
use crate::outlet;
use crate::output::Output;
use crate::render::{as_line, count};
use crate::tenant::{TenantArgs, show_requests};

/// Commands about the platform's revocation list.
#[derive(Debug, Subcommand)]
pub(crate) enum CrlCommand {
    /// Upload what the registry has revoked
    #[command(after_help = "\
The platform only adds; what it has already stays as it is. It looks at the list only where the
check is switched on in the tenant. Certificates on hold are left out: the platform knows no way
back.

Examples:
  c8y-pki tenant crl upload
  c8y-pki tenant crl upload --ca line-7 --dry-run")]
    Upload(UploadArgs),
    /// Download the platform's list, signed by the platform
    #[command(after_help = "\
Examples:
  c8y-pki tenant crl download --out platform.crl
  c8y-pki tenant crl download --json")]
    Download(DownloadArgs),
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
}

pub(super) fn run(command: &CrlCommand, pki: &Path, out: Output) -> Result {
    match command {
        CrlCommand::Upload(args) => upload(args, pki, out),
        CrlCommand::Download(args) => download(args, out),
    }
}

fn upload(args: &UploadArgs, dir: &Path, out: Output) -> Result {
    let mut revoked = revoked(&args.ca, dir, out)?;
    let all = revoked.len();
    revoked.retain(|r| args.with_holds || r.reason != Reason::CertificateHold);
    let requests = crl::requests(&revoked);
    if args.dry_run {
        if requests.is_empty() {
            out.note("Nothing is revoked: there is nothing to send.");
        }
        return show_requests(&requests, out);
    }
    let mut tenant = String::new();
    if !revoked.is_empty() {
        let client = args.tenant.connect(out)?;
        client.tenant()?.clone_into(&mut tenant);
        clock::hold_to(&client, dir, out)?;
        crl::upload(&client, &requests)?;
    }
    let on_hold = all - revoked.len();
    let done = Uploaded { revocations: revoked.len(), on_hold, requests: requests.len() };
    out.result(&done, |d| match d.revocations {
        0 if d.on_hold > 0 => "Nothing is revoked but for holds.\n".to_owned(),
        0 => "Nothing is revoked.\n".to_owned(),
        n => as_line(&format!("{} sent to tenant {tenant}", count(n, "revocation"))),
    })?;
    if on_hold > 0 {
        out.note(&format!("{} on hold left out (--with-holds)", count(on_hold, "certificate")));
    }
    Ok(Outcome::Done)
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
    let crl: Crl = crl::download(&args.tenant.connect(out)?)?;
    let Some(path) = &args.out else {
        let found = c8y_pki::describe::describe(crl.der(), Default::default())?;
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
    out.result(&done, |d| as_line(&format!("{}: {} revoked, by {}", d.file, d.revoked, d.issuer)))?;
    Ok(Outcome::Done)
}
