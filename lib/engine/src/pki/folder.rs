//! A new PKI directory, and what its `pki.toml` says at first.

use std::path::Path;

use super::{AuthorityError, Pki, Result, config, longest, server};
use crate::cert::LongestChain;
use crate::files::{self, Access, Existing};
use crate::registry::without_secrets;

const HEAD: &str = "# A PKI directory of c8y-pki. Keep it private: it holds the keys of CAs.\n\
                    version = 1\nregistry = \"registry.sqlite\"\n\n";

const POLICY: &str = "# What a CA may sign: each field of the subject is optional, supplied or match\n\
                      # (with the CA's own value), and the devices' ids may be restricted.\n\
                      # [policy.line-7]\n\
                      # C = \"match\"\n\
                      # O = \"supplied\"\n\
                      # ids = [\"GW-*\"]\n";

impl Pki {
    /// Makes the directory if there is none, without a registry: opening it makes that.
    pub fn make_folder(dir: &Path) -> Result<()> {
        Self::make_folder_for(dir, None)
    }

    /// The same for an installation whose longest chain is known; none for that of the cloud. A directory that is there
    /// has to say the same.
    pub fn make_folder_for(dir: &Path, longest: Option<LongestChain>) -> Result<()> {
        Self::make_folder_on(dir, longest, None)
    }

    /// The same with the registry in a database, given by its address; none: in a file. A directory that is there has to
    /// say the same.
    pub fn make_folder_on(
        dir: &Path,
        longest: Option<LongestChain>,
        registry: Option<&str>,
    ) -> Result<()> {
        Self::check_longest_chain(dir, longest)?;
        let path = dir.join("pki.toml");
        if path.exists() {
            let there = config::read_config(&path)?.registry;
            return match registry {
                Some(other) if other != there => {
                    let there = without_secrets(&there);
                    Err(AuthorityError::OtherRegistry { dir: dir.to_owned(), there })
                }
                _ => Ok(()),
            };
        }
        // One that cannot be reached is said before there is a directory.
        if let Some(address) = registry
            && server::open_or_create(&path, address)?.is_none()
        {
            return Err(AuthorityError::NoAddress(address.to_owned()));
        }
        files::create_private_dir(&dir.join("ca"))?;
        let text = format!("{HEAD}{}\n{POLICY}", longest::lines(longest));
        let text = match registry {
            Some(place) => config::with_registry(&path, text.as_bytes(), place)?,
            None => text,
        };
        files::write(&path, text.as_bytes(), Access::Public, Existing::Replace)?;
        Ok(())
    }
}
