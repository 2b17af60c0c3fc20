//! The manifest of a batch, made and signed.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::ManifestError;
use super::{COLUMNS, mark};
use crate::cert::Certificate;
use crate::client_id::DeviceId;
use crate::crypto::{Hash, SignatureAlgorithm, hex, sha256};
use crate::failure::Underlying;
use crate::key::signer::Signer;
use crate::registry::Record;

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
    /// The hash of the signatures, as `openssl dgst` names it; none for Ed25519 and ML-DSA, which `openssl
    /// pkeyutl -verify -rawin` checks.
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
    let encoding = |e: csv::Error| ManifestError::Encoding(Underlying::of(e));
    let first = format!("{}\n", mark::line(issuer));
    let mut writer = csv::Writer::from_writer(first.into_bytes());
    writer.write_record(COLUMNS).map_err(encoding)?;
    for entry in entries {
        writer.write_record(entry.values()).map_err(encoding)?;
    }
    writer.into_inner().map_err(|e| ManifestError::Encoding(Underlying::of(e)))
}

/// The mark is the first member, on the first line.
fn write_json(issuer: &Certificate, value: &serde_json::Value) -> Result<Vec<u8>, ManifestError> {
    let encoding = |e: serde_json::Error| ManifestError::Encoding(Underlying::of(e));
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
