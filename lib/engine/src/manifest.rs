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

mod error;
mod listing;
mod making;
pub mod mark;

pub use error::ManifestError;
pub use listing::{Listing, Verified};
pub use making::{Manifest, make};

use crate::cert::Certificate;

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

/// Reads a manifest and checks its detached signature with the keys of CA certificates: see
/// [`Listing::read`] and [`Listing::verify`].
pub fn verify<'a>(
    manifest: &[u8],
    signature: &[u8],
    cas: &'a [Certificate],
) -> Result<Verified<'a>, ManifestError> {
    Listing::read(manifest)?.verify(signature, cas)
}
