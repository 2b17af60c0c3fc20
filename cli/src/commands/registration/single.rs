//! `registration add`, `list` and `withdraw`: devices one by one, for the platform's own CA.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_engine::files::{self, Access, Existing};
use c8y_pki_engine::list::{BadRows, ListError, new_ids};
use c8y_pki_engine::platform::PlatformError;
use c8y_pki_engine::platform::blocking::Client;
use c8y_pki_engine::platform::newcomers::{self, Added, NewDevice, Newcomer};
use c8y_pki_engine::registration::{self, OneTimePassword};
use clap::Args;
use serde::Serialize;

use crate::confirm::confirm;
use crate::device_list::FromArgs;
use crate::failure::{Failure, Outcome, Result};
use crate::outlet;
use crate::output::Output;
use crate::render::{as_line, count, table};
use crate::secrets::known;
use crate::tenant::{TenantArgs, show_requests};

/// Arguments of `registration add`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each device gets a one-time password: that of its row (column ENROLLMENT_OTP or otp) if the list
has one, that of --otp-file for a single device, and in all other cases a random one. Random ones
are written to --otp-out, a file with mode 0600, before anything is sent. If you run the same
command again, it reads them from this file and registers what is missing.

If a device has an open request, the request is not changed. For devices of an uploaded CA use
`registration create` and `registration upload` instead.

Examples:
  c8y-pki registration add gw-0001 gw-0002 --otp-out passwords.csv
  c8y-pki registration add --from chosen-by-devices.csv
  c8y-pki registration add gw-0001 --otp-file gw-0001.otp --type c8y_Gateway

Exit codes: 0 all are registered, or were before; 1 the platform refuses some; 2 wrong use, a wrong list,
wrong credentials or rights; 3 not reached: run it again.")]
pub(crate) struct AddArgs {
    /// Ids of devices
    ids: Vec<String>,
    /// A device list; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "ids")]
    from: Option<PathBuf>,
    #[command(flatten)]
    columns: FromArgs,
    /// File whose first line is the one-time password of the one device that is named
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    otp_file: Option<PathBuf>,
    /// Where the one-time passwords go that are made here (id, one_time_password)
    #[arg(long, value_name = "FILE", conflicts_with = "otp_file")]
    otp_out: Option<PathBuf>,
    /// TYPE of devices whose row has none
    #[arg(long = "type", value_name = "TYPE")]
    device_type: Option<String>,
    /// Print the requests without the one-time passwords, send nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    tenant: TenantArgs,
}

/// Arguments of `registration list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  c8y-pki registration list
  c8y-pki registration list --open --json | jq -r .id

Exit codes: 0 done; 2 wrong credentials or rights; 3 not reached.")]
pub(crate) struct ListArgs {
    /// Only requests with which a device can still enrol: without those that are blocked
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    tenant: TenantArgs,
}

/// Arguments of `registration withdraw`.
#[derive(Debug, Args)]
#[command(after_help = "\
After that the one-time password cannot be used. A device that has enrolled is not affected,
because it has no request any more. You need another role than for registering:
ROLE_USER_MANAGEMENT_ADMIN.

Examples:
  c8y-pki registration withdraw gw-0001
  c8y-pki registration withdraw gw-0001 gw-0002 --yes

Exit codes: 0 there is no request any more, also when there was none; 1 you said no; 2 wrong credentials
or rights; 3 not reached.")]
pub(crate) struct WithdrawArgs {
    /// Ids of devices
    #[arg(required = true)]
    ids: Vec<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print the requests, send nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    tenant: TenantArgs,
}

/// A device, and what was done with it.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Row<'_> {
    fn text(&self) -> String {
        let reason = self.reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
        as_line(&format!("{}: {}{reason}", self.id, self.action))
    }
}

