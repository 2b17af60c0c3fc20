//! Certificate revocation lists (RFC 5280, section 5): made, and read.

mod entries;
mod error;
mod extensions;
mod list;
mod making;
mod reason;
mod scope;
mod upload;

pub use entries::OfOthers;
pub use error::CrlError;
pub use list::Crl;
pub use making::make;
pub use reason::{Reason, Revoked, UnknownReason};
pub use scope::{Only, Scope};
pub use upload::{PLATFORM_ROWS, platform_csv};
