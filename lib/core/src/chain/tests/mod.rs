//! Tests of chains: each rule refuses, and its twin that keeps the rule passes.

mod device;
mod hostile;
mod names;
mod paths;
mod rules;
mod search;

use super::testing::{NOW, Signed};
use super::{ChainError, Options, Refusal, VerifiedChain, verify};
use crate::cert::Certificate;

fn certs(signed: &[&Signed]) -> Vec<Certificate> {
    signed.iter().map(|s| s.cert.clone()).collect()
}

fn check(
    leaf: &Certificate,
    intermediates: &[&Signed],
    anchors: &[&Signed],
) -> Result<VerifiedChain, ChainError> {
    verify(leaf, &certs(intermediates), &certs(anchors), &Options::new(NOW))
}

fn refusal(leaf: &Certificate, intermediates: &[&Signed], anchors: &[&Signed]) -> Refusal {
    match check(leaf, intermediates, anchors) {
        Err(ChainError::Refused(refusal)) => *refusal,
        other => panic!("{other:?}"),
    }
}

/// Position and code of the refusal.
#[track_caller]
fn assert_refused(
    leaf: &Certificate,
    intermediates: &[&Signed],
    anchors: &[&Signed],
    (position, code): (usize, &str),
) {
    let found = refusal(leaf, intermediates, anchors);
    assert_eq!((found.position, found.rule.code()), (position, code), "{found}");
}

#[track_caller]
fn assert_passes(leaf: &Certificate, intermediates: &[&Signed], anchors: &[&Signed]) {
    if let Err(e) = check(leaf, intermediates, anchors) {
        panic!("{e}");
    }
}
