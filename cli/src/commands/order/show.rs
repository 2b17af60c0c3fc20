//! `order show`: how far an order is, and which devices are missing.

use c8y_pki_core::shown;
use std::collections::BTreeMap;
use std::path::Path;

use c8y_pki_engine::list::Counted;
use c8y_pki_engine::orders::{self, OrderOptions};
use c8y_pki_engine::registry::{
    OpenShare, OrderRecord, OrderState, OrderedDevice, Registry, RegistryError,
};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use super::view::View;
use crate::clock;
use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render::{count, date, day, printable, table};

/// How many missing devices are named as text.
const MOST_NAMED: usize = 20;

/// Arguments of `order show`.
#[derive(Debug, Args)]
#[command(after_help = "\
A device is issued if it has a live certificate, also one from a run without --order. It counts as
reworked if it got more than one since the order was made. Connected and handed over are about the
certificate that it has now: after rework both begin again. Connected means that a check has seen it
connect once; a later check that fails does not change that.

Examples:
  c8y-pki order show acme-11
  c8y-pki order show acme-11 --devices --json

Exit codes: 0 shown; with --complete 1 if a device has no certificate; 2 there is no such order.")]
pub(crate) struct ShowArgs {
    /// The order
    name: String,
    /// A line for each device
    #[arg(long)]
    devices: bool,
    /// Exit with 1 unless every device of the order has a live certificate
    #[arg(long)]
    complete: bool,
}

/// A run that issued devices of an order.
#[derive(Serialize)]
struct Run {
    batch: String,
    certificates: u64,
}

/// A device that is not issued.
#[derive(Serialize)]
struct Missing {
    id: String,
    line: Option<u64>,
    state: OrderState,
    reason: Option<String>,
}

/// How many of the live certificates a CA has issued.
#[derive(Serialize)]
struct Issuer {
    ca: String,
    devices: u64,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    view: View,
    state: &'static str,
    issuers: Vec<Issuer>,
    runs: Vec<Run>,
    /// What stations have taken with `device issue --share` and not done yet.
    shares: Vec<OpenShare>,
    missing: Vec<Missing>,
}

/// A device of an order, with all that is known of it.
#[derive(Serialize)]
struct Device {
    id: String,
    line: Option<u64>,
    state: OrderState,
    reworked: bool,
    serial: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    not_after: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    connected: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    handed_over: Option<OffsetDateTime>,
    reason: Option<String>,
}

impl Device {
    fn of(device: OrderedDevice) -> Self {
        let reason = failure_of(&device);
        Self {
            reworked: device.is_reworked(),
            id: device.ordered.id.to_string(),
            line: device.ordered.line,
            state: device.state,
            serial: device.live.as_ref().map(|live| live.serial.to_string()),
            not_after: device.live.as_ref().map(|live| live.not_after),
            connected: device.connected,
            handed_over: device.handed_over,
            reason,
        }
    }

    fn cells(&self) -> Vec<String> {
        let day_or = |at: Option<OffsetDateTime>| at.map_or_else(String::new, day);
        vec![
            self.id.clone(),
            if self.reworked { "reworked" } else { word(self.state) }.to_owned(),
            self.serial.clone().unwrap_or_default(),
            day_or(self.not_after),
            day_or(self.connected),
            day_or(self.handed_over),
        ]
    }
}

/// A state as text has it; in JSON it has another name.
fn word(state: OrderState) -> &'static str {
    match state {
        OrderState::Open => "not begun",
        state => state.name(),
    }
}

