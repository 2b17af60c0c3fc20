//! Password-based encryption, as it is read: of private keys and of PKCS#12 stores.
//!
//! | scheme | of | ciphers |
//! | --- | --- | --- |
//! | PBES1 (RFC 8018, 6.1) | OpenSSL 1.0's `pkcs8 -topk8` | DES or RC2 of 64 bits, with MD5 or SHA-1 |
//! | PKCS#12 (RFC 7292, appendix C) | old stores, GnuTLS's keys | 3DES of two and three keys, RC2 and RC4 of 40 and 128 bits |
//! | PBES2 (RFC 8018, 6.2) | today's tools | AES, 3DES, DES, RC2; PBKDF2 with HMAC of MD5, SHA-1, SHA-2 or SHA-3, or scrypt |
//!
//! What is written is in [`pbes2`](super::pbes2) and [`pkcs12::encrypt_3des`]. Refused by name: PBES1 with MD2,
//! and PBES2 with Camellia, ARIA, SEED, SM4, GOST and other ciphers. What decrypting costs is said by
//! [`Encryption::cost`], and the caller bounds it before it decrypts.

mod cipher;
mod pbes2;
pub(crate) mod pkcs12;

use md5::Digest;
use zeroize::Zeroizing;

use self::pkcs12::Purpose;
use crate::ber::{BerError, Element, Reader, SEQUENCE, dotted};
use crate::crypto::{MacHash, sha1};
use crate::secret::{Password, SecretBytes};

pub(crate) use cipher::Cipher;
pub(crate) use pbes2::{Kdf, Prf};

/// Why an encryption cannot be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PbeError {
    /// An algorithm that is not supported, in words.
    Unsupported(String),
    /// The structure that should say how it is encrypted is not whole.
    Malformed(BerError),
}

impl From<BerError> for PbeError {
    fn from(e: BerError) -> Self {
        Self::Malformed(e)
    }
}

fn unsupported(what: impl Into<String>) -> PbeError {
    PbeError::Unsupported(what.into())
}

/// What one decryption takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cost {
    /// Rounds of a hash or an HMAC.
    Iterations(u64),
    /// scrypt (RFC 7914): cost, block size and parallelization.
    Scrypt {
        /// N.
        n: u64,
        /// r.
        r: u16,
        /// p.
        p: u16,
    },
}

/// A password in the bytes that the schemes take.
pub(crate) struct Secret {
    /// As text, for PBES1 and PBES2.
    pub(crate) text: Zeroizing<Vec<u8>>,
    /// As of [`pkcs12::bmp`], for PKCS#12.
    pub(crate) bmp: Zeroizing<Vec<u8>>,
}

impl Secret {
    /// The ways in which tools have turned this password into bytes, the standard's first.
    ///
    /// "No password" is the empty string or no bytes at all (GnuTLS, NSS, OpenSSL try both), and a user
    /// cannot know which. Before 1.1.0 OpenSSL took each byte of a text for a character.
    pub(crate) fn readings(password: &str) -> Vec<Self> {
        let text = || Zeroizing::new(password.as_bytes().to_vec());
        let mut all = vec![Self { text: text(), bmp: pkcs12::bmp(password) }];
        if password.is_empty() {
            all.push(Self { text: text(), bmp: Zeroizing::default() });
        } else if !password.is_ascii() {
            let bytes: Zeroizing<String> =
                Zeroizing::new(password.bytes().map(char::from).collect());
            all.push(Self { text: text(), bmp: pkcs12::bmp(&bytes) });
        }
        all
    }
}

