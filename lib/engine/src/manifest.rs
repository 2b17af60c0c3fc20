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
//! The keys of Ed25519 and ML-DSA sign the file itself, without a hash of it before (ML-DSA: OpenSSL 3.5 or later):
//!
//! ```text
//! openssl pkeyutl -verify -rawin -pubin -inkey ca.pub -sigfile manifest.csv.sig -in manifest.csv
//! ```
//!
//! Refused on checking: a file that was changed by a byte, a signature by another key than that of
//! the CA that its rows name, or by one whose certificate is no CA's.

mod error;
mod listing;
mod making;
pub mod mark;
mod row;

pub use error::ManifestError;
pub use listing::{Listing, Verified};
pub use making::{Manifest, make};
pub(crate) use mark::OLD_CSV;
pub(crate) use row::Row;

use crate::cert::Certificate;

/// Reads a manifest and checks its detached signature with the keys of CA certificates: see
/// [`Listing::read`] and [`Listing::verify`].
pub fn verify<'a>(
    manifest: &[u8],
    signature: &[u8],
    cas: &'a [Certificate],
) -> Result<Verified<'a>, ManifestError> {
    Listing::read(manifest)?.verify(signature, cas)
}
