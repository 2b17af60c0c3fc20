//! `device enrol`: a certificate from the platform's own CA, for a key that stays here.
//!
//! The key is on disk before anything is sent, and the next run after one that was cut off uses it.

mod first;
mod renew;

use std::path::PathBuf;
use std::time::Duration;

use c8y_pki::cert::Certificate;
use c8y_pki::client_id::DeviceId;
use c8y_pki::crypto::{KeyType, RsaKeys};
use c8y_pki::enrolment::folder::Folder;
use c8y_pki::files::{self, Access, Existing, FileError};
use c8y_pki::key::PrivateKey;
use c8y_pki::name::{Name, find_field};
use c8y_pki::platform::{Client, Login};
use clap::Args;
use renew::Over;
use serde::Serialize;
use time::OffsetDateTime;

use crate::failure::{Failure, Outcome, Result};
use crate::old_ids;
use crate::outlet;
use crate::output::Output;
use crate::qr::Qr;
use crate::render::{as_line, day, until};
use crate::tenant::{NetworkArgs, no_host};
use crate::values;

/// Arguments of `device enrol`.
#[derive(Debug, Args)]
#[command(after_help = "\
The device makes its key here, and the key stays here. It needs a one-time password, with which it is
registered: one that was given to it (--otp-file), or one that it makes itself. With --wait it shows the
address of the tenant's page that registers it, as text and as a QR code, and asks until it is let in. Its
one-time password is in that address. A device that has its certificate is left alone.

With --renew it gets the next certificate, for a new key. Its token it gets with the certificate that it
has. The next files are made in the directory ID.new. When the platform has let them in, they take the place of
those in ID in one step, and the former ones are kept in .replaced. Killed at any point, it can be run again.

Examples:
  c8y-pki device enrol gw-0001 --out out --wait 30m --host acme.cumulocity.com
  c8y-pki device enrol gw-0001 --out out --otp-file gw-0001.otp --host acme.cumulocity.com
  c8y-pki device enrol gw-0001 --out out --renew --if-expires-within 30d --host acme.cumulocity.com

Exit codes: 0 the certificate is there, also when it was before or is not due; 1 the platform refuses, the
time to wait is over, or the certificate that is there has expired; 2 wrong use, a wrong one-time password
or token; 3 not reached or interrupted: run it again.")]
pub(crate) struct EnrolArgs {
    /// The device's id, as it is registered
    id: String,
    /// The folder of the devices' folders
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Type of the key, if one is made: rsa-2048, rsa-3072, rsa-4096, ec-p256, ec-p384, ec-p521, ed25519; by
    /// default ec-p256, and with --renew that of the former key
    #[arg(long = "key-type", value_name = "TYPE")]
    key_type: Option<KeyType>,
    /// Who makes RSA keys: own, the search of this program (fast; while it runs, a program that shares this
    /// computer's processor could learn something about the key), or backend, the crypto library, which takes
    /// about 1.6 times as long
    #[arg(long, value_name = "MAKER", default_value = "own", value_parser = values::rsa_keys, conflicts_with = "reuse_key")]
    rsa_keys: RsaKeys,
    /// File whose first line is the one-time password [env: C8Y_PKI_OTP]
    #[arg(long, value_name = "FILE")]
    otp_file: Option<PathBuf>,
    /// Show where the device is registered, and ask for so long until it is: 90s, 30m, 2h, 1d
    #[arg(long, value_name = "SPAN", value_parser = values::wait, conflicts_with = "renew")]
    wait: Option<Duration>,
    /// How the QR code of that address is drawn
    #[arg(long, value_enum, default_value = "dark", value_name = "BACKGROUND")]
    qr: Qr,
    /// Get the next certificate
    #[arg(long, conflicts_with = "otp_file")]
    renew: bool,
    /// Do nothing while the certificate is valid for longer than this: 30d, 8w
    #[arg(long, value_name = "SPAN", value_parser = values::duration, requires = "renew")]
    if_expires_within: Option<time::Duration>,
    /// Get the next certificate for the same key
    #[arg(long, requires = "renew", conflicts_with = "key_type")]
    reuse_key: bool,
    /// File whose first line is the device's token, in place of one that it gets itself [env:
    /// C8Y_PKI_DEVICE_TOKEN]
    #[arg(long, value_name = "FILE", requires = "renew")]
    token_file: Option<PathBuf>,
    /// How the device gets its token, and tries the next certificate
    #[arg(long, value_enum, default_value = "https", requires = "renew")]
    over: Over,
    /// The port for that; by default 8443 with https, 8883 with mqtt
    #[arg(long, value_name = "PORT", requires = "renew", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
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
    // A device that has its certificate has its id.
    let id = match args.renew {
        true => old_ids::read(&args.id, out)?,
        false => DeviceId::parse_new(&args.id)?,
    };
    if args.renew && !args.out.exists() {
        return Err(Failure::usage(
            format!("{} does not exist: there is nothing to renew", args.out.display()),
            "name the folder of the devices' folders with --out, or leave out --renew",
        ));
    }
    let folder = Folder::open(&args.out, &id)?;
    match args.renew {
        true => renew::run(args, &id, &folder, out),
        false => first::run(args, &id, &folder, out),
    }
}

impl EnrolArgs {
    fn host(&self) -> Result<&str> {
        self.host.as_deref().filter(|h| !h.is_empty()).ok_or_else(no_host)
    }

    fn client(&self, login: Login, out: Output) -> Result<Client> {
        self.network.connect(self.host()?, None, login, out)
    }
}

/// Makes a key: of the type that was asked for, or that of the key before it.
fn new_key(args: &EnrolArgs, former: Option<&PrivateKey>) -> Result<PrivateKey> {
    let of = |key: &PrivateKey| KeyType::of(key.public_key().algorithm());
    let key_type = args.key_type.or_else(|| former.and_then(of)).unwrap_or(KeyType::EcP256);
    Ok(PrivateKey::generate_by(key_type, args.rsa_keys)?)
}

fn pem(certificates: &[Certificate]) -> String {
    certificates.iter().map(Certificate::pem).collect()
}

/// Writes what came; cert.pem comes last: with it the device counts as enrolled. The chain is the leaf alone:
/// the platform knows its own CA, whose certificate it replaces each year.
fn keep(folder: &Folder, certificates: &[Certificate]) -> std::result::Result<(), FileError> {
    let own = certificates.first().map(Certificate::pem).unwrap_or_default();
    let write =
        |path: PathBuf| files::write(&path, own.as_bytes(), Access::Public, Existing::Replace);
    write(folder.chain())?;
    write(folder.cert())?;
    folder.forget_one_time()
}

fn subject(id: &DeviceId) -> Result<Name> {
    let mut builder = Name::builder();
    builder.push(find_field("CN")?, id.as_str())?;
    Ok(builder.build()?)
}

fn report(
    id: &DeviceId,
    action: &'static str,
    certificates: &[Certificate],
    folder: &Folder,
    out: Output,
) -> Result {
    let dir = folder.dir();
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
