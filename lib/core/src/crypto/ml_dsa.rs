//! ML-DSA (FIPS 204) in certificates and keys (RFC 9881): without a context and without a hash before it.
//!
//! The names and encodings are known in every build. Keys are made, and signatures made and verified, with the feature
//! `ml-dsa` and the backend aws-lc-rs; otherwise each use is [`CryptoError::NoMlDsa`].

use std::fmt;

use super::CryptoError;

/// A parameter set of ML-DSA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MlDsa {
    /// ML-DSA-44, security category 2.
    P44,
    /// ML-DSA-65, security category 3.
    P65,
    /// ML-DSA-87, security category 5.
    P87,
}

impl MlDsa {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::P44, Self::P65, Self::P87];

    /// The name on the command line and in profiles.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::P44 => "ml-dsa-44",
            Self::P65 => "ml-dsa-65",
            Self::P87 => "ml-dsa-87",
        }
    }

    /// The one of an object identifier (RFC 9881, section 2): it names keys and signatures alike.
    pub(crate) fn of_oid(oid: &str) -> Option<Self> {
        Some(match oid {
            "2.16.840.1.101.3.4.3.17" => Self::P44,
            "2.16.840.1.101.3.4.3.18" => Self::P65,
            "2.16.840.1.101.3.4.3.19" => Self::P87,
            _ => return None,
        })
    }

    /// The DER of the AlgorithmIdentifier of keys and signatures; parameters are absent (RFC 9881, section 2).
    pub(super) fn identifier(self) -> &'static [u8] {
        match self {
            Self::P44 => &[0x30, 0x0b, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 17],
            Self::P65 => &[0x30, 0x0b, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 18],
            Self::P87 => &[0x30, 0x0b, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 19],
        }
    }

    /// Bytes of a public key (FIPS 204, section 4, table 2).
    pub(super) fn public_len(self) -> usize {
        match self {
            Self::P44 => 1312,
            Self::P65 => 1952,
            Self::P87 => 2592,
        }
    }

    /// What is to be known before such a key is used at the platform, as a sentence without its end.
    #[doc(hidden)]
    pub fn remark(self) -> String {
        format!(
            "the platform's documentation names RSA and EC keys and no {self}: expect that it refuses CAs and devices \
             with such keys and signatures; a proof of possession is not possible with them"
        )
    }

    /// Whether this build can use such keys; [`CryptoError::NoMlDsa`] if not.
    pub(super) fn check_available(self) -> Result<(), CryptoError> {
        match cfg!(all(feature = "aws-lc-rs", feature = "ml-dsa")) {
            true => Ok(()),
            false => Err(CryptoError::NoMlDsa(self)),
        }
    }
}

impl fmt::Display for MlDsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P44 => "ML-DSA-44",
            Self::P65 => "ML-DSA-65",
            Self::P87 => "ML-DSA-87",
        })
    }
}

#[cfg(all(feature = "aws-lc-rs", feature = "ml-dsa"))]
mod pair {
    use super::super::backend::signature::{self as sig, KeyPair as _, PqdsaKeyPair};
    use super::super::{CryptoError, fill_random};
    use super::MlDsa;
    use crate::der;
    use crate::failure::Underlying;
    use crate::secret::SecretBytes;

    /// The tag of a seed alone, `[0] IMPLICIT` (RFC 9881, section 6).
    const SEED: u8 = 0x80;

    /// PKCS#8 version 1 around what stands in its OCTET STRING (RFC 9881, section 6).
    fn pkcs8(set: MlDsa, private_key: &[u8]) -> SecretBytes {
        let private_key = der::secret(der::OCTET_STRING, &[private_key]);
        SecretBytes::new(der::element(
            der::SEQUENCE,
            &[&der::number(0), set.identifier(), &private_key],
        ))
    }

    pub(in super::super) struct Pair {
        set: MlDsa,
        pair: PqdsaKeyPair,
    }

    impl Pair {
        pub(in super::super) fn generate(set: MlDsa) -> Result<(Self, SecretBytes), CryptoError> {
            let mut seed = zeroize::Zeroizing::new([0u8; 32]);
            fill_random(seed.as_mut())?;
            let pair = PqdsaKeyPair::from_seed(signing(set), seed.as_ref())
                .map_err(|_| CryptoError::Failed("making an ML-DSA key"))?;
            let written = pkcs8(set, &der::secret(SEED, &[seed.as_ref()]));
            Ok((Self { set, pair }, written))
        }

