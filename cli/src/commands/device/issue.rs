//! `device issue`: keys, certificates and keystores for one device or very many.

use std::path::{Path, PathBuf};

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::crypto::KeyPolicy;
use c8y_pki_engine::list::{DeviceList, Devices};
use c8y_pki_engine::orders;
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::provision::bundle::Bundle;
use c8y_pki_engine::provision::{Existing, Keep};
use c8y_pki_engine::registry::OrderRecord;
use clap::Args;
use time::OffsetDateTime;

use super::hand_over::HandOver;
use super::kinds::Kinds;
use super::making::issue;
use super::options::{ExistingArgs, Form, OutputArgs};
use super::ordered::{Ordered, refuse_unlike};
use super::run::Run;
use crate::device_list::FromArgs;
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::values::SubjectArgs;

/// Arguments of `device issue`.
#[derive(Debug, Args)]
#[command(after_help = "\
Everything is checked before the first key is made. Devices that have a certificate already are
skipped, so after a power cut run the same command again: it makes the rest. Each device gets its
own directory with key.pem, cert.pem, chain.pem, keystore.p12, … as asked for. With --existing
replace the former directory is moved to DIR/.replaced. Devices of a list or of an order whose
certificate was revoked are left out and named, unless --issue-revoked asks for them, or their order
was made after that. If another run is making the same devices,
this one waits until it has ended, and makes the rest.

With --order the list, the CA and how devices are made come from the order. A device that is named
by its id keeps what its list or its order said of it (type, name, group, ICCID, …), and with
--existing replace the kinds of files, the subject and the type of key that it had; if it is in an
order, it is made as that says.
The same is kept of devices in a list (--from) if the list has no column for it.

Examples:
  c8y-pki device issue gw-0001 --ca line-7 --out out
  c8y-pki device issue --order acme-11 --out out
  c8y-pki device issue --order acme-11 --share --station line-7 --out out
  c8y-pki device issue --order acme-11 --out out --plan    what would be issued
  c8y-pki device issue gw-0003 --existing replace --out out
  c8y-pki device issue --from devices.csv --ca line-7 --out out --bundle pem,p12 \\
      --ca-password-file ca.pw --store-password-file store.pw
  c8y-pki device issue gw-0002 --ca line-7 --out out --key-type rsa-2048 --rsa-keys backend
  c8y-pki device issue --from devices.csv --ca line-7 --out out --exec 'flash-tool {key} {chain} {id}'

Exit codes: 0 done, or nothing to do; 1 a device was not handed over (--exec), some failed
(--keep-going), or all are revoked; 2 a device cannot be issued as asked, nothing was made;
3 the environment failed or the run was interrupted: run it again.")]
pub(crate) struct IssueArgs {
    /// Device identifiers: the common names of the certificates
    #[arg(required_unless_present_any = ["from", "order"], value_name = "ID")]
    ids: Vec<String>,
    /// CSV or .xlsx with a column `id`; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "ids")]
    from: Option<PathBuf>,
    #[command(flatten)]
    columns: FromArgs,
    /// All devices of an order, as it says how they are made
    #[arg(long, value_name = "NAME", conflicts_with_all = ["ids", "from"])]
    order: Option<String>,
    /// Make a part of the order, while other stations make other parts: start this command on each station. It takes the
    /// next part of the list, as long as there is one, and ends when the whole order is done. For a registry in a
    /// PostgreSQL database
    #[arg(long, requires = "order", conflicts_with_all = ["ids", "from", "key_pool"])]
    share: bool,
    /// The issuing CA; by default that of the order
    #[arg(long, value_name = "NAME")]
    ca: Option<String>,
    #[command(flatten)]
    subject: SubjectArgs,
    #[command(flatten)]
    existing: ExistingArgs,
    /// Run this program for each device of an order, as soon as its chunk (about a second of work) is issued: words as
    /// in a shell, but no shell is started. {id}, {dir}, {key}, {cert}, {chain}, {p12}, {jks}, {truststore-p12} and
    /// {truststore-jks} stand for what the device has. Exit code 0 marks the device as handed over in its order; the
    /// same command leaves it out the next time
    #[arg(long, value_name = "COMMAND")]
    exec: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// The devices of a run, and the order that they are in.
struct Wanted {
    devices: Devices,
    order: Option<OrderRecord>,
}

impl IssueArgs {
    fn hand_over(
        &self,
        text: &str,
        (output, kinds): (&OutputArgs, &[Bundle]),
        devices: &Devices,
        (pki, dir): (&Pki, &Path),
        out: Output,
    ) -> Result<HandOver> {
        if output.into != Form::Folders {
            return Err(Failure::usage(
                "--exec works on the directories of devices, but --into tar makes none",
                "leave --into out",
            ));
        }
        let files = (kinds, output.out.as_path());
        let reads_stdin = self.from.as_deref() != Some(Path::new("-"));
        let hand_over = output.open(dir, OffsetDateTime::now_utc(), out)?;
        let (shared, all) = ((self.share, reads_stdin), (pki.registry(), hand_over));
        HandOver::prepare(text, files, devices, all, shared, out)
    }

