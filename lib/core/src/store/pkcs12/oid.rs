//! Object identifiers of PKCS#12 (RFC 7292, section 4 and appendix C), as contents bytes.

use crate::crypto::MacHash;

/// 1.2.840.113549.1, the arc of PKCS.
macro_rules! pkcs {
    ($($octet:literal),*) => { &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, $($octet),*] };
}

pub(super) const DATA: &[u8] = pkcs!(7, 1);
pub(super) const SIGNED_DATA: &[u8] = pkcs!(7, 2);
pub(super) const ENVELOPED_DATA: &[u8] = pkcs!(7, 3);
pub(super) const ENCRYPTED_DATA: &[u8] = pkcs!(7, 6);

pub(super) const KEY_BAG: &[u8] = pkcs!(12, 10, 1, 1);
pub(super) const SHROUDED_KEY_BAG: &[u8] = pkcs!(12, 10, 1, 2);
pub(super) const CERT_BAG: &[u8] = pkcs!(12, 10, 1, 3);
pub(super) const SECRET_BAG: &[u8] = pkcs!(12, 10, 1, 5);
pub(super) const SAFE_CONTENTS_BAG: &[u8] = pkcs!(12, 10, 1, 6);

pub(super) const PBE_SHA1_3DES: &[u8] = pkcs!(12, 1, 3);
pub(super) const PBES2: &[u8] = pkcs!(5, 13);
pub(super) const PBMAC1: &[u8] = pkcs!(5, 14);
pub(super) const PBKDF2: &[u8] = pkcs!(5, 12);
/// The HMAC that PBMAC1 is written with.
pub(super) const HMAC_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 9];

pub(super) const FRIENDLY_NAME: &[u8] = pkcs!(9, 20);
pub(super) const LOCAL_KEY_ID: &[u8] = pkcs!(9, 21);
pub(super) const X509_CERTIFICATE: &[u8] = pkcs!(9, 22, 1);

/// Java's trustedKeyUsage, 2.16.840.1.113894.746875.1.1 (`PKCS12KeyStore` of OpenJDK).
pub(super) const JAVA_TRUSTED: &[u8] =
    &[0x60, 0x86, 0x48, 0x01, 0x86, 0xf9, 0x66, 0xad, 0xca, 0x7b, 0x01, 0x01];
/// anyExtendedKeyUsage, the value of [`JAVA_TRUSTED`].
pub(super) const ANY_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25, 0x00];

/// 2.16.840.1.101.3.4.2, the arc of NIST's hashes.
macro_rules! nist {
    ($last:literal) => {
        &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, $last]
    };
}

/// The hashes of a MAC.
pub(super) const HASHES: [(MacHash, &[u8]); 14] = [
    (MacHash::Md5, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05]),
    (MacHash::Sha1, &[0x2b, 0x0e, 0x03, 0x02, 0x1a]),
    (MacHash::Sha224, nist!(4)),
    (MacHash::Sha256, nist!(1)),
    (MacHash::Sha384, nist!(2)),
    (MacHash::Sha512, nist!(3)),
    (MacHash::Sha512_224, nist!(5)),
    (MacHash::Sha512_256, nist!(6)),
    (MacHash::Sha3_224, nist!(7)),
    (MacHash::Sha3_256, nist!(8)),
    (MacHash::Sha3_384, nist!(9)),
    (MacHash::Sha3_512, nist!(10)),
    // 1.3.6.1.4.1.1722.12.2: OpenSSL's `-macalg`.
    (MacHash::Blake2b512, &[0x2b, 6, 1, 4, 1, 0x8d, 0x3a, 12, 2, 1, 16]),
    (MacHash::Blake2s256, &[0x2b, 6, 1, 4, 1, 0x8d, 0x3a, 12, 2, 2, 8]),
];
