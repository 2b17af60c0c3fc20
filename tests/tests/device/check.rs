//! `device check` against a real broker that wants client certificates: what connects, and what is
//! refused. The causes that it names, set-up by set-up, are in `troubleshooting`.

use std::time::Duration;

use c8y_pki_engine::device::check::{self, Check};
use c8y_pki_engine::device::credentials::{Credentials, Files, Place};
use c8y_pki_engine::device::link::Target;
use c8y_pki_tests::broker::{Mosquitto, server_certificate};
use c8y_pki_tests::cli::{CA_PW, Cli, Outcome, PASSWORD};
use c8y_pki_tests::openssl::OpenSsl;
use c8y_pki_tests::workshop::{Made, device_minutes};
use serde_json::Value;

const STORE_PW: &str = "--store-password-file pw";

/// A directory with CAs, a server's certificate, and the device `gw-1` with all kinds of files.
fn with_device() -> Option<Cli> {
    let cli = Cli::with_cas();
    server_certificate(&cli)?;
    let kinds = "pem,p12,jks,truststore-p12,truststore-jks";
    cli.ok(&format!(
        "device issue gw-1 --ca line --out out --bundle {kinds} --server-cert server-ca.pem {CA_PW} \
         {STORE_PW}"
    ));
    Some(cli)
}

/// The same with a broker that trusts the root.
fn with_broker() -> Option<(Cli, Mosquitto)> {
    let cli = with_device()?;
    let broker = Mosquitto::start(&cli, "pki/ca/root/cert.pem", "")?;
    Some((cli, broker))
}

/// Runs a check against a port of this machine.
fn run(cli: &Cli, port: u16, line: &str) -> Outcome {
    cli.run(&format!("device check --host localhost --port {port} {line}"))
}

/// The report of a check that has to end with that code.
fn report(cli: &Cli, port: u16, line: &str, code: i32) -> Value {
    run(cli, port, &format!("{line} --json")).expect(code).json()
}

/// The step that failed, and the first cause.
fn failure(report: &Value) -> (String, String) {
    let steps = report["steps"].as_array().unwrap();
    let failed =
        steps.iter().find(|s| s["outcome"] == "failed").unwrap_or_else(|| panic!("{report}"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&failed["step"]), text(&report["causes"][0]["code"]))
}

fn fails_with(report: &Value, step: &str, cause: &str) {
    let wanted = (step.to_owned(), cause.to_owned());
    assert_eq!(failure(report), wanted, "{report}");
}

#[test]
fn a_device_connects_with_each_kind_of_files() {
    let Some((cli, broker)) = with_broker() else { return };
    for line in [
        format!("gw-1 {STORE_PW}"),
        format!("--bundle out/gw-1 {STORE_PW}"),
        "--bundle out/gw-1 --truststore server-ca.pem".to_owned(),
        format!("--keystore out/gw-1/keystore.p12 --truststore out/gw-1/truststore.p12 {STORE_PW}"),
        format!("--keystore out/gw-1/keystore.jks --truststore out/gw-1/truststore.jks {STORE_PW}"),
        format!("--keystore out/gw-1/keystore.p12 --truststore server-ca.pem {STORE_PW}"),
        // The recipe of the platform: the server's own certificate.
        "gw-1 --truststore server.pem".to_owned(),
    ] {
        let report = report(&cli, broker.port, &line, 0);
        assert_eq!((&report["device"], &report["verdict"]), (&"gw-1".into(), &"connected".into()));
        let steps = report["steps"].as_array().unwrap();
        assert!(steps.len() == 11 && steps.iter().all(|s| s["outcome"] == "ok"), "{report}");
        assert_eq!(report["causes"], serde_json::json!([]));
    }
    let log = cli.text("mosquitto.log");
    assert!(log.contains("as d:gw-1 (p2, c1, k60)"), "{log}");
    assert!(
        log.contains("Received PUBLISH from d:gw-1 (d0, q1, r0, m1, 's/us', ... (24 bytes))"),
        "{log}"
    );
    assert!(log.contains("Received DISCONNECT from d:gw-1"), "{log}");
}

