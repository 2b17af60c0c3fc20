//! `device check`: does the device connect, and if not, why?

mod many;
mod show;

use std::path::{Path, PathBuf};
use std::time::Duration;

use c8y_pki::cert::Certificate;
use c8y_pki::client_id::DeviceId;
use c8y_pki::device::check::{self, Check, Report, Verdict};
use c8y_pki::device::credentials::{CredentialError, Credentials, Files, Place};
use c8y_pki::device::link::Target;
use c8y_pki::secret::Password;
use clap::Args;
use time::OffsetDateTime;

use super::store_password;
use crate::failure::{Failure, Outcome, Result};
use crate::output::Output;
use crate::password::{self, Source};
use crate::tenant::no_host;
use crate::values;

/// Arguments of `device check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Connects as the device would: MQTT 3.1.1 over mutual TLS, from the files that it will use, with its
truststore. The steps: files, key, chain, validity, name, TCP, TLS, connect, publish, subscribe,
receive. It stops at the first that fails and says what is likely wrong, the first to check first.

The device is registered by it, as by its first connection; if it is connected meanwhile, the
platform closes that connection. Of a folder key.pem counts, then keystore.p12, then keystore.jks;
truststore.p12 or .jks beside it is its truststore, without one the system decides about the
server.

Examples:
  c8y-pki device check gw-0001 --host acme.eu-latest.cumulocity.com
  c8y-pki device check --keystore gw-0001.p12 --truststore trust.p12 --store-password-file pw
  c8y-pki device check --bundle out/gw-0001 --uploaded root.pem --json
  c8y-pki device check --from devices.csv --sample 50 --parallel 16

Exit codes: 0 connected; 1 refused by the platform, or one of many does not connect; 2 wrong input,
or the device's own files are wrong; 3 not reached.")]
pub(crate) struct CheckArgs {
    /// Device identifiers; their folders are in --out
    #[arg(value_name = "ID", required_unless_present_any = ["bundle", "keystore", "from"])]
    ids: Vec<String>,
    /// The folder that has one folder per device
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
    /// The folder of one device, in place of --out
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// A PKCS#12, JKS or PEM file with the key and the chain of one device
    #[arg(long, value_name = "FILE", conflicts_with = "bundle")]
    keystore: Option<PathBuf>,
    /// The device's truststore, or a PEM file with CAs
    #[arg(long, value_name = "FILE")]
    truststore: Option<PathBuf>,
    /// CAs that are uploaded to the tenant, PEM or DER: the chain must have one; may be repeated
    #[arg(long, value_name = "FILE")]
    uploaded: Vec<PathBuf>,
    /// Devices of a CSV with a column `id`; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ids", "bundle", "keystore"])]
    from: Option<PathBuf>,
    /// Check only N devices of the list, spread evenly over it
    #[arg(long, value_name = "N", requires = "from", value_parser = clap::value_parser!(u32).range(1..))]
    sample: Option<u32>,
    /// How many devices connect at the same time
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=512))]
    parallel: u16,
    /// Host of the tenant; https:// and a port in it do not count
    #[arg(long, value_name = "HOST", env = "C8Y_HOST", hide_env_values = true)]
    host: Option<String>,
    /// Port of MQTT over TLS
    #[arg(long, value_name = "PORT", default_value_t = 8883)]
    port: u16,
    /// Seconds that each answer may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// File with the password of keystore and truststore [env: C8Y_PKI_STORE_PASSWORD]
    #[arg(long, value_name = "FILE")]
    store_password_file: Option<PathBuf>,
    /// File with the password of key.pem, or of the key in a JKS file if it has one of its own
    /// [env: C8Y_PKI_KEY_PASSWORD]
    #[arg(long, value_name = "FILE")]
    key_password_file: Option<PathBuf>,
}

/// How long errors may take to come.
const SILENCE: Duration = Duration::from_secs(1);

/// A device to check, by its identifier or by its files.
#[derive(Debug, Clone)]
struct Subject {
    device: Option<DeviceId>,
    place: FilePlace,
}

#[derive(Debug, Clone)]
enum FilePlace {
    Bundle(PathBuf),
    Keystore(PathBuf),
}

/// What holds for all devices of a run.
struct Setting<'a> {
    args: &'a CheckArgs,
    target: Target,
    uploaded: Vec<Certificate>,
    store_password: Option<Password>,
    key_password: Option<Password>,
}

pub(super) fn run(args: &CheckArgs, out: Output) -> Result {
    let mut setting = Setting::new(args)?;
    let subjects = subjects(args)?;
    if let [subject] = subjects.as_slice()
        && args.from.is_none()
    {
        let read = setting.read_asking(subject)?;
        let report = setting.check(subject, read);
        out.result(&report, show::whole)?;
        return Ok(outcome(report.verdict));
    }
    if let Some(first) = subjects.first() {
        // Passwords are asked for once, before devices are checked side by side.
        let _ = setting.read_asking(first)?;
    }
    many::run(&setting, &subjects, out)
}

fn outcome(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Connected => Outcome::Done,
        Verdict::Refused => Outcome::No,
        Verdict::WrongFiles => Outcome::WrongInput,
        Verdict::NotReached => Outcome::NotReached,
    }
}

