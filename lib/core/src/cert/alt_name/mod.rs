//! Names for a subjectAltName that is to be made (RFC 5280, 4.2.1.6): as people write them, and as DER.
//!
//! | written | form |
//! | --- | --- |
//! | `DNS:broker.example.com` | dNSName, also `DNS:*.example.com` |
//! | `IP:192.0.2.7`, `IP:2001:db8::7` | iPAddress |
//! | `URI:urn:example:device:7` | uniformResourceIdentifier |
//! | `email:line@example.com` | rfc822Name |
//! | `hardwareModuleName:1.3.6.1.4.1.32473.7:SN-7` | otherName of RFC 4108, section 5, which IEEE 802.1AR uses: the type of the hardware, and its serial number |
//!
//! The same prefixes as OpenSSL's, in any case. Names that verifiers would read in several ways are refused.

mod forms;
mod name;
mod pattern;
mod request;

pub(crate) use name::extension_value;
pub use name::{AltName, AltNameError, MAX_ALT_NAMES};
pub use pattern::AltNamePattern;
pub(crate) use request::asked_in;

#[cfg(test)]
mod tests;
