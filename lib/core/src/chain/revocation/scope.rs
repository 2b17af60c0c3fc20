//! Is a list for a certificate (RFC 5280, 6.3.3 (b)), and for which reasons (6.3.3 (d))?

use crate::cert::{Certificate, DistributionPoint, GeneralName, PointName, Reasons};
use crate::crl::{Crl, Only, Scope};

/// Whether the list may have a say about the certificate, by the names alone: it is its issuer's, or that of
/// a cRLIssuer in the certificate.
pub(super) fn is_named(list: &Crl, cert: &Certificate, points: &[DistributionPoint]) -> bool {
    is_direct(list, cert) || points.iter().any(|point| is_issuer_of(list, point))
}

/// Whether the certificate's issuer has made the list, by its name.
pub(super) fn is_direct(list: &Crl, cert: &Certificate) -> bool {
    list.issuer.matches(&cert.issuer)
}

fn is_issuer_of(list: &Crl, point: &DistributionPoint) -> bool {
    point.issuer.iter().flatten().any(|name| name.is_directory(&list.issuer))
}

/// The reasons for which the list has the certificate in it, or why it has not, as the end of a sentence
/// that begins with the list.
pub(super) fn cover(
    list: &Crl,
    cert: &Certificate,
    points: &[DistributionPoint],
) -> Result<Reasons, &'static str> {
    let scope = match &list.scope {
        Ok(Some(scope)) => scope,
        Ok(None) => &Scope::default(),
        Err(why) => return Err(why),
    };
    match scope.only {
        Some(Only::Users) if cert.is_ca() => return Err("is not for certificates of CAs"),
        Some(Only::Cas) if !cert.is_ca() => return Err("is for certificates of CAs only"),
        Some(Only::Attributes) => return Err("is for attribute certificates only"),
        _ => {}
    }
    // Last comes what every issuer's list is for, whatever points the certificate has.
    let implicit = DistributionPoint {
        name: Some(PointName::Full(vec![GeneralName::Directory(cert.issuer.clone())])),
        reasons: None,
        issuer: None,
    };
    let of_list = scope.reasons.unwrap_or(Reasons::ALL);
    let fitting = points.iter().chain([&implicit]).filter(|p| fits(list, scope, cert, p));
    let covered = fitting
        .map(|point| of_list.and(point.reasons.unwrap_or(Reasons::ALL)))
        .fold(Reasons::NONE, Reasons::or);
    if covered.is_empty() {
        let indirect = scope.indirect || is_direct(list, cert);
        return Err(match indirect {
            true => "is for another distribution point or for no reason of the certificate's",
            false => "is not an indirect list, and not of the certificate's issuer",
        });
    }
    Ok(covered)
}

/// Whether the list is that of the distribution point (6.3.3 (b) (1) and (2) (i)).
fn fits(list: &Crl, scope: &Scope, cert: &Certificate, point: &DistributionPoint) -> bool {
    let by_issuer = match &point.issuer {
        Some(_) => scope.indirect && is_issuer_of(list, point),
        None => is_direct(list, cert),
    };
    let Some(own) = &scope.point else { return by_issuer };
    let own = own.names(&list.issuer);
    let wanted = match (&point.name, &point.issuer) {
        // A relative name stands behind who makes the list (4.2.1.13).
        (Some(name), Some(_)) => name.names(&list.issuer),
        (Some(name), None) => name.names(&cert.issuer),
        (None, issuer) => issuer.clone().unwrap_or_default(),
    };
    by_issuer && own.iter().any(|a| wanted.iter().any(|b| a.matches(b)))
}
