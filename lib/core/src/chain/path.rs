//! The search for a path: depth first from the leaf, the likeliest issuer first.
//!
//! A first search follows valid certificates only. When it finds nothing, a second one over the
//! same certificates follows every signature that matches, whatever rules are broken, to say which
//! certificate of which path is at fault. Signature checks are remembered, so each is made once.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::ChainError;
use super::budget::Budget;
use super::options::Options;
use super::refusal::Refusal;
use super::rule::Rule;
use super::rules::{self, Role};
use super::{key_id, name_constraints, policy};
use crate::cert::Certificate;
use crate::crypto::CryptoError;

/// A certificate of the search, with what is asked about it again and again.
struct Node<'a> {
    cert: &'a Certificate,
    subject: String,
    issuer: String,
    self_issued: bool,
    anchor: bool,
    /// A number for its public key: equal keys have equal numbers.
    key: usize,
    /// What rule it breaks by itself, once that was looked at.
    verdict: Option<Result<Vec<Rule>, Rule>>,
    /// No path leads on from here, whatever lies below.
    dead: bool,
}

/// How a climb from the last certificate of the path ended.
enum Climb {
    Found,
    /// No way on, whatever the path below.
    Dead,
    /// No way on from this path.
    Stuck,
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Mode {
    Validate,
    Diagnose,
}

/// How close to success a failure was: the highest is reported.
#[derive(PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
struct Closeness {
    /// Position of the last certificate with a good signature.
    position: usize,
    stage: Stage,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
enum Stage {
    NoIssuer,
    Signature,
    KeyId,
    Limit,
}

pub(super) struct Search<'a> {
    nodes: Vec<Node<'a>>,
    by_subject: HashMap<String, Vec<usize>>,
    signatures: HashMap<(usize, usize), Result<(), CryptoError>>,
    path: Vec<usize>,
    options: &'a Options,
    budget: Budget,
    mode: Mode,
    failure: (Closeness, Refusal),
}

impl<'a> Search<'a> {
    pub(super) fn new(
        leaf: &'a Certificate,
        intermediates: &'a [Certificate],
        anchors: &'a [Certificate],
        options: &'a Options,
    ) -> Self {
        let failure = (
            Closeness { position: 0, stage: Stage::NoIssuer },
            Refusal { position: 0, subject: leaf.subject.clone(), rule: no_way_on(leaf) },
        );
        let mut search = Self {
            nodes: Vec::new(),
            by_subject: HashMap::new(),
            signatures: HashMap::new(),
            path: vec![0],
            options,
            budget: Budget::new(),
            mode: Mode::Validate,
            failure,
        };
        let mut seen = HashSet::from([leaf.der()]);
        let mut keys = HashMap::new();
        let all = std::iter::once((leaf, false))
            .chain(anchors.iter().map(|c| (c, true)))
            .chain(intermediates.iter().map(|c| (c, false)));
        for (i, (cert, anchor)) in all.enumerate() {
            // Each certificate once; one that is both is an anchor.
            if i > 0 && !seen.insert(cert.der()) {
                continue;
            }
            let next_key = keys.len();
            search.add(Node {
                cert,
                subject: cert.subject.index_key(),
                issuer: cert.issuer.index_key(),
                self_issued: cert.is_self_issued(),
                anchor,
                key: *keys.entry(cert.spki.as_slice()).or_insert(next_key),
                verdict: None,
                dead: false,
            });
        }
        search
    }

    fn add(&mut self, node: Node<'a>) {
        // The leaf is nobody's issuer.
        if !self.nodes.is_empty() {
            self.by_subject.entry(node.subject.clone()).or_default().push(self.nodes.len());
        }
        self.nodes.push(node);
    }

    /// The path from the leaf to an anchor with the duties that its issuers break (the leaf's own
    /// aside), or the failure that came closest.
    pub(super) fn run(mut self) -> Result<(Vec<&'a Certificate>, Vec<Refusal>), ChainError> {
        if let Climb::Found = self.climb()? {
            return Ok((self.certificates(), self.duties()));
        }
        self.mode = Mode::Diagnose;
        self.path = vec![0];
        self.budget.renew();
        self.nodes.iter_mut().for_each(|node| node.dead = false);
        match self.climb() {
            Ok(Climb::Found) => self.whole_path().map(|()| (self.certificates(), self.duties())),
            // What was found out before the steps ran out is still the best answer.
            Ok(_) | Err(ChainError::BudgetExceeded { .. }) => Err(self.failure.1.into()),
            Err(error) => Err(error),
        }
    }

