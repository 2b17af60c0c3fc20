//! Name constraints along a chain.

use super::super::testing::{
    Draft, Signed, constructed, context, directory, dns, email, ip, name_constraints, names,
    sequence, uri,
};
use super::{assert_passes, assert_refused, check};
use crate::cert::{Certificate, oid};

fn constrained(permitted: &[Vec<u8>], excluded: &[Vec<u8>]) -> Signed {
    Signed::root("CN=Root", constraints(permitted, excluded))
}

fn constraints(permitted: &[Vec<u8>], excluded: &[Vec<u8>]) -> impl Fn(&mut Draft) + use<> {
    let value = name_constraints(permitted, excluded);
    move |d| d.set(oid::NAME_CONSTRAINTS, true, value.clone())
}

fn named(ca: &Signed, subject: &str, list: &[Vec<u8>]) -> Certificate {
    ca.device(subject, |d| d.set(oid::SUBJECT_ALT_NAME, false, names(list)))
}

#[test]
fn permitted_and_excluded_names_of_every_form_in_a_chain() {
    let net = ip(&[192, 0, 2, 0, 255, 255, 255, 0]);
    let cases = [
        (dns("example.com"), dns("a.example.com"), dns("not-example.com")),
        (email("example.com"), email("a@example.com"), email("a@b.example.com")),
        (uri("example.com"), uri("mqtts://example.com:8883"), uri("https://a.example.com")),
        (net, ip(&[192, 0, 2, 1]), ip(&[192, 0, 3, 1])),
        (directory("O=Acme"), directory("CN=d,O=Acme"), directory("O=Other")),
    ];
    for (subtree, inside, outside) in cases {
        let permits = constrained(std::slice::from_ref(&subtree), &[]);
        let excludes = constrained(&[], std::slice::from_ref(&subtree));
        let at = |ca: &Signed, name: &Vec<u8>| {
            let subject = if ca.cert == permits.cert { "CN=d,O=Acme" } else { "CN=d,O=Other" };
            named(ca, subject, std::slice::from_ref(name))
        };
        assert_passes(&at(&permits, &inside), &[], &[&permits]);
        assert_refused(&at(&permits, &outside), &[], &[&permits], (0, "name-not-permitted"));
        assert_passes(&at(&excludes, &outside), &[], &[&excludes]);
        assert_refused(&at(&excludes, &inside), &[], &[&excludes], (0, "name-excluded"));
    }
}

#[test]
fn the_subject_of_a_chain_leaf_is_a_directory_name() {
    let root = constrained(&[directory("O=Acme")], &[]);
    assert_passes(&root.device("CN=d,O=Acme", |_| {}), &[], &[&root]);
    assert_refused(&root.leaf(), &[], &[&root], (0, "name-not-permitted"));
    let root = constrained(&[], &[directory("O=Acme")]);
    assert_refused(&root.device("CN=d,O=acme", |_| {}), &[], &[&root], (0, "name-excluded"));
}

#[test]
fn a_mailbox_in_the_subject_counts_in_a_chain_without_alternative_names() {
    let root = constrained(&[email("example.com")], &[]);
    let subject = |at: &str| root.device(&format!("emailAddress=a@{at},CN=d"), |_| {});
    assert_passes(&subject("example.com"), &[], &[&root]);
    assert_refused(&subject("example.org"), &[], &[&root], (0, "name-not-permitted"));
}

#[test]
fn the_second_name_and_the_exclusion_count_in_a_chain() {
    let root = constrained(&[dns("example.com")], &[dns("no.example.com")]);
    let leaf = named(&root, "CN=d", &[dns("example.com"), dns("no.example.com")]);
    assert_refused(&leaf, &[], &[&root], (0, "name-excluded"));
    assert_passes(&named(&root, "CN=d", &[ip(&[1, 2, 3, 4])]), &[], &[&root]);
}

#[test]
fn constraints_only_narrow_down_a_chain() {
    let root = Signed::root("CN=Root", |_| {});
    let (foo, bar) = (dns("foo.example.com"), dns("bar.example.com"));
    for (upper, lower) in [
        (vec![foo.clone(), bar.clone()], vec![bar.clone()]),
        (vec![bar.clone()], vec![foo.clone(), bar.clone()]),
    ] {
        let a = root.ca("CN=A", constraints(&upper, &[]));
        let b = a.ca("CN=B", constraints(&lower, &[]));
        assert_passes(&named(&b, "CN=d", std::slice::from_ref(&bar)), &[&a, &b], &[&root]);
        let outside = named(&b, "CN=d", std::slice::from_ref(&foo));
        assert!(super::check(&outside, &[&a, &b], &[&root]).is_err());
    }
}

#[test]
fn intermediates_of_a_chain_are_constrained_unless_self_issued() {
    let root = constrained(&[dns("example.com")], &[]);
    let san = |d: &mut Draft| d.set(oid::SUBJECT_ALT_NAME, false, names(&[dns("other.com")]));
    let a = root.ca("CN=A", san);
    assert_refused(&a.leaf(), &[&a], &[&root], (1, "name-not-permitted"));
    let rolled = root.ca("CN=Root", san);
    assert_passes(&rolled.leaf(), &[&rolled], &[&root]);
    let leaf = rolled.device("CN=Root", san);
    assert_refused(&leaf, &[&rolled], &[&root], (0, "name-not-permitted"));
}

