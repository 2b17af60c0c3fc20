//! A revocation list as data.

use super::views::{CrlView, RevokedView, algorithm};
use crate::cert::{GeneralName, Serial};
use crate::crl::{Crl, Revoked};
use crate::crypto::hex;

pub(super) fn crl_view(crl: &Crl) -> CrlView {
    CrlView {
        issuer: crl.issuer.clone(),
        number: crl.number.as_ref().map(Serial::to_decimal),
        this_update: crl.this_update,
        next_update: crl.next_update,
        authority_key_id: crl.authority_key_id.as_deref().map(hex),
        signature_algorithm: algorithm(&crl.signature_algorithm, crl.odd_signature_parameters),
        part: crl.incomplete,
        revoked: revoked_views(crl),
    }
}

fn revoked_views(crl: &Crl) -> Vec<RevokedView> {
    let view = |entry: &Revoked, issuer: Option<&String>| RevokedView {
        serial: entry.serial.to_string(),
        at: entry.at,
        reason: entry.reason.name(),
        issuer: issuer.cloned(),
    };
    let mut all: Vec<RevokedView> = crl.revoked.iter().map(|entry| view(entry, None)).collect();
    for others in &crl.others {
        let directory = |name: &GeneralName| match name {
            GeneralName::Directory(name) => Some(name.to_string()),
            _ => None,
        };
        let named = others.issuer.iter().find_map(directory);
        let issuer = named.unwrap_or_else(|| "an issuer that has no distinguished name".to_owned());
        all.extend(others.revoked.iter().map(|entry| view(entry, Some(&issuer))));
    }
    all
}
