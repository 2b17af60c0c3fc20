//! `device manifest`: the hand-over file of a batch, signed by its CA.

use c8y_pki_core::shown;
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_engine::files::{self, Access, Existing};
use c8y_pki_engine::manifest;
use c8y_pki_engine::orders;
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::registry::{Filter, Record, Registry, Role, Step};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use super::list::no_batch;
use crate::clock;
use crate::failure::{Failure, Outcome, Result};
use crate::hint;
use crate::outlet;
use crate::output::Output;
use crate::render::{count, printable};
use crate::secrets::unlock;
use crate::selection::SelectionArgs;

/// How many missing devices a sentence names.
const MOST_NAMED: usize = 5;

/// Arguments of `device manifest`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes manifest.csv and manifest.json with each device's id, serial number, fingerprint, public key
hash, validity and issuer, a detached signature beside each (.sig), and the CA's chain (chain.pem).
There is no secret in them. The first line of both says what was signed and by whom: in the CSV a
line above the header, in the JSON the member `mark`.

With --order it lists the live certificate of each device of the order, whichever run made it. If a
device of the order has none, it is named, nothing is written, and the exit code is 1; --partial
writes the others. The same holds without --order if the devices of the run are in an order that the
run is not all of.

Examples:
  c8y-pki device manifest --order acme-11 --out handover
  c8y-pki device manifest --out handover
  c8y-pki device manifest --batch 1795000000-0a1b2c3d4e5f --out handover --ca-password-file ca.pw
  c8y-pki cert verify --manifest handover/manifest.csv --trust root.pem handover/chain.pem
  openssl x509 -in handover/chain.pem -pubkey -noout > ca.pub
  openssl dgst -sha256 -verify ca.pub -signature handover/manifest.csv.sig handover/manifest.csv

Exit codes: 0 written; 1 some devices of the order are missing, nothing was written; 2 there is no such
run, order or device.")]
pub(crate) struct ManifestArgs {
    /// The run that issued the devices; by default the last one
    #[arg(long, value_name = "NAME", conflicts_with_all = ["from", "order"])]
    batch: Option<String>,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Write it even if devices of the list or of their order have no certificate, or are not in it
    #[arg(long)]
    partial: bool,
    /// Keep with their order that these devices were handed over
    #[arg(long)]
    handed_over: bool,
    /// The directory for the files
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// File with the password of the CA's key, or the PIN of its token
    /// [env: C8Y_PKI_CA_PASSWORD, C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE")]
    ca_password_file: Option<PathBuf>,
}

#[derive(Serialize)]
struct Made {
    /// The run; or what was asked for: the order, or `list`.
    batch: String,
    order: Option<String>,
    /// Devices of the order or the list that are not in it.
    missing: Vec<String>,
    ca: String,
    devices: usize,
    hash: Option<&'static str>,
    files: Vec<String>,
}

pub(super) fn run(args: &ManifestArgs, dir: &Path, out: Output) -> Result {
    outlet::check_folder(&args.out)?;
    let now = OffsetDateTime::now_utc();
    let mut pki = clock::open(dir, now)?;
    let What { batch, order, is_run, records, missing, issued } = what(args, &pki, out)?;
    let named = if is_run { format!("batch {batch}") } else { batch.clone() };
    let of_others = issued == missing.len();
    refuse_missing(
        (&named, order.is_some()),
        records.len(),
        (&missing, of_others),
        (args.partial, out),
    )?;
    let Some(first) = records.first() else {
        return Err(Failure::no(
            format!("no device of {batch} has a certificate"),
            format!("issue them first: `{}`", hint::with_pki("device issue --ca NAME --out DIR")),
        ));
    };
    refuse_several_cas(&batch, &records)?;
    let ca = pki.ca(&first.ca)?;
    pki.check_not_revoked(&ca)?;
    refuse_another(&args.out, &batch)?;
    let key = unlock(&ca, args.ca_password_file.as_ref())?;
    let made = manifest::make(&batch, &ca.name, &records, ca.certificate(), &key, now)?;
    files::create_private_dir(&args.out)?;
    let chain = ca.chain_pem();
    let csv = std::path::absolute(args.out.join("manifest.csv")).map_err(Failure::Input)?;
    // Before it is there: a registry from a backup is found out by what it does not know of.
    pki.registry_mut().note_handover((&batch, &ca.name), (&csv, &made.csv), now)?;
    let mut files = Vec::new();
    for (name, bytes) in [
        ("manifest.csv", made.csv.as_slice()),
        ("manifest.csv.sig", &made.csv_signature),
        ("manifest.json", &made.json),
        ("manifest.json.sig", &made.json_signature),
        ("chain.pem", chain.as_bytes()),
    ] {
        let path = args.out.join(name);
        files::write(&path, bytes, Access::Public, Existing::Replace)?;
        files.push(path.display().to_string());
    }
    if args.handed_over {
        let ids = records.iter().filter_map(|record| record.holder.device().cloned());
        let steps: Vec<_> = ids.map(|id| (id, Step::HandedOver)).collect();
        pki.registry().note_steps(&steps, now)?;
    }
    let (devices, hash) = (made.devices, made.hash);
    let made = Made { batch, order, missing, ca: ca.name, devices, hash, files };
    out.result(&made, |m| {
        let devices = count(m.devices, "device");
        format!("{devices} of {named}, signed by {}:\n  {}\n", m.ca, outlet::names(&m.files))
    })?;
    let how = match made.hash {
        Some(hash) => format!("openssl dgst -{hash} -verify PUBKEY -signature FILE.sig FILE"),
        None => "openssl pkeyutl -verify -rawin -pubin -inkey PUBKEY -sigfile FILE.sig -in FILE"
            .to_owned(),
    };
    out.note(&format!(
        "anybody can check them: `c8y-pki cert verify --manifest FILE --trust ROOT CHAIN`, or {how}"
    ));
    Ok(Outcome::Done)
}

