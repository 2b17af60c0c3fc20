//! What is checked, and what holds for all devices of a run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use c8y_pki_core::cert::{Certificate, LongestChain};
use c8y_pki_core::client_id::DeviceId;
use c8y_pki_engine::device::check::{self, Check, Pace, PasswordLogin, Report, Stage, StepName};
use c8y_pki_engine::device::link::Target;
use c8y_pki_engine::device::service::Service;
use c8y_pki_engine::list::DeviceList;
use c8y_pki_engine::orders;
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::platform::blocking::{Client, Inquiry};
use c8y_pki_engine::platform::standing::ID_TYPE;
use c8y_pki_engine::registration;
use clap::{ArgGroup, Args};
use time::OffsetDateTime;

use super::super::at_service::ServiceArgs;
use super::super::connecting::{FilesArgs, Opened, Subject, no_device};
use super::super::endpoint::EndpointArgs;
use super::beside::BesideArgs;
use crate::device_list::FromArgs;
use crate::failure::Result;
use crate::output::Output;
use crate::pace::RateArgs;
use crate::tenant::{LoginArgs, WayArgs};
use crate::values;

/// Arguments of `device check`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("list").args(["from", "order"]))]
#[command(after_help = "\
Connects as the device would: MQTT 3.1.1 over mutual TLS, from the files that it will use, with its
truststore. The steps: files, key, chain, validity, name, TCP, TLS, connect, publish, subscribe,
receive. It stops at the first that fails and says what is likely wrong, the first to check first.

The platform gives no reason. With a login (C8Y_USER and C8Y_PASSWORD, or C8Y_TOKEN; there is no
prompt for it) the command asks the tenant of C8Y_HOST: is the CA uploaded, enabled and proved? Is
the device registered, or revoked? Causes that the tenant confirms come first; causes that it
excludes are left out. It also asks for the platform's own verdict on the chain, for a single
device even if it connects. If the platform accepts a chain that our own check refuses, its verdict
counts, and the check continues. CONNACK 5 and 3 may also mean overload: then it tries a few times.

The check registers the device, as its first connection would. If the device is in use, the check
and the device close each other's connection: while the device connects again and again, the check
fails at `publish` or `receive`.

In a directory key.pem is used, if not there keystore.p12, then keystore.jks. truststore.p12 or
.jks in it is the truststore. Without one the system decides whether the server is trusted.

Examples:
  c8y-pki device check gw-0001 --host acme.eu-latest.cumulocity.com
  c8y-pki device check --keystore gw-0001.p12 --truststore trust.p12 --store-password-file pw
  c8y-pki device check --bundle out/gw-0001 --uploaded root.pem --json
  c8y-pki device check --from devices.csv --rate 50
  c8y-pki device check --from devices.csv --sample 50 --parallel 16
  c8y-pki device check --order acme-11
  c8y-pki device check --order acme-11 --sample 20
  c8y-pki device check gw-0001 --user admin --tenant-password-file pw
  c8y-pki device check gw-0001 --mqtt-service --tenant t12345
  c8y-pki device check gw-0001 --mqtt-user t12345/device_gw-0001 --mqtt-password-file pw

Exit codes: 0 connected; 1 refused by the platform, or one of many does not connect; 2 wrong input,
or the device's own files are wrong (its truststore among them); 3 not reached, closed without a
reason, something else than the platform's MQTT, or the server's own certificate is not valid.")]
pub(crate) struct CheckArgs {
    /// Device identifiers; their directories are in --out
    #[arg(value_name = "ID")]
    pub(super) ids: Vec<String>,
    #[command(flatten)]
    pub(super) files: FilesArgs,
    /// CAs that are uploaded to the tenant, PEM or DER: the chain must have one; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(super) uploaded: Vec<PathBuf>,
    /// The largest number of certificates in a chain, with the device's and the uploaded CA's; by default that of
    /// the PKI directory's pki.toml; without one 10, as in the cloud
    #[arg(long, value_name = "N")]
    pub(super) longest_chain: Option<LongestChain>,
    /// Devices of a CSV or .xlsx with a column `id`; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ids", "bundle", "keystore"])]
    pub(super) from: Option<PathBuf>,
    #[command(flatten)]
    pub(super) columns: FromArgs,
    /// The devices of an order; the registry keeps which of them have connected
    #[arg(long, value_name = "NAME", conflicts_with_all = ["ids", "bundle", "keystore", "from"])]
    pub(super) order: Option<String>,
    /// Check only N devices of the list or order, spread evenly over it; the others are not tried
    #[arg(long, value_name = "N", requires = "list", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) sample: Option<u32>,
    /// How many devices connect at the same time. The second for which each is listened to afterwards is not part of it
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=512))]
    parallel: u16,
    #[command(flatten)]
    rate: RateArgs,
    #[command(flatten)]
    pub(super) endpoint: EndpointArgs,
    #[command(flatten)]
    pub(super) service: ServiceArgs,
    #[command(flatten)]
    pub(super) beside: BesideArgs,
    /// How many times to try if the platform may be overloaded (CONNACK 5 and 3)
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(super) attempts: u32,
    /// Type of the external ids of registered devices (IDTYPE); a column `idtype` of --from comes first
    #[arg(long, value_name = "TYPE", default_value = ID_TYPE)]
    pub(super) id_type: String,
    #[command(flatten)]
    pub(super) login: LoginArgs,
    #[command(flatten)]
    pub(super) way: WayArgs,
}

