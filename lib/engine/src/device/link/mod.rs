//! A TLS connection as a device makes it (platform: "MQTT"): its whole chain is presented,
//! whatever CAs the server names, and the server has to lead to the device's truststore.
//!
//! Name, TCP and TLS are steps of their own, so that a failure says where it happened.

mod error;
mod handshake;
mod server;
mod target;
mod tls;

pub use error::{LinkError, ServerFault};
pub use handshake::Link;
pub use target::{Target, dial, resolve};
pub(super) use tls::Tls;
pub use tls::{Facts, Identity};

pub use crate::net::{Deadline, Timed};
