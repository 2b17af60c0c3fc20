//! Certificates for devices that connect to Cumulocity IoT over mutual TLS.

pub mod authority;
pub mod bulk;
pub mod cert;
pub mod chain;
pub mod client_id;
pub mod crl;
pub mod crypto;
pub mod csr;
pub mod describe;
pub mod error;
pub mod files;
pub mod issue;
pub mod key;
pub mod name;
pub mod platform;
pub mod profile;
pub mod registration;
pub mod registry;
pub mod rollout;
pub mod secret;
pub mod store;

pub use error::{Error, Fault};
