//! Password-based encryption and MAC of PKCS#12: RFC 7292, appendices B and C, and PBES2 of
//! RFC 8018, section 6.2.
//!
//! Refused: iteration counts beyond [`MAX_ITERATIONS`], scrypt beyond 256 MiB, RC4, and PBMAC1
//! (RFC 9579), which neither Java 17 nor OpenSSL 3.0 know.

use std::cell::Cell;

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use pkcs8::der::{Decode, Encode};
use pkcs8::pkcs5::pbes2;
use zeroize::Zeroizing;

use super::super::{Format, StoreError};
use super::ber::{Reader, damaged, dotted};
use super::oid;
use crate::crypto::{CryptoError, MacHash};

/// The largest iteration count that is accepted. Java has the same bound; the largest default of
/// any writer is 600000 (NSS, GnuTLS).
pub const MAX_ITERATIONS: u32 = 5_000_000;

/// scrypt's memory is 128 * N * r octets (RFC 7914, section 2); 256 MiB is sixteen times what
/// `openssl pkcs8 -scrypt` takes.
const MAX_SCRYPT_OCTETS: u64 = 256 << 20;

/// What one scrypt may take off a [`Budget`].
const SCRYPT_MOST: u64 = MAX_ITERATIONS as u64;

/// scrypt's work grows with its parallelization too.
const MAX_SCRYPT_PARALLEL: u16 = 16;

/// A password as the two families of algorithms take it.
#[derive(Clone, Copy)]
pub(super) enum Passphrase<'a> {
    /// None at all: zero octets. GnuTLS calls it the null password.
    Null,
    /// Text; the empty one is not the same as none.
    Text(&'a str),
}

impl Passphrase<'_> {
    /// UTF-16, big-endian, with two zero octets at the end (RFC 7292, appendix B.1).
    fn bmp(self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Null => Vec::new(),
            Self::Text(text) => text.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect(),
        })
    }

    /// The octets for PBES2: UTF-8.
    fn octets(&self) -> &[u8] {
        match self {
            Self::Null => &[],
            Self::Text(text) => text.as_bytes(),
        }
    }
}

/// What a derived key is for: the diversifier of RFC 7292, appendix B.3.
#[derive(Clone, Copy)]
enum Purpose {
    Encryption = 1,
    Iv = 2,
    Mac = 3,
}

/// Checks an iteration count.
pub(super) fn check_iterations(found: u64, what: &'static str) -> Result<u32, StoreError> {
    match u32::try_from(found) {
        Ok(count @ 1..=MAX_ITERATIONS) => Ok(count),
        _ => Err(StoreError::Iterations { what, found, max: MAX_ITERATIONS }),
    }
}

/// What may still be spent on one file: it can hold any number of keys, each as costly as allowed.
pub(super) struct Budget(Cell<u32>);

impl Budget {
    /// For twenty of the costliest keys, or a hundred of NSS.
    const TOTAL: u32 = 20 * MAX_ITERATIONS;

    pub(super) fn new() -> Self {
        Self(Cell::new(Self::TOTAL))
    }

    /// Leaves so much, without the work.
    #[cfg(test)]
    pub(super) fn drain_but(&self, left: u32) {
        self.0.set(left);
    }

    /// Checks a count and takes it off.
    fn spend(&self, count: u64) -> Result<u32, StoreError> {
        let count = check_iterations(count, "the encryption of the PKCS#12 store")?;
        let Some(left) = self.0.get().checked_sub(count) else {
            let (what, found) = ("all of the PKCS#12 store", u64::from(Self::TOTAL) + 1);
            return Err(StoreError::Iterations { what, found, max: Self::TOTAL });
        };
        self.0.set(left);
        Ok(count)
    }
}

