//! Password-based decryption older than PBES2, as found in key files: PBES1 (RFC 8018, 6.1) as
//! OpenSSL 1.0's `pkcs8 -topk8` wrote it, and the PKCS#12 schemes (RFC 7292, appendix C) of GnuTLS.
//! Reading only.

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use md5::Digest;
use zeroize::Zeroizing;

use super::KeyError;
use crate::crypto::sha1;
use crate::secret::{Password, SecretBytes};

/// A block cipher in CBC mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cipher {
    Des,
    TripleDes,
    Aes128,
    Aes192,
    Aes256,
}

impl Cipher {
    /// Length of its key, in octets.
    pub(super) fn key_len(self) -> usize {
        match self {
            Self::Des => 8,
            Self::TripleDes | Self::Aes192 => 24,
            Self::Aes128 => 16,
            Self::Aes256 => 32,
        }
    }

    /// Length of its block and so of its IV, in octets.
    pub(super) fn block_len(self) -> usize {
        match self {
            Self::Des | Self::TripleDes => 8,
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
        }
    }

    /// Decrypts and removes the PKCS#7 padding. Wrong padding means a wrong password.
    pub(super) fn decrypt(
        self,
        key: &[u8],
        iv: &[u8],
        data: &[u8],
    ) -> Result<SecretBytes, KeyError> {
        fn run<C: KeyIvInit + BlockModeDecrypt>(
            key: &[u8],
            iv: &[u8],
            data: &[u8],
        ) -> Option<Vec<u8>> {
            C::new_from_slices(key, iv).ok()?.decrypt_padded_vec::<Pkcs7>(data).ok()
        }
        let plain = match self {
            Self::Des => run::<cbc::Decryptor<des::Des>>(key, iv, data),
            Self::TripleDes => run::<cbc::Decryptor<des::TdesEde3>>(key, iv, data),
            Self::Aes128 => run::<cbc::Decryptor<aes::Aes128>>(key, iv, data),
            Self::Aes192 => run::<cbc::Decryptor<aes::Aes192>>(key, iv, data),
            Self::Aes256 => run::<cbc::Decryptor<aes::Aes256>>(key, iv, data),
        };
        plain.map(SecretBytes::new).ok_or(KeyError::WrongPassword)
    }
}

/// Which old scheme an AlgorithmIdentifier names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// pbeWithMD5AndDES-CBC: what OpenSSL 1.0 used unless told otherwise.
    Md5,
    /// pbeWithSHA1AndDES-CBC.
    Sha1,
    /// pbeWithSHAAnd3-KeyTripleDES-CBC of PKCS#12.
    Pkcs12,
}

impl Scheme {
    pub(super) fn from_oid(oid: &str) -> Option<Self> {
        match oid {
            "1.2.840.113549.1.5.3" => Some(Self::Md5),
            "1.2.840.113549.1.5.10" => Some(Self::Sha1),
            "1.2.840.113549.1.12.1.3" => Some(Self::Pkcs12),
            _ => None,
        }
    }

    pub(super) fn decrypt(
        self,
        password: &Password,
        salt: &[u8],
        iterations: u32,
        data: &[u8],
    ) -> Result<SecretBytes, KeyError> {
        match self {
            Self::Md5 | Self::Sha1 => {
                let derived = self.pbkdf1(password, salt, iterations);
                Cipher::Des.decrypt(&derived[..8], &derived[8..16], data)
            }
            Self::Pkcs12 => {
                let key = pkcs12_kdf(password, salt, iterations, 1, 24);
                let iv = pkcs12_kdf(password, salt, iterations, 2, 8);
                Cipher::TripleDes.decrypt(&key, &iv, data)
            }
        }
    }

    /// RFC 8018, 5.1.
    fn pbkdf1(self, password: &Password, salt: &[u8], iterations: u32) -> Zeroizing<Vec<u8>> {
        let hash = |data: &[u8]| match self {
            Self::Md5 => md5::Md5::digest(data).to_vec(),
            _ => sha1(data).to_vec(),
        };
        let mut state = Zeroizing::new([password.expose().as_bytes(), salt].concat());
        for _ in 0..iterations.max(1) {
            state = Zeroizing::new(hash(&state));
        }
        state
    }
}

/// RFC 7292, appendix B.2, with SHA-1. `id` is 1 for a key, 2 for an IV.
fn pkcs12_kdf(
    password: &Password,
    salt: &[u8],
    iterations: u32,
    id: u8,
    len: usize,
) -> Zeroizing<Vec<u8>> {
    const V: usize = 64;
    let bmp: Zeroizing<Vec<u8>> = Zeroizing::new(
        password.expose().encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect(),
    );
    let stretch = |data: &[u8]| -> Vec<u8> {
        let whole = data.len().div_ceil(V) * V;
        data.iter().copied().cycle().take(if data.is_empty() { 0 } else { whole }).collect()
    };
    let mut input = Zeroizing::new([stretch(salt), stretch(&bmp)].concat());
    let mut out = Zeroizing::new(Vec::with_capacity(len + 20));
    while out.len() < len {
        let mut block = sha1(&[&[id; V], input.as_slice()].concat());
        for _ in 1..iterations.max(1) {
            block = sha1(&block);
        }
        out.extend_from_slice(&block);
        let add: Vec<u8> = block.iter().copied().cycle().take(V).collect();
        for chunk in input.chunks_exact_mut(V) {
            let mut carry = 1u16;
            for (a, b) in chunk.iter_mut().zip(&add).rev() {
                let sum = u16::from(*a) + u16::from(*b) + carry;
                *a = sum.to_be_bytes()[1];
                carry = sum >> 8;
            }
        }
    }
    out.truncate(len);
    out
}
