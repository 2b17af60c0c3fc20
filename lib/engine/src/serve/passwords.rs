//! One-time passwords of a file: a registration CSV that has them (`ENROLLMENT_OTP`), or any list with such a column.
//! Kept are their digests.

use std::collections::HashMap;
use std::path::Path;

use super::error::ServeError;
use crate::crypto::sha256;
use crate::files;
use crate::list::DeviceList;
use crate::registration::one_time_password;

/// The digests of one-time passwords, by the ids of their devices.
#[derive(Default)]
pub(super) struct Passwords(HashMap<String, [u8; 32]>);

impl Passwords {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self, ServeError> {
        let bytes = files::read_small(path)?;
        let list = DeviceList::from_csv(&path.display().to_string(), &bytes)?.without_faults()?;
        let mut all = HashMap::with_capacity(list.devices.len());
        for device in &list.devices {
            if let Some(password) = one_time_password(device)? {
                all.insert(device.id.to_string(), sha256(password.expose().as_bytes()));
            }
        }
        if all.is_empty() { Err(ServeError::NoPasswords(path.to_owned())) } else { Ok(Self(all)) }
    }

    /// Whether it is the password of that device.
    pub(super) fn opens(&self, id: &str, password: &str) -> bool {
        self.0.get(id).is_some_and(|kept| is_same(kept, password))
    }
}

/// Whether a digest is that of a password. What is compared are digests: how many of their first bytes are the same
/// says nothing of the password.
pub(super) fn is_same(kept: &[u8; 32], password: &str) -> bool {
    let given = sha256(password.as_bytes());
    kept.iter().zip(given).fold(0, |other, (a, b)| other | (a ^ b)) == 0
}