pub(super) fn add(args: &AddArgs, out: Output) -> Result {
    if let Some(path) = &args.otp_out {
        outlet::check_file(path, "--otp-out", "the next run takes from it what was made")?;
        files::check_replaceable(path)?;
    }
    let wanted = wanted(args, out)?;
    let devices = with_passwords(args, wanted, out)?;
    if args.dry_run {
        return show_requests(
            &devices.iter().map(newcomers::shown_request).collect::<Vec<_>>(),
            out,
        );
    }
    let client = args.tenant.connect(out)?;
    let mut refused = 0;
    for device in &devices {
        refused += usize::from(!add_one(&client, device, out)?);
    }
    if refused > 0 {
        out.warning(&format!("{} not registered", count(refused, "device")));
    }
    if let Some(path) = &args.otp_out {
        out.note(&format!(
            "the one-time passwords are in {}: hand them over, then delete the file",
            path.display()
        ));
    }
    Ok(Outcome::of(refused == 0))
}

/// Registers one; false if the platform says no.
fn add_one(client: &Client, device: &NewDevice, out: Output) -> Result<bool> {
    let id = device.id.as_str();
    let (row, good) = match client.wait(newcomers::add(client, device)) {
        Ok(Added::Registered) => (Row { id, action: "registered", reason: None }, true),
        Ok(Added::Open(there)) => {
            let blocked = there.is_blocked();
            let reason = match blocked {
                true => "it is blocked after too many attempts; withdraw it, and register it again",
                false => "it was not changed, and its one-time password may be another one",
            };
            let action = if blocked { "blocked" } else { "open already" };
            (Row { id, action, reason: Some(reason.to_owned()) }, !blocked)
        }
        Err(PlatformError::NotRegistered { message, .. }) => {
            (Row { id, action: "refused", reason: Some(message.to_string()) }, false)
        }
        Err(e) => return Err(e.into()),
    };
    out.result(&row, Row::text)?;
    Ok(good)
}

/// A device that is to be registered, with its one-time password if it is known.
type Wanted = (DeviceId, Option<OneTimePassword>, Option<String>);

