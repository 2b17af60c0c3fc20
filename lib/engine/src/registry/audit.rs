//! The audit log: rows that are only added, each with the hash of the one before.

use time::OffsetDateTime;

use super::database::Session;
use super::{Registry, Result};
use crate::crypto::sha256;

/// A row of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AuditRow {
    /// Its number, from 1, without gaps.
    pub sequence: i64,
    /// When it was written.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What was done: `issue`, `supersede`, `revoke`, `crl`, `migrate`, `adopt` and others.
    pub action: String,
    /// More about it, as JSON.
    pub detail: serde_json::Value,
    /// SHA-256 over the hash of the row before and every field, in lower-case hex.
    pub hash: String,
}

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

/// A row of the audit log, by number and hash: it tells of all rows up to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuditHead(i64, Vec<u8>);

impl Registry {
    /// The last row of the audit log.
    pub(crate) fn audit_head(&self) -> Result<AuditHead> {
        let (sequence, hash) = head(&self.session()?)?;
        Ok(AuditHead(sequence, hash))
    }

    /// Whether the audit log has that row: it is the same one, and no older.
    pub(crate) fn has_head(&self, AuditHead(sequence, hash): &AuditHead) -> Result<bool> {
        let sql = "SELECT 1 FROM audit WHERE sequence = ?1 AND hash = ?2";
        self.session()?.exists(sql, values![*sequence, hash])
    }
}

/// The last row's number and hash; zero and no hash if there is none.
pub(super) fn head(session: &Session<'_>) -> Result<(i64, Vec<u8>)> {
    let sql = "SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1";
    let last = session.first(sql, values![], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(last.unwrap_or_default())
}

/// Adds a row; returns its number. Only inside a transaction that holds the write lock.
pub(super) fn append(
    session: &Session<'_>,
    now: OffsetDateTime,
    action: &str,
    detail: &serde_json::Value,
) -> Result<i64> {
    let (last, previous) = head(session)?;
    let (sequence, at, detail) = (last + 1, now.unix_timestamp(), detail.to_string());
    let hash = row_hash(&previous, sequence, at, action, &detail);
    session.execute(
        "INSERT INTO audit (sequence, at, action, detail, hash) VALUES (?1, ?2, ?3, ?4, ?5)",
        values![sequence, at, action, &detail, &hash],
    )?;
    Ok(sequence)
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
