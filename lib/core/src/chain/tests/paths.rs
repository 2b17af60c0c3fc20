//! Paths: which one is found, how long it may be, and what is said when there is none.

use super::super::testing::{Draft, NOW, Signed, new_key};
use super::super::{ChainError, Options, Rule, verify};
use super::{assert_passes, assert_refused, certs, check, refusal};
use time::Duration;

#[test]
fn a_chain_in_any_order_is_found() {
    let root = Signed::root("CN=Root", |_| {});
    let a = root.ca("CN=A", |_| {});
    let b = a.ca("CN=B", |_| {});
    let stranger = Signed::root("CN=Stranger", |_| {});
    let leaf = b.leaf();
    for intermediates in [[&a, &b, &stranger], [&stranger, &b, &a], [&b, &stranger, &a]] {
        let chain = check(&leaf, &intermediates, &[&stranger, &root]).unwrap();
        let subjects: Vec<_> = chain.certificates().iter().map(|c| c.subject.to_string()).collect();
        assert_eq!(subjects, ["CN=device-1", "CN=B", "CN=A", "CN=Root"]);
        let json = serde_json::to_value(&chain).unwrap();
        assert_eq!(json[3]["subject"], "CN=Root");
        assert_eq!(json[3]["position"], 3);
    }
}

#[test]
fn an_intermediate_can_be_the_anchor() {
    let root = Signed::root("CN=Root", |_| {});
    let a = root.ca("CN=A", |_| {});
    assert_passes(&a.leaf(), &[], &[&a]);
    assert_passes(&a.leaf(), &[&root], &[&a]);
    assert_passes(&a.leaf(), &[&a, &root], &[&a]);
}

#[test]
fn a_chain_leaf_that_is_an_anchor_is_trusted_as_it_stands() {
    let own = Signed::root("CN=device-1", |_| {});
    let chain = check(&own.cert, &[], &[&own]).unwrap();
    assert_eq!(chain.certificates(), std::slice::from_ref(&own.cert));
    let expired = Signed::root("CN=device-1", |d| d.not_after = NOW - Duration::days(1));
    assert_refused(&expired.cert, &[], &[&expired], (0, "expired"));
    let root = Signed::root("CN=Root", |_| {});
    let leaf = root.leaf();
    let chain = verify(&leaf, &[], std::slice::from_ref(&leaf), &Options::new(NOW)).unwrap();
    assert_eq!(chain.certificates(), [leaf]);
}

#[test]
fn a_ca_can_be_the_leaf_of_a_chain() {
    let root = Signed::root("CN=Root", |d| d.path_length(0));
    let a = root.ca("CN=A", |d| d.path_length(0));
    assert_passes(&a.cert, &[], &[&root]);
}

#[test]
fn nothing_trusted_is_an_error_of_the_caller() {
    let root = Signed::root("CN=Root", |_| {});
    assert_eq!(check(&root.leaf(), &[&root], &[]), Err(ChainError::NoAnchors));
}

#[test]
fn missing_and_untrusted_certificates_are_named() {
    let root = Signed::root("CN=Root", |_| {});
    let other = Signed::root("CN=Other", |_| {});
    let a = root.ca("CN=A", |_| {});
    let b = a.ca("CN=B", |_| {});
    let leaf = b.leaf();
    assert_refused(&leaf, &[], &[&root], (0, "issuer-missing"));
    let found = refusal(&leaf, &[&b], &[&root]);
    assert_eq!(
        found.to_string(),
        "the 2nd certificate (CN=B) was issued by CN=A; no certificate of that name is there \
         (RFC 5280, 6.1)"
    );
    assert_refused(&leaf, &[&a, &b, &root], &[&other], (3, "untrusted"));
    assert_refused(&root.cert, &[], &[&other], (0, "untrusted"));
}

#[test]
fn a_renewed_ca_under_the_same_name_is_told_from_a_missing_one() {
    let root = Signed::root("CN=Root", |_| {});
    let renewed = Signed::root("CN=Root", |_| {});
    assert_refused(&root.leaf(), &[], &[&renewed], (0, "signature"));
    assert_passes(&root.leaf(), &[], &[&renewed, &root]);
}

#[test]
fn path_lengths_of_a_chain() {
    let pathlen = |n: u32| move |d: &mut Draft| d.path_length(n);
    let root = Signed::root("CN=Root", pathlen(2));
    let a = root.ca("CN=A", pathlen(1));
    let b = a.ca("CN=B", pathlen(0));
    assert_passes(&b.leaf(), &[&a, &b], &[&root]);
    let c = b.ca("CN=C", pathlen(0));
    let found = refusal(&c.leaf(), &[&a, &b, &c], &[&root]);
    assert_eq!(found.rule, Rule::PathLength { allowed: 0, found: 1 });
    assert_eq!(
        found.to_string(),
        "the 3rd certificate (CN=B) has path length 0, but 1 CA certificate stands between it and the \
         device (RFC 5280, 4.2.1.9)"
    );
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["rule"], "path-length");
    assert_eq!(json["position"], 2);
    // A larger number further down does no harm, nor does one that the anchor keeps.
    let wide = root.ca("CN=Wide", pathlen(9));
    assert_passes(&wide.leaf(), &[&wide], &[&root]);
    let narrow = Signed::root("CN=Narrow", pathlen(0));
    let under = narrow.ca("CN=Under", |_| {});
    assert_refused(&under.leaf(), &[&under], &[&narrow], (2, "path-length"));
}

