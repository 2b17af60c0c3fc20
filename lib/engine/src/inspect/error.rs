//! Why a file cannot be described.

use crate::cert::CertError;
use crate::crl::CrlError;
use crate::crypto::CryptoError;
use crate::csr::CsrError;
use crate::failure::{Failure, Fault, Hint};
use crate::key::KeyError;
use crate::store::StoreError;
use crate::store::pkcs7::Pkcs7Error;

/// Why a file cannot be described.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// Nothing that we know.
    #[error("it holds no certificate, request, revocation list, key or keystore")]
    Unknown,
    /// A damaged certificate, or no PEM block at all.
    #[error(transparent)]
    Cert(#[from] CertError),
    /// A damaged request.
    #[error(transparent)]
    Csr(#[from] CsrError),
    /// A damaged CRL.
    #[error(transparent)]
    Crl(#[from] CrlError),
    /// A damaged public key.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// A private key that cannot be read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A damaged PKCS#7 file.
    #[error(transparent)]
    Pkcs7(#[from] Pkcs7Error),
    /// A store that cannot be opened, or bytes that are nothing we know.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Failure for InspectError {
    fn fault(&self) -> Fault {
        match self {
            Self::Unknown => Fault::Input,
            Self::Cert(e) => e.fault(),
            Self::Csr(e) => e.fault(),
            Self::Crl(e) => e.fault(),
            Self::Crypto(e) => e.fault(),
            Self::Key(e) => e.fault(),
            Self::Pkcs7(e) => e.fault(),
            Self::Store(e) => e.fault(),
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Unknown => None,
            Self::Cert(e) => e.hint(),
            Self::Csr(e) => e.hint(),
            Self::Crl(e) => e.hint(),
            Self::Crypto(e) => e.hint(),
            Self::Key(e) => e.hint(),
            Self::Pkcs7(e) => e.hint(),
            Self::Store(e) => e.hint(),
        }
    }
}
