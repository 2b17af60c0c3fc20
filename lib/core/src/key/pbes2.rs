//! PBES2 as it is written here (RFC 8018, 6.2): PBKDF2-HMAC-SHA256 and AES-256-CBC.
//!
//! The key is derived once and encrypts many things, each under an IV of its own. Where one password
//! protects them all, a salt for each would cost anyone who opens them as much again, and an attacker
//! nothing: one of them is enough to try passwords on.

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use pkcs8::der::Encode;
use pkcs8::pkcs5::{EncryptionScheme, pbes2};
use pkcs8::{EncryptedPrivateKeyInfoRef, der::Decode};
use zeroize::Zeroizing;

use super::pbe::Cipher;
use super::read::MAX_ITERATIONS;
use super::{KeyError, PrivateKey};
use crate::cert::{pem_blocks, pem_text};
use crate::crypto::{CryptoError, fill_random};
use crate::der;
use crate::secret::{Password, SecretBytes};

/// A key derived from a password.
pub struct Pbes2Key {
    salt: [u8; 16],
    iterations: u32,
    key: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Pbes2Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pbes2Key({} iterations)", self.iterations)
    }
}

impl Pbes2Key {
    /// Derives a key with 128 bits of random salt (NIST SP 800-132, section 5.1).
    pub fn new(password: &Password, iterations: u32) -> Result<Self, CryptoError> {
        let mut salt = [0; 16];
        fill_random(&mut salt)?;
        Ok(Self::derive(password.expose(), salt, iterations))
    }

    pub(crate) fn derive(password: &str, salt: [u8; 16], iterations: u32) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        let password = password.as_bytes();
        pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password, &salt, iterations, key.as_mut());
        Self { salt, iterations, key }
    }

    /// Parameters (DER) and ciphertext.
    pub(crate) fn encrypt(
        &self,
        data: &[u8],
        iv: [u8; 16],
    ) -> Result<(Vec<u8>, Vec<u8>), CryptoError> {
        const FAILED: CryptoError = CryptoError::Failed("encrypting with PBES2");
        let parameters = self.parameters(iv)?.to_der().map_err(|_| FAILED)?;
        let cipher = cbc::Encryptor::<aes::Aes256>::new_from_slices(self.key.as_ref(), &iv)
            .map_err(|_| FAILED)?;
        Ok((parameters, cipher.encrypt_padded_vec::<Pkcs7>(data)))
    }

    fn parameters(&self, iv: [u8; 16]) -> Result<pbes2::Parameters, CryptoError> {
        pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(self.iterations, &self.salt, iv)
            .map_err(|_| CryptoError::Failed("encrypting with PBES2"))
    }

    /// PEM of a private key as encrypted PKCS#8.
    pub fn seal(&self, key: &PrivateKey) -> Result<SecretBytes, KeyError> {
        const FAILED: CryptoError = CryptoError::Failed("encrypting the private key");
        let mut iv = [0; 16];
        fill_random(&mut iv)?;
        let (_, encrypted) = self.encrypt(key.pkcs8().expose(), iv)?;
        let scheme = EncryptionScheme::from(self.parameters(iv)?).to_der().map_err(|_| FAILED)?;
        let encrypted = der::element(der::OCTET_STRING, &[&encrypted]);
        let whole = der::element(der::SEQUENCE, &[&scheme, &encrypted]);
        Ok(SecretBytes::new(pem_text("ENCRYPTED PRIVATE KEY", &whole)))
    }

    /// The key that opens a PEM, derived from the password and what the PEM says.
    pub fn of(pem: &[u8], password: &Password) -> Result<Self, KeyError> {
        let (salt, iterations, ..) = taken_apart(pem)?;
        Ok(Self::derive(password.expose(), salt, iterations))
    }

    /// Opens a PEM that [`Pbes2Key::seal`] has made; none if it was made with another salt.
    pub fn open(&self, pem: &[u8]) -> Result<Option<PrivateKey>, KeyError> {
        let (salt, iterations, iv, data) = taken_apart(pem)?;
        if (salt, iterations) != (self.salt, self.iterations) {
            return Ok(None);
        }
        let plain =
            Cipher::Aes256.decrypt(self.key.as_ref(), &iv, &data).ok_or(KeyError::WrongPassword)?;
        PrivateKey::from_pkcs8(plain.expose()).map(Some)
    }
}

type Parts = ([u8; 16], u32, [u8; 16], Vec<u8>);

/// Salt, iterations, IV and ciphertext.
fn taken_apart(pem: &[u8]) -> Result<Parts, KeyError> {
    const OTHER: KeyError = KeyError::Damaged("it is not encrypted as keys are here");
    let blocks = pem_blocks(pem).map_err(|_| OTHER)?;
    let [block] = blocks.as_slice() else { return Err(OTHER) };
    let info = EncryptedPrivateKeyInfoRef::from_der(block.contents()).map_err(|_| OTHER)?;
    let scheme = info.encryption_algorithm.pbes2().ok_or(OTHER)?;
    let (kdf, pbes2::EncryptionScheme::Aes256Cbc { iv }) =
        (scheme.kdf.pbkdf2(), &scheme.encryption)
    else {
        return Err(OTHER);
    };
    let kdf = kdf.filter(|kdf| kdf.prf == pbes2::Pbkdf2Prf::HmacWithSha256).ok_or(OTHER)?;
    let salt = <[u8; 16]>::try_from(kdf.salt.as_ref()).map_err(|_| OTHER)?;
    if kdf.iteration_count > MAX_ITERATIONS {
        return Err(OTHER);
    }
    Ok((salt, kdf.iteration_count, *iv, info.encrypted_data.as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::KeyType;

    #[test]
    fn one_derivation_opens_many() {
        let password = Password::new("Secret-01");
        let sealing = Pbes2Key::new(&password, 10).unwrap();
        let keys: Vec<PrivateKey> =
            (0..3).map(|_| PrivateKey::generate(KeyType::EcP256).unwrap()).collect();
        let sealed: Vec<SecretBytes> = keys.iter().map(|k| sealing.seal(k).unwrap()).collect();
        let opening = Pbes2Key::of(sealed[0].expose(), &password).unwrap();
        for (key, pem) in keys.iter().zip(&sealed) {
            let opened = opening.open(pem.expose()).unwrap().unwrap();
            assert_eq!(opened.pkcs8(), key.pkcs8());
            // By the way that reads any key.
            assert_eq!(
                PrivateKey::read(pem.expose(), Some(&password)).unwrap().pkcs8(),
                key.pkcs8()
            );
        }
        let wrong = Pbes2Key::of(sealed[0].expose(), &Password::new("Secret-02")).unwrap();
        assert!(wrong.open(sealed[0].expose()).is_err());
        let other = Pbes2Key::new(&password, 10).unwrap();
        assert!(other.open(sealed[0].expose()).unwrap().is_none());
        assert!(Pbes2Key::of(keys[0].to_pem().expose(), &password).is_err());
    }
}