/// How the devices are made, each with what it is called. Without the file of a profile, only what the order says.
fn made(options: &OrderOptions) -> Vec<(&'static str, String)> {
    let profile = options.profile_of_all().ok();
    let key = profile.as_ref().map(|profile| profile.key.name().to_owned());
    let days = options.days.or(profile.as_ref().map(|profile| profile.validity_days));
    let kinds: Vec<&str> = options.bundle.iter().map(|kind| kind.name()).collect();
    let bundle = if kinds.is_empty() { "pem".to_owned() } else { kinds.join(", ") };
    [
        ("profile", Some(options.profile.clone().unwrap_or_else(|| "device".to_owned()))),
        ("key type", key.or_else(|| options.key_type.clone())),
        ("days", days.map(|days| days.to_string())),
        ("subject", options.subject.clone()),
        ("bundle", Some(bundle)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

/// Why a device failed, as long as it counts.
fn failure_of(device: &OrderedDevice) -> Option<String> {
    let failed = device.failed.as_ref().filter(|_| device.state == OrderState::Failed);
    failed.map(|(_, reason)| reason.clone())
}

pub(super) fn run(args: &ShowArgs, dir: &Path, out: Output) -> Result {
    let pki = clock::open_to_read(dir, out)?;
    let registry = pki.registry();
    let order = orders::named(registry, &args.name)?;
    if let Ok(ca) = pki.ca(&order.ca)
        && let Err(e) = pki.check_not_revoked(&ca)
    {
        out.warning(&format!("the CA {} of this order is not to be used: {e}", order.ca));
    }
    let shown = look(registry, &order)?;
    let is_whole = shown.view.progress.is_whole();
    if args.devices {
        show_devices(registry, &order, out)?;
    } else {
        out.result(&shown, text)?;
    }
    Ok(Outcome::of(!args.complete || is_whole))
}

fn look(registry: &Registry, order: &OrderRecord) -> Result<Shown> {
    let (mut missing, mut issuers) = (Vec::new(), BTreeMap::new());
    let progress = {
        let mut progress = orders::Progress::default();
        let _moment = registry.snapshot()?;
        registry.each_order_device(order, |device| -> std::result::Result<(), RegistryError> {
            progress.add(&device);
            if let Some(live) = &device.live {
                *issuers.entry(live.ca.clone()).or_default() += 1;
            }
            if device.state != OrderState::Issued {
                let reason = failure_of(&device);
                let (id, line) = (device.ordered.id.to_string(), device.ordered.line);
                missing.push(Missing { id, line, state: device.state, reason });
            }
            Ok(())
        })?;
        progress
    };
    let runs = registry.order_runs(order)?;
    let runs = runs.into_iter().map(|(batch, certificates)| Run { batch, certificates }).collect();
    let view = View::of(order, OrderOptions::of(order)?, progress);
    let issuers = issuers.into_iter().map(|(ca, devices)| Issuer { ca, devices }).collect();
    let shares = registry.open_shares(order)?;
    Ok(Shown { state: view.state(), view, issuers, runs, shares, missing })
}

fn show_devices(registry: &Registry, order: &OrderRecord, out: Output) -> Result<()> {
    let mut all = Vec::new();
    registry.each_order_device(order, |device| -> std::result::Result<(), RegistryError> {
        all.push(Device::of(device));
        Ok(())
    })?;
    out.results(&all, |all| {
        let header = ["ID", "STATE", "SERIAL", "VALID UNTIL", "CONNECTED", "HANDED OVER"];
        table(&header, all.iter().map(Device::cells).collect())
    })
}

fn text(shown: &Shown) -> String {
    let (view, p) = (&shown.view, &shown.view.progress);
    let customer = view.customer.as_ref().map_or_else(String::new, |who| format!(" for {who}"));
    let mut lines = vec![
        format!("Order {}{customer}: {}", view.name, shown.state),
        format!(
            "  list         {}, {}, kept on {}",
            view.list,
            shown::count(p.devices, "device"),
            date(view.created)
        ),
        format!("  CA           {}", view.ca),
    ];
    lines.extend(made(&view.options).iter().map(|(name, value)| format!("  {name:<12} {value}")));
    if let Some(at) = view.taken_back {
        lines.push(format!("  taken back   {}", date(at)));
    }
    let mut told = |name: &str, number: u64, more: String| {
        lines.push(format!("  {name:<12} {number} of {}{more}", p.devices));
    };
    let before = match p.before {
        0 => String::new(),
        before => format!(", {before} of them before this order was made"),
    };
    told("issued", p.issued, before);
    // Issued before the order was made, or by a run without --order.
    if shown.issuers.iter().any(|issuer| issuer.ca != view.ca) {
        for Issuer { ca, devices } in &shown.issuers {
            told("issued by", *devices, format!(": {ca}"));
        }
    }
    told("reworked", p.reworked, String::new());
    let once = if p.connected > 0 {
        ", at least once; `device check` says whether they do now"
    } else {
        ""
    };
    told("connected", p.connected, once.to_owned());
    told("handed over", p.handed_over, String::new());
    told("failed", p.failed, String::new());
    told("revoked", p.revoked, String::new());
    told("not begun", p.open, String::new());
    let certificates =
        |number: u64| count(usize::try_from(number).unwrap_or(usize::MAX), "certificate");
    for run in &shown.runs {
        lines.push(format!("  run          {}: {}", run.batch, certificates(run.certificates)));
    }
    for share in &shown.shares {
        let devices = count(usize::try_from(share.devices).unwrap_or(usize::MAX), "device");
        let lapsed = match share.lapsed {
            true => ", but does not answer: another station may make them",
            false => "",
        };
        lines.push(format!("  in work      {} has {devices}{lapsed}", share.station));
    }
    let counted = Counted::of_name(&view.list);
    for missing in shown.missing.iter().take(MOST_NAMED) {
        let line = missing.line.map_or_else(String::new, |line| format!(" ({counted} {line})"));
        let why = missing.reason.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        lines.push(format!("  missing      {}{line}, {}{why}", missing.id, word(missing.state)));
    }
    if shown.missing.len() > MOST_NAMED {
        let more = shown.missing.len() - MOST_NAMED;
        lines.push(format!("  missing      and {more} more: --json names all of them"));
    }
    lines.iter().map(|line| format!("{}\n", printable(line))).collect()
}
