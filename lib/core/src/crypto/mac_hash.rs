//! Hashes, HMACs and PBKDF2 for password-based formats (PKCS#12, JKS, encrypted keys): never for
//! signatures.
//!
//! One family of crates computes all of them, since no backend has all: MD5, SHA-224, SHA-3 and BLAKE2
//! are in files that people have. SHA-1 is here because RFC 7292 files of twenty years use it.

use hmac::{Hmac, KeyInit, Mac, SimpleHmac};
use sha2::Digest;
use sha2::digest::FixedOutput;
use sha2::digest::Update;
use sha2::digest::common::BlockSizeUser;

/// The hash of a MAC and of a key derivation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MacHash {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha512_224,
    Sha512_256,
    Sha3_224,
    Sha3_256,
    Sha3_384,
    Sha3_512,
    Blake2s256,
    Blake2b512,
}

/// Calls a function for the type of a hash.
macro_rules! by_hash {
    ($hash:expr, $run:ident $args:tt) => {
        match $hash {
            MacHash::Md5 => $run::<md5::Md5> $args,
            MacHash::Sha1 => $run::<sha1::Sha1> $args,
            MacHash::Sha224 => $run::<sha2::Sha224> $args,
            MacHash::Sha256 => $run::<sha2::Sha256> $args,
            MacHash::Sha384 => $run::<sha2::Sha384> $args,
            MacHash::Sha512 => $run::<sha2::Sha512> $args,
            MacHash::Sha512_224 => $run::<sha2::Sha512_224> $args,
            MacHash::Sha512_256 => $run::<sha2::Sha512_256> $args,
            MacHash::Sha3_224 => $run::<sha3::Sha3_224> $args,
            MacHash::Sha3_256 => $run::<sha3::Sha3_256> $args,
            MacHash::Sha3_384 => $run::<sha3::Sha3_384> $args,
            MacHash::Sha3_512 => $run::<sha3::Sha3_512> $args,
            MacHash::Blake2s256 => $run::<blake2::Blake2s256> $args,
            MacHash::Blake2b512 => $run::<blake2::Blake2b512> $args,
        }
    };
}

/// Calls a function for the type of a hash's HMAC. SHA-3 and BLAKE2 have no block interface.
macro_rules! by_hmac {
    ($hash:expr, $run:ident $args:tt) => {
        match $hash {
            MacHash::Md5 => $run::<Hmac<md5::Md5>> $args,
            MacHash::Sha1 => $run::<Hmac<sha1::Sha1>> $args,
            MacHash::Sha224 => $run::<Hmac<sha2::Sha224>> $args,
            MacHash::Sha256 => $run::<Hmac<sha2::Sha256>> $args,
            MacHash::Sha384 => $run::<Hmac<sha2::Sha384>> $args,
            MacHash::Sha512 => $run::<Hmac<sha2::Sha512>> $args,
            MacHash::Sha512_224 => $run::<Hmac<sha2::Sha512_224>> $args,
            MacHash::Sha512_256 => $run::<Hmac<sha2::Sha512_256>> $args,
            MacHash::Sha3_224 => $run::<SimpleHmac<sha3::Sha3_224>> $args,
            MacHash::Sha3_256 => $run::<SimpleHmac<sha3::Sha3_256>> $args,
            MacHash::Sha3_384 => $run::<SimpleHmac<sha3::Sha3_384>> $args,
            MacHash::Sha3_512 => $run::<SimpleHmac<sha3::Sha3_512>> $args,
            MacHash::Blake2s256 => $run::<SimpleHmac<blake2::Blake2s256>> $args,
            MacHash::Blake2b512 => $run::<SimpleHmac<blake2::Blake2b512>> $args,
        }
    };
}

/// HMAC under a key. It takes keys of any length, so it is always there.
fn keyed<M: KeyInit>(key: &[u8]) -> Option<M> {
    <M as KeyInit>::new_from_slice(key).ok()
}

fn lengths_of<D: Digest + BlockSizeUser>() -> (usize, usize) {
    (<D as Digest>::output_size(), D::block_size())
}

fn hash_of<D: Digest>(data: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&D::digest(data));
}

