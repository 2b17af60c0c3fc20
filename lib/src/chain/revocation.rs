//! Is a certificate of a validated path revoked? By revocation lists that are at hand (RFC 5280, 6.3),
//! complete ones that the issuer itself has signed.

use time::OffsetDateTime;

use super::rule::{Refusal, Rule, rfc3339};
use super::verify::VerifiedChain;
use crate::cert::Certificate;
use crate::crl::{Crl, Reason, Revoked};

/// Looks each certificate of a path, but the anchor, up in the lists of its issuer, for the time `at`.
///
/// A list is the issuer's if it has its name, unless another CA of that name has signed it which is `known` (the
/// trust anchors). What a list says of its key proves nothing: who damages the list can change that too. Such a
/// list has to be one that counts: the signature is that CA's, the CA's key usage has cRLSign, it is
/// complete, no extension in it is critical, and `at` lies between its two dates. One that does not count
/// makes the answer no, even beside another one that does: it may be the one that knows more. The
/// exception is a list that has run out, if a later one of the same issuer counts.
///
/// What any of these lists revokes is revoked, also if a later list has lost the entry or the list has run
/// out; only `certificateHold` ends that way (RFC 5280, 5.3.1). A list without nextUpdate counts; it comes
/// back as a warning ([`Rule::NoNextUpdate`]): that one is due is a duty of issuers. There has to be a list for the leaf; for CAs without
/// a list nothing is said, as with OpenSSL's `-crl_check`.
pub fn check_revocation(
    path: &VerifiedChain,
    lists: &[Crl],
    known: &[Certificate],
    at: OffsetDateTime,
) -> Result<Vec<Refusal>, Refusal> {
    let mut warnings = Vec::new();
    for (position, pair) in path.certificates().windows(2).enumerate() {
        let [cert, issuer] = pair else { continue };
        let refusal = |rule| Refusal { position, subject: cert.subject.clone(), rule };
        let own: Vec<&Crl> = lists.iter().filter(|list| is_of(list, issuer, known)).collect();
        if own.is_empty() && position > 0 {
            continue;
        }
        let (deltas, own): (Vec<&Crl>, Vec<&Crl>) =
            own.into_iter().partition(|list| list.base.is_some());
        // The present list of the issuer: the latest of those that count.
        let usable = own.iter().filter(|list| find_fault(list, issuer, at).is_none());
        let present = usable.max_by_key(|list| list.this_update);
        let mut problem = None;
        let mut lifted = false;
        for delta in deltas {
            if let Some(sentence) = find_delta_fault(delta, present.copied(), issuer, at) {
                problem = Some(sentence);
                continue;
            }
            if let Some(entry) = delta.revoked.iter().find(|r| r.serial == cert.serial) {
                return Err(refusal(Rule::Revoked { at: entry.at, reason: entry.reason.name() }));
            }
            lifted |= delta.removed.contains(&cert.serial);
        }
        for list in &own {
            let ended = |r: &Revoked| {
                r.reason == Reason::CertificateHold
                    && (lifted || present.is_some_and(|p| is_later(p, list)))
            };
            // A number may stand in it twice.
            let mut entries = list.revoked.iter().filter(|r| r.serial == cert.serial);
            // A list that has run out, or is followed by a damaged one, still knows what it knows.
            if let Some(entry) = entries.find(|r| !ended(r))
                && !matches!(find_fault(list, issuer, at), Some(Fault::Unfit(_)))
            {
                return Err(refusal(Rule::Revoked { at: entry.at, reason: entry.reason.name() }));
            }
            match find_fault(list, issuer, at) {
                Some(Fault::RunOut(_)) if present.is_some_and(|p| is_later(p, list)) => {}
                Some(fault) => {
                    problem = Some(fault.sentence());
                    continue;
                }
                None => {}
            }
        }
        if present.is_none() || problem.is_some() {
            let problem = problem.unwrap_or_else(|| none_of(lists));
            let issuer = Box::new(issuer.subject.clone());
            return Err(refusal(Rule::RevocationUnknown { issuer, problem }));
        }
        if let Some(list) = present.filter(|list| list.next_update.is_none()) {
            let (issuer, list) = (Box::new(issuer.subject.clone()), called(list));
            warnings.push(refusal(Rule::NoNextUpdate { issuer, list }));
        }
    }
    Ok(warnings)
}

