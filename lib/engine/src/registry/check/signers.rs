//! Is a recorded certificate what its row says, and signed by a recorded CA?
//!
//! Each row is first held to what nearly all of them are: a certificate that one of the CAs has signed with
//! the algorithm of its key. For that it is parsed without its extensions, which the signature vouches for,
//! and the CA's key is read once for all. What does not pass there is looked at in full, and only
//! that says what is wrong.

use std::collections::HashMap;

use x509_parser::certificate::{X509Certificate, X509CertificateParser};
use x509_parser::nom::Parser;

use crate::cert::Certificate;
use crate::crypto::{SignatureAlgorithm, Verifier};
use crate::registry::Role;
use crate::registry::holder::common_name;
use crate::registry::row::Row;

/// The recorded CAs.
pub(super) struct Signers {
    cas: Vec<Certificate>,
    /// Their keys, by the DER of their names.
    keys: HashMap<Vec<u8>, Vec<Verifier>>,
}

impl Signers {
    pub(super) fn new(cas: Vec<Certificate>) -> Self {
        let mut keys: HashMap<Vec<u8>, Vec<Verifier>> = HashMap::new();
        let mut known: Vec<(&[u8], &[u8])> = Vec::new();
        for ca in &cas {
            // A renewed CA has its key still.
            if known.contains(&(ca.subject.der(), &ca.spki)) {
                continue;
            }
            known.push((ca.subject.der(), &ca.spki));
            // A key that cannot verify is left to the look in full.
            let Some(key) = ca.public_key.as_ref().ok().and_then(|key| Verifier::new(key).ok())
            else {
                continue;
            };
            keys.entry(ca.subject.der().to_vec()).or_default().push(key);
        }
        Self { cas, keys }
    }

    /// What is wrong with a recorded certificate.
    pub(super) fn fault_of(&self, row: &Row<'_>) -> Option<String> {
        if self.is_good(row) { None } else { fault_of(row, &self.cas) }
    }

    /// Whether it is what its row says, and one of the CAs has signed it. False also where that takes a
    /// closer look.
    fn is_good(&self, row: &Row<'_>) -> bool {
        let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
        let Ok((rest, cert)) = parser.parse(row.der) else { return false };
        rest.is_empty() && is_of(row, &cert) && self.has_signed(&cert)
    }

    fn has_signed(&self, cert: &X509Certificate<'_>) -> bool {
        let tbs = &cert.tbs_certificate;
        let Some(keys) = self.keys.get(tbs.issuer.as_raw()) else { return false };
        let Ok(algorithm) = SignatureAlgorithm::from_identifier(&cert.signature_algorithm) else {
            return false;
        };
        let signature = &cert.signature_value.data;
        keys.iter().any(|key| key.algorithm() == algorithm && key.accepts(tbs.as_ref(), signature))
    }
}

/// Whether a certificate has the serial number, the validity and the device of its row.
fn is_of(row: &Row<'_>, cert: &X509Certificate<'_>) -> bool {
    let tbs = &cert.tbs_certificate;
    let names_device = |id: &str| {
        let mut names = tbs.subject.iter_common_name();
        let is_it = names
            .next()
            .is_some_and(|name| name.as_str().is_ok_and(|name| name == common_name(id)));
        is_it && names.next().is_none()
    };
    tbs.raw_serial() == row.serial
        && tbs.validity.not_before.timestamp() == row.not_before
        && tbs.validity.not_after.timestamp() == row.not_after
        && row.client_id.is_none_or(names_device)
}

/// The same in full, with the reason.
fn fault_of(row: &Row<'_>, cas: &[Certificate]) -> Option<String> {
    let holder = row.client_id.unwrap_or(row.ca);
    let serial = crate::crypto::hex(row.serial);
    let what = format!("the certificate {serial} of {holder}");
    let cert = match Certificate::from_der(row.der) {
        Ok(cert) => cert,
        Err(e) => return Some(format!("{what} cannot be read: {e}")),
    };
    let same = cert.serial.bytes() == row.serial
        && cert.not_before.unix_timestamp() == row.not_before
        && cert.not_after.unix_timestamp() == row.not_after;
    if !same {
        return Some(format!("{what} has another serial number or validity than its row"));
    }
    if row.client_id.is_some() && cert.subject.common_name() != row.client_id.map(common_name) {
        return Some(format!("{what} has the subject {}", cert.subject));
    }
    let by = |ca: &Certificate| {
        ca.subject.matches(&cert.issuer)
            && ca.public_key.as_ref().is_ok_and(|key| cert.verify_signature(key).is_ok())
    };
    if cas.iter().any(by) {
        return None;
    }
    // A CA that was taken in may have an issuer that was not.
    if row.role == Role::Ca.name() && !cas.iter().any(|ca| ca.subject.matches(&cert.issuer)) {
        return None;
    }
    Some(format!("{what} is not signed by a recorded CA named {}", cert.issuer))
}
