//! The ciphers of password-based encryption, decrypting. All but RC4 are in CBC mode.

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{
    BlockCipherDecrypt, BlockModeDecrypt, InnerIvInit, KeyInit, KeyIvInit, StreamCipher,
};

use crate::secret::SecretBytes;

/// A cipher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cipher {
    Des,
    /// Triple DES with a first key that is the third too.
    TwoKeyTripleDes,
    TripleDes,
    Aes128,
    Aes192,
    Aes256,
    /// RC2 (RFC 2268).
    Rc2 {
        /// Length of its key, in bytes.
        key: usize,
        /// Its effective bits.
        effective: usize,
    },
    /// RC4, which has neither IV nor padding.
    Rc4 {
        /// Length of its key, in bytes.
        key: usize,
    },
}

/// The longest key of RC2 (RFC 2268, section 2), in bytes.
pub(super) const MAX_RC2_KEY: usize = 128;

impl Cipher {
    /// Length of its key, in bytes.
    pub(crate) fn key_len(self) -> usize {
        match self {
            Self::Des => 8,
            Self::TripleDes | Self::Aes192 => 24,
            Self::TwoKeyTripleDes | Self::Aes128 => 16,
            Self::Aes256 => 32,
            Self::Rc2 { key, .. } | Self::Rc4 { key } => key,
        }
    }

    /// Length of its block and so of its IV, in bytes.
    pub(crate) fn block_len(self) -> usize {
        match self {
            Self::Des | Self::TwoKeyTripleDes | Self::TripleDes | Self::Rc2 { .. } => 8,
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
            Self::Rc4 { .. } => 0,
        }
    }

    /// Decrypts and removes the PKCS#7 padding. None if the padding is wrong, which means a wrong
    /// password.
    pub(crate) fn decrypt(self, key: &[u8], iv: &[u8], data: &[u8]) -> Option<SecretBytes> {
        let plain = match self {
            Self::Des => cbc_of::<des::Des>(key, iv, data),
            Self::TwoKeyTripleDes => cbc_of::<des::TdesEde2>(key, iv, data),
            Self::TripleDes => cbc_of::<des::TdesEde3>(key, iv, data),
            Self::Aes128 => cbc_of::<aes::Aes128>(key, iv, data),
            Self::Aes192 => cbc_of::<aes::Aes192>(key, iv, data),
            Self::Aes256 => cbc_of::<aes::Aes256>(key, iv, data),
            Self::Rc2 { effective, .. } => {
                if key.is_empty() || key.len() > MAX_RC2_KEY {
                    return None;
                }
                let cipher = rc2::Rc2::new_with_eff_key_len(key, effective);
                let mode = cbc::Decryptor::inner_iv_slice_init(cipher, iv).ok()?;
                mode.decrypt_padded_vec::<Pkcs7>(data).ok()
            }
            Self::Rc4 { .. } => {
                let mut plain = data.to_vec();
                rc4::Rc4::new_from_slice(key).ok()?.apply_keystream(&mut plain);
                Some(plain)
            }
        };
        plain.map(SecretBytes::new)
    }
}

fn cbc_of<C: BlockCipherDecrypt + KeyInit>(key: &[u8], iv: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let mode = cbc::Decryptor::<C>::new_from_slices(key, iv).ok()?;
    mode.decrypt_padded_vec::<Pkcs7>(data).ok()
}
