//! `registration create`: the CSV is made.

use c8y_pki_core::failure::Task;
use c8y_pki_core::shown;
use std::collections::{BTreeMap, HashSet};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use c8y_pki_engine::files::{self, Access, Existing};
use c8y_pki_engine::list::new_ids::{self, Remarks};
use c8y_pki_engine::list::{BadRows, Device, ListError, ListFile};
use c8y_pki_engine::orders::{self, Progress};
use c8y_pki_engine::registration::{self, Settings, Sheet, Survey};
use c8y_pki_engine::registry::{
    Filter, Holder, OrderRecord, OrderState, Ordered, Registry, Role, Snapshot, Status,
};
use c8y_pki_engine::rollout::spec::parse_separator;
use clap::Args;
use serde::Serialize;

use super::single;
use crate::clock;
use crate::device_list::FromArgs;
use crate::failure::{Failure, Outcome, Result};
use crate::hint;
use crate::old_ids;
use crate::outlet;
use crate::output::{Output, is_stdout};
use crate::render::{self, as_line};
use crate::values;

/// Arguments of `registration create`.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// A device list in place of the registry; - for standard input. The list alone counts: what the registry or an order
    /// has of these devices (names, types and the like) is not read
    #[arg(long, value_name = "FILE", conflicts_with = "ca")]
    from: Option<PathBuf>,
    #[command(flatten)]
    columns: FromArgs,
    /// The devices of an order, with what its list says of them; those that were revoked are left out
    #[arg(long, value_name = "NAME", conflicts_with_all = ["from", "ca"])]
    order: Option<String>,
    /// Only devices of this CA
    #[arg(long, value_name = "NAME")]
    ca: Option<String>,
    /// Write it here; - for standard output, as by default
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// ; or , or tab; by default the first of these that no value contains
    #[arg(long, value_name = "CHAR", value_parser = separator)]
    separator: Option<char>,
    /// TYPE of devices whose row has none
    #[arg(long = "type", value_name = "TYPE")]
    device_type: Option<String>,
    /// NAME of devices whose row has none; {id} is the device's id
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Another column for all devices whose row has none; may be repeated
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = column)]
    set: Vec<(String, String)>,
    /// Leave out the column that lets devices receive operations
    #[arg(long)]
    no_agent: bool,
    /// For devices that enrol at the platform's own CA: give each a random one-time password, except those whose
    /// row has one. Then the CSV is a secret: give --out with a new file, which gets mode 0600, or - if standard
    /// output is not a terminal
    #[arg(long, requires = "out", conflicts_with = "ca")]
    one_time_passwords: bool,
}

fn separator(text: &str) -> std::result::Result<char, String> {
    parse_separator(text).ok_or_else(|| "give ; or , or tab".to_owned())
}

fn column(text: &str) -> std::result::Result<(String, String), String> {
    text.split_once('=')
        .filter(|(column, _)| !column.is_empty())
        .map(|(column, value)| (column.to_owned(), value.to_owned()))
        .ok_or_else(|| "write it as COLUMN=VALUE".to_owned())
}

#[derive(Serialize)]
struct Made {
    devices: usize,
    /// Devices of the order that were revoked.
    left_out: usize,
    file: String,
}

/// Where the devices of a CSV come from; each time they are the same.
enum Devices<'a> {
    List(ListFile),
    Registry {
        registry: &'a Registry,
        ca: Option<&'a str>,
        _moment: Snapshot<'a>,
    },
    Order {
        registry: &'a Registry,
        order: OrderRecord,
        revoked: HashSet<String>,
        _moment: Snapshot<'a>,
    },
}

impl Devices<'_> {
    /// Visits all of them, without holding them all.
    fn each(&self, mut visit: impl FnMut(&Device) -> Result<()>) -> Result<()> {
        match self {
            Self::List(list) => list.each(|device| visit(&device)),
            Self::Order { registry, order, revoked, .. } => {
                registry.each_order_device(order, |device| {
                    if revoked.contains(device.ordered.id.as_str()) {
                        return Ok(());
                    }
                    let later = device.said_later().cloned();
                    let Ordered { id, line, details } = device.ordered;
                    let details = registration::said_last(details, later.as_ref());
                    visit(&Device { line, details, ..Device::from(id) })
                })
            }
            Self::Registry { registry, ca, .. } => {
                let filter = Filter {
                    ca: *ca,
                    role: Some(Role::Device),
                    status: Some(Status::Live),
                    ..Filter::default()
                };
                registry.each(&filter, |record| {
                    let Holder::Device(id) = record.holder else { return Ok(()) };
                    visit(&Device { details: record.details, ..Device::from(id) })
                })
            }
        }
    }
}

