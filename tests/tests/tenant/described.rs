//! What our client asks, held to the vendor's description: every command that talks to a tenant over HTTP,
//! through a recorder, for both profiles. And no call can be forgotten: each place in the library that makes a
//! request is in a table of calls that have to be seen.

mod judge;
mod sites;

use std::collections::BTreeSet;

use c8y_pki_sandbox::{Profile, Settings};
use c8y_pki_tests::cli::Cli;
use c8y_pki_tests::contract::{operation_of, operations};
use c8y_pki_tests::recorder::Asked;

use crate::journey::{Journey, steps};

/// Calls that the description does not have: method, path, and why they are made all the same.
const NOT_DESCRIBED: &[(&str, &str, &str)] = &[
    (
        "DELETE",
        "/inventory/managedObjects/{id}",
        "a self-test removes its device as the vendor's client for Python does; the description that we have \
         stops before the inventory",
    ),
    (
        "DELETE",
        "/user/{tenantId}/users/{userId}",
        "a device that never connected has only its user; the description that we have stops before users",
    ),
];

/// Commands that have --host and talk MQTT only.
const NOT_HTTP: &[&str] = &["device bootstrap"];

/// A path of [`NOT_DESCRIBED`] fits.
fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<&str>, Vec<&str>) =
        (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len()
        && pattern.iter().zip(&path).all(|(p, given)| p.starts_with('{') || p == given)
}

/// Method and path as the description has them; those of [`NOT_DESCRIBED`] as there.
pub(crate) fn call_of(
    all: &[c8y_pki_tests::contract::Operation],
    asked: &Asked,
) -> Option<(String, String)> {
    let known = operation_of(all, &asked.method, &asked.path);
    let known = known.map(|o| (o.method.clone(), o.path.clone()));
    known.or_else(|| {
        let mut others = NOT_DESCRIBED.iter();
        let found = others.find(|(m, p, _)| *m == asked.method && fits(p, &asked.path));
        found.map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
    })
}

fn hold(profile: Profile) {
    let Some(all) = operations() else { return };
    let settings = Settings { profile, ..Settings::default() };
    let Some(journey) = Journey::start(settings) else { return };
    let (mut faults, mut seen, mut departed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    journey.walk(|step, outcome, asked| {
        outcome.clone().expect(step.code);
        for one in asked {
            let Some(call) = call_of(&all, one) else {
                let what = format!("{}: {} {}", step.command, one.method, one.path);
                faults.insert(format!("{what}: the call is not described"));
                continue;
            };
            if let Some(operation) = operation_of(&all, &one.method, &one.path) {
                for fault in judge::faults(operation, one) {
                    match judge::departure(operation, &fault) {
                        Some(known) => drop(departed.insert(known)),
                        None => {
                            faults.insert(format!(
                                "{}: {} {}: {fault}",
                                step.command, call.0, call.1
                            ));
                        }
                    }
                }
            }
            seen.insert(call);
        }
    });
    for (method, path) in sites::calls() {
        if !seen.contains(&(method.to_owned(), path.to_owned())) {
            faults.insert(format!("{method} {path} was not seen"));
        }
    }
    for (method, path) in &seen {
        if !sites::calls().any(|call| call == (method, path)) {
            faults.insert(format!("{method} {path} is made by no place of the table"));
        }
    }
    for (method, path, why) in NOT_DESCRIBED {
        if !seen.contains(&((*method).to_owned(), (*path).to_owned())) {
            faults.insert(format!("{method} {path} ({why}) was not seen"));
        }
        assert!(operation_of(&all, method, path).is_none(), "{method} {path} is described by now");
    }
    for known in judge::DEPARTURES {
        if !departed.contains(known) {
            faults.insert(format!("nothing departs from the description like {known:?} any more"));
        }
    }
    let faults: Vec<String> = faults.into_iter().collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn our_requests_are_as_described() {
    hold(Profile::Documented);
}

#[test]
fn our_requests_are_as_described_in_the_field() {
    hold(Profile::Field);
}

#[test]
fn each_place_that_makes_a_request_is_in_the_table() {
    let (found, known) = (sites::in_the_source(), sites::in_the_table());
    let new: Vec<_> = found.difference(&known).collect();
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(new.is_empty() && gone.is_empty(), "not in the table: {new:?}\nnot there: {gone:?}");
    let elsewhere = sites::elsewhere();
    assert!(elsewhere.is_empty(), "requests are made outside of platform/: {elsewhere:?}");
}

#[test]
fn each_command_that_reaches_a_tenant_is_on_the_journey() {
    let reference = Cli::new().ok("reference");
    let mut wanted = BTreeSet::new();
    for section in reference.split("\n## c8y-pki ").skip(1) {
        let command = section.lines().next().unwrap_or_default();
        if section.contains("      --host <HOST>\n          Host of the tenant") {
            wanted.insert(command.to_owned());
        }
    }
    assert!(wanted.len() > 25, "{wanted:?}");
    let mut walked: BTreeSet<String> = steps().map(|step| step.command.to_owned()).collect();
    walked.extend(NOT_HTTP.iter().map(|&command| command.to_owned()));
    assert_eq!(wanted, walked);
}
