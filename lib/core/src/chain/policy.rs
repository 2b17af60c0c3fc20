//! Certificate policies (RFC 5280, 6.1; the tree of valid policies as the graph of RFC 9618).
//!
//! A node of the graph is a policy at a depth; two nodes of the RFC's tree that differ only in the way
//! to them are one. So the work grows with the policies and mappings in the certificates, and not
//! with the number of ways. That work is counted ([`Budget::names`]).
//!
//! The anchor is no part of a path in the RFC. Its policyConstraints and inhibitAnyPolicy are obeyed
//! here as those of any CA.

use std::collections::{BTreeMap, BTreeSet};

use super::ChainError;
use super::budget::Budget;
use super::refusal::Refusal;
use super::rule::Rule;
use crate::cert::Certificate;

const ANY: &str = "2.5.29.32.0";

/// Which policies are asked for (the inputs of RFC 5280, 6.1.1 (c) to (g)). By default any, and none
/// has to be there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policies {
    /// Dotted object identifiers of the policies that are acceptable (user-initial-policy-set); empty:
    /// any.
    pub acceptable: BTreeSet<String>,
    /// One of them has to be valid for the path (initial-explicit-policy).
    pub explicit: bool,
    /// Mappings do not count (initial-policy-mapping-inhibit).
    pub inhibit_mapping: bool,
    /// anyPolicy does not count (initial-any-policy-inhibit).
    pub inhibit_any: bool,
}

/// A policy at a depth.
#[derive(Default)]
struct Node {
    /// The policies above it of which it is a child.
    parents: BTreeSet<String>,
    /// The policies that count as it in the next certificate.
    expected: BTreeSet<String>,
}

type Level = BTreeMap<String, Node>;

/// The counters of RFC 5280, 6.1.2 (d) to (f): certificates until something holds.
struct Counters {
    explicit: u32,
    mapping: u32,
    any: u32,
}

/// Refuses a path (leaf first, anchor last) on which a policy is demanded and none is valid.
pub(super) fn check(
    path: &[&Certificate],
    wanted: &Policies,
    budget: &mut Budget,
) -> Result<(), ChainError> {
    let Some((anchor, below)) = path.split_last() else { return Ok(()) };
    let never = u32::try_from(below.len()).unwrap_or(u32::MAX).saturating_add(1);
    let first = |now: bool| if now { 0 } else { never };
    let mut counters = Counters {
        explicit: first(wanted.explicit),
        mapping: first(wanted.inhibit_mapping),
        any: first(wanted.inhibit_any),
    };
    counters.note_demands(anchor);
    let mut graph = Graph::new();
    for (position, cert) in below.iter().enumerate().rev() {
        let refuse = |rule| Refusal { position, subject: cert.subject.clone(), rule };
        let is_leaf = position == 0;
        let counts = is_leaf || !cert.is_self_issued();
        let any_counts = counters.any > 0 || !counts;
        match cert.certificate_policies().ok().flatten() {
            Some(policies) => {
                budget.names(policies.len())?;
                graph.grow(&policies, any_counts);
            }
            None => graph.levels.clear(),
        }
        if counters.explicit == 0 && graph.is_empty() {
            let reason = "and shares no policy with the certificates above";
            return Err(refuse(Rule::ExplicitPolicy(reason)).into());
        }
        if !is_leaf {
            let mappings = cert.policy_mappings().ok().flatten().unwrap_or_default();
            budget.names(mappings.len())?;
            if mappings.iter().any(|(from, to)| from == ANY || to == ANY) {
                return Err(refuse(Rule::PolicyMapping).into());
            }
            graph.map(mappings, counters.mapping > 0);
        }
        if counts {
            counters.count();
        }
        counters.note_demands(cert);
    }
    if counters.explicit == 0 && !graph.is_good_for(&wanted.acceptable) {
        let (position, subject) = (0, below.first().unwrap_or(anchor).subject.clone());
        let rule = Rule::ExplicitPolicy("and none that is valid for the whole chain is acceptable");
        return Err(Refusal { position, subject, rule }.into());
    }
    Ok(())
}

impl Counters {
    fn count(&mut self) {
        for counter in [&mut self.explicit, &mut self.mapping, &mut self.any] {
            *counter = counter.saturating_sub(1);
        }
    }

