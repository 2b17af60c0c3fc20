//! The directory of a server: staged beside its place, and moved there once the registry has the certificate.
//!
//! `.NAME.c8y-pki-new` waits; what stood in the place goes to `.replaced/NAME-N`. All of it is done under the lock of
//! the PKI directory, so what is found waiting was left by a process that was killed:
//!
//! | its certificate | then |
//! | --- | --- |
//! | is live, and not the one in place | it goes into its place |
//! | is recorded otherwise | it is the former one: it goes to `.replaced` |
//! | is not recorded, or not whole | nobody has it: it is removed |

use std::path::{Path, PathBuf};

use super::error::Result;
use crate::cert::Certificate;
use crate::files;
use crate::provision::bundle::BundleFile;
use crate::provision::{ProvisionError, REPLACED};
use crate::registry::{Registry, ServerName};

/// The file by which a directory is known.
const CERTIFICATE: &str = "cert.pem";

/// A server's directory.
pub(super) fn of(out: &Path, name: &ServerName) -> PathBuf {
    out.join(name.as_str())
}

fn waiting(out: &Path, name: &ServerName) -> PathBuf {
    out.join(format!(".{name}.c8y-pki-new"))
}

/// Refuses a directory that belongs to something else.
pub(super) fn check(out: &Path) -> Result {
    if !out.join("pki.toml").exists() {
        return Ok(());
    }
    let problem = "it is a PKI directory; choose another directory for servers";
    Err(ProvisionError::Output { path: out.to_owned(), problem }.into())
}

/// A directory that waits for its place.
#[must_use]
pub(super) struct Staged {
    out: PathBuf,
    path: PathBuf,
}

/// Writes a server's files where they wait.
pub(super) fn stage(out: &Path, name: &ServerName, all: &[BundleFile]) -> Result<Staged> {
    files::create_private_dir(out)?;
    let staged = Staged { out: out.to_owned(), path: waiting(out, name) };
    files::create_new_private_dir(&staged.path)?;
    let write = || -> Result {
        for file in all {
            files::write_new(&staged.path.join(file.name), &file.bytes, file.access)?;
        }
        Ok(files::sync_tree(&staged.path)?)
    };
    match write() {
        Ok(()) => Ok(staged),
        Err(e) => {
            staged.remove();
            Err(e)
        }
    }
}

impl Staged {
    /// Takes it away again: its certificate was not recorded.
    pub(super) fn remove(self) {
        let _ = files::remove_tree(&self.path);
    }

    /// Puts it into its place; where the former one is now, if there was one.
    pub(super) fn place(self, name: &ServerName) -> Result<Option<PathBuf>> {
        let place = of(&self.out, name);
        if !place.exists() {
            files::rename(&self.path, &place)?;
            files::sync_dir(&self.out)?;
            return Ok(None);
        }
        if files::exchange(&self.path, &place)? {
            files::sync_dir(&self.out)?;
            return put_aside(&self.out, name, &self.path).map(Some);
        }
        let former = put_aside(&self.out, name, &place)?;
        files::rename(&self.path, &place)?;
        files::sync_dir(&self.out)?;
        Ok(Some(former))
    }
}

/// Where a directory that is put aside goes.
fn aside(out: &Path, name: &ServerName) -> PathBuf {
    let all = out.join(REPLACED);
    let free = |number: &usize| !all.join(format!("{name}-{number}")).exists();
    // Each number is taken by a directory: there are fewer than that.
    let number = (1..usize::MAX).find(free).unwrap_or(usize::MAX);
    all.join(format!("{name}-{number}"))
}

/// Where what stands in a server's place would be put, if anything does.
pub(super) fn would_move(out: &Path, name: &ServerName) -> Option<PathBuf> {
    of(out, name).exists().then(|| aside(out, name))
}

/// Moves a former directory of a server to the others; where it is now.
fn put_aside(out: &Path, name: &ServerName, former: &Path) -> Result<PathBuf> {
    let all = out.join(REPLACED);
    files::create_private_dir(&all)?;
    let place = aside(out, name);
    files::rename(former, &place)?;
    files::sync_dir(&all)?;
    Ok(place)
}

/// Finishes what a process that was killed has left.
pub(super) fn recover(out: &Path, name: &ServerName, registry: &Registry) -> Result {
    let path = waiting(out, name);
    if !path.exists() {
        return Ok(());
    }
    let staged = Staged { out: out.to_owned(), path };
    let Some(own) = certificate_in(&staged.path) else {
        staged.remove();
        return Ok(());
    };
    if !registry.has(&own)? {
        staged.remove();
        return Ok(());
    }
    let live = registry.live_server(name)?;
    let is_live =
        |certificate: &Certificate| live.as_ref().is_some_and(|live| live.der == certificate.der());
    match certificate_in(&of(out, name)) {
        Some(placed) if is_live(&placed) => put_aside(out, name, &staged.path).map(|_| ()),
        _ if is_live(&own) => staged.place(name).map(|_| ()),
        _ => put_aside(out, name, &staged.path).map(|_| ()),
    }
}

/// The certificate of a directory, if it is whole.
fn certificate_in(folder: &Path) -> Option<Certificate> {
    let bytes = files::read_small(&folder.join(CERTIFICATE)).ok()?;
    Certificate::all_from_pem_or_der(&bytes).ok()?.into_iter().next()
}
