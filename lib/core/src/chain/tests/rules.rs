//! The rules of one certificate, in each place that it can have in a chain.

use time::{Duration, OffsetDateTime};

use super::super::testing::{
    Draft, NOW, Signed, basic_constraints, constructed, context, directory, dns,
    extended_key_usage, key_usage, names, octet_string, policies, sequence,
};
use super::super::{Options, Policies, Purpose, verify};
use super::{assert_passes, assert_refused, certs, check};
use crate::cert::{Certificate, oid};
use crate::crypto::{Hash, SignatureAlgorithm};

const CLIENT: &str = "1.3.6.1.5.5.7.3.2";
const SERVER: &str = "1.3.6.1.5.5.7.3.1";
const ANY: &str = "2.5.29.37.0";
const UNKNOWN: &str = "1.3.6.1.4.1.55555.1";

/// Breaks a rule in the leaf, in an intermediate and in the anchor: each must be refused.
#[track_caller]
fn assert_refused_everywhere(edit: impl Fn(&mut Draft) + Copy, code: &str) {
    assert_refused_in_leaf(edit, code);
    assert_refused_in_cas(edit, code);
}

#[track_caller]
fn assert_refused_in_leaf(edit: impl Fn(&mut Draft), code: &str) {
    let root = Signed::root("CN=Root", |_| {});
    assert_refused(&root.device("CN=device-1", edit), &[], &[&root], (0, code));
}

#[track_caller]
fn assert_refused_in_cas(edit: impl Fn(&mut Draft) + Copy, code: &str) {
    let root = Signed::root("CN=Root", |_| {});
    let a = root.ca("CN=A", edit);
    assert_refused(&a.leaf(), &[&a], &[&root], (1, code));
    let root = Signed::root("CN=Root", edit);
    assert_refused(&root.leaf(), &[], &[&root], (1, code));
}

/// Breaks a duty of issuers in the leaf: a warning, and refused by a strict check only.
#[track_caller]
fn assert_warned_in_leaf(edit: impl Fn(&mut Draft), code: &str) {
    let root = Signed::root("CN=Root", |_| {});
    assert_warned(&root.device("CN=device-1", edit), &[], &[&root], (0, code));
}

#[track_caller]
fn assert_warned_in_cas(edit: impl Fn(&mut Draft) + Copy, code: &str) {
    let root = Signed::root("CN=Root", |_| {});
    let a = root.ca("CN=A", edit);
    assert_warned(&a.leaf(), &[&a], &[&root], (1, code));
    let root = Signed::root("CN=Root", edit);
    assert_warned(&root.leaf(), &[], &[&root], (1, code));
}

#[track_caller]
fn assert_warned(
    leaf: &Certificate,
    intermediates: &[&Signed],
    anchors: &[&Signed],
    expected: (usize, &str),
) {
    let path = check(leaf, intermediates, anchors).unwrap();
    let found: Vec<_> = path.warnings().iter().map(|w| (w.position, w.rule.code())).collect();
    assert_eq!(found, [expected]);
    let strict = Options { strict: true, ..Options::new(NOW) };
    let refused = verify(leaf, &certs(intermediates), &certs(anchors), &strict).unwrap_err();
    let refused = refused.refusal().unwrap();
    assert_eq!((refused.position, refused.rule.code()), expected, "{refused}");
}

#[track_caller]
fn assert_passes_in_leaf(edit: impl Fn(&mut Draft)) {
    let root = Signed::root("CN=Root", |_| {});
    assert_passes(&root.device("CN=device-1", edit), &[], &[&root]);
}

#[track_caller]
fn assert_passes_in_cas(edit: impl Fn(&mut Draft) + Copy) {
    let root = Signed::root("CN=Root", edit);
    let a = root.ca("CN=A", edit);
    assert_passes(&a.leaf(), &[&a], &[&root]);
}

#[test]
fn chain_certificates_must_be_of_version_3() {
    assert_refused_everywhere(|d| d.version = None, "extensions-in-version");
    assert_refused_everywhere(|d| d.version = Some(1), "extensions-in-version");
    let bare = |d: &mut Draft| (d.version, d.extensions) = (None, Vec::new());
    assert_warned_in_leaf(bare, "version");
    assert_refused_in_cas(|d| (d.version, d.extensions) = (None, Vec::new()), "not-a-ca");
}

