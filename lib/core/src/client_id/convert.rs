//! Identifiers from text and from each other, by Rust's own traits.

use std::str::FromStr;

use super::{ClientId, ClientIdError, DeviceId};

impl FromStr for DeviceId {
    type Err = ClientIdError;

    /// As [`DeviceId::parse`].
    fn from_str(text: &str) -> Result<Self, ClientIdError> {
        Self::parse(text)
    }
}

impl AsRef<str> for DeviceId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientId {
    type Err = ClientIdError;

    /// As [`ClientId::parse`].
    fn from_str(text: &str) -> Result<Self, ClientIdError> {
        Self::parse(text)
    }
}

impl From<DeviceId> for ClientId {
    /// As [`ClientId::of_device`].
    fn from(device: DeviceId) -> Self {
        Self::of_device(device)
    }
}
