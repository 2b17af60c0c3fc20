//! `device check` and the platform's own verdict on the chain.

use c8y_pki_sandbox::{Profile, Settings};
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::Cli;
use c8y_pki_tests::workshop::{self, bundle, upload};
use serde_json::{Value, json};

fn line(at: &AtTenant, more: &str) -> String {
    let port = at.sandbox.mqtt_port();
    format!("device check --port {port} --truststore sandbox-ca.pem --attempts 1 --json {more}")
}

/// A tenant of each profile of the sandbox.
fn of_each_profile(holds: fn(&AtTenant)) {
    for profile in [Profile::Field, Profile::Documented] {
        holds(&AtTenant::with(Cli::new(), Settings { profile, ..Settings::default() }));
    }
}

fn notes(report: &Value) -> String {
    report["notes"].to_string()
}

#[test]
fn it_is_asked_where_there_is_a_login() {
    of_each_profile(asked);
}

fn asked(at: &AtTenant) {
    let root = workshop::root("Root", None);
    upload(at, &root, "--prove --auto-registration");
    for id in ["gw-1", "gw-2"] {
        let device = workshop::device(id, &root);
        bundle(&at.cli, &format!("out/{id}"), &device, &[&device, &root]);
    }
    let report = at.run(&line(at, "gw-1")).expect(0).json();
    assert_eq!(report["platform"]["verdict"], "accepted", "{report}");
    assert_eq!(report["platform"]["other_tenant"], false, "{report}");
    let text = at.run(&line(at, "gw-1").replace("--json", "")).expect(0).stdout;
    assert!(
        text.contains("platform: its own verdict on the chain: accepted for the tenant t1001"),
        "{text}"
    );
    // Of many only those that are refused are asked about, and without a login nobody is.
    for report in &at.run(&line(at, "gw-1 gw-2")).expect(0).json_lines()[..2] {
        assert_eq!(report["platform"], Value::Null, "{report}");
    }
    let url = at.sandbox.url();
    let alone = at.cli.run_with(&line(at, "gw-1"), &[("C8Y_HOST", url.as_str())], b"");
    assert_eq!(alone.expect(0).json()["platform"], Value::Null);
    at.ok("tenant trust update Root --disable");
    let refused = at.run(&line(at, "gw-1")).expect(1).json();
    assert_eq!(refused["causes"][0]["code"], "ca-disabled", "{refused}");
    assert_eq!(refused["platform"]["verdict"], "refused", "{refused}");
    let codes = refused["causes"].to_string();
    assert!(!codes.contains("overload") && !codes.contains("registered"), "{refused}");
}

#[test]
fn the_platforms_verdict_counts_where_ours_differs() {
    of_each_profile(differs);
}

fn differs(at: &AtTenant) {
    let (root, stranger) = (workshop::root("Root", None), workshop::root("Stranger", None));
    upload(at, &root, "--prove --auto-registration");
    let device = workshop::device("gw-1", &root);
    bundle(&at.cli, "out/gw-1", &device, &[&device, &root, &stranger]);
    // Without a login ours is all there is.
    let url = at.sandbox.url();
    let alone = at.cli.run_with(&line(at, "gw-1"), &[("C8Y_HOST", url.as_str())], b"").expect(2);
    assert_eq!(alone.json()["causes"][0]["code"], "not-followed-by-issuer");
    let said = at.cli.run_with(&line(at, "gw-1").replace("--json", ""), &[("C8Y_HOST", &url)], b"");
    let said = said.expect(2).stdout;
    assert!(said.starts_with("gw-1 was not connected to localhost:"), "{said}");
    assert!(!said.contains("does not connect"), "nothing was sent: {said}");
    // With one both are said, and the device shows who is right.
    let report = at.run(&line(at, "gw-1")).expect(0).json();
    assert_eq!(report["verdict"], "connected", "{report}");
    assert!(
        notes(&report).contains("our own check refuses the chain: the 2nd certificate"),
        "{report}"
    );
    assert!(notes(&report).contains("the platform accepts it, and its verdict counts"), "{report}");
    let chain = report["steps"][2]["detail"].as_str().expect("text").to_owned();
    assert!(chain.ends_with("; the platform accepts it, our own check does not"), "{chain}");
    // Where it is refused all the same, what we found is a cause.
    at.ok("tenant trust update Root --no-auto-registration");
    let unknown = workshop::device("gw-3", &root);
    bundle(&at.cli, "out/gw-3", &unknown, &[&unknown, &root, &stranger]);
    let refused = at.run(&line(at, "gw-3")).expect(1).json();
    let code = |at: usize| refused["causes"][at]["code"].clone();
    assert_eq!(
        (code(0), code(1)),
        ("not-registered".into(), "verdict-differs".into()),
        "{refused}"
    );
    // A wrong name is none of its verdict.
    at.run(&line(at, "gw-2 --bundle out/gw-1")).expect(2);
}

#[test]
fn what_was_not_asked_is_no_verdict() {
    let at = AtTenant::with(Cli::new(), Settings { verdicts: false, ..Settings::default() });
    let root = workshop::root("Root", None);
    upload(&at, &root, "--prove");
    let device = workshop::device("gw-1", &root);
    bundle(&at.cli, "out/gw-1", &device, &[&device, &root]);
    let report = at.run(&line(&at, "gw-1")).expect(1).json();
    assert_eq!(report["platform"]["verdict"], "not_asked", "{report}");
    assert_eq!(report["causes"][0]["code"], "not-registered", "{report}");
    assert!(report["causes"].to_string().contains("overload"), "{report}");
    // A chain that we refuse stays refused: 404 is no yes.
    let line_ca = workshop::ca("Line", &root, None);
    bundle(&at.cli, "out/gw-1", &device, &[&device, &root, &line_ca]);
    let refused = at.run(&line(&at, "gw-1")).expect(2).json();
    assert_eq!(refused["platform"]["verdict"], "not_asked", "{refused}");
    // So does it where nobody answers.
    let host = format!("https://localhost:{}", c8y_pki_tests::ports::free_port());
    let away =
        at.run_with(&line(&at, "gw-1 --host localhost"), &[("C8Y_HOST", &host)]).expect(2).json();
    assert_eq!(away["platform"], Value::Null, "{away}");
    assert!(
        notes(&away).contains("the platform gave no verdict on the chain: cannot connect"),
        "{away}"
    );
}

#[test]
fn of_an_expired_certificate_it_is_told() {
    let at = AtTenant::new(Cli::new());
    let root = workshop::root("Root", None);
    upload(&at, &root, "--prove --auto-registration");
    let expired = workshop::device_for("gw-1", &root, -5, -1);
    bundle(&at.cli, "out/gw-1", &expired, &[&expired, &root]);
    let report = at.run(&line(&at, "gw-1")).expect(2).json();
    assert_eq!(report["causes"][0]["code"], "expired", "{report}");
    assert_eq!(report["platform"]["verdict"], "refused", "{report}");
    assert_eq!(report["causes"][0]["certainty"], json!("shown"), "{report}");
}