#[test]
fn text_has_a_line_for_each_step() {
    let Some((cli, broker)) = with_broker() else { return };
    let text = run(&cli, broker.port, &format!("gw-1 {STORE_PW}")).expect(0).stdout;
    assert!(text.starts_with("gw-1 connects to localhost:"), "{text}");
    let steps: Vec<&str> = text.lines().filter(|line| line.starts_with("ok  ")).collect();
    assert_eq!(steps.len(), 11, "{text}");
    assert!(steps[8].starts_with("ok  publish    100,gw-1,c8y_MQTTDevice on s/us"), "{text}");
    assert!(!text.contains("note:"), "{text}");

    let refused = run(&cli, broker.port, "gw-2").expect(2).stdout;
    assert!(refused.starts_with("gw-2 was not connected to localhost:"), "{refused}");
    assert!(refused.contains("FAILED  files"), "{refused}");
    assert!(refused.contains("-       receive"), "{refused}");
    assert!(refused.contains("make the files: `c8y-pki device issue gw-2 --ca NAME"), "{refused}");
}

#[test]
fn a_device_of_another_ca_is_refused_with_an_alert() {
    let Some(cli) = with_device() else { return };
    let other = Cli::with_other_cas();
    other.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    other.write("trust.pem", cli.read("server-ca.pem"));
    // TLS 1.2 ends in the handshake, TLS 1.3 after it.
    for version in ["tls_version tlsv1.2", "tls_version tlsv1.3"] {
        let Some(broker) = Mosquitto::start(&cli, "pki/ca/root/cert.pem", version) else { return };
        let report = report(&other, broker.port, "gw-1 --truststore trust.pem", 1);
        fails_with(&report, "tls", "ca-not-uploaded");
        assert_eq!(report["verdict"], "refused");
        let detail = report["steps"][6]["detail"].as_str().unwrap();
        assert_eq!(
            detail,
            "the server ended TLS with the alert unknown_ca: it knows no CA to which the certificate leads",
            "{version}"
        );
        let good = report_of_own(&cli, broker.port);
        assert!(good["steps"][6]["detail"].as_str().unwrap().starts_with("TLS 1."), "{good}");
    }
}

fn report_of_own(cli: &Cli, port: u16) -> Value {
    report(cli, port, &format!("gw-1 {STORE_PW}"), 0)
}

#[test]
fn a_server_that_finds_a_certificate_expired_says_so() {
    let Some((cli, broker)) = with_broker() else { return };
    let made = device_minutes("gw-3", &Made::of_pki(&cli, "root"), -50, 45);
    let (key, certificate) = (made.key_pem(), made.pem());
    cli.write("gw-3/key.pem", key);
    cli.write("gw-3/chain.pem", certificate + &cli.text("pki/ca/root/cert.pem"));
    let dir = cli.path("gw-3");
    let read = Credentials::read(&Files {
        place: Place::Bundle(&dir),
        truststore: Some(&cli.path("server-ca.pem")),
        store_password: None,
        key_password: None,
    });
    // A device whose clock stands still at a time when it was valid.
    let report = check::check(
        &Check {
            silence: Duration::from_millis(100),
            attempts: 1,
            ..Check::new(
                Target { host: "localhost".to_owned(), port: broker.port },
                time::OffsetDateTime::now_utc() - time::Duration::minutes(30),
            )
        },
        read,
    );
    let report = serde_json::to_value(&report).unwrap();
    fails_with(&report, "tls", "server-clock");
    assert_eq!(report["causes"][1]["code"], "expired");
    let detail = report["steps"][6]["detail"].as_str().unwrap();
    assert!(detail.contains("the alert certificate_expired: according to its clock"), "{detail}");
}