#[test]
fn chain_serial_numbers_are_positive_and_of_20_octets_at_most() {
    for bad in [vec![0], vec![0x80, 1], vec![1; 21]] {
        assert_warned_in_leaf(|d| d.serial = bad.clone(), "serial-number");
    }
    assert_warned_in_cas(|d| d.serial = vec![0x80, 1], "serial-number");
    let root = Signed::root("CN=Root", |d| d.serial = vec![0]);
    assert_passes(&root.leaf(), &[], &[&root]);
    let a = root.ca("CN=A", |d| d.serial = vec![0]);
    assert_warned(&a.leaf(), &[&a], &[&root], (1, "serial-number"));
    assert_passes_in_leaf(|d| d.serial = vec![1; 20]);
    assert_passes_in_leaf(|d| d.serial = vec![1]);
}

#[test]
fn names_in_a_chain_must_not_be_empty() {
    let root = Signed::root("CN=Root", |_| {});
    let nameless = root.device("CN=device-1", |d| d.issuer = sequence(&[]));
    assert_refused(&nameless, &[], &[&root], (0, "empty-issuer"));
    let ca = root.ca("CN=A", |d| d.subject = sequence(&[]));
    assert_refused(&ca.leaf(), &[&ca], &[&root], (0, "empty-issuer"));
    assert_refused(&ca.cert, &[], &[&root], (0, "empty-subject"));
    let with_san = |critical| {
        root.device("CN=x", |d| {
            d.subject = sequence(&[]);
            d.set(oid::SUBJECT_ALT_NAME, critical, names(&[dns("d.example.com")]));
        })
    };
    assert_passes(&with_san(true), &[], &[&root]);
    assert_refused(&with_san(false), &[], &[&root], (0, "empty-subject"));
    assert_refused_in_leaf(|d| d.subject = sequence(&[]), "empty-subject");
}

#[test]
fn both_signature_algorithms_in_a_chain_agree() {
    let other = SignatureAlgorithm::Ecdsa(Hash::Sha384).identifier();
    assert_refused_everywhere(|d| d.inner_algorithm = other.clone(), "algorithms-differ");
}

/// AlgorithmIdentifier of an object identifier given as DER, without parameters.
fn algorithm(oid: &[u8]) -> Vec<u8> {
    sequence(&[oid])
}

#[test]
fn broken_and_unknown_signature_algorithms_in_a_chain() {
    let ecdsa_sha1 = [0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01];
    let md5_rsa = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04];
    let dsa_sha256 = [0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x02];
    for oid in [&ecdsa_sha1[..], &md5_rsa, &dsa_sha256] {
        let id = algorithm(oid);
        assert_refused_in_leaf(
            |d| (d.inner_algorithm, d.outer_algorithm) = (id.clone(), id.clone()),
            "signature-algorithm",
        );
    }
}

#[test]
fn weak_and_unknown_keys_in_a_chain() {
    let rsa = |bits: usize| {
        let modulus = [&[0x00, 0x80], &vec![0x01; bits / 8 - 1][..]].concat();
        let key = yasna::construct_der(|w| {
            w.write_sequence(|w| {
                w.next().write_bigint_bytes(&modulus, true);
                w.next().write_u32(65537);
            });
        });
        let id = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
        let bits = yasna::construct_der(|w| w.write_bitvec_bytes(&key, key.len() * 8));
        sequence(&[&sequence(&[&id, &[5, 0]]), &bits])
    };
    assert_refused_in_leaf(|d| d.spki = rsa(1024), "public-key");
    assert_passes_in_leaf(|d| d.spki = rsa(2048));
    let p192 = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x01];
    let ec = [0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    let spki = sequence(&[&sequence(&[&ec, &p192]), &[0x03, 0x02, 0x00, 0x04]]);
    assert_refused_everywhere(|d| d.spki = spki.clone(), "public-key");
}

