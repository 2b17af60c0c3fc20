//! Opening a registry in PostgreSQL: its schema is made, or its version looked at.

use std::path::Path;

use super::link::Link;
use crate::registry::database::sqlite::schema::VERSION;
use crate::registry::database::value::Fetched;
use crate::registry::{RegistryError, Result};

const SCHEMA: &str = include_str!("schema.sql");

/// Makes the registry if there is none, in a schema of its own.
pub(in crate::registry) fn create_if_missing(link: &Link, path: &Path) -> Result<()> {
    if version(link, path)?.is_some() {
        return Ok(());
    }
    // Two may make it at once: the lock is for those, and ends with the transaction.
    let lock = "SELECT pg_advisory_xact_lock(hashtext('c8y_pki.create'))";
    link.begin(path, &format!("BEGIN; {lock}"))?;
    let made = match version(link, path) {
        Ok(None) => link.batch(path, SCHEMA).and_then(|()| link.batch(path, "COMMIT")),
        other => other.map(|_| ()),
    };
    link.end();
    made
}

/// The version of the registry in a database; none if there is no registry.
pub(in crate::registry) fn version(link: &Link, path: &Path) -> Result<Option<i64>> {
    let there = "SELECT 1 WHERE to_regclass('c8y_pki.registry') IS NOT NULL";
    if link.query(path, there, &[])?.is_empty() {
        return Ok(None);
    }
    let rows = link.query(path, "SELECT version FROM registry", &[])?;
    let row = rows.first().ok_or_else(|| RegistryError::without_answer(path))?;
    let found = Fetched::postgres(row, path).get(0)?;
    match found {
        VERSION => Ok(Some(found)),
        found if found < VERSION => {
            Err(RegistryError::TooOld { path: path.display().to_string(), found, known: VERSION })
        }
        found => {
            Err(RegistryError::TooNew { path: path.display().to_string(), found, known: VERSION })
        }
    }
}
