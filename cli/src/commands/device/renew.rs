//! `device renew`: a new certificate in place of a live one.

use std::path::{Path, PathBuf};

use c8y_pki_core::csr::Request;
use c8y_pki_core::name::Name;
use c8y_pki_core::read;
use c8y_pki_engine::Error;
use c8y_pki_engine::files;
use c8y_pki_engine::list::{BadRow, DeviceList, Devices};
use c8y_pki_engine::orders;
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::provision::renew::{self, LiveOf, RenewedKey};
use c8y_pki_engine::provision::{Existing, ProvisionError, RevokedDevices};
use c8y_pki_engine::registry::{Filter, Record, Role, Status};
use clap::Args;
use time::OffsetDateTime;

use super::kinds::{Kinds, check_without_key};
use super::left_out::LeftOut;
use super::making::issue;
use super::options::{KeyPolicyArgs, OutputArgs};
use super::ordered::{Ordered, refuse_unlike};
use super::run::Run;
use crate::failure::{Failure, Outcome, Result};
use crate::output::Output;
use crate::selection::SelectionArgs;
use crate::values;

/// Arguments of `device renew`.
#[derive(Debug, Args)]
#[command(after_help = "\
A device keeps its id, its subject, the type of its key and its details in the registry, and gets the
kinds of files that it had, unless options say otherwise. If all devices are in one order, they are
made as that says.
The former certificate becomes superseded, and the former directory is moved to DIR/.replaced, if it
is in DIR. Devices of a list or of an order whose certificate was revoked are left out and named.
After an interruption run the same command again: it finishes the run and renews nothing twice.

Examples:
  c8y-pki device renew gw-0001 --out out
  c8y-pki device renew --expiring 30d --ca line-7 --out out --reuse-key
  c8y-pki device renew --expiring 30d --ca line-7 --out out --plan
  c8y-pki device renew --order acme-11 --out out --store-password-file store.pw
  c8y-pki device renew gw-0002 --csr gw-0002.csr --out out --revoke

Exit codes: 0 done, or nothing to do; 1 some devices failed (--keep-going), or all are revoked; 2 a device cannot be renewed as asked, nothing was made;
3 the environment failed or the run was interrupted: run it again.")]
pub(crate) struct RenewArgs {
    /// Device identifiers
    #[arg(required_unless_present_any = ["from", "order", "expiring"], value_name = "ID", conflicts_with_all = ["from", "order"])]
    ids: Vec<String>,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Devices whose certificates end within this time, e.g. 30d or 8w: all of them, or those of --order or --from
    #[arg(long, value_name = "TIME", value_parser = values::duration, conflicts_with = "ids")]
    expiring: Option<time::Duration>,
    /// The issuing CA; by default the one that issued the former certificates
    #[arg(long, value_name = "NAME")]
    ca: Option<String>,
    /// Keep the key in key.pem of each device's directory; its password comes from --key-password-file
    #[arg(long, conflicts_with_all = ["csr", "key_type", "rsa_keys"])]
    reuse_key: bool,
    /// Keep the key in this file, which must be the device's; its password comes from
    /// --key-password-file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["reuse_key", "csr", "from", "order", "expiring", "key_type", "rsa_keys"])]
    key: Option<PathBuf>,
    /// Keep the key of this request, which must be the device's
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "order", "expiring", "key_type", "rsa_keys"])]
    csr: Option<PathBuf>,
    /// Revoke the former certificates, with the reason superseded
    #[arg(long)]
    revoke: bool,
    #[command(flatten)]
    keys: KeyPolicyArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &RenewArgs, dir: &Path, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    let mut pki = args.output.open(dir, now, out)?;
    let Wanted { records, faults, left_out } = wanted(args, &pki, now, out)?;
    let request = args.csr.as_deref().map(request).transpose()?;
    let reads_keys = args.reuse_key || args.key.is_some();
    let password = if reads_keys { args.output.key_source().given()? } else { None };
    let keys = args.keys.policy();
    let key = match (&request, &args.key) {
        (Some(request), _) => RenewedKey::Request(request.check_to_certify(keys)?),
        (None, Some(path)) => RenewedKey::File(path, password.as_ref()),
        (None, None) if args.reuse_key => RenewedKey::Same(password.as_ref()),
        (None, None) => RenewedKey::New,
    };
    if let (Some(_), Some(record)) = (&request, records.first()) {
        check_without_key(&args.output.bundle, &record.whose())?;
    }
    let ca = issuer(args, &records)?;
    let kinds = Kinds::kept(&args.output.bundle, &records, &args.output.out);
    if args.reuse_key && !args.output.plan {
        renew::recover(pki.registry(), &args.output.out)?;
    }
    let mut list = renew::list(pki.registry(), records, key, keys, &args.output.out)?;
    list.faults.splice(0..0, faults);
    orders::keep_details(pki.registry(), &mut list)?;
    let devices = Devices::from(list);
    let order = orders::shared_by(pki.registry(), devices.each_id())?;
    if order.is_none() {
        refuse_unlike(pki.registry(), &devices, &args.output)?;
    }
    let ordered = Ordered::of(order.as_ref(), false)?;
    let output = ordered.output(&args.output)?;
    let profile = output.profile()?;
    args.output.refuse_faults(&devices, out)?;
    let Some(ca) = ca else {
        let faults = devices.faults();
        if faults.count > 0 {
            let total = devices.len() + faults.count;
            return Err(ProvisionError::Faults { faults: faults.into_owned(), total }.into());
        }
        if !args.output.plan {
            args.output.settle(&mut pki, out)?;
        }
        let (number, ids) = (left_out.len(), left_out.as_slice());
        if let Some(refused) = (LeftOut { number, ids, replaces: false }).refusal(0) {
            return Err(refused);
        }
        out.note("Nothing to renew.");
        return Ok(Outcome::Done);
    };
    ordered.tell(out);
    let ca = pki.ca(&ca)?;
    let subject = Name::builder();
    let existing = Existing::Replace { revoke: args.revoke };
    // The subject is that of the former certificate.
    let keep = output.keep(order.is_some(), false);
    let (is_shared, is_renewal) = (false, true);
    let run = Run {
        is_renewal,
        ca,
        profile,
        subject,
        existing,
        // None of them is among the live ones.
        revoked: RevokedDevices::LeaveOut,
        left_out,
        keep,
        keys,
        kinds,
        devices,
        order,
        is_shared,
    };
    issue(pki, run, &output, &|_| {}, now, out)
}