    fn certificates(&self) -> Vec<&'a Certificate> {
        self.path.iter().map(|i| self.nodes[*i].cert).collect()
    }

    /// The duties of issuers that the certificates above the leaf break.
    fn duties(&self) -> Vec<Refusal> {
        let of = |(position, index): (usize, &usize)| {
            let broken = self.nodes[*index].verdict.iter().flatten().flatten();
            broken.map(move |rule| self.refusal(*index, position, rule.clone())).collect::<Vec<_>>()
        };
        self.path.iter().enumerate().flat_map(of).collect()
    }

    /// Goes on from the last certificate of the path. On [`Climb::Found`] the path is whole.
    fn climb(&mut self) -> Result<Climb, ChainError> {
        let Some(&child) = self.path.last() else { return Ok(Climb::Dead) };
        let candidates = self.candidates(child);
        if candidates.is_empty() {
            self.note_end(child);
            return Ok(Climb::Dead);
        }
        let mut end = Climb::Dead;
        for candidate in candidates {
            self.budget.step()?;
            if self.nodes[candidate].dead {
                continue;
            }
            if self.breaks_rule(candidate) {
                continue;
            }
            if !self.fits_on_path(candidate) {
                end = Climb::Stuck;
                continue;
            }
            if !self.signed_by(child, candidate)? || !self.names_certificate(child, candidate) {
                continue;
            }
            self.path.push(candidate);
            match self.go_on(candidate)? {
                Climb::Found => return Ok(Climb::Found),
                Climb::Dead => self.nodes[candidate].dead = true,
                Climb::Stuck => end = Climb::Stuck,
            }
            self.path.pop();
        }
        Ok(end)
    }

    /// At an anchor the whole path is judged; below it the climb continues.
    fn go_on(&mut self, top: usize) -> Result<Climb, ChainError> {
        if !self.nodes[top].anchor {
            return self.climb();
        }
        if self.mode == Mode::Diagnose {
            return Ok(Climb::Found);
        }
        self.budget.complete_path()?;
        match self.whole_path() {
            Ok(()) => Ok(Climb::Found),
            Err(ChainError::Refused(_)) => Ok(Climb::Stuck),
            Err(error) => Err(error),
        }
    }

    /// Certificates that have the name of `child`'s issuer, the likeliest first: anchors, then by
    /// key identifier, then those valid now, then those valid for longest.
    fn candidates(&self, child: usize) -> Vec<usize> {
        let node = &self.nodes[child];
        let same_ca =
            |i: usize| self.nodes[i].subject == node.subject && self.nodes[i].key == node.key;
        let named = self.by_subject.get(&node.issuer).map(Vec::as_slice).unwrap_or_default();
        // The same CA again leads nowhere new, unless that certificate is trusted.
        let useful = |i: &&usize| **i != child && (self.nodes[**i].anchor || !same_ca(**i));
        let mut found: Vec<usize> = named.iter().filter(useful).copied().collect();
        let at = self.options.at;
        found.sort_by_cached_key(|i| {
            let Node { cert, anchor, .. } = &self.nodes[*i];
            let match_of_ids = match (&node.cert.authority_key_id, &cert.subject_key_id) {
                (Some(a), Some(b)) if a == b => 0,
                (Some(_), Some(_)) => 2,
                _ => 1,
            };
            let valid = cert.not_before <= at && at <= cert.not_after;
            (!anchor, match_of_ids, !valid, Reverse(cert.not_after))
        });
        found
    }

    /// Whether the certificate breaks a rule by itself. The diagnosis goes on nevertheless.
    fn breaks_rule(&mut self, candidate: usize) -> bool {
        self.mode == Mode::Validate && self.verdict(candidate).is_err()
    }