fn hmac_of<M: KeyInit + Mac>(key: &[u8], data: &[u8]) -> Vec<u8> {
    let Some(mac) = keyed::<M>(key) else { return Vec::new() };
    mac.chain_update(data).finalize().into_bytes().to_vec()
}

fn hmac_is<M: KeyInit + Mac>(key: &[u8], data: &[u8], tag: &[u8]) -> bool {
    keyed::<M>(key).is_some_and(|mac| mac.chain_update(data).verify_slice(tag).is_ok())
}

fn pbkdf2_of<M: KeyInit + Update + FixedOutput + Clone>(
    password: &[u8],
    salt: &[u8],
    iterations: u32,
    key: &mut [u8],
) -> bool {
    pbkdf2::pbkdf2::<M>(password, salt, iterations, key).is_ok()
}

impl MacHash {
    /// Bytes of a hash value.
    pub(crate) fn output_len(self) -> usize {
        by_hash!(self, lengths_of()).0
    }

    /// Bytes of the block that the compression function takes; of SHA-3 its rate.
    pub(crate) fn block_len(self) -> usize {
        by_hash!(self, lengths_of()).1
    }

    /// Replaces the contents of `out` by the hash of `data`; allocates nothing when `out` has room.
    pub(crate) fn hash_into(self, data: &[u8], out: &mut Vec<u8>) {
        by_hash!(self, hash_of(data, out));
    }

    /// HMAC of `data` under `key` (RFC 2104).
    pub(crate) fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        by_hmac!(self, hmac_of(key, data))
    }

    /// Whether `tag` is the HMAC of `data` under `key`; takes the same time wherever they differ.
    pub(crate) fn hmac_matches(self, key: &[u8], data: &[u8], tag: &[u8]) -> bool {
        by_hmac!(self, hmac_is(key, data, tag))
    }

    /// Fills `key` with PBKDF2 (RFC 8018, section 5.2), this hash's HMAC being the PRF.
    pub(crate) fn pbkdf2(self, password: &[u8], salt: &[u8], iterations: u32, key: &mut [u8]) {
        let done = by_hmac!(self, pbkdf2_of(password, salt, iterations, key));
        debug_assert!(done, "HMAC takes passwords of any length");
    }
}

#[cfg(test)]
mod tests {
    use super::super::hex;
    use super::*;

    #[test]
    fn lengths_are_those_of_the_standards() {
        // FIPS 180-4, figure 1; FIPS 202, table 3; RFC 1321; RFC 7693.
        for (hash, output, block) in [
            (MacHash::Md5, 16, 64),
            (MacHash::Sha1, 20, 64),
            (MacHash::Sha224, 28, 64),
            (MacHash::Sha256, 32, 64),
            (MacHash::Sha384, 48, 128),
            (MacHash::Sha512, 64, 128),
            (MacHash::Sha512_224, 28, 128),
            (MacHash::Sha512_256, 32, 128),
            (MacHash::Sha3_224, 28, 144),
            (MacHash::Sha3_256, 32, 136),
            (MacHash::Sha3_384, 48, 104),
            (MacHash::Sha3_512, 64, 72),
            (MacHash::Blake2s256, 32, 64),
            (MacHash::Blake2b512, 64, 128),
        ] {
            assert_eq!((hash.output_len(), hash.block_len()), (output, block), "{hash:?}");
            let mut value = Vec::new();
            hash.hash_into(b"", &mut value);
            assert_eq!(value.len(), output);
        }
    }

    #[test]
    fn hmac_of_rfc_4231_case_2() {
        let data = b"what do ya want for nothing?";
        let tag = MacHash::Sha256.hmac(b"Jefe", data);
        assert_eq!(hex(&tag), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert!(MacHash::Sha256.hmac_matches(b"Jefe", data, &tag));
        assert!(!MacHash::Sha256.hmac_matches(b"Jefe", b"what do ya want for nothing!", &tag));
        assert!(!MacHash::Sha256.hmac_matches(b"Jefe", data, &tag[..16]));
        let tag = MacHash::Sha224.hmac(b"Jefe", data);
        assert_eq!(hex(&tag), "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44");
    }

    #[test]
    fn pbkdf2_of_rfc_6070_case_2() {
        let mut key = [0; 20];
        MacHash::Sha1.pbkdf2(b"password", b"salt", 2, &mut key);
        assert_eq!(hex(&key), "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957");
    }
}
