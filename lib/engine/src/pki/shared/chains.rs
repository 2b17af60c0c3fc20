//! Which of two chains of a CA is the newer one, and whether that of a database may take the place of the other.
//!
//! Each certificate that is in the directory keeps its subject and its key, from the CA's own up to the root: a renewal
//! keeps both. So a database that somebody has changed cannot put another CA in the place of one that is trusted here.

use crate::cert::Certificate;
use crate::issue;
use crate::pki::{Ca, Result, SharedError, check_name};
use crate::registry::{Registry, SharedCa};

/// What is to be done with a chain of the database.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is newer.
    Theirs(Vec<Certificate>),
    /// That of the directory is newer.
    Ours,
    /// The registry does not know that of the directory: it is to be repaired first.
    Unknown,
}

/// The chain that a database has of a CA: each certificate signed by the next, the CA's own recorded.
pub(super) fn read(registry: &Registry, shared: &SharedCa) -> Result<Vec<Certificate>> {
    let unfit = |problem: String| SharedError::Unfit {
        ca: shared.name.clone(),
        registry: registry.path().display().to_string(),
        problem,
    };
    check_name(&shared.name).map_err(|e| unfit(e.to_string()))?;
    let chain = Certificate::all_from_pem_or_der(shared.chain.as_bytes())
        .map_err(|e| unfit(e.to_string()))?;
    for (at, certificate) in chain.iter().enumerate() {
        issue::check_ca(certificate).map_err(|e| unfit(e.to_string()))?;
        let is_signed = chain.get(at + 1).is_none_or(|above| {
            certificate.issuer.matches(&above.subject)
                && above
                    .public_key
                    .as_ref()
                    .is_ok_and(|key| certificate.verify_signature(key).is_ok())
        });
        if !is_signed {
            let subject = &certificate.subject;
            return Err(unfit(format!("{subject} was not signed by the next certificate")).into());
        }
    }
    match registry.has(&chain[0])? {
        true => Ok(chain),
        false => Err(unfit(format!("its certificate {} is not recorded", chain[0].serial)).into()),
    }
}

/// Compares a CA's chain with that of the database, which differs.
pub(super) fn compare(registry: &Registry, ca: &Ca, theirs: Vec<Certificate>) -> Result<Verdict> {
    let pairs = || ca.chain.iter().zip(&theirs);
    let differs = |(ours, theirs): &(&Certificate, &Certificate)| {
        ours.spki != theirs.spki || !ours.subject.matches(&theirs.subject)
    };
    if let Some((ours, _)) = pairs().find(differs) {
        return Err(SharedError::OtherKey {
            ca: ca.name.clone(),
            subject: ours.subject.to_string(),
            file: ca.dir().join("chain.pem").display().to_string(),
            registry: registry.path().display().to_string(),
        }
        .into());
    }
    let (own, their_own) = (ca.certificate(), &theirs[0]);
    let is_theirs = match pairs().find(|(ours, theirs)| ours != theirs) {
        Some(_) if own != their_own => {
            if !registry.has(own)? {
                return Ok(Verdict::Unknown);
            }
            their_own.not_before >= own.not_before
                && (registry.is_live(their_own)? || !registry.is_live(own)?)
        }
        // The certificate of a CA above was renewed.
        Some((ours, theirs)) => theirs.not_before >= ours.not_before,
        None => theirs.len() > ca.chain.len(),
    };
    Ok(if is_theirs { Verdict::Theirs(theirs) } else { Verdict::Ours })
}
