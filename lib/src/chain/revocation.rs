//! Is a certificate of a validated path revoked? By revocation lists that are at hand (RFC 5280, 6.3),
//! complete ones that the issuer itself has signed.

use time::OffsetDateTime;

use super::rule::{Refusal, Rule, rfc3339};
use super::verify::VerifiedChain;
use crate::cert::Certificate;
use crate::crl::Crl;

/// Looks each certificate of a path, but the anchor, up in the lists of its issuer, for the time `at`.
///
/// A list counts if its issuer and key identifier are those of the certificate's issuer, its signature
/// is that CA's, the CA's key usage has cRLSign, `at` lies between its two dates, and no extension in
/// it is critical (delta lists, partitioned and indirect lists have one: they are not supported). There
/// has to be one for the leaf; for CAs without a list nothing is said, as with OpenSSL's `-crl_check`.
pub fn check_revocation(
    path: &VerifiedChain,
    lists: &[Crl],
    at: OffsetDateTime,
) -> Result<(), Refusal> {
    for (position, pair) in path.certificates().windows(2).enumerate() {
        let [cert, issuer] = pair else { continue };
        let refusal = |rule| Refusal { position, subject: cert.subject.clone(), rule };
        let own: Vec<&Crl> = lists.iter().filter(|list| is_of(list, issuer)).collect();
        if own.is_empty() && position > 0 {
            continue;
        }
        let mut problem = None;
        let mut checked = false;
        for list in own {
            if let Err(found) = usable(list, issuer, at) {
                problem = Some(found);
                continue;
            }
            checked = true;
            if let Some(entry) = list.revoked.iter().find(|r| r.serial == cert.serial) {
                return Err(refusal(Rule::Revoked { at: entry.at, reason: entry.reason.name() }));
            }
        }
        if !checked {
            let problem = problem.unwrap_or_else(|| none_of(lists));
            let issuer = Box::new(issuer.subject.clone());
            return Err(refusal(Rule::RevocationUnknown { issuer, problem }));
        }
    }
    Ok(())
}

fn is_of(list: &Crl, issuer: &Certificate) -> bool {
    let other_key = match (&list.authority_key_id, &issuer.subject_key_id) {
        (Some(list), Some(issuer)) => list != issuer,
        _ => false,
    };
    list.issuer.matches(&issuer.subject) && !other_key
}

fn usable(list: &Crl, issuer: &Certificate, at: OffsetDateTime) -> Result<(), String> {
    let signed = issuer.public_key.as_ref().is_ok_and(|key| list.verify_signature(key).is_ok());
    if !signed {
        return Err("the signature of its list does not match its key".to_owned());
    }
    if issuer.key_usage.is_some_and(|usage| !usage.has("cRLSign")) {
        return Err("its key usage lacks cRLSign".to_owned());
    }
    if let Some(oid) = &list.critical_extension {
        return Err(format!("its list has the critical extension {oid}, which is not supported"));
    }
    if at < list.this_update {
        return Err(format!("its list begins at {}", rfc3339(list.this_update)));
    }
    match list.next_update {
        Some(next) if at <= next => Ok(()),
        Some(next) => Err(format!("its list was to be renewed by {}", rfc3339(next))),
        None => Err("its list does not say when the next one is due".to_owned()),
    }
}

fn none_of(lists: &[Crl]) -> String {
    let issuers: Vec<String> = lists.iter().map(|list| list.issuer.to_string()).collect();
    format!("the lists given are of {}", issuers.join("; "))
}
