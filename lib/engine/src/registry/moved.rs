//! Whether a registry was taken to another place: its last row says so, and each change looks at that.

use std::path::Path;

use super::database::Session;
use super::{RegistryError, Result};

/// The action of the last audit row of a registry that was taken to another place.
pub(super) const MOVE: &str = "move";

/// Refuses a registry that was taken to another place. A change that was begun asks this before it does anything, so that
/// nothing is recorded where nobody looks for it.
pub(super) fn check_here(session: &Session<'_>, path: &Path) -> Result<()> {
    // Nothing follows on the row that says so.
    let sql = "SELECT detail FROM
               (SELECT action, detail FROM audit ORDER BY sequence DESC LIMIT 1) AS last WHERE action = ?1";
    let moved: Option<String> = session.first(sql, values![MOVE], |row| row.get(0))?;
    let Some(detail) = moved else { return Ok(()) };
    let detail: serde_json::Value = serde_json::from_str(&detail).unwrap_or_default();
    let to = detail["to"].as_str().unwrap_or_default().to_owned();
    Err(RegistryError::Moved { path: path.display().to_string(), to })
}
