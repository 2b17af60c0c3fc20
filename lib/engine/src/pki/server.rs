//! A PKI directory whose registry is in a database, which other directories may share.

use std::path::Path;

use super::{AuthorityError, Result};
use crate::registry::{Registry, is_file, is_server, without_secrets};

/// Whether the name of a registry is the address of a server, else of a file.
fn is_address(name: &str) -> Result<bool> {
    match is_server(name) {
        false if !is_file(name) => Err(AuthorityError::NoAddress(without_secrets(name))),
        is_server => Ok(is_server),
    }
}

/// Opens the registry if its name in pki.toml is the address of a server. It is made if there is none and the
/// directory has no CA yet.
#[cfg(feature = "postgres")]
pub(super) fn open(dir: &Path, config: &Path, name: &str) -> Result<Option<Registry>> {
    use crate::files;
    use crate::registry::RegistryError;

    if !is_address(name)? {
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
    match is_address(name)? {
        true => Ok(Some(Registry::open_or_create_server(&address(config, name)?)?)),
        false => Ok(None),
    }
}

/// Opens the registry in a database, if the name is the address of one. None is made, and a server that does not answer is
/// not waited for: it may never have been there.
#[cfg(feature = "postgres")]
pub(super) fn open_existing(config: &Path, name: &str) -> Result<Option<Registry>> {
    match is_address(name)? {
        true => Ok(Some(Registry::open_new_server(&address(config, name)?)?)),
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
    if !is_address(name)? {
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

/// The same.
#[cfg(not(feature = "postgres"))]
pub(super) fn open_existing(config: &Path, name: &str) -> Result<Option<Registry>> {
    open(Path::new(""), config, name)
}
