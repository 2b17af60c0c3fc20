//! `device`: certificates and keystores for devices.

use std::io::Read;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use c8y_pki::authority::Pki;
use c8y_pki::bulk::bundle::{Bundle, BundleSettings};
use c8y_pki::bulk::list::DeviceList;
use c8y_pki::bulk::{self, Existing, Job, Summary};
use c8y_pki::crypto::KeyType;
use c8y_pki::files;
use c8y_pki::issue::Outliving;
use c8y_pki::store::{Compat, DEFAULT_ITERATIONS, MAX_ITERATIONS, Pkcs12Options};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use time::OffsetDateTime;

use crate::commands::ca::ca_password;
use crate::failure::{Failure, Outcome, Result};
use crate::output::Output;
use crate::password::Source;
use crate::progress::Line;
use crate::render::count;
use crate::stop;
use crate::values::{self, SubjectArgs};

/// Commands about devices.
#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// Make keys, certificates and keystores for one device or many
    #[command(after_help = "\
Everything is checked before the first key is made. Devices that have a certificate already are
skipped, so the same command finishes what a power cut has interrupted. Each device gets a folder
of its own with key.pem, cert.pem, chain.pem, keystore.p12, … as asked for.

Examples:
  c8y-pki device issue gw-0001 --ca line-7 --out out
  c8y-pki device issue --from devices.csv --ca line-7 --out out --bundle pem,p12 \\
      --ca-password-file ca.pw --store-password-file store.pw

Exit codes: 0 done, or nothing to do; 2 a device cannot be issued as asked, nothing was made;
3 the environment failed or the run was interrupted: run it again.")]
    Issue(Box<IssueArgs>),
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
        }
    }
}

/// What to do with devices that are issued already.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ExistingArg {
    /// Leave them as they are
    Skip,
    /// Refuse the whole run
    Fail,
}

/// Arguments of `device issue`.
#[derive(Debug, Args)]
pub(crate) struct IssueArgs {
    /// Device identifiers: the common names of the certificates
    #[arg(required_unless_present = "from", value_name = "ID")]
    ids: Vec<String>,
    /// CSV with a column `id`; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "ids")]
    from: Option<PathBuf>,
    /// The issuing CA
    #[arg(long, value_name = "NAME")]
    ca: String,
    /// The folder that gets one folder per device
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What each device gets: pem, p12, jks, truststore-p12, truststore-jks
    #[arg(long, value_delimiter = ',', default_value = "pem", value_name = "KINDS")]
    bundle: Vec<Bundle>,
    /// Profile: a built-in one (`c8y-pki profile list`) or a file
    #[arg(long, default_value = "device", value_name = "NAME|FILE")]
    profile: String,
    #[command(flatten)]
    subject: SubjectArgs,
    /// Type of the keys, in place of the profile's: rsa-2048, rsa-3072, rsa-4096, ec-p256, ec-p384,
    /// ec-p521, ed25519
    #[arg(long = "key-type", value_name = "TYPE")]
    key_type: Option<KeyType>,
    /// Validity in days, in place of the profile's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
    /// Shorten a validity that would outlive the CA, instead of refusing it
    #[arg(long)]
    clamp: bool,
    /// What to do with devices that have a certificate already
    #[arg(long, value_enum, default_value = "skip")]
    existing: ExistingArg,
    /// What truststores hold: PEM or DER files with the server's certificates; may be repeated
    #[arg(long, value_name = "FILE")]
    server_cert: Vec<PathBuf>,
    /// Encrypt key.pem; its password comes from --key-password-file
    #[arg(long)]
    encrypt_keys: bool,
    #[command(flatten)]
    pkcs12: Pkcs12Args,
    /// File with the password of the CA's key [env: C8Y_PKI_CA_PASSWORD]
    #[arg(long, value_name = "FILE")]
    ca_password_file: Option<PathBuf>,
    /// File with the password of key.pem [env: C8Y_PKI_KEY_PASSWORD]
    #[arg(long, value_name = "FILE", requires = "encrypt_keys")]
    key_password_file: Option<PathBuf>,
    /// File with the password of keystores and truststores [env: C8Y_PKI_STORE_PASSWORD]
    #[arg(long, value_name = "FILE")]
    store_password_file: Option<PathBuf>,
    /// Number of worker threads; by default one per processor
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// The number of worker threads: as asked, or one per processor.
pub(crate) fn threads(asked: Option<usize>) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    asked.unwrap_or_else(processors).max(1)
}

/// The password of keystores and truststores.
pub(crate) fn store_password(file: Option<&PathBuf>) -> Source<'_> {
    Source {
        file,
        option: "--store-password-file",
        variable: "C8Y_PKI_STORE_PASSWORD",
        what: "the store",
    }
}