    fn verdict(&mut self, index: usize) -> Result<(), Rule> {
        let node = &mut self.nodes[index];
        let role = Role { issuer: index != 0, anchor: node.anchor };
        let verdict =
            node.verdict.get_or_insert_with(|| rules::check(node.cert, role, self.options));
        verdict.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    /// Whether the path may grow by the certificate: no loop, not too long, path length kept.
    fn fits_on_path(&mut self, candidate: usize) -> bool {
        let node = &self.nodes[candidate];
        let on_path = self.path.iter().any(|i| {
            let other = &self.nodes[*i];
            let same_ca = other.subject == node.subject && other.key == node.key;
            *i == candidate || (same_ca && !node.anchor)
        });
        if on_path {
            self.note(Stage::NoIssuer, self.path.len() - 1, Rule::Loop);
            return false;
        }
        let max = self.options.max_depth;
        if !node.anchor && self.path.len() > usize::from(max) {
            self.note(Stage::Limit, self.path.len() - 1, Rule::TooLong { max });
            return false;
        }
        self.mode == Mode::Diagnose || self.path_length(self.path.len(), candidate).is_ok()
    }

    /// Checks the pathLenConstraint of a certificate that stands or would stand at `position`.
    fn path_length(&self, position: usize, index: usize) -> Result<(), Rule> {
        let constraints = self.nodes[index].cert.basic_constraints;
        let Some(allowed) = constraints.and_then(|bc| bc.path_length) else { return Ok(()) };
        let below = self.path.iter().take(position).skip(1);
        let counted = below.filter(|i| !self.nodes[**i].self_issued).count();
        let found = u32::try_from(counted).unwrap_or(u32::MAX);
        if found > allowed { Err(Rule::PathLength { allowed, found }) } else { Ok(()) }
    }

    /// Whether `issuer`'s key made `child`'s signature.
    fn signed_by(&mut self, child: usize, issuer: usize) -> Result<bool, ChainError> {
        let known = (child, self.nodes[issuer].key);
        if !self.signatures.contains_key(&known) {
            self.budget.signature()?;
            let cert = self.nodes[child].cert;
            let key = self.nodes[issuer].cert.public_key.as_ref().map_err(Clone::clone);
            let result = key.and_then(|key| cert.verify_signature(key));
            self.signatures.insert(known, result);
        }
        let Some(Err(error)) = self.signatures.get(&known).cloned() else { return Ok(true) };
        let position = self.path.len() - 1;
        match error {
            CryptoError::BadSignature => {
                let issuer = self.nodes[issuer].cert.subject.clone();
                self.note(Stage::Signature, position, Rule::Signature { issuer });
            }
            CryptoError::ShortRsa(_) | CryptoError::BadPublicKey(_) => {
                self.note_about(issuer, position + 1, Rule::PublicKey(error));
            }
            _ if self.nodes[issuer].cert.public_key.is_err() => {
                self.note_about(issuer, position + 1, Rule::PublicKey(error));
            }
            _ => self.note(Stage::Signature, position, Rule::SignatureAlgorithm(error)),
        }
        Ok(false)
    }

    /// Whether `child`'s authorityKeyIdentifier is that of `issuer`'s certificate.
    fn names_certificate(&mut self, child: usize, issuer: usize) -> bool {
        match key_id::check(self.nodes[child].cert, self.nodes[issuer].cert) {
            Ok(()) => true,
            Err(rule) => {
                self.note(Stage::KeyId, self.path.len() - 1, rule);
                false
            }
        }
    }

    /// Judges a path that has reached an anchor; its signatures have been checked.
    fn whole_path(&mut self) -> Result<(), ChainError> {
        for (position, index) in self.path.clone().into_iter().enumerate() {
            // The leaf was judged before the search, and its own path length does not matter.
            if position > 0 {
                self.verdict(index)
                    .and_then(|()| self.path_length(position, index))
                    .map_err(|rule| self.refusal(index, position, rule))?;
            }
        }
        let path = self.certificates();
        name_constraints::check(&path, &mut self.budget)?;
        policy::check(&path, &self.options.policies, &mut self.budget)?;
        Ok(())
    }

    fn refusal(&self, index: usize, position: usize, rule: Rule) -> Refusal {
        Refusal { position, subject: self.nodes[index].cert.subject.clone(), rule }
    }

    fn note_end(&mut self, child: usize) {
        let rule = no_way_on(self.nodes[child].cert);
        self.note(Stage::NoIssuer, self.path.len() - 1, rule);
    }

    /// Remembers a failure of the path's last certificate.
    fn note(&mut self, stage: Stage, position: usize, rule: Rule) {
        let Some(&last) = self.path.last() else { return };
        let refusal = self.refusal(last, position, rule);
        self.keep(Closeness { position, stage }, refusal);
    }

    fn note_about(&mut self, index: usize, position: usize, rule: Rule) {
        let refusal = self.refusal(index, position, rule);
        self.keep(Closeness { position: position - 1, stage: Stage::Signature }, refusal);
    }

    fn keep(&mut self, closeness: Closeness, refusal: Refusal) {
        if self.mode == Mode::Validate {
            return;
        }
        if self.failure.0 < closeness {
            self.failure = (closeness, refusal);
        }
    }
}

/// What is wrong with a certificate of whose issuer there is no other certificate.
fn no_way_on(cert: &Certificate) -> Rule {
    if cert.is_self_issued() {
        Rule::Untrusted
    } else {
        Rule::IssuerMissing { issuer: cert.issuer.clone() }
    }
}