/// The lists that say nothing about a path, since no issuer in it has made them: whoever gave them should
/// know.
pub fn unused_lists<'a>(
    path: &VerifiedChain,
    lists: &'a [Crl],
    known: &[Certificate],
) -> Vec<&'a Crl> {
    let issuers = path.certificates().get(1..).unwrap_or_default();
    lists.iter().filter(|list| !issuers.iter().any(|issuer| is_of(list, issuer, known))).collect()
}

fn is_later(list: &Crl, other: &Crl) -> bool {
    list.this_update > other.this_update
}

/// What a list is called in a sentence: its number, if it has one.
fn called(list: &Crl) -> String {
    match &list.number {
        Some(number) => format!("its list {}", number.to_decimal()),
        None => "its list".to_owned(),
    }
}

fn is_of(list: &Crl, issuer: &Certificate, known: &[Certificate]) -> bool {
    let namesake =
        |other: &&Certificate| other.spki != issuer.spki && other.subject.matches(&issuer.subject);
    list.issuer.matches(&issuer.subject)
        && !known.iter().filter(namesake).any(|other| is_signed(list, other))
}

fn is_signed(list: &Crl, issuer: &Certificate) -> bool {
    issuer.public_key.as_ref().is_ok_and(|key| list.verify_signature(key).is_ok())
}

/// Why a list does not count.
enum Fault {
    /// It never did, or does not yet.
    Unfit(String),
    /// It did until its nextUpdate.
    RunOut(String),
}

impl Fault {
    fn sentence(self) -> String {
        match self {
            Self::Unfit(sentence) | Self::RunOut(sentence) => sentence,
        }
    }
}

fn find_fault(list: &Crl, issuer: &Certificate, at: OffsetDateTime) -> Option<Fault> {
    let list_name = called(list);
    let unfit = |text: String| Some(Fault::Unfit(text));
    if !is_signed(list, issuer) {
        return unfit(format!("the signature of {list_name} does not match its key"));
    }
    if issuer.key_usage.is_some_and(|usage| !usage.has("cRLSign")) {
        return unfit("its key usage lacks cRLSign".to_owned());
    }
    if let Some(why) = list.incomplete.filter(|_| list.base.is_none()) {
        return unfit(format!("{list_name} {why}"));
    }
    if let Some(oid) = &list.critical_extension {
        return unfit(format!(
            "{list_name} has the critical extension {oid}, which is not supported"
        ));
    }
    if at < list.this_update {
        return unfit(format!("{list_name} begins at {}", rfc3339(list.this_update)));
    }
    match list.next_update {
        None => None,
        Some(next) if at <= next => None,
        Some(next) => {
            Some(Fault::RunOut(format!("{list_name} was to be renewed by {}", rfc3339(next))))
        }
    }
}

/// Why a delta list cannot be applied to the issuer's present list (RFC 5280, 5.2.4): it changes a later
/// one, or there is none.
fn find_delta_fault(
    delta: &Crl,
    present: Option<&Crl>,
    issuer: &Certificate,
    at: OffsetDateTime,
) -> Option<String> {
    if let Some(fault) = find_fault(delta, issuer, at) {
        return Some(fault.sentence());
    }
    let name = called(delta);
    let base = delta.base.as_ref()?;
    let Some(number) = present.and_then(|present| present.number.as_ref()) else {
        return Some(format!("{name} is a delta list, and the list that it changes is missing"));
    };
    if size(number) < size(base) {
        return Some(format!(
            "{name} is a delta list that changes the list {}, and the list at hand is {}",
            base.to_decimal(),
            number.to_decimal()
        ));
    }
    None
}

/// A number so that it can be compared: how many bytes it has without zeros in front, and these.
fn size(number: &crate::cert::Serial) -> (usize, &[u8]) {
    let octets = number.octets();
    let significant = &octets[octets.iter().take_while(|b| **b == 0).count()..];
    (significant.len(), significant)
}

fn none_of(lists: &[Crl]) -> String {
    let issuers: Vec<String> = lists.iter().map(|list| list.issuer.to_string()).collect();
    format!("the lists given are of {}", issuers.join("; "))
}
