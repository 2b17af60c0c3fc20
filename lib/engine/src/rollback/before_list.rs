//! What is looked at before a list is made, beside the last list: a registry that has forgotten
//! certificates of a CA may have forgotten that they are revoked.

use std::collections::HashSet;

use time::OffsetDateTime;

use super::{Comparison, RollbackError, compare_with};
use crate::crypto::{hex, sha256};
use crate::pki::{Ca, Pki};
use crate::registry::Scan;

/// A certificate that is out in the world, and that the registry does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// Its SHA-256, as lower-case hex.
    pub sha256: String,
    /// Where it was found, as a sentence.
    pub sentence: String,
}

/// Certificates of a CA, or of another one of its subject, that are in directories, archives and hand-over files
/// and that the registry does not have. What nobody can record, and what was accepted, is left out.
pub fn before_list(pki: &Pki, ca: &Ca, scan: &Scan<'_>) -> Result<Vec<Forgotten>, RollbackError> {
    let subject = &ca.certificate().subject;
    let cas = pki.cas()?;
    let concerns = |name: &str| {
        cas.iter().any(|ca| ca.name == name && ca.certificate().subject.matches(subject))
    };
    let Comparison { certificates, told, .. } = compare_with(pki, &[], scan)?;
    let certificates = certificates
        .iter()
        .filter(|found| found.unfit.is_none() && concerns(&found.ca))
        .map(|found| (hex(&sha256(found.certificate.der())), found.sentence()));
    let told = told
        .iter()
        .filter(|told| concerns(&told.ca))
        .map(|told| (told.sha256.clone(), told.sentence()));
    let (mut forgotten, mut seen) = (Vec::new(), HashSet::new());
    for (sha256, sentence) in certificates.chain(told) {
        if seen.insert(sha256.clone()) && !pki.registry().has_accepted_certificate(&sha256)? {
            forgotten.push(Forgotten { sha256, sentence });
        }
    }
    Ok(forgotten)
}

/// Refuses a list while the registry has forgotten certificates of its CA.
pub fn refuse_forgotten(ca: &Ca, forgotten: &[Forgotten]) -> Result<(), RollbackError> {
    let Some(first) = forgotten.first() else { return Ok(()) };
    Err(RollbackError::Forgotten {
        ca: ca.name.clone(),
        difference: first.sentence.clone(),
        more: forgotten.len() - 1,
    })
}

/// Accepts that the registry does not have them: the audit log keeps it.
pub fn accept_forgotten(
    pki: &mut Pki,
    ca: &Ca,
    forgotten: &[Forgotten],
    now: OffsetDateTime,
) -> Result<(), RollbackError> {
    if forgotten.is_empty() {
        return Ok(());
    }
    let all: Vec<(&str, &str)> =
        forgotten.iter().map(|one| (one.sha256.as_str(), one.sentence.as_str())).collect();
    Ok(pki.registry_mut().accept_forgotten(&ca.name, &all, now)?)
}
