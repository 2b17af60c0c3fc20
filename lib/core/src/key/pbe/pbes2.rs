//! The parameters of PBES2 and PBMAC1 (RFC 8018, appendix A): key derivations, PRFs and ciphers.

use zeroize::Zeroizing;

use super::cipher::MAX_RC2_KEY;
use super::{Cipher, Cost, Encryption, PbeError, rounds, unsupported};
use crate::ber::{INTEGER, OCTET_STRING, Reader, SEQUENCE, dotted};
use crate::crypto::MacHash;

/// An HMAC by its object identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prf(pub(crate) MacHash);

impl Prf {
    /// Reads an AlgorithmIdentifier's contents (RFC 8018, appendix B.1; RFC 8619 for SHA-3's arc).
    pub(crate) fn read(mut algorithm: Reader<'_>) -> Result<Self, PbeError> {
        let id = dotted(algorithm.oid("an HMAC")?);
        Ok(Self(match id.as_str() {
            "1.2.840.113549.2.6" => MacHash::Md5,
            "1.2.840.113549.2.7" => MacHash::Sha1,
            "1.2.840.113549.2.8" => MacHash::Sha224,
            "1.2.840.113549.2.9" => MacHash::Sha256,
            "1.2.840.113549.2.10" => MacHash::Sha384,
            "1.2.840.113549.2.11" => MacHash::Sha512,
            "1.2.840.113549.2.12" => MacHash::Sha512_224,
            "1.2.840.113549.2.13" => MacHash::Sha512_256,
            "2.16.840.1.101.3.4.2.13" => MacHash::Sha3_224,
            "2.16.840.1.101.3.4.2.14" => MacHash::Sha3_256,
            "2.16.840.1.101.3.4.2.15" => MacHash::Sha3_384,
            "2.16.840.1.101.3.4.2.16" => MacHash::Sha3_512,
            other => return Err(unsupported(format!("the HMAC {other}"))),
        }))
    }
}

/// How a key comes from a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kdf {
    /// PBKDF2 (RFC 8018, 5.2).
    Pbkdf2 {
        /// Its salt.
        salt: Vec<u8>,
        /// Its iterations.
        iterations: u64,
        /// The length of the key in bytes, if the parameters say it.
        key_len: Option<u64>,
        /// Its PRF.
        prf: Prf,
    },
    /// scrypt (RFC 7914, section 7).
    Scrypt {
        /// Its salt.
        salt: Vec<u8>,
        /// N, a power of two.
        n: u64,
        /// r.
        r: u16,
        /// p.
        p: u16,
        /// The length of the key in bytes, if the parameters say it.
        key_len: Option<u64>,
    },
}

impl Kdf {
    /// Reads an AlgorithmIdentifier's contents.
    pub(crate) fn read(mut algorithm: Reader<'_>) -> Result<Self, PbeError> {
        let id = dotted(algorithm.oid("a key derivation")?);
        match id.as_str() {
            "1.2.840.113549.1.5.12" => Self::read_pbkdf2(algorithm),
            "1.3.6.1.4.1.11591.4.11" => Self::read_scrypt(algorithm),
            other => Err(unsupported(format!("the key derivation {other}"))),
        }
    }

    fn read_pbkdf2(mut algorithm: Reader<'_>) -> Result<Self, PbeError> {
        let mut parameters = algorithm.sequence("the parameters of PBKDF2")?;
        if parameters.next_is(SEQUENCE) {
            return Err(unsupported("PBKDF2 with a salt from elsewhere"));
        }
        let salt = parameters.octet_string("the salt of PBKDF2")?.into_owned();
        let iterations = parameters.uint("the iteration count of PBKDF2")?;
        let key_len = optional_length(&mut parameters)?;
        let prf = match parameters.is_empty() {
            // DEFAULT
            true => Prf(MacHash::Sha1),
            false => Prf::read(parameters.sequence("the PRF of PBKDF2")?)?,
        };
        Ok(Self::Pbkdf2 { salt, iterations, key_len, prf })
    }

