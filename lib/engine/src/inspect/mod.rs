//! What a file holds, for people and programs: certificates, requests, CRLs, keys, stores. PKCS#7 is
//! shown as the certificates and CRLs in it.
//!
//! [`inspect`] takes the bytes of any such file, PEM or DER, finds out what it is and returns
//! [`Item`]s: plain data with all that is public in it. A private key shows its public half only.

mod crl;
mod error;
mod extensions;
mod reading;
mod views;

pub use error::InspectError;
pub use extensions::ExtensionView;
pub(crate) use extensions::views as extensions_of;
pub use reading::{Passwords, inspect, needs_password};
pub use views::{CertificateView, CrlView, Item, KeyOrFault, KeyView, RequestView, RevokedView};