/// How something is encrypted: an AlgorithmIdentifier that we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// PBES1.
    Pbes1 {
        /// MD5 or SHA-1.
        hash: MacHash,
        /// DES or RC2 of 64 bits.
        cipher: Cipher,
        /// Salt and iterations.
        salt: Salt,
    },
    /// A scheme of PKCS#12.
    Pkcs12 {
        /// Its cipher.
        cipher: Cipher,
        /// Salt and iterations.
        salt: Salt,
    },
    /// PBES2.
    Pbes2 {
        /// How the key comes from the password.
        kdf: Kdf,
        /// Its cipher.
        cipher: Cipher,
        /// Its IV.
        iv: Vec<u8>,
    },
}

/// A salt, and how often it is stirred in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Salt {
    bytes: Vec<u8>,
    iterations: u64,
}

impl Salt {
    fn read(mut algorithm: Reader<'_>) -> Result<Self, PbeError> {
        let mut parameters = algorithm.sequence("the parameters of an encryption")?;
        let bytes = parameters.octet_string("a salt")?.into_owned();
        Ok(Self { bytes, iterations: parameters.uint("an iteration count")? })
    }

    fn rounds(&self) -> u32 {
        rounds(self.iterations)
    }
}

/// An iteration count that was checked before, by [`Encryption::cost`].
fn rounds(iterations: u64) -> u32 {
    u32::try_from(iterations).unwrap_or(u32::MAX).max(1)
}

impl Encryption {
    /// Reads an AlgorithmIdentifier.
    pub(crate) fn read(algorithm: Element<'_>) -> Result<Self, PbeError> {
        use Cipher::{Des, Rc2, Rc4, TripleDes, TwoKeyTripleDes};
        let mut algorithm = Reader::new(algorithm.contents);
        let id = dotted(algorithm.oid("an encryption algorithm")?);
        let pbes1 = |hash, cipher, rest| -> Result<Self, PbeError> {
            Ok(Self::Pbes1 { hash, cipher, salt: Salt::read(rest)? })
        };
        let of_pkcs12 = |cipher, rest| -> Result<Self, PbeError> {
            Ok(Self::Pkcs12 { cipher, salt: Salt::read(rest)? })
        };
        let rc2 = |key, effective| Rc2 { key, effective };
        match id.as_str() {
            "1.2.840.113549.1.5.1" | "1.2.840.113549.1.5.4" => Err(unsupported("PBES1 with MD2")),
            "1.2.840.113549.1.5.3" => pbes1(MacHash::Md5, Des, algorithm),
            "1.2.840.113549.1.5.6" => pbes1(MacHash::Md5, rc2(8, 64), algorithm),
            "1.2.840.113549.1.5.10" => pbes1(MacHash::Sha1, Des, algorithm),
            "1.2.840.113549.1.5.11" => pbes1(MacHash::Sha1, rc2(8, 64), algorithm),
            "1.2.840.113549.1.5.13" => pbes2::read(algorithm),
            "1.2.840.113549.1.12.1.1" => of_pkcs12(Rc4 { key: 16 }, algorithm),
            "1.2.840.113549.1.12.1.2" => of_pkcs12(Rc4 { key: 5 }, algorithm),
            "1.2.840.113549.1.12.1.3" => of_pkcs12(TripleDes, algorithm),
            "1.2.840.113549.1.12.1.4" => of_pkcs12(TwoKeyTripleDes, algorithm),
            "1.2.840.113549.1.12.1.5" => of_pkcs12(rc2(16, 128), algorithm),
            "1.2.840.113549.1.12.1.6" => of_pkcs12(rc2(5, 40), algorithm),
            other => Err(unsupported(format!("the encryption {}", pbes2::cipher_name(other)))),
        }
    }

    /// What decrypting once takes.
    pub(crate) fn cost(&self) -> Cost {
        match self {
            Self::Pbes1 { salt, .. } | Self::Pkcs12 { salt, .. } => {
                Cost::Iterations(salt.iterations)
            }
            Self::Pbes2 { kdf, .. } => kdf.cost(),
        }
    }

