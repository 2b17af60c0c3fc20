//! `tenant trust`: what is uploaded, what is left, and each refusal.

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{CA_PW, Cli};
use serde_json::Value;
use time::Duration;

fn with_cas() -> AtTenant {
    AtTenant::new(Cli::with_cas())
}

/// Whether two values of JSON are the same text or number.
fn is(value: &Value, expected: impl Into<Value>) -> bool {
    *value == expected.into()
}

#[test]
fn a_ca_is_uploaded_once_and_proven() {
    let at = with_cas();
    let add = "tenant trust add --ca line --auto-registration --prove --ca-password-file pw";
    let first = at.run(&format!("{add} --json")).expect(0).json();
    assert!(is(&first["action"], "added") && is(&first["name"], "Line"), "{first}");
    assert!(is(&first["auto_registration_enabled"], true));
    assert!(is(&first["proof_of_possession_valid"], true), "{first}");
    let again = at.run(&format!("{add} --json")).expect(0).json();
    assert!(is(&again["action"], "already there"), "{again}");
    let there = at.list("trusted_certificates");
    assert_eq!(there.len(), 1, "{there:?}");

    let text = at.ok("tenant trust show Line");
    assert!(text.contains("Proof of possession  complete"), "{text}");
    assert!(text.contains("Auto-registration    on"), "{text}");
}

#[test]
fn several_at_once_are_listed_shown_changed_and_removed() {
    let at = with_cas();
    let added = at.run("tenant trust add --ca root --ca line --json").expect(0).json_lines();
    assert!(added.iter().all(|a| is(&a["action"], "added")), "{added:?}");
    let bulk = at.sandbox.state()["connections"]
        .as_array()
        .unwrap()
        .iter()
        .any(|c| c["path"].as_str().is_some_and(|p| p.ends_with("/trusted-certificates/bulk")));
    assert!(bulk, "the bulk call was not used");

    let list = at.run("tenant trust list --json").expect(0).json_lines();
    assert_eq!(list.len(), 2);
    assert!(list.iter().all(|c| c["days_left"].as_i64().unwrap() > 3000), "{list:?}");
    let table = at.ok("tenant trust list");
    assert!(table.starts_with("NAME  STATUS   AUTO-REGISTRATION  PROOF  EXPIRES"), "{table}");
    assert_eq!(table.lines().count(), 3);

    let fingerprint = list[0]["fingerprint"].as_str().unwrap();
    for id in [&fingerprint[..8], &fingerprint.to_uppercase(), "pki/ca/line/cert.pem"] {
        at.ok(&format!("tenant trust show {id}"));
    }
    let unknown = at.run("tenant trust show Lines").expect(2);
    assert_eq!(unknown.error(), "the tenant t1001 has no trusted certificate \"Lines\"");

    let off = at.run("tenant trust update Line --disable --name 'Line 7' --json").expect(0).json();
    assert!(is(&off["status"], "DISABLED") && is(&off["name"], "Line 7"), "{off}");
    let same = at.run("tenant trust update 'Line 7' --disable --json").expect(0).json();
    assert!(is(&same["action"], "unchanged"));
    let there = at.run("tenant trust add --ca line").expect(0);
    assert!(there.stderr.contains("warning: \"Line 7\" was there and is disabled"), "{there:?}");
    at.run("tenant trust update 'Line 7'").expect(2);

    let asked = at.run("tenant trust remove Root").expect(2);
    assert!(asked.stderr.contains("hint: give --yes"), "{asked:?}");
    at.ok("tenant trust remove Root 'Line 7' --yes");
    assert_eq!(at.list("trusted_certificates").len(), 0);
    assert_eq!(at.ok("tenant trust list"), "");
}

#[test]
fn a_ca_that_was_renewed_is_not_called_unknown() {
    let at = with_cas();
    at.ok("tenant trust add --ca line");
    at.cli.ok("ca renew line --ca-password-file pw --days 3000");
    let list = at.run("tenant trust list").expect(0);
    assert!(
        list.stderr.contains("was renewed, and the tenant has another certificate of it"),
        "{list:?}"
    );
    let proof = at.run("pop prove --ca line --ca-password-file pw").expect(1);
    assert!(
        proof.error().contains("of the same name and key") && proof.error().contains("was renewed")
    );
    let shown = at.run("tenant trust show pki/ca/line/cert.pem").expect(1);
    assert!(shown.error().ends_with("the CA was renewed"), "{shown:?}");
    let added = at.run("tenant trust add --ca line --json").expect(0);
    let told = at.run("tenant trust add --ca line").expect(0);
    assert!(told.stderr.contains("with the same name and key"), "{told:?}");
    let former = at.list("trusted_certificates").len();
    assert_eq!((former, added.json()["renewals"].as_array().map(Vec::len)), (2, Some(1)));
    let both = at.run("tenant trust list").expect(0);
    assert!(both.stderr.contains("several certificates of its name and key"), "{both:?}");
    assert!(!both.stderr.contains("warning"), "{both:?}");
}