pub(super) fn create(args: &CreateArgs, dir: &Path, out: Output) -> Result {
    let mut defaults: BTreeMap<String, String> = args.set.iter().cloned().collect();
    defaults.extend(args.device_type.clone().map(|v| ("TYPE".to_owned(), v)));
    defaults.extend(args.name.clone().map(|v| ("NAME".to_owned(), v)));
    let settings = Settings {
        separator: args.separator,
        defaults,
        no_agent: args.no_agent,
        one_time_passwords: args.one_time_passwords,
    };
    if args.one_time_passwords && args.from.is_none() && args.order.is_none() {
        return Err(Failure::usage(
            "--one-time-passwords is for devices of a list or of an order",
            "give --from FILE or --order NAME",
        ));
    }
    if let Some(path) = &args.from {
        outlet::check_not_read(args.out.as_deref(), "--from", path)?;
        let list = args.columns.open(path, out)?;
        if dir.join("pki.toml").exists() {
            out.note(
                "The list alone counts: names, types and the like that the registry or an order has of these devices \
                 were not read.",
            );
        }
        let faults = list.faults();
        if faults.count > 0 {
            let (faults, total) = (faults.clone(), list.devices() + faults.count);
            return Err(ListError::Rows { faults, total }.into());
        }
        let mut faults = BadRows::default();
        list.each(|device| {
            new_ids::fault(&device).into_iter().for_each(|fault| faults.add(fault));
            Ok::<_, ListError>(())
        })?;
        single::refuse_old_ids(faults, list.devices())?;
        return write(&Devices::List(list), &settings, args, out);
    }
    let pki = clock::open_to_read(dir, out)?;
    if let Some(name) = &args.ca {
        pki.ca(name)?;
    }
    let registry = pki.registry();
    if let Some(name) = &args.order {
        let order = orders::named(registry, name)?;
        let _moment = registry.snapshot()?;
        let revoked = revoked(registry, &order, out)?;
        let devices = Devices::Order { registry, order, revoked, _moment };
        return write(&devices, &settings, args, out);
    }
    let devices =
        Devices::Registry { registry, ca: args.ca.as_deref(), _moment: registry.snapshot()? };
    write(&devices, &settings, args, out)
}

/// The devices of an order whose certificates were revoked: they are not to be let in. Says how many they are, and how
/// many have no certificate yet: those are registered all the same.
fn revoked(registry: &Registry, order: &OrderRecord, out: Output) -> Result<HashSet<String>> {
    orders::check_open(order)?;
    let (mut progress, mut revoked) = (Progress::default(), HashSet::new());
    registry.each_order_device(order, |device| -> Result<()> {
        progress.add(&device);
        if device.state == OrderState::Revoked {
            revoked.insert(device.ordered.id.to_string());
        }
        Ok(())
    })?;
    let of = |part| shown::part(part, progress.devices, "device", ("has", "have"));
    let missing = progress.open + progress.failed;
    if missing > 0 {
        let (it, stands) = if missing == 1 { ("it", "stands") } else { ("they", "stand") };
        out.warning(&format!(
            "{} no certificate, and {it} {stands} in the CSV all the same; see which: {}",
            of(missing),
            hint::run(&Task::ShowOrder { name: order.name.clone() })
        ));
    }
    if progress.revoked > 0 {
        let (it, is) = if progress.revoked == 1 { ("it", "is") } else { ("they", "are") };
        out.warning(&format!(
            "{} been revoked, and {it} {is} not in the CSV; `{}` makes a new certificate",
            of(progress.revoked),
            hint::with_pki("device issue ID --existing replace --out DIR")
        ));
    }
    Ok(revoked)
}

/// Looks at all devices, and writes the CSV if all of them fit into it.
fn write(devices: &Devices<'_>, settings: &Settings, args: &CreateArgs, out: Output) -> Result {
    let mut survey = Survey::new(settings);
    let mut old = Remarks::default();
    devices.each(|device| {
        old.look_at(&device.id);
        Ok(survey.add(device)?)
    })?;
    old_ids::warn(&old, out);
    let count = survey.devices();
    if count == 0 {
        return Err(Failure::usage(
            "the registry has no devices",
            format!(
                "issue some: `{}`; or give a list with --from",
                hint::with_pki("device issue --ca NAME --out DIR")
            ),
        ));
    }
    let is_secret = args.one_time_passwords || survey.has_one_time_passwords();
    let sheet = survey.sheet()?;
    if is_secret && args.out.is_none() {
        return Err(Failure::usage(
            "the CSV has one-time passwords, so it is a secret, and needs a file",
            "give --out FILE, which is made with mode 0600; or --out - if that is no terminal",
        ));
    }
    let Some(path) = &args.out else {
        write_to_stdout(devices, &sheet)?;
        return Ok(Outcome::Done);
    };
    if is_stdout(path) {
        if is_secret {
            outlet::check_secret(path)?;
        }
        write_to_stdout(devices, &sheet)?;
    } else {
        let (access, existing) = match is_secret {
            // Written again it would take the passwords away that devices may have been given.
            true => (Access::Private, Existing::Refuse),
            false => (Access::Public, Existing::Replace),
        };
        files::write_with(path, access, existing, |file| -> Result<()> {
            write_to(devices, &sheet, BufWriter::new(file)).map_err(|e| values::at_file(e, path))
        })?;
    }
    let out = out.beside(Some(path));
    let left_out = match devices {
        Devices::Order { revoked, .. } => revoked.len(),
        Devices::List(_) | Devices::Registry { .. } => 0,
    };
    let made = Made { devices: count, left_out, file: path.display().to_string() };
    out.result(&made, |m| {
        let devices = render::count(m.devices, "device");
        as_line(&format!("{devices}: {}", outlet::name(path)))
    })?;
    Ok(Outcome::Done)
}

fn write_to_stdout(devices: &Devices<'_>, sheet: &Sheet<'_>) -> Result<()> {
    match write_to(devices, sheet, BufWriter::new(std::io::stdout().lock())) {
        // A reader that has seen enough.
        Err(Failure::Output(e)) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn write_to(devices: &Devices<'_>, sheet: &Sheet<'_>, mut to: impl Write) -> Result<()> {
    to.write_all(sheet.header().as_bytes()).map_err(Failure::Output)?;
    devices.each(|device| to.write_all(sheet.row(device)?.as_bytes()).map_err(Failure::Output))?;
    to.flush().map_err(Failure::Output)
}
