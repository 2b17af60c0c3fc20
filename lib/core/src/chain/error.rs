//! Why certificates make no chain.

use serde::ser::SerializeStruct;

use super::refusal::Refusal;
use crate::failure::{Failure, Fault, Hint, Setting};
use crate::name::Name;

/// Why certificates make no chain, or not one to trust.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChainError {
    /// Nothing to work with.
    #[error("there are no certificates to put in order")]
    Empty,
    /// Nothing to trust.
    #[error("no trusted certificate is given")]
    NoAnchors,
    /// Several certificates issued none of the others.
    #[error("several certificates could be the first of the chain: {}", .0.join("; "))]
    AmbiguousLeaf(Vec<String>),
    /// Every certificate issued another one.
    #[error("no certificate could be the first of the chain: each has issued another one")]
    NoLeaf,
    /// No certificate is the one that the caller chose.
    #[error("none of the certificates has {0}")]
    LeafNotFound(String),
    /// Several certificates could come next.
    #[error("{subject} has several possible issuers: {}", issuers.join("; "))]
    AmbiguousIssuer {
        /// The certificate whose issuer is in doubt.
        subject: Name,
        /// Its possible issuers, each with its serial number.
        issuers: Vec<String>,
    },
    /// A certificate breaks a rule.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The certificates are so many, or so entangled, that the search was given up.
    #[error(
        "stopped after {limit} {what}: these certificates seem to be made to take too much time"
    )]
    BudgetExceeded {
        /// What was counted.
        what: &'static str,
        /// The limit.
        limit: u32,
    },
}

impl ChainError {
    /// The error's name in JSON: it does not change between versions. For a refusal it is the code
    /// of the [rule](super::Rule).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NoAnchors => "no-anchors",
            Self::AmbiguousLeaf(_) => "ambiguous-leaf",
            Self::NoLeaf => "no-leaf",
            Self::LeafNotFound(_) => "leaf-not-found",
            Self::AmbiguousIssuer { .. } => "ambiguous-issuer",
            Self::Refused(refusal) => refusal.rule.code(),
            Self::BudgetExceeded { .. } => "budget-exceeded",
        }
    }

    /// The refusal, if a certificate was refused.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

impl Failure for ChainError {
    fn fault(&self) -> Fault {
        match self {
            Self::Refused(refusal) => refusal.fault(),
            Self::Empty
            | Self::NoAnchors
            | Self::AmbiguousLeaf(_)
            | Self::NoLeaf
            | Self::LeafNotFound(_)
            | Self::AmbiguousIssuer { .. }
            | Self::BudgetExceeded { .. } => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        let text = match self {
            Self::AmbiguousLeaf(_) => {
                return Some(Hint::give("name the device's certificate", Setting::Leaf));
            }
            Self::AmbiguousIssuer { .. } => "leave out the CA certificates that are not in use",
            Self::NoAnchors => "name at least one CA certificate to trust",
            Self::BudgetExceeded { .. } => "leave out the certificates that are not needed",
            Self::Refused(refusal) => return refusal.hint(),
            _ => return None,
        };
        Some(text.into())
    }
}

impl serde::Serialize for ChainError {
    /// The fields of a [`Refusal`], of which the first three are null for other errors.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let refusal = self.refusal();
        let mut out = serializer.serialize_struct("ChainError", 6)?;
        out.serialize_field("position", &refusal.map(|r| r.position))?;
        out.serialize_field("subject", &refusal.map(|r| &r.subject))?;
        out.serialize_field("reference", &refusal.map(|r| r.rule.reference()))?;
        out.serialize_field("rule", self.code())?;
        out.serialize_field("message", &self.to_string())?;
        out.serialize_field("hint", &self.hint())?;
        out.end()
    }
}

impl From<Refusal> for ChainError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}
