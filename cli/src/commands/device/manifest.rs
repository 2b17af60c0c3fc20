//! `device manifest`: the hand-over file of a batch, signed by its CA.

use std::path::{Path, PathBuf};

use c8y_pki_engine::files::{self, Access, Existing};
use c8y_pki_engine::manifest;
use c8y_pki_engine::registry::{Filter, Role};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use super::list::no_batch;
use crate::clock;
use crate::failure::{Failure, Outcome, Result};
use crate::outlet;
use crate::output::Output;
use crate::render::count;
use crate::secrets::unlock;

/// Arguments of `device manifest`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes manifest.csv and manifest.json with each device's id, serial number, fingerprint, public key
hash, validity and issuer, a detached signature beside each (.sig), and the CA's chain (chain.pem).
There is no secret in them. The first line of both says what was signed and by whom: in the CSV a
line above the header, in the JSON the member `mark`.

Examples:
  c8y-pki device manifest --out handover
  c8y-pki device manifest --batch 1795000000-0a1b2c3d4e5f --out handover --ca-password-file ca.pw
  c8y-pki cert verify --manifest handover/manifest.csv --trust root.pem handover/chain.pem
  openssl x509 -in handover/chain.pem -pubkey -noout > ca.pub
  openssl dgst -sha256 -verify ca.pub -signature handover/manifest.csv.sig handover/manifest.csv")]
pub(crate) struct ManifestArgs {
    /// The run that issued the devices; by default the last one
    #[arg(long, value_name = "NAME")]
    batch: Option<String>,
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
    batch: String,
    ca: String,
    devices: usize,
    hash: Option<&'static str>,
    files: Vec<String>,
}

pub(super) fn run(args: &ManifestArgs, dir: &Path, out: Output) -> Result {
    outlet::check_folder(&args.out)?;
    let now = OffsetDateTime::now_utc();
    let mut pki = clock::open(dir, now)?;
    let batch = match &args.batch {
        Some(batch) => batch.clone(),
        None => pki.registry().last_batch()?.ok_or_else(|| {
            Failure::usage("no device has been issued", "issue some: `c8y-pki device issue`")
        })?,
    };
    let filter = Filter { role: Some(Role::Device), batch: Some(&batch), ..Filter::default() };
    let records = pki.registry().find(&filter)?;
    let Some(first) = records.first() else {
        return Err(no_batch(&batch));
    };
    // A run has one CA.
    let ca = pki.ca(&first.ca)?;
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
    let made = Made { batch, ca: ca.name, devices: made.devices, hash: made.hash, files };
    out.result(&made, |m| {
        let devices = count(m.devices, "device");
        format!("{devices} of batch {}, signed by {}:\n  {}\n", m.batch, m.ca, m.files.join("\n  "))
    })?;
    let how = match made.hash {
        Some(hash) => format!("openssl dgst -{hash} -verify PUBKEY -signature FILE.sig FILE"),
        None => "openssl pkeyutl -verify -rawin -pubin -inkey PUBKEY -sigfile FILE.sig -in FILE"
            .to_owned(),
    };
    out.note(&format!("anybody can check them: `c8y-pki cert verify --manifest`, or {how}"));
    Ok(Outcome::Done)
}