/// The devices, each once.
fn subjects(args: &CheckArgs) -> Result<Vec<Subject>> {
    let in_out = |device: DeviceId| {
        let place = FilePlace::Bundle(args.out.join(device.file_name()));
        Subject { device: Some(device), place }
    };
    if let Some(list) = &args.from {
        let list = super::read_list(list)?;
        if let Some(fault) = list.faults.first() {
            let hint = fault.hint.clone().unwrap_or_else(|| "correct the list".to_owned());
            return Err(Failure::usage(fault.message.clone(), hint));
        }
        let devices: Vec<DeviceId> = list.devices.into_iter().map(|d| d.id).collect();
        return Ok(spread(devices, args.sample).into_iter().map(in_out).collect());
    }
    let devices = args
        .ids
        .iter()
        .map(|id| DeviceId::parse(id))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let place = match (&args.bundle, &args.keystore) {
        (Some(dir), _) => FilePlace::Bundle(dir.clone()),
        (None, Some(file)) => FilePlace::Keystore(file.clone()),
        (None, None) => return Ok(devices.into_iter().map(in_out).collect()),
    };
    if devices.len() > 1 {
        return Err(Failure::usage(
            "--bundle and --keystore hold the files of one device, and several are named",
            "name one, or none: then the certificate says which it is",
        ));
    }
    Ok(vec![Subject { device: devices.into_iter().next(), place }])
}

/// `sample` of the devices, evenly over the list: the same ones each time.
fn spread(devices: Vec<DeviceId>, sample: Option<u32>) -> Vec<DeviceId> {
    let all = devices.len();
    let wanted = sample.map_or(all, |n| usize::try_from(n).unwrap_or(all)).min(all);
    let taken = |index: usize| index * wanted / all.max(1) != (index + 1) * wanted / all.max(1);
    devices.into_iter().enumerate().filter(|(i, _)| taken(*i)).map(|(_, id)| id).collect()
}

impl<'a> Setting<'a> {
    fn new(args: &'a CheckArgs) -> Result<Self> {
        let host = args.host.as_deref().map(bare_host).filter(|h| !h.is_empty());
        let target = Target { host: host.ok_or_else(no_host)?.to_owned(), port: args.port };
        let mut uploaded = Vec::new();
        for path in &args.uploaded {
            uploaded.extend(values::certificates(path)?);
        }
        let store_password = store_password(args.store_password_file.as_ref()).given()?;
        let key_password = key_password(args).given()?;
        Ok(Self { args, target, uploaded, store_password, key_password })
    }

    fn read(&self, subject: &Subject) -> std::result::Result<Credentials, CredentialError> {
        Credentials::read(&Files {
            place: match &subject.place {
                FilePlace::Bundle(dir) => Place::Bundle(dir),
                FilePlace::Keystore(file) => Place::Keystore(file),
            },
            truststore: self.args.truststore.as_deref(),
            store_password: self.store_password.as_ref(),
            key_password: self.key_password.as_ref(),
        })
    }

    /// Reads, and asks for the passwords that turn out to be needed.
    fn read_asking(
        &mut self,
        subject: &Subject,
    ) -> Result<std::result::Result<Credentials, CredentialError>> {
        loop {
            match self.read(subject) {
                Err(e) if e.needs_store_password() && self.store_password.is_none() => {
                    let source = store_password(self.args.store_password_file.as_ref());
                    self.store_password = Some(source.existing()?);
                }
                Err(e) if e.needs_key_password() && self.key_password.is_none() => {
                    self.key_password = Some(key_password(self.args).existing()?);
                }
                other => return Ok(other),
            }
        }
    }

    fn check(
        &self,
        subject: &Subject,
        read: std::result::Result<Credentials, CredentialError>,
    ) -> Report {
        let check = Check {
            device: subject.device.clone(),
            target: self.target.clone(),
            timeout: Duration::from_secs(self.args.timeout),
            silence: SILENCE,
            uploaded: &self.uploaded,
            at: OffsetDateTime::now_utc(),
        };
        check::check(&check, read)
    }
}

fn key_password(args: &CheckArgs) -> Source<'_> {
    password::of_key(args.key_password_file.as_ref(), "the device's key")
}

/// The host alone, out of what people have in C8Y_HOST: `https://acme.example.com:443/`.
fn bare_host(text: &str) -> &str {
    let text = text.trim();
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let text = text.split(['/', '?', '#']).next().unwrap_or_default();
    let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    match text.matches(':').count() {
        1 => text.split(':').next().unwrap_or_default(),
        _ => text,
    }
}

/// What a device is called before its certificate was read.
fn name_of(subject: &Subject) -> String {
    let shown = |path: &Path| path.display().to_string();
    match (&subject.device, &subject.place) {
        (Some(device), _) => device.to_string(),
        (None, FilePlace::Bundle(path) | FilePlace::Keystore(path)) => shown(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_taken_as_people_write_them() {
        for (given, host) in [
            ("acme.example.com", "acme.example.com"),
            ("https://acme.example.com/", "acme.example.com"),
            ("https://acme.example.com:9443/apps?x#y", "acme.example.com"),
            (" localhost:8111\n", "localhost"),
            ("https://user@acme.example.com", "acme.example.com"),
            ("[::1]:443", "::1"),
            ("::1", "::1"),
            ("https://", ""),
        ] {
            assert_eq!(bare_host(given), host, "{given:?}");
        }
    }

    #[test]
    fn samples_are_spread_over_the_list() {
        let all: Vec<DeviceId> =
            (0..10).map(|n| DeviceId::parse(&format!("d{n}")).unwrap()).collect();
        let taken = |n| {
            let taken = spread(all.clone(), n);
            taken.iter().map(|id| id.as_str()[1..].to_owned()).collect::<Vec<_>>().join("")
        };
        assert_eq!(taken(None), "0123456789");
        assert_eq!(taken(Some(3)), "369");
        assert_eq!(taken(Some(1)), "9");
        assert_eq!(taken(Some(99)), "0123456789");
        assert!(spread(Vec::new(), Some(3)).is_empty());
    }
}