    fn read_scrypt(mut algorithm: Reader<'_>) -> Result<Self, PbeError> {
        let mut parameters = algorithm.sequence("the parameters of scrypt")?;
        let salt = parameters.octet_string("the salt of scrypt")?.into_owned();
        let n = parameters.uint("the cost of scrypt")?;
        let mut small = |what| -> Result<u16, PbeError> {
            // Larger ones are beyond every bound.
            Ok(u16::try_from(parameters.uint(what)?).unwrap_or(u16::MAX))
        };
        let (r, p) = (small("the block size of scrypt")?, small("the lanes of scrypt")?);
        Ok(Self::Scrypt { salt, n, r, p, key_len: optional_length(&mut parameters)? })
    }

    /// What deriving once takes.
    pub(crate) fn cost(&self) -> Cost {
        match self {
            Self::Pbkdf2 { iterations, .. } => Cost::Iterations(*iterations),
            Self::Scrypt { n, r, p, .. } => Cost::Scrypt { n: *n, r: *r, p: *p },
        }
    }

    /// The length of the key in bytes, if the parameters say it.
    pub(crate) fn key_len(&self) -> Option<u64> {
        match self {
            Self::Pbkdf2 { key_len, .. } | Self::Scrypt { key_len, .. } => *key_len,
        }
    }

    /// A key. None if scrypt refuses its parameters.
    pub(crate) fn derive(&self, password: &[u8], length: usize) -> Option<Zeroizing<Vec<u8>>> {
        let mut key = Zeroizing::new(vec![0; length]);
        match self {
            Self::Pbkdf2 { salt, iterations, prf, .. } => {
                prf.0.pbkdf2(password, salt, rounds(*iterations), &mut key);
            }
            Self::Scrypt { salt, n, r, p, .. } => {
                let log_n = u8::try_from(n.checked_ilog2()?).ok()?;
                if !n.is_power_of_two() {
                    return None;
                }
                let parameters = scrypt::Params::new(log_n, (*r).into(), (*p).into()).ok()?;
                scrypt::scrypt(password, salt, &parameters, &mut key).ok()?;
            }
        }
        Some(key)
    }
}

fn optional_length(parameters: &mut Reader<'_>) -> Result<Option<u64>, PbeError> {
    match parameters.next_is(INTEGER) {
        true => Ok(Some(parameters.uint("a key length")?)),
        false => Ok(None),
    }
}

/// Reads PBES2's parameters, after its object identifier.
pub(super) fn read(mut algorithm: Reader<'_>) -> Result<Encryption, PbeError> {
    let mut parameters = algorithm.sequence("the parameters of PBES2")?;
    let kdf = parameters.sequence("the key derivation of PBES2")?;
    let scheme = parameters.sequence("the cipher of PBES2")?;
    // The cipher first: its name says more to people.
    let (cipher, iv) = read_cipher(scheme)?;
    let kdf = Kdf::read(kdf)?;
    let cipher = match (cipher, kdf.key_len()) {
        // RC2's key is as long as the derivation says (RFC 8018, appendix B.2.3).
        (Cipher::Rc2 { effective, .. }, Some(length)) => {
            let key = usize::try_from(length).unwrap_or(usize::MAX);
            if !(1..=MAX_RC2_KEY).contains(&key) {
                return Err(unsupported(format!("RC2 with a key of {length} bytes")));
            }
            Cipher::Rc2 { key, effective }
        }
        (cipher, Some(length)) if length != cipher.key_len() as u64 => {
            let what = format!("a key of {length} bytes for a cipher of {}", cipher.key_len());
            return Err(unsupported(what));
        }
        (cipher, _) => cipher,
    };
    Ok(Encryption::Pbes2 { kdf, cipher, iv })
}

