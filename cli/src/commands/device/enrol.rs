//! `device enrol`: a certificate from the platform's own CA, for a key that stays here.
//!
//! The key is on disk before anything is sent, and a run that was cut off goes on with it.

use std::path::{Path, PathBuf};

use c8y_pki::Error;
use c8y_pki::cert::Certificate;
use c8y_pki::client_id::DeviceId;
use c8y_pki::crypto::KeyType;
use c8y_pki::csr;
use c8y_pki::files::{self, Access, Existing, FileError};
use c8y_pki::key::PrivateKey;
use c8y_pki::name::{Name, find_field};
use c8y_pki::platform::{Client, Login, est};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use crate::failure::{Failure, Outcome, Result};
use crate::outlet;
use crate::output::Output;
use crate::password::Source;
use crate::render::{as_line, day, until};
use crate::tenant::{NetworkArgs, no_host, show_requests};

/// Arguments of `device enrol`.
#[derive(Debug, Args)]
#[command(after_help = "\
The device has to be registered with a one-time password: `registration create
--one-time-passwords`, then `registration upload`. Its key is made here and stays here. A device
that has its certificate is left alone; with --renew it gets the next one, for the same key.

Examples:
  c8y-pki device enrol gw-0001 --out out --otp-file gw-0001.otp --host acme.cumulocity.com
  c8y-pki device enrol gw-0001 --out out --renew --token-file gw-0001.token

Exit codes: 0 the certificate is there, also when it was before; 1 the platform refuses, or the
certificate that is there has expired; 2 a wrong one-time password or token;
3 not reached: run it again.")]
pub(crate) struct EnrolArgs {
    /// The device's id, as it is registered
    id: String,
    /// The folder of the devices' folders
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Type of the key, if it is made now
    #[arg(long = "key-type", value_name = "TYPE", default_value = "ec-p256")]
    key_type: KeyType,
    /// File whose first line is the one-time password [env: C8Y_PKI_OTP]
    #[arg(long, value_name = "FILE")]
    otp_file: Option<PathBuf>,
    /// Get the next certificate for the same key, with the device's token
    #[arg(long, conflicts_with = "otp_file")]
    renew: bool,
    /// File whose first line is the device's token, for --renew [env:
    /// C8Y_PKI_DEVICE_TOKEN]
    #[arg(long, value_name = "FILE", requires = "renew")]
    token_file: Option<PathBuf>,
    /// Make the key, print the request, send nothing
    #[arg(long)]
    dry_run: bool,
    /// Host of the tenant, e.g. acme.eu-latest.cumulocity.com
    #[arg(
        long,
        value_name = "HOST",
        env = "C8Y_HOST",
        hide_env_values = true,
        help_heading = "Tenant"
    )]
    host: Option<String>,
    #[command(flatten)]
    network: NetworkArgs,
}

/// The files of a device.
struct Place {
    key: PathBuf,
    cert: PathBuf,
    chain: PathBuf,
}

#[derive(Serialize)]
struct Enrolled {
    id: String,
    action: &'static str,
    subject: String,
    issuer: String,
    #[serde(with = "time::serde::rfc3339")]
    not_after: OffsetDateTime,
    folder: String,
}

pub(super) fn run(args: &EnrolArgs, out: Output) -> Result {
    outlet::check_folder(&args.out)?;
    let id = DeviceId::parse_new(&args.id)?;
    let dir = args.out.join(id.file_name());
    let place = Place {
        key: dir.join("key.pem"),
        cert: dir.join("cert.pem"),
        chain: dir.join("chain.pem"),
    };
    if place.cert.exists() && !args.renew {
        return already(&id, &place, &dir, out);
    }
    if args.renew && !place.key.exists() {
        return Err(Failure::usage(
            format!("{} does not exist: there is nothing to renew", place.key.display()),
            "name the folder in which the device's folder is with --out, or leave out --renew",
        ));
    }
    let key = key(args, &dir, &place)?;
    if let Some(certificates) = kept(&place, &key).filter(|_| !args.renew) {
        write(&place.cert, &own(&certificates))?;
        return report(&id, "enrolled", &certificates, &dir, out);
    }
    let csr = csr::make(&subject(&id)?, &key)?;
    let request = if args.renew { est::reenroll_request } else { est::enroll_request };
    if args.dry_run {
        return show_requests(&[request(&csr)], out);
    }
    let client = client(args, &id, out)?;
    let ask = if args.renew { est::reenroll } else { est::enroll };
    let certificates = ask(&client, &csr)?;
    if let Err(failure) = keep(&place, &certificates) {
        // A renewal can be asked for again, a one-time password cannot be used again.
        if !args.renew {
            out.data(pem(&certificates).as_bytes())?;
            out.warning(&format!(
                "the certificate could not be written into {} and is printed instead: keep it as \
                 chain.pem there, the one-time password is used up",
                dir.display()
            ));
        }
        return Err(failure.into());
    }
    report(&id, if args.renew { "renewed" } else { "enrolled" }, &certificates, &dir, out)
}

