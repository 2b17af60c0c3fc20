//! The longest chain of the installation, in a rollout: the file and the PKI directory say the same, and no CA of the
//! file stands so deep that its devices would be refused. Looked at before anything is made.

use std::collections::HashMap;

use super::RolloutError;
use super::spec::Spec;
use crate::cert::LongestChain;
use crate::pki::{Ca, Pki};

impl Spec {
    /// How long a chain may be: as the file says it, else as the PKI directory does, else as in the cloud.
    ///
    /// Errors: the two say different things.
    pub fn longest_chain(&self) -> Result<LongestChain, RolloutError> {
        Pki::check_longest_chain(&self.pki, self.longest_chain)?;
        let folder = Pki::longest_chain_of(&self.pki)?;
        Ok(self.longest_chain.or(folder).unwrap_or_default())
    }
}

/// Refuses a CA of the file whose devices would present too many certificates.
pub(super) fn check(spec: &Spec, existing: &[Ca]) -> Result<(), RolloutError> {
    let longest = spec.longest_chain()?;
    let mut depths: HashMap<&str, usize> = HashMap::new();
    for ca in &spec.cas {
        let found = existing.iter().find(|known| known.name == ca.name);
        let above = ca.parent.as_ref().and_then(|parent| depths.get(parent.as_str()).copied());
        let depth = found.map_or(above.unwrap_or(0) + 1, |known| known.chain.len());
        let length = depth + 1;
        if !longest.takes(length) {
            let (file, name) = (spec.file.display().to_string(), ca.name.clone());
            return Err(RolloutError::ChainTooLong { file, name, length, longest });
        }
        depths.insert(&ca.name, depth);
    }
    Ok(())
}
