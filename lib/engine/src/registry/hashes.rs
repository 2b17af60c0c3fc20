//! The hashes of the registry: of its rows, of the audit log, and of keys.

use crate::crypto::sha256;

/// SHA-256 over fields, each with its length in front, so that no two different lists of fields
/// give the same bytes.
pub(super) fn digest(fields: &[&[u8]]) -> [u8; 32] {
    let mut input = Vec::with_capacity(fields.iter().map(|f| f.len() + 8).sum());
    for field in fields {
        input.extend_from_slice(&(field.len() as u64).to_be_bytes());
        input.extend_from_slice(field);
    }
    sha256(&input)
}

/// The hash of an audit row: over the previous row's hash and every field.
pub(super) fn row_hash(
    previous: &[u8],
    sequence: i64,
    at: i64,
    action: &str,
    detail: &str,
) -> [u8; 32] {
    digest(&[
        previous,
        &sequence.to_be_bytes(),
        &at.to_be_bytes(),
        action.as_bytes(),
        detail.as_bytes(),
    ])
}

/// Bytes of a key's digest that are kept.
const KEPT: usize = 16;

/// What the registry keeps of the SHA-256 of a SubjectPublicKeyInfo.
pub(crate) type KeyStart = [u8; KEPT];

/// The start of the SHA-256 of a SubjectPublicKeyInfo.
pub(crate) fn key_start(digest: &[u8; 32]) -> KeyStart {
    let mut start = [0; KEPT];
    start.copy_from_slice(&digest[..KEPT]);
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_counts() {
        let base = row_hash(b"p", 1, 2, "issue", "x");
        for other in [
            row_hash(b"q", 1, 2, "issue", "x"),
            row_hash(b"p", 2, 2, "issue", "x"),
            row_hash(b"p", 1, 3, "issue", "x"),
            row_hash(b"p", 1, 2, "issu", "ex"),
        ] {
            assert_ne!(base, other);
        }
    }
}