/// What is to be renewed.
#[derive(Default)]
struct Wanted {
    records: Vec<Record>,
    /// Devices that have no live certificate.
    faults: Vec<BadRow>,
    /// Devices of a list or an order that were revoked.
    left_out: Vec<String>,
}

/// The certificates that are to be renewed, and devices that have none.
fn wanted(args: &RenewArgs, pki: &Pki, now: OffsetDateTime, out: Output) -> Result<Wanted> {
    let soon = args.expiring.map(|time| now + time);
    if let (Some(soon), false) = (soon, args.selection.is_given()) {
        if let Some(name) = &args.ca {
            pki.ca(name)?;
        }
        let filter = Filter {
            ca: args.ca.as_deref(),
            role: Some(Role::Device),
            status: Some(Status::Live),
            expires_before: Some(soon),
            ..Filter::default()
        };
        return Ok(Wanted { records: pki.registry().find(&filter)?, ..Wanted::default() });
    }
    let ids = match args.selection.read_open(pki.registry(), out)? {
        Some(selected) => selected.list,
        None => DeviceList::from_ids(args.ids.iter().map(String::as_str)),
    };
    if (args.csr.is_some() || args.key.is_some()) && ids.devices.len() > 1 {
        return Err(Failure::usage(
            "--csr and --key are for one device, but several are named",
            "renew them one by one",
        ));
    }
    let LiveOf { mut records, revoked, mut faults } = renew::live_of(pki.registry(), ids)?;
    if let Some(soon) = soon {
        records.retain(|record| record.not_after < soon);
        // What has no certificate ends at no time.
        return Ok(Wanted { records, ..Wanted::default() });
    }
    if args.selection.is_given() {
        let left_out = revoked.into_iter().map(|row| row.id).collect();
        return Ok(Wanted { records, faults, left_out });
    }
    // Who names one by its id means it.
    faults.extend(revoked);
    Ok(Wanted { records, faults, left_out: Vec::new() })
}

fn request(path: &Path) -> Result<Request> {
    let file = path.display().to_string();
    let mut all = read::requests(&files::read_small(path)?)
        .map_err(|e| Error::from(e).in_file(file.clone()))?;
    if all.len() != 1 {
        return Err(Failure::usage(
            format!("{} holds {} requests", path.display(), all.len()),
            "give the file of one",
        ));
    }
    Ok(all.remove(0).map_err(|e| Error::from(e).in_file(file))?)
}

/// The CA that renews: as asked, or the one that issued all of them. None if there are none.
fn issuer(args: &RenewArgs, records: &[Record]) -> Result<Option<String>> {
    let mut names: Vec<&str> = records.iter().map(|r| r.ca.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    match (&args.ca, names.as_slice()) {
        (_, []) => Ok(None),
        (Some(name), _) => Ok(Some(name.clone())),
        (None, [name]) => Ok(Some((*name).to_owned())),
        (None, names) => Err(Failure::usage(
            format!("these devices were issued by several CAs: {}", names.join(", ")),
            "name the CA that renews them: --ca NAME",
        )),
    }
}
