//! `device check` with a login of the tenant: when it asks, what it makes of no answer, and of a
//! platform that is overloaded. The causes themselves are in `troubleshooting`.

use c8y_pki_sandbox::Faults;
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{Cli, Outcome, PASSWORD};
use c8y_pki_tests::workshop::{Made, bundle, device, root, upload};
use serde_json::{Value, json};

/// A tenant that has the CA, with auto-registration off: gw-1 is refused for that.
fn refused() -> AtTenant {
    let (at, root) = (AtTenant::new(Cli::new()), root("Root", None));
    upload(&at, &root, "--prove");
    files(&at, &root, "gw-1");
    at
}

fn files(at: &AtTenant, root: &Made, id: &str) {
    let device = device(id, root);
    bundle(&at.cli, &format!("out/{id}"), &device, &[&device, root]);
}

fn line(at: &AtTenant, more: &str) -> String {
    let port = at.sandbox.mqtt_port();
    format!("device check --port {port} --truststore sandbox-ca.pem --attempts 1 {more}")
}

fn codes(report: &Value) -> Vec<&str> {
    let causes = report["causes"].as_array().expect("causes").iter();
    causes.map(|cause| cause["code"].as_str().expect("a code")).collect()
}

/// How often a path was asked for.
fn asked(at: &AtTenant, path: &str) -> usize {
    let state = at.sandbox.state();
    let all = state["connections"].as_array().expect("a list").iter();
    all.filter(|c| c["method"] == "GET" && c["path"].as_str().is_some_and(|p| p.contains(path)))
        .count()
}

#[test]
fn without_a_login_nobody_is_asked() {
    let at = refused();
    let url = at.sandbox.url();
    let host = ("C8Y_HOST", url.as_str());
    let ca = ("C8Y_PKI_CACERT", "sandbox-ca.pem");
    let before = at.sandbox.state()["requests"].as_u64().expect("a number");
    // A user without a password is none, and nobody is asked for it.
    for variables in [&[host, ca][..], &[host, ca, ("C8Y_USER", "admin")]] {
        let report = at.cli.run_with(&line(&at, "gw-1 --json"), variables, b"").expect(1).json();
        assert_eq!(report["tenant"], Value::Null);
        assert!(
            report["causes"].as_array().expect("causes").iter().all(|c| c["certainty"] == "likely")
        );
        let note = report["notes"].as_array().expect("notes").last().expect("a note");
        assert!(note.as_str().is_some_and(|n| n.starts_with("set C8Y_USER and")), "{report}");
    }
    let state = at.sandbox.state();
    let rest = state["connections"].as_array().expect("a list").iter();
    let rest = rest.filter(|c| c["port"] == "https" && c["number"].as_u64() > Some(before));
    assert_eq!(rest.count(), 0);
}

#[test]
fn the_text_says_what_the_tenant_says() {
    let at = refused();
    let text = at.run(&line(&at, "gw-1")).expect(1).stdout;
    let wanted = "tenant: t1001 at localhost says: CA uploaded: yes (Root), enabled: yes, \
                  auto-registration: no, proof complete: yes, device registered: no, revoked: no, \
                  revocation checked: no\n";
    assert!(text.contains(wanted), "{text}");
    let cause = " 1. auto-registration is off for the CA, and the device gw-1 is not registered (the \
                 tenant says so)\n";
    assert!(text.contains(cause), "{text}");
    assert!(text.contains("`c8y-pki tenant trust update \"Root\" --auto-registration`"), "{text}");
    assert!(!text.contains("set C8Y_USER"), "{text}");
    // Named twice it is one device.
    let twice = at.run(&line(&at, "gw-1 gw-1")).expect(1).stdout;
    assert!(twice.contains(wanted) && twice.contains(cause), "{twice}");
    // Of many, one line.
    let many = at.run(&line(&at, "gw-1 gw-2")).expect(1).stdout;
    assert!(many.contains("[not-registered] (the tenant says so)\n"), "{many}");
}

