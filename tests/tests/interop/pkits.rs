//! NIST PKITS (2011), from the directory of corpora: `C8Y_PKI_CORPORA`, else beside the repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::chain::{Lists, Options, Policies, Purpose, check_revocation, verify};
use c8y_pki_core::crl::Crl;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

fn corpus(name: &str) -> Option<Value> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/corpora");
    let corpora = std::env::var_os("C8Y_PKI_CORPORA").map_or(beside, PathBuf::from);
    let Ok(bytes) = std::fs::read(corpora.join(name)) else {
        eprintln!("left out: {name} is not in the directory of corpora (C8Y_PKI_CORPORA)");
        return None;
    };
    Some(serde_json::from_slice(&bytes).unwrap())
}

fn certificates(pems: &Value) -> Vec<Certificate> {
    let all = pems.as_array().unwrap().iter();
    all.flat_map(|pem| Certificate::all_from_pem_or_der(pem.as_str().unwrap().as_bytes()).unwrap())
        .collect()
}

fn policies(params: &Value) -> Policies {
    let flag = |name: &str| params[name].as_bool().unwrap_or(false);
    let set = params["user_initial_policy_set"].as_array().into_iter().flatten();
    Policies {
        acceptable: set.map(|policy| policy.as_str().unwrap().to_owned()).collect(),
        explicit: flag("initial_explicit_policy"),
        inhibit_mapping: flag("initial_policy_mapping_inhibit"),
        inhibit_any: flag("initial_inhibit_any_policy") || flag("initial_any_policy_inhibit"),
    }
}

/// Whether the path is valid, with the case's lists if they are to be looked at.
fn passes(case: &Value, strict: bool, with_lists: bool) -> bool {
    let at = OffsetDateTime::parse(case["validation_time"].as_str().unwrap(), &Rfc3339).unwrap();
    let leaf = case["peer_certificate"].as_str().unwrap();
    let Ok(leaf) = Certificate::all_from_pem_or_der(leaf.as_bytes()) else { return false };
    let options = Options {
        purpose: Purpose::Any,
        strict,
        policies: policies(&case["params"]),
        ..Options::new(at)
    };
    let anchors = certificates(&case["trusted_certs"]);
    let untrusted = certificates(&case["untrusted_intermediates"]);
    let Ok(path) = verify(&leaf[0], &untrusted, &anchors, &options) else { return false };
    if !with_lists {
        return true;
    }
    let read = |pem: &Value| Crl::all_from_pem_or_der(pem.as_str().unwrap().as_bytes());
    let lists: Result<Vec<_>, _> = case["crls"].as_array().unwrap().iter().map(read).collect();
    let Ok(lists) = lists else { return false };
    let all = lists.concat();
    let lists = Lists { all: &all, known: &[], signers: &untrusted };
    check_revocation(&path, &lists, at).refusal.is_none()
}

/// The cases of a tier whose answer is not the expected one, and how many there are.
fn departures(tier: &str, strict: bool, with_lists: bool) -> Option<(Vec<String>, usize)> {
    let cases = corpus("pkits.json")?;
    let applicable = corpus("pkits-applicable.json")?;
    let cases: BTreeMap<&str, &Value> = cases["testcases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| (case["id"].as_str().unwrap(), case))
        .collect();
    let of_tier: Vec<&Value> =
        applicable.as_array().unwrap().iter().filter(|case| case["tier"] == tier).collect();
    let mut found = Vec::new();
    for entry in &of_tier {
        let id = entry["id"].as_str().unwrap();
        let expected = entry["expected"] == "SUCCESS";
        if passes(cases[id], strict, with_lists) != expected {
            let number = id.rsplit("::").next().unwrap();
            found.push(format!("{number} {}", entry["name"].as_str().unwrap()));
        }
    }
    Some((found, of_tier.len()))
}

#[test]
fn paths_are_judged_as_pkits_says() {
    let Some((found, count)) = departures("core", false, false) else { return };
    assert_eq!((found, count), (vec![], 87));
}

#[test]
fn policies_are_judged_as_pkits_says() {
    let Some((found, count)) = departures("policy", false, false) else { return };
    assert_eq!((found, count), (vec![], 85));
}

#[test]
fn lists_are_judged_as_pkits_says() {
    let Some((found, count)) = departures("crl", false, true) else { return };
    assert_eq!((found, count), (vec![], 71));
}

#[test]
fn a_strict_check_refuses_of_pkits_only_what_breaks_a_duty_of_issuers() {
    let Some((found, _)) = departures("core", true, false) else { return };
    assert_eq!(found, ["4.6.4 valid_basicconstraints_not_critical_test4"]);
}
