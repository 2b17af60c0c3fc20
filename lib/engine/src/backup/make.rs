//! A backup is made: copied, checked, packed.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use tempfile::TempDir;
use time::OffsetDateTime;

use super::manifest::{Entry, FORMAT, MANIFEST, Manifest, REGISTRY, Recorded};
use super::{BackupError, Result};
use crate::crypto::{Sha256, hex};
use crate::files::{self, Access, Existing, FileError, Lock};
use crate::pki::{FORMER, Pki, with_registry};
use crate::registry::Registry;

/// How the directory begins in which a backup is put together.
pub(super) const IN_THE_MAKING: &str = ".c8y-pki-backup-";

/// What the directory of a CA may hold besides its key. Whatever else somebody has put there is not ours to copy.
const OF_A_CA: [&str; 6] =
    ["cert.pem", "chain.pem", "key.uri", "request.pem", "crl.pem", "last-list.json"];

/// The key of a CA in its directory.
const KEY: &str = "key.pem";

/// The settings of a PKI directory.
const SETTINGS: &str = "pki.toml";

/// Bytes that are copied at a time.
const PORTION: usize = 1 << 16;

/// What is to be in a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// No private key.
    WithoutKeys,
    /// The keys of CAs in files too, encrypted as they are.
    WithKeys,
}

/// Makes a backup at `target`: an archive if that ends with `.tar`, else a directory. Neither may exist.
///
/// The registry is copied as it is at one moment, while others may write to it, and the copy is checked; CAs are not
/// changed meanwhile. Everything is private.
pub fn make(pki: &Pki, target: &Path, contents: Contents, now: OffsetDateTime) -> Result<Manifest> {
    if std::fs::symlink_metadata(target).is_ok() {
        return Err(BackupError::Exists(target.to_owned()));
    }
    let staging = staging_beside(target)?;
    let mut entries = Vec::new();
    {
        let _lock = Lock::wait(&pki.lock_path())?;
        files::touch_private(&staging.path().join(REGISTRY))?;
        pki.registry().copy_to_file(&staging.path().join(REGISTRY), now)?;
        for name in names(pki, contents)? {
            let path = pki.dir().join(&name);
            let text = files::read(&path)?;
            let text = match name == SETTINGS {
                // The registry of a backup is a file.
                true => {
                    let text = pki.with_policies(&text)?;
                    with_registry(&path, text.as_bytes(), REGISTRY)?.into_bytes()
                }
                false => text,
            };
            entries.push(put(&text, staging.path(), &name)?);
        }
    }
    let recorded = checked(&staging.path().join(REGISTRY))?;
    entries.push(entry(&staging.path().join(REGISTRY), REGISTRY)?);
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        made: now.replace_nanosecond(0).unwrap_or(now),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        with_keys: contents == Contents::WithKeys,
        registry: recorded,
        files: entries,
    };
    let text = serde_json::to_string_pretty(&manifest).unwrap_or_default() + "\n";
    files::write_new(&staging.path().join(MANIFEST), text.as_bytes(), Access::Private)?;
    match target.extension().is_some_and(|end| end == "tar") {
        true => pack(&manifest, staging.path(), target)?,
        false => {
            files::sync_tree(staging.path())?;
            files::rename(&staging.keep(), target)?;
            files::sync_dir(target)?;
        }
    }
    Ok(manifest)
}

/// A private directory beside what is to be made.
pub(super) fn staging_beside(target: &Path) -> Result<TempDir> {
    let parent = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(IN_THE_MAKING);
    // Else it has the mode of the umask, and becomes the backup, or the PKI directory.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o700));
    }
    let made = builder.tempdir_in(parent);
    let fail = |source| FileError { action: "write", path: target.to_owned(), source };
    made.map_err(|e| fail(e).into())
}

/// The names of the files that a backup has besides the registry, with `/`: settings, profiles, and of each CA what is
/// known. Devices' files, passwords and whatever else is below the PKI directory stay out.
fn names(pki: &Pki, contents: Contents) -> Result<Vec<String>> {
    let is_toml = |name: &str| name.ends_with(".toml");
    let with_keys = contents == Contents::WithKeys;
    let is_of_a_ca = |name: &str| {
        OF_A_CA.contains(&name) || name.starts_with(FORMER) || (with_keys && name == KEY)
    };
    let mut found = Vec::new();
    found.extend(files_in(pki, "", is_toml)?);
    found.extend(files_in(pki, "profiles/", is_toml)?);
    for path in files::list_dir(&pki.dir().join("ca"))? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // A directory that begins with a dot is a CA in the making.
        if !name.starts_with('.') {
            found.extend(files_in(pki, &format!("ca/{name}/"), is_of_a_ca)?);
        }
    }
    found.sort();
    Ok(found)
}

/// The files of one directory whose names fit, with the directory before them; none if there is no such directory.
fn files_in(pki: &Pki, dir: &str, fits: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for path in files::list_dir(&pki.dir().join(dir))? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if fits(&name) && path.is_file() {
            found.push(format!("{dir}{name}"));
        }
    }
    Ok(found)
}

/// Copies a file into a directory under a name, with the directories above it.
pub(super) fn copy(from: &Path, to: &Path, name: &str) -> Result<Entry> {
    put(&files::read(from)?, to, name)
}

fn put(bytes: &[u8], to: &Path, name: &str) -> Result<Entry> {
    let target = to.join(name);
    if let Some(parent) = target.parent() {
        files::create_private_dir(parent)?;
    }
    files::write_new(&target, bytes, Access::Private)?;
    entry(&target, name)
}

/// A file as the manifest has it.
pub(super) fn entry(path: &Path, name: &str) -> Result<Entry> {
    let fail = |source| FileError { action: "read", path: path.to_owned(), source };
    let mut file = File::open(path).map_err(fail)?;
    let (mut digest, mut bytes, mut portion) = (Sha256::default(), 0, vec![0; PORTION]);
    loop {
        let read = file.read(&mut portion).map_err(fail)?;
        if read == 0 {
            break;
        }
        digest.update(&portion[..read]);
        bytes += read as u64;
    }
    Ok(Entry { name: name.to_owned(), bytes, sha256: hex(&digest.finish()) })
}

/// Holds a copy of a registry to all that a check knows.
pub(super) fn checked(path: &Path) -> Result<Recorded> {
    let checked = Registry::open_copy(path)?.check()?;
    if let Some(first) = checked.findings.first() {
        return Err(BackupError::Faulty {
            first: first.message.clone(),
            findings: checked.findings.len(),
        });
    }
    let (certificates, audit_rows) = (checked.certificates, checked.audit_rows);
    Ok(Recorded { certificates, audit_rows, head: checked.head })
}

/// Writes a private archive, the manifest first.
fn pack(manifest: &Manifest, dir: &Path, target: &Path) -> Result<()> {
    let fail = |source| FileError { action: "write", path: target.to_owned(), source };
    let names = manifest.files.iter().map(|entry| entry.name.as_str());
    files::write_with(target, Access::Private, Existing::Refuse, |file| -> Result<()> {
        let mut archive = tar::Builder::new(file);
        for name in std::iter::once(MANIFEST).chain(names) {
            let mut source = File::open(dir.join(name)).map_err(fail)?;
            let mut header = tar::Header::new_gnu();
            header.set_size(source.metadata().map_err(fail)?.len());
            header.set_mode(0o600);
            header.set_mtime(manifest.made.unix_timestamp().unsigned_abs());
            archive.append_data(&mut header, name, &mut source).map_err(fail)?;
        }
        archive.into_inner().and_then(Write::flush).map_err(fail)?;
        Ok(())
    })
}
