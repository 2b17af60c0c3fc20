//! Certificate policies (RFC 5280, 6.1), as far as they can refuse a path.
//!
//! Nobody here asks for a policy, so only a CA can: by policyConstraints with
//! requireExplicitPolicy. Until that counter is used up, policies change nothing. Then the
//! policies that all certificates share must not be none. In favour of brevity this is stricter
//! than the RFC in two places: mappings are not followed, and anyPolicy does not count below any
//! certificate with inhibitAnyPolicy.

use std::collections::BTreeSet;

use super::rule::{Refusal, Rule};
use crate::cert::{Certificate, oid};

const ANY_POLICY: &str = "2.5.29.32.0";

/// The policies that all certificates seen so far share; none: any policy.
type Shared = Option<BTreeSet<String>>;

/// Refuses a path (leaf first, anchor last) on which an explicit policy is demanded and missing.
pub(super) fn check(path: &[&Certificate]) -> Result<(), Refusal> {
    let Some((anchor, below)) = path.split_last() else { return Ok(()) };
    if path.iter().all(|cert| cert.extension(oid::POLICY_CONSTRAINTS).is_none()) {
        return Ok(());
    }
    let mut demanded_after: Option<u32> = None;
    let mut shared: Shared = None;
    let mut any_counts = true;
    note_demands(anchor, &mut demanded_after, &mut any_counts);
    for (position, cert) in below.iter().enumerate().rev() {
        narrow(&mut shared, cert, any_counts);
        // Self-issued CAs do not use up the counter; the leaf always does (RFC 5280, 6.1.5 (a)).
        if position == 0 || !cert.is_self_issued() {
            demanded_after = demanded_after.map(|count| count.saturating_sub(1));
        }
        note_demands(cert, &mut demanded_after, &mut any_counts);
        let refuse = |reason| {
            let rule = Rule::ExplicitPolicy(reason);
            Err(Refusal { position, subject: cert.subject.clone(), rule })
        };
        if demanded_after == Some(0) {
            if path.iter().any(|c| c.extension(oid::POLICY_MAPPINGS).is_some()) {
                return refuse("and policy mappings are not followed here");
            }
            if shared.as_ref().is_some_and(BTreeSet::is_empty) {
                return refuse("and shares no policy with the certificates above");
            }
        }
    }
    Ok(())
}

fn note_demands(cert: &Certificate, demanded_after: &mut Option<u32>, any_counts: &mut bool) {
    if let Ok(Some(constraints)) = cert.policy_constraints()
        && let Some(skip) = constraints.require_explicit_policy
    {
        *demanded_after = Some(demanded_after.map_or(skip, |before| before.min(skip)));
    }
    if cert.extension(oid::INHIBIT_ANY_POLICY).is_some() {
        *any_counts = false;
    }
}

fn narrow(shared: &mut Shared, cert: &Certificate, any_counts: bool) {
    let policies = cert.certificate_policies().ok().flatten().unwrap_or_default();
    if any_counts && policies.iter().any(|p| p == ANY_POLICY) {
        return;
    }
    let named: BTreeSet<String> = policies.into_iter().filter(|p| p != ANY_POLICY).collect();
    *shared = Some(match shared.take() {
        None => named,
        Some(before) => before.intersection(&named).cloned().collect(),
    });
}
