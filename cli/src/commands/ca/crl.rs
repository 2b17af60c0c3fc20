//! `ca crl`: the next revocation list of a CA.

use std::path::{Path, PathBuf};

use c8y_pki_engine::Error;
use c8y_pki_engine::files::{Access, Existing};
use c8y_pki_engine::pki::{Ca, Pki};
use c8y_pki_engine::registry::Scan;
use c8y_pki_engine::rollback::{self, Forgotten};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use crate::clock;
use crate::failure::{Outcome, Result};
use crate::outlet;
use crate::output::Output;
use crate::progress::{Phases, Steady};
use crate::secrets::unlock;
use crate::values;

/// Arguments of `ca crl`.
#[derive(Debug, Args)]
pub(crate) struct CrlArgs {
    /// Name of the CA
    name: String,
    /// Days until the next list is due
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = values::validity_days())]
    days: u32,
    /// Write it here too; - for standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write --out as DER instead of PEM
    #[arg(long, requires = "out")]
    der: bool,
    /// Make the list even if the registry does not have all revocations of the last list, or does not have
    /// certificates of this CA that are in directories, archives or hand-over files, or if the last list is lost.
    /// What is given up is recorded in the audit log. To keep it, use `registry repair` instead
    #[arg(long)]
    accept_rollback: bool,
    /// File with the password of the CA's key, or the PIN of its token
    /// [env: C8Y_PKI_CA_PASSWORD, C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE")]
    ca_password_file: Option<PathBuf>,
}

#[derive(Serialize)]
struct CrlMade {
    ca: String,
    number: Option<String>,
    revoked: usize,
    files: Vec<String>,
}

pub(super) fn run(args: &CrlArgs, dir: &Path, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    let mut pki = clock::open(dir, now)?;
    let ca = pki.ca(&args.name)?;
    let key = unlock(&ca, args.ca_password_file.as_ref())?;
    // Before there is a list of the next number.
    outlet::check_place(args.out.as_deref())?;
    let out = out.beside(args.out.as_deref());
    if !args.accept_rollback {
        pki.check_last_lists(&ca)?;
    }
    let forgotten = forgotten(&pki, &ca, out)?;
    if args.accept_rollback {
        rollback::accept_forgotten(&mut pki, &ca, &forgotten, now).map_err(Error::from)?;
        for one in &forgotten {
            out.warning(&format!("accepted: {}", one.sentence));
        }
        for sentence in pki.accept_rollback(&ca, now)? {
            out.warning(&format!("accepted: {sentence}"));
        }
    }
    if !args.accept_rollback {
        rollback::refuse_forgotten(&ca, &forgotten).map_err(Error::from)?;
    }
    let crl = pki.make_crl(&ca, &key, args.days, now)?;
    let own = ca.dir().join("crl.pem");
    let mut files = vec![own.display().to_string()];
    if let Some(path) = &args.out {
        let bytes = if args.der { crl.der().to_vec() } else { crl.pem().into_bytes() };
        outlet::write(path, &bytes, Access::Public, Existing::Replace, out)?;
        files.push(path.display().to_string());
    }
    let number = crl.number.as_ref().map(c8y_pki_core::cert::Serial::to_decimal);
    let made = CrlMade { ca: ca.name, number, revoked: crl.revoked.len(), files };
    out.result(&made, |m| {
        let number = m.number.as_deref().unwrap_or("none");
        format!(
            "Revocation list {number} of {}: {} revoked\n  {}\n",
            m.ca,
            m.revoked,
            outlet::names(&m.files)
        )
    })?;
    Ok(Outcome::Done)
}

/// What the directories and archives of devices have, and the registry has not.
fn forgotten(pki: &Pki, ca: &Ca, out: Output) -> Result<Vec<Forgotten>> {
    let phases = Phases::new(out);
    let steady = Steady::new(&phases);
    let progress = |done, total| steady.set("files", done, total);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let found = rollback::before_list(pki, ca, &Scan { threads, progress: &progress });
    phases.finish();
    Ok(found.map_err(Error::from)?)
}
