//! Is a certificate of a validated path revoked? By revocation lists that are at hand (RFC 5280, 6.3).
//!
//! - [`session`]: one lookup, with what was found out so far.
//! - [`scope`]: is a list for this certificate, and for which reasons?
//! - [`signer`]: who has signed it, and may that one make lists?
//! - [`fault`]: does it count, by what it says of itself?
//! - [`group`]: lists for the same, among them delta lists and the list that they change.
//! - [`status`]: what all lists together say of one certificate.

mod fault;
mod group;
mod scope;
mod session;
mod signer;
mod status;

use time::OffsetDateTime;

use super::refusal::Refusal;
use super::rule::Rule;
use super::verify::VerifiedChain;
use crate::cert::Certificate;
use crate::crl::Crl;
use session::{Session, Status};

/// Revocation lists, and the certificates by which it is told who has made them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lists<'a> {
    /// The lists, complete ones and delta lists.
    pub all: &'a [Crl],
    /// Certificates of other CAs that have the name of an issuer in the path: a list that one of them has
    /// signed is not that issuer's. Those of the issuer's own key change nothing.
    pub known: &'a [Certificate],
    /// Certificates among which the signer of a list is looked for, if it is none of the path: another key
    /// of an issuer, or who makes its lists for it. Each has to have a good path to the same anchor.
    pub signers: &'a [Certificate],
}

/// What became of one list.
#[derive(Debug, Clone)]
pub struct ListUse<'a> {
    /// The list.
    pub list: &'a Crl,
    /// Why it was not used, as the end of a sentence that begins with the list ("was not used: …"); none if it
    /// was.
    pub unused: Option<String>,
}

/// What lists say of a path.
#[derive(Debug, Clone)]
pub struct Lookup<'a> {
    /// The certificate that is revoked, or cannot be looked up; none if the path is good.
    pub refusal: Option<Refusal>,
    /// Duties of issuers that the lists break.
    pub warnings: Vec<Refusal>,
    /// Each list, in the order in which they came.
    pub lists: Vec<ListUse<'a>>,
}

impl<'a> Lookup<'a> {
    /// The lists that have had no say, with the reason.
    pub fn unused(&self) -> impl Iterator<Item = (&'a Crl, &str)> {
        self.lists.iter().filter_map(|u| u.unused.as_deref().map(|why| (u.list, why)))
    }
}

/// Looks each certificate of a path, but the anchor, up in the lists that are for it, for the time `at`.
///
/// **Which lists.** Those of the certificate's issuer, and indirect lists of who is named in its
/// cRLDistributionPoints (cRLIssuer), as far as their issuingDistributionPoint has the certificate in it.
/// What a list says of its key proves nothing: who damages the list can change that too.
///
/// **Which of them count.** The signature has to be the issuer's, or that of another certificate with the
/// list's issuer's name and a path of its own to the same anchor ([`Lists::signers`]); a key usage has to
/// have cRLSign, no unknown extension in it may be critical, and `at` lies between its two dates. A list
/// that is for the certificate and does not count makes the answer no, even beside another one that does: it
/// may be the one that knows more. The exception is a list that has run out, if a later one for the same
/// counts.
///
/// **What they say.** Whatever any of these lists revokes is revoked, also if a later list has lost the
/// entry or the list has run out; only `certificateHold` ends that way (RFC 5280, 5.3.1), or by a delta
/// list. Lists for some reasons have to be there for all of them. A list without nextUpdate counts; it comes
/// back as a warning ([`Rule::NoNextUpdate`]). There has to be a list for the leaf; for CAs, and for the
/// signers of lists, without any list of their issuers nothing is said, as with OpenSSL's `-crl_check`.
pub fn check_revocation<'a>(
    path: &'a VerifiedChain,
    lists: &Lists<'a>,
    at: OffsetDateTime,
) -> Lookup<'a> {
    let certificates = path.certificates();
    let mut session = Session::new(certificates, lists, at);
    let (mut revoked, mut unknown) = (None, None);
    for (position, cert) in certificates.iter().enumerate().take(certificates.len() - 1) {
        let refusal = |rule| Refusal { position, subject: cert.subject.clone(), rule };
        let own = certificates.get(position..).unwrap_or_default();
        let examined = session.examine(own, &[]);
        let (status, warnings) = (examined.status, examined.warnings);
        session.warn(warnings.into_iter().map(refusal));
        let issuer = || Box::new(cert.issuer.clone());
        match status {
            Status::Good => {}
            Status::Revoked { at, reason } => {
                revoked.get_or_insert(refusal(Rule::Revoked { at, reason }));
            }
            Status::Unknown(problem) => {
                let rule = Rule::RevocationUnknown { issuer: issuer(), problem };
                unknown.get_or_insert(refusal(rule));
            }
            Status::NoList if position == 0 => {
                let rule = Rule::RevocationUnknown { issuer: issuer(), problem: session.none() };
                unknown.get_or_insert(refusal(rule));
            }
            Status::NoList => {}
        }
    }
    session.into_lookup(revoked.or(unknown))
}