#[test]
fn wildcards_in_a_chain_are_judged_by_all_they_stand_for() {
    let wild = [dns("*.example.com")];
    let root = constrained(&[dns("example.com")], &[dns("bar.example.com")]);
    assert_refused(&named(&root, "CN=d", &wild), &[], &[&root], (0, "name-excluded"));
    let root = constrained(&[dns("foo.example.com")], &[]);
    assert_refused(&named(&root, "CN=d", &wild), &[], &[&root], (0, "name-not-permitted"));
    let root = constrained(&[dns("example.com")], &[]);
    assert_passes(&named(&root, "CN=d", &wild), &[], &[&root]);
}

#[test]
fn forms_that_cannot_be_compared_are_refused_when_they_meet_in_a_chain() {
    let other = constructed(0, &[0x06, 0x01, 0x2a, 0xa0, 0x02, 0x05, 0x00]);
    let root = constrained(&[dns("example.com")], std::slice::from_ref(&other));
    let leaf = named(&root, "CN=d", &[dns("example.com"), other]);
    assert_refused(&leaf, &[], &[&root], (0, "name-not-comparable"));
    assert_passes(&named(&root, "CN=d", &[dns("example.com")]), &[], &[&root]);
    let root = constrained(&[uri("example.com")], &[]);
    let leaf = named(&root, "CN=d", &[uri("urn:uuid:1")]);
    assert_refused(&leaf, &[], &[&root], (0, "name-not-comparable"));
}

#[test]
fn malformed_constraints_are_refused_in_a_chain() {
    let subtrees = [
        dns("*.example.com"),
        dns(".example.com"),
        ip(&[127, 0, 0, 1]),
        ip(&[10, 0, 0, 0, 255, 0, 255, 0]),
        ip(&[0; 16]),
        email("a@b@example.com"),
        uri("https://example.com"),
    ];
    for subtree in subtrees {
        let root = constrained(&[subtree], &[]);
        assert_refused(&root.leaf(), &[], &[&root], (1, "malformed-extension"));
    }
    let empty = Signed::root("CN=Root", |d| d.set(oid::NAME_CONSTRAINTS, true, sequence(&[])));
    assert_refused(&empty.leaf(), &[], &[&empty], (1, "malformed-extension"));
    let with_minimum = sequence(&[&constructed(0, &sequence(&[&dns("a.com"), &context(0, &[1])]))]);
    let root = Signed::root("CN=Root", |d| d.set(oid::NAME_CONSTRAINTS, true, with_minimum));
    assert_refused(&root.leaf(), &[], &[&root], (1, "malformed-extension"));
}

#[test]
fn constraints_in_a_chain_are_critical_and_of_a_ca() {
    let value = name_constraints(&[dns("example.com")], &[]);
    let lax = Signed::root("CN=Root", |d| d.set(oid::NAME_CONSTRAINTS, false, value.clone()));
    let path = check(&lax.leaf(), &[], &[&lax]).unwrap();
    let warned: Vec<_> = path.warnings().iter().map(|w| (w.position, w.rule.code())).collect();
    assert_eq!(warned, [(1, "not-critical-extension")], "a duty of the issuer");
    let outside = named(&lax, "CN=d", &[dns("example.org")]);
    assert_refused(&outside, &[], &[&lax], (0, "name-not-permitted"));
    let root = Signed::root("CN=Root", |_| {});
    let leaf = root.device("CN=d", |d| d.set(oid::NAME_CONSTRAINTS, true, value));
    let path = check(&leaf, &[], &[&root]).unwrap();
    let warned: Vec<_> = path.warnings().iter().map(|w| (w.position, w.rule.code())).collect();
    assert_eq!(warned, [(0, "name-constraints-without-ca")], "servers do not look at it");
}

#[test]
fn malformed_alternative_names_are_refused_in_a_chain() {
    let root = Signed::root("CN=Root", |_| {});
    for bad in [dns(".example.com"), dns(""), ip(&[0; 8]), email("a@b@c.com"), uri("x")] {
        assert_refused(&named(&root, "CN=d", &[bad]), &[], &[&root], (0, "malformed-name"));
    }
    let emoji = context(2, "😜.example.com".as_bytes());
    assert_refused(&named(&root, "CN=d", &[emoji]), &[], &[&root], (0, "malformed-extension"));
}

#[test]
fn a_chain_goes_round_a_ca_whose_names_are_excluded() {
    let (root_a, root_b) = (Signed::root("CN=RA", |_| {}), Signed::root("CN=RB", |_| {}));
    let a = root_a.ca("CN=A", constraints(&[], &[dns("no.example.com")]));
    let b = a.ca("CN=B", |d| {
        d.set(oid::SUBJECT_ALT_NAME, false, names(&[dns("no.example.com")]));
    });
    let other_b = root_b.cross_sign(&b);
    assert_passes(&b.leaf(), &[&a, &b, &other_b], &[&root_a, &root_b]);
    assert_refused(&b.leaf(), &[&a, &b, &other_b], &[&root_a], (1, "name-excluded"));
}

#[test]
fn an_address_as_dns_name_does_not_slip_past_constraints_of_a_chain() {
    let root = constrained(&[ip(&[192, 0, 2, 0, 255, 255, 255, 0])], &[]);
    assert_passes(&named(&root, "CN=d", &[ip(&[192, 0, 2, 7])]), &[], &[&root]);
    let disguised = named(&root, "CN=d", &[dns("198.51.100.7")]);
    assert_refused(&disguised, &[], &[&root], (0, "malformed-name"));
}
