//! Path validation: its inputs and its result.

use serde::ser::{SerializeSeq, SerializeStruct};

use super::ChainError;
use super::options::Options;
use super::path::Search;
use super::refusal::Refusal;
use super::rules::{self, Role};
use crate::cert::Certificate;
use crate::clock::rfc3339;

/// A path that was validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedChain {
    certificates: Vec<Certificate>,
    warnings: Vec<Refusal>,
}

impl VerifiedChain {
    /// The certificates: the leaf first, each followed by its issuer, the anchor last. Just one if
    /// the leaf is itself an anchor.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// Duties of issuers that its certificates break: rules of RFC 5280 that servers do not enforce.
    /// A strict check leaves only what the RFC recommends.
    pub fn warnings(&self) -> &[Refusal] {
        &self.warnings
    }

    /// The certificates, without copying them.
    pub fn into_certificates(self) -> Vec<Certificate> {
        self.certificates
    }
}

impl serde::Serialize for VerifiedChain {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_seq(Some(self.certificates.len()))?;
        for (position, cert) in self.certificates.iter().enumerate() {
            out.serialize_element(&Link { position, cert })?;
        }
        out.end()
    }
}

struct Link<'a> {
    position: usize,
    cert: &'a Certificate,
}

impl serde::Serialize for Link<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Link", 6)?;
        out.serialize_field("position", &self.position)?;
        out.serialize_field("subject", &self.cert.subject)?;
        out.serialize_field("issuer", &self.cert.issuer)?;
        out.serialize_field("serial", &self.cert.serial.to_string())?;
        out.serialize_field("not_after", &rfc3339(self.cert.not_after))?;
        out.serialize_field("fingerprint_sha256", &self.cert.fingerprint_sha256())?;
        out.end()
    }
}

/// Finds a path from `leaf` over any of `intermediates`, in whatever order, to one of `anchors`
/// and validates it; see the module's page for the rules.
///
/// Errors: [`ChainError::NoAnchors`]; [`ChainError::Refused`] with the certificate and the rule,
/// of the path that came closest when there are several; [`ChainError::BudgetExceeded`].
pub fn verify(
    leaf: &Certificate,
    intermediates: &[Certificate],
    anchors: &[Certificate],
    options: &Options,
) -> Result<VerifiedChain, ChainError> {
    if anchors.is_empty() {
        return Err(ChainError::NoAnchors);
    }
    let at = options.at.replace_nanosecond(0).unwrap_or(options.at);
    let options = Options { at, ..options.clone() };
    let trusted = anchors.contains(leaf);
    let role = Role { issuer: false, anchor: trusted };
    let of_leaf = |rule| Refusal { position: 0, subject: leaf.subject.clone(), rule };
    let duties = rules::check(leaf, role, &options).map_err(of_leaf)?;
    let mut warnings: Vec<Refusal> = duties.into_iter().map(of_leaf).collect();
    if trusted {
        return Ok(VerifiedChain { certificates: vec![leaf.clone()], warnings });
    }
    let (path, above) = Search::new(leaf, intermediates, anchors, &options).run()?;
    warnings.extend(above);
    Ok(VerifiedChain { certificates: path.into_iter().cloned().collect(), warnings })
}
