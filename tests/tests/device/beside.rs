//! A device that sends user and password beside its certificate, right or wrong: what the platform does in each of the
//! four cases, by mosquitto's client, and what `device check` says of it.

use std::process::Command;

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{Cli, Outcome, PASSWORD};
use c8y_pki_tests::workshop::{bundle, device, root, upload};
use c8y_pki_tests::{Tool, tool};
use serde_json::Value;

/// gw-1 with its certificate, and a tenant to which its CA is uploaded.
fn at() -> AtTenant {
    let (at, root) = (AtTenant::new(Cli::new()), root("Root", None));
    upload(&at, &root, "--prove --auto-registration");
    let device = device("gw-1", &root);
    bundle(&at.cli, "out/gw-1", &device, &[&device, &root]);
    at.cli.write("wrong", "Another-Secret-1\n");
    at
}

/// A certificate of a CA that nobody has uploaded.
fn another_ca(at: &AtTenant) {
    let other = root("Other", None);
    let device = device("gw-1", &other);
    bundle(&at.cli, "out/gw-1", &device, &[&device, &other]);
}

/// Whether mosquitto's client gets in with user and password, and with or without the certificate.
fn mosquitto(at: &AtTenant, publish: &Tool, password: &str, certificate: bool) -> bool {
    let port = at.sandbox.mqtt_port().to_string();
    let mut command = Command::new(publish.path());
    command
        .current_dir(at.cli.path(""))
        .args(["-h", "localhost", "-p", &port, "--cafile", "sandbox-ca.pem", "-i", "d:gw-1"])
        .args(["-u", "t1001/admin", "-P", password, "-q", "1", "-t", "s/us", "-m", "100,G,t"]);
    if certificate {
        command.args(["--cert", "out/gw-1/chain.pem", "--key", "out/gw-1/key.pem"]);
    }
    command.output().expect("it starts").status.success()
}

fn check(at: &AtTenant, password_file: &str) -> Outcome {
    let port = at.sandbox.mqtt_port();
    let login = format!("--mqtt-user t1001/admin --mqtt-password-file {password_file}");
    at.cli.run(&format!(
        "device check gw-1 --host localhost --port {port} --truststore sandbox-ca.pem --attempts 1 --json {login}"
    ))
}

fn has_note(report: &Value, words: &str) -> bool {
    let notes = report["notes"].as_array().expect("notes").iter();
    notes.filter_map(Value::as_str).any(|note| note.contains(words))
}

const ACCEPTED: &str = "user and password alone, without the certificate, are accepted";
const REFUSED: &str =
    "user and password alone, without the certificate, are refused with CONNACK 4";

#[test]
fn a_right_certificate_counts_whatever_the_password() {
    let at = at();
    for (file, password, alone) in
        [("pw", PASSWORD, ACCEPTED), ("wrong", "Another-Secret-1", REFUSED)]
    {
        let report = check(&at, file).expect(0).json();
        assert!(has_note(&report, "accepted the device by its certificate"), "{report}");
        assert!(has_note(&report, alone), "{report}");
        if let Some(publish) = tool("mosquitto_pub") {
            assert!(mosquitto(&at, &publish, password, true));
            assert_eq!(mosquitto(&at, &publish, password, false), file == "pw");
        }
    }
}

#[test]
fn a_wrong_certificate_spoils_a_right_password() {
    let at = at();
    another_ca(&at);
    let report = check(&at, "pw").expect(1).json();
    let first = &report["causes"][0];
    assert_eq!(first["code"], "certificate-beside-password", "{report}");
    assert_eq!(report["causes"][1]["code"], "ca-not-in-list", "{report}");
    assert!(has_note(&report, ACCEPTED), "{report}");
    let wrong = check(&at, "wrong").expect(1).json();
    assert_eq!(wrong["causes"][0]["code"], "ca-not-in-list", "{wrong}");
    assert!(has_note(&wrong, REFUSED), "{wrong}");
    // What the remedy says works, and nothing else does.
    let Some(publish) = tool("mosquitto_pub") else { return };
    let tried = [
        (PASSWORD, true),
        (PASSWORD, false),
        ("Another-Secret-1", true),
        ("Another-Secret-1", false),
    ];
    let let_in =
        tried.map(|(password, certificate)| mosquitto(&at, &publish, password, certificate));
    assert_eq!(let_in, [false, true, false, false]);
}

#[test]
fn an_expired_certificate_is_named_first() {
    let at = at();
    let ca = root("Root 2", None);
    upload(&at, &ca, "--prove --auto-registration");
    let old = c8y_pki_tests::workshop::device_for("gw-1", &ca, -5, -1);
    bundle(&at.cli, "out/gw-1", &old, &[&old, &ca]);
    let report = check(&at, "pw").expect(2).json();
    let codes = [&report["causes"][0]["code"], &report["causes"][1]["code"]];
    assert_eq!(codes, ["expired", "certificate-beside-password"], "{report}");
    assert!(has_note(&report, ACCEPTED), "{report}");
    let Some(publish) = tool("mosquitto_pub") else { return };
    assert!(!mosquitto(&at, &publish, PASSWORD, true) && mosquitto(&at, &publish, PASSWORD, false));
}

#[test]
fn it_is_the_user_of_one_device_at_port_8883() {
    let at = at();
    let login = "--mqtt-user t1001/admin --mqtt-password-file pw --host localhost";
    let several = at.cli.fails(2, &format!("device check gw-1 gw-2 {login}"));
    assert!(several.contains("--mqtt-user is for one device"), "{several}");
    let service = at.cli.fails(2, &format!("device check gw-1 --mqtt-service {login}"));
    assert!(service.contains("the MQTT user is the tenant's id"), "{service}");
}
