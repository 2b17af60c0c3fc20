//! One device that is to be issued.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::lines::Counted;
use crate::client_id::DeviceId;
use crate::crypto::PublicKey;
use crate::name::Name;
use crate::secret::Password;

/// Where a device's key comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DeviceKey {
    /// A new one is made.
    #[default]
    New,
    /// The device keeps it; its request has proven that. No key is written.
    Requested(PublicKey),
    /// It is in a file, which keeps its form: an encrypted key stays encrypted under its password.
    File {
        /// The file.
        path: PathBuf,
        /// Its password, if it has one.
        password: Option<Password>,
    },
}

/// A device to be issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its identifier.
    pub id: DeviceId,
    /// Where its key comes from.
    pub key: DeviceKey,
    /// Its whole subject, in place of the run's.
    pub subject: Option<Name>,
    /// Its line in the list (from 1), if it came from one.
    pub line: Option<u64>,
    /// What its list calls that.
    pub counted: Counted,
    /// The other columns of its row that are not empty.
    pub details: BTreeMap<String, String>,
}

impl From<DeviceId> for Device {
    /// A device of which nothing but its identifier is given, and that gets a new key.
    fn from(id: DeviceId) -> Self {
        Self {
            id,
            key: DeviceKey::New,
            subject: None,
            line: None,
            counted: Counted::default(),
            details: BTreeMap::new(),
        }
    }
}

impl Device {
    /// The identifier as messages name it: with its line, if it has one.
    pub(crate) fn named(&self) -> String {
        let place =
            self.line.map_or_else(String::new, |line| format!(" ({} {line})", self.counted));
        format!("device id {:?}{place}", self.id.as_str())
    }
}
