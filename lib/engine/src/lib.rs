//! What the command line of [`c8y-pki`](https://docs.rs/c8y-pki) stands on: directories of CAs and their registry, runs over
//! device lists, the platform's client, the device over MQTT, and the whole job from one file.
//!
//! **No promise of stability**: anything here changes from one version to the next. Add `c8y-pki`, which offers what
//! is meant for others.

pub(crate) use c8y_pki_core::{
    armor, ber, cert, chain, client_id, clock, crl, crypto, csr, der, failure, in_memory, issue,
    key, name, openssl, profile, read, secret, shown, store,
};
#[cfg(feature = "sandbox")]
pub(crate) use c8y_pki_sandbox as sandbox;

pub mod backup;
pub mod device;
pub mod enrolment;
pub mod error;
pub mod files;
pub mod inspect;
pub mod labels;
pub mod list;
pub mod manifest;
mod net;
mod numbers;
pub mod orders;
pub mod pki;
pub mod platform;
pub mod provision;
pub mod registration;
pub mod registry;
pub mod rollback;
pub mod rollout;
pub mod selftest;
#[cfg(feature = "serve")]
pub mod serve;
pub mod servers;
pub mod status;
/// Certificates for tests, written field by field.
#[cfg(test)]
use c8y_pki_core::chain::testing;

pub use error::Error;
