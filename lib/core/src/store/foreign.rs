//! Formats that are known by name only: Bouncy Castle's stores, and Windows' key files.

use super::StoreError;
use crate::ber::{BerError, Reader, SEQUENCE};

/// The version, 1 or 2, and the length of the salt (`BcKeyStoreSpi` of Bouncy Castle).
const BKS: [[u8; 8]; 2] = [[0, 0, 0, 1, 0, 0, 0, 20], [0, 0, 0, 2, 0, 0, 0, 20]];

/// 0xb0b5f11e, little-endian: the magic number of a PVK file.
const PVK: [u8; 4] = [0x1e, 0xf1, 0xb5, 0xb0];

/// The error that names the format, if it is one of them.
pub(super) fn named(bytes: &[u8]) -> Option<StoreError> {
    let (name, convert) = if BKS.iter().any(|magic| bytes.starts_with(magic)) {
        (
            "a BKS or UBER store, a format of Bouncy Castle",
            "convert it: keytool -importkeystore -srckeystore OLD -srcstoretype BKS -destkeystore NEW.p12 \
             -deststoretype PKCS12 -providerpath bcprov.jar \
             -providerclass org.bouncycastle.jce.provider.BouncyCastleProvider",
        )
    } else if bytes.starts_with(&PVK) {
        (
            "a PVK file, a private key of Windows",
            "convert it: openssl rsa -provider legacy -provider default -inform PVK -in KEY.pvk \
             -out KEY.pem",
        )
    } else if is_bcfks(bytes).unwrap_or(false) {
        (
            "a BCFKS store, a format of Bouncy Castle",
            "convert it: keytool -importkeystore -srckeystore OLD -srcstoretype BCFKS -destkeystore NEW.p12 \
             -deststoretype PKCS12 -providerpath bcprov.jar \
             -providerclass org.bouncycastle.jce.provider.BouncyCastleProvider",
        )
    } else {
        return None;
    };
    Some(StoreError::Foreign { name, convert })
}

/// ObjectStore (`org.bouncycastle.asn1.bc`): encrypted data and what its integrity is checked by, where
/// PKCS#12 has a version, and a certificate something else than an AlgorithmIdentifier.
fn is_bcfks(bytes: &[u8]) -> Result<bool, BerError> {
    let mut store = Reader::new(bytes).sequence("it")?;
    if !store.next_is(SEQUENCE) {
        return Ok(false);
    }
    let mut data = store.sequence("it")?;
    data.sequence("it")?.oid("it")?;
    data.octet_string("it")?;
    let has_check = store.next_is(SEQUENCE);
    Ok(data.is_empty() && has_check)
}
