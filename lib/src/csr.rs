//! Certificate requests (PKCS#10, RFC 2986): made, read, and checked for possession of the key.
//!
//! Requests are made without attributes: what goes into a certificate is said by its CA's profile.
//! Refused: keys that are too short or weak ([`WeakKey`](crate::crypto::WeakKey)), signatures made with MD5 or
//! SHA-1.

use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use crate::cert::{pem_blocks, pem_text};
use crate::crypto::{CryptoError, KeyPolicy, PublicKey, SignatureAlgorithm, odd_parameters};
use crate::der;
use crate::key::signer::Signer;
use crate::name::Name;

/// Why a request was refused, or cannot be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CsrError {
    /// Not the DER of a request.
    #[error("not a certificate request: {0}")]
    Malformed(String),
    /// Its key cannot be used.
    #[error("the request for {subject} has a key that cannot be used: {cause}")]
    Key {
        /// Subject of the request.
        subject: Name,
        /// What is wrong with the key.
        cause: CryptoError,
    },
    /// No request in a PEM text.
    #[error("there is no certificate request (BEGIN CERTIFICATE REQUEST) in it")]
    NoRequest,
    /// A PEM block that is damaged.
    #[error("the PEM text cannot be read: {0}")]
    Pem(String),
    /// Its signature is of a kind that cannot be checked, or is not to be trusted.
    #[error("the request for {subject} has a signature that cannot be checked: {cause}")]
    Algorithm {
        /// Subject of the request.
        subject: Name,
        /// What is wrong with the algorithm.
        cause: CryptoError,
    },
    /// The signature in it was not made with its key.
    #[error("the request for {subject} is not signed with the key in it: {cause}")]
    NotPossessed {
        /// Subject of the request.
        subject: Name,
        /// What the check found.
        cause: CryptoError,
    },
    /// The key did not sign.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl CsrError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotPossessed { .. } => {
                Some("have the device make a new request with its own key".to_owned())
            }
            Self::Key { cause, .. } | Self::Crypto(cause) => cause.hint(),
            Self::Algorithm { .. } => Some(
                "make it with SHA-256, SHA-384 or SHA-512; RSA-PSS with the same hash in MGF1"
                    .to_owned(),
            ),
            Self::NoRequest => Some("see what it holds: `c8y-pki cert show FILE`".to_owned()),
            Self::Malformed(_) | Self::Pem(_) => None,
        }
    }
}

/// Makes a request for a certificate about `subject`: its DER, signed by the key that it is for.
///
/// Errors: the key is too short, or does not sign.
pub fn make(subject: &Name, signer: &dyn Signer) -> Result<Vec<u8>, CsrError> {
    const VERSION_1: &[u8] = &[der::INTEGER, 1, 0];
    const NO_ATTRIBUTES: &[u8] = &[der::CONTEXT_0, 0];
    let spki = signer.public_key().spki();
    let info = der::element(der::SEQUENCE, &[VERSION_1, subject.der(), spki, NO_ATTRIBUTES]);
    // No bit of its last octet is unused.
    let signature = der::element(der::BIT_STRING, &[&[0], &signer.sign(&info)?]);
    let algorithm = signer.algorithm().identifier();
    let made = der::element(der::SEQUENCE, &[&info, &algorithm, &signature]);
    // A token that signs with another key than the one it shows is found here, not by the CA.
    Request::from_der(&made)?.check_possession()?;
    Ok(made)
}

/// The PEM of a request's DER, with lines of 64 characters and `\n`.
pub fn pem(der: &[u8]) -> String {
    pem_text("CERTIFICATE REQUEST", der)
}

/// A request: what it asks for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Whom the certificate shall be about.
    pub subject: Name,
    /// The key in it, or why it cannot be used.
    pub public_key: Result<PublicKey, CryptoError>,
    /// The signature's algorithm, or why it cannot be verified.
    pub signature_algorithm: Result<SignatureAlgorithm, CryptoError>,
    /// Parameters beside the signature's algorithm that standards do not want there, in words.
    pub odd_signature_parameters: Option<&'static str>,
    info: Vec<u8>,
    signature: Vec<u8>,
}

impl Request {
    /// Reads the DER of a request; nothing may follow it.
    pub fn from_der(der: &[u8]) -> Result<Self, CsrError> {
        let malformed = |e: &dyn std::fmt::Display| CsrError::Malformed(e.to_string());
        let (rest, request) = X509CertificationRequest::from_der(der).map_err(|e| malformed(&e))?;
        if !rest.is_empty() {
            return Err(CsrError::Malformed(format!("{} octets follow it", rest.len())));
        }
        let info = &request.certification_request_info;
        Ok(Self {
            subject: Name::from_der(info.subject.as_raw()).map_err(|e| malformed(&e))?,
            public_key: PublicKey::from_spki(info.subject_pki.raw),
            signature_algorithm: SignatureAlgorithm::from_identifier(&request.signature_algorithm),
            odd_signature_parameters: odd_parameters(&request.signature_algorithm),
            info: info.raw.to_vec(),
            signature: request.signature_value.data.to_vec(),
        })
    }

