//! `device`: certificates for devices, from the first one to the last list that revokes it.
//!
//! One file per verb. What they share is here and in `making`: the options for what a device gets, and
//! the run that issues; and in `connecting`, for the verbs that connect as a device would.

mod at_service;
mod bootstrap;
mod check;
mod compromise;
mod connect;
mod connecting;
mod enrol;
mod import;
mod issue;
mod list;
mod making;
mod manifest;
mod refresh;
mod renew;
mod revoke;
mod serial;
mod show;
mod sign;
mod token;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use c8y_pki::crypto::{KeyPolicy, KeyType};
use c8y_pki::list::{DeviceList, ListFile, ListOptions};
use c8y_pki::profile::Profile;
use c8y_pki::provision::Existing;
use c8y_pki::provision::bundle::Bundle;
use c8y_pki::registry::{Record, Registry, RegistryError};
use c8y_pki::store::{Compat, DEFAULT_ITERATIONS, MAX_ITERATIONS, Pkcs12Options};
use clap::{Args, Subcommand, ValueEnum};

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::password::{self, Source};
use crate::values;

/// Commands about devices.
#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// Make keys, certificates and keystores for one device or many
    Issue(Box<issue::IssueArgs>),
    /// Sign certificate requests of devices that keep their keys
    Sign(Box<sign::SignArgs>),
    /// Renew certificates, with a new key or the same one
    Renew(Box<renew::RenewArgs>),
    /// Rewrite chains and keystores of devices after their CA was renewed
    Refresh(Box<refresh::RefreshArgs>),
    /// Get a certificate from the platform's own CA
    Enrol(Box<enrol::EnrolArgs>),
    /// Record certificates that a CA of the folder has signed elsewhere
    Import(import::ImportArgs),
    /// Revoke certificates
    Revoke(revoke::RevokeArgs),
    /// List certificates of devices
    List(list::ListArgs),
    /// Find out whether a device connects, and if not, why
    Check(Box<check::CheckArgs>),
    /// Get a device's token, and show what it says
    Token(Box<token::TokenArgs>),
    /// Keep a device connected: operations to standard output, lines of standard input to the platform
    Connect(Box<connect::ConnectArgs>),
    /// Get credentials for a device that has a password and no certificate
    Bootstrap(Box<bootstrap::BootstrapArgs>),
    /// Show all that is known of a device, or of a certificate
    Show(show::ShowArgs),
    /// Write the signed hand-over file of a batch
    Manifest(manifest::ManifestArgs),
}

pub(crate) fn run(command: &DeviceCommand, pki: &Path, out: Output) -> Result {
    match command {
        DeviceCommand::Issue(args) => issue::run(args, pki, out),
        DeviceCommand::Sign(args) => sign::run(args, pki, out),
        DeviceCommand::Renew(args) => renew::run(args, pki, out),
        DeviceCommand::Refresh(args) => refresh::run(args, pki, out),
        DeviceCommand::Enrol(args) => enrol::run(args, out),
        DeviceCommand::Import(args) => import::run(args, pki, out),
        DeviceCommand::Revoke(args) => revoke::run(args, pki, out),
        DeviceCommand::List(args) => list::run(args, pki, out),
        DeviceCommand::Check(args) => check::run(args, pki, out),
        DeviceCommand::Token(args) => token::run(args, out),
        DeviceCommand::Connect(args) => connect::run(args, pki, out),
        DeviceCommand::Bootstrap(args) => bootstrap::run(args, out),
        DeviceCommand::Show(args) => show::run(args, pki, out),
        DeviceCommand::Manifest(args) => manifest::run(args, pki, out),
    }
}

/// How PKCS#12 files are protected.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum CompatArg {
    /// AES-256 and SHA-256: Java from 8u301, OpenSSL from 1.1.0
    Modern,
    /// Triple DES and SHA-1, for old readers
    Legacy,
}

