//! MacData (RFC 7292, section 4): the MAC of appendix B, and PBMAC1 (RFC 9579).

use zeroize::Zeroizing;

use super::super::StoreError;
use super::cost::check_iterations;
use super::{damaged, oid, refused, unsupported};
use crate::ber::{Reader, dotted};
use crate::crypto::MacHash;
use crate::key::pbe::pkcs12::{Purpose, derive};
use crate::key::pbe::{Cost, Kdf, Prf, Secret};

const ITERATIONS: &str = "the MAC of the PKCS#12 store";

/// The shortest key that PBMAC1 may derive, in bytes (RFC 9579, section 5).
const MIN_PBMAC1_KEY: u64 = 20;
/// The longest: SHA-512's output, more than which an HMAC has no use for.
const MAX_PBMAC1_KEY: u64 = 64;

/// How the MAC's key comes from the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MacKdf {
    /// RFC 7292, appendix B, with the hash of the MAC.
    Pkcs12 { salt: Vec<u8>, iterations: u32 },
    /// PBKDF2, in PBMAC1.
    Pbmac1 { kdf: Kdf, length: usize },
}

/// A MAC as it stands in a file.
pub(super) struct Mac {
    pub(super) hash: MacHash,
    pub(super) digest: Vec<u8>,
    pub(super) kdf: MacKdf,
}

impl Mac {
    /// Reads MacData.
    pub(super) fn read(mut pfx: Reader<'_>) -> Result<Self, StoreError> {
        let mut data = pfx.sequence("the MAC")?;
        let mut digest_info = data.sequence("the MAC's value")?;
        let mut algorithm = digest_info.sequence("the MAC's algorithm")?;
        let id = algorithm.oid("the MAC's algorithm")?;
        let digest = digest_info.octet_string("the MAC's value")?.into_owned();
        if id == oid::PBMAC1 {
            let (hash, kdf) = read_pbmac1(algorithm)?;
            return Ok(Self { hash, digest, kdf });
        }
        let hash = oid::HASHES.iter().find(|(_, known)| *known == id);
        let Some((hash, _)) = hash else {
            return Err(unsupported(format!("a MAC with the hash {}", hash_name(id))));
        };
        let salt = data.octet_string("the MAC's salt")?.into_owned();
        // DEFAULT 1
        let count = if data.is_empty() { 1 } else { data.uint("the MAC's iteration count")? };
        let iterations = check_iterations(count, ITERATIONS)?;
        Ok(Self { hash: *hash, digest, kdf: MacKdf::Pkcs12 { salt, iterations } })
    }

    /// Whether this is the MAC of `data`.
    pub(super) fn matches(&self, secret: &Secret, data: &[u8]) -> bool {
        let Some(key) = self.kdf.derive(self.hash, secret) else { return false };
        self.hash.hmac_matches(&key, data, &self.digest)
    }
}

fn hash_name(id: &[u8]) -> String {
    match dotted(id).as_str() {
        "1.2.840.113549.2.2" => "MD2".to_owned(),
        "1.2.840.113549.2.4" => "MD4".to_owned(),
        "1.3.36.3.2.1" => "RIPEMD-160".to_owned(),
        "1.0.10118.3.0.55" => "Whirlpool".to_owned(),
        "1.2.156.10197.1.401" => "SM3".to_owned(),
        "1.2.643.7.1.1.2.2" | "1.2.643.7.1.1.2.3" => "Streebog (GOST R 34.11-2012)".to_owned(),
        "1.2.643.2.2.9" => "GOST R 34.11-94".to_owned(),
        other => other.to_owned(),
    }
}

/// PBMAC1-params (RFC 8018, appendix A.5). Salt and iterations of MacData do not count then (RFC 9579,
/// section 4).
fn read_pbmac1(mut algorithm: Reader<'_>) -> Result<(MacHash, MacKdf), StoreError> {
    let mut parameters = algorithm.sequence("the parameters of PBMAC1")?;
    let kdf = Kdf::read(parameters.sequence("the key derivation of PBMAC1")?).map_err(refused)?;
    let Prf(hash) = Prf::read(parameters.sequence("the HMAC of PBMAC1")?).map_err(refused)?;
    let Cost::Iterations(count) = kdf.cost() else {
        return Err(unsupported("PBMAC1 with scrypt".to_owned()));
    };
    check_iterations(count, ITERATIONS)?;
    let length = kdf.key_len().ok_or_else(|| damaged("its PBMAC1 has no key length (RFC 9579)"))?;
    if !(MIN_PBMAC1_KEY..=MAX_PBMAC1_KEY).contains(&length) {
        return Err(damaged(format!(
            "its PBMAC1 has a key of {length} bytes; {MIN_PBMAC1_KEY} to {MAX_PBMAC1_KEY} are \
             allowed"
        )));
    }
    let length = usize::try_from(length).map_err(|_| damaged("its PBMAC1 has a huge key"))?;
    Ok((hash, MacKdf::Pbmac1 { kdf, length }))
}

impl MacKdf {
    fn derive(&self, hash: MacHash, secret: &Secret) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::Pkcs12 { salt, iterations } => {
                let length = hash.output_len();
                Some(derive(hash, &secret.bmp, salt, *iterations, Purpose::Mac, length))
            }
            Self::Pbmac1 { kdf, length } => kdf.derive(&secret.text, *length),
        }
    }
}

/// The key of MACs under one password.
pub(super) struct MacKey {
    hash: MacHash,
    kdf: MacKdf,
    key: Zeroizing<Vec<u8>>,
}

impl MacKey {
    pub(super) fn derive(
        hash: MacHash,
        secret: &Secret,
        salt: Vec<u8>,
        iterations: u32,
        pbmac1: bool,
    ) -> Self {
        let kdf = match pbmac1 {
            false => MacKdf::Pkcs12 { salt, iterations },
            true => {
                let length = hash.output_len();
                let (iterations, key_len) = (iterations.into(), Some(length as u64));
                let kdf = Kdf::Pbkdf2 { salt, iterations, key_len, prf: Prf(hash) };
                MacKdf::Pbmac1 { kdf, length }
            }
        };
        // PBKDF2 takes all of its parameters.
        let key = kdf.derive(hash, secret).unwrap_or_default();
        Self { hash, kdf, key }
    }

    /// Makes the MAC of `data`.
    pub(super) fn mac(&self, data: &[u8]) -> Mac {
        let digest = self.hash.hmac(&self.key, data);
        Mac { hash: self.hash, digest, kdf: self.kdf.clone() }
    }
}
