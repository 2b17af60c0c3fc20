//! The key derivation of PKCS#12 (RFC 7292, appendix B) and what is encrypted by it here.

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use zeroize::Zeroizing;

use crate::crypto::{CryptoError, MacHash};

/// A password as RFC 7292, appendix B.1 takes it: UTF-16, big-endian, with two zero bytes at the
/// end. The null password, which is not the empty one, is no bytes at all.
pub(crate) fn bmp(password: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect())
}

/// What a derived key is for: the diversifier of RFC 7292, appendix B.3.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Encryption = 1,
    Iv = 2,
    Mac = 3,
}

/// The key derivation of RFC 7292, appendix B.2, from a password as of [`bmp`]; the letters are
/// those of the text.
pub(crate) fn derive(
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

/// pbeWithSHAAnd3-KeyTripleDES-CBC (RFC 7292, appendix C).
pub(crate) fn encrypt_3des(
    data: &[u8],
    password: &str,
    salt: &[u8],
    iterations: u32,
) -> Result<Vec<u8>, CryptoError> {
    let password = bmp(password);
    let derive = |purpose, len| derive(MacHash::Sha1, &password, salt, iterations, purpose, len);
    let (key, iv) = (derive(Purpose::Encryption, 24), derive(Purpose::Iv, 8));
    let cipher = cbc::Encryptor::<des::TdesEde3>::new_from_slices(&key, &iv)
        .map_err(|_| CryptoError::Failed("encrypting with 3DES"))?;
    Ok(cipher.encrypt_padded_vec::<Pkcs7>(data))
}