#[test]
fn chain_validity_includes_both_ends_and_whole_seconds() {
    let day = Duration::days(1);
    assert_refused_everywhere(|d| d.not_after = NOW - day, "expired");
    assert_refused_everywhere(|d| d.not_before = NOW + day, "not-yet-valid");
    let root = Signed::root("CN=Root", |_| {});
    let (from, until) = (NOW - day, NOW + day);
    let leaf = root.device("CN=d", |d| (d.not_before, d.not_after) = (from, until));
    let at = |at: OffsetDateTime| verify(&leaf, &[], &certs(&[&root]), &Options::new(at)).is_ok();
    assert!(at(from) && at(until) && at(until + Duration::milliseconds(999)));
    assert!(!at(from - Duration::milliseconds(1)) && !at(until + Duration::seconds(1)));
}

#[test]
fn a_chain_issuer_is_a_ca() {
    assert_refused_in_cas(|d| d.remove(oid::BASIC_CONSTRAINTS), "not-a-ca");
    let says_no = |d: &mut Draft| {
        d.set(oid::BASIC_CONSTRAINTS, true, basic_constraints(false, None));
    };
    assert_refused_in_cas(says_no, "not-a-ca");
    let lax = |d: &mut Draft| {
        d.set(oid::BASIC_CONSTRAINTS, false, basic_constraints(true, None));
    };
    assert_warned_in_cas(lax, "not-critical-extension");
    assert_passes_in_leaf(|d| d.remove(oid::BASIC_CONSTRAINTS));
}

#[test]
fn key_usage_in_a_chain() {
    let usage =
        |bits: &'static [usize]| move |d: &mut Draft| d.set(oid::KEY_USAGE, false, key_usage(bits));
    assert_refused_in_cas(usage(&[0, 6]), "key-cert-sign-missing");
    assert_refused_in_cas(usage(&[]), "key-cert-sign-missing");
    assert_passes_in_cas(usage(&[5]));
    assert_passes_in_cas(|d| d.remove(oid::KEY_USAGE));
    assert_warned_in_leaf(usage(&[0, 5]), "key-cert-sign-without-ca");
    assert_refused_in_leaf(usage(&[1, 2]), "key-usage");
    assert_refused_in_leaf(usage(&[]), "key-usage");
    assert_passes_in_leaf(usage(&[0, 1, 2]));
    assert_passes_in_leaf(usage(&[4]));
    assert_passes_in_leaf(|d| d.remove(oid::KEY_USAGE));
}

#[test]
fn extended_key_usage_in_a_chain() {
    let eku = |oids: &'static [&'static str]| {
        move |d: &mut Draft| d.set(oid::EXTENDED_KEY_USAGE, false, extended_key_usage(oids))
    };
    assert_refused_everywhere(eku(&[SERVER]), "extended-key-usage");
    assert_refused_everywhere(eku(&[]), "malformed-extension");
    for good in [&[CLIENT][..], &[SERVER, CLIENT], &[ANY]] {
        let edit = |d: &mut Draft| d.set(oid::EXTENDED_KEY_USAGE, true, extended_key_usage(good));
        assert_passes_in_leaf(edit);
        assert_passes_in_cas(edit);
    }
    let root = Signed::root("CN=Root", |_| {});
    let server = root.device("CN=s", eku(&[SERVER]));
    for (purpose, passes) in
        [(Purpose::ServerAuth, true), (Purpose::Any, true), (Purpose::ClientAuth, false)]
    {
        let options = Options { purpose, ..Options::new(NOW) };
        assert_eq!(verify(&server, &[], &certs(&[&root]), &options).is_ok(), passes);
    }
}

#[test]
fn unknown_and_doubled_extensions_in_a_chain() {
    assert_refused_everywhere(|d| d.set(UNKNOWN, true, vec![]), "unknown-critical-extension");
    let crl_points = |d: &mut Draft| d.set("2.5.29.31", true, sequence(&[]));
    assert_refused_everywhere(crl_points, "unknown-critical-extension");
    assert_passes_in_leaf(|d| d.set(UNKNOWN, false, vec![]));
    assert_passes_in_cas(|d| d.set(UNKNOWN, false, vec![]));
    let twice = |d: &mut Draft| {
        d.extensions.push((UNKNOWN.to_owned(), false, vec![5, 0]));
        d.extensions.push((UNKNOWN.to_owned(), false, vec![5, 0]));
    };
    assert_refused_everywhere(twice, "duplicate-extension");
}

