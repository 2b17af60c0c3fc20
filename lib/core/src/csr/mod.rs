//! Certificate requests (PKCS#10, RFC 2986): made, read, and checked for possession of the key.
//!
//! | file | for |
//! | --- | --- |
//! | `request` | any request: made, read, its signature and its key checked |
//! | `ca` | what a request for a CA asks for, and what of it may be given |
//!
//! Refused: keys that are too short or weak ([`WeakKey`](crate::crypto::WeakKey)), signatures made with MD5 or SHA-1.

mod ca;
mod request;

pub use ca::{CaAsked, CaAskedError, CaGrant, Limited, make_for_ca};
pub use request::{CsrError, Request, make, pem};