#[test]
fn folders_with_keystores_alone_and_odd_truststores_are_read() {
    let Some((cli, broker)) = with_broker() else { return };
    for name in ["keystore.p12", "keystore.jks"] {
        cli.write(&format!("only-{name}/{name}"), cli.read(&format!("out/gw-1/{name}")));
        let line = format!("--bundle only-{name} --truststore server-ca.pem {STORE_PW}");
        let report = report(&cli, broker.port, &line, 0);
        assert!(report["steps"][0]["detail"].as_str().unwrap().contains(name), "{report}");
    }
    let openssl = OpenSsl::at(&cli.path(".")).unwrap();
    openssl.run(&format!(
        "pkcs12 -export -nokeys -in @server-ca.pem -name servercertificate -passout pass:{PASSWORD} -out @odd.p12",
    ));
    cli.write("bare/key.pem", cli.read("out/gw-1/key.pem"));
    cli.write("bare/chain.pem", cli.read("out/gw-1/chain.pem"));
    let odd =
        report(&cli, broker.port, &format!("--bundle bare --truststore odd.p12 {STORE_PW}"), 0);
    assert!(odd["notes"][0].as_str().unwrap().starts_with("Java does not see"), "{odd}");
    // The truststore added to the keystore, as the platform's recipe allows.
    cli.write("both.p12", cli.read("out/gw-1/keystore.p12"));
    cli.ok("store add both.p12 --trusted server-ca.pem --store-password-file pw");
    let both = report(&cli, broker.port, &format!("--keystore both.p12 {STORE_PW}"), 0);
    assert!(both["steps"][0]["detail"].as_str().unwrap().contains("truststore both.p12"), "{both}");
    openssl.run("x509 -in @server-ca.pem -outform der -out @server-ca.der");
    report(&cli, broker.port, "--bundle bare --truststore server-ca.der", 0);
}

#[test]
fn the_devices_own_files_are_judged_before_anything_is_sent() {
    let Some(cli) = with_device() else { return };
    cli.write("leaf/key.pem", cli.read("out/gw-1/key.pem"));
    cli.write("leaf/chain.pem", cli.read("out/gw-1/cert.pem"));
    cli.write("garbage/key.pem", "garbage");
    cli.write("wrong", "not-the-password\n");
    // Nobody listens there: what fails now has not been sent.
    let port = c8y_pki_tests::ports::free_port();
    let trust = "--truststore server-ca.pem";
    for (line, step, cause) in [
        ("--bundle garbage", "files", "files"),
        ("--keystore out/gw-1/keystore.p12 --store-password-file wrong", "files", "files"),
        ("--keystore out/gw-1/truststore.p12 --store-password-file pw", "files", "files"),
        ("gw-2 --bundle out/gw-1", "chain", "common-name"),
        ("gw-1 --uploaded server-ca.pem", "chain", "uploaded-ca-missing"),
        ("--bundle leaf --uploaded pki/ca/root/cert.pem", "chain", "uploaded-ca-missing"),
    ] {
        let report = report(&cli, port, &format!("{line} {trust}"), 2);
        fails_with(&report, step, cause);
        assert_eq!(report["verdict"], "wrong_files", "{report}");
    }
    cli.ok(&format!(
        "device issue sealed --ca line --out out --encrypt-keys --key-password-file pw {CA_PW}"
    ));
    let sealed = format!("sealed {trust}");
    let opened = report(&cli, port, &format!("{sealed} --key-password-file pw"), 3);
    fails_with(&opened, "tcp", "wrong-port");
    fails_with(
        &report(&cli, port, &format!("{sealed} --key-password-file wrong"), 2),
        "files",
        "files",
    );
    let asks = run(&cli, port, &sealed).expect(2);
    assert!(asks.error().starts_with("the password of the device's key is needed"), "{asks:?}");
    let sound = report(&cli, port, &format!("gw-1 {trust} --uploaded pki/ca/root/cert.pem"), 3);
    fails_with(&sound, "tcp", "wrong-port");
    let asks = cli.run(&format!("device check gw-1 --host localhost --port {port}")).expect(2);
    assert!(asks.error().starts_with("the password of the store is needed"), "{asks:?}");
}