pub(in super::super) const MORE_WITH_LOGIN: &str = "set C8Y_USER and C8Y_PASSWORD, or C8Y_TOKEN, and the \
                                                    command asks the tenant for the reason";

/// What holds for all devices of a run.
pub(super) struct Setting<'a> {
    pub(super) args: &'a CheckArgs,
    pub(super) target: Target,
    pub(super) uploaded: Vec<Certificate>,
    pub(super) longest: LongestChain,
    pub(super) service: Option<Service>,
    pub(super) login: Option<PasswordLogin>,
    /// Asks the tenant; none without a login.
    pub(super) inquiry: Option<Inquiry<'a>>,
}

/// Which devices are tried, each once.
pub(super) struct Chosen {
    pub(super) subjects: Vec<Subject>,
    /// How many devices the list or order has; more than are tried with `--sample`.
    pub(super) listed: usize,
    /// The types of external ids that their list gives them.
    pub(super) id_types: HashMap<String, String>,
}

/// The devices that the command line chooses.
pub(super) fn chosen(args: &CheckArgs, pki: Option<&Pki>, out: Output) -> Result<Chosen> {
    if let (Some(name), Some(pki)) = (&args.order, pki) {
        let registry = pki.registry();
        let list = orders::list_of(registry, &orders::named(registry, name)?)?;
        return spread(args, list, |id| args.files.where_put(id, registry));
    }
    let Some(list) = &args.from else {
        let named = args.files.subjects(&args.ids)?;
        return match named.is_empty() {
            true => Err(no_device("give its id, --bundle, --keystore, --from or --order")),
            false => Ok(Chosen { listed: named.len(), subjects: named, id_types: HashMap::new() }),
        };
    };
    let list = args.columns.read(list, out)?.without_faults()?;
    spread(args, list, |id| Ok(args.files.in_out(id)))
}

/// The devices of a list, or as many of them as are to be checked.
fn spread(
    args: &CheckArgs,
    list: DeviceList,
    place: impl Fn(DeviceId) -> Result<Subject>,
) -> Result<Chosen> {
    let id_types = registration::id_types(&list.devices);
    let devices: Vec<DeviceId> = list.devices.into_iter().map(|d| d.id).collect();
    let sample = args.sample.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let listed = devices.len();
    let subjects = check::spread(devices, sample).into_iter().map(place).collect::<Result<_>>()?;
    Ok(Chosen { subjects, listed, id_types })
}

impl<'a> Setting<'a> {
    pub(super) fn new(args: &'a CheckArgs, client: Option<&'a Client>, pki: &Path) -> Result<Self> {
        let mut uploaded = Vec::new();
        for path in &args.uploaded {
            uploaded.extend(values::certificates(path)?);
        }
        let target = args.endpoint.target_at(args.service.default_port())?;
        let service = args.service.service(&args.endpoint, args.login.tenant(), client)?;
        let login = args.beside.login(service.is_some())?;
        let inquiry = client.map(|client| Inquiry::new(client, args.id_type.as_str()));
        let longest = values::longest_chain(args.longest_chain, pki)?;
        Ok(Self { args, target, uploaded, longest, service, login, inquiry })
    }

    /// Whether a login would have told more.
    pub(super) fn would_ask(&self, report: &Report) -> bool {
        let step = report.failed().map(|failed| failed.step);
        self.inquiry.is_none()
            && matches!(step, Some(StepName::Tls | StepName::Connect))
            && report.may_be_refused()
    }

    /// How fast many of them are checked.
    pub(super) fn pace(&self) -> Pace {
        let pace = self.args.rate.pace(&self.target.host);
        Pace { parallel: self.args.parallel.into(), ..pace }
    }

    /// All steps of one of many, up to the last.
    pub(super) fn begin(&self, subject: &Subject, read: Opened) -> Stage<'_> {
        check::begin(self.how(subject), read)
    }

    /// The same, and the platform's verdict on the chain is asked for in any case.
    pub(super) fn check_always_judged(&self, subject: &Subject, read: Opened) -> Report {
        check::check(&Check { always_judged: true, ..self.how(subject) }, read)
    }

    pub(super) fn how(&self, subject: &Subject) -> Check<'_> {
        Check {
            device: subject.device.clone(),
            timeout: self.args.endpoint.timeout(),
            uploaded: &self.uploaded,
            longest: self.longest,
            service: self.service.clone(),
            login: self.login.clone(),
            attempts: self.args.attempts,
            tenant: self.inquiry.as_ref(),
            ..Check::new(self.target.clone(), OffsetDateTime::now_utc())
        }
    }
}
