//! A revocation list made.

use time::OffsetDateTime;

use super::error::CrlError;
use super::list::Crl;
use super::reason::{Reason, Revoked};
use crate::failure::Underlying;
use crate::issue::{IssueError, Issuer, Parts, Recorder, Replace, assemble};

/// Makes a CRL of version 2 with CRL number and authority key identifier (RFC 5280, 5.2).
///
/// `number` must grow from list to list. Errors: the issuer may not sign CRLs, or the dates are
/// the wrong way round.
pub fn make(
    issuer: &Issuer<'_>,
    revoked: &[Revoked],
    number: u64,
    this_update: OffsetDateTime,
    next_update: OffsetDateTime,
) -> Result<Crl, CrlError> {
    let certificate = issuer.certificate();
    if certificate.key_usage.is_some_and(|usage| !usage.has("cRLSign")) {
        return Err(CrlError::NotACrlSigner { issuer: certificate.subject.clone() });
    }
    if next_update <= this_update {
        return Err(CrlError::NoTime);
    }
    let recorder = Recorder::default();
    let params = rcgen::CertificateRevocationListParams {
        this_update,
        next_update,
        crl_number: rcgen::SerialNumber::from(number),
        issuing_distribution_point: None,
        revoked_certs: revoked.iter().map(revoked_params).collect(),
        key_identifier_method: rcgen::KeyIdMethod::PreSpecified(issuer.key_id()),
    };
    params
        .signed_by(&recorder.issuer(issuer.key_id()))
        .map_err(|e| IssueError::Encoding(Underlying::of(e)))?;
    // version, signature, issuer, thisUpdate, nextUpdate, …
    let tbs = Parts::read(&recorder.into_message())?
        .replace(1, Replace::Algorithm(issuer.signer().algorithm()))?
        .replace(2, Replace::Der(certificate.subject.der()))?
        .write();
    Crl::from_der(&assemble(&tbs, issuer.signer())?)
}

fn revoked_params(entry: &Revoked) -> rcgen::RevokedCertParams {
    use rcgen::RevocationReason as R;
    let reason = match entry.reason {
        Reason::Unspecified => None,
        Reason::KeyCompromise => Some(R::KeyCompromise),
        Reason::CaCompromise => Some(R::CaCompromise),
        Reason::AffiliationChanged => Some(R::AffiliationChanged),
        Reason::Superseded => Some(R::Superseded),
        Reason::CessationOfOperation => Some(R::CessationOfOperation),
        Reason::CertificateHold => Some(R::CertificateHold),
        Reason::PrivilegeWithdrawn => Some(R::PrivilegeWithdrawn),
    };
    rcgen::RevokedCertParams {
        serial_number: rcgen::SerialNumber::from_slice(entry.serial.bytes()),
        revocation_time: entry.at,
        reason_code: reason,
        invalidity_date: None,
    }
}
