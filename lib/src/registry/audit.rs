//! The audit log's hash chain.

use crate::crypto::sha256;

/// The hash of an audit row: over the previous row's hash and every field, each with its length in
/// front, so that no two different rows give the same octets.
pub(super) fn row_hash(
    previous: &[u8],
    sequence: i64,
    at: i64,
    action: &str,
    detail: &str,
) -> [u8; 32] {
    let mut input = Vec::with_capacity(previous.len() + action.len() + detail.len() + 64);
    let sequence = sequence.to_be_bytes();
    let at = at.to_be_bytes();
    for field in [previous, &sequence, &at, action.as_bytes(), detail.as_bytes()] {
        input.extend_from_slice(&(field.len() as u64).to_be_bytes());
        input.extend_from_slice(field);
    }
    sha256(&input)
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
