//! The device's side of the platform: what it presents, and what it says over MQTT.
//!
//! [`credentials`] reads a device's files, [`link`] connects with them, [`mqtt`] is the session
//! and [`smartrest`] its language. [`connection`] is a session that comes back when it is lost;
//! [`token`] and [`bootstrap`] are what a device asks the platform for. [`check`] does all of it step
//! by step, and [`diagnosis`] says what is likely wrong. Nothing here knows the PKI directory, its registry or the sandbox:
//! certificates, keys and the time are arguments.

mod alert;
pub mod bootstrap;
pub mod check;
pub mod connection;
pub mod credentials;
pub mod diagnosis;
pub mod link;
pub mod mqtt;
pub mod service;
pub mod smartrest;
pub mod token;

pub use alert::Alert;
