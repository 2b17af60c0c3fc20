//! Which certificate belongs to which key, and in which order: PKCS#12 and PEM do not say.

use super::EntryKind;
use super::model::{Collector, is_issued_by};
use crate::cert::Certificate;
use crate::crypto::{CryptoError, KeyAlgorithm, KeyPair, MlDsa, PublicKey};
use crate::secret::SecretBytes;

/// A private key as found in a file.
pub(super) struct FoundKey {
    pub(super) alias: Option<String>,
    pub(super) local_key_id: Option<Vec<u8>>,
    pub(super) pkcs8: SecretBytes,
}

/// A certificate as found in a file.
pub(super) struct FoundCertificate {
    pub(super) alias: Option<String>,
    pub(super) local_key_id: Option<Vec<u8>>,
    pub(super) java_trusted: bool,
    pub(super) certificate: Certificate,
}

/// Makes entries: every key with its chain, and the certificates that are in no chain or that are
/// marked as trusted. Entries without a name get a number, as in Java.
pub(super) fn link(keys: Vec<FoundKey>, found: &[FoundCertificate]) -> Collector {
    let mut entries = Collector::default();
    let mut unnamed = 0_u32;
    let mut name = |alias: Option<String>| {
        alias.filter(|a| !a.is_empty()).unwrap_or_else(|| {
            unnamed += 1;
            unnamed.to_string()
        })
    };
    let mut in_chain = vec![false; found.len()];
    for key in keys {
        let leaf = find_leaf(&key, found);
        let positions = leaf.map(|leaf| chain_from(leaf, found)).unwrap_or_default();
        positions.iter().for_each(|at| in_chain[*at] = true);
        let leaf_alias = leaf.and_then(|leaf| found[leaf].alias.clone());
        let chain = positions.iter().map(|at| found[*at].certificate.clone()).collect();
        let alias = name(key.alias.or(leaf_alias));
        entries.push(&alias, None, EntryKind::Key { pkcs8: key.pkcs8, chain });
    }
    for (found, in_chain) in found.iter().zip(in_chain) {
        if !in_chain || found.java_trusted {
            let kind = EntryKind::Trusted {
                certificate: Box::new(found.certificate.clone()),
                java_trusted: found.java_trusted,
            };
            entries.push(&name(found.alias.clone()), None, kind);
        }
    }
    entries
}

/// The certificate of a key: of equal public key, the same localKeyID preferred. The localKeyID
/// alone counts only for keys of algorithms that we cannot load.
fn find_leaf(key: &FoundKey, found: &[FoundCertificate]) -> Option<usize> {
    let same_id =
        |c: &FoundCertificate| key.local_key_id.is_some() && c.local_key_id == key.local_key_id;
    let Ok(public) = public_key(key.pkcs8.expose()) else {
        return found.iter().position(same_id);
    };
    let same_key = |c: &FoundCertificate| c.certificate.public_key.as_ref() == Ok(&public);
    let both = found.iter().position(|c| same_id(c) && same_key(c));
    both.or_else(|| found.iter().position(same_key))
}

/// The positions of a leaf, its issuer and so on, as far as the file has them.
fn chain_from(leaf: usize, found: &[FoundCertificate]) -> Vec<usize> {
    let mut chain = vec![leaf];
    let mut last = leaf;
    while !found[last].certificate.is_self_issued() {
        let issuer = (0..found.len()).find(|at| {
            // Duplicates and loops must not make it endless.
            let known = chain.iter().any(|c| found[*c].certificate == found[*at].certificate);
            !known && is_issued_by(&found[last].certificate, &found[*at].certificate)
        });
        let Some(issuer) = issuer else { break };
        chain.push(issuer);
        last = issuer;
    }
    chain
}

/// The public half of a PKCS#8 key (RFC 5208, RFC 5915, RFC 8017, RFC 8410).
pub(super) fn public_key(pkcs8: &[u8]) -> Result<PublicKey, CryptoError> {
    let damaged = |what: &'static str| CryptoError::BadPrivateKey(what.into());
    let info = pkcs8::PrivateKeyInfoRef::try_from(pkcs8).map_err(|_| damaged("not PKCS#8"))?;
    let curve = info.algorithm.parameters_oid().map(|o| o.to_string()).unwrap_or_default();
    let ec = |curve| Ok(KeyPair::from_ec_pkcs8(curve, pkcs8)?.public().clone());
    match (info.algorithm.oid.to_string().as_str(), curve.as_str()) {
        ("1.2.840.113549.1.1.1", _) => Ok(KeyPair::from_rsa_pkcs8(pkcs8)?.public().clone()),
        ("1.2.840.10045.2.1", "1.2.840.10045.3.1.7") => ec(KeyAlgorithm::EcP256),
        ("1.2.840.10045.2.1", "1.3.132.0.34") => ec(KeyAlgorithm::EcP384),
        ("1.2.840.10045.2.1", "1.3.132.0.35") => ec(KeyAlgorithm::EcP521),
        ("1.3.101.112", _) => {
            let seed = info.private_key.as_bytes().strip_prefix(&[0x04, 0x20]);
            let seed = seed.ok_or_else(|| damaged("not an Ed25519 seed"))?;
            Ok(KeyPair::from_ed25519_seed(seed)?.public().clone())
        }
        (other, _) => match MlDsa::of_oid(other) {
            Some(set) => {
                let inner = info.private_key.as_bytes();
                Ok(KeyPair::from_ml_dsa_private_key(set, inner)?.0.public().clone())
            }
            None => Err(CryptoError::UnsupportedAlgorithm(other.to_owned())),
        },
    }
}
