//! `registry revocations`: the files that the platform takes.

use std::path::{Path, PathBuf};

use c8y_pki_core::crl;
use c8y_pki_engine::files::{self, Access, Existing};
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::registry::{self, Filter, Record};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render::count;
use crate::{clock, outlet};

/// Arguments of `registry revocations`.
#[derive(Debug, Args)]
pub(crate) struct RevocationsArgs {
    /// Of certificates that this CA has issued; by default of all
    #[arg(long, value_name = "NAME")]
    ca: Option<String>,
    /// The directory for the files
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Written {
    revocations: usize,
    files: Vec<String>,
}

/// Revocations that a repair has taken over from lists, of certificates that the registry does not have.
fn known_from_lists(pki: &Pki, ca: Option<&str>) -> Result<Vec<crl::Revoked>> {
    let (mut subjects, mut revoked) = (Vec::new(), Vec::new());
    for one in pki.cas()?.into_iter().filter(|one| ca.is_none_or(|name| one.name == name)) {
        let subject = one.certificate().subject.clone();
        // CAs of one name share their lists.
        if !subjects.contains(&subject) {
            revoked.extend(pki.registry().unknown_revoked(&subject)?);
            subjects.push(subject);
        }
    }
    Ok(revoked)
}

pub(super) fn run(args: &RevocationsArgs, dir: &Path, out: Output) -> Result {
    let pki = clock::open_to_read(dir, out)?;
    if let Some(name) = &args.ca {
        pki.ca(name)?;
    }
    let filter = Filter {
        ca: args.ca.as_deref(),
        status: Some(registry::Status::Revoked),
        ..Filter::default()
    };
    let mut revoked: Vec<crl::Revoked> =
        pki.registry().find(&filter)?.iter().filter_map(Record::revocation).collect();
    revoked.extend(known_from_lists(&pki, args.ca.as_deref())?);
    outlet::check_folder(&args.out)?;
    files::create_private_dir(&args.out)?;
    let now = OffsetDateTime::now_utc();
    let mut written = Written { revocations: revoked.len(), files: Vec::new() };
    for (index, text) in crl::platform_csv(&revoked, Some(now)).iter().enumerate() {
        let path = args.out.join(format!("revocations-{}.csv", index + 1));
        files::write(&path, text.as_bytes(), Access::Public, Existing::Replace)?;
        written.files.push(path.display().to_string());
    }
    // What a former, longer run has left is in the first files now.
    for number in written.files.len() + 1.. {
        let path = args.out.join(format!("revocations-{number}.csv"));
        let is_file = std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
        if !is_file || std::fs::remove_file(path).is_err() {
            break;
        }
    }
    out.result(&written, |w| {
        let lines: String = w.files.iter().map(|file| format!("  {file}\n")).collect();
        format!("{}\n{lines}", count(w.revocations, "revocation"))
    })?;
    Ok(Outcome::Done)
}
