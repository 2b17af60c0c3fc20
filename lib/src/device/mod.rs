//! The device's side of the platform: what it says over MQTT.
//!
//! [`smartrest`] is the language, [`mqtt`] the session. Nothing here knows the PKI folder, its
//! registry or the sandbox: certificates, keys and the time are arguments.

mod alert;
pub mod mqtt;
pub mod smartrest;

pub use alert::Alert;