/// The devices that are named.
fn wanted(args: &AddArgs, out: Output) -> Result<Vec<Wanted>> {
    let of_type = |own: Option<String>| own.or_else(|| args.device_type.clone());
    if let Some(path) = &args.from {
        let list = args.columns.read(path, out)?.without_faults()?;
        refuse_old_ids(new_ids::refused(&list.devices), list.devices.len())?;
        return list
            .devices
            .iter()
            .map(|device| {
                let one_time = registration::one_time_password(device)?;
                let own = device.details.iter().find(|(h, _)| registration::column_of(h) == "TYPE");
                let own = own.map(|(_, value)| value.clone()).filter(|value| !value.is_empty());
                Ok((device.id.clone(), one_time, of_type(own)))
            })
            .collect();
    }
    let mut ids = Vec::new();
    for text in &args.ids {
        let id = DeviceId::parse_new(text)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let given = given(args, ids.len())?;
    if ids.is_empty() {
        return Err(Failure::usage("no device is named", "give ids, or a list with --from"));
    }
    Ok(ids.into_iter().map(|id| (id, given.clone(), of_type(None))).collect())
}

/// Refuses a list with ids that no new device may have.
pub(super) fn refuse_old_ids(faults: BadRows, total: usize) -> Result<()> {
    match faults.count {
        0 => Ok(()),
        _ => Err(ListError::Rows { faults, total }.into()),
    }
}

/// The one-time password of a file, for a single device.
fn given(args: &AddArgs, devices: usize) -> Result<Option<OneTimePassword>> {
    if args.otp_file.is_none() {
        return Ok(None);
    }
    if devices != 1 {
        return Err(Failure::usage(
            format!("--otp-file is for one device, and {devices} are named"),
            "give a list with a column ENROLLMENT_OTP: --from FILE",
        ));
    }
    let source = known::registered_one_time(args.otp_file.as_ref(), "the device");
    one_time(source.existing()?.expose()).map(Some)
}

/// A one-time password as the platform takes it.
pub(crate) fn one_time(text: &str) -> Result<OneTimePassword> {
    OneTimePassword::parse(text).map_err(|problem| {
        Failure::usage(
            format!("the one-time password cannot be used: {problem}"),
            "give one of 8 to 32 characters without quotation marks",
        )
    })
}

/// Makes the one-time passwords that are missing, and keeps them before anything is sent.
fn with_passwords(args: &AddArgs, wanted: Vec<Wanted>, out: Output) -> Result<Vec<NewDevice>> {
    let mut kept: HashMap<DeviceId, OneTimePassword> = HashMap::new();
    if let Some(path) = args.otp_out.as_deref().filter(|path| path.exists()) {
        for device in &FromArgs::default().read(path, out)?.without_faults()?.devices {
            let one_time =
                registration::one_time_password(device)?.ok_or_else(|| not_ours(path))?;
            kept.insert(device.id.clone(), one_time);
        }
    }
    let mut made = 0;
    let mut devices = Vec::with_capacity(wanted.len());
    for (id, given, device_type) in wanted {
        let one_time = match given.or_else(|| kept.get(&id).cloned()) {
            Some(one_time) => one_time,
            None => {
                made += 1;
                let one_time = OneTimePassword::random()?;
                kept.insert(id.clone(), one_time.clone());
                one_time
            }
        };
        devices.push(NewDevice { id, one_time, device_type });
    }
    if made > 0 && !args.dry_run {
        keep(args, &kept)?;
    }
    Ok(devices)
}

fn not_ours(path: &Path) -> Failure {
    Failure::usage(
        format!("{} exists and has no one-time passwords in it", path.display()),
        "name another file for --otp-out, or move it away",
    )
}

fn keep(args: &AddArgs, all: &HashMap<DeviceId, OneTimePassword>) -> Result<()> {
    let Some(path) = &args.otp_out else {
        return Err(Failure::usage(
            "one-time passwords have to be made, and they need a file",
            "give --otp-out FILE, or a list with a column ENROLLMENT_OTP: --from FILE",
        ));
    };
    let mut rows: Vec<[&str; 2]> =
        all.iter().map(|(id, otp)| [id.as_str(), otp.expose()]).collect();
    rows.sort_unstable();
    let mut csv = csv::Writer::from_writer(Vec::new());
    let header = [["id", "one_time_password"]];
    for row in header.iter().chain(&rows) {
        csv.write_record(row).map_err(|e| Failure::Output(e.into()))?;
    }
    let bytes = csv.into_inner().map_err(|e| Failure::Output(e.into_error()))?;
    Ok(files::write(path, &bytes, Access::Private, Existing::Replace)?)
}

pub(super) fn list(args: &ListArgs, out: Output) -> Result {
    let client = args.tenant.connect(out)?;
    let mut all = client.wait(newcomers::list(&client))?;
    all.retain(|r| !args.open || !r.is_blocked());
    all.sort_by(|a, b| a.id.cmp(&b.id));
    if all.is_empty() {
        out.note("There is no open request.");
    }
    out.results(&all, rows)?;
    Ok(Outcome::Done)
}

fn rows(all: &[Newcomer]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let row = |r: &Newcomer| {
        let or_unknown =
            |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
        vec![r.id.clone(), or_unknown(&r.status), or_unknown(&r.creation_time)]
    };
    table(&["ID", "STATUS", "SINCE"], all.iter().map(row).collect())
}

pub(super) fn withdraw(args: &WithdrawArgs, out: Output) -> Result {
    if args.dry_run {
        let requests: Vec<_> = args.ids.iter().map(|id| newcomers::withdraw_request(id)).collect();
        return show_requests(&requests, out);
    }
    let client = args.tenant.connect(out)?;
    let question = "Withdraw them? After that their one-time passwords cannot be used.";
    if !args.yes && !confirm("withdrawing a registration", &args.ids, question)? {
        out.note("Nothing was withdrawn.");
        return Ok(Outcome::NO);
    }
    for id in &args.ids {
        let action = if client.wait(newcomers::withdraw(&client, id))? {
            "withdrawn"
        } else {
            "no open request"
        };
        out.result(&Row { id, action, reason: None }, Row::text)?;
    }
    Ok(Outcome::Done)
}
