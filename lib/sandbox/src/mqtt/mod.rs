//! MQTT over TLS, on a port of its own (platform: "MQTT").
//!
//! TLS lists the CAs that are accepted and takes any client certificate all the same; the chain is judged
//! when the CONNECT has come, and a refusal is a code without a reason. Each CONNECT, each end and each message that is
//! refused is in the list of connections, with the true reason.
//!
//! # Where the platform's documentation leaves a choice
//!
//! - Clean session false: let in, with a line that says so. A ClientId without device identifier: 2. One with more than
//!   three parts: 5 with a certificate, else 2.
//! - A client with a certificate is judged by it alone, whatever user it names.
//! - A user without tenant is refused with 4: unlike REST, MQTT expects `tenant/user`. The user of a device
//!   is `device_<id>` (as `70` tells it) or its id, and it may connect as itself only.
//! - The bootstrap user is `management/devicebootstrap`, with the sandbox's own password. It may
//!   publish `s/ucr` and subscribe `s/dcr` and `s/e`. `70` comes again whenever it is asked for.
//! - A malformed packet closes the connection without a word, as does one that is too large. A
//!   CONNECT has to come within ten seconds.
//! - A message on an unknown topic is acknowledged and dropped. A subscription without its right is
//!   SUBACK 0x80; wildcards are never subscribed. A message goes out with the QoS that was granted.
//! - What would arrive on a topic before it is subscribed is lost.
//! - Of the messages of SmartREST those count that make a device's object, its children and its events; 105
//!   and 123 are answered; others that are known are noted as they are. One that is not known is
//!   `40,<message identifier>,…` on `s/e`, a row that is wrong `41,<message identifier>,<reason>`.
//! - JSON over MQTT is noted when it is JSON.
//! - Of the MQTT Service: messages on topics that are not SmartREST's go nowhere, and no wildcards are granted. A
//!   subscription of QoS 2 is granted with QoS 1 (MQTT 5, 3.2.2.3.4). Clean session false is 5, in MQTT 5 0x87. No
//!   session of MQTT 5 outlives its connection, and no topic aliases are taken. It uses the same connections: a
//!   device is connected once, on either port.
//! - A connection that fails on purpose is not judged, and a device is not registered by it; one that fails
//!   late is.
//! - When a second connection of a device ends the first, the first one's last will is published.

mod admit;
mod connection;
mod frame;
mod hello;
mod messages;
mod notes;
mod packets;
mod session;
mod smartrest;
mod topics;

pub(super) use connection::connection;
pub(super) use frame::LARGEST;
