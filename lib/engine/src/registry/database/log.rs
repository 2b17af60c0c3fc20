//! The audit log's last row, and the next one where the database does not make it itself.

use time::OffsetDateTime;

use super::session::Session;
use crate::registry::Result;
use crate::registry::hashes::row_hash;

/// The last row's number and hash; zero and no hash if there is none.
pub(in crate::registry) fn head(session: &Session<'_>) -> Result<(i64, Vec<u8>)> {
    let sql = "SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1";
    let last = session.first(sql, values![], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(last.unwrap_or_default())
}

/// Adds a row; returns its number. Only inside a transaction that holds the write lock.
pub(in crate::registry) fn append(
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