pub(crate) fn run(command: &DeviceCommand, pki: &Path, out: Output) -> Result {
    match command {
        DeviceCommand::Issue(args) => issue(args, pki, out),
    }
}

/// Reads a device list from a file, or from standard input for `-`.
pub(crate) fn read_list(path: &Path) -> Result<DeviceList> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(Failure::Input)?;
        return Ok(DeviceList::from_csv("standard input", &bytes)?);
    }
    let bytes = files::read(path)?;
    Ok(DeviceList::from_csv(&path.display().to_string(), &bytes)?)
}

fn issue(args: &IssueArgs, dir: &Path, out: Output) -> Result {
    let profile = values::profile(&args.profile, args.key_type)?;
    let subject = args.subject.builder(&profile)?;
    if subject.has("CN") {
        return Err(Failure::usage(
            "the subject has a common name, but a device's common name is its id",
            "leave CN out of --subject",
        ));
    }
    let list = match &args.from {
        Some(path) => read_list(path)?,
        None => DeviceList::from_ids(args.ids.iter().map(String::as_str)),
    };
    let now = OffsetDateTime::now_utc();
    let mut pki = Pki::open(dir, now)?;
    let ca = pki.ca(&args.ca)?;
    if !list.faults.is_empty() {
        // Before anybody is asked for a password.
        let total = list.devices.len() + list.faults.len();
        return Err(bulk::BulkError::Faults { faults: list.faults, total }.into());
    }
    let mut trusted = Vec::new();
    for path in &args.server_cert {
        trusted.extend(values::certificates(path)?);
    }
    let key = ca.unlock(&ca_password(args.ca_password_file.as_ref()).existing()?)?;
    let wants_store = args.bundle.iter().any(|b| *b != Bundle::Pem);
    let store_password = wants_store
        .then(|| store_password(args.store_password_file.as_ref()).new_one())
        .transpose()?;
    let key_source = Source {
        file: args.key_password_file.as_ref(),
        option: "--key-password-file",
        variable: "C8Y_PKI_KEY_PASSWORD",
        what: "the devices' keys",
    };
    let key_password = args.encrypt_keys.then(|| key_source.new_one()).transpose()?;
    files::create_private_dir(&args.out)?;
    let job = Job {
        ca: &ca,
        key: &key,
        profile: &profile,
        subject: &subject,
        days: args.days,
        outliving: if args.clamp { Outliving::Clamp } else { Outliving::Refuse },
        out: &args.out,
        bundle: BundleSettings {
            kinds: &args.bundle,
            store_password: store_password.as_ref(),
            key_password: key_password.as_ref(),
            key_iterations: args.pkcs12.iterations,
            pkcs12: args.pkcs12.options(),
            trusted: &trusted,
        },
        existing: match args.existing {
            ExistingArg::Skip => Existing::Skip,
            ExistingArg::Fail => Existing::Fail,
        },
        threads: threads(args.threads),
    };
    let line = Line::new(out);
    let stop = stop::on_interrupt();
    let summary = bulk::run(&mut pki, &job, list, now, &stop, &|p| line.set(p));
    line.finish();
    report(args, &summary?, out)
}

#[derive(Serialize)]
struct Issued<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    out: String,
}

fn report(args: &IssueArgs, summary: &Summary, out: Output) -> Result {
    let issued = Issued { summary, out: args.out.display().to_string() };
    out.result(&issued, |i| {
        let s = i.summary;
        let issued = count(s.issued, "device");
        let mut text = format!("{issued} issued in {:.1} s: {}\n", s.seconds, i.out);
        if s.skipped > 0 {
            let have = if s.skipped == 1 { "it has" } else { "they have" };
            text.push_str(&format!("{} skipped: {have} a certificate already\n", s.skipped));
        }
        if s.recovered > 0 {
            text.push_str(&format!("{} recovered from a run that was stopped\n", s.recovered));
        }
        text
    })?;
    if summary.issued > 0 && args.bundle.contains(&Bundle::Pem) && !args.encrypt_keys {
        out.note(
            "key.pem is not encrypted, as most firmware needs it; --encrypt-keys changes that",
        );
    }
    if summary.incomplete > 0 {
        out.warning(&format!(
            "{} skipped, but not all the files of this bundle are in {}: moved, lost, or issued \
             with another bundle",
            count(summary.incomplete, "device"),
            args.out.display()
        ));
    }
    if summary.stopped {
        out.warning("interrupted; run the same command again to finish");
        return Ok(Outcome::Stopped);
    }
    Ok(Outcome::Done)
}
