//! The platform, seen from outside: its REST interface, and what its TLS server presents.
//!
//! A [`Client`] sends one [`Request`] after the other, and its calls are futures for a tokio runtime; where there is
//! none, [`blocking::Client`] waits for them. What it may repeat, and when, is said by the request ([`Repeat`]).
//! The other modules know the calls: [`trusted`] certificates, their proof of
//! possession ([`pop`]), bulk registration ([`register`]) and registration one by one ([`newcomers`]),
//! revocation ([`crl`]), the platform's own CA ([`authority`]) and enrolment with it ([`est`]), its
//! [`verdict`] on a chain, a device's [`token`], what a user may do ([`tenant`]) and how a device stands there ([`standing`]).
//! Nothing here knows the PKI directory or its registry: certificates, signers and the time are
//! arguments.

pub mod authority;
pub mod blocking;
mod code;
pub mod crl;
mod error;
pub mod est;
pub mod features;
pub mod fetch;
mod host;
mod http;
mod lenient;
pub mod newcomers;
mod pinned;
pub mod pop;
pub mod probe;
pub mod register;
mod request;
mod resolver;
mod scrub;
mod settings;
pub mod standing;
pub mod tenant;
pub mod token;
mod told;
mod transport;
pub mod trusted;
pub mod verdict;
pub mod webhook;

pub use error::{Distrust, PlatformError};
pub use host::Host;
pub use http::{Client, Retry};
pub(crate) use pinned::Pinned;
pub use request::{Body, Method, Repeat, Request};
pub use settings::{Login, Proxy, Settings, bare_host};
pub use tenant::place;
pub use transport::host_and_port;