#[test]
fn a_ca_of_another_tenant_is_told() {
    let at = with_cas();
    let other = [("C8Y_USER", "t1002/admin")];
    at.run_with("tenant trust add --ca line --prove --ca-password-file pw", &other).expect(0);
    let held = at.run("tenant trust add --ca line").expect(1);
    assert!(
        held.stderr.contains("another tenant of this instance holds the certificate \"Line\""),
        "{held:?}"
    );
    assert_eq!(held.stdout, "");
    // The bulk call takes all or none: the other one is added all the same.
    let both = at.run("tenant trust add --ca root --ca line --json").expect(1);
    assert!(is(&both.json()["name"], "Root"), "{both:?}");
    assert_eq!(at.list("trusted_certificates").len(), 1);
}

#[test]
fn what_the_platform_would_refuse_is_refused_before_anything_is_sent() {
    let at = with_cas();
    at.cli.ok("device issue gw-1 --ca line --out out --ca-password-file pw");
    let device = at.run("tenant trust add out/gw-1/cert.pem").expect(2);
    assert!(
        device.error().ends_with("is not a CA (no CA:TRUE); the platform refuses it"),
        "{device:?}"
    );
    let chain = at.run("tenant trust add out/gw-1/chain.pem").expect(2);
    assert!(chain.error().ends_with("holds 3 certificates; one is wanted"), "{chain:?}");
    at.cli.write("empty.pem", "");
    at.run("tenant trust add empty.pem").expect(2);
    let prove = at.run("tenant trust add pki/ca/line/cert.pem --prove").expect(2);
    assert_eq!(prove.error(), "--prove needs the CA's private key");
    let wrong = "tenant trust add pki/ca/line/cert.pem --prove --key pki/ca/root/key.pem";
    let wrong = at.run(&format!("{wrong} --key-password-file pw")).expect(2);
    assert!(
        wrong.error().starts_with("the private key does not belong to the certificate"),
        "{wrong:?}"
    );
    let name = at.run("tenant trust add --ca root --ca line --name both").expect(2);
    assert_eq!(name.error(), "one name is given for several certificates");
    let sent = at.sandbox.state()["requests"].clone();
    assert!(is(&sent, 0), "{sent} requests were sent");
}

#[test]
fn a_dry_run_shows_the_requests_and_sends_none() {
    let at = with_cas();
    let line = "tenant trust add --ca line --prove --ca-password-file pw --dry-run --tenant t1";
    let text = at.ok(line);
    assert!(text.starts_with("POST /tenant/tenants/t1/trusted-certificates\n"), "{text}");
    assert!(text.contains("\"autoRegistrationEnabled\": false"), "{text}");
    assert!(text.contains("/verification-code\n") && text.contains("/pop\n"), "{text}");
    let json = at.run(&format!("{line} --json")).expect(0).json_lines();
    assert_eq!(json.len(), 3);
    assert!(is(&json[0]["body"]["status"], "ENABLED"), "{json:?}");
    assert!(is(&at.sandbox.state()["requests"], 0));
    // Without a network at all.
    let offline = at.run_with("tenant trust add --ca line --dry-run", &[("C8Y_HOST", "")]);
    assert!(offline.expect(0).stdout.starts_with("POST /tenant/tenants/TENANT/"));
}

#[test]
fn faults_do_not_stop_it_and_do_nothing_twice() {
    let at = with_cas();
    for seed in 0..4 {
        at.faults(0.3, seed);
        let add = "tenant trust add --ca root --ca line --prove --ca-password-file pw --json";
        let added = at.run(add).expect(0).json_lines();
        assert!(added.iter().all(|a| is(&a["proof_of_possession_valid"], true)), "{added:?}");
        assert_eq!(at.list("trusted_certificates").len(), 2);
        at.run("tenant trust remove Root Line --yes").expect(0);
        assert_eq!(at.list("trusted_certificates").len(), 0);
    }
    assert!(at.sandbox.state()["faulted"].as_u64() > Some(0));
}

#[test]
fn a_clock_that_is_not_the_tenants_writes_nothing_there() {
    let at = AtTenant::new(Cli::with_cas());
    at.cli.ok(&format!("device issue a --ca line --out out {CA_PW}"));
    at.cli.ok("device revoke a");
    for off in [Duration::days(-3), Duration::hours(1)] {
        at.sandbox.set_date_off(off);
        for line in ["tenant trust add --ca root", "tenant crl upload"] {
            let refused = at.run(line).expect(3);
            let said = refused.error();
            assert!(said.contains("and the tenant's says 20"), "{line}: {said}");
            assert!(refused.stderr.contains("hint: set this computer's clock"), "{refused:?}");
        }
    }
    assert!(at.list("trusted_certificates").is_empty() && at.list("revocations").is_empty());
    at.ok("tenant trust add --ca root --clock-is-right");
    let audit = at.cli.ok("registry export --what audit");
    let kept = audit.lines().filter(|line| line.contains(",clock,")).collect::<Vec<_>>();
    assert!(kept.len() == 1 && kept[0].contains("the tenant"), "{audit}");
    at.sandbox.set_date_off(Duration::minutes(5));
    at.ok("tenant crl enable");
    at.ok("tenant crl upload");
}