#[test]
fn every_way_to_log_in_will_do() {
    let at = refused();
    let token = at.sandbox.token();
    at.cli.write("token", token.expose());
    let url = at.sandbox.url();
    let base = [("C8Y_HOST", url.as_str())];
    let confirmed = |outcome: Outcome| {
        let report = outcome.expect(1).json();
        assert_eq!(report["causes"][0]["certainty"], "confirmed", "{report}");
    };
    let run = |more: &str, variables: &[(&str, &str)]| {
        let all = [&base[..], variables].concat();
        at.cli.run_with(
            &line(&at, &format!("gw-1 --json --cacert sandbox-ca.pem {more}")),
            &all,
            b"",
        )
    };
    confirmed(run("--user admin --tenant-password-file pw", &[]));
    confirmed(run("--token-file token", &[]));
    confirmed(run("", &[("C8Y_TOKEN", token.expose())]));
    confirmed(run("", &[("C8Y_USERNAME", "t1001/admin"), ("C8Y_PASSWORD", PASSWORD)]));
    // The host of REST is that of C8Y_HOST, with its port, wherever the device connects to; it may be
    // another tenant's, then.
    let other = run("--host 127.0.0.1 --user admin --tenant-password-file pw", &[]);
    let other = other.expect(1).json();
    assert_eq!(
        (&other["tenant"]["host"], &other["tenant"]["uploaded"]),
        (&json!("localhost"), &json!(true))
    );
    assert_eq!(other["causes"][0]["code"], "other-tenant", "{other}");
    assert!(other["causes"].as_array().expect("causes").iter().all(|c| c["certainty"] == "likely"));
    let note = other["notes"].as_array().expect("notes").last().expect("a note").to_string();
    assert!(note.contains("asked at localhost, but the device connects to 127.0.0.1"), "{note}");
    let bad = run("--tenant-password-file nothing --user admin", &[]).expect(2);
    assert!(bad.stderr.contains("cannot read nothing"), "{bad:?}");
    for half in ["--user admin", "--tenant-password-file pw"] {
        let outcome = run(half, &[]).expect(2);
        assert!(outcome.stderr.contains("without a"), "{outcome:?}");
    }
}

#[test]
fn a_tenant_that_does_not_answer_is_a_note() {
    let at = refused();
    let report = |outcome: Outcome| outcome.expect(1).json();
    let note = |report: &Value| {
        report["notes"].as_array().expect("notes").last().expect("one").to_string()
    };
    let run =
        |variables: &[(&str, &str)]| report(at.run_with(&line(&at, "gw-1 --json"), variables));

    let denied = run(&[("C8Y_PASSWORD", "wrong")]);
    assert!(note(&denied).contains("does not accept the password"), "{denied}");
    assert_eq!((&denied["tenant"], codes(&denied)[0]), (&Value::Null, "ca-not-uploaded"));

    // A user who may not see all of it: what it tells excludes, what it does not tell stays.
    let reader = run(&[("C8Y_USER", "reader")]);
    assert_eq!(reader["tenant"]["uploaded"], true, "{reader}");
    assert_eq!(reader["tenant"]["registered"], Value::Null, "{reader}");
    assert_eq!(reader["tenant"]["revoked"], false, "{reader}");
    let left = codes(&reader);
    assert!(left.contains(&"not-registered") && !left.contains(&"revoked"), "{reader}");
    assert!(!left.contains(&"ca-not-uploaded"), "{reader}");
    assert!(
        note(&reader).contains("may not GET /identity/externalIds/c8y_Serial/gw-1"),
        "{reader}"
    );

    let port = c8y_pki_tests::ports::free_port();
    let away = run(&[("C8Y_HOST", &format!("https://localhost:{port}"))]);
    assert!(note(&away).contains("cannot connect to localhost"), "{away}");

    let token = at.sandbox.token();
    // It is asked once, and the note stays, however often the device tries.
    let again = line(&at, "gw-1 --json").replace("--attempts 1", "--attempts 2");
    let twice = report(at.run_with(&again, &[("C8Y_PASSWORD", "wrong")]));
    assert_eq!(twice["attempts"], 2, "{twice}");
    let untold = twice["notes"].as_array().expect("notes").iter().map(Value::to_string);
    assert_eq!(untold.filter(|n| n.contains("does not accept")).count(), 1, "{twice}");

    let other = run(&[("C8Y_TENANT", "t1002"), ("C8Y_TOKEN", token.expose())]);
    assert!(note(&other).contains("t1002"), "{other}");
}

