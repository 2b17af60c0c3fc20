//! What the command's flags change, seen by OpenSSL: the CAs that a handshake lists, the server's
//! certificate, and what REST says of a chain.

use c8y_pki_tests::contract::{Reply, Running};
use c8y_pki_tests::openssl::{EC, OpenSsl};
use c8y_pki_tests::tool;
use serde_json::{Value, json};

use crate::setting::wait;

/// What OpenSSL sees in a handshake with a port that the sandbox has told.
fn handshake(openssl: &OpenSsl, running: &Running, port: &str, more: &str) -> String {
    let (address, ca) = (running.told(port), running.told("ca_file"));
    openssl.run(&format!("s_client -connect {address} -CAfile {ca} -showcerts {more}"))
}

fn upload(openssl: &OpenSsl, running: &Running, ca: &str) -> Reply {
    let pem = openssl.text(&format!("{ca}.pem"));
    let body = json!({ "name": ca, "status": "ENABLED", "certInPemFormat": pem });
    let path = "/tenant/tenants/t1001/trusted-certificates";
    running.as_user("admin", "POST", path).json(&body).send()
}

#[test]
fn the_cas_in_the_handshake() {
    let running = Running::start("--mqtt-service");
    let Some(openssl) = OpenSsl::at(&running.cli.path("")) else { return };
    openssl.root("ca", EC);
    assert_eq!(upload(&openssl, &running, "ca").status, 201);
    let said = handshake(&openssl, &running, "mqtt_address", "");
    assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
    let (_, names) = said.split_once("Acceptable client certificate CA names\n").expect("names");
    let name = names.lines().next().unwrap_or_default().replace(' ', "");
    assert_eq!(name, "O=Example,CN=ca");
    let said = handshake(&openssl, &running, "mqtt_service_address", "");
    assert!(said.contains("No client certificate CA names sent"), "{said}");
}

/// The command's MQTT Service: a client of MQTT 5 is let in as a device, and told apart from one that may not.
#[test]
fn the_service_of_the_command_speaks_mqtt_5() {
    let running = Running::start("--mqtt-service");
    let Some(openssl) = OpenSsl::at(&running.cli.path("")) else { return };
    let Some(publish) = tool("mosquitto_pub") else { return };
    openssl.root("ca", EC);
    openssl.device("gw-1", "ca");
    let body = json!({
        "name": "ca", "status": "ENABLED", "autoRegistrationEnabled": true,
        "certInPemFormat": openssl.text("ca.pem"),
    });
    let path = "/tenant/tenants/t1001/trusted-certificates";
    assert_eq!(running.as_user("admin", "POST", path).json(&body).send().status, 201);
    let (host, port) = running.told("mqtt_service_address").split_once(':').expect("a port");
    for (id, code) in [("gw-1", 0), ("gw-2", 0x87)] {
        let line =
            format!("-h {host} -p {port} -V mqttv5 -q 1 -t own/topic -m hello -u t1001 -i {id}");
        let mut command = std::process::Command::new(publish.path());
        command.args(line.split(' ')).args(["--cafile", running.told("ca_file")]);
        command.args(["--cert", &openssl.arg("gw-1-chain.pem"), "--key", &openssl.arg("gw-1.key")]);
        let output = command.output().expect("it starts");
        assert_eq!(output.status.success(), code == 0, "{output:?}");
        let connect = wait("a line about it", || {
            let log = running.cli.text("sandbox.log");
            let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.find(|line| {
                let what = ["port", "method", "path"].map(|name| line[name].as_str());
                what == [Some("mqtt-service"), Some("CONNECT"), Some(id)]
            })
        });
        assert_eq!(connect["status"], code, "{connect}");
    }
}

#[test]
fn handshakes_that_are_odd_on_purpose() {
    let running = Running::start("--fault large-ca-list");
    let Some(openssl) = OpenSsl::at(&running.cli.path("")) else { return };
    let said = handshake(&openssl, &running, "mqtt_address", "");
    assert_eq!(said.lines().filter(|line| line.contains("Another CA")).count(), 512);
    let read = said.lines().find_map(|line| line.strip_prefix("SSL handshake has read "));
    let read = read.and_then(|read| read.split(' ').next()).and_then(|read| read.parse().ok());
    assert!(read.is_some_and(|bytes: usize| bytes > 64 * 1024), "{said}");

    let running = Running::start("--fault foreign-ca-list --fault self-signed");
    let Some(openssl) = OpenSsl::at(&running.cli.path("")) else { return };
    let said = handshake(&openssl, &running, "mqtt_address", "");
    assert_eq!(said.lines().filter(|line| line.contains("Another CA")).count(), 3, "{said}");
    // OpenSSL trusts it once it is given.
    assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
    let told = openssl.run(&format!("x509 -in {} -noout -text", running.told("ca_file")));
    assert!(told.contains("CA:TRUE") && told.contains("DNS:localhost"), "{told}");
}

#[test]
fn how_long_a_chain_may_be_and_what_it_needs() {
    let verdict = |flags: &str| {
        let running = Running::start(flags);
        let openssl = OpenSsl::at(&running.cli.path(""))?;
        openssl.root("root", EC);
        openssl.intermediate("line", "root");
        openssl.device("gw-1", "line");
        assert_eq!(upload(&openssl, &running, "root").status, 201);
        let chain = openssl.text("gw-1-chain.pem");
        let path = "/tenant/trusted-certificates/verify-cert-chain";
        let call = running.as_user("admin", "POST", path);
        Some(call.form(&[("file", "text/plain", &chain)]).send().status)
    };
    for (flags, status) in [("", 200), ("--require-proof", 401), ("--longest-chain 2", 401)] {
        let Some(told) = verdict(flags) else { return };
        assert_eq!(told, status, "{flags}");
    }
}