    /// Decrypts. None if the password is wrong; about once in 256 times a wrong one passes, and always
    /// with RC4, and gives garbage.
    pub(crate) fn decrypt(&self, secret: &Secret, data: &[u8]) -> Option<SecretBytes> {
        match self {
            Self::Pbes1 { hash, cipher, salt } => {
                let derived = pbkdf1(*hash, &secret.text, &salt.bytes, salt.rounds());
                cipher.decrypt(&derived[..8], &derived[8..16], data)
            }
            Self::Pkcs12 { cipher, salt } => {
                let derive = |purpose, len| {
                    let n = salt.rounds();
                    pkcs12::derive(MacHash::Sha1, &secret.bmp, &salt.bytes, n, purpose, len)
                };
                let key = derive(Purpose::Encryption, cipher.key_len());
                let iv = match cipher.block_len() {
                    0 => Zeroizing::default(),
                    length => derive(Purpose::Iv, length),
                };
                cipher.decrypt(&key, &iv, data)
            }
            Self::Pbes2 { kdf, cipher, iv } => {
                let key = kdf.derive(&secret.text, cipher.key_len())?;
                cipher.decrypt(&key, iv, data)
            }
        }
    }
}

/// RFC 8018, 5.1: at least 16 bytes.
fn pbkdf1(hash: MacHash, password: &[u8], salt: &[u8], iterations: u32) -> Zeroizing<Vec<u8>> {
    let hash = |data: &[u8]| match hash {
        MacHash::Md5 => md5::Md5::digest(data).to_vec(),
        _ => sha1(data).to_vec(),
    };
    let mut state = Zeroizing::new([password, salt].concat());
    for _ in 0..iterations {
        state = Zeroizing::new(hash(&state));
    }
    state
}

/// EncryptedPrivateKeyInfo (RFC 5958, section 3): something encrypted that says how.
pub(crate) struct Sealed {
    /// How.
    pub(crate) encryption: Encryption,
    data: Vec<u8>,
}

impl Sealed {
    /// Reads the element with its tag and length, in BER.
    pub(crate) fn read(info: &[u8]) -> Result<Self, PbeError> {
        let mut info = Reader::new(info).sequence("an encrypted key")?;
        let algorithm = info.tagged(SEQUENCE, "an encryption algorithm")?;
        let data = info.octet_string("an encrypted key")?.into_owned();
        Ok(Self { encryption: Encryption::read(algorithm)?, data })
    }

    /// What was encrypted, as of [`Encryption::decrypt`].
    pub(crate) fn open(&self, secret: &Secret) -> Option<SecretBytes> {
        self.encryption.decrypt(secret, &self.data)
    }

    /// What was encrypted under a password, if `fits` says that it is no garbage.
    pub(crate) fn open_with(
        &self,
        password: &Password,
        fits: impl Fn(&[u8]) -> bool,
    ) -> Option<SecretBytes> {
        let readings = Secret::readings(password.expose());
        readings.iter().filter_map(|s| self.open(s)).find(|plain| fits(plain.expose()))
    }
}

/// Whether DER has the shape of an EncryptedPrivateKeyInfo, whatever its algorithm.
pub(crate) fn is_sealed(der: &[u8]) -> bool {
    let parts = || -> Result<bool, BerError> {
        let mut file = Reader::new(der);
        let mut info = file.sequence("it")?;
        info.sequence("it")?.oid("it")?;
        info.octet_string("it")?;
        Ok(info.is_empty() && file.is_empty())
    };
    parts().unwrap_or(false)
}

/// Whether bytes have the shape of a PrivateKeyInfo (RFC 5208): garbage does not.
pub(crate) fn is_private_key_info(plain: &[u8]) -> bool {
    let parts = || -> Result<bool, BerError> {
        let mut file = Reader::new(plain);
        let mut info = file.sequence("it")?;
        info.uint("it")?;
        info.sequence("it")?.oid("it")?;
        info.octet_string("it")?;
        Ok(file.is_empty())
    };
    parts().unwrap_or(false)
}
