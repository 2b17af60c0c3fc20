//! A backup is restored: into an empty place as a whole, or its registry and what is missing into a PKI directory.
//!
//! In a PKI directory the files of CAs stay as they are: their keys, and the last lists, by which a registry that is
//! older than they are is noticed. The registry that was there is put aside, never removed.

use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::make::staging_beside;
use super::manifest::{Manifest, REGISTRY};
use super::source::Opened;
use super::{BackupError, Result};
use crate::failure::{Failure, Fault};
use crate::files::{self, Access, Existing, Lock};
use crate::pki::registry_file;
use crate::registry::Registry;

/// What was restored.
#[derive(Debug, Clone)]
pub struct Restored {
    /// What the backup holds.
    pub manifest: Manifest,
    /// The registry that was there, under its new name.
    pub aside: Option<PathBuf>,
    /// Files that were there and stayed, by their names in the PKI directory.
    pub kept: Vec<String>,
    /// CAs whose keys are neither in the backup nor there, by name.
    pub without_key: Vec<String>,
}

/// Restores the backup at `source` into the PKI directory `dir`. A directory that has a registry is changed only with
/// `replace`.
///
/// Errors: a backup that is damaged, of which nothing is used; [`BackupError::InUse`] without `replace`.
pub fn restore(source: &Path, dir: &Path, replace: bool, now: OffsetDateTime) -> Result<Restored> {
    let is_pki = dir.join("pki.toml").exists();
    if is_pki && !replace {
        return Err(BackupError::InUse(dir.to_owned()));
    }
    if !is_pki && !files::list_dir(dir)?.is_empty() {
        return Err(BackupError::NotEmpty(dir.to_owned()));
    }
    let file = match is_pki {
        true => registry_file(dir)?.ok_or_else(|| BackupError::InDatabase(dir.to_owned()))?,
        false => REGISTRY.to_owned(),
    };
    // On the same file system as what it becomes.
    let staging = match is_pki {
        true => staging_beside(&dir.join(REGISTRY))?,
        false => staging_beside(dir)?,
    };
    let opened = Opened::read(source, staging, now)?;
    let manifest = opened.manifest().clone();
    let noted = serde_json::json!({
        "made": manifest.made.unix_timestamp(),
        "head": manifest.registry.head,
        "certificates": manifest.registry.certificates,
    });
    // Before it counts: a restored registry without this row is never in place.
    Registry::open(&opened.path().join(REGISTRY), now)?.note_restored(now, &noted)?;
    let (aside, kept) = match is_pki {
        true => into_pki(&opened, &dir.join(file), dir, now)?,
        false => {
            let folder = opened.into_folder()?;
            files::sync_tree(&folder)?;
            // An empty directory may be there.
            let _ = std::fs::remove_dir(dir);
            files::rename(&folder, dir)?;
            files::sync_dir(dir)?;
            (None, Vec::new())
        }
    };
    let without_key = without_key(dir)?;
    Ok(Restored { manifest, aside, kept, without_key })
}

/// Puts the registry in the place of the one that is there, and writes what is missing.
fn into_pki(
    opened: &Opened,
    own: &Path,
    dir: &Path,
    now: OffsetDateTime,
) -> Result<(Option<PathBuf>, Vec<String>)> {
    let _lock = Lock::wait(&dir.join("pki.lock"))?;
    let aside = put_aside(own, dir, now)?;
    files::rename(&opened.path().join(REGISTRY), own)?;
    files::sync_dir(dir)?;
    let (mut kept, mut missing) = (Vec::new(), Vec::new());
    for entry in opened.manifest().files.iter().filter(|entry| entry.name != REGISTRY) {
        match dir.join(&entry.name).exists() {
            true => kept.push(entry.name.clone()),
            false => missing.push(entry.name.as_str()),
        }
    }
    // A CA is there once its certificate is.
    missing.sort_by_key(|name| name.ends_with("/cert.pem"));
    for name in missing {
        let target = dir.join(name);
        if let Some(parent) = target.parent() {
            files::create_private_dir(parent)?;
        }
        let access = if name.ends_with("key.pem") { Access::Private } else { Access::Public };
        let bytes = files::read(&opened.path().join(name))?;
        files::write(&target, &bytes, access, Existing::Refuse)?;
    }
    Ok((aside, kept))
}

/// Keeps the registry that is there under another name, with all that its log has.
fn put_aside(own: &Path, dir: &Path, now: OffsetDateTime) -> Result<Option<PathBuf>> {
    if !own.exists() {
        // A log without its database would be taken for that of the restored one.
        remove_log(own)?;
        return Ok(None);
    }
    let seconds = now.unix_timestamp();
    let aside = (0..)
        .map(|number| dir.join(format!("registry-before-{seconds}-{number}.sqlite")))
        .find(|path| !path.exists())
        .unwrap_or_default();
    let log = beside(own, "-wal");
    match Registry::open(own, now) {
        Ok(registry) => {
            files::touch_private(&aside)?;
            registry.copy_to_file(&aside, now)?;
            // SQLite takes its log away with the last connection: one that stays, also an empty one, is somebody's.
            drop(registry);
            if log.exists() {
                files::remove_file(&aside)?;
                return Err(BackupError::Busy(own.to_owned()));
            }
        }
        // Somebody writes to it, or the disk does not: it may be good.
        Err(e) if e.fault() == Fault::Environment => return Err(e.into()),
        // One that cannot be opened is kept as it is.
        Err(_) => {
            files::rename(own, &aside)?;
            if log.exists() {
                files::rename(&log, &aside.with_extension("sqlite-wal"))?;
            }
        }
    }
    remove_log(own)?;
    Ok(Some(aside))
}

/// Removes what SQLite keeps beside a registry.
fn remove_log(registry: &Path) -> Result<()> {
    for end in ["-wal", "-shm"] {
        files::remove_file(&beside(registry, end))?;
    }
    Ok(())
}

fn beside(registry: &Path, end: &str) -> PathBuf {
    let mut name = registry.file_name().unwrap_or_default().to_owned();
    name.push(end);
    registry.with_file_name(name)
}

/// The CAs without a file that keeps their keys.
fn without_key(dir: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for ca in files::list_dir(&dir.join("ca"))? {
        let has = |file: &str| ca.join(file).exists();
        if (has("cert.pem") || has("request.pem")) && !has("key.pem") && !has("key.uri") {
            found.push(ca.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
    }
    Ok(found)
}
