//! CAs that were renewed: the same name and key, another certificate.

use std::path::Path;

use c8y_pki_core::cert::Certificate;
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::platform::trusted::{self, TrustedCertificate};
use time::OffsetDateTime;

use crate::output::Output;
use crate::render::day;

/// Says of which CAs the tenant has several certificates, and of which CAs of the PKI directory it has a former
/// one only. A PKI directory that is not there, or cannot be read, says nothing: the list is the tenant's.
pub(super) fn tell(dir: &Path, all: &[TrustedCertificate], out: Output) {
    for (at, one) in all.iter().enumerate() {
        let others = trusted::renewals(all, one);
        let first = others.iter().all(|other| all[..at].iter().all(|before| before != *other));
        if first && !others.is_empty() {
            let known =
                std::iter::once(one).chain(others).map(shown).collect::<Vec<_>>().join(", ");
            out.note(&format!(
                "The CA {:?} was renewed: the tenant has several certificates of its name and key: {known}",
                one.name
            ));
        }
    }
    if !dir.join("pki.toml").exists() {
        return;
    }
    let Ok(pki) = Pki::open_to_read(dir, OffsetDateTime::now_utc()) else { return };
    for ca in pki.cas().unwrap_or_default() {
        if let Some(found) = former(all, ca.certificate()) {
            out.warning(&format!(
                "the CA {:?} of {} was renewed, and the tenant has another certificate of it, {}: `c8y-pki \
                 tenant trust add --ca {}`",
                ca.name,
                dir.display(),
                shown(found),
                ca.name
            ));
        }
    }
}

/// Another certificate of that CA, where the tenant does not have this one.
pub(super) fn former<'a>(
    all: &'a [TrustedCertificate],
    certificate: &Certificate,
) -> Option<&'a TrustedCertificate> {
    let fingerprint = certificate.fingerprint_sha1();
    match all.iter().any(|known| known.fingerprint == fingerprint) {
        true => None,
        false => trusted::renewals_of(all, certificate).into_iter().next(),
    }
}

/// A certificate by its fingerprint and its end.
pub(super) fn shown(certificate: &TrustedCertificate) -> String {
    let until = certificate.not_after.map_or_else(|| "an unknown day".to_owned(), day);
    format!("{} until {until}", certificate.fingerprint)
}
