//! Certificates for devices that connect to Cumulocity IoT over mutual TLS.

pub mod cert;
pub mod chain;
pub mod client_id;
pub mod crypto;
pub mod name;
pub mod secret;
