//! A backup is read: unpacked, and held to its manifest, before anything of it counts.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use time::OffsetDateTime;

use super::make::{checked, copy, entry};
use super::manifest::{FORMAT, MANIFEST, Manifest, REGISTRY, Recorded, is_inside};
use super::{BackupError, Result};
use crate::files::{self, FileError};
use crate::registry::{Registry, RegistryError};
use crate::shown::one_line;

/// Most files of a backup: thousands of CAs have fewer.
const MOST_FILES: usize = 100_000;

/// A backup whose files are those of its manifest, in a private directory of their own.
#[derive(Debug)]
pub struct Opened {
    manifest: Manifest,
    dir: TempDir,
}

impl Opened {
    /// Reads the backup at `path` into `dir`: its manifest, every file's SHA-256 and the registry itself are checked.
    /// A registry of a former version is brought up to date.
    pub(super) fn read(path: &Path, dir: TempDir, now: OffsetDateTime) -> Result<Self> {
        let names = match path.is_dir() {
            true => gather(path, dir.path())?,
            false => unpack(path, dir.path())?,
        };
        let manifest = manifest(path, dir.path())?;
        let damaged = |problem: String| BackupError::Damaged { path: path.to_owned(), problem };
        let told: BTreeSet<&str> = manifest.files.iter().map(|e| e.name.as_str()).collect();
        if let Some(more) = names.iter().find(|name| !told.contains(name.as_str())) {
            return Err(damaged(format!("{more} is not in its manifest")));
        }
        for wanted in &manifest.files {
            if !names.contains(&wanted.name) {
                return Err(damaged(format!("{} is missing", wanted.name)));
            }
            if entry(&dir.path().join(&wanted.name), &wanted.name)? != *wanted {
                return Err(damaged(format!(
                    "{} does not have the SHA-256 of its manifest",
                    wanted.name
                )));
            }
        }
        if !told.contains(REGISTRY) {
            return Err(damaged("it has no registry".to_owned()));
        }
        let registry = dir.path().join(REGISTRY);
        let judge = || {
            checked(&registry).map_err(|e| match e {
                BackupError::Faulty { first, .. } => {
                    damaged(format!("its registry is not good: {first}"))
                }
                e => e,
            })
        };
        let recorded = match judge() {
            Err(BackupError::Registry(RegistryError::TooOld { .. })) => {
                drop(Registry::open(&registry, now)?);
                // Bringing it up to date has added rows to its log.
                let found = judge()?;
                Recorded { certificates: found.certificates, ..manifest.registry.clone() }
            }
            found => found?,
        };
        if recorded != manifest.registry {
            return Err(damaged(
                "its registry has other contents than its manifest says".to_owned(),
            ));
        }
        Ok(Self { manifest, dir })
    }

    /// What it holds.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Where its files are.
    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Its directory, which is the caller's from now on, without the manifest.
    pub(super) fn into_folder(self) -> Result<PathBuf> {
        files::remove_file(&self.dir.path().join(MANIFEST))?;
        Ok(self.dir.keep())
    }
}

fn manifest(path: &Path, dir: &Path) -> Result<Manifest> {
    let no = |problem: String| BackupError::NotABackup { path: path.to_owned(), problem };
    let file = dir.join(MANIFEST);
    if !file.is_file() {
        return Err(no(format!("it has no {MANIFEST}")));
    }
    let manifest: Manifest = serde_json::from_slice(&files::read_small(&file)?)
        .map_err(|e| no(format!("its {MANIFEST} cannot be read ({e})")))?;
    if manifest.format != FORMAT {
        let form = one_line(&manifest.format);
        return Err(no(format!("its form {form} is not known")));
    }
    match manifest.files.iter().map(|entry| &entry.name).find(|name| !is_inside(name)) {
        Some(name) => Err(no(format!("{name:?} leads out of it"))),
        None => Ok(manifest),
    }
}

/// Copies a backup that is a directory; the names of its files besides the manifest.
fn gather(from: &Path, to: &Path) -> Result<BTreeSet<String>> {
    copy(&from.join(MANIFEST), to, MANIFEST).map_err(|e| match e {
        BackupError::File(e) if e.source.kind() == std::io::ErrorKind::NotFound => {
            let problem = format!("it has no {MANIFEST}");
            BackupError::NotABackup { path: from.to_owned(), problem }
        }
        e => e,
    })?;
    let mut names = BTreeSet::new();
    for entry in manifest(from, to)?.files {
        let source = from.join(&entry.name);
        if source.is_file() {
            copy_file(&source, to, &entry.name)?;
            names.insert(entry.name);
        }
    }
    Ok(names)
}

fn copy_file(from: &Path, to: &Path, name: &str) -> Result<()> {
    let fail = |source| FileError { action: "read", path: from.to_owned(), source };
    let mut source = File::open(from).map_err(fail)?;
    put(&mut source, to, name)
}

/// Unpacks an archive; the names of its files besides the manifest.
fn unpack(path: &Path, to: &Path) -> Result<BTreeSet<String>> {
    let no = |problem: String| BackupError::NotABackup { path: path.to_owned(), problem };
    let bad = |e: std::io::Error| no(format!("the archive cannot be read ({})", files::reason(&e)));
    let fail = |source| FileError { action: "read", path: path.to_owned(), source };
    let mut archive = tar::Archive::new(BufReader::new(File::open(path).map_err(fail)?));
    let mut names = BTreeSet::new();
    for entry in archive.entries().map_err(bad)? {
        let mut entry = entry.map_err(bad)?;
        let name = entry.path().map_err(bad)?.to_string_lossy().into_owned();
        if !entry.header().entry_type().is_file() || !is_inside(&name) {
            return Err(no(format!("{name:?} is no file inside of it")));
        }
        if to.join(&name).exists() || names.len() >= MOST_FILES {
            return Err(no(format!("{name:?} is there twice, or there are too many files")));
        }
        put(&mut entry, to, &name)?;
        if name != MANIFEST {
            names.insert(name);
        }
    }
    Ok(names)
}

/// Writes what comes as a private file.
fn put(source: &mut dyn std::io::Read, to: &Path, name: &str) -> Result<()> {
    let target = to.join(name);
    let fail = |source| FileError { action: "write", path: target.clone(), source };
    if let Some(parent) = target.parent() {
        files::create_private_dir(parent)?;
    }
    files::touch_private(&target)?;
    let mut file = File::options().write(true).open(&target).map_err(fail)?;
    std::io::copy(source, &mut file).map_err(fail)?;
    Ok(file.sync_all().map_err(fail)?)
}
