//! Where certificates of devices are: directories, and archives of directories.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::RollbackError;
use crate::failure::Underlying;
use crate::files;
use crate::provision::bundle::{THIN_EDGE_CHAIN, THIN_EDGE_KEY};
use crate::provision::{REPLACED, STAGING};
use crate::registry::Holder;

/// How deep a directory of devices is searched: no more of the disk than what is ours.
const DEPTH: usize = 1;

/// How deep the directory is in which replaced devices are: `.replaced/<device>/<number>`.
const REPLACED_DEPTH: usize = 2;

/// Longest file that is taken for a certificate, in bytes.
const MOST: u64 = 1 << 20;

/// What begins with a device's certificate.
const CERTS: [&str; 2] = ["cert.pem", THIN_EDGE_CHAIN];

/// What holds a device's key.
const KEYS: [&str; 4] = ["key.pem", THIN_EDGE_KEY, "keystore.p12", "keystore.jks"];

/// Is told of a certificate: where, its PEM, and whether its key is there too.
type Visit<'v> = &'v mut dyn FnMut(&Path, Vec<u8>, bool);

/// The directory or archive into which a device or server was issued whose files are at `location`.
pub(super) fn parent_of<'p>(location: &'p Path, holder: Option<&Holder>) -> &'p Path {
    let own = holder.and_then(Holder::file_name);
    match (location.file_name().and_then(|name| name.to_str()), location.parent()) {
        (Some(name), Some(parent)) if own.as_deref() == Some(name) => parent,
        _ => location,
    }
}

/// Visits the certificate of each device of a directory, or of an archive of directories.
pub(super) fn each_certificate(path: &Path, visit: Visit<'_>) -> Result<(), RollbackError> {
    match path.is_dir() {
        true => in_folder(path, DEPTH, visit),
        false => in_archive(path, visit),
    }
}

fn in_folder(dir: &Path, depth: usize, visit: Visit<'_>) -> Result<(), RollbackError> {
    let is_cert =
        |path: &PathBuf| fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= MOST);
    if let Some(cert) = CERTS.map(|name| dir.join(name)).into_iter().find(is_cert) {
        let has_key = KEYS.iter().any(|name| dir.join(name).exists());
        visit(dir, files::read_small(&cert)?, has_key);
        // A device's directory has no devices in it.
        return Ok(());
    }
    let Some(depth) = depth.checked_sub(1) else { return Ok(()) };
    let fail = |source| files::FileError { action: "list", path: dir.to_owned(), source };
    // One by one: a directory can have a million of them.
    for entry in fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        // What is being made is not issued yet. Links are not followed: they may lead in a circle.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && entry.file_name() != STAGING {
            let depth = if entry.file_name() == REPLACED { REPLACED_DEPTH } else { depth };
            in_folder(&entry.path(), depth, visit)?;
        }
    }
    Ok(())
}

fn in_archive(path: &Path, visit: Visit<'_>) -> Result<(), RollbackError> {
    let bad = |e: std::io::Error| RollbackError::Source {
        path: path.to_owned(),
        problem: Underlying::worded(format!("the archive cannot be read: {e}"), e),
    };
    let fail = |source| files::FileError { action: "read", path: path.to_owned(), source };
    let mut archive = tar::Archive::new(BufReader::new(File::open(path).map_err(fail)?));
    // The files of a device stand side by side, in whatever order.
    let mut found: HashMap<String, (Option<Vec<u8>>, bool)> = HashMap::new();
    for entry in archive.entries().map_err(bad)? {
        // An unfinished one may be cut off in the middle: what stands before that counts.
        let Ok(mut entry) = entry else { break };
        let name = entry.path().map_err(bad)?.to_string_lossy().into_owned();
        let Some((folder, file)) = name.rsplit_once('/') else { continue };
        if !found.contains_key(folder) {
            tell(path, &mut found, visit);
        }
        let (pem, has_key) = found.entry(folder.to_owned()).or_default();
        if CERTS.contains(&file) && pem.is_none() {
            let mut bytes = Vec::new();
            if (&mut entry).take(MOST).read_to_end(&mut bytes).is_err() {
                break;
            }
            *pem = Some(bytes);
        } else if KEYS.contains(&file) {
            *has_key = true;
        }
    }
    tell(path, &mut found, visit);
    Ok(())
}

/// Tells of the device whose files have been seen.
fn tell(path: &Path, found: &mut HashMap<String, (Option<Vec<u8>>, bool)>, visit: Visit<'_>) {
    for (_, (pem, has_key)) in found.drain() {
        if let Some(pem) = pem {
            visit(path, pem, has_key);
        }
    }
}

/// A path as it is kept in the registry.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
