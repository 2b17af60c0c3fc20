//! Where hand-over files were written, and what of them was given up: rows of the audit log.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::audit::ACCEPT;
use super::database::Turn;
use super::{Registry, Result};
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
        let mut places = BTreeSet::new();
        let sql = "SELECT detail FROM audit WHERE action = ?1";
        self.session()?.each(sql, values![HANDOVER], |row| -> Result<()> {
            let detail: serde_json::Value = serde_json::from_str(row.text(0)?).unwrap_or_default();
            places.extend(detail["file"].as_str().map(str::to_owned));
            Ok(())
        })?;
        Ok(places.into_iter().map(PathBuf::from).collect())
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
        let sql = "SELECT detail FROM audit WHERE action = ?1 AND detail LIKE '%' || ?2 || '%'";
        let told = self.session()?.all(sql, values![ACCEPT, sha256], |row| {
            let detail: serde_json::Value = serde_json::from_str(row.text(0)?).unwrap_or_default();
            let given_up = detail["certificates"].as_array();
            Ok(given_up.is_some_and(|all| all.iter().any(|one| one["sha256"] == sha256)))
        })?;
        Ok(told.contains(&true))
    }

    fn append_alone(
        &mut self,
        action: &str,
        detail: &serde_json::Value,
        now: OffsetDateTime,
    ) -> Result<()> {
        let work = self.begin(Turn::Alone)?;
        work.append(now, action, detail)?;
        work.commit()
    }
}
