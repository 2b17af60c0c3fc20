//! A PKI directory whose registry is in a database, which other directories may share.

use std::path::Path;

use super::{AuthorityError, Result};
use crate::registry::Registry;

/// Opens the registry if its name in pki.toml is the address of a server. It is made if there is none and the
/// directory has no CA yet.
#[cfg(feature = "postgres")]
pub(super) fn open(dir: &Path, config: &Path, name: &str) -> Result<Option<Registry>> {
    use crate::files;
    use crate::registry::{Address, RegistryError};

    if !Address::is_one(name) {
        return Ok(None);
    }
    if files::list_dir(&dir.join("ca"))?.is_empty() {
        return open_or_create(config, name);
    }
    match Registry::open_server(&address(config, name)?) {
        Err(RegistryError::NotARegistry(path)) => {
            let what = "the database has no registry";
            Err(AuthorityError::RegistryLost { path: path.into(), what })
        }
        opened => Ok(Some(opened?)),
    }
}

/// The same, and makes the registry if there is none.
#[cfg(feature = "postgres")]
pub(super) fn open_or_create(config: &Path, name: &str) -> Result<Option<Registry>> {
    match crate::registry::Address::is_one(name) {
        true => Ok(Some(Registry::open_or_create_server(&address(config, name)?)?)),
        false => Ok(None),
    }
}

#[cfg(feature = "postgres")]
fn address(config: &Path, name: &str) -> Result<crate::registry::Address> {
    let parsed = crate::registry::Address::parse(name);
    parsed.map_err(|source| AuthorityError::Address { path: config.to_owned(), source })
}

/// Without the feature only files are known.
#[cfg(not(feature = "postgres"))]
pub(super) fn open(_: &Path, config: &Path, name: &str) -> Result<Option<Registry>> {
    if !name.starts_with("postgres://") && !name.starts_with("postgresql://") {
        return Ok(None);
    }
    let problem =
        "the registry is in a PostgreSQL database, and this program was built without that";
    Err(AuthorityError::Config { path: config.to_owned(), problem: problem.into() })
}

/// The same.
#[cfg(not(feature = "postgres"))]
pub(super) fn open_or_create(config: &Path, name: &str) -> Result<Option<Registry>> {
    open(Path::new(""), config, name)
}