/// The key derivation of RFC 7292, appendix B.2; the letters are those of the text.
fn derive(
    hash: MacHash,
    password: Passphrase<'_>,
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
    input.extend(Zeroizing::new(fill(&password.bmp())).iter());
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

impl Mac {
    fn key(hash: MacHash, password: Passphrase<'_>, salt: &[u8], n: u32) -> Zeroizing<Vec<u8>> {
        derive(hash, password, salt, n, Purpose::Mac, hash.output_len())
    }

    /// Makes the MAC of `data`.
    pub(super) fn make(
        hash: MacHash,
        password: Passphrase<'_>,
        salt: Vec<u8>,
        iterations: u32,
        data: &[u8],
    ) -> Self {
        let digest = hash.hmac(&Self::key(hash, password, &salt, iterations), data);
        Self { hash, digest, salt, iterations }
    }

    /// Whether this is the MAC of `data`.
    pub(super) fn matches(&self, password: Passphrase<'_>, data: &[u8]) -> bool {
        let key = Self::key(self.hash, password, &self.salt, self.iterations);
        self.hash.hmac_matches(&key, data, &self.digest)
    }
}

/// Decryption that did not work out: padding or structure is what a wrong password breaks.
pub(super) enum Failure {
    /// Most likely the password.
    Password,
    /// Something else.
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Decrypts with the algorithm of an AlgorithmIdentifier, whose contents `algorithm` reads.
pub(super) fn decrypt(
    mut algorithm: Reader<'_>,
    data: &[u8],
    password: Passphrase<'_>,
    budget: &Budget,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let id = algorithm.oid("an encryption algorithm")?;
    if id == oid::PBES2 {
        let parameters = algorithm.any("the parameters of PBES2")?.raw;
        return decrypt_pbes2(parameters, data, password, budget);
    }
    let (key_len, open): (usize, Open) = match id {
        oid::PBE_SHA1_3DES => (24, cbc_open::<des::TdesEde3>),
        oid::PBE_SHA1_2DES => (16, cbc_open::<des::TdesEde2>),
        oid::PBE_SHA1_RC2_128 => (16, cbc_open::<rc2::Rc2>),
        oid::PBE_SHA1_RC2_40 => (5, cbc_open::<rc2::Rc2>),
        other => return Err(unsupported(format!("the encryption {}", dotted(other))).into()),
    };
    let mut parameters = algorithm.sequence("the parameters of an encryption")?;
    let salt = parameters.octets("a salt")?;
    let count = budget.spend(parameters.uint("an iteration count")?)?;
    let derive = |purpose, len| derive(MacHash::Sha1, password, &salt, count, purpose, len);
    let (key, iv) = (derive(Purpose::Encryption, key_len), derive(Purpose::Iv, 8));
    open(&key, &iv, data).map(Zeroizing::new).ok_or(Failure::Password)
}

/// Decrypts with key, initialisation vector and ciphertext, in this order.
type Open = fn(&[u8], &[u8], &[u8]) -> Option<Vec<u8>>;

fn cbc_open<C>(key: &[u8], iv: &[u8], data: &[u8]) -> Option<Vec<u8>>
where
    cbc::Decryptor<C>: KeyIvInit + BlockModeDecrypt,
    C: cbc::cipher::BlockCipherDecrypt,
{
    let cipher = cbc::Decryptor::<C>::new_from_slices(key, iv).ok()?;
    cipher.decrypt_padded_vec::<Pkcs7>(data).ok()
}

fn decrypt_pbes2(
    parameters: &[u8],
    data: &[u8],
    password: Passphrase<'_>,
    budget: &Budget,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let Ok(scheme) = pbes2::Parameters::from_der(parameters) else {
        return Err(unsupported(format!("PBES2 with {}", name_pbes2(parameters)?)).into());
    };
    match &scheme.kdf {
        pbes2::Kdf::Pbkdf2(kdf) => {
            budget.spend(u64::from(kdf.iteration_count))?;
        }
        pbes2::Kdf::Scrypt(kdf) => {
            let octets = kdf.cost_parameter.saturating_mul(128 * u64::from(kdf.block_size));
            if octets > MAX_SCRYPT_OCTETS || kdf.parallelization > MAX_SCRYPT_PARALLEL {
                return Err(unsupported("scrypt of more than 256 MiB or 16 lanes".into()).into());
            }
            // 64 octets cost about as much as an iteration of PBKDF2.
            budget.spend((octets / 64 * u64::from(kdf.parallelization)).clamp(1, SCRYPT_MOST))?;
        }
        _ => return Err(unsupported("PBES2 with an unknown key derivation".into()).into()),
    }
    match scheme.decrypt(password.octets(), data) {
        Ok(plain) => Ok(Zeroizing::new(plain)),
        Err(pkcs8::pkcs5::Error::UnsupportedAlgorithm { oid }) => {
            Err(unsupported(format!("PBES2 with {oid}")).into())
        }
        Err(_) => Err(Failure::Password),
    }
}

/// Names the two algorithms of PBES2 parameters that are beyond us.
fn name_pbes2(parameters: &[u8]) -> Result<String, StoreError> {
    let mut parts = Reader::new(parameters).sequence("the parameters of PBES2")?;
    let kdf = parts.sequence("the key derivation of PBES2")?.oid("a key derivation")?;
    let cipher = parts.sequence("the cipher of PBES2")?.oid("a cipher")?;
    Ok(format!("key derivation {} and cipher {}", dotted(kdf), dotted(cipher)))
}

fn unsupported(what: String) -> StoreError {
    StoreError::Unsupported { format: Format::Pkcs12, what }
}

/// PBES2 with PBKDF2-HMAC-SHA256 and AES-256-CBC: parameters (DER) and ciphertext.
pub(super) fn encrypt_pbes2(
    data: &[u8],
    password: Passphrase<'_>,
    salt: [u8; 16],
    iv: [u8; 16],
    iterations: u32,
) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
    let failed = || StoreError::Crypto(CryptoError::Failed("encrypting with PBES2"));
    let scheme = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(iterations, &salt, iv)
        .map_err(|_| failed())?;
    let encrypted = scheme.encrypt(password.octets(), data).map_err(|_| failed())?;
    Ok((scheme.to_der().map_err(|_| failed())?, encrypted))
}

/// pbeWithSHAAnd3-KeyTripleDES-CBC (RFC 7292, appendix C).
pub(super) fn encrypt_3des(
    data: &[u8],
    password: Passphrase<'_>,
    salt: &[u8],
    iterations: u32,
) -> Result<Vec<u8>, StoreError> {
    let derive = |purpose, len| derive(MacHash::Sha1, password, salt, iterations, purpose, len);
    let (key, iv) = (derive(Purpose::Encryption, 24), derive(Purpose::Iv, 8));
    let cipher = cbc::Encryptor::<des::TdesEde3>::new_from_slices(&key, &iv)
        .map_err(|_| damaged("3DES refuses its own key length"))?;
    Ok(cipher.encrypt_padded_vec::<Pkcs7>(data))
}