#[test]
fn criticality_of_extensions_in_a_chain() {
    let critical = |id: &'static str| {
        move |d: &mut Draft| {
            let found = d.extensions.iter_mut().find(|e| e.0 == id);
            found.into_iter().for_each(|e| e.1 = true);
        }
    };
    assert_refused_everywhere(critical(oid::SUBJECT_KEY_ID), "critical-extension");
    assert_refused_everywhere(critical(oid::AUTHORITY_KEY_ID), "critical-extension");
    let location = context(6, b"http://example.com");
    let method = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02];
    let access = sequence(&[&sequence(&[&method, &location])]);
    let set = |critical| {
        let access = access.clone();
        move |d: &mut Draft| d.set("1.3.6.1.5.5.7.1.1", critical, access.clone())
    };
    assert_refused_in_leaf(set(true), "critical-extension");
    assert_passes_in_leaf(set(false));
}

#[test]
fn key_identifiers_in_a_chain() {
    let root = Signed::root("CN=Root", |d| d.remove(oid::AUTHORITY_KEY_ID));
    let bare = root.ca("CN=A", |d| d.remove(oid::AUTHORITY_KEY_ID));
    assert_passes(&root.leaf(), &[], &[&root]);
    assert_warned(&bare.leaf(), &[&bare], &[&root], (1, "authority-key-id-missing"));
    assert_warned(&bare.leaf(), &[], &[&bare], (1, "authority-key-id-missing"));
    assert_warned_in_leaf(|d| d.remove(oid::AUTHORITY_KEY_ID), "authority-key-id-missing");
    assert_warned_in_cas(|d| d.remove(oid::SUBJECT_KEY_ID), "subject-key-id-missing");
    assert_passes_in_leaf(|d| d.remove(oid::SUBJECT_KEY_ID));
}

#[test]
fn key_identifiers_in_a_chain_are_those_of_the_issuers_certificate() {
    let root =
        Signed::root("CN=Root", |d| d.set(oid::SUBJECT_KEY_ID, false, octet_string(b"other")));
    assert_refused(&root.leaf(), &[], &[&root], (0, "authority-key-id-differs"));
    let root = Signed::root("CN=Root", |d| d.serial = vec![7]);
    let a = root.ca("CN=A", |d| d.serial = vec![8]);
    let naming = |issuer: &str, serial: &[u8]| {
        let value = sequence(&[&constructed(1, &directory(issuer)), &context(2, serial)]);
        a.device("CN=d", move |d| d.set(oid::AUTHORITY_KEY_ID, false, value))
    };
    assert_passes(&naming("CN=Root", &[8]), &[&a], &[&root]);
    assert_refused(&naming("CN=Root", &[7]), &[&a], &[&root], (0, "authority-cert-differs"));
    assert_refused(&naming("CN=A", &[8]), &[&a], &[&root], (0, "authority-cert-differs"));
    // A second certificate of the same CA that fits is found.
    let again = root.ca_with_key("CN=A", a.key.clone(), |d| d.serial = vec![9]);
    assert_passes(&naming("CN=Root", &[9]), &[&a, &again], &[&root]);
}

#[test]
fn malformed_extensions_in_a_chain() {
    let ids = [
        oid::SUBJECT_KEY_ID,
        oid::KEY_USAGE,
        oid::EXTENDED_KEY_USAGE,
        oid::SUBJECT_ALT_NAME,
        oid::BASIC_CONSTRAINTS,
        oid::CERTIFICATE_POLICIES,
        "1.3.6.1.5.5.7.1.1",
    ];
    for id in ids {
        assert_refused_everywhere(
            |d| d.set(id, false, b"example.com".to_vec()),
            "malformed-extension",
        );
    }
    let trailing = [key_usage(&[0, 5]), vec![5, 0]].concat();
    assert_refused_everywhere(
        |d| d.set(oid::KEY_USAGE, true, trailing.clone()),
        "malformed-extension",
    );
    assert_refused_everywhere(
        |d| d.set(oid::SUBJECT_ALT_NAME, false, sequence(&[])),
        "malformed-extension",
    );
}

#[test]
fn a_path_length_in_a_chain_needs_a_ca() {
    assert_warned_in_leaf(
        |d| d.set(oid::BASIC_CONSTRAINTS, true, basic_constraints(false, Some(0))),
        "path-length-without-ca",
    );
}

