//! What `device enrol` is told.

use std::path::PathBuf;
use std::time::Duration;

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::crypto::{KeyType, RsaKeys};
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::name::{Name, find_field};
use c8y_pki_engine::platform::Login;
use c8y_pki_engine::platform::blocking::Client;
use clap::Args;

use super::over::Over;
use crate::failure::Result;
use crate::output::Output;
use crate::qr::Qr;
use crate::tenant::{NetworkArgs, no_host};
use crate::values;

/// Arguments of `device enrol`.
#[derive(Debug, Args)]
#[command(after_help = "\
The device makes its key on this computer, and the key stays here. The device is registered with a
one-time password: one that it was given (--otp-file), or one that it makes itself. With --wait the
command shows the address of the tenant's page on which the device is registered, as text and as a
QR code, and asks until the device is registered. The one-time password is in that address. If the
device has its certificate already, nothing is changed.

With --renew the device makes a new key and gets a certificate for it. It uses its present
certificate to get a token for that. The new files are made in the directory ID.new. After the
platform has accepted them, they replace those in ID in one step, and the former files are kept in
.replaced. If it is killed at any point, run it again.

Examples:
  c8y-pki device enrol gw-0001 --out out --wait 30m --host acme.cumulocity.com
  c8y-pki device enrol gw-0001 --out out --otp-file gw-0001.otp --host acme.cumulocity.com
  c8y-pki device enrol gw-0001 --out out --renew --if-expires-within 30d --host acme.cumulocity.com

Exit codes: 0 the certificate is there, also when it was before or is not due; 1 the platform
refuses, the time to wait is over, or the present certificate has expired; 2 wrong use, a wrong
one-time password or token; 3 not reached or interrupted: run it again.")]
pub(crate) struct EnrolArgs {
    /// The device's id, as it is registered
    pub(super) id: String,
    /// The directory of the devices' directories
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// Type of the key, if one is made: rsa-2048, rsa-3072, rsa-4096, ec-p256, ec-p384, ec-p521, ed25519,
    /// ml-dsa-44, ml-dsa-65, ml-dsa-87; by
    /// default ec-p256, and with --renew that of the former key
    #[arg(long = "key-type", value_name = "TYPE")]
    pub(super) key_type: Option<KeyType>,
    /// Who makes RSA keys: own, the search of this program (fast; while it runs, a program that shares this
    /// computer's processor could learn something about the key), or backend, the crypto library, which takes
    /// about 1.6 times as long
    #[arg(long, value_name = "MAKER", default_value = "own", value_parser = values::rsa_keys, conflicts_with = "reuse_key")]
    pub(super) rsa_keys: RsaKeys,
    /// File whose first line is the one-time password [env: C8Y_PKI_OTP]
    #[arg(long, value_name = "FILE")]
    pub(super) otp_file: Option<PathBuf>,
    /// Show the page on which the device is registered, and wait at most this long: 90s, 30m, 2h, 1d
    #[arg(long, value_name = "SPAN", value_parser = values::wait, conflicts_with = "renew")]
    pub(super) wait: Option<Duration>,
    /// How the QR code of that address is drawn
    #[arg(long, value_enum, default_value = "dark", value_name = "BACKGROUND")]
    pub(super) qr: Qr,
    /// Get the next certificate
    #[arg(long, conflicts_with = "otp_file")]
    pub(super) renew: bool,
    /// Do nothing while the certificate is valid for longer than this: 30d, 8w
    #[arg(long, value_name = "SPAN", value_parser = values::duration, requires = "renew")]
    pub(super) if_expires_within: Option<time::Duration>,
    /// Get the next certificate for the same key
    #[arg(long, requires = "renew", conflicts_with = "key_type")]
    pub(super) reuse_key: bool,
    /// File whose first line is the device's token; without it the command gets a token itself [env:
    /// C8Y_PKI_DEVICE_TOKEN]
    #[arg(long, value_name = "FILE", requires = "renew")]
    pub(super) token_file: Option<PathBuf>,
    /// How the device gets its token, and tries the next certificate
    #[arg(long, value_enum, default_value = "https", requires = "renew")]
    pub(super) over: Over,
    /// The port for that; by default 8443 with https, 8883 with mqtt
    #[arg(long, value_name = "PORT", requires = "renew", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) port: Option<u16>,
    /// Make the key, print the request, send nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Host of the tenant, e.g. acme.eu-latest.cumulocity.com
    #[arg(
        long,
        value_name = "HOST",
        env = "C8Y_HOST",
        hide_env_values = true,
        help_heading = "Tenant"
    )]
    pub(super) host: Option<String>,
    #[command(flatten)]
    pub(super) network: NetworkArgs,
}

impl EnrolArgs {
    pub(super) fn host(&self) -> Result<&str> {
        self.host.as_deref().filter(|h| !h.is_empty()).ok_or_else(no_host)
    }

    pub(super) fn client(&self, login: Login, out: Output) -> Result<Client> {
        self.network.connect(self.host()?, None, login, out)
    }
}

/// Makes a key: of the type that was asked for, or that of the key before it.
pub(super) fn new_key(args: &EnrolArgs, former: Option<&PrivateKey>) -> Result<PrivateKey> {
    let of = |key: &PrivateKey| KeyType::of(key.public_key().algorithm());
    let key_type = args.key_type.or_else(|| former.and_then(of)).unwrap_or(KeyType::EcP256);
    Ok(PrivateKey::generate_by(key_type, args.rsa_keys)?)
}

pub(super) fn subject(id: &DeviceId) -> Result<Name> {
    let mut builder = Name::builder();
    builder.push(find_field("CN")?, id.as_str())?;
    Ok(builder.build()?)
}
