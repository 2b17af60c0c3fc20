//! Why a manifest cannot be made, or is not to be believed.

use crate::cert::CertError;
use crate::crypto::CryptoError;
use crate::failure::{Failure, Fault, Hint, Setting, Task, Underlying};

/// Why a manifest cannot be made, or is not to be believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// A batch without devices of that CA.
    #[error("the batch {batch:?} holds no device certificate of the CA {ca}")]
    Empty {
        /// Name of the batch.
        batch: String,
        /// Name of the CA.
        ca: String,
    },
    /// A recorded certificate that cannot be read.
    #[error("a certificate of the batch cannot be read: {0}")]
    Certificate(#[from] CertError),
    /// A file that is no manifest, or not whole.
    #[error("it is no manifest that can be read: {0}")]
    Unreadable(#[source] Underlying),
    /// Rows of different issuers.
    #[error("{place} names another issuer than the one whose certificate has the SHA-256 {issuer}")]
    OtherRow {
        /// Where it is: a row, counted from 1, or a key of the JSON.
        place: String,
        /// What the first line and the rows before name.
        issuer: String,
    },
    /// Another CA has signed it than the one whose devices it lists.
    #[error(
        "the rows name the issuer {} (SHA-256 {issuer_fingerprint}), but {signer} (SHA-256 \
         {signer_fingerprint}) has signed it",
        issuer.as_deref().unwrap_or("whose certificate is not given")
    )]
    OtherIssuer {
        /// Subject of the CA that has signed it.
        signer: String,
        /// SHA-256 of its certificate.
        signer_fingerprint: String,
        /// Subject of the issuer, if its certificate is among those given.
        issuer: Option<String>,
        /// SHA-256 of the issuer's certificate.
        issuer_fingerprint: String,
    },
    /// None of the certificates has a key that made the signature.
    #[error("the signature was not made over this file with the key of {}", .0.join("; "))]
    Signature(Vec<String>),
    /// Signing failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// Encoding failed.
    #[error("the manifest cannot be written: {0}")]
    Encoding(#[source] Underlying),
}

impl Failure for ManifestError {
    fn fault(&self) -> Fault {
        match self {
            Self::Signature(_) | Self::OtherIssuer { .. } | Self::OtherRow { .. } => Fault::Refusal,
            Self::Certificate(e) => e.fault(),
            Self::Crypto(e) => e.fault(),
            Self::Empty { .. } | Self::Unreadable(_) | Self::Encoding(_) => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Empty { .. } => {
                Some(Hint::run("see each device's batch", Task::ListBatches))
            }
            Self::Signature(_) => Some(
                "the file was changed, the .sig belongs to another one, or another CA made it"
                    .into(),
            ),
            Self::Unreadable(_) => {
                Some(Hint::run("give a manifest.csv or manifest.json, as it is made", Task::MakeManifest))
            }
            Self::OtherIssuer { issuer: None, .. } => Some(
                Hint::say("only the issuer's own signature counts").then(Hint::give(
                    "if the CA was renewed since, give the certificate that it had then too",
                    Setting::TrustAnchor,
                )),
            ),
            Self::OtherRow { .. } | Self::OtherIssuer { .. } => Some(
                "only the issuer's own signature counts: let the CA that issued the devices make it again"
                    .into(),
            ),
            Self::Crypto(e) => e.hint(),
            _ => None,
        }
    }
}
