//! A new directory for a database that has CAs.

use std::path::Path;

use time::OffsetDateTime;

use crate::cert::LongestChain;
use crate::pki::{AuthorityError, Pki, Result, SharedError, server};

impl Pki {
    /// Makes a PKI directory with what a database has of its CAs, or opens one that names this database already. Keys are
    /// not in the database: they are brought in another way, or stay where they are.
    ///
    /// Errors: [`SharedError::NoCas`] for a database in which nobody has put the CAs; no registry is made.
    pub fn join(
        dir: &Path,
        address: &str,
        longest: Option<LongestChain>,
        now: OffsetDateTime,
    ) -> Result<Self> {
        let path = dir.join("pki.toml");
        if !path.exists() {
            let Some(registry) = server::open_existing(&path, address)? else {
                return Err(AuthorityError::NoAddress(address.to_owned()));
            };
            if registry.kept_cas()?.cas.is_empty() {
                return Err(SharedError::NoCas(registry.path().display().to_string()).into());
            }
        }
        Self::make_folder_on(dir, longest, Some(address))?;
        Self::open_unrecorded(dir, now)
    }
}
