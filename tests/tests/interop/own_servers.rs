//! Servers of others with certificates of `server issue`, and clients of others that compare their names.

use std::path::Path;
use std::process::{Command, Stdio};

use c8y_pki_tests::broker::Mosquitto;
use c8y_pki_tests::cli::{CA_PW, Cli, PASSWORD};
use c8y_pki_tests::tls_servers::TlsServer;
use c8y_pki_tests::{Tool, java_dir, tool};

/// A device of the CA `line`, and a server of the root `edge` in `servers/broker`; `server.pem` and `server.key`
/// are its chain and key.
fn workshop(san: &str, profile: &str) -> Cli {
    let cli = Cli::with_cas();
    cli.ok(&format!("ca init edge --subject 'CN=Edge Server CA' --key-type ec-p256 {CA_PW}"));
    cli.ok(&format!(
        "server issue broker --ca edge --san {san} --profile {profile} --out servers \
         --bundle pem,p12,jks,truststore-p12,truststore-jks {CA_PW} --store-password-file pw"
    ));
    cli.ok(&format!(
        "device issue gw-1 --ca line --out out --bundle pem,p12,truststore-p12 \
         --server-cert pki/ca/edge/cert.pem {CA_PW} --store-password-file pw"
    ));
    cli.write("server.pem", cli.read("servers/broker/chain.pem"));
    cli.write("server.key", cli.read("servers/broker/key.pem"));
    cli
}

/// What `openssl s_client` says of a server with a name to compare.
fn verified(openssl: &Tool, cli: &Cli, port: u16, name: &[&str]) -> String {
    let output = Command::new(openssl.path())
        .args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-verify_return_error"])
        .args([
            "-CAfile",
            &cli.arg("pki/ca/edge/cert.pem"),
            "-cert",
            &cli.arg("out/gw-1/chain.pem"),
        ])
        .args(["-key", &cli.arg("out/gw-1/key.pem")])
        .args(name)
        .stdin(Stdio::null())
        .output()
        .expect("openssl starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said + &String::from_utf8_lossy(&output.stderr)
}

fn publishes(publish: &Tool, cli: &Cli, host: &str, port: u16) -> (bool, String) {
    let output = Command::new(publish.path())
        .args(["-h", host, "-p", &port.to_string(), "-t", "x", "-m", "y"])
        .args(["--cafile", &cli.arg("pki/ca/edge/cert.pem")])
        .args(["--cert", &cli.arg("out/gw-1/chain.pem"), "--key", &cli.arg("out/gw-1/key.pem")])
        .output()
        .expect("mosquitto_pub starts");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn clients_connect_to_mosquitto_by_its_names_and_by_no_others() {
    let (Some(openssl), Some(publish)) = (tool("openssl"), tool("mosquitto_pub")) else { return };
    for profile in ["server", "classic-server"] {
        let cli = workshop("DNS:localhost,DNS:*.plant.example.com", profile);
        let Some(broker) = Mosquitto::start(&cli, "pki/ca/root/cert.pem", "") else { return };
        for good in ["localhost", "a.plant.example.com"] {
            let said = verified(&openssl, &cli, broker.port, &["-verify_hostname", good]);
            assert!(said.contains("Verify return code: 0 (ok)"), "{profile}, {good}: {said}");
        }
        for bad in [
            ["-verify_hostname", "plant.example.com"],
            ["-verify_hostname", "broker"],
            ["-verify_ip", "127.0.0.1"],
        ] {
            let said = verified(&openssl, &cli, broker.port, &bad);
            assert!(said.contains("mismatch"), "{profile}, {bad:?}: {said}");
        }
        let (good, said) = publishes(&publish, &cli, "localhost", broker.port);
        assert!(good, "{profile}: {said}");
        let (good, said) = publishes(&publish, &cli, "127.0.0.1", broker.port);
        assert!(!good, "{profile}: a name was not compared: {said}");
    }
}

#[test]
fn an_address_is_a_name_and_the_renewed_certificate_is_as_good() {
    let (Some(openssl), Some(publish)) = (tool("openssl"), tool("mosquitto_pub")) else { return };
    let cli = workshop("IP:127.0.0.1", "server");
    cli.ok(&format!("server renew broker {CA_PW} --store-password-file pw"));
    cli.write("server.pem", cli.read("servers/broker/chain.pem"));
    cli.write("server.key", cli.read("servers/broker/key.pem"));
    let Some(broker) = Mosquitto::start(&cli, "pki/ca/root/cert.pem", "") else { return };
    let said = verified(&openssl, &cli, broker.port, &["-verify_ip", "127.0.0.1"]);
    assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
    let (good, said) = publishes(&publish, &cli, "127.0.0.1", broker.port);
    assert!(good, "{said}");
    // And the device of this project, with a truststore of the server's CA.
    let said = cli.run(&format!(
        "device check gw-1 --host 127.0.0.1 --port {} --truststore pki/ca/edge/cert.pem --attempts 1",
        broker.port
    ));
    let trusted = "CN=broker is trusted by pki/ca/edge/cert.pem";
    assert!(said.stdout.contains(trusted) && said.code == 0, "{said:?}");
}

/// Java as server with the keystore, and Java as client with the device's truststore.
#[test]
fn java_serves_with_the_keystore_and_trusts_by_the_truststore() {
    let cli = workshop("DNS:localhost", "classic-server");
    let Some(openssl) = tool("openssl") else { return };
    let Some(server) = java_server(&cli) else { return };
    let said = verified(&openssl, &cli, server.port, &["-verify_hostname", "localhost"]);
    assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
    let said = verified(&openssl, &cli, server.port, &["-verify_hostname", "other.example"]);
    assert!(said.contains("mismatch"), "{said}");
    let Some(broker) = Mosquitto::start(&cli, "pki/ca/root/cert.pem", "") else { return };
    let source = java_dir().join("MqttDevice.java");
    let stores = "out/gw-1/keystore.p12";
    for truststore in [
        "out/gw-1/truststore.p12",
        "servers/broker/truststore.p12",
        "servers/broker/truststore.jks",
    ] {
        let answer =
            |host: &str| java_connects(&cli, &source, &[host, stores, truststore], broker.port);
        assert_eq!(answer("localhost"), "accepted", "{truststore}");
        let said = answer("127.0.0.1");
        assert!(said.contains("No subject alternative names matching IP address"), "{said}");
    }
}

/// Java's TLS server with the keystore of `server issue`.
fn java_server(cli: &Cli) -> Option<TlsServer> {
    cli.write("java-server.p12", cli.read("servers/broker/keystore.p12"));
    TlsServer::java_with(cli, "pki/ca/root/cert.pem", "TLSv1.3,TLSv1.2")
}

fn java_connects(cli: &Cli, source: &Path, words: &[&str], port: u16) -> String {
    use std::io::Write as _;
    let Some(java) = tool("java") else { return String::new() };
    let mut child = Command::new(java.path())
        .arg(source)
        .env("STORE_PASSWORD", PASSWORD)
        .current_dir(cli.path("."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("java starts");
    let [host, keystore, truststore] = words else { panic!("three words") };
    let line = format!("{host} {port} {keystore} {truststore} gw-1 3.1.1\n");
    child.stdin.take().expect("a pipe").write_all(line.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("java ends");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
