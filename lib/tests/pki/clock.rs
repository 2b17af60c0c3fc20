//! Clocks that are wrong: what is held against them, and what the audit log says of it.

use crate::folder::{now, password};
use crate::life::{factory, ids, issue, list};
use c8y_pki_core::clock::{self, ClockError};
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::provision::Existing;
use c8y_pki_engine::registry::Checked;
use time::{Duration, OffsetDateTime};

fn verdict(pki: &Pki, at: OffsetDateTime) -> Result<(), ClockError> {
    clock::check(at, &pki.evidence().unwrap())
}

fn findings(pki: &Pki, at: OffsetDateTime) -> Vec<String> {
    let mut checked = Checked::default();
    pki.check_times(at, &mut checked).unwrap();
    assert!(checked.findings.iter().all(|f| f.kind == "clock"));
    checked.findings.into_iter().map(|f| f.message).collect()
}

#[test]
fn a_station_three_years_ahead_is_found_out_and_got_over() {
    let (mut folder, out) = factory();
    let pki = &mut folder.pki;
    assert_eq!(verdict(pki, now()), Ok(()));
    assert_eq!(findings(pki, now()), [""; 0]);
    list(pki, "line", now());
    let wrong = now() + Duration::days(1095);
    assert!(verdict(pki, wrong).unwrap_err().is_question());
    issue(pki, "line", &out, ids(&["x"]), Existing::Skip, wrong).unwrap();
    list(pki, "line", wrong);
    // With the clock set right.
    let later = now() + Duration::days(1);
    let error = verdict(pki, later).unwrap_err();
    assert!(matches!(error, ClockError::Behind { .. }), "{error}");
    let found = findings(pki, later);
    assert!(found[0].contains("lie in the future"), "{found:?}");
    assert!(found[1].contains("the last revocation list of line begins at"), "{found:?}");
    // The evidence stays when somebody lets the clock pass; then it is explained.
    pki.registry_mut().believe_clock(&error).unwrap();
    assert_eq!(verdict(pki, later), Ok(()));
    let found = findings(pki, later);
    assert_eq!(found.len(), 1, "the list hides the next one until that is made: {found:?}");
    list(pki, "line", later);
    assert_eq!(findings(pki, later), [""; 0]);
    assert_eq!(pki.registry().check().unwrap().findings, []);
    let audit = pki.registry().audit(1).unwrap();
    let row = audit.iter().find(|row| row.action == "clock").unwrap();
    let said = row.detail.to_string();
    assert!(said.contains("2029") && said.contains("2026"), "both times: {said}");
}

#[test]
fn what_a_tenant_says_explains_nothing() {
    let (mut folder, _) = factory();
    let pki = &mut folder.pki;
    let tenant = now() + Duration::days(5000);
    pki.registry_mut().believe_clock(&ClockError::Tenant { now: now(), tenant }).unwrap();
    assert_eq!(pki.registry().explained_until().unwrap(), None);
    list(pki, "line", now() + Duration::days(1000));
    assert!(matches!(verdict(pki, now()), Err(ClockError::Behind { .. })));
    let error = verdict(pki, now()).unwrap_err();
    pki.registry_mut().believe_clock(&error).unwrap();
    assert_eq!(pki.registry().explained_until().unwrap(), Some(error.times().1));
}

#[test]
fn lists_that_go_back_are_named() {
    let (mut folder, _) = factory();
    let pki = &mut folder.pki;
    list(pki, "line", now() + Duration::hours(2));
    list(pki, "line", now() + Duration::hours(1));
    let found = findings(pki, now() + Duration::hours(3));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("of the audit log (crl) is of"), "{found:?}");
    assert!(found[1].starts_with("revocation list 2 of line is of"), "{found:?}");
    // Two clocks a few minutes apart are nothing.
    list(pki, "line", now() + Duration::minutes(55));
    assert_eq!(findings(pki, now() + Duration::hours(3)).len(), 2);
}

#[test]
fn a_list_of_a_lost_registry_is_evidence_too() {
    let (mut folder, _) = factory();
    let line = folder.pki.ca("line").unwrap();
    let key = line.unlock(&password()).unwrap();
    let late = now() + Duration::days(2);
    folder.pki.make_crl(&line, &key, 30, late).unwrap();
    let evidence = folder.pki.evidence().unwrap();
    assert_eq!(evidence.lists, [("line".to_owned(), late)]);
    assert_eq!(evidence.audited, Some(late));
}