#[test]
fn a_server_that_the_truststore_does_not_know_is_named() {
    let Some((cli, broker)) = with_broker() else { return };
    let root = "pki/ca/root/cert.pem";
    let untrusted = report(&cli, broker.port, &format!("gw-1 --truststore {root}"), 2);
    fails_with(&untrusted, "tls", "server-ca-missing");
    let detail = untrusted["steps"][6]["detail"].as_str().unwrap();
    assert!(detail.contains("has no certificate of CN=server-ca,O=Example"), "{detail}");
    assert!(untrusted["causes"][0]["cause"].as_str().unwrap().contains(root), "{untrusted}");

    cli.write("bare/key.pem", cli.read("out/gw-1/key.pem"));
    cli.write("bare/chain.pem", cli.read("out/gw-1/chain.pem"));
    let system = report(&cli, broker.port, "--bundle bare", 2);
    fails_with(&system, "tls", "server-ca-missing");
    assert!(system["causes"][0]["cause"].as_str().unwrap().contains("the system"), "{system}");
}

/// Four of the twenty devices of an order are tried, or all: no verdict is about those that are not tried.
fn a_sample_says_how_many_were_tried(cli: &Cli, port: u16) {
    cli.ok("order create twenty --from list.csv --ca line");
    let check = |more: &str, code: i32| {
        run(cli, port, &format!("--order twenty --truststore server-ca.pem {more}")).expect(code)
    };
    let four = check("--sample 4", 0).stdout;
    assert_eq!(four.lines().last(), Some("4 of 4 tried connect; 16 devices of 20 not tried"));
    let shown = cli.run("order show twenty --json").expect(0).json();
    assert_eq!((&shown["connected"], &shown["issued"]), (&4.into(), &20.into()), "{shown}");
    let four = check("--sample 4 --json", 0).json_lines();
    let summary = &four.last().expect("a summary")["summary"];
    assert_eq!((&summary["listed"], &summary["checked"]), (&20.into(), &4.into()), "{summary}");
    // A sample that is larger than the order is the order.
    let all = check("--sample 100", 1).stdout;
    assert!(all.contains("\n19 of 20 devices connect; 1 with wrong files\n"), "{all}");
    let alone = run(cli, port, "d-01 --sample 1").expect(2);
    assert!(alone.stderr.contains("--from <FILE>|--order <NAME>"), "{alone:?}");
}

#[test]
fn many_devices_are_checked_side_by_side() {
    let Some((cli, broker)) = with_broker() else { return };
    let ids: Vec<String> = (0..20).map(|n| format!("d-{n:02}")).collect();
    cli.write("list.csv", format!("id\n{}\n", ids.join("\n")));
    cli.ok(&format!("device issue --from list.csv --ca line --out out {CA_PW}"));
    std::fs::remove_dir_all(cli.path("out/d-07")).unwrap();
    let trust = "--truststore server-ca.pem";
    let started = std::time::Instant::now();
    let all =
        run(&cli, broker.port, &format!("--from list.csv --parallel 20 {trust} --json")).expect(1);
    // Each listens for a second: one after the other they would take twenty.
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    let mut lines = all.json_lines();
    let summary = lines.pop().unwrap()["summary"].clone();
    assert_eq!((&summary["checked"], &summary["connected"]), (&20.into(), &19.into()), "{summary}");
    assert_eq!(summary["causes"], serde_json::json!({ "files": 1 }));
    let order: Vec<&str> = lines.iter().map(|l| l["device"].as_str().unwrap_or("d-07")).collect();
    assert_eq!(order, ids);

    let some =
        run(&cli, broker.port, &format!("--from list.csv --sample 4 {trust}")).expect(0).stdout;
    assert_eq!(
        some,
        "ok      d-04\nok      d-09\nok      d-14\nok      d-19\n4 of 4 tried connect; 16 devices of 20 not tried\n"
    );
    a_sample_says_how_many_were_tried(&cli, broker.port);
    let two = run(&cli, broker.port, &format!("d-01 d-07 {trust}")).expect(1).stdout;
    assert!(two.contains("FAILED  d-07  files: "), "{two}");
    assert!(two.ends_with("1 of 2 devices connect; 1 with wrong files\n     1  files\n"), "{two}");
}
