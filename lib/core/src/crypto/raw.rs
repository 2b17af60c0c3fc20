//! Keys and signatures in the forms of PKCS#11 tokens, to and from those of X.509: an RSA modulus,
//! an EC point, `r` and `s` in a row, a hash to be signed.

use super::backend::digest;
use super::rsa_numbers::rsa_bits;
use super::{CryptoError, Hash, KeyAlgorithm, PublicKey};
use crate::ber::{Element, Reader};
use crate::der;

/// DER of the OBJECT IDENTIFIERs of curves (RFC 5480, 2.1.1.1): `CKA_EC_PARAMS`.
const CURVES: [(KeyAlgorithm, &[u8], usize); 3] = [
    (KeyAlgorithm::EcP256, &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], 32),
    (KeyAlgorithm::EcP384, &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22], 48),
    (KeyAlgorithm::EcP521, &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23], 66),
];

impl KeyAlgorithm {
    /// DER of the OBJECT IDENTIFIER of its curve.
    pub(crate) fn curve(self) -> Option<&'static [u8]> {
        CURVES.iter().find(|(curve, ..)| *curve == self).map(|(_, oid, _)| *oid)
    }
}

impl PublicKey {
    /// An RSA key from modulus and public exponent, both big-endian.
    pub(crate) fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, CryptoError> {
        let bits =
            der::element(der::SEQUENCE, &[&der::unsigned(modulus), &der::unsigned(exponent)]);
        let algorithm = KeyAlgorithm::Rsa { bits: rsa_bits(&bits)? };
        Self::from_spki(Self::from_raw(algorithm, &bits).spki())
    }

    /// An EC key from the DER of its curve's name and its point: in an OCTET STRING, as PKCS#11 wants
    /// it (2.40, 2.3.3), or bare, as some tokens give it.
    pub(crate) fn from_ec_point(curve: &[u8], point: &[u8]) -> Result<Self, CryptoError> {
        let found = CURVES.iter().find(|(_, oid, _)| *oid == curve);
        let (algorithm, _, size) = *found.ok_or_else(|| {
            CryptoError::UnsupportedAlgorithm("EC on a curve other than P-256, P-384, P-521".into())
        })?;
        let length = 1 + 2 * size;
        let mut reader = Reader::new(point);
        let wrapped = reader.tagged(der::OCTET_STRING, "an EC point").ok();
        let bare = match wrapped {
            Some(Element { tag: der::OCTET_STRING, contents })
                if reader.is_empty() && contents.len() == length =>
            {
                contents
            }
            _ => point,
        };
        if bare.len() != length || bare[0] != 4 {
            return Err(CryptoError::BadPublicKey("its point is not uncompressed, or not whole"));
        }
        Self::from_spki(Self::from_raw(algorithm, bare).spki())
    }
}

impl Hash {
    /// The hash of a message.
    pub(crate) fn digest(self, message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, message).as_ref().to_vec()
    }

    /// DER of a DigestInfo: what RSASSA-PKCS1-v1_5 signs (RFC 8017, 9.2).
    pub(crate) fn digest_info(self, digest: &[u8]) -> Vec<u8> {
        let last = match self {
            Self::Sha256 => 1,
            Self::Sha384 => 2,
            Self::Sha512 => 3,
        };
        let oid = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last];
        let oid = der::element(der::OID, &[&oid]);
        let algorithm = der::element(der::SEQUENCE, &[&oid, &[5, 0]]);
        let value = der::element(der::OCTET_STRING, &[digest]);
        der::element(der::SEQUENCE, &[&algorithm, &value])
    }
}

/// An ECDSA signature in DER (RFC 3279, 2.2.3) from `r` and `s` in a row, each as long as the curve's
/// order.
pub(crate) fn ecdsa_to_der(raw: &[u8]) -> Result<Vec<u8>, CryptoError> {
    if raw.is_empty() || !raw.len().is_multiple_of(2) {
        return Err(CryptoError::BadSignature);
    }
    let (r, s) = raw.split_at(raw.len() / 2);
    Ok(der::element(der::SEQUENCE, &[&der::unsigned(r), &der::unsigned(s)]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{KeyPair, KeyType};
    use super::*;

    fn made(key_type: KeyType) -> Option<KeyPair> {
        key_type.check_available().ok()?;
        Some(KeyPair::generate(key_type).unwrap().0)
    }

    #[test]
    fn a_point_is_read_bare_and_wrapped_and_nothing_else() {
        for key_type in [KeyType::EcP256, KeyType::EcP384, KeyType::EcP521] {
            let Some(pair) = made(key_type) else { continue };
            let public = pair.public();
            let curve = public.algorithm().curve().unwrap();
            let bare = public.bits();
            assert_eq!(PublicKey::from_ec_point(curve, bare).as_ref(), Ok(public));
            let wrapped = der::element(der::OCTET_STRING, &[bare]);
            assert_eq!(PublicKey::from_ec_point(curve, &wrapped).as_ref(), Ok(public));
            for length in 0..wrapped.len() {
                // As long as a bare point, it begins like one; it is another key then.
                let cut = PublicKey::from_ec_point(curve, &wrapped[..length]);
                assert_eq!(cut.is_ok(), length == bare.len(), "{length}");
                assert_ne!(cut.as_ref(), Ok(public));
            }
            assert!(PublicKey::from_ec_point(&[6, 1, 1], bare).is_err());
        }
    }

    #[test]
    fn an_rsa_key_is_that_of_its_numbers() {
        let pair = made(KeyType::Rsa2048).unwrap();
        let (modulus, exponent) = yasna::parse_der(pair.public().bits(), |reader| {
            reader.read_sequence(|reader| {
                let (modulus, _) = reader.next().read_bigint_bytes()?;
                Ok((modulus, reader.next().read_bigint_bytes()?.0))
            })
        })
        .unwrap();
        for modulus in [modulus.clone(), [&[0, 0][..], &modulus].concat()] {
            let key = PublicKey::from_rsa(&modulus, &exponent);
            assert_eq!(key.as_ref(), Ok(pair.public()));
        }
        assert!(PublicKey::from_rsa(&[], &exponent).is_err());
    }

    #[test]
    fn what_rsa_signs_is_what_the_rfc_spells_out() {
        // RFC 8017, 9.2, note 1
        for (hash, prefix) in [
            (Hash::Sha256, "3031300d060960864801650304020105000420"),
            (Hash::Sha384, "3041300d060960864801650304020205000430"),
            (Hash::Sha512, "3051300d060960864801650304020305000440"),
        ] {
            let digest = hash.digest(b"message");
            let expected = format!("{prefix}{}", super::super::hex(&digest));
            assert_eq!(super::super::hex(&hash.digest_info(&digest)), expected);
        }
    }

    proptest! {
        /// yasna's big integers are the other implementation.
        #[test]
        fn numbers_of_a_signature_are_der(mut raw in proptest::collection::vec(any::<u8>(), 2..132)) {
            raw.truncate(raw.len() / 2 * 2);
            let der = ecdsa_to_der(&raw).unwrap();
            let (r, s) = yasna::parse_der(&der, |reader| {
                reader.read_sequence(|reader| {
                    Ok((reader.next().read_bigint_bytes()?, reader.next().read_bigint_bytes()?))
                })
            })
            .unwrap();
            let number = |bytes: &[u8]| num_bigint::BigUint::from_bytes_be(bytes);
            for ((read, positive), bytes) in [r, s].iter().zip(raw.chunks(raw.len() / 2)) {
                prop_assert!(*positive);
                prop_assert_eq!(number(read), number(bytes));
            }
        }
    }
}
