//! `registry backup`: the registry and the files of the CAs, in one archive or one directory.

use std::path::{Path, PathBuf};

use c8y_pki_engine::Error;
use c8y_pki_engine::backup::{self, Contents, Manifest};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use crate::clock;
use crate::failure::{Outcome, Result};
use crate::outlet;
use crate::output::Output;
use crate::render::{as_line, count};

/// Arguments of `registry backup`.
#[derive(Debug, Args)]
#[command(after_help = "\
The registry is copied as it is at one moment, by SQLite's online backup, so other commands may go on
working. The copy is checked (audit log, rows, certificates), and every file has its SHA-256 in the
manifest. Everything is private (mode 0600). In the backup are pki.toml with what it refers to, and of
each CA its certificates, its lists and its request. Keys of CAs are in it only with --with-keys: they are
encrypted with their passwords, and a thief of such a backup can try passwords without a limit.
Keys in tokens are never in a backup, nor is the pool of keys.

Keep a backup on another machine. The last hash of the audit log is shown: keep it too.

Examples:
  c8y-pki registry backup /mnt/backup/pki-2026-11-29.tar
  c8y-pki registry backup /mnt/backup/pki-2026-11-29
  c8y-pki registry backup safe.tar --with-keys")]
pub(crate) struct BackupArgs {
    /// Where it goes: an archive if the name ends with .tar, else a directory. It must not exist
    #[arg(value_name = "FILE|DIR")]
    target: PathBuf,
    /// The keys of CAs in files too, encrypted as they are
    #[arg(long)]
    with_keys: bool,
}

#[derive(Serialize)]
struct Made<'a> {
    file: String,
    #[serde(flatten)]
    manifest: &'a Manifest,
}

pub(super) fn run(args: &BackupArgs, dir: &Path, out: Output) -> Result {
    outlet::check_file(&args.target, "the backup", "it is private, and checked when it is whole")?;
    let now = OffsetDateTime::now_utc();
    let pki = clock::open_to_read(dir, out)?;
    let contents = if args.with_keys { Contents::WithKeys } else { Contents::WithoutKeys };
    let manifest = backup::make(&pki, &args.target, contents, now).map_err(Error::from)?;
    let made = Made { file: args.target.display().to_string(), manifest: &manifest };
    out.result(&made, |made| {
        let recorded = &made.manifest.registry;
        let certificates = usize::try_from(recorded.certificates).unwrap_or(usize::MAX);
        let rows = usize::try_from(recorded.audit_rows).unwrap_or(usize::MAX);
        [
            as_line(&format!("Backup {}: {}", made.file, count(made.manifest.files.len(), "file"))),
            as_line(&format!(
                "  checked: {}, {}",
                count(certificates, "certificate"),
                count(rows, "audit row")
            )),
            as_line(&format!("  the audit log ends with {}", recorded.head)),
        ]
        .concat()
    })?;
    out.note(match args.with_keys {
        true => {
            "The keys of the CAs are in it, encrypted with their passwords. Keep it as you keep the keys, and the \
             passwords in another place."
        }
        false => "The keys of the CAs are not in it: save the files key.pem apart, or back up with --with-keys.",
    });
    Ok(Outcome::Done)
}
