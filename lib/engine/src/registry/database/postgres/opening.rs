//! Opening a registry in PostgreSQL: its schema is made, or brought up to the present version.

use std::path::Path;

use super::link::Link;
use crate::registry::database::value::Fetched;
use crate::registry::{RegistryError, Result};

/// The version of [`SCHEMA`]: what it keeps is what a file keeps.
const FIRST: i64 = 7;

/// The present version: it has what only a database can do, and a file knows nothing of.
const VERSION: i64 = 9;

const SCHEMA: &str = include_str!("schema.sql");

/// What makes the next version of each.
const STEPS: [(i64, &str); 2] =
    [(7, include_str!("version_8.sql")), (8, include_str!("version_9.sql"))];

/// Two may make or change it at once: the lock is for those, and ends with the transaction.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtext('c8y_pki.create'))";

/// Makes the registry if there is none, in a schema of its own, and brings one of an older version up.
pub(in crate::registry) fn create_if_missing(link: &Link, path: &Path) -> Result<()> {
    if open(link, path)? {
        return Ok(());
    }
    link.begin(path, &format!("BEGIN; {LOCK}"))?;
    let made = match version(link, path) {
        Ok(None) => link.batch(path, &format!("{SCHEMA}; {}; COMMIT", steps(FIRST))),
        other => other.map(|_| ()),
    };
    link.end();
    made
}

/// Looks at the registry in a database, and brings one of an older version up, which only its owner can. Whether there is
/// one.
pub(in crate::registry) fn open(link: &Link, path: &Path) -> Result<bool> {
    let name = || path.display().to_string();
    match version(link, path)? {
        None => Ok(false),
        Some(VERSION) => Ok(true),
        Some(found @ FIRST..VERSION) => upgrade(link, path, found).map(|()| true),
        Some(found) => Err(RegistryError::TooNew { path: name(), found, known: VERSION }),
    }
}

fn upgrade(link: &Link, path: &Path, from: i64) -> Result<()> {
    link.begin(path, &format!("BEGIN; {LOCK}"))?;
    let done = match version(link, path) {
        Ok(Some(found @ FIRST..VERSION)) => {
            link.batch(path, &format!("{}; {}; COMMIT", steps(found), upgraded(found)))
        }
        other => other.map(|_| ()),
    };
    link.end();
    done.map_err(|e| match e {
        RegistryError::NotAllowed { path, .. } => {
            RegistryError::OwnerFirst { path, found: from, known: VERSION }
        }
        other => other,
    })
}

/// What makes the present version of one of an older version.
fn steps(from: i64) -> String {
    let steps: Vec<&str> =
        STEPS.iter().filter(|(of, _)| *of >= from).map(|(_, step)| *step).collect();
    steps.join("; ")
}

/// Tells the audit log of it, unless the registry was taken elsewhere: that row is to stay the last one.
fn upgraded(from: i64) -> String {
    let detail = serde_json::json!({ "from": from, "to": VERSION });
    format!(
        "SELECT append(extract(epoch FROM now())::bigint, 'migrate', '{detail}', NULL)
         FROM head WHERE NOT EXISTS (SELECT 1 FROM audit AS a WHERE a.sequence = head.sequence AND a.action = 'move')"
    )
}

/// The version of the registry in a database; none if there is no registry.
fn version(link: &Link, path: &Path) -> Result<Option<i64>> {
    let there = "SELECT 1 WHERE to_regclass('c8y_pki.registry') IS NOT NULL";
    if link.query(path, there, &[])?.is_empty() {
        return Ok(None);
    }
    let rows = link.query(path, "SELECT version FROM registry", &[])?;
    let row = rows.first().ok_or_else(|| RegistryError::without_answer(path))?;
    Ok(Some(Fetched::postgres(row, path).get(0)?))
}
