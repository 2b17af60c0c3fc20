//! The device's side of the platform: what it says over MQTT.
//!
//! [`smartrest`] is the language. Nothing here knows the PKI folder, its registry or the sandbox:
//! certificates, keys and the time are arguments.

pub mod smartrest;