    /// Reads every request of a PEM text in order; other blocks are passed over. A lone DER request
    /// is accepted too. Each is read by itself: one that is damaged does not hide the others.
    pub fn all_from_pem_or_der(bytes: &[u8]) -> Result<Vec<Result<Self, CsrError>>, CsrError> {
        if bytes.first() == Some(&0x30) {
            return Ok(vec![Self::from_der(crate::armor::der(bytes))]);
        }
        let blocks = pem_blocks(bytes).map_err(CsrError::Pem)?;
        let is_request =
            |tag: &str| matches!(tag, "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST");
        let requests: Vec<_> = blocks
            .iter()
            .filter(|b| is_request(b.tag()))
            .map(|b| Self::from_der(b.contents()))
            .collect();
        if requests.is_empty() { Err(CsrError::NoRequest) } else { Ok(requests) }
    }

    /// Checks that a certificate may be made for it: its key is none that others can work out
    /// ([`WeakKey`](crate::crypto::WeakKey)), and whoever made it has the private one.
    pub fn check_to_certify(&self, policy: KeyPolicy) -> Result<&PublicKey, CsrError> {
        if let Ok(key) = &self.public_key {
            let weak = |cause| CsrError::Key { subject: self.subject.clone(), cause };
            key.check_fit(policy).map_err(weak)?;
        }
        self.check_possession()
    }

    /// Checks that the key is strong enough, and that whoever made the request has the private one:
    /// its signature must verify. Any hash that is not broken is good, whatever the key.
    pub fn check_possession(&self) -> Result<&PublicKey, CsrError> {
        let subject = || self.subject.clone();
        let usable = |key: &PublicKey| key.check_strength();
        let key = self.public_key.as_ref().map_err(Clone::clone);
        let key = key
            .and_then(|key| usable(key).map(|()| key))
            .map_err(|cause| CsrError::Key { subject: subject(), cause })?;
        let algorithm = self
            .signature_algorithm
            .clone()
            .map_err(|cause| CsrError::Algorithm { subject: subject(), cause })?;
        key.verify(algorithm, &self.info, &self.signature)
            .map_err(|cause| CsrError::NotPossessed { subject: subject(), cause })?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{KeyType, WeakKey};
    use crate::key::PrivateKey;

    fn subject() -> Name {
        Name::parse("CN=gw-0001,OU=Line 7,OU=Plant,O=Example GmbH,C=DE").unwrap()
    }

    #[test]
    fn requests_of_every_key_type_are_read_again() {
        for key_type in KeyType::ALL.into_iter().filter(|t| t.check_available().is_ok()) {
            let key = PrivateKey::generate(key_type).unwrap();
            let made = make(&subject(), &key).unwrap();
            for octets in [made.clone(), pem(&made).into_bytes()] {
                let mut read = Request::all_from_pem_or_der(&octets).unwrap();
                let read = read.remove(0).unwrap();
                assert_eq!(read.subject.der(), subject().der(), "{key_type}");
                assert_eq!(read.check_possession(), Ok(key.public_key()), "{key_type}");
                let certified = read.check_to_certify(KeyPolicy::default());
                assert_eq!(certified, Ok(key.public_key()), "{key_type}");
            }
        }
    }

    #[test]
    fn a_request_for_a_weak_key_is_refused_before_its_signature_is_looked_at() {
        let key = PrivateKey::generate(KeyType::Rsa2048).unwrap();
        let mut made = make(&subject(), &key).unwrap();
        let exponent = [der::INTEGER, 3, 1, 0, 1];
        let at = made.windows(5).position(|octets| octets == exponent).unwrap();
        made[at + 4] = 0;
        let request = Request::from_der(&made).unwrap();
        let error = request.check_to_certify(KeyPolicy::default()).unwrap_err();
        let even = CryptoError::Weak(WeakKey::EvenExponent("65536".to_owned()));
        assert_eq!(error, CsrError::Key { subject: subject(), cause: even });
        assert!(
            error.to_string().ends_with("the key's RSA exponent 65536 is even, and has to be odd")
        );
    }

    /// A token whose public key is not that of the key which signs.
    #[derive(Debug)]
    struct Mixed(PrivateKey, PrivateKey);

    impl Signer for Mixed {
        fn public_key(&self) -> &PublicKey {
            self.0.public_key()
        }

        fn algorithm(&self) -> SignatureAlgorithm {
            Signer::algorithm(&self.1)
        }

        fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
            self.1.sign(message)
        }

        fn sign_sha256(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
            self.1.sign_sha256(message)
        }
    }

    #[test]
    fn a_request_that_nobody_would_accept_is_not_made() {
        let key = || PrivateKey::generate(KeyType::EcP256).unwrap();
        let error = make(&subject(), &Mixed(key(), key())).unwrap_err();
        assert!(matches!(error, CsrError::NotPossessed { .. }), "{error}");
        let other_kind = PrivateKey::generate(KeyType::Ed25519).unwrap();
        let error = make(&subject(), &Mixed(key(), other_kind)).unwrap_err();
        assert!(matches!(error, CsrError::NotPossessed { .. }), "{error}");
    }
}
