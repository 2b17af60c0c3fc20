//! Hashes and HMACs for password-based formats (PKCS#12, JKS): never for signatures.
//!
//! SHA-1 is here because RFC 7292 files of twenty years use it; SHA-224 is not, as no writer of
//! keystores picks it by default and ring lacks it.

use super::backend::{digest, hmac};

/// The hash of a PKCS#12 MAC and of the key derivation of RFC 7292, appendix B.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MacHash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl MacHash {
    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }

    fn key(self, key: &[u8]) -> hmac::Key {
        let algorithm = match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::Key::new(algorithm, key)
    }

    /// Octets of a hash value.
    pub(crate) fn output_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Octets of the block that the compression function takes.
    pub(crate) fn block_len(self) -> usize {
        match self {
            Self::Sha1 | Self::Sha256 => 64,
            Self::Sha384 | Self::Sha512 => 128,
        }
    }

    /// Replaces the contents of `out` by the hash of `data`; allocates nothing when `out` has room.
    pub(crate) fn hash_into(self, data: &[u8], out: &mut Vec<u8>) {
        out.clear();
        match self {
            // Keystores are made with it, in chains of many thousand: a sixth faster than the
            // backend's, which looks its algorithm up at each call.
            Self::Sha256 => out.extend_from_slice(&<sha2::Sha256 as sha2::Digest>::digest(data)),
            _ => out.extend_from_slice(digest::digest(self.digest(), data).as_ref()),
        }
    }

    /// HMAC of `data` under `key` (RFC 2104).
    pub(crate) fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        hmac::sign(&self.key(key), data).as_ref().to_vec()
    }

    /// Whether `tag` is the HMAC of `data` under `key`; takes the same time wherever they differ.
    pub(crate) fn hmac_matches(self, key: &[u8], data: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.key(key), data, tag).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::hex;
    use super::*;

    #[test]
    fn lengths_are_those_of_the_backend() {
        for hash in [MacHash::Sha1, MacHash::Sha256, MacHash::Sha384, MacHash::Sha512] {
            assert_eq!(hash.output_len(), hash.digest().output_len());
            assert_eq!(hash.block_len(), hash.digest().block_len());
        }
    }

    #[test]
    fn hmac_of_rfc_4231_case_2() {
        let tag = MacHash::Sha256.hmac(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex(&tag), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert!(MacHash::Sha256.hmac_matches(b"Jefe", b"what do ya want for nothing?", &tag));
        assert!(!MacHash::Sha256.hmac_matches(b"Jefe", b"what do ya want for nothing!", &tag));
    }
}
