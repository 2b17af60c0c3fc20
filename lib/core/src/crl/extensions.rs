//! What the extensions of a revocation list say of it.

use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::revocation_list::CertificateRevocationList;

use super::entries::{self, Entries};
use super::scope::Scope;
use crate::cert::Serial;

/// deltaCRLIndicator and issuingDistributionPoint (RFC 5280, 5.2.4 and 5.2.5).
const DELTA: &str = "2.5.29.27";
const DISTRIBUTION_POINT: &str = "2.5.29.28";

/// The first critical extension that is not processed. certificateIssuer is, in an indirect list.
pub(super) fn critical(
    crl: &CertificateRevocationList<'_>,
    scope: &Result<Option<Scope>, &'static str>,
) -> Option<String> {
    let indirect = matches!(scope, Ok(Some(scope)) if scope.indirect);
    let processed = |e: &&X509Extension<'_>| {
        matches!(e.oid.to_id_string().as_str(), DELTA | DISTRIBUTION_POINT)
    };
    let of_entry =
        |e: &&X509Extension<'_>| indirect && e.oid.to_id_string() == entries::CERTIFICATE_ISSUER;
    let entries = crl.iter_revoked_certificates().flat_map(|entry| entry.extensions());
    let mut of_entries = entries.filter(|e| e.critical && !of_entry(e));
    let mut of_list = crl.extensions().iter().filter(|e| e.critical && !processed(e));
    let first = of_list.next().or_else(|| of_entries.next());
    first.map(|e| crate::ber::oid_text(&e.oid))
}

fn find<'a>(crl: &'a CertificateRevocationList<'_>, oid: &str) -> Option<&'a X509Extension<'a>> {
    crl.extensions().iter().find(|e| e.oid.to_id_string() == oid)
}

/// BaseCRLNumber of a delta list.
pub(super) fn base(crl: &CertificateRevocationList<'_>) -> Option<Serial> {
    let delta = find(crl, DELTA)?;
    let number = yasna::parse_der(delta.value, |reader| reader.read_tagged_der()).ok()?;
    (number.tag() == yasna::tags::TAG_INTEGER).then(|| Serial::from_octets(number.value()))
}

/// What the list is for, whether the extension that says so is marked as critical or not: an issuer that
/// forgets the mark has not made its list complete by that.
pub(super) fn scope(
    crl: &CertificateRevocationList<'_>,
    entries: &Entries,
) -> Result<Option<Scope>, &'static str> {
    let count = |oid| crl.extensions().iter().filter(|e| e.oid.to_id_string() == oid).count();
    if count(DISTRIBUTION_POINT) > 1 || count(DELTA) > 1 {
        return Err("has an extension twice that is allowed only once");
    }
    let unread = "has an issuingDistributionPoint that cannot be read or contradicts itself";
    let scope = match find(crl, DISTRIBUTION_POINT) {
        Some(extension) => Some(Scope::from_der(extension.value).ok_or(unread)?),
        None => None,
    };
    if entries.unread {
        return Err("has a certificateIssuer that cannot be read");
    }
    let indirect = scope.as_ref().is_some_and(|scope| scope.indirect);
    if !entries.others.is_empty() && !indirect {
        return Err(
            "has a certificateIssuer, which only an indirect list may have (RFC 5280, 5.3.3)",
        );
    }
    if find(crl, DELTA).is_some() {
        return match base(crl) {
            Some(_) => Ok(scope),
            None => Err("has a deltaCRLIndicator that cannot be read"),
        };
    }
    if crl.iter_revoked_certificates().any(entries::removes) {
        return Err(NO_REMOVALS);
    }
    Ok(scope)
}

/// What is wrong with a complete list with `removeFromCRL`.
const NO_REMOVALS: &str =
    "has an entry removeFromCRL, which only a delta list may have (RFC 5280, 5.3.1)";

/// What tells that a list is not a whole one, whether it is marked as critical or not: an issuer that
/// forgets the mark has not made its list complete by that.
pub(super) fn incomplete(crl: &CertificateRevocationList<'_>) -> Option<&'static str> {
    match () {
        () if find(crl, DELTA).is_some() => Some("is a delta list, which has only the changes"),
        () if find(crl, DISTRIBUTION_POINT).is_some() => {
            Some("covers only a part of the certificates (issuingDistributionPoint)")
        }
        () if crl.iter_revoked_certificates().any(entries::removes) => Some(NO_REMOVALS),
        () => None,
    }
}

pub(super) fn authority_key_id(crl: &CertificateRevocationList<'_>) -> Option<Vec<u8>> {
    crl.extensions().iter().find_map(|e| match e.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => {
            id.key_identifier.as_ref().map(|k| k.0.to_vec())
        }
        _ => None,
    })
}