/// Options of PKCS#12 files, wherever they are written.
#[derive(Debug, Args)]
pub(crate) struct Pkcs12Args {
    /// Protection of PKCS#12 files
    #[arg(long, value_enum, default_value = "modern")]
    compat: CompatArg,
    /// Key derivation iterations of PKCS#12 files, for encryption and for the MAC
    #[arg(long, value_name = "N", default_value_t = DEFAULT_ITERATIONS, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_ITERATIONS)))]
    iterations: u32,
    /// Leave the certificates in PKCS#12 files unencrypted: they are public anyway
    #[arg(long)]
    plain_certificates: bool,
    /// Protect PKCS#12 files with PBMAC1 (RFC 9579), for OpenSSL from 3.4 and Java in FIPS mode; older OpenSSL,
    /// and Java before 24, cannot open them
    #[arg(long)]
    pbmac1: bool,
}

impl Pkcs12Args {
    pub(crate) fn options(&self) -> Pkcs12Options {
        Pkcs12Options {
            compat: match self.compat {
                CompatArg::Modern => Compat::Modern,
                CompatArg::Legacy => Compat::Legacy,
            },
            encryption_iterations: self.iterations,
            mac_iterations: self.iterations,
            plain_certificates: self.plain_certificates,
            pbmac1: self.pbmac1,
        }
    }
}

/// What to do with devices that are issued already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExistingArg {
    /// Leave them as they are
    Skip,
    /// Refuse the whole run
    Fail,
    /// Issue another certificate in place of theirs, which stays in the registry as history
    Replace,
}

/// Options about devices that are issued already.
#[derive(Debug, Args)]
pub(crate) struct ExistingArgs {
    /// What to do with devices that have a certificate already
    #[arg(long, value_enum, default_value = "skip")]
    existing: ExistingArg,
    /// With --existing replace: revoke what is replaced, with the reason superseded
    #[arg(long)]
    revoke: bool,
}

impl ExistingArgs {
    fn existing(&self) -> Result<Existing> {
        match (self.existing, self.revoke) {
            (ExistingArg::Replace, revoke) => Ok(Existing::Replace { revoke }),
            (_, true) => Err(Failure::usage(
                "--revoke revokes what is replaced, and nothing is to be replaced",
                "add --existing replace, or use `c8y-pki device revoke`",
            )),
            (ExistingArg::Skip, false) => Ok(Existing::Skip),
            (ExistingArg::Fail, false) => Ok(Existing::Fail),
        }
    }
}

/// Which weak keys are let through.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct KeyPolicyArgs {
    /// Accept an RSA key with the public exponent 3, which is refused otherwise, as is every exponent below
    /// 65537: for devices that cannot make another key
    #[arg(long)]
    allow_exponent_3: bool,
}

impl KeyPolicyArgs {
    pub(crate) fn policy(self) -> KeyPolicy {
        KeyPolicy { allow_exponent_3: self.allow_exponent_3 }
    }
}

/// What devices get, and how it is protected.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// The folder that gets one folder per device; with --output tar the archive, - for standard output
    #[arg(long, value_name = "DIR|FILE")]
    out: PathBuf,
    /// What --out is
    #[arg(long, value_enum, default_value = "folders")]
    output: Form,
    /// What each device gets: pem, p12, jks, thin-edge (names of thin-edge.io, and a script that puts them
    /// in place), truststore-p12, truststore-jks
    #[arg(long, value_delimiter = ',', default_value = "pem", value_name = "KINDS")]
    bundle: Vec<Bundle>,
    /// Profile: a built-in one (`c8y-pki profile list`) or a file
    #[arg(long, default_value = "device", value_name = "NAME|FILE")]
    profile: String,
    /// Type of the keys, in place of the profile's: rsa-2048, rsa-3072, rsa-4096, ec-p256, ec-p384,
    /// ec-p521, ed25519. While an RSA key is made, programs that share this computer's processor could
    /// learn about it: make RSA keys on a computer of your own, or take ec-p256
    #[arg(long = "key-type", value_name = "TYPE")]
    key_type: Option<KeyType>,
    /// Validity in days, in place of the profile's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
    /// Shorten --days that would outlive the CA, instead of refusing them; without --days the validity is
    /// shortened anyway
    #[arg(long)]
    clamp: bool,
    /// What truststores hold: PEM or DER files with the server's certificates; may be repeated
    #[arg(long, value_name = "FILE")]
    server_cert: Vec<PathBuf>,
    /// Encrypt key.pem; its password comes from --key-password-file
    #[arg(long)]
    encrypt_keys: bool,
    #[command(flatten)]
    pkcs12: Pkcs12Args,
    /// File with the password of the CA's key, or the PIN of its token
    /// [env: C8Y_PKI_CA_PASSWORD, C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE")]
    ca_password_file: Option<PathBuf>,
    /// File with the password of key.pem [env: C8Y_PKI_KEY_PASSWORD]
    #[arg(long, value_name = "FILE")]
    key_password_file: Option<PathBuf>,
    /// File with the password of keystores and truststores [env: C8Y_PKI_STORE_PASSWORD]
    #[arg(long, value_name = "FILE")]
    store_password_file: Option<PathBuf>,
    /// Give each device a random store password of its own, and write them to this new CSV (mode 0600)
    #[arg(long, value_name = "FILE", conflicts_with = "store_password_file")]
    secrets: Option<PathBuf>,
    /// Take keys from the key pool (`c8y-pki key pool fill`) instead of making them
    #[arg(long)]
    key_pool: bool,
    /// File with the password of the key pool [env: C8Y_PKI_POOL_PASSWORD]
    #[arg(long, value_name = "FILE", requires = "key_pool")]
    pool_password_file: Option<PathBuf>,
    /// Issue the devices that can be issued, though others have faults
    #[arg(long)]
    keep_going: bool,
    /// Write the devices that fail to this CSV, with reasons; with --keep-going and folders it is
    /// DIR/failed.csv by default
    #[arg(long, value_name = "FILE")]
    failed: Option<PathBuf>,
    /// Number of worker threads; by default one per processor
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