#[test]
fn self_issued_certificates_do_not_count_for_path_lengths_of_a_chain() {
    let root = Signed::root("CN=Root", |_| {});
    let a = root.ca("CN=A", |d| d.path_length(1));
    let rolled = a.ca("CN=A", |d| d.path_length(1));
    let b = rolled.ca("CN=B", |d| d.path_length(0));
    assert_passes(&b.leaf(), &[&a, &rolled, &b], &[&root]);
}

#[test]
fn the_chain_depth_counts_every_intermediate() {
    let root = Signed::root("CN=Root", |_| {});
    let a = root.ca("CN=A", |_| {});
    let rolled = a.ca("CN=A", |_| {});
    let (leaf, above) = (rolled.leaf(), certs(&[&a, &rolled]));
    let with = |max_depth| {
        let options = Options { max_depth, ..Options::new(NOW) };
        verify(&leaf, &above, &certs(&[&root]), &options)
    };
    assert!(with(2).is_ok());
    let error = with(1).unwrap_err();
    assert_eq!(error.refusal().unwrap().rule, Rule::TooLong { max: 1 });
    assert_eq!(error.refusal().unwrap().position, 1);
    assert!(with(0).is_err());
    let options = Options { max_depth: 0, ..Options::new(NOW) };
    assert!(verify(&root.leaf(), &[], &certs(&[&root]), &options).is_ok());
}

#[test]
fn ten_certificates_make_a_chain_by_default() {
    let root = Signed::root("CN=Root", |_| {});
    let mut all = vec![root.ca("CN=CA 1", |_| {})];
    for i in 2..=9 {
        let next = all[all.len() - 1].ca(&format!("CN=CA {i}"), |_| {});
        all.push(next);
    }
    let all: Vec<&Signed> = all.iter().collect();
    assert_passes(&all[7].leaf(), &all, &[&root]);
    assert_refused(&all[8].leaf(), &all, &[&root], (8, "too-long"));
}

#[test]
fn a_chain_with_an_expired_cross_certificate_goes_round_it() {
    let root = Signed::root("CN=Root", |_| {});
    let old = Signed::root("CN=Old", |_| {});
    let expired = old.ca_with_key("CN=Root", root.key.clone(), |d| {
        d.not_after = NOW - Duration::days(1);
    });
    assert_passes(&root.leaf(), &[&expired], &[&root, &old]);
    assert_refused(&root.leaf(), &[&expired], &[&old], (1, "expired"));
}

#[test]
fn circles_end_and_are_named() {
    let root = Signed::root("CN=Root", |_| {});
    let (x, y) = (new_key(), new_key());
    let seed = Signed::root("CN=X", |_| {});
    let y_by_x = Signed { key: x.clone(), ..seed.clone() }.ca_with_key("CN=Y", y.clone(), |_| {});
    let x_by_y = y_by_x.ca_with_key("CN=X", x, |_| {});
    assert_refused(&x_by_y.leaf(), &[&x_by_y, &y_by_x], &[&root], (2, "loop"));
    let deep = Options { max_depth: u8::MAX, ..Options::new(NOW) };
    let heap = certs(&[&x_by_y, &y_by_x]);
    assert!(verify(&x_by_y.leaf(), &heap, &certs(&[&root]), &deep).is_err());
}

#[test]
fn mutually_cross_signed_roots_make_a_chain() {
    let (a, b, c) = (
        Signed::root("CN=Root A", |_| {}),
        Signed::root("CN=Root B", |_| {}),
        Signed::root("CN=Root C", |_| {}),
    );
    let crossed: Vec<Signed> = [(&a, &b), (&a, &c), (&b, &a), (&b, &c), (&c, &a), (&c, &b)]
        .map(|(by, of)| by.cross_sign(of))
        .into();
    let a1 = a.ca("CN=A1", |_| {});
    let mut heap: Vec<&Signed> = crossed.iter().collect();
    heap.push(&a1);
    assert_passes(&a1.leaf(), &heap, &[&a]);
    assert_passes(&a1.leaf(), &heap, &[&c]);
    assert!(check(&a1.leaf(), &heap, &[&Signed::root("CN=Root A", |_| {})]).is_err());
}
