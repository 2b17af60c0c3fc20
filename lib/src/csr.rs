//! Certificate requests (PKCS#10, RFC 2986): read, and checked for possession of the key.

use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use crate::crypto::{CryptoError, PublicKey, SignatureAlgorithm};
use crate::name::Name;

/// Why a request was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CsrError {
    /// Not the DER of a request.
    #[error("not a certificate request: {0}")]
    Malformed(String),
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
            Self::Malformed(_) => None,
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

    /// Checks that whoever made the request has the private key: its signature must verify.
    pub fn check_possession(&self) -> Result<&PublicKey, CsrError> {
        let checked = || -> Result<&PublicKey, CryptoError> {
            let key = self.public_key.as_ref().map_err(Clone::clone)?;
            key.verify(self.signature_algorithm.clone()?, &self.info, &self.signature)?;
            Ok(key)
        };
        checked().map_err(|cause| CsrError::NotPossessed { subject: self.subject.clone(), cause })
    }
}
