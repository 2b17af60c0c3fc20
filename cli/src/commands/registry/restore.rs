//! `registry restore`: a backup comes back, and what is newer than it is said.

use std::path::{Path, PathBuf};

use c8y_pki_core::failure::Task;
use c8y_pki_engine::Error;
use c8y_pki_engine::backup::{self, Manifest};
use c8y_pki_engine::pki::{AuthorityError, Pki};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use crate::confirm::confirm;
use crate::failure::{Failure, Outcome, Result};
use crate::hint;
use crate::output::Output;
use crate::render::{as_line, count, date};

/// Arguments of `registry restore`.
#[derive(Debug, Args)]
#[command(after_help = "\
First the whole backup is checked: the SHA-256 of each file, and the registry in it. Where there is no PKI
directory yet (--pki), it is made. In a PKI directory the registry is replaced, and you are asked; in a
script give --yes. The registry that was there is kept under another name. Files of CAs that are there
stay: their keys, and the last lists, by which a registry that is older than they are is noticed. Files
that are missing are written.

A registry from a backup does not know what was issued and revoked after it. What shows this at once is
said; take it over with `registry repair`, also from archives and lists that are elsewhere.

Examples:
  c8y-pki --pki restored registry restore /mnt/backup/pki-2026-11-29.tar
  c8y-pki registry restore /mnt/backup/pki-2026-11-29.tar
  c8y-pki registry restore safe.tar --yes && c8y-pki registry check")]
pub(crate) struct RestoreArgs {
    /// The backup: an archive, or a directory
    #[arg(value_name = "FILE|DIR")]
    source: PathBuf,
    /// Do not ask before the registry of a PKI directory is replaced
    #[arg(long)]
    yes: bool,
}

#[derive(Serialize)]
struct View<'a> {
    folder: String,
    #[serde(flatten)]
    manifest: &'a Manifest,
    /// The registry that was there, under its new name.
    former_registry: Option<String>,
    /// How many files of the PKI directory stayed as they were.
    kept: usize,
    /// CAs whose keys are not there.
    without_key: &'a [String],
    /// What shows that the registry is older than what was made from it.
    older: Vec<String>,
}

pub(super) fn run(args: &RestoreArgs, dir: &Path, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    let exists = dir.join("pki.toml").exists();
    if exists && !args.yes {
        let lines = [
            format!("{} has a registry: it is kept under another name", dir.display()),
            "what was issued and revoked after the backup is not in the restored one".to_owned(),
        ];
        if !confirm("a registry that is replaced", &lines, "Replace the registry?")? {
            out.note("Nothing was restored.");
            return Ok(Outcome::of(false));
        }
    }
    let restored = backup::restore(&args.source, dir, exists, now).map_err(Error::from)?;
    let older = older(dir, now)?;
    let view = View {
        folder: dir.display().to_string(),
        manifest: &restored.manifest,
        former_registry: restored.aside.as_ref().map(|path| path.display().to_string()),
        kept: restored.kept.len(),
        without_key: &restored.without_key,
        older,
    };
    out.result(&view, text)?;
    for ca in &restored.without_key {
        out.note(&format!(
            "The key of {ca} is not there: put its key.pem into {}/ca/{ca}.",
            dir.display()
        ));
    }
    out.note(&format!(
        "What was made after the backup and is elsewhere was not looked at: compare with archives, lists and hand-over \
         files (`{}`).",
        hint::with_pki("registry check --against PATH")
    ));
    if !view.older.is_empty() {
        out.warning(&format!(
            "the registry is older than what was made from it: see what is missing with {}",
            hint::run(&Task::PreviewRepair)
        ));
    }
    Ok(Outcome::Done)
}

fn text(view: &View<'_>) -> String {
    let certificates = usize::try_from(view.manifest.registry.certificates).unwrap_or(usize::MAX);
    let mut text = as_line(&format!(
        "Restored {} as of {}: {}",
        view.folder,
        date(view.manifest.made),
        count(certificates, "certificate")
    ));
    if let Some(former) = &view.former_registry {
        text.push_str(&as_line(&format!("  the former registry: {former}")));
        text.push_str(&as_line(&format!("  left as they were: {}", count(view.kept, "file"))));
    }
    view.older.iter().for_each(|what| text.push_str(&as_line(&format!("  older: {what}"))));
    text
}

/// What the PKI directory itself shows to be newer than its registry.
fn older(dir: &Path, now: OffsetDateTime) -> Result<Vec<String>> {
    let pki = match Pki::open_to_read(dir, now) {
        Ok(pki) => pki,
        // CAs that the backup does not know yet.
        Err(e @ AuthorityError::RegistryLost { .. }) => return Ok(vec![e.to_string()]),
        Err(e) => return Err(Failure::from(e)),
    };
    let mut found = Vec::new();
    for ca in pki.cas()? {
        match pki.compare_last_list(&ca) {
            Ok(None) => {}
            Ok(Some(rollback)) => found.push(rollback.sentence()),
            Err(e @ AuthorityError::LastList { .. }) => found.push(e.to_string()),
            Err(e) => return Err(e.into()),
        }
    }
    Ok(found)
}
