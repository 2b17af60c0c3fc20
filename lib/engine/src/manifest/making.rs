//! The manifest of a batch, made and signed.

use time::OffsetDateTime;

use super::error::ManifestError;
use super::mark;
use super::row::Row;
use crate::cert::Certificate;
use crate::clock::rfc3339;
use crate::crypto::{Hash, SignatureAlgorithm};
use crate::failure::Underlying;
use crate::key::signer::Signer;
use crate::registry::Record;

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
    let rows: Vec<Row> = records.iter().map(|r| Row::of(r, issuer)).collect::<Result<_, _>>()?;
    let csv = write_csv(issuer, &rows)?;
    let value = serde_json::json!({
        "batch": batch,
        "ca": ca,
        "issuer": issuer.subject.to_string(),
        "issuer_fingerprint_sha256": issuer.fingerprint_sha256(),
        "made": rfc3339(now),
        "devices": rows,
    });
    let json = write_json(issuer, &value)?;
    Ok(Manifest {
        devices: rows.len(),
        csv_signature: signer.sign(&csv)?,
        csv,
        json_signature: signer.sign(&json)?,
        json,
        hash: hash_name(signer.algorithm()),
    })
}

fn write_csv(issuer: &Certificate, rows: &[Row]) -> Result<Vec<u8>, ManifestError> {
    let encoding = |e: csv::Error| ManifestError::Encoding(Underlying::of(e));
    let first = format!("{}\n", mark::line(issuer));
    let mut writer = csv::Writer::from_writer(first.into_bytes());
    // The header comes with the first of them.
    rows.iter().try_for_each(|row| writer.serialize(row)).map_err(encoding)?;
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
