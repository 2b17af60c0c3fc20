//! Taking in a CA that was made elsewhere: its certificate and those above it are found in a heap.

use time::OffsetDateTime;

use super::{AuthorityError, Ca, History, OwnKey, Pki, Result};
use crate::cert::{Certificate, LongestChain};
use crate::chain;
use crate::crypto::{KeyPolicy, PublicKey};
use crate::issue::{self, Issuer};
use crate::registry::Adopted;

impl Pki {
    /// Takes in a CA made elsewhere. `heap` holds its certificate and, in any order, those above
    /// it; CAs of this directory are found too. `keys` says which weak keys are let through.
    pub fn import(
        &mut self,
        name: &str,
        heap: &[Certificate],
        key: OwnKey<'_>,
        keys: KeyPolicy,
        now: OffsetDateTime,
    ) -> Result<Ca> {
        Ok(self.import_with(name, heap, (key, keys), None, now)?.0)
    }

    /// The same with what the CA did before, which is recorded in one transaction with it.
    pub fn import_with(
        &mut self,
        name: &str,
        heap: &[Certificate],
        (key, keys): (OwnKey<'_>, KeyPolicy),
        history: Option<&History>,
        now: OffsetDateTime,
    ) -> Result<(Ca, Adopted)> {
        let _lock = self.lock_for(name)?;
        key.public_key().check_fit(keys)?;
        let kept = key.keep()?;
        let own = find_own(heap, kept.signer.public_key())?;
        Issuer::new(own, kept.signer.as_ref(), now)?;
        // The same CA may have had another certificate before.
        self.check_key_is_free(own, |other| own == other || !own.subject.matches(&other.subject))?;
        self.check_name_is_free(name, own)?;
        let known: Vec<Certificate> = self.cas()?.into_iter().flat_map(|ca| ca.chain).collect();
        let line = climb(own, heap.iter().chain(&known), self.longest)?;
        // A CA under which no device can connect is not taken in.
        chain::check_ca(&line, now).map_err(Box::new).map_err(AuthorityError::Unusable)?;
        self.keep(name, line, &kept, history, now)
    }
}

/// The certificate that belongs to the key.
///
/// Errors: [`AuthorityError::Import`] if there is none.
pub fn find_own<'a>(heap: &'a [Certificate], key: &PublicKey) -> Result<&'a Certificate> {
    heap.iter().find(|c| c.spki == key.spki()).ok_or_else(|| {
        let subjects: Vec<String> = heap.iter().map(|c| c.subject.to_string()).collect();
        AuthorityError::Import(format!(
            "the private key belongs to none of the certificates ({})",
            subjects.join("; ")
        ))
    })
}

/// Follows issuers upwards as far as they are in the heap. Each must be a CA and have signed.
pub(super) fn climb<'a>(
    own: &Certificate,
    heap: impl Iterator<Item = &'a Certificate> + Clone,
    longest: LongestChain,
) -> Result<Vec<Certificate>> {
    let mut chain = vec![own.clone()];
    while let Some(last) = chain.last().filter(|c| !c.is_self_issued()).cloned() {
        let signed = |c: &Certificate| {
            c.subject.matches(&last.issuer)
                && c.public_key.as_ref().is_ok_and(|key| last.verify_signature(key).is_ok())
        };
        let Some(above) = heap.clone().find(|c| signed(c)) else { break };
        issue::check_ca(above)?;
        if let Ok(key) = &above.public_key {
            // What it has signed shows nothing if its key is weak. Old roots have an exponent of 3.
            key.check_sound(KeyPolicy { allow_exponent_3: true })
                .map_err(|e| AuthorityError::Import(format!("{}: {e}", above.subject)))?;
        }
        chain.push(above.clone());
        if !longest.takes(chain.len() + 1) {
            return Err(AuthorityError::Import(format!(
                "{} and those above it make a chain of {} certificates without a device; the platform takes at \
                 most {longest} with it",
                own.subject,
                chain.len()
            )));
        }
    }
    Ok(chain)
}
