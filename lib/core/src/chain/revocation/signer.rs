//! Who has signed a list, and may that one make it (RFC 5280, 6.3.3 (f) and (g))?

use super::session::{Session, Signer, Status};
use crate::cert::Certificate;
use crate::chain::options::{Options, Purpose};
use crate::chain::verify::verify;
use crate::crl::Crl;

/// Paths of signers that are looked for in one lookup. An honest one needs one for each key of an issuer.
const MAX_SIGNER_PATHS: usize = 32;

/// How deep the signers of lists about signers of lists are followed.
const MAX_DEPTH: usize = 4;

impl<'a> Session<'a> {
    /// The signer of a list, for the first certificate of `path`. `below` are the certificates for whose
    /// sake that one is examined.
    pub(super) fn find_signer(
        &mut self,
        index: usize,
        list: &Crl,
        path: &[Certificate],
        below: &[&Certificate],
    ) -> Signer<'a> {
        let named = |cert: &&'a Certificate| cert.subject.matches(&list.issuer);
        let in_question = |cert: &Certificate| {
            path.first().is_some_and(|first| first == cert) || below.contains(&cert)
        };
        let own_issuer = path.get(1);
        let mut refused = None;
        for signer in self.signers().filter(named) {
            if !self.has_signed(index, signer) {
                continue;
            }
            if in_question(signer) {
                return Signer::Circular(signer);
            }
            if path.get(1..).unwrap_or_default().contains(signer) {
                return Signer::Good(signer);
            }
            // Another certificate of the issuer's key: the path's is judged for it.
            if own_issuer.is_some_and(|issuer| issuer.spki == signer.spki && named(&signer)) {
                continue;
            }
            match self.judge(signer, path, below) {
                Judgement::Good => return Signer::Good(signer),
                Judgement::Circular => return Signer::Circular(signer),
                Judgement::Refused(why) => refused = Some(why),
            }
        }
        refused.map_or(Signer::Nobody, Signer::Refused)
    }

    /// Whether a certificate outside of the path has a good path to the same anchor, none of it revoked.
    fn judge(
        &mut self,
        signer: &'a Certificate,
        path: &[Certificate],
        below: &[&Certificate],
    ) -> Judgement {
        let refused = |why: String| {
            Judgement::Refused(format!(
                "it bears the signature of another certificate, {} (serial number {}), and {why}",
                signer.subject, signer.serial
            ))
        };
        self.paths += 1;
        if below.len() >= MAX_DEPTH || self.paths > MAX_SIGNER_PATHS {
            return refused("too many such signatures would have to be followed".to_owned());
        }
        let options = Options { purpose: Purpose::Any, ..Options::new(self.at) };
        let pool: Vec<Certificate> = self.signers().cloned().collect();
        let found = match verify(signer, &pool, self.anchor(), &options) {
            Ok(found) => found.into_certificates(),
            Err(e) => return refused(e.to_string()),
        };
        let first = path.first();
        if found.iter().any(|c| Some(c) == first || below.contains(&c)) {
            return Judgement::Circular;
        }
        let deeper: Vec<&Certificate> = below.iter().copied().chain(first).collect();
        for (position, cert) in found.iter().enumerate().take(found.len() - 1) {
            if path.contains(cert) {
                continue;
            }
            let own = found.get(position..).unwrap_or_default();
            match self.examine(own, &deeper).status {
                Status::Good | Status::NoList => {}
                Status::Revoked { .. } => return refused(format!("{} is revoked", cert.subject)),
                Status::Unknown(problem) => {
                    return refused(format!("{} cannot be looked up: {problem}", cert.subject));
                }
            }
        }
        Judgement::Good
    }
}

enum Judgement {
    Good,
    Circular,
    Refused(String),
}
