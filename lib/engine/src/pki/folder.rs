//! A new PKI directory, and what its `pki.toml` says at first.

use std::path::Path;

use super::{Pki, Result, longest};
use crate::cert::LongestChain;
use crate::files::{self, Access, Existing};

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
        Self::check_longest_chain(dir, longest)?;
        if !dir.join("pki.toml").exists() {
            files::create_private_dir(&dir.join("ca"))?;
            let text = format!("{HEAD}{}\n{POLICY}", longest::lines(longest));
            let path = dir.join("pki.toml");
            files::write(&path, text.as_bytes(), Access::Public, Existing::Replace)?;
        }
        Ok(())
    }
}
