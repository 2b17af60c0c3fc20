//! The entries of a revocation list, by the issuer of the certificates that they are about.

use x509_parser::extensions::X509Extension;
use x509_parser::revocation_list::{CertificateRevocationList, RevokedCertificate};

use super::reason::{Reason, Revoked};
use crate::cert::{GeneralName, Serial, names_of_extension};

/// Entries of an indirect list about certificates of another issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfOthers {
    /// The names of the issuer (certificateIssuer; RFC 5280, 5.3.3).
    pub issuer: Vec<GeneralName>,
    /// The revoked certificates.
    pub revoked: Vec<Revoked>,
    /// Certificates that a delta list takes out of the list that it changes.
    pub removed: Vec<Serial>,
}

/// All entries of a list.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) revoked: Vec<Revoked>,
    pub(super) removed: Vec<Serial>,
    pub(super) others: Vec<OfOthers>,
    /// A certificateIssuer that cannot be read: whose the entries behind it are is not certain.
    pub(super) unread: bool,
}

/// The issuer of an entry's certificate, which holds for the entries behind it, too.
pub(super) const CERTIFICATE_ISSUER: &str = "2.5.29.29";

pub(super) fn read(crl: &CertificateRevocationList<'_>) -> Entries {
    let mut all = Entries::default();
    for entry in crl.iter_revoked_certificates() {
        if let Some(extension) = certificate_issuer(entry) {
            match names_of_extension(extension.value) {
                Some(issuer) => {
                    all.others.push(OfOthers { issuer, revoked: Vec::new(), removed: Vec::new() })
                }
                None => all.unread = true,
            }
        }
        let (revoked, removed) = match all.others.last_mut() {
            Some(of_other) => (&mut of_other.revoked, &mut of_other.removed),
            None => (&mut all.revoked, &mut all.removed),
        };
        let serial = Serial::from_octets(entry.raw_serial());
        if removes(entry) {
            removed.push(serial);
            continue;
        }
        let code = entry.reason_code().and_then(|(_, code)| Reason::from_code(code.0));
        let at = entry.revocation_date.to_datetime();
        revoked.push(Revoked { serial, at, reason: code.unwrap_or(Reason::Unspecified) });
    }
    all
}

fn certificate_issuer<'a>(entry: &'a RevokedCertificate<'_>) -> Option<&'a X509Extension<'a>> {
    entry.extensions().iter().find(|e| e.oid.to_id_string() == CERTIFICATE_ISSUER)
}

/// Whether an entry only takes a certificate out of the list: reason code 8 (RFC 5280, 5.3.1).
pub(super) fn removes(entry: &RevokedCertificate<'_>) -> bool {
    const REMOVE_FROM_CRL: u8 = 8;
    entry.reason_code().is_some_and(|(_, code)| code.0 == REMOVE_FROM_CRL)
}
