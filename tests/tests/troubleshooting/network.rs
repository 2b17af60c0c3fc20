//! The server, and the way to it.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::broker::{
    Reply, listen, paper_broker, polite, server_certificate, server_certificate_for,
};
use c8y_pki_tests::cli::{Cli, Outcome};
use c8y_pki_tests::workshop::{bundle, ca, device, root, upload};

use crate::rows::row;

/// A directory with the files of a device.
fn with_device() -> Cli {
    let cli = Cli::new();
    let root = root("Root", None);
    let line = ca("Line", &root, None);
    let device = device("gw-1", &line);
    bundle(&cli, "b", &device, &[&device, &line, &root]);
    cli.write("root.pem", root.pem());
    cli
}

/// A check with the truststore `server-ca.pem`.
fn check(cli: &Cli, host: &str, port: u16) -> Outcome {
    let line = "device check --bundle b --truststore server-ca.pem --timeout 5 --json";
    cli.run(&format!("{line} --host {host} --port {port}"))
}

/// The same where the server's name does not come into it.
fn check_bare(host: &str, port: u16) -> Outcome {
    let cli = with_device();
    cli.write("server-ca.pem", cli.read("root.pem"));
    check(&cli, host, port).expect(3)
}

#[test]
fn name_unknown() {
    row("name-unknown").holds(&check_bare("nowhere.invalid", 8883));
}

#[test]
fn port_closed() {
    // A port of MQTT over TLS that nobody has on this machine.
    row("port-closed").holds(&check_bare("127.0.0.1", 8883));
}

#[test]
fn firewall() {
    // A queue that is full swallows connections, as a firewall does.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        held.push(stream);
    }
    row("firewall").holds(&check_bare("127.0.0.1", address.port()));
    drop(listener);
}

#[test]
fn port_of_https() {
    let at = AtTenant::new(with_device());
    at.cli.write("server-ca.pem", at.sandbox.ca_pem());
    let url = at.sandbox.url();
    let port = url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    row("port-of-https").holds(&check(&at.cli, "localhost", port).expect(3));
}

#[test]
fn port_of_plain_mqtt() {
    // A broker closes on what is no MQTT.
    let port = listen(|mut stream| {
        let _ = stream.read(&mut [0; 512]);
    });
    row("port-of-plain-mqtt").holds(&check_bare("localhost", port));
}

/// A server that asks for no certificate, and answers each CONNECT with a code.
fn without_certificates(code: u8) -> Option<Outcome> {
    let cli = with_device();
    server_certificate(&cli)?;
    let port = paper_broker(&cli, move |_, _| Reply::Octets(vec![0x20, 2, 0, code]));
    Some(check(&cli, "localhost", port).expect(1))
}

#[test]
fn port_for_passwords() {
    let Some(outcome) = without_certificates(4) else { return };
    row("port-for-passwords").holds(&outcome);
}

#[test]
fn inspection_trusted() {
    let Some(outcome) = without_certificates(5) else { return };
    let report = row("inspection-trusted").holds(&outcome);
    // Certain of that, it does not try again.
    assert_eq!(report["attempts"], 1, "{report}");
}

#[test]
fn inspection() {
    let cli = with_device();
    let Some(()) = server_certificate(&cli) else { return };
    let port = paper_broker(&cli, polite);
    // The truststore has the platform's CA, and another one answers.
    let platform = AtTenant::new(Cli::new());
    cli.write("server-ca.pem", platform.sandbox.ca_pem());
    let report = row("inspection").holds(&check(&cli, "localhost", port).expect(2));
    assert_eq!(report["causes"][1]["code"], "intercepted", "{report}");
}

#[test]
fn truststore_lacks_ca() {
    let at = AtTenant::new(with_device());
    // The devices' own CA in place of the server's.
    at.cli.write("server-ca.pem", at.cli.read("root.pem"));
    let outcome = check(&at.cli, "localhost", at.sandbox.mqtt_port());
    row("truststore-lacks-ca").holds(&outcome.expect(2));
}

#[test]
fn truststore_old_ca() {
    let cli = with_device();
    let Some(()) = server_certificate(&cli) else { return };
    let port = paper_broker(&cli, polite);
    let former = Cli::new();
    server_certificate(&former).expect("OpenSSL is there");
    cli.write("server-ca.pem", former.read("server-ca.pem"));
    row("truststore-old-ca").holds(&check(&cli, "localhost", port).expect(2));
}

/// A server whose certificate counts from so many days from now on, up to so many.
fn server_dated(from: i64, to: i64) -> Option<Outcome> {
    let cli = with_device();
    server_certificate_for(&cli, from, to)?;
    let port = paper_broker(&cli, polite);
    Some(check(&cli, "localhost", port).expect(3))
}

#[test]
fn server_expired() {
    let Some(outcome) = server_dated(-60, -10) else { return };
    row("server-expired").holds(&outcome);
    // When it has expired since the device was made, the clock may be to blame too.
    let lately = server_dated(-60, -1).expect("OpenSSL is there").json();
    assert_eq!(lately["causes"][0]["code"], "clock-ahead", "{lately}");
}

#[test]
fn server_not_yet_valid() {
    let Some(outcome) = server_dated(1, 10) else { return };
    row("server-not-yet-valid").holds(&outcome);
}

#[test]
fn server_other_name() {
    let cli = with_device();
    let Some(()) = server_certificate(&cli) else { return };
    let port = paper_broker(&cli, polite);
    let report = row("server-other-name").holds(&check(&cli, "127.0.0.1", port).expect(3));
    assert_eq!(report["verdict"], "not_reached", "{report}");
    let detail = report["steps"][6]["detail"].as_str().expect("text");
    assert!(detail.ends_with("is not for \"127.0.0.1\", but for localhost"), "{detail}");
}

/// A check without a login, of a device that the tenant would let in but for this fault.
fn faulted(fault: &str, code: i32) -> Outcome {
    let at = AtTenant::new(Cli::new());
    let root = root("Root", None);
    let device = device("gw-1", &root);
    bundle(&at.cli, "b", &device, &[&device, &root]);
    upload(&at, &root, "--prove --auto-registration");
    at.cli.write("server-ca.pem", at.sandbox.ca_pem());
    at.sandbox.set_faults(fault.parse().expect("faults"));
    check(&at.cli, "localhost", at.sandbox.mqtt_port()).expect(code)
}

#[test]
fn server_silent() {
    row("server-silent").holds(&faulted("silent=1", 3));
}

#[test]
fn server_closes() {
    let report = row("server-closes").holds(&faulted("close=1", 3));
    assert_eq!(report["tenant"], serde_json::Value::Null, "{report}");
}

#[test]
fn unavailable() {
    let report = row("unavailable").holds(&faulted("connack3=1", 3));
    assert_eq!(report["attempts"], 3, "{report}");
}

#[test]
fn connected_twice() {
    let cli = with_device();
    let Some(()) = server_certificate(&cli) else { return };
    let answer = |kind, body: &[u8]| if kind == 3 { Reply::Close } else { polite(kind, body) };
    let port = paper_broker(&cli, answer);
    row("connected-twice").holds(&check(&cli, "localhost", port).expect(3));
}

#[test]
fn ca_list_too_large() {
    let outcome = faulted("large-ca-list", 3);
    let report = row("ca-list-too-large").holds(&outcome);
    assert!(!outcome.stdout.contains("PayloadTooLarge"), "{report}");
}