        /// Loads what stands in the OCTET STRING of a PKCS#8: a seed, an expanded key, or both, which the backend
        /// holds to each other. What has a seed is written with the seed alone.
        pub(in super::super) fn read(
            set: MlDsa,
            private_key: &[u8],
        ) -> Result<(Self, SecretBytes), CryptoError> {
            let written = pkcs8(set, private_key);
            let pair = PqdsaKeyPair::from_pkcs8(signing(set), written.expose())
                .map_err(|e| CryptoError::BadPrivateKey(Underlying::of(e)))?;
            let with_seed = pair.to_pkcs8v1().ok().map(|der| SecretBytes::new(der.as_ref()));
            Ok((Self { set, pair }, with_seed.unwrap_or(written)))
        }

        pub(in super::super) fn set(&self) -> MlDsa {
            self.set
        }

        pub(in super::super) fn public(&self) -> &[u8] {
            self.pair.public_key().as_ref()
        }

        pub(in super::super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
            let mut signature = vec![0; signing(self.set).signature_len()];
            let len = self
                .pair
                .sign(message, &mut signature)
                .map_err(|_| CryptoError::Failed("signing with ML-DSA"))?;
            signature.truncate(len);
            Ok(signature)
        }
    }

    fn signing(set: MlDsa) -> &'static sig::PqdsaSigningAlgorithm {
        match set {
            MlDsa::P44 => &sig::ML_DSA_44_SIGNING,
            MlDsa::P65 => &sig::ML_DSA_65_SIGNING,
            MlDsa::P87 => &sig::ML_DSA_87_SIGNING,
        }
    }

    pub(in super::super) fn verification(
        set: MlDsa,
    ) -> Result<&'static dyn sig::VerificationAlgorithm, CryptoError> {
        Ok(match set {
            MlDsa::P44 => &sig::ML_DSA_44,
            MlDsa::P65 => &sig::ML_DSA_65,
            MlDsa::P87 => &sig::ML_DSA_87,
        })
    }
}

#[cfg(not(all(feature = "aws-lc-rs", feature = "ml-dsa")))]
mod pair {
    use super::super::CryptoError;
    use super::super::backend::signature as sig;
    use super::MlDsa;
    use crate::secret::SecretBytes;

    /// There is none in this build.
    pub(in super::super) enum Pair {}

    impl Pair {
        pub(in super::super) fn generate(set: MlDsa) -> Result<(Self, SecretBytes), CryptoError> {
            Err(CryptoError::NoMlDsa(set))
        }

        pub(in super::super) fn read(
            set: MlDsa,
            _: &[u8],
        ) -> Result<(Self, SecretBytes), CryptoError> {
            Err(CryptoError::NoMlDsa(set))
        }

        pub(in super::super) fn set(&self) -> MlDsa {
            match *self {}
        }

        pub(in super::super) fn public(&self) -> &[u8] {
            match *self {}
        }

        pub(in super::super) fn sign(&self, _: &[u8]) -> Result<Vec<u8>, CryptoError> {
            match *self {}
        }
    }

    pub(in super::super) fn verification(
        set: MlDsa,
    ) -> Result<&'static dyn sig::VerificationAlgorithm, CryptoError> {
        Err(CryptoError::NoMlDsa(set))
    }
}

pub(super) use pair::{Pair, verification};

#[cfg(test)]
mod tests {
    use x509_parser::prelude::FromDer;
    use x509_parser::x509::AlgorithmIdentifier;

    use super::super::{CryptoError, KeyAlgorithm, PublicKey, SignatureAlgorithm};
    use super::MlDsa;
    use crate::der;

    #[test]
    fn a_key_of_another_length_is_told_with_its_set() {
        for set in MlDsa::ALL {
            let key = |len: usize| {
                let bits = der::element(der::BIT_STRING, &[&[0], &vec![7; len]]);
                PublicKey::from_spki(&der::element(der::SEQUENCE, &[set.identifier(), &bits]))
            };
            let len = set.public_len();
            assert_eq!(key(len).unwrap().algorithm(), KeyAlgorithm::MlDsa(set));
            let refused = key(len - 1).unwrap_err();
            let wanted = format!("an {set} key has {len} bytes, and this one has {}", len - 1);
            assert!(refused.to_string().contains(&wanted), "{refused}");
        }
    }

    /// RFC 9881, section 2: absent.
    #[test]
    fn parameters_are_refused_as_such() {
        let plain = MlDsa::P44.identifier();
        let with_null = der::element(der::SEQUENCE, &[&plain[2..], &[0x05, 0x00]]);
        let read = |bytes: &[u8]| {
            SignatureAlgorithm::from_identifier(&AlgorithmIdentifier::from_der(bytes).unwrap().1)
        };
        assert_eq!(read(plain), Ok(SignatureAlgorithm::MlDsa(MlDsa::P44)));
        let refused = CryptoError::UnsupportedAlgorithm("ML-DSA-44 with parameters".to_owned());
        assert_eq!(read(&with_null), Err(refused));
    }
}
