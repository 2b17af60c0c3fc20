//! How a path is validated.

use time::OffsetDateTime;

use super::policy::Policies;
use crate::cert::LongestChain;
use crate::cert::oid;

/// What the leaf is going to be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Purpose {
    /// A device that connects (id-kp-clientAuth).
    #[default]
    ClientAuth,
    /// A server that devices connect to (id-kp-serverAuth).
    ServerAuth,
    /// Anything: extended key usages and the leaf's key usage are not looked at.
    Any,
}

impl Purpose {
    /// The name and object identifier that an extended key usage must hold; none for any.
    pub(super) fn wanted(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::ClientAuth => Some(("clientAuth", oid::CLIENT_AUTH)),
            Self::ServerAuth => Some(("serverAuth", oid::SERVER_AUTH)),
            Self::Any => None,
        }
    }
}

/// How to validate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The time for which to validate; fractions of a second do not count.
    #[doc(hidden)]
    pub at: OffsetDateTime,
    /// What the leaf is for.
    #[doc(hidden)]
    pub purpose: Purpose,
    /// Most intermediates between leaf and anchor, self-issued ones included: it bounds length and
    /// work, unlike a path length constraint.
    #[doc(hidden)]
    pub max_depth: u8,
    /// Whether duties of issuers ([`Rule::is_duty`](super::Rule::is_duty)) are enforced too.
    #[doc(hidden)]
    pub strict: bool,
    /// Which certificate policies are asked for.
    #[doc(hidden)]
    pub policies: Policies,
}

impl Options {
    /// Validation for a device at a time, with chains as long as those of the cloud ([`LongestChain::CLOUD`]).
    pub fn new(at: OffsetDateTime) -> Self {
        Self {
            at,
            purpose: Purpose::default(),
            max_depth: LongestChain::CLOUD.between(),
            strict: false,
            policies: Policies::default(),
        }
    }

    /// The same with chains as long as those of an installation, both ends counted.
    #[must_use]
    pub fn up_to(self, longest: LongestChain) -> Self {
        Self { max_depth: longest.between(), ..self }
    }

    /// The same, with what only issuers owe enforced too ([`Rule::is_duty`](super::Rule::is_duty)).
    #[must_use]
    pub fn strict(self) -> Self {
        Self { strict: true, ..self }
    }
}
