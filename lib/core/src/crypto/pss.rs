//! RSASSA-PSS with a salt of any length, verified (RFC 8017, 8.1.2). The backends verify it with a salt as
//! long as the hash only, and a signature of somebody else's may have 20 bytes, or none. All that comes in
//! is public.

use num_bigint::BigUint;
use sha2::Digest;
use yasna::models::ObjectIdentifier;
use yasna::{ASN1Error, ASN1ErrorKind, ASN1Result, BERReader, Tag};

use super::{CryptoError, Hash};

/// Longest public exponent, in bits: as in the backends, so that a key costs no more here.
const MAX_EXPONENT_BITS: u64 = 33;

/// id-mgf1.
const MGF1: &[u64] = &[1, 2, 840, 113549, 1, 1, 8];

/// What RSASSA-PSS-params say (RFC 4055, 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) hash: Hash,
    pub(super) salt: u16,
}

/// Reads RSASSA-PSS-params. One hash has to be used throughout.
pub(super) fn parameters(der: &[u8]) -> Result<Parameters, CryptoError> {
    let unusual = |_| CryptoError::UnsupportedAlgorithm("RSA-PSS with unusual parameters".into());
    let (hash, mgf_hash, salt) = yasna::parse_der(der, |reader| {
        reader.read_sequence(|parts| {
            let hash = parts.read_optional(|r| r.read_tagged(Tag::context(0), digest))?;
            let mgf = parts.read_optional(|r| r.read_tagged(Tag::context(1), mask_digest))?;
            let salt = parts.read_optional(|r| r.read_tagged(Tag::context(2), |r| r.read_u16()))?;
            let trailer =
                parts.read_optional(|r| r.read_tagged(Tag::context(3), |r| r.read_u8()))?;
            if trailer.is_some_and(|trailer| trailer != 1) {
                return Err(ASN1Error::new(ASN1ErrorKind::Invalid));
            }
            // The default of both hashes is SHA-1.
            Ok((hash.flatten(), mgf.flatten(), salt.unwrap_or(20)))
        })
    })
    .map_err(unusual)?;
    let weak = CryptoError::WeakSignature("RSA-PSS with SHA-1");
    let (hash, mgf_hash) = (hash.ok_or(weak.clone())?, mgf_hash.ok_or(weak)?);
    if hash != mgf_hash {
        let text = "RSA-PSS with two different hashes".to_owned();
        return Err(CryptoError::UnsupportedAlgorithm(text));
    }
    Ok(Parameters { hash, salt })
}

/// A hash by its AlgorithmIdentifier, NULL or nothing beside it; none for SHA-1.
fn digest(reader: BERReader<'_, '_>) -> ASN1Result<Option<Hash>> {
    reader.read_sequence(|parts| {
        let id = parts.next().read_oid()?;
        parts.read_optional(|r| r.read_null())?;
        match id.components().as_slice() {
            [2, 16, 840, 1, 101, 3, 4, 2, 1] => Ok(Some(Hash::Sha256)),
            [2, 16, 840, 1, 101, 3, 4, 2, 2] => Ok(Some(Hash::Sha384)),
            [2, 16, 840, 1, 101, 3, 4, 2, 3] => Ok(Some(Hash::Sha512)),
            [1, 3, 14, 3, 2, 26] => Ok(None),
            _ => Err(ASN1Error::new(ASN1ErrorKind::Invalid)),
        }
    })
}

fn mask_digest(reader: BERReader<'_, '_>) -> ASN1Result<Option<Hash>> {
    reader.read_sequence(|parts| {
        if parts.next().read_oid()? != ObjectIdentifier::from_slice(MGF1) {
            return Err(ASN1Error::new(ASN1ErrorKind::Invalid));
        }
        digest(parts.next())
    })
}

/// Verifies a signature over `message` with an RSAPublicKey in DER.
pub(super) fn verify(
    key: &[u8],
    parameters: Parameters,
    message: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    let numbers = yasna::parse_der(key, |reader| {
        reader.read_sequence(|parts| {
            Ok((parts.next().read_bigint_bytes()?, parts.next().read_bigint_bytes()?))
        })
    });
    let Ok(((modulus, true), (exponent, true))) = numbers else {
        return Err(CryptoError::BadSignature);
    };
    let (modulus, exponent) = (BigUint::from_bytes_be(&modulus), BigUint::from_bytes_be(&exponent));
    let number = BigUint::from_bytes_be(signature);
    let length = usize::try_from(modulus.bits().div_ceil(8)).unwrap_or(usize::MAX);
    if exponent.bits() > MAX_EXPONENT_BITS || signature.len() != length || number >= modulus {
        return Err(CryptoError::BadSignature);
    }
    let bits = modulus.bits() - 1;
    let encoded = number.modpow(&exponent, &modulus).to_bytes_be();
    let wanted = usize::try_from(bits.div_ceil(8)).unwrap_or(usize::MAX);
    let missing = wanted.checked_sub(encoded.len()).ok_or(CryptoError::BadSignature)?;
    let encoded = [vec![0; missing], encoded].concat();
    let good = match parameters.hash {
        Hash::Sha256 => is_encoding::<sha2::Sha256>(&encoded, bits, parameters.salt, message),
        Hash::Sha384 => is_encoding::<sha2::Sha384>(&encoded, bits, parameters.salt, message),
        Hash::Sha512 => is_encoding::<sha2::Sha512>(&encoded, bits, parameters.salt, message),
    };
    if good { Ok(()) } else { Err(CryptoError::BadSignature) }
}

/// EMSA-PSS-VERIFY (RFC 8017, 9.1.2). `bits` is the length of the encoded message.
fn is_encoding<D: Digest>(encoded: &[u8], bits: u64, salt: u16, message: &[u8]) -> bool {
    const TRAILER: u8 = 0xbc;
    let (size, salt) = (<D as Digest>::output_size(), usize::from(salt));
    let Some((&TRAILER, rest)) = encoded.split_last() else { return false };
    let Some(masked_length) = rest.len().checked_sub(size).filter(|n| *n > salt) else {
        return false;
    };
    let (masked, digest) = rest.split_at(masked_length);
    let unused = u32::try_from(8 * u64::try_from(encoded.len()).unwrap_or(u64::MAX) - bits);
    // Bits of the first byte that are left of the encoded message.
    let left = 0xff_u8.checked_shr(unused.unwrap_or(8)).unwrap_or(0);
    let mut block: Vec<u8> =
        masked.iter().zip(mask::<D>(digest, masked_length)).map(|(a, b)| a ^ b).collect();
    let Some(first) = block.first_mut() else { return false };
    if masked.first().is_some_and(|octet| octet & !left != 0) {
        return false;
    }
    *first &= left;
    let (padding, salt) = block.split_at(masked_length - salt);
    let Some((&1, zeros)) = padding.split_last() else { return false };
    let hashed = D::new()
        .chain_update([0; 8])
        .chain_update(D::digest(message))
        .chain_update(salt)
        .finalize();
    zeros.iter().all(|octet| *octet == 0) && hashed.as_slice() == digest
}

/// MGF1 (RFC 8017, B.2.1).
fn mask<D: Digest>(seed: &[u8], length: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(length + <D as Digest>::output_size());
    let mut counter: u32 = 0;
    while out.len() < length {
        let block = D::new().chain_update(seed).chain_update(counter.to_be_bytes()).finalize();
        out.extend_from_slice(&block);
        counter += 1;
    }
    out.truncate(length);
    out
}
