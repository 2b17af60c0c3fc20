//! The registry of a PKI directory goes to another place: from its file to a database, or back.

use std::path::PathBuf;

use time::OffsetDateTime;

use super::{Pki, Result, config, server, shared};
use crate::files::{self, Access, Existing, Lock};
use crate::registry::{Checked, Registry, RegistryError, Transferred};

/// A registry that was taken to another place.
#[derive(Debug)]
pub struct Migrated {
    /// Where it was.
    pub from: PathBuf,
    /// Where it is.
    pub to: PathBuf,
    /// What was copied.
    pub copied: Transferred,
    /// What a check has found there. If there are findings, the registry stays where it is.
    pub checked: Checked,
}

impl Pki {
    /// Takes the registry to a database, given by its address, or to a new file of the directory. It is copied in one
    /// transaction and checked there; if nothing is found, both audit logs say so and pki.toml names the new place. The
    /// former registry stays as it is, and nothing is recorded there any more: others wait meanwhile, and are refused
    /// then.
    ///
    /// Errors: [`RegistryError::NotEmpty`].
    pub fn move_registry(&mut self, to: &str, now: OffsetDateTime) -> Result<Migrated> {
        let _lock = Lock::wait(&self.lock_path())?;
        let config = self.dir.join("pki.toml");
        let mut other = match server::open_or_create(&config, to)? {
            Some(registry) => registry,
            None => self.new_file(to, now)?,
        };
        // The same database would wait for itself.
        other.check_empty()?;
        let departure = self.registry.depart()?;
        let copied = departure.copy_to(&mut other)?;
        let checked = other.check()?;
        let (from, there) = (self.registry.path().to_owned(), other.path().to_owned());
        if checked.findings.is_empty() {
            let text = files::read(&config)?;
            let text = match other.is_shared() {
                true => String::from_utf8_lossy(&text).into_owned(),
                // In a file there is no place for them.
                false => self.with_policies(&text)?,
            };
            let text = config::with_registry(&config, text.as_bytes(), to)?;
            self.publish_to(&other, now)?;
            departure.arrive(&mut other, &copied, now)?;
            files::write(&config, text.as_bytes(), Access::Public, Existing::Replace)?;
            self.registry = other;
            if !self.registry.is_shared() {
                shared::remove_copies(&self.dir)?;
            }
            self.kept = self.registry.kept_cas()?;
        }
        Ok(Migrated { from, to: there, copied, checked })
    }

    fn new_file(&self, name: &str, now: OffsetDateTime) -> Result<Registry> {
        let path = self.dir.join(name);
        if files::len(&path).is_some_and(|bytes| bytes > 0) {
            return Err(RegistryError::NotEmpty(path.display().to_string()).into());
        }
        files::touch_private(&path)?;
        Ok(Registry::open(&path, now)?)
    }
}
