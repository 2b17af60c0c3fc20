//! The audit log: rows that are only added, each with the hash of the one before.

use time::OffsetDateTime;

#[cfg(feature = "serve")]
use super::RowId;
#[cfg(feature = "serve")]
use super::database::Turn;
pub(super) use super::database::head;
use super::{Registry, Result};

/// The action of an audit row that says that an older registry was accepted as it is.
pub(super) const ACCEPT: &str = "accept-rollback";

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

/// A row of the audit log, by number and hash: it tells of all rows up to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuditHead(i64, Vec<u8>);

impl Registry {
    /// Keeps that a token of the service, or a client certificate with that SHA-256, was `added` or `removed`.
    #[cfg(feature = "serve")]
    pub(crate) fn note_token(
        &self,
        what: &str,
        name: &str,
        certificate: Option<String>,
        now: OffsetDateTime,
    ) -> Result<()> {
        let mut detail = serde_json::json!({ "token": name, "what": what });
        if let Some(sha256) = certificate {
            detail["certificate_sha256"] = sha256.into();
        }
        let work = self.begin(Turn::Alone)?;
        work.append(now, "service-token", &detail)?;
        work.commit()
    }

    /// Who has asked the service for a certificate; none if nobody is named.
    #[cfg(feature = "serve")]
    pub(crate) fn asked_by(&self, certificate: RowId) -> Result<Option<String>> {
        let sql = "SELECT a.detail FROM audit AS a JOIN certificate AS c ON c.audit = a.sequence WHERE c.id = ?1";
        let detail: Option<String> =
            self.session()?.first(sql, values![certificate.0], |row| row.get(0))?;
        let detail = detail.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
        Ok(detail.and_then(|detail| Some(detail.get("by")?.as_str()?.to_owned())))
    }

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
