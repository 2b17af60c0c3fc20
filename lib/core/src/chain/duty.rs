//! What RFC 5280 asks of issuers only, told apart from what a server refuses.
//!
//! A chain that breaks such a rule is accepted by the checks that servers are built on, those of Java
//! and OpenSSL (platform: "Rules that certificates must meet"). So it is a warning here, and a refusal
//! only if that is asked for ([`Options::strict`](super::Options::strict)).

use super::rule::Rule;
use crate::cert::oid;

/// Extensions whose missing critical flag changes nothing: what they say is obeyed either way.
const OBEYED_ANYWAY: [&str; 4] = [
    oid::BASIC_CONSTRAINTS,
    oid::NAME_CONSTRAINTS,
    oid::POLICY_CONSTRAINTS,
    oid::INHIBIT_ANY_POLICY,
];

impl Rule {
    /// Whether it is a duty of issuers, which servers do not enforce.
    pub fn is_duty(&self) -> bool {
        match self {
            Self::Version(_)
            | Self::SerialNumber { .. }
            | Self::SubjectKeyIdMissing
            | Self::AuthorityKeyIdMissing
            | Self::SignatureParameters(_)
            | Self::ListSignatureParameters { .. }
            | Self::ListNumberMissing { .. }
            | Self::NoNextUpdate { .. }
            | Self::KeyCertSignWithoutCa
            | Self::PathLengthWithoutCa
            | Self::NameConstraintsWithoutCa => true,
            Self::NotCriticalExtension(id) => OBEYED_ANYWAY.contains(&id.as_str()),
            _ => self.is_advice(),
        }
    }

    /// Whether RFC 5280 only recommends it ("SHOULD"): a warning, even for a strict check.
    pub fn is_advice(&self) -> bool {
        matches!(self, Self::KeyUsageNotCritical)
    }
}
