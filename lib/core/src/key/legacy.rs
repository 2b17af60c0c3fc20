//! `Proc-Type: 4,ENCRYPTED`: the encryption of PEM keys before PKCS#8 (RFC 1421 headers, OpenSSL's
//! key derivation with MD5 and a count of one). Weak; read so that people can leave it.

use md5::{Digest, Md5};
use zeroize::Zeroizing;

use super::KeyError;
use super::pbe::Cipher;
use crate::crypto::unhex;
use crate::secret::{Password, SecretBytes};

/// Decrypts the contents of a block whose `DEK-Info` header is given.
pub(super) fn decrypt(
    dek_info: &str,
    data: &[u8],
    password: Option<&Password>,
) -> Result<SecretBytes, KeyError> {
    let password = password.ok_or(KeyError::NeedsPassword)?;
    let (name, iv) =
        dek_info.split_once(',').ok_or(KeyError::Damaged("its DEK-Info header has no IV"))?;
    let cipher = match name.trim() {
        "AES-128-CBC" => Cipher::Aes128,
        "AES-192-CBC" => Cipher::Aes192,
        "AES-256-CBC" => Cipher::Aes256,
        "DES-EDE3-CBC" => Cipher::TripleDes,
        "DES-CBC" => Cipher::Des,
        other => return Err(KeyError::Unsupported(format!("PEM encryption with {other}"))),
    };
    let iv = unhex(iv.trim())
        .filter(|iv| iv.len() == cipher.block_len())
        .ok_or(KeyError::Damaged("the IV in its DEK-Info header has a wrong length"))?;
    let key = bytes_to_key(password, &iv[..8], cipher.key_len());
    cipher.decrypt(&key, &iv, data).ok_or(KeyError::WrongPassword)
}

/// OpenSSL's EVP_BytesToKey with MD5 and one iteration.
fn bytes_to_key(password: &Password, salt: &[u8], len: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(len + 16));
    let mut last = Zeroizing::new(Vec::new());
    while key.len() < len {
        let input = Zeroizing::new([&last, password.expose().as_bytes(), salt].concat());
        last = Zeroizing::new(Md5::digest(&input).to_vec());
        key.extend_from_slice(&last);
    }
    key.truncate(len);
    key
}
