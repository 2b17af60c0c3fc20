//! SmartREST messages with a meaning of their own: 100, 101 and 400, which a device sends, and 70
//! and 71, which the platform delivers (platform: "Messages", "Topics").
//!
//! What is received and is none of these stays a row of values. A message 70 or 71 with too few
//! values is refused.

use super::error::SmartRestError;
use super::text::parse;
use crate::client_id::DeviceId;
use crate::secret::Password;

/// The type that this program's devices have.
pub const MQTT_DEVICE: &str = "c8y_MQTTDevice";

/// What a device sends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Upstream {
    /// 100: makes the device if it is not there.
    Device {
        /// Its name for people.
        name: String,
        /// Its type.
        device_type: String,
    },
    /// 101: makes a child of the device.
    Child {
        /// The child's identifier.
        id: DeviceId,
        /// Its name for people.
        name: String,
        /// Its type.
        device_type: String,
    },
    /// 400: an event.
    Event {
        /// Its type.
        event_type: String,
        /// Its text.
        text: String,
    },
}

impl Upstream {
    /// The event of the platform's example of a last will: the connection was lost.
    pub fn connection_lost() -> Self {
        Self::Event {
            event_type: "c8y_ConnectionEvent".to_owned(),
            text: "Device connection was lost.".to_owned(),
        }
    }

    /// The values of its row.
    pub fn row(&self) -> Vec<String> {
        let values: Vec<&str> = match self {
            Self::Device { name, device_type } => vec!["100", name, device_type],
            Self::Child { id, name, device_type } => {
                vec!["101", id.as_str(), name, device_type]
            }
            Self::Event { event_type, text } => vec!["400", event_type, text],
        };
        values.into_iter().map(str::to_owned).collect()
    }
}

/// What the platform delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Downstream {
    /// 70: credentials of a device that has a password.
    Credentials {
        /// The tenant's id.
        tenant: String,
        /// The device's user.
        user: String,
        /// Its password.
        password: Password,
    },
    /// 71: a token (JWT).
    Token(Password),
    /// Another row: an operation, or an error.
    Other(Vec<String>),
}

impl Downstream {
    /// Reads all rows of a payload.
    ///
    /// Errors: [`SmartRestError::NotText`], [`SmartRestError::Values`], and those of [`parse`].
    pub fn read(payload: &[u8]) -> Result<Vec<Self>, SmartRestError> {
        let text = std::str::from_utf8(payload).map_err(|_| SmartRestError::NotText)?;
        parse(text)?.into_iter().map(Self::of_row).collect()
    }

    fn of_row(row: Vec<String>) -> Result<Self, SmartRestError> {
        let found = row.len();
        match row.first().map(String::as_str) {
            Some("70") => match <[String; 4]>::try_from(row) {
                Ok([_, tenant, user, password]) => {
                    Ok(Self::Credentials { tenant, user, password: Password::new(password) })
                }
                Err(_) => Err(SmartRestError::Values { number: "70", wanted: 4, found }),
            },
            Some("71") => match <[String; 2]>::try_from(row) {
                Ok([_, token]) => Ok(Self::Token(Password::new(token))),
                Err(_) => Err(SmartRestError::Values { number: "71", wanted: 2, found }),
            },
            _ => Ok(Self::Other(row)),
        }
    }
}
