//! `device issue`: keys, certificates and keystores for one device or very many.

use std::path::{Path, PathBuf};

use c8y_pki_core::crypto::KeyPolicy;
use c8y_pki_engine::list::{DeviceList, Devices};
use clap::Args;
use time::OffsetDateTime;

use super::making::{Run, issue};
use super::options::{ExistingArgs, OutputArgs};
use crate::clock;
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
replace the former directory is moved to DIR/.replaced.

Examples:
  c8y-pki device issue gw-0001 --ca line-7 --out out
  c8y-pki device issue --from devices.csv --ca line-7 --out out --bundle pem,p12 \\
      --ca-password-file ca.pw --store-password-file store.pw
  c8y-pki device issue gw-0002 --ca line-7 --out out --key-type rsa-2048 --rsa-keys backend

Exit codes: 0 done, or nothing to do; 2 a device cannot be issued as asked, nothing was made;
3 the environment failed or the run was interrupted: run it again.")]
pub(crate) struct IssueArgs {
    /// Device identifiers: the common names of the certificates
    #[arg(required_unless_present = "from", value_name = "ID")]
    ids: Vec<String>,
    /// CSV or .xlsx with a column `id`; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "ids")]
    from: Option<PathBuf>,
    #[command(flatten)]
    columns: FromArgs,
    /// The issuing CA
    #[arg(long, value_name = "NAME")]
    ca: String,
    #[command(flatten)]
    subject: SubjectArgs,
    #[command(flatten)]
    existing: ExistingArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &IssueArgs, dir: &Path, out: Output) -> Result {
    let profile = args.output.profile()?;
    let subject = args.subject.builder(&profile)?;
    if subject.has("CN") {
        return Err(Failure::usage(
            "the subject has a common name, but a device's common name is its id",
            "leave CN out of --subject",
        ));
    }
    let devices: Devices = match &args.from {
        Some(path) => args.columns.open(path, out)?.into(),
        None => DeviceList::from_ids(args.ids.iter().map(String::as_str)).into(),
    };
    let now = OffsetDateTime::now_utc();
    let pki = clock::open(dir, now)?;
    let ca = pki.ca(&args.ca)?;
    args.output.refuse_faults(&devices, out)?;
    let (existing, keys) = (args.existing.existing()?, KeyPolicy::default());
    let run = Run { ca, profile, subject, existing, keys, devices };
    issue(pki, run, &args.output, now, out)
}
