//! `device refresh`: new chains in the directories of devices whose CA was renewed or completed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::secret::Password;
use c8y_pki_core::store::{DEFAULT_ITERATIONS, MAX_ITERATIONS};
use c8y_pki_engine::files;
use c8y_pki_engine::list::BadRow;
use c8y_pki_engine::provision::SECRETS_HEADER;
use c8y_pki_engine::provision::refresh::{self, Refresh, Refreshed};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use crate::commands::planning;
use crate::failure::{Failure, Outcome, Result};
use crate::outlet;
use crate::output::Output;
use crate::render::{count, printable};
use crate::secrets::known;

/// Arguments of `device refresh`.
#[derive(Debug, Args)]
#[command(after_help = "\
Use it after `ca renew`, or after a CA was imported again: the chain.pem, tedge-certificate.pem and
keystores in the directories below DIR get the present certificates of their CA. Keys,
certificates, other files, and aliases and passwords of stores stay the same; a JKS key with its
own password is not opened. Each device has all its new files or all its old ones. Files that are
right already are not changed: run the same command again after an interruption. Truststores are
not changed. Archives are not read: unpack them first. The command does not reach devices in the
field: bring them their files.

Examples:
  c8y-pki device refresh --out out
  c8y-pki device refresh --out out --plan
  c8y-pki device refresh --out out --ca line-7 --store-password-file store.pw
  c8y-pki device refresh --out out --secrets secrets.csv --json

Exit codes: 0 done, or nothing to do; 1 some directories could not be rewritten: each is named; 2
wrong use.")]
pub(crate) struct RefreshArgs {
    /// The directory with the devices' directories
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Show which files would be rewritten, and change nothing. Keystores are opened for it, with their passwords
    #[arg(long)]
    plan: bool,
    /// Only devices that this CA has issued
    #[arg(long, value_name = "NAME")]
    ca: Option<String>,
    /// File with the password of the keystores [env: C8Y_PKI_STORE_PASSWORD]
    #[arg(long, value_name = "FILE")]
    store_password_file: Option<PathBuf>,
    /// The CSV with a password for each device that `device issue --secrets` has written
    #[arg(long, value_name = "FILE", conflicts_with = "store_password_file")]
    secrets: Option<PathBuf>,
    /// Key derivation iterations of PKCS#12 files that are rewritten, for encryption and for the MAC; how they are
    /// protected stays as it is
    #[arg(long, value_name = "N", default_value_t = DEFAULT_ITERATIONS, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_ITERATIONS)))]
    iterations: u32,
}

#[derive(Serialize)]
struct View {
    refreshed: Vec<Refreshed>,
    current: usize,
    left: Vec<BadRow>,
    failed: Vec<BadRow>,
}

pub(super) fn run(args: &RefreshArgs, dir: &Path, out: Output) -> Result {
    outlet::check_folder(&args.out)?;
    if !args.out.is_dir() {
        return Err(Failure::usage(
            format!("{} is no directory", args.out.display()),
            "name the directory into which the devices were issued",
        ));
    }
    let own_passwords = match &args.secrets {
        Some(path) => secrets(path)?,
        None => HashMap::new(),
    };
    let password = match args.secrets {
        Some(_) => None,
        None => known::store(args.store_password_file.as_ref()).given()?,
    };
    let now = OffsetDateTime::now_utc();
    let pki = planning::open(args.plan, dir, now, out)?;
    if let Some(name) = &args.ca {
        pki.ca(name)?;
    }
    let wanted = Refresh {
        out: &args.out,
        ca: args.ca.as_deref(),
        store_password: password.as_ref(),
        own_passwords: &own_passwords,
        iterations: args.iterations,
        plan: args.plan,
    };
    let report = refresh::refresh(&pki, &wanted, now)?;
    let view = View {
        refreshed: report.refreshed,
        current: report.current,
        left: report.left,
        failed: report.failed,
    };
    out.result(&view, |view| {
        let mut text = format!(
            "{} {}, {} {} the present chain already\n",
            count(view.refreshed.len(), "device"),
            if args.plan { "would be rewritten" } else { "rewritten" },
            view.current,
            if args.plan { "have" } else { "had" },
        );
        for one in &view.refreshed {
            let folder = one.folder.display().to_string();
            text.push_str(&format!("  {}: {}\n", printable(&folder), one.files.join(", ")));
        }
        text
    })?;
    for left in &view.left {
        out.note(&format!("{} was left alone: {}", left.id, left.message));
    }
    for failed in &view.failed {
        let hint = failed.hint.as_ref().map_or_else(String::new, |hint| format!(" ({hint})"));
        out.warning(&format!("{}: {}{hint}", failed.id, failed.message));
    }
    if args.plan {
        out.note("Nothing was changed.");
    } else if !view.refreshed.is_empty() {
        out.note("First upload the CA's new certificate (`c8y-pki tenant trust add`), then give the devices \
                  these files.");
    }
    Ok(Outcome::of(view.failed.is_empty()))
}

/// Reads the passwords of devices, by the names of their directories. The last line of a device counts.
fn secrets(path: &Path) -> Result<HashMap<String, Password>> {
    let bytes = files::read(path)?;
    let bad = |problem: &str| {
        Failure::usage(
            format!("{}: {problem}", path.display()),
            "give the file that `c8y-pki device issue --secrets` has written",
        )
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| bad("it is not UTF-8"))?;
    let rows = text
        .strip_prefix(SECRETS_HEADER)
        .ok_or_else(|| bad("it does not begin with the line id,serial,store_password"))?;
    let mut passwords = HashMap::new();
    for (index, row) in rows.lines().enumerate() {
        let mut fields = row.splitn(3, ',');
        let (id, password) = (fields.next().unwrap_or_default(), fields.nth(1));
        let (Ok(id), Some(password)) = (DeviceId::parse(id), password) else {
            return Err(bad(&format!("line {} is not id,serial,store_password", index + 2)));
        };
        passwords.insert(id.file_name(), Password::new(password));
    }
    Ok(passwords)
}
