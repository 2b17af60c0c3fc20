//! Can a CA have devices that servers accept? Asked when a CA made elsewhere is taken in, and before a
//! device's first key is made.

use time::OffsetDateTime;

use super::budget::Budget;
use super::options::Options;
use super::refusal::Refusal;
use super::rule::Rule;
use super::rules::{self, Role};
use super::{ChainError, key_id, name_constraints};
use crate::cert::{AltName, Certificate};
use crate::name::Name;

/// Holds a CA (the first of `chain`, each followed by its issuer) to what servers ask of the issuer of a
/// device, at the time `at`. Position 0 is the CA.
///
/// Errors: no device under it can pass. What comes back may do harm: duties of issuers that the CA
/// breaks, and whatever is wrong with the certificates above it or with its own signature. The
/// platform can do without those if the CA itself is uploaded.
pub fn check_ca(chain: &[Certificate], at: OffsetDateTime) -> Result<Vec<Refusal>, Refusal> {
    let mut warnings = Vec::new();
    let options = Options::new(at);
    for (position, cert) in chain.iter().enumerate() {
        let refusal = |rule| Refusal { position, subject: cert.subject.clone(), rule };
        // Trusted as it stands: whether its signature is good is a question of its own.
        let role = Role { issuer: true, anchor: true };
        match rules::check(cert, role, &options) {
            Ok(duties) => warnings.extend(duties.into_iter().map(refusal)),
            Err(rule) if position == 0 => return Err(refusal(rule)),
            Err(rule) => warnings.push(refusal(rule)),
        }
        if let Err(e) = &cert.signature_algorithm {
            warnings.push(refusal(Rule::SignatureAlgorithm(e.clone())));
        }
        if let Some(Err(rule)) = chain.get(position + 1).map(|above| key_id::check(cert, above)) {
            warnings.push(refusal(rule));
        }
    }
    if let Some((own, above)) = chain.split_first() {
        check_subject(&own.subject, above).map_err(|refusal| match refusal {
            ChainError::Refused(refusal) => *refusal,
            _ => unreachable_names(own),
        })?;
    }
    Ok(warnings)
}

/// More names than are ever compared (a limit of this check).
fn unreachable_names(own: &Certificate) -> Refusal {
    let rule = Rule::MalformedExtension(crate::cert::oid::NAME_CONSTRAINTS.to_owned());
    Refusal { position: 0, subject: own.subject.clone(), rule }
}

/// Whether a subject is within the name constraints of the CAs above it, its issuer first (RFC 5280,
/// 4.2.1.10). In a refusal position 0 is the subject, 1 its issuer.
pub fn check_subject(subject: &Name, cas: &[Certificate]) -> Result<(), ChainError> {
    check_names(subject, &[], cas)
}

/// The same for a subject with names beside it (subjectAltName).
pub fn check_names(
    subject: &Name,
    alt_names: &[AltName],
    cas: &[Certificate],
) -> Result<(), ChainError> {
    let alt_names: Vec<_> = alt_names.iter().map(AltName::general).collect();
    name_constraints::check_names(subject, &alt_names, cas, &mut Budget::new())
}
