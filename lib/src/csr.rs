//! Certificate requests (PKCS#10, RFC 2986): read, and checked for possession of the key.

use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use crate::cert::pem_blocks;
use crate::crypto::{CryptoError, PublicKey, SignatureAlgorithm};
use crate::name::Name;

/// Why a request was refused.
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
    #[error("a PEM block is damaged: {0}")]
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
}

impl CsrError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotPossessed { .. } => {
                Some("have the device make a new request with its own key".to_owned())
            }
            Self::Key { cause, .. } => cause.hint(),
            Self::Algorithm { .. } => Some(
                "make it with SHA-256, SHA-384 or SHA-512; RSA-PSS with a salt as long as the hash"
                    .to_owned(),
            ),
            Self::NoRequest => Some("see what it holds: `c8y-pki cert show FILE`".to_owned()),
            Self::Malformed(_) | Self::Pem(_) => None,
        }
    }
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
            info: info.raw.to_vec(),
            signature: request.signature_value.data.to_vec(),
        })
    }

    /// Reads every request of a PEM text in order; other blocks are passed over. A lone DER request
    /// is accepted too. Each is read by itself: one that is damaged does not hide the others.
    pub fn all_from_pem_or_der(bytes: &[u8]) -> Result<Vec<Result<Self, CsrError>>, CsrError> {
        if bytes.first() == Some(&0x30) {
            return Ok(vec![Self::from_der(bytes)]);
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
