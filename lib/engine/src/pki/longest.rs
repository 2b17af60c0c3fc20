//! The longest chain of the installation, as `pki.toml` says it.

use std::path::Path;

use super::config::read_config;
use super::{AuthorityError, Ca, Pki, Result};
use crate::cert::LongestChain;

impl Pki {
    /// How long a chain may be at the installation for which the directory is.
    pub fn longest_chain(&self) -> LongestChain {
        self.longest
    }

    /// The same of a directory that need not be opened, nor be there: none where nothing is said.
    pub fn longest_chain_of(dir: &Path) -> Result<Option<LongestChain>> {
        let path = dir.join("pki.toml");
        match path.exists() {
            true => Ok(read_config(&path)?.longest_chain),
            false => Ok(None),
        }
    }

    /// Refuses a directory that is there and says something else; what is not said is the cloud's.
    pub fn check_longest_chain(dir: &Path, wanted: Option<LongestChain>) -> Result<()> {
        let path = dir.join("pki.toml");
        let Some(wanted) = wanted.filter(|_| path.exists()) else { return Ok(()) };
        let found = Self::longest_chain_of(dir)?.unwrap_or_default();
        match found == wanted {
            true => Ok(()),
            false => Err(AuthorityError::OtherLongestChain { path, found, wanted }),
        }
    }

    /// Refuses a CA whose devices would present more certificates than the installation takes.
    pub fn check_chain_length(&self, ca: &Ca) -> Result<()> {
        let length = ca.chain.len() + 1;
        if self.longest.takes(length) {
            return Ok(());
        }
        let (name, longest) = (ca.name.clone(), self.longest);
        Err(AuthorityError::ChainTooLong { name, length, longest })
    }
}

/// What a new pki.toml says of it.
pub(super) fn lines(longest: Option<LongestChain>) -> String {
    let what = "# Most certificates in a chain, the device's and the uploaded CA's counted: 10 in the cloud, on a\n\
                # dedicated installation what its operator says.\n";
    match longest {
        Some(longest) => format!("{what}longest_chain = {longest}\n"),
        None => format!("{what}# longest_chain = {}\n", LongestChain::CLOUD),
    }
}