    /// Whether this run makes a part of its order.
    fn shared(&self, pki: &Pki, (output, existing): (&OutputArgs, Existing)) -> Result<bool> {
        if !self.share {
            return Ok(false);
        }
        if output.into != Form::Folders {
            return Err(Failure::usage(
                "--share makes directories of devices, but --into tar makes an archive",
                "leave --into out",
            ));
        }
        if existing != Existing::Skip {
            return Err(Failure::usage(
                "--share leaves devices alone that have a certificate already, but --existing asks for something else",
                "leave --existing out",
            ));
        }
        pki.registry().check_shared()?;
        Ok(true)
    }
}

pub(super) fn run(args: &IssueArgs, dir: &Path, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    let existing = args.existing.existing()?;
    // A list that cannot be read is told before all else.
    let list = args.from.as_deref().map(|path| args.columns.open(path, out)).transpose()?;
    let pki = args.output.open(dir, now, out)?;
    let replaces = matches!(existing, Existing::Replace { .. });
    let mut wanted = match list {
        Some(list) => Wanted { devices: list.into(), order: None },
        None => wanted(args, &pki, replaces)?,
    };
    if args.order.is_none() && (args.from.is_none() || replaces) {
        let registry = pki.registry();
        wanted.order = orders::shared_by(registry, wanted.devices.each_id())?;
        if wanted.order.is_none() {
            refuse_unlike(registry, &wanted.devices, &args.output)?;
        }
    }
    let ordered = Ordered::of(wanted.order.as_ref(), args.order.is_some())?;
    let ca = ordered.ca(args.ca.as_deref())?;
    let output = ordered.output(&args.output)?;
    let profile = output.profile()?;
    let subject = ordered.subject(&args.subject, &profile)?;
    let ca = pki.ca(&ca)?;
    let is_shared = args.shared(&pki, (&output, existing))?;
    output.refuse_faults(&wanted.devices, out)?;
    ordered.tell(out);
    let kinds = match existing {
        // An order says what its devices get.
        Existing::Replace { .. } if args.order.is_none() => {
            let of = (&wanted.devices, pki.registry());
            Kinds::kept_of(&args.output.bundle, &output.bundle, of, &output.out)?
        }
        _ => Kinds::of(&output.bundle),
    };
    let exec = args.exec.as_deref();
    let hand_over = exec
        .map(|text| args.hand_over(text, (&output, kinds.all()), &wanted.devices, (&pki, dir), out))
        .transpose()?;
    let keep = match replaces {
        true => output.keep(wanted.order.is_some(), !args.subject.is_given()),
        false => Keep::default(),
    };
    let (keys, devices) = (KeyPolicy::default(), wanted.devices);
    let order = wanted.order;
    let is_renewal = false;
    let revoked = args.existing.revoked(!args.ids.is_empty());
    let run = Run {
        is_renewal,
        ca,
        profile,
        subject,
        existing,
        revoked,
        left_out: Vec::new(),
        keep,
        keys,
        kinds,
        devices,
        order,
        is_shared,
    };
    let each_chunk = |ids: &[DeviceId]| hand_over.iter().for_each(|tool| tool.chunk(ids));
    let issued = issue(pki, run, &output, &each_chunk, now, out);
    match hand_over {
        Some(_) if args.output.plan => {
            out.note("The program of --exec was not run.");
            issued
        }
        Some(hand_over) => hand_over.finish(issued),
        None => issued,
    }
}

/// The devices that are named by an order or by their ids.
fn wanted(args: &IssueArgs, pki: &Pki, replaces: bool) -> Result<Wanted> {
    let registry = pki.registry();
    if let Some(name) = &args.order {
        let order = orders::named(registry, name)?;
        orders::check_open(&order)?;
        let list = match replaces {
            true => orders::list_again(registry, &order)?,
            false => orders::list_of(registry, &order)?,
        };
        return Ok(Wanted { devices: list.into(), order: Some(order) });
    }
    let mut list = DeviceList::from_ids(args.ids.iter().map(String::as_str));
    orders::keep_details(registry, &mut list)?;
    Ok(Wanted { devices: list.into(), order: None })
}
