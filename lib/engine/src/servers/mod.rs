//! Certificates for what devices talk to: brokers and gateways of the user's own.
//!
//! A server has a [`ServerName`](crate::registry::ServerName), which is its common name and that of its directory, and names beside it
//! (subjectAltName), by which clients know it. The CA's policy says which of these it may have.
//!
//! The registry has one live certificate for a server. A directory gets its name once the registry has the
//! certificate: what a killed process leaves is finished, or removed, by the next call for that server
//! ([`folder`](self)).

mod error;
mod folder;
mod make;
mod order;
mod recorded;

pub use error::ServerError;
pub use make::{Checked, MadeServer, certificates_only, check, make, recover};
pub use order::{ServerFiles, ServerKey, ServerOrder, names_for};
pub use recorded::{alt_names_of, key_type_of, live, profile_of, subject_of};