/// What becomes of the devices' files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A folder for each device
    Folders,
    /// One archive with a folder for each device: fastest; FILE.part until it is whole
    Tar,
}

impl OutputArgs {
    fn profile(&self) -> Result<Profile> {
        values::profile(&self.profile, self.key_type)
    }

    fn key_source(&self) -> Source<'_> {
        password::of_key(self.key_password_file.as_ref(), "the devices' keys")
    }
}

/// The certificates that a word on the command line means: those of a device, or the one with that
/// serial number.
fn find(registry: &Registry, word: &str) -> Result<Vec<Record>> {
    let mut records = registry.history(word)?;
    if records.is_empty()
        && let Some(serial) = c8y_pki::registry::parse_serial(word)
    {
        let filter = c8y_pki::registry::Filter { serial: Some(&serial), ..Default::default() };
        records = registry.find(&filter)?;
    }
    if records.is_empty() {
        let what = format!("of a device or with a serial number {word:?}");
        return Err(RegistryError::Unknown { what }.into());
    }
    Ok(records)
}

/// The number of worker threads: as asked, or one per processor.
pub(crate) fn threads(asked: Option<NonZeroUsize>) -> usize {
    let processors = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    asked.unwrap_or_else(processors).get()
}

/// The password of keystores and truststores.
pub(crate) fn store_password(file: Option<&PathBuf>) -> Source<'_> {
    Source {
        file,
        option: "--store-password-file",
        variable: "C8Y_PKI_STORE_PASSWORD",
        noun: "password",
        what: "the store",
    }
}

/// How a device list is read.
#[derive(Debug, Default, Args)]
pub(crate) struct FromArgs {
    /// The header of the column of ids in --from, if it is not id, client_id, device_id or serial
    #[arg(long, value_name = "HEADER", requires = "from")]
    id_column: Option<String>,
}

impl FromArgs {
    fn options(&self) -> ListOptions {
        ListOptions { id_column: self.id_column.clone() }
    }

    /// Reads a device list from a file, or from standard input for `-`, with all that it says.
    pub(crate) fn read(&self, path: &Path, out: Output) -> Result<DeviceList> {
        let name = match path == Path::new("-") {
            true => "standard input".to_owned(),
            false => path.display().to_string(),
        };
        let list = DeviceList::from_csv_with(&name, &values::read(path)?, &self.options())?;
        list.remarks.iter().for_each(|remark| out.warning(remark));
        Ok(list)
    }

    /// Opens a device list that may be longer than memory.
    pub(crate) fn open(&self, path: &Path, out: Output) -> Result<ListFile> {
        let list = match path == Path::new("-") {
            true => ListFile::take("standard input", std::io::stdin().lock(), self.options())?,
            false => ListFile::open(path, self.options())?,
        };
        list.remarks().iter().for_each(|remark| out.warning(remark));
        Ok(list)
    }
}