#[test]
fn the_lists_are_fetched_once_and_only_who_is_refused_is_asked_about() {
    let (at, root) = (AtTenant::new(Cli::new()), root("Root", None));
    upload(&at, &root, "--prove");
    let ids: Vec<String> = (0..8).map(|n| format!("d-{n}")).collect();
    ids.iter().for_each(|id| files(&at, &root, id));
    at.cli.write("list.csv", format!("id\n{}\n", ids.join("\n")));
    at.cli.write(
        "registered.csv",
        "ID;AUTH_TYPE;IDTYPE;TYPE;NAME\nd-0;CERTIFICATES;c8y_Imei;t;n\nd-1;CERTIFICATES;;t;n\n",
    );
    at.ok("registration upload registered.csv");
    let before = asked(&at, "/trusted-certificates");
    let outcome = at.run(&line(&at, "--from list.csv --json")).expect(1);
    let mut lines = outcome.json_lines();
    let summary = lines.pop().expect("a summary")["summary"].clone();
    assert_eq!((&summary["connected"], &summary["refused"]), (&json!(2), &json!(6)), "{summary}");
    assert_eq!(summary["causes"], json!({ "not-registered": 6 }));
    assert_eq!(
        asked(&at, "/trusted-certificates") - before,
        2,
        "the list, and that of revocations"
    );
    assert_eq!(asked(&at, "/tenant/currentTenant"), 1 + 2, "once by it");
    assert_eq!(asked(&at, "/identity/externalIds/c8y_Serial/"), 6);
    let told =
        at.cli.run_with(&line(&at, "--from list.csv"), &[("C8Y_HOST", &at.sandbox.url())], b"");
    assert!(told.expect(1).stderr.contains("set C8Y_USER and C8Y_PASSWORD"));
}

#[test]
fn an_external_id_of_another_type_is_found_by_it() {
    let (at, root) = (AtTenant::new(Cli::new()), root("Root", None));
    upload(&at, &root, "--prove --disabled");
    files(&at, &root, "gw-1");
    at.cli.write("list.csv", "ID;AUTH_TYPE;IDTYPE;TYPE;NAME\ngw-1;CERTIFICATES;c8y_Imei;t;n\n");
    at.ok("registration upload list.csv");
    // The list that registered it names the type.
    at.cli.write("devices.csv", "id,idtype\ngw-1,c8y_Imei\n");
    for (more, registered) in
        [("gw-1", false), ("gw-1 --id-type c8y_Imei", true), ("--from devices.csv", true)]
    {
        let outcome = at.run(&line(&at, &format!("{more} --json"))).expect(1);
        let report = outcome.json_lines()[0].clone();
        assert_eq!(codes(&report)[0], "ca-disabled", "{report}");
        assert_eq!(report["tenant"]["registered"], registered, "{report}");
    }
}

#[test]
fn overload_that_passes_is_a_note() {
    let (at, root) = (AtTenant::new(Cli::new()), root("Root", None));
    upload(&at, &root, "--prove --auto-registration");
    files(&at, &root, "gw-1");
    let port = at.sandbox.mqtt_port();
    let line = format!("device check gw-1 --port {port} --truststore sandbox-ca.pem --json");
    for fault in ["connack5=0.5", "connack3=0.5", "late=0.5"] {
        // The first connection fails with this seed, the second does not.
        let faults = format!("{fault},seed=1");
        at.sandbox.set_faults(faults.parse::<Faults>().expect("faults"));
        let report = at.run(&line).expect(0).json();
        assert_eq!((&report["verdict"], &report["attempts"]), (&"connected".into(), &json!(2)));
        let steps = report["steps"].as_array().expect("steps");
        assert!(steps.len() == 11 && steps.iter().all(|s| s["outcome"] == "ok"), "{report}");
        let note = report["notes"].as_array().expect("notes").last().expect("one").to_string();
        assert!(note.contains("probably overloaded") && note.contains("CONNACK"), "{note}");
    }
    // No second attempt is made where none is wanted.
    at.sandbox.set_faults("connack5=0.5,seed=1".parse::<Faults>().expect("faults"));
    let once = at.run(&format!("{line} --attempts 1")).expect(1).json();
    assert_eq!(once["attempts"], 1, "{once}");
    at.run(&format!("{line} --attempts 0")).expect(2);
}
