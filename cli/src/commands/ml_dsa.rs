//! A warning before ML-DSA keys are relied on.

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::crypto::{KeyAlgorithm, KeyType, MlDsa, PublicKey, SignatureAlgorithm};

use crate::output::Output;

/// The parameter set of a key that is to be made.
pub(crate) fn of_new(key: KeyType) -> Option<MlDsa> {
    match key {
        KeyType::MlDsa(set) => Some(set),
        _ => None,
    }
}

/// The parameter set of a key that is there.
pub(crate) fn of_key(key: &PublicKey) -> Option<MlDsa> {
    match key.algorithm() {
        KeyAlgorithm::MlDsa(set) => Some(set),
        _ => None,
    }
}

/// The parameter set of a certificate's key.
pub(crate) fn of_subject(certificate: &Certificate) -> Option<MlDsa> {
    certificate.public_key.as_ref().ok().and_then(of_key)
}

/// The parameter set of a certificate's key, or of the key that has signed it.
pub(crate) fn of_certificate(certificate: &Certificate) -> Option<MlDsa> {
    of_subject(certificate).or(match certificate.signature_algorithm {
        Ok(SignatureAlgorithm::MlDsa(set)) => Some(set),
        _ => None,
    })
}

/// Warns once if there is such a key.
pub(crate) fn warn(set: Option<MlDsa>, out: Output) {
    if let Some(set) = set {
        out.warning(&set.remark());
    }
}