    /// What policyConstraints and inhibitAnyPolicy of a certificate demand of those below.
    fn note_demands(&mut self, cert: &Certificate) {
        let constraints = cert.policy_constraints().ok().flatten();
        let explicit = constraints.and_then(|c| c.require_explicit_policy);
        let mapping = constraints.and_then(|c| c.inhibit_policy_mapping);
        let any = cert.inhibit_any_policy().ok().flatten();
        let demands =
            [(&mut self.explicit, explicit), (&mut self.mapping, mapping), (&mut self.any, any)];
        for (counter, demand) in demands {
            *counter = demand.map_or(*counter, |demand| demand.min(*counter));
        }
    }
}

/// The valid policies, from the anchor (depth 0) downwards. No levels: there is none ("NULL").
struct Graph {
    levels: Vec<Level>,
}

impl Graph {
    fn new() -> Self {
        let any = Node { parents: BTreeSet::new(), expected: BTreeSet::from([ANY.to_owned()]) };
        Self { levels: vec![Level::from([(ANY.to_owned(), any)])] }
    }

    fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// The policies of the next certificate (6.1.3 (d)).
    fn grow(&mut self, policies: &[String], any_counts: bool) {
        let Some(above) = self.levels.last() else { return };
        let mut parents_of: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (policy, node) in above {
            for expected in &node.expected {
                parents_of.entry(expected).or_default().insert(policy.clone());
            }
        }
        let mut level = Level::new();
        for policy in policies.iter().filter(|policy| *policy != ANY) {
            let from_any = || above.contains_key(ANY).then(|| BTreeSet::from([ANY.to_owned()]));
            if let Some(parents) = parents_of.get(policy.as_str()).cloned().or_else(from_any) {
                let expected = BTreeSet::from([policy.clone()]);
                level.insert(policy.clone(), Node { parents, expected });
            }
        }
        if any_counts && policies.iter().any(|policy| policy == ANY) {
            for (policy, parents) in parents_of {
                let node = || Node { parents, expected: BTreeSet::from([policy.to_owned()]) };
                level.entry(policy.to_owned()).or_insert_with(node);
            }
        }
        self.levels.push(level);
        self.prune();
    }

    /// Mappings of a certificate (6.1.4 (b)): followed, or what is mapped falls away.
    fn map(&mut self, mappings: Vec<(String, String)>, follow: bool) {
        let mut by_issuers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (issuers, subjects) in mappings {
            by_issuers.entry(issuers).or_default().insert(subjects);
        }
        let Some(level) = self.levels.last_mut() else { return };
        let above_any = level.get(ANY).map(|node| node.parents.clone());
        for (policy, expected) in by_issuers {
            match (follow, level.get_mut(&policy), &above_any) {
                (true, Some(node), _) => node.expected = expected,
                (true, None, Some(parents)) => {
                    level.insert(policy, Node { parents: parents.clone(), expected });
                }
                (true, None, None) => {}
                (false, ..) => {
                    level.remove(&policy);
                }
            }
        }
        self.prune();
    }

    /// Takes away what has no child any more; nothing is left if the last level is empty.
    fn prune(&mut self) {
        for depth in (1..self.levels.len()).rev() {
            let used: BTreeSet<String> =
                self.levels[depth].values().flat_map(|node| node.parents.iter().cloned()).collect();
            self.levels[depth - 1].retain(|policy, _| used.contains(policy));
        }
        if self.levels.iter().any(Level::is_empty) {
            self.levels.clear();
        }
    }

    /// Whether a policy is left that is acceptable (6.1.5 (g)): the policies that stand directly below
    /// anyPolicy are the ones that a user knows.
    fn is_good_for(&self, acceptable: &BTreeSet<String>) -> bool {
        let mut alive = BTreeSet::from([ANY.to_owned()]);
        for level in self.levels.iter().skip(1) {
            let lives = |(policy, node): &(&String, &Node)| {
                let known = *policy == ANY || acceptable.is_empty() || acceptable.contains(*policy);
                node.parents.iter().any(|p| alive.contains(p) && (p != ANY || known))
            };
            alive = level.iter().filter(lives).map(|(policy, _)| policy.clone()).collect();
        }
        !self.is_empty() && !alive.is_empty()
    }
}
