//! A blocking MQTT 3.1.1 session of a device (OASIS MQTT 3.1.1; platform: "MQTT").
//!
//! Clean session always, as the platform demands; never retained messages, which have no effect
//! there. One message is on its way at a time: [`Session::publish`] returns when it is
//! acknowledged. The session keeps itself alive only while it [receives](Session::receive).
//!
//! A session may last for ever; each exchange in it (CONNECT, SUBSCRIBE, a message that is acknowledged, a
//! packet that has begun to come) has the time of [`ConnectOptions::timeout`].
//!
//! Refused: messages beyond the platform's limit, topics with wildcards to publish on, more than
//! [`MOST`] bytes in a packet that is received, more than [`MOST_WAITING`] messages before an answer.

mod error;
mod frame;
mod inbox;
mod packets;
mod session;

use std::fmt;
use std::io::{Read, Write};
use std::time::Duration;

pub use error::{MqttError, Waiting};
pub use session::Session;

use super::smartrest::{BOOTSTRAP, TOKEN};
use crate::client_id::ClientId;
use crate::net::Deadline;
use crate::secret::Password;

/// Most bytes of a packet that is received; operations of the platform are far below.
pub const MOST: u32 = 1 << 20;

/// Most messages that may come before an answer that is waited for. The platform sends each pending operation
/// of a device as a message; a device that was away for long has some hundreds of them.
pub const MOST_WAITING: usize = 10_000;

/// Most bytes of them: those of a thousand messages of the largest size that the platform allows (16,184
/// bytes; platform: "MQTT").
pub const MOST_WAITING_BYTES: usize = 16 << 20;

/// A connection to speak MQTT over.
pub trait Transport: Read + Write {
    /// When reading and writing has to be over, from now on. What takes longer fails with
    /// `ErrorKind::WouldBlock` or `ErrorKind::TimedOut`, and nothing that came is lost by it.
    fn set_deadline(&mut self, deadline: Deadline);
}

/// How sure a delivery is (MQTT 3.1.1, 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Qos {
    /// At most once.
    AtMostOnce,
    /// At least once.
    AtLeastOnce,
    /// Exactly once.
    ExactlyOnce,
}

/// What the server publishes when the connection is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: String,
    /// How surely.
    pub qos: Qos,
}

/// How to connect.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Who: the device in it must be the common name of its certificate.
    pub client_id: ClientId,
    /// User and password, for devices without certificate; the tenant's id alone as the user for
    /// the MQTT Service of port 9883.
    pub user: Option<(String, Option<Password>)>,
    /// Seconds between signs of life; 0 is none at all.
    pub keep_alive: u16,
    /// The last will.
    pub will: Option<Will>,
    /// How long an exchange may take: from CONNECT, SUBSCRIBE or a message to the end of the answer.
    pub timeout: Duration,
}

impl ConnectOptions {
    /// With certificate, 60 seconds between signs of life, 10 seconds for an answer.
    pub fn new(client_id: ClientId) -> Self {
        let timeout = Duration::from_secs(10);
        Self { client_id, user: None, keep_alive: 60, will: None, timeout }
    }
}

/// A message that came. `Debug` leaves out what it says where that is a token or a password.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// Where it was published.
    pub topic: String,
    /// What it says.
    pub payload: Vec<u8>,
    /// How surely it was delivered.
    pub qos: Qos,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Message");
        shown.field("topic", &self.topic);
        match self.topic.as_str() {
            TOKEN | BOOTSTRAP => shown.field("bytes", &self.payload.len()),
            _ => shown.field("payload", &String::from_utf8_lossy(&self.payload)),
        };
        shown.field("qos", &self.qos).finish()
    }
}
