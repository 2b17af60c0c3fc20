//! The pure core of [`c8y-pki`](https://docs.rs/c8y-pki), which is the crate to add: bytes in, bytes out.
//!
//! Secrets, DER, cryptography, names, certificates, profiles, keys, requests, issuing, revocation lists, chains and
//! stores. There is no file, network, environment or clock here: what was read and the time are arguments. The one
//! exception is [`key::pkcs11`] (feature `pkcs11`), which loads a module and talks to a token.
//!
//! What is hidden in this documentation is for the crates beside this one, and changes without notice.

#[doc(hidden)]
pub mod armor;
#[doc(hidden)]
pub mod ber;
pub mod cert;
pub mod chain;
pub mod client_id;
pub mod clock;
pub mod crl;
pub mod crypto;
pub mod csr;
#[doc(hidden)]
pub mod der;
pub mod failure;
pub mod in_memory;
pub mod issue;
pub mod key;
pub mod name;
pub mod openssl;
pub mod profile;
pub mod read;
pub mod secret;
pub mod shown;
pub mod store;

pub use failure::{Failure, Fault, Hint, Kind, Task};
