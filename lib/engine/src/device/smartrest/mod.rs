//! SmartREST 2.0: rows of values in MQTT payloads (platform: "SmartREST is CSV").
//!
//! A row ends with `\n`, its values are separated by `,`. A value with `"`, `,`, CR, LF, a tab, or
//! white space at either end is quoted with `"`; a `"` inside is `\"`, and only there a backslash
//! means more than itself. [`message`] has the rows with a meaning of their own.
//!
//! Refused on writing, because nobody could read it back: a row whose first value, the message's
//! number, is empty; a value that has to be quoted and ends with a backslash, which would escape
//! the closing quote; a packet beyond [`MAX_PACKET`]. Refused on reading: a quote that is not
//! closed, or that stands inside an unquoted value, or that is followed by anything but `,` or the
//! end of the row.
//!
//! ```
//! use c8y_pki_engine::device::smartrest::{self, message::Upstream};
//!
//! # fn main() -> Result<(), c8y_pki_engine::Error> {
//! let name = "Gateway 1, \"north\"".to_owned();
//! let device = Upstream::Device { name, device_type: "c8y_MQTTDevice".to_owned() };
//! let text = smartrest::write(&[device.row()])?;
//! assert_eq!(text, "100,\"Gateway 1, \\\"north\\\"\",c8y_MQTTDevice\n");
//! assert_eq!(smartrest::parse(&text)?, [device.row()]);
//! # Ok(())
//! # }
//! ```

mod error;
pub mod message;
mod packet;
mod payloads;
mod text;

pub use error::SmartRestError;
pub use packet::{MAX_PACKET, packet_length};
pub use payloads::{check_length, payloads};
pub use text::{parse, write};

use crate::client_id::DeviceId;

/// Static templates: where a device publishes.
pub const PUBLISH: &str = "s/us";
/// Operations for the device.
pub const OPERATIONS: &str = "s/ds";
/// What was wrong with a message; for development.
pub const ERRORS: &str = "s/e";
/// An empty message asks for a token.
pub const TOKEN_REQUEST: &str = "s/uat";
/// Tokens come here.
pub const TOKEN: &str = "s/dat";
/// An empty message asks for credentials (devices with a password).
pub const BOOTSTRAP_REQUEST: &str = "s/ucr";
/// Credentials come here.
pub const BOOTSTRAP: &str = "s/dcr";

/// Whether a line that came on [`ERRORS`] tells of an error. That a device exists already is none: each
/// message 100 but the first is answered with it (platform: "`41,100,Device already existing`").
pub fn tells_an_error(line: &str) -> bool {
    let line = line.trim().replace('"', "");
    !line.is_empty() && !line.starts_with("41,100,Device already exist")
}

/// Where a device publishes for one of its children. An identifier holds no separator and no
/// wildcard of topics, so it is one level.
pub fn child_topic(child: &DeviceId) -> String {
    format!("{PUBLISH}/{child}")
}

#[cfg(test)]
mod tests;
