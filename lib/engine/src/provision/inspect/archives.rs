//! What is in the archives of devices.

use std::collections::HashMap;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::crypto::sha256;
use crate::files::{self, growing::part_of};
use crate::key::{PrivateKey, read::is_encrypted};
use crate::provision::bundle::THIN_EDGE_KEY;
use crate::secret::SecretBytes;

/// What an archive has for a device.
pub(super) enum Held {
    /// SHA-256 of the SubjectPublicKeyInfo of its key.
    Key([u8; 32]),
    /// An encrypted key, or a store.
    Sealed,
    /// A file that holds no key.
    Damaged(Box<str>),
}

/// What it has for each device, by the first bytes of the SHA-256 of its directory's name: there may be a
/// million of them.
#[derive(Default)]
pub(super) struct Contents(HashMap<[u8; 16], Held>);

/// The contents of an archive, or why it cannot be read.
pub(super) type Archive = Arc<Result<Contents, String>>;

impl Contents {
    pub(super) fn of(&self, folder: &str) -> Option<&Held> {
        self.0.get(&print(folder))
    }
}

fn print(folder: &str) -> [u8; 16] {
    let mut print = [0; 16];
    print.copy_from_slice(&sha256(folder.as_bytes())[..16]);
    print
}

/// The archive that was read last: devices of one run stand side by side in the registry.
#[derive(Default)]
pub(super) struct Archives(Option<(PathBuf, Archive)>);

impl Archives {
    /// The contents of the archive at `place`; none if no archive is or was there.
    pub(super) fn at(&mut self, place: &Path) -> Option<Archive> {
        if self.0.as_ref().is_none_or(|(path, _)| path != place) {
            // One that is not finished has another name.
            let part = part_of(place);
            let path = [place, &part].into_iter().find(|path| path.is_file())?;
            self.0 = Some((place.to_owned(), Arc::new(contents(path))));
        }
        self.0.as_ref().map(|(_, contents)| Arc::clone(contents))
    }
}

/// Reads an archive once, from its beginning to its end or to where it is cut off.
fn contents(path: &Path) -> Result<Contents, String> {
    let fail = |e: &dyn std::fmt::Display| format!("the archive {}: {e}", path.display());
    let file = files::open_for_passes(path).map_err(|e| fail(&e))?;
    let mut archive = tar::Archive::new(BufReader::new(file));
    let mut contents = Contents::default();
    for entry in archive.entries().map_err(|e| fail(&e))? {
        // An unfinished one may be cut off in the middle: what stands before that counts.
        let Ok(mut entry) = entry else { break };
        let name = entry.path().map_err(|e| fail(&e))?.to_string_lossy().into_owned();
        let Some((folder, file)) = name.split_once('/') else { continue };
        let folder = print(folder);
        let held = match file {
            "key.pem" | THIN_EDGE_KEY => {
                let mut bytes = Vec::new();
                if (&mut entry).take(files::MAX_READ).read_to_end(&mut bytes).is_err() {
                    break;
                }
                held(&SecretBytes::new(bytes))
            }
            "keystore.p12" | "keystore.jks" if !contents.0.contains_key(&folder) => Held::Sealed,
            _ => continue,
        };
        contents.0.insert(folder, held);
    }
    Ok(contents)
}

fn held(bytes: &SecretBytes) -> Held {
    if is_encrypted(bytes.expose()) {
        return Held::Sealed;
    }
    match PrivateKey::read(bytes.expose(), None) {
        Ok(key) => Held::Key(sha256(key.public_key().spki())),
        Err(e) => Held::Damaged(e.to_string().into()),
    }
}
