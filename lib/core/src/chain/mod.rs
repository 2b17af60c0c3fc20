//! Certificate chains: put in order ([`order`]), validated ([`verify`]), and judged as what a
//! device presents to the platform ([`check_device`]).
//!
//! [`verify`] is path validation by RFC 5280, section 6, with path building by the ideas of
//! RFC 4158. It is our own because a refusal must name the certificate and the [`Rule`], and
//! because the platform's chains are longer than what TLS libraries accept.
//!
//! ```
//! use c8y_pki_core::cert::Certificate;
//! use c8y_pki_core::chain::{ChainError, LeafChoice, Options, order, verify};
//!
//! /// Sorts what is in a heap and validates it up to `root`.
//! fn check(heap: &[Certificate], root: Certificate, options: &Options) -> Result<(), ChainError> {
//!     let chain = order(heap, LeafChoice::Only)?.certificates;
//!     let verified = verify(&chain[0], &chain[1..], &[root], options)?;
//!     assert_eq!(verified.certificates().first(), chain.first());
//!     Ok(())
//! }
//! ```
//!
//! # Decisions
//!
//! Where RFC 5280 leaves a choice, or common practice is laxer:
//! - A trust anchor is a certificate, any one, intermediates included; it is held to the rules of a
//!   CA: validity, extensions, path length, name constraints, key usage. Its signature is not
//!   checked: trust in it comes from being named.
//! - A leaf that is itself an anchor, byte for byte, is a whole path: the platform accepts a
//!   self-signed device certificate that was uploaded. All rules of a leaf apply to it.
//! - The leaf may be a CA certificate (RFC 5280, 4.2.1.9: it does not count for path lengths), so
//!   that an intermediate can be verified; its key usage is then not asked to fit TLS.
//! - What the RFC asks of issuers only ([`Rule::is_duty`]) is a warning; [`Options::strict`] refuses it.
//!   What it only recommends ([`Rule::is_advice`]) is a warning for a strict check, too.
//! - An authorityKeyIdentifier has to be that of the issuer's certificate: its key identifier, and the
//!   issuer and serial number of that certificate, as far as they are there. Servers refuse others.
//! - A CA without keyUsage is accepted (RFC 5280, 6.1.4 (n)).
//! - An extended key usage in a CA, anchors included, must allow the purpose, as for the leaf.
//! - Names of subjectAltName must be well-formed, whether constrained or not. DNS names may have
//!   underscores, as names in use do; an IP address is none. A wildcard breaks a name constraint
//!   when any name it stands for does.
//! - The serial number of an anchor may be zero, as that of many roots in use is.
//! - Times are compared in whole seconds.
//!
//! # Limitations
//!
//! - Revocation is looked at by [`check_revocation`] only, with lists that the caller has.
//! - RSA-PSS is verified only with one hash throughout.
//! - Hosts are not compared with the leaf's names: devices are known by their Common Name, which is
//!   not held to DNS name constraints either.
//! - Mailboxes with a quoted local part or an address literal are refused as malformed.
//! - Work is bounded: [`MAX_SIGNATURE_CHECKS`], [`MAX_PATH_STEPS`], [`MAX_COMPLETE_PATHS`] and
//!   [`MAX_NAME_COMPARISONS`].

mod budget;
mod build;
mod ca;
mod device;
mod duty;
mod error;
mod key_id;
mod name_constraints;
mod options;
mod path;
mod policy;
mod refusal;
mod revocation;
mod rule;
mod rules;
mod verify;

pub use budget::{MAX_COMPLETE_PATHS, MAX_NAME_COMPARISONS, MAX_PATH_STEPS, MAX_SIGNATURE_CHECKS};
pub use build::{LeafChoice, OrderedChain, order};
pub use ca::{check_ca, check_names, check_subject};
pub use device::{DeviceFinding, Mistake, check_device};
pub use error::ChainError;
pub use options::{Options, Purpose};
pub use policy::Policies;
pub use refusal::Refusal;
#[doc(hidden)]
pub use refusal::nth;
pub use revocation::{ListUse, Lists, Lookup, check_revocation};
pub use rule::Rule;
pub use verify::{VerifiedChain, verify};

#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
#[allow(dead_code, missing_docs, reason = "for tests, here and in the crates above")]
pub mod testing;
#[cfg(test)]
mod tests;
