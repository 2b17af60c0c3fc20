//! Every command that talks to a tenant, for both profiles, with and without faults: a fifth of all answers is
//! an error, late, cut short or missing. Afterwards the tenant has everything once.

use std::collections::{BTreeMap, BTreeSet};

use c8y_pki_tests::contract::operations;
use c8y_pki_tests::recorder::Fate;

use crate::described::call_of;
use crate::journey::Journey;
use c8y_pki_sandbox::{Faults, Profile, Settings};

/// How often each value of a member is in a list of the tenant.
fn numbers(journey: &Journey, list: &str, member: &str) -> BTreeMap<String, usize> {
    let mut numbers = BTreeMap::new();
    for entry in journey.at.list(list) {
        let value = entry[member].as_str().unwrap_or_default().to_owned();
        *numbers.entry(value).or_default() += 1;
    }
    numbers
}

/// What the journey leaves, each of it once.
fn nothing_is_doubled(journey: &Journey, enrolled: bool) {
    let once = |names: &[&str]| -> BTreeMap<String, usize> {
        names.iter().map(|name| ((*name).to_owned(), 1)).collect()
    };
    let cas = numbers(journey, "trusted_certificates", "name");
    assert_eq!(cas, once(&["CN=t1001, O=localhost", "Example Line 7", "Line 7", "Root"]));
    let prints = numbers(journey, "trusted_certificates", "fingerprint");
    assert!(prints.len() == 4 && prints.values().all(|n| *n == 1), "{prints:?}");
    let ids: &[&str] = match enrolled {
        true => &["e-1", "gw-1", "gw-2", "o-1", "r-3", "ro-1"],
        false => &["gw-1", "gw-2", "o-1", "r-3", "ro-1"],
    };
    assert_eq!(numbers(journey, "devices", "id"), once(ids));
    for device in journey.at.list("devices") {
        let made = device["created"].as_u64().unwrap_or_default();
        assert!(made <= 1, "{device} was made {made} times");
    }
    // Of gw-2, and of the device of the self-test.
    let revoked = numbers(journey, "revocations", "serial_number");
    assert!(revoked.len() == 2 && revoked.values().all(|n| *n == 1), "{revoked:?}");
    let open = if enrolled { vec!["o-1"] } else { vec!["e-1", "o-1"] };
    assert_eq!(numbers(journey, "new_device_requests", "id"), once(&open));
    // One certificate for the one-time password; of renewals each is a certificate.
    let enrolments = journey.at.list("enrolments");
    let first = enrolments.iter().filter(|e| e["renewal"] == false).count();
    assert_eq!(first, usize::from(enrolled), "{enrolments:?}");
}

fn walk(profile: Profile, share: f64, seed: u64) {
    let Some(journey) = Journey::start(Settings { profile, ..Settings::default() }) else { return };
    journey.at.sandbox.set_faults(Faults::evenly(share, seed));
    journey.walk(|step, outcome, _| {
        let may = outcome.code == step.code || share > 0.0 && step.or == Some(outcome.code);
        assert!(may, "{} {}: {outcome:?}", step.command, step.with);
    });
    let faulted =
        journey.at.sandbox.connections_after(0).iter().filter(|c| c.fault.is_some()).count();
    assert_eq!(faulted > 10, share > 0.0, "{faulted} faults");
    journey.at.sandbox.set_faults(Faults::none());
    // The answer to an enrolment may have been lost, before or after it took effect.
    let enrolled = journey.at.list("devices").iter().any(|device| device["id"] == "e-1");
    assert!(enrolled || share > 0.0, "the device did not enrol");
    nothing_is_doubled(&journey, enrolled);
}

#[test]
fn each_answer_is_lost_once() {
    let Some(all) = operations() else { return };
    let Some(journey) = Journey::start(Settings::default()) else { return };
    for recorder in [&journey.rest, &journey.mutual] {
        let (all, mut lost) = (all.clone(), BTreeSet::new());
        recorder.decide(move |asked| match call_of(&all, asked) {
            Some(call) if lost.insert(call.clone()) => Fate::Lose,
            _ => Fate::Pass,
        });
    }
    journey.walk(|step, outcome, _| {
        let may = outcome.code == step.code || step.or == Some(outcome.code);
        assert!(may, "{} {}: {outcome:?}", step.command, step.with);
    });
    // It enrolled; the device does not have the certificate.
    nothing_is_doubled(&journey, true);
}

#[test]
fn all_commands_as_documented() {
    walk(Profile::Documented, 0.0, 1);
}

#[test]
fn all_commands_as_in_the_field() {
    walk(Profile::Field, 0.0, 1);
}

#[test]
fn all_commands_as_documented_under_faults() {
    walk(Profile::Documented, 0.2, 3);
}

#[test]
fn all_commands_as_in_the_field_under_faults() {
    walk(Profile::Field, 0.2, 4);
}