/// The cipher of PBES2, and its IV.
fn read_cipher(mut algorithm: Reader<'_>) -> Result<(Cipher, Vec<u8>), PbeError> {
    let id = dotted(algorithm.oid("a cipher")?);
    let cipher = match id.as_str() {
        "1.3.14.3.2.7" => Cipher::Des,
        "1.2.840.113549.3.7" => Cipher::TripleDes,
        "2.16.840.1.101.3.4.1.2" => Cipher::Aes128,
        "2.16.840.1.101.3.4.1.22" => Cipher::Aes192,
        "2.16.840.1.101.3.4.1.42" => Cipher::Aes256,
        "1.2.840.113549.3.2" => return read_rc2(algorithm),
        other => return Err(unsupported(format!("PBES2 with {}", cipher_name(other)))),
    };
    Ok((cipher, read_iv(algorithm, cipher)?))
}

fn read_iv(mut parameters: Reader<'_>, cipher: Cipher) -> Result<Vec<u8>, PbeError> {
    let iv = parameters.octet_string("the IV of PBES2")?.into_owned();
    if iv.len() != cipher.block_len() {
        let what = format!("an IV of {} bytes for a cipher of {}", iv.len(), cipher.block_len());
        return Err(unsupported(what));
    }
    Ok(iv)
}

/// RC2-CBC-Parameter (RFC 8018, appendix B.2.3): the effective bits come as a number of their own.
fn read_rc2(mut algorithm: Reader<'_>) -> Result<(Cipher, Vec<u8>), PbeError> {
    let (version, iv) = if algorithm.next_is(OCTET_STRING) {
        (None, algorithm)
    } else {
        let mut parameters = algorithm.sequence("the parameters of RC2")?;
        (Some(parameters.uint("the version of RC2")?), parameters)
    };
    let effective = match version {
        None => 32,
        Some(160) => 40,
        Some(120) => 64,
        Some(58) => 128,
        Some(bits @ 256..=1024) => usize::try_from(bits).unwrap_or(1024),
        Some(other) => return Err(unsupported(format!("RC2 of version {other}"))),
    };
    let cipher = Cipher::Rc2 { key: effective / 8, effective };
    Ok((cipher, read_iv(iv, cipher)?))
}

/// The name of a cipher that is not decrypted, or its dotted form.
pub(super) fn cipher_name(id: &str) -> String {
    let name = match id {
        "1.2.392.200011.61.1.1.1.2" => "Camellia-128",
        "1.2.392.200011.61.1.1.1.3" => "Camellia-192",
        "1.2.392.200011.61.1.1.1.4" => "Camellia-256",
        "1.2.410.200046.1.1.2" => "ARIA-128",
        "1.2.410.200046.1.1.7" => "ARIA-192",
        "1.2.410.200046.1.1.12" => "ARIA-256",
        "1.2.410.200004.1.4" => "SEED",
        "1.2.156.10197.1.104.2" => "SM4",
        "1.2.840.113549.3.9" => "RC5",
        "1.2.840.113533.7.66.10" => "CAST-128",
        "1.3.6.1.4.1.3029.1.2" => "Blowfish",
        "1.3.6.1.4.1.188.7.1.1.2" => "IDEA",
        "1.2.643.2.2.21" => "GOST 28147-89",
        "1.2.643.7.1.1.5.1.1" | "1.2.643.7.1.1.5.1.2" => "Magma (GOST R 34.12-2015)",
        "1.2.643.7.1.1.5.2.1" | "1.2.643.7.1.1.5.2.2" => "Kuznyechik (GOST R 34.12-2015)",
        "2.16.840.1.101.3.4.1.6" => "AES-128-GCM",
        "2.16.840.1.101.3.4.1.26" => "AES-192-GCM",
        "2.16.840.1.101.3.4.1.46" => "AES-256-GCM",
        other => return other.to_owned(),
    };
    format!("{name} ({id})")
}
