//! A warning before ML-DSA keys are relied on.

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::crypto::{KeyAlgorithm, KeyType};

use crate::output::Output;

/// Warns once if a new key is an ML-DSA key, or that of the CA above it.
pub(crate) fn warn(key: Option<KeyType>, issuer: Option<&Certificate>, out: Output) {
    let above = issuer.and_then(|ca| ca.public_key.as_ref().ok()).map(|key| key.algorithm());
    let set = match (key, above) {
        (Some(KeyType::MlDsa(set)), _) | (_, Some(KeyAlgorithm::MlDsa(set))) => set,
        _ => return,
    };
    out.warning(&set.remark());
}
