//! Key derivation, MAC and old encryption of what is written: RFC 7292, appendices B and C.
//! `p12-keystore` decrypts.

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use zeroize::Zeroizing;

use super::super::StoreError;
use super::damaged;
use crate::crypto::MacHash;

/// A password as RFC 7292, appendix B.1 takes it: UTF-16, big-endian, with two zero octets at the
/// end. The null password of GnuTLS, which is not the empty one, is no octets at all.
pub(super) fn bmp(password: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect())
}

/// What a derived key is for: the diversifier of RFC 7292, appendix B.3.
#[derive(Clone, Copy)]
enum Purpose {
    Encryption = 1,
    Iv = 2,
    Mac = 3,
}

/// The key derivation of RFC 7292, appendix B.2, from a password as of [`bmp`]; the letters are
/// those of the text.
fn derive(
    hash: MacHash,
    password: &[u8],
    salt: &[u8],
    iterations: u32,
    purpose: Purpose,
    length: usize,
) -> Zeroizing<Vec<u8>> {
    let v = hash.block_len();
    let fill = |from: &[u8]| -> Vec<u8> {
        from.iter().copied().cycle().take(from.len().div_ceil(v) * v).collect()
    };
    // D and I side by side, as they are hashed.
    let mut input = Zeroizing::new(vec![purpose as u8; v]);
    input.extend(fill(salt));
    input.extend(Zeroizing::new(fill(password)).iter());
    let mut key = Zeroizing::new(Vec::with_capacity(length + hash.output_len()));
    let mut a = Zeroizing::new(Vec::with_capacity(hash.output_len()));
    let mut next = Zeroizing::new(Vec::with_capacity(hash.output_len()));
    loop {
        hash.hash_into(&input, &mut a);
        for _ in 1..iterations {
            hash.hash_into(&a, &mut next);
            std::mem::swap(&mut *a, &mut *next);
        }
        key.extend_from_slice(&a);
        if key.len() >= length {
            key.truncate(length);
            return key;
        }
        for block in input[v..].chunks_exact_mut(v) {
            add_plus_one(block, &a);
        }
    }
}

/// `block = block + B + 1 mod 2^v`, B being copies of `a` (step 6 C).
fn add_plus_one(block: &mut [u8], a: &[u8]) {
    let mut carry = 1_u16;
    for (at, octet) in block.iter_mut().enumerate().rev() {
        let [high, low] = (u16::from(*octet) + u16::from(a[at % a.len()]) + carry).to_be_bytes();
        *octet = low;
        carry = u16::from(high);
    }
}

/// MacData (RFC 7292, section 4).
pub(super) struct Mac {
    pub(super) hash: MacHash,
    pub(super) digest: Vec<u8>,
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u32,
}

/// The key of MACs under one password.
pub(super) struct MacKey {
    hash: MacHash,
    salt: Vec<u8>,
    iterations: u32,
    key: Zeroizing<Vec<u8>>,
}

impl MacKey {
    pub(super) fn derive(hash: MacHash, password: &[u8], salt: Vec<u8>, iterations: u32) -> Self {
        let key = Mac::key(hash, password, &salt, iterations);
        Self { hash, salt, iterations, key }
    }

    /// Makes the MAC of `data`.
    pub(super) fn mac(&self, data: &[u8]) -> Mac {
        let digest = self.hash.hmac(&self.key, data);
        Mac { hash: self.hash, digest, salt: self.salt.clone(), iterations: self.iterations }
    }
}

impl Mac {
    fn key(hash: MacHash, password: &[u8], salt: &[u8], n: u32) -> Zeroizing<Vec<u8>> {
        derive(hash, password, salt, n, Purpose::Mac, hash.output_len())
    }

    /// Whether this is the MAC of `data`.
    pub(super) fn matches(&self, password: &[u8], data: &[u8]) -> bool {
        let key = Self::key(self.hash, password, &self.salt, self.iterations);
        self.hash.hmac_matches(&key, data, &self.digest)
    }
}

/// pbeWithSHAAnd3-KeyTripleDES-CBC (RFC 7292, appendix C).
pub(super) fn encrypt_3des(
    data: &[u8],
    password: &str,
    salt: &[u8],
    iterations: u32,
) -> Result<Vec<u8>, StoreError> {
    let password = bmp(password);
    let derive = |purpose, len| derive(MacHash::Sha1, &password, salt, iterations, purpose, len);
    let (key, iv) = (derive(Purpose::Encryption, 24), derive(Purpose::Iv, 8));
    let cipher = cbc::Encryptor::<des::TdesEde3>::new_from_slices(&key, &iv)
        .map_err(|_| damaged("3DES refuses its own key length"))?;
    Ok(cipher.encrypt_padded_vec::<Pkcs7>(data))
}
