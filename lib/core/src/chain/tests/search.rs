//! The search against an oracle: on small random heaps of CAs that sign each other, a path is found
//! exactly when trying every path finds one.

use proptest::prelude::*;
use time::Duration;

use super::super::testing::{Draft, NOW, Signed, basic_constraints};
use super::super::{ChainError, Options, verify};
use super::certs;
use crate::cert::oid;

const CAS: usize = 5;

/// What is special about a CA certificate.
#[derive(Debug, Clone, Copy)]
enum Flaw {
    None,
    Expired,
    NoCa,
    PathLength(u32),
}

impl Flaw {
    fn apply(self, draft: &mut Draft) {
        match self {
            Self::None => {}
            Self::Expired => draft.not_after = NOW - Duration::days(1),
            Self::NoCa => {
                draft.remove(oid::KEY_USAGE);
                draft.set(oid::BASIC_CONSTRAINTS, true, basic_constraints(false, None));
            }
            Self::PathLength(length) => draft.path_length(length),
        }
    }

    fn allows(self, below: u32) -> bool {
        match self {
            Self::None => true,
            Self::Expired | Self::NoCa => false,
            Self::PathLength(length) => below <= length,
        }
    }
}

fn flaw() -> impl Strategy<Value = Flaw> {
    prop_oneof![
        4 => Just(Flaw::None),
        1 => Just(Flaw::Expired),
        1 => Just(Flaw::NoCa),
        2 => (0u32..3).prop_map(Flaw::PathLength),
    ]
}

/// Subject, issuer and flaw of an intermediate.
type Edge = (usize, usize, Flaw);

#[derive(Debug)]
struct Oracle {
    edges: Vec<Edge>,
    anchors: Vec<(usize, Flaw)>,
    max_depth: usize,
}

impl Oracle {
    /// Whether some path leads on from a certificate that `ca` issued; `used` are the CAs below.
    fn leads_on(&self, ca: usize, used: &mut Vec<usize>) -> bool {
        let below = u32::try_from(used.len()).unwrap();
        if self.anchors.iter().any(|(a, flaw)| *a == ca && flaw.allows(below)) {
            return true;
        }
        if used.contains(&ca) || used.len() == self.max_depth {
            return false;
        }
        used.push(ca);
        let found = self.edges.iter().any(|(subject, issuer, flaw)| {
            *subject == ca && flaw.allows(below) && self.leads_on(*issuer, used)
        });
        used.pop();
        found
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_chain_is_found_exactly_when_there_is_one(
        edges in proptest::collection::vec((0..CAS, 0..CAS, flaw()), 0..12),
        anchors in proptest::collection::vec((0..CAS, flaw()), 1..3),
        max_depth in 0usize..5,
    ) {
        let subject = |i: usize| format!("CN=CA {i}");
        let cas: Vec<Signed> = (0..CAS).map(|i| Signed::root(&subject(i), |_| {})).collect();
        let edges: Vec<Edge> = edges.into_iter().filter(|e| e.0 != e.1).collect();
        let intermediates: Vec<_> = edges.iter().enumerate().map(|(n, (of, by, flaw))| {
            let signed = cas[*by].ca_with_key(&subject(*of), cas[*of].key.clone(), |d| {
                flaw.apply(d);
                d.serial = vec![1, u8::try_from(n).unwrap()];
            });
            signed.cert
        }).collect();
        let trusted: Vec<_> = anchors.iter().map(|(of, flaw)| {
            cas[*of].ca_with_key(&subject(*of), cas[*of].key.clone(), |d| flaw.apply(d)).cert
        }).collect();
        let options = Options { max_depth: u8::try_from(max_depth).unwrap(), ..Options::new(NOW) };
        let found = verify(&cas[0].leaf(), &intermediates, &trusted, &options);
        let oracle = Oracle { edges, anchors, max_depth };
        let expected = oracle.leads_on(0, &mut Vec::new());
        prop_assert_eq!(found.is_ok(), expected, "{:?} {:?}", found, oracle);
        if let Err(error) = found {
            prop_assert!(matches!(error, ChainError::Refused(_)));
        }
        // Without intermediates only an anchor that issued the leaf itself counts.
        let alone = verify(&cas[0].leaf(), &certs(&[]), &trusted, &options).is_ok();
        prop_assert_eq!(alone, oracle.anchors.iter().any(|(a, f)| *a == 0 && f.allows(0)));
    }
}
