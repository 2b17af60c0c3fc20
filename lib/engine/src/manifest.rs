//! The hand-over file of a batch: what was made for a customer, signed by the CA that made it.
//!
//! One row a device, as CSV and as JSON: identifier, serial number, SHA-256 fingerprint of the
//! certificate, SHA-256 of its SubjectPublicKeyInfo, validity, status, and the fingerprint of the
//! issuing CA's certificate, by which the chain is found. No keys, no passwords. The first line of both
//! says what is signed and by whom ([`mark`]), so that nothing else that a CA signs can be taken for a
//! manifest. The signature is detached and made with the CA's key over the file's bytes (RSA: PKCS#1
//! v1.5 with SHA-256; ECDSA in DER with the hash that fits the curve), so that OpenSSL can check it:
//!
//! ```text
//! openssl x509 -in ca.pem -pubkey -noout > ca.pub
//! openssl dgst -sha256 -verify ca.pub -signature manifest.csv.sig manifest.csv
//! ```
//!
//! Refused on checking: a file that was changed by a byte, a signature by another key than that of
//! the CA that its rows name, or by one whose certificate is no CA's.

mod listing;
pub mod mark;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cert::{CertError, Certificate};
use crate::client_id::DeviceId;
use crate::crypto::{CryptoError, Hash, SignatureAlgorithm, hex, sha256};
use crate::failure::{Failure, Fault, Hint, Setting, Task};
use crate::key::signer::Signer;
use crate::registry::Record;

pub use listing::{Listing, Verified};

/// The columns of the CSV, and the keys of the JSON.
const COLUMNS: [&str; 8] = [
    "device_id",
    "serial",
    "fingerprint_sha256",
    "public_key_sha256",
    "not_before",
    "not_after",
    "status",
    "issuer_fingerprint_sha256",
];

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
    Unreadable(String),
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
    Encoding(String),
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

/// A device in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
struct Entry {
    device_id: String,
    serial: String,
    fingerprint_sha256: String,
    public_key_sha256: String,
    not_before: String,
    not_after: String,
    status: &'static str,
    issuer_fingerprint_sha256: String,
}

impl Entry {
    fn of(record: &Record, issuer: &Certificate) -> Result<Self, ManifestError> {
        let cert = record.certificate()?;
        let text = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_else(|_| at.to_string());
        Ok(Self {
            device_id: record.holder.device().map(DeviceId::to_string).unwrap_or_default(),
            serial: cert.serial.to_string(),
            fingerprint_sha256: cert.fingerprint_sha256(),
            public_key_sha256: hex(&sha256(&cert.spki)),
            not_before: text(cert.not_before),
            not_after: text(cert.not_after),
            status: record.status.name(),
            issuer_fingerprint_sha256: issuer.fingerprint_sha256(),
        })
    }

    fn values(&self) -> [&str; 8] {
        [
            &self.device_id,
            &self.serial,
            &self.fingerprint_sha256,
            &self.public_key_sha256,
            &self.not_before,
            &self.not_after,
            self.status,
            &self.issuer_fingerprint_sha256,
        ]
    }
}

/// A manifest: its two forms, each with its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// How many devices it lists.
    pub devices: usize,
    /// CSV, UTF-8, comma-separated, lines ending in `\n`; the first is the mark, the second the header.
    pub csv: Vec<u8>,
    /// The signature of the CSV's bytes.
    pub csv_signature: Vec<u8>,
    /// JSON: one object, whose first line is the mark.
    pub json: Vec<u8>,
    /// The signature of the JSON's bytes.
    pub json_signature: Vec<u8>,
    /// The hash of the signatures, as `openssl dgst` names it; none for Ed25519 and ML-DSA, which
    /// `openssl pkeyutl -verify -rawin` checks.
    pub hash: Option<&'static str>,
}

/// Makes the manifest of a batch. `records` are those of one CA, whose name and certificate are
/// `ca` and `issuer` and whose key is `signer`.
pub fn make(
    batch: &str,
    ca: &str,
    records: &[Record],
    issuer: &Certificate,
    signer: &dyn Signer,
    now: OffsetDateTime,
) -> Result<Manifest, ManifestError> {
    if records.is_empty() {
        return Err(ManifestError::Empty { batch: batch.to_owned(), ca: ca.to_owned() });
    }
    let entries: Vec<Entry> =
        records.iter().map(|r| Entry::of(r, issuer)).collect::<Result<_, _>>()?;
    let csv = write_csv(issuer, &entries)?;
    let value = serde_json::json!({
        "batch": batch,
        "ca": ca,
        "issuer": issuer.subject.to_string(),
        "issuer_fingerprint_sha256": issuer.fingerprint_sha256(),
        "made": now.replace_nanosecond(0).unwrap_or(now).format(&Rfc3339).unwrap_or_default(),
        "devices": entries,
    });
    let json = write_json(issuer, &value)?;
    Ok(Manifest {
        devices: entries.len(),
        csv_signature: signer.sign(&csv)?,
        csv,
        json_signature: signer.sign(&json)?,
        json,
        hash: hash_name(signer.algorithm()),
    })
}

fn write_csv(issuer: &Certificate, entries: &[Entry]) -> Result<Vec<u8>, ManifestError> {
    let encoding = |e: csv::Error| ManifestError::Encoding(e.to_string());
    let first = format!("{}\n", mark::line(issuer));
    let mut writer = csv::Writer::from_writer(first.into_bytes());
    writer.write_record(COLUMNS).map_err(encoding)?;
    for entry in entries {
        writer.write_record(entry.values()).map_err(encoding)?;
    }
    writer.into_inner().map_err(|e| ManifestError::Encoding(e.to_string()))
}

/// The mark is the first member, on the first line.
fn write_json(issuer: &Certificate, value: &serde_json::Value) -> Result<Vec<u8>, ManifestError> {
    let encoding = |e: serde_json::Error| ManifestError::Encoding(e.to_string());
    let mark = serde_json::to_string(&mark::line(issuer)).map_err(encoding)?;
    let rest = serde_json::to_string_pretty(value).map_err(encoding)?;
    let members = rest.strip_prefix(mark::JSON).unwrap_or(&rest);
    Ok(format!("{} \"mark\": {mark},{members}\n", mark::JSON).into_bytes())
}

fn hash_name(algorithm: SignatureAlgorithm) -> Option<&'static str> {
    match algorithm {
        SignatureAlgorithm::RsaPkcs1(hash)
        | SignatureAlgorithm::RsaPss(hash)
        | SignatureAlgorithm::RsaPssSalt { hash, .. }
        | SignatureAlgorithm::Ecdsa(hash) => Some(match hash {
            Hash::Sha256 => "sha256",
            Hash::Sha384 => "sha384",
            Hash::Sha512 => "sha512",
        }),
        SignatureAlgorithm::Ed25519 | SignatureAlgorithm::MlDsa(_) => None,
    }
}

/// Reads a manifest and checks its detached signature with the keys of CA certificates: see
/// [`Listing::read`] and [`Listing::verify`].
pub fn verify<'a>(
    manifest: &[u8],
    signature: &[u8],
    cas: &'a [Certificate],
) -> Result<Verified<'a>, ManifestError> {
    Listing::read(manifest)?.verify(signature, cas)
}
