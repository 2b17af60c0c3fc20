//! Opening a registry in PostgreSQL: its schema is made, or its version looked at.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicI64;

use super::address::Address;
use super::link::Links;
use crate::registry::database::sqlite::schema::VERSION;
use crate::registry::database::{Session, postgres::Link};
use crate::registry::renames::last_row;
use crate::registry::{Database, Registry, RegistryError, Result};

const SCHEMA: &str = include_str!("schema.sql");

impl Registry {
    /// Opens the registry in a database.
    ///
    /// Errors: [`RegistryError::NotARegistry`] for a database without one.
    pub fn open_server(address: &Address) -> Result<Self> {
        let (path, links) = (PathBuf::from(address.to_string()), Links::new(address.clone()));
        match version(links.of_thread(), &path)? {
            None => Err(RegistryError::NotARegistry(path.display().to_string())),
            Some(_) => Ok(Self::over_server(links, path)),
        }
    }

    /// The same, and makes the registry if there is none, in a schema of its own named `c8y_pki`. The user becomes
    /// its owner.
    pub fn open_or_create_server(address: &Address) -> Result<Self> {
        let (path, links) = (PathBuf::from(address.to_string()), Links::new(address.clone()));
        if version(links.of_thread(), &path)?.is_none() {
            let link = links.of_thread();
            // Two may make it at once: the lock is for those, and ends with the transaction.
            let lock = "SELECT pg_advisory_xact_lock(hashtext('c8y_pki.create'))";
            link.begin(&path, &format!("BEGIN; {lock}"))?;
            let made = match version(link, &path) {
                Ok(None) => link.batch(&path, SCHEMA).and_then(|()| link.batch(&path, "COMMIT")),
                other => other.map(|_| ()),
            };
            link.end();
            made?;
        }
        Ok(Self::over_server(links, path))
    }

    fn over_server(links: Links, path: PathBuf) -> Self {
        let names_until = last_row(&Session::postgres(links.of_thread(), &path));
        let names_until = AtomicI64::new(names_until);
        Self { database: Database::Postgres(links), path, names_until }
    }
}

/// The version of the registry in a database; none if there is no registry.
fn version(link: &Link, path: &Path) -> Result<Option<i64>> {
    let there = "SELECT 1 WHERE to_regclass('c8y_pki.registry') IS NOT NULL";
    if link.query(path, there, &[])?.is_empty() {
        return Ok(None);
    }
    let session = Session::postgres(link, path);
    let found = session.one("SELECT version FROM registry", &[], |row| row.get(0))?;
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
