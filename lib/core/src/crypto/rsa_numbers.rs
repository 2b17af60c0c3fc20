//! The numbers of an RSA public key.

use super::CryptoError;

/// The modulus and the exponent of an RSAPublicKey (RFC 8017, A.1.1), big-endian.
pub(super) fn rsa_numbers(rsa_public_key: &[u8]) -> Result<(Vec<u8>, Vec<u8>), CryptoError> {
    let numbers = yasna::parse_der(rsa_public_key, |reader| {
        reader.read_sequence(|reader| {
            let (modulus, positive) = reader.next().read_bigint_bytes()?;
            let (exponent, _) = reader.next().read_bigint_bytes()?;
            if positive {
                Ok((modulus, exponent))
            } else {
                Err(yasna::ASN1Error::new(yasna::ASN1ErrorKind::Invalid))
            }
        })
    });
    numbers.map_err(|_| CryptoError::BadPublicKey("not an RSAPublicKey"))
}

pub(super) fn rsa_bits(rsa_public_key: &[u8]) -> Result<u32, CryptoError> {
    let damaged = CryptoError::BadPublicKey("not an RSAPublicKey");
    let (modulus, _) = rsa_numbers(rsa_public_key)?;
    let first = modulus.iter().position(|b| *b != 0).ok_or(damaged)?;
    let bits = (modulus.len() - first) * 8 - modulus[first].leading_zeros() as usize;
    u32::try_from(bits).map_err(|_| CryptoError::BadPublicKey("its modulus is absurdly long"))
}