/// Refuses a directory with the manifest of something else: that may be handed over, and would be gone.
fn refuse_another(dir: &Path, batch: &str) -> Result<()> {
    let path = dir.join("manifest.json");
    if !path.exists() {
        return Ok(());
    }
    let there: Option<serde_json::Value> = serde_json::from_slice(&files::read(&path)?).ok();
    let of = there.as_ref().and_then(|json| json["batch"].as_str());
    if of == Some(batch) {
        return Ok(());
    }
    let of = of.map_or_else(String::new, |of| format!(": that of {}", printable(of)));
    Err(Failure::usage(
        format!("{} has another manifest{of}", dir.display()),
        "name another directory with --out, or move its files away",
    ))
}

/// What a manifest is about.
struct What {
    /// The run, or what was asked for.
    batch: String,
    order: Option<String>,
    /// Whether it is a run.
    is_run: bool,
    records: Vec<Record>,
    /// Devices of the list or of an order that are not among them.
    missing: Vec<String>,
    /// How many of those have a live certificate, of another run.
    issued: usize,
}

fn what(args: &ManifestArgs, pki: &Pki, out: Output) -> Result<What> {
    let registry = pki.registry();
    if let Some(selected) = args.selection.read_open(registry, out)? {
        let batch = selected.named();
        let order = selected.order.map(|order| order.name);
        let mut what = What {
            batch,
            order,
            is_run: false,
            records: Vec::new(),
            missing: Vec::new(),
            issued: 0,
        };
        for device in selected.list.without_faults()?.devices {
            match registry.live_device(&device.id)? {
                Some(record) => what.records.push(record),
                None => what.missing.push(device.id.to_string()),
            }
        }
        return Ok(what);
    }
    let batch = match &args.batch {
        Some(batch) => batch.clone(),
        None => registry.last_batch()?.ok_or_else(|| {
            Failure::usage(
                "no device has been issued",
                format!("issue some: `{}`", hint::with_pki("device issue --ca NAME --out DIR")),
            )
        })?,
    };
    let filter = Filter { role: Some(Role::Device), batch: Some(&batch), ..Filter::default() };
    let records = registry.find(&filter)?;
    if records.is_empty() {
        return Err(no_batch(&batch));
    }
    let (missing, issued) = rest_of_orders(registry, &records)?;
    Ok(What { batch, order: None, is_run: true, records, missing, issued })
}

/// The devices of the orders that these are in and that are not among them; and how many of them are issued.
fn rest_of_orders(registry: &Registry, records: &[Record]) -> Result<(Vec<String>, usize)> {
    let ids = records.iter().filter_map(|record| record.holder.device());
    let (mut there, mut names) = (HashSet::new(), BTreeSet::new());
    for id in ids {
        there.insert(id.folded());
        names.extend(registry.open_order_of(id)?);
    }
    let mut rest = Vec::new();
    for name in names {
        let order = orders::named(registry, &name)?;
        let list = orders::list_of(registry, &order)?.devices.into_iter();
        rest.extend(list.map(|d| d.id).filter(|id| !there.contains(&id.folded())));
    }
    let mut issued = 0;
    for id in &rest {
        issued += usize::from(registry.live_device(id)?.is_some());
    }
    Ok((rest.iter().map(DeviceId::to_string).collect(), issued))
}

/// Says what is missing. That is an answer of no, unless a part is wanted.
fn refuse_missing(
    (batch, is_order): (&str, bool),
    there: usize,
    (missing, of_others): (&[String], bool),
    (partial, out): (bool, Output),
) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let mut named = missing[..missing.len().min(MOST_NAMED)].join(", ");
    if missing.len() > MOST_NAMED {
        named.push_str(", …");
    }
    let total = there + missing.len();
    let (count, are) = (missing.len(), if missing.len() == 1 { "is" } else { "are" });
    let devices = shown::count(total, "device");
    let sentence = format!("{batch} has {there} of {devices}; {count} {are} missing: {named}");
    if partial {
        out.warning(&sentence);
        return Ok(());
    }
    let hint = match is_order {
        true => format!(
            "issue the others first (if one was revoked, by its id: `{}`), or give --partial for a manifest of a part",
            hint::with_pki("device issue ID --existing replace --out DIR")
        ),
        false if of_others => {
            "the others were issued by other runs: for a manifest of the whole order give --order NAME, of this run alone \
             --partial"
                .to_owned()
        }
        false => {
            "issue the others first; for a manifest of the whole order give --order NAME, for a part of it --partial"
                .to_owned()
        }
    };
    Err(Failure::no(format!("{sentence}. Nothing was written"), hint))
}

/// A manifest is signed by the CA that issued all of its devices.
fn refuse_several_cas(batch: &str, records: &[Record]) -> Result<()> {
    let cas: BTreeSet<&str> = records.iter().map(|record| record.ca.as_str()).collect();
    if cas.len() < 2 {
        return Ok(());
    }
    let cas: Vec<&str> = cas.into_iter().collect();
    Err(Failure::usage(
        format!("the devices of {batch} were issued by several CAs: {}", cas.join(", ")),
        "a manifest is signed by one CA: make one for each with --from, of its devices",
    ))
}