#[test]
fn certificate_policies_in_a_chain() {
    let demand = |skip: u8| sequence(&[&context(0, &[skip])]);
    let policy = |d: &mut Draft| d.set(oid::CERTIFICATE_POLICIES, false, policies(&["1.2.3"]));
    let any = |d: &mut Draft| d.set(oid::CERTIFICATE_POLICIES, false, policies(&["2.5.29.32.0"]));
    let root = Signed::root("CN=Root", |_| {});
    let demanding = |skip: u8| {
        root.ca("CN=A", move |d| {
            d.set(oid::POLICY_CONSTRAINTS, true, demand(skip));
            policy(d);
        })
    };
    let now = demanding(0);
    assert_refused(&now.leaf(), &[&now], &[&root], (0, "explicit-policy"));
    assert_passes(&now.device("CN=d", policy), &[&now], &[&root]);
    assert_passes(&now.device("CN=d", any), &[&now], &[&root]);
    let other = |d: &mut Draft| d.set(oid::CERTIFICATE_POLICIES, false, policies(&["1.2.4"]));
    assert_refused(&now.device("CN=d", other), &[&now], &[&root], (0, "explicit-policy"));
    let soon = demanding(1);
    assert_refused(&soon.leaf(), &[&soon], &[&root], (0, "explicit-policy"));
    let later = demanding(2);
    assert_passes(&later.leaf(), &[&later], &[&root]);
    let lax = |d: &mut Draft| d.set(oid::POLICY_CONSTRAINTS, false, demand(3));
    assert_warned_in_cas(lax, "not-critical-extension");
    let empty = |d: &mut Draft| d.set(oid::POLICY_CONSTRAINTS, true, sequence(&[]));
    assert_refused_in_cas(empty, "malformed-extension");
}

#[test]
fn mappings_and_any_policy_in_a_chain_that_demands_a_policy() {
    let root = Signed::root("CN=Root", |_| {});
    let demanding = |more: &dyn Fn(&mut Draft)| {
        root.ca("CN=A", |d| {
            d.set(oid::POLICY_CONSTRAINTS, true, sequence(&[&context(0, &[0])]));
            d.set(oid::CERTIFICATE_POLICIES, false, policies(&["1.2.3"]));
            more(d);
        })
    };
    let any = |d: &mut Draft| d.set(oid::CERTIFICATE_POLICIES, false, policies(&["2.5.29.32.0"]));
    let plain = demanding(&|_| {});
    assert_passes(&plain.device("CN=d", any), &[&plain], &[&root]);
    let inhibiting = demanding(&|d| d.set(oid::INHIBIT_ANY_POLICY, true, vec![2, 1, 0]));
    let leaf = inhibiting.device("CN=d", any);
    assert_refused(&leaf, &[&inhibiting], &[&root], (0, "explicit-policy"));
    // The mapping 1.2.3 to 1.2.4; without a demand it changes nothing.
    let pair = sequence(&[&[0x06, 0x02, 0x2a, 0x03], &[0x06, 0x02, 0x2a, 0x04]]);
    let map = |d: &mut Draft| d.set(oid::POLICY_MAPPINGS, true, sequence(&[&pair]));
    let mapping = demanding(&map);
    let leaf = mapping.device("CN=d", |d| {
        d.set(oid::CERTIFICATE_POLICIES, false, policies(&["1.2.3"]));
    });
    assert_refused(&leaf, &[&mapping], &[&root], (0, "explicit-policy"));
    let leaf = mapping.device("CN=d", |d| {
        d.set(oid::CERTIFICATE_POLICIES, false, policies(&["1.2.4"]));
    });
    assert_passes(&leaf, &[&mapping], &[&root]);
    let wants = |policy: &str| {
        let acceptable = [policy.to_owned()].into();
        let policies = Policies { acceptable, explicit: true, ..Policies::default() };
        let options = Options { policies, ..Options::new(NOW) };
        verify(&leaf, &certs(&[&mapping]), &certs(&[&root]), &options).is_ok()
    };
    assert!(wants("1.2.3") && !wants("1.2.4"), "a user knows the policies of the anchor's domain");
    let idle = root.ca("CN=A", map);
    assert_passes(&idle.leaf(), &[&idle], &[&root]);
    let lax = |d: &mut Draft| d.set(oid::INHIBIT_ANY_POLICY, false, vec![2, 1, 0]);
    assert_warned_in_cas(lax, "not-critical-extension");
}
