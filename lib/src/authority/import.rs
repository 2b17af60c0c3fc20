//! Finding a CA that was made elsewhere in a heap of certificates, and those above it.

use super::{AuthorityError, Result};
use crate::cert::Certificate;
use crate::crypto::PublicKey;
use crate::issue;

/// The certificate that belongs to the key.
pub(super) fn find_own<'a>(heap: &'a [Certificate], key: &PublicKey) -> Result<&'a Certificate> {
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
) -> Result<Vec<Certificate>> {
    let mut chain = vec![own.clone()];
    while let Some(last) = chain.last().filter(|c| !c.is_self_issued()).cloned() {
        let signed = |c: &Certificate| {
            c.subject.matches(&last.issuer)
                && c.public_key.as_ref().is_ok_and(|key| last.verify_signature(key).is_ok())
        };
        let Some(above) = heap.clone().find(|c| signed(c)) else { break };
        issue::check_ca(above)?;
        chain.push(above.clone());
        if chain.len() >= issue::MAX_CHAIN {
            return Err(AuthorityError::Import(format!(
                "{} and those above it make a chain of {} certificates without a device",
                own.subject,
                chain.len()
            )));
        }
    }
    Ok(chain)
}
