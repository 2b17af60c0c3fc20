//! Heaps of certificates made to keep us busy, and bytes made to confuse.

use proptest::prelude::*;

use super::super::testing::{
    Draft, NOW, Signed, authority, directory, dns, name_constraints, names, new_key, octet_string,
};
use super::super::{
    ChainError, MAX_COMPLETE_PATHS, MAX_NAME_COMPARISONS, MAX_PATH_STEPS, MAX_SIGNATURE_CHECKS,
    Options, verify,
};
use super::certs;
use crate::cert::{Certificate, oid};
use crate::failure::Failure;

/// CAs with the name and key identifier of `ca`, each with a key of its own.
fn impostors(ca: &Signed, issuer: &Signed, count: usize) -> Vec<Certificate> {
    let id = ca.cert.subject_key_id.clone().unwrap();
    let edit = |d: &mut Draft| d.set(oid::SUBJECT_KEY_ID, false, octet_string(&id));
    let subject = ca.cert.subject.to_string();
    (0..count).map(|_| issuer.ca(&subject, edit).cert).collect()
}

/// CAs with the name and the key of `ca`, each with another serial number.
fn copies(ca: &Signed, issuer: &Signed, count: u16) -> Vec<Certificate> {
    let subject = ca.cert.subject.to_string();
    let with_serial = |n: u16| {
        let serial = [&[0x01], &n.to_be_bytes()[..]].concat();
        issuer.ca_with_key(&subject, ca.key.clone(), |d| d.serial = serial).cert
    };
    (0..count).map(with_serial).collect()
}

#[test]
fn a_chain_is_found_among_hundreds_of_impostors() {
    let root = Signed::root("CN=Root", |_| {});
    let a = root.ca("CN=A", |_| {});
    let b = a.ca("CN=B", |_| {});
    let mut heap = impostors(&b, &a, 300);
    heap.extend(impostors(&a, &root, 300));
    heap.extend(certs(&[&a, &b]));
    let found = verify(&b.leaf(), &heap, &certs(&[&root]), &Options::new(NOW)).unwrap();
    assert_eq!(found.certificates().len(), 4);
    let roots = [impostors(&root, &root, 200), certs(&[&root])].concat();
    verify(&b.leaf(), &heap, &roots, &Options::new(NOW)).unwrap();
}

#[test]
fn a_chain_is_found_among_thousands_of_copies_that_lead_nowhere() {
    let root = Signed::root("CN=Root", |_| {});
    let elsewhere = Signed::root("CN=Elsewhere", |_| {});
    let a = root.ca("CN=A", |_| {});
    let mut heap = copies(&a, &elsewhere, 3000);
    heap.push(a.cert.clone());
    verify(&a.leaf(), &heap, &certs(&[&root]), &Options::new(NOW)).unwrap();
}

#[test]
fn too_many_impostors_exhaust_the_budget_of_a_chain() {
    let root = Signed::root("CN=Root", |_| {});
    let a = root.ca("CN=A", |_| {});
    let heap = impostors(&a, &root, MAX_SIGNATURE_CHECKS as usize + 1);
    let error = verify(&a.leaf(), &heap, &certs(&[&root]), &Options::new(NOW)).unwrap_err();
    let limit = MAX_SIGNATURE_CHECKS;
    assert_eq!(error, ChainError::BudgetExceeded { what: "signature checks", limit });
}

#[test]
fn layers_of_copies_without_a_way_out_of_the_chain_cost_little() {
    let lost = Signed::root("CN=Lost", |_| {});
    let (c, b, a) = (lost.ca("CN=C", |_| {}), lost.ca("CN=B", |_| {}), lost.ca("CN=A", |_| {}));
    let mut heap = copies(&a, &lost, 100);
    heap.extend(copies(&b, &a, 100));
    heap.extend(copies(&c, &b, 100));
    let other = Signed::root("CN=Other", |_| {});
    let error = verify(&c.leaf(), &heap, &certs(&[&other]), &Options::new(NOW)).unwrap_err();
    assert_eq!(error.refusal().unwrap().rule.code(), "issuer-missing");
    assert_eq!(error.refusal().unwrap().position, 3);
}

#[test]
fn exponentially_many_chains_that_break_a_rule_exhaust_the_budget() {
    let root = Signed::root("CN=Root", |d| d.path_length(0));
    let (c, b, a) = (root.ca("CN=C", |_| {}), root.ca("CN=B", |_| {}), root.ca("CN=A", |_| {}));
    let mut heap = copies(&a, &root, 80);
    heap.extend(copies(&b, &a, 80));
    heap.extend(copies(&c, &b, 80));
    let error = verify(&c.leaf(), &heap, &certs(&[&root]), &Options::new(NOW)).unwrap_err();
    let limit = MAX_PATH_STEPS;
    assert_eq!(error, ChainError::BudgetExceeded { what: "path steps", limit });
}

