//! The other half of `registry check`: is every live device's key where it was written, and its own?

use std::path::Path;

use super::BulkError;
use crate::files;
use crate::key::{PrivateKey, read::is_encrypted};
use crate::registry::{Checked, Filter, Record, Registry, Role, Status};

/// How many keys were looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Keys {
    /// Keys that fit their live certificates.
    pub good: u64,
    /// Files that are there, but encrypted, so that nothing can be said of what is in them.
    pub sealed: u64,
    /// Devices that keep their keys themselves.
    pub with_device: u64,
}

/// Looks for the key of every live device in the folder in which it was put. What is missing or does
/// not fit is noted in `checked`.
pub fn check_keys(registry: &Registry, checked: &mut Checked) -> Result<Keys, BulkError> {
    let mut keys = Keys::default();
    let filter =
        Filter { role: Some(Role::Device), status: Some(Status::Live), ..Filter::default() };
    registry.each(&filter, |record| -> Result<(), BulkError> {
        match &record.location {
            Some(folder) if record.has_key => match look(&record, folder) {
                Ok(Found::Good) => keys.good += 1,
                Ok(Found::Sealed) => keys.sealed += 1,
                Err(problem) => checked.note("key", problem),
            },
            _ => keys.with_device += 1,
        }
        Ok(())
    })?;
    Ok(keys)
}

enum Found {
    Good,
    Sealed,
}

fn look(record: &Record, folder: &Path) -> Result<Found, String> {
    let id = record.client_id.as_deref().unwrap_or_default();
    let path = folder.join("key.pem");
    if !path.exists() {
        let stores = ["keystore.p12", "keystore.jks"];
        if stores.iter().any(|name| folder.join(name).exists()) {
            return Ok(Found::Sealed);
        }
        let staging = folder.with_file_name(super::staging::FOLDER);
        let where_else = match staging.exists() {
            true => "; a run is not finished: it may be in its staging, and run again it goes on",
            false => "",
        };
        return Err(format!("the key of {id:?} is not in {}{where_else}", folder.display()));
    }
    let bytes = files::read(&path).map_err(|e| format!("the key of {id:?}: {e}"))?;
    if is_encrypted(&bytes) {
        return Ok(Found::Sealed);
    }
    let key = PrivateKey::read(&bytes, None)
        .map_err(|e| format!("the key of {id:?}, {}: {e}", path.display()))?;
    match record.certificate() {
        Ok(cert) if cert.spki != key.public_key().spki() => Err(format!(
            "the key in {} is not that of the live certificate of {id:?}",
            path.display()
        )),
        _ => Ok(Found::Good),
    }
}