fn pem(certificates: &[Certificate]) -> String {
    certificates.iter().map(Certificate::pem).collect()
}

/// The device's own certificate.
fn own(certificates: &[Certificate]) -> String {
    certificates.first().map(Certificate::pem).unwrap_or_default()
}

fn write(path: &Path, text: &str) -> std::result::Result<(), FileError> {
    files::write(path, text.as_bytes(), Access::Public, Existing::Replace)
}

/// Writes what came; cert.pem comes last: with it the device counts as enrolled.
fn keep(place: &Place, certificates: &[Certificate]) -> std::result::Result<(), FileError> {
    write(&place.chain, &pem(certificates))?;
    write(&place.cert, &own(certificates))
}

/// What an earlier run has brought; the answer is no if it is of no use any more.
fn already(id: &DeviceId, place: &Place, dir: &Path, out: Output) -> Result {
    let certificates = crate::values::certificates(&place.cert)?;
    let outcome = report(id, "already enrolled", &certificates, dir, out)?;
    if certificates.iter().take(1).all(|c| c.not_after >= OffsetDateTime::now_utc()) {
        return Ok(outcome);
    }
    out.warning("its certificate has expired; --renew, or remove the folder and enrol anew");
    Ok(Outcome::No)
}

/// What a run has kept that was cut off between its two files: a chain for this key.
fn kept(place: &Place, key: &PrivateKey) -> Option<Vec<Certificate>> {
    let bytes = files::read_small(&place.chain).ok()?;
    let certificates = Certificate::all_from_pem_or_der(&bytes).ok()?;
    let is_ours = certificates.first()?.spki == key.public_key().spki();
    is_ours.then_some(certificates)
}

/// The key that is there, or a new one, written before it is used.
fn key(args: &EnrolArgs, dir: &Path, place: &Place) -> Result<PrivateKey> {
    if place.key.exists() {
        let bytes = files::read_small(&place.key)?;
        return PrivateKey::read(&bytes, None)
            .map_err(|e| Error::from(e).in_file(place.key.display().to_string()).into());
    }
    args.key_type.check_available()?;
    let key = PrivateKey::generate(args.key_type)?;
    files::create_private_dir(dir)?;
    files::write(&place.key, key.to_pem().expose(), Access::Private, Existing::Refuse)?;
    Ok(key)
}

fn subject(id: &DeviceId) -> Result<Name> {
    let mut builder = Name::builder();
    builder.push(find_field("CN")?, id.as_str())?;
    Ok(builder.build()?)
}

fn client(args: &EnrolArgs, id: &DeviceId, out: Output) -> Result<Client> {
    let host = args.host.clone().filter(|h| !h.is_empty()).ok_or_else(no_host)?;
    let what = format!("the device {}", id.as_str());
    let login = if args.renew {
        let token = Source {
            file: args.token_file.as_ref(),
            option: "--token-file",
            variable: "C8Y_PKI_DEVICE_TOKEN",
            noun: "token",
            what: &what,
        };
        Login::Token(token.existing()?)
    } else {
        let otp = Source {
            file: args.otp_file.as_ref(),
            option: "--otp-file",
            variable: "C8Y_PKI_OTP",
            noun: "one-time password",
            what: &what,
        };
        Login::user(None, id.as_str(), otp.existing()?)
    };
    args.network.connect(&host, None, login, out)
}

fn report(
    id: &DeviceId,
    action: &'static str,
    certificates: &[Certificate],
    dir: &Path,
    out: Output,
) -> Result {
    let Some(own) = certificates.first() else {
        return Err(Failure::usage(
            format!("there is no certificate for {} in {}", id.as_str(), dir.display()),
            "remove the folder, and enrol the device again",
        ));
    };
    let enrolled = Enrolled {
        id: id.as_str().to_owned(),
        action,
        subject: own.subject.to_string(),
        issuer: own.issuer.to_string(),
        not_after: own.not_after,
        folder: dir.display().to_string(),
    };
    out.result(&enrolled, |e| {
        let end = format!("{} ({})", day(e.not_after), until(e.not_after));
        as_line(&format!("{}: {}, by {}, valid until {end}", e.id, e.action, e.issuer))
            + &as_line(&format!("  {}", e.folder))
    })?;
    Ok(Outcome::Done)
}