#[test]
fn many_names_under_many_constraints_exhaust_the_budget_of_a_chain() {
    let many = |text: &str, count: u32| -> Vec<Vec<u8>> {
        (0..count).map(|n| dns(&format!("{text}{n}.example.com"))).collect()
    };
    let excluded = name_constraints(&[], &many("no", 600));
    let root = Signed::root("CN=Root", |d| d.set(oid::NAME_CONSTRAINTS, true, excluded));
    let leaf = |count| {
        let alternative = names(&many("a", count));
        root.device("CN=d", move |d| d.set(oid::SUBJECT_ALT_NAME, false, alternative))
    };
    let judge = |leaf: &Certificate| verify(leaf, &[], &certs(&[&root]), &Options::new(NOW));
    judge(&leaf(300)).unwrap();
    let limit = MAX_NAME_COMPARISONS;
    let error = ChainError::BudgetExceeded { what: "comparisons of names", limit };
    assert_eq!(judge(&leaf(600)), Err(error));
}

#[test]
fn exponentially_many_complete_chains_exhaust_the_budget() {
    let root = Signed::root("CN=Root", |d| {
        d.set(oid::NAME_CONSTRAINTS, true, name_constraints(&[directory("CN=x")], &[]));
    });
    let (b, a) = (root.ca("CN=B", |_| {}), root.ca("CN=A", |_| {}));
    let heap = [copies(&a, &root, 90), copies(&b, &a, 90)].concat();
    let error = verify(&b.leaf(), &heap, &certs(&[&root]), &Options::new(NOW)).unwrap_err();
    let limit = MAX_COMPLETE_PATHS;
    assert_eq!(error, ChainError::BudgetExceeded { what: "complete paths", limit });
    let json = serde_json::to_value(&error).unwrap();
    assert_eq!((&json["rule"], &json["position"]), (&"budget-exceeded".into(), &().into()));
}

#[test]
fn a_wrong_key_identifier_is_named_among_impostors_of_a_chain() {
    let root = Signed::root("CN=Root", |_| {});
    let a = root.ca("CN=A", |_| {});
    let leaf = a.device("CN=d", |d| d.set(oid::AUTHORITY_KEY_ID, false, authority(b"wrong")));
    let heap = [impostors(&a, &root, 50), certs(&[&a])].concat();
    let error = verify(&leaf, &heap, &certs(&[&root]), &Options::new(NOW)).unwrap_err();
    assert_eq!(error.code(), "authority-key-id-differs", "servers refuse it: {error}");
}

#[test]
fn a_forged_signature_is_refused_in_every_link_of_a_chain() {
    let root = Signed::root("CN=Root", |_| {});
    let thief = Signed { key: new_key(), ..root.clone() };
    let a = thief.ca("CN=A", |_| {});
    let refused = |leaf: &Certificate, heap: &[Certificate]| {
        let error = verify(leaf, heap, &certs(&[&root]), &Options::new(NOW)).unwrap_err();
        let refusal = error.refusal().unwrap();
        (refusal.position, refusal.rule.code())
    };
    assert_eq!(refused(&thief.leaf(), &[]), (0, "signature"));
    assert_eq!(refused(&a.leaf(), &certs(&[&a])), (1, "signature"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn flipped_octets_of_a_chain_never_panic(
        flips in proptest::collection::vec((0usize..3, any::<prop::sample::Index>(), 1u8..), 1..4)
    ) {
        let root = Signed::root("CN=Root", |_| {});
        let a = root.ca("CN=A", |_| {});
        let mut ders = [a.leaf(), a.cert.clone(), root.cert.clone()].map(|c| c.der().to_vec());
        for (which, at, bits) in flips {
            let at = at.index(ders[which].len());
            ders[which][at] ^= bits;
        }
        let read = |der: &Vec<u8>| Certificate::from_der(der).ok();
        if let (Some(leaf), a, Some(root)) = (read(&ders[0]), read(&ders[1]), read(&ders[2])) {
            let heap: Vec<_> = a.into_iter().collect();
            if let Err(e) = verify(&leaf, &heap, &[root], &Options::new(NOW)) {
                prop_assert!(!e.to_string().is_empty());
                let _ = e.hint();
            }
        }
    }
}
