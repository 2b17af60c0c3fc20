//! Where hand-over files were written, and what of them was given up: rows of the audit log.

use std::path::{Path, PathBuf};

use rusqlite::params;
use time::OffsetDateTime;

use super::audit;
use super::rollback::ACCEPT;
use super::sqlite::{Registry, Result, begin, database_error};
use crate::crypto::{hex, sha256};

/// The action of an audit row that says that a hand-over file was made.
const HANDOVER: &str = "handover";

impl Registry {
    /// Keeps that a hand-over file was made, and where it is, so that it can be compared later.
    pub fn note_handover(
        &mut self,
        (batch, ca): (&str, &str),
        (path, csv): (&Path, &[u8]),
        now: OffsetDateTime,
    ) -> Result<()> {
        let detail = serde_json::json!({
            "batch": batch, "ca": ca, "file": path.to_string_lossy(), "sha256": hex(&sha256(csv)),
        });
        self.append_alone(HANDOVER, &detail, now)
    }

    /// Where hand-over files were written, each place once.
    pub fn handovers(&self) -> Result<Vec<PathBuf>> {
        let connection = self.connection()?;
        let collect = || -> rusqlite::Result<Vec<PathBuf>> {
            connection
                .prepare(
                    "SELECT DISTINCT json_extract(detail, '$.file') FROM audit WHERE action = ?1
                     ORDER BY 1",
                )?
                .query_map([HANDOVER], |row| Ok(PathBuf::from(row.get::<_, String>(0)?)))?
                .collect()
        };
        collect().map_err(|e| self.error(&e))
    }

    /// Accepts that this registry does not have certificates that are out in the world: the audit log keeps
    /// their fingerprints, and a sentence about each.
    pub fn accept_forgotten(
        &mut self,
        ca: &str,
        forgotten: &[(&str, &str)],
        now: OffsetDateTime,
    ) -> Result<()> {
        let each =
            |(sha256, what): &(&str, &str)| serde_json::json!({"sha256": sha256, "what": what});
        let given_up: Vec<_> = forgotten.iter().map(each).collect();
        let detail = serde_json::json!({ "ca": ca, "certificates": given_up });
        self.append_alone(ACCEPT, &detail, now)
    }

    /// Whether somebody has accepted that this registry does not have the certificate with that SHA-256, as
    /// hex.
    pub fn has_accepted_certificate(&self, sha256: &str) -> Result<bool> {
        let sql = "SELECT 1 FROM audit, json_each(detail, '$.certificates') AS given_up
             WHERE action = ?1 AND json_extract(given_up.value, '$.sha256') = ?2";
        self.connection()?
            .prepare_cached(sql)
            .and_then(|mut query| query.exists(params![ACCEPT, sha256]))
            .map_err(|e| self.error(&e))
    }

    fn append_alone(
        &mut self,
        action: &str,
        detail: &serde_json::Value,
        now: OffsetDateTime,
    ) -> Result<()> {
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| database_error(&path, &e);
        let transaction = begin(self.connection()?, &self.path)?;
        audit::append(&transaction, now, action, detail).map_err(fail)?;
        transaction.commit().map_err(fail)
    }
}
