//! Java's own TLS with our keystores: what docs/how-to/keystores-for-java.md says of it. Who is let in, and
//! who is not, is in `admission.rs`.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use c8y_pki_core::key::PrivateKey;
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::broker::{paper_broker, polite, server_certificate};
use c8y_pki_tests::cli::{CA_PW, Cli, PASSWORD};
use c8y_pki_tests::device_clients::{Client, java};
use c8y_pki_tests::java_dir;
use c8y_pki_tests::odd::{certificates, write_device};
use c8y_pki_tests::openssl::OpenSsl;
use serde_json::{Value, json};

/// The device `gw-1` with both truststores, and a tenant that has its root, and proof.
fn tenant() -> AtTenant {
    let at = AtTenant::new(Cli::with_cas());
    at.ok(&format!(
        "device issue gw-1 --ca line --out out --bundle pem,p12,jks,truststore-p12,truststore-jks \
         --server-cert sandbox-ca.pem {CA_PW} --store-password-file pw"
    ));
    at.ok("tenant trust add --ca root --auto-registration");
    at.ok(&format!("pop prove --ca root {CA_PW}"));
    at
}

/// What Java answers with these stores.
fn with(java: &mut Client, at: &AtTenant, keystore: &str, truststore: &str) -> String {
    let port = at.sandbox.mqtt_port();
    java.ask(&format!("localhost {port} {keystore} {truststore} d:gw-1 3.1.1"))
}

/// What came over MQTT: each CONNECT, each failed handshake.
fn connections(at: &AtTenant) -> Vec<Value> {
    let state = at.sandbox.state();
    let all = state["connections"].as_array().expect("a list").iter();
    let came = |one: &&Value| one["port"] == "mqtt" && one["method"] != "DISCONNECT";
    all.filter(came).cloned().collect()
}

#[test]
fn java_with_our_stores() {
    let at = tenant();
    let Some(mut java) = Client::java(&at.cli) else { return };
    it_opens_what_we_write(&at, &mut java);
    it_links_the_certificates_of_pkcs_12_by_itself(&at, &mut java);
    it_says_what_is_wrong_with_a_store(&at, &mut java);
    it_looks_at_the_name_of_the_server_when_told_to(&at, &mut java);
    it_takes_stores_from_properties(&at);
}

fn it_opens_what_we_write(at: &AtTenant, java: &mut Client) {
    let store = "--store-password-file pw";
    let device = format!("--key out/gw-1/key.pem --cert out/gw-1/chain.pem {store}");
    at.cli.ok(&format!("store create created.p12 {device}"));
    at.cli.ok(&format!("store create created.jks {device}"));
    at.cli.ok(&format!("store create legacy.p12 {device} --compat legacy"));
    at.cli.ok(&format!("store create trust.p12 --trusted sandbox-ca.pem {store} --compat legacy"));
    at.cli.ok(&format!("store create trust.jks --trusted sandbox-ca.pem {store}"));
    // The truststore added to the keystore, as the platform's recipe allows.
    at.cli.write("both.p12", at.cli.read("created.p12"));
    at.cli.ok(&format!("store add both.p12 --trusted sandbox-ca.pem {store}"));
    for (keystore, truststore) in [
        ("out/gw-1/keystore.p12", "out/gw-1/truststore.p12"),
        ("out/gw-1/keystore.jks", "out/gw-1/truststore.jks"),
        ("out/gw-1/keystore.p12", "out/gw-1/truststore.jks"),
        ("created.p12", "trust.p12"),
        ("created.jks", "trust.jks"),
        ("legacy.p12", "out/gw-1/truststore.p12"),
        ("both.p12", "both.p12"),
    ] {
        assert_eq!(with(java, at, keystore, truststore), "accepted", "{keystore}");
    }
    let device = at.list("devices").remove(0);
    assert_eq!(device["object"]["name"], "A device in Java");
    assert_eq!((&device["id"], &device["automatic"]), (&json!("gw-1"), &json!(true)));
}

fn it_links_the_certificates_of_pkcs_12_by_itself(at: &AtTenant, java: &mut Client) {
    let key = PrivateKey::read(&at.cli.read("out/gw-1/key.pem"), None).expect("its key");
    let chain = certificates(&at.cli, "out/gw-1/chain.pem");
    let [leaf, line, root] = chain.as_slice() else { panic!("{} certificates", chain.len()) };
    write_device(&at.cli, "shuffled", &key, &[leaf, root, line].map(Clone::clone));
    write_device(&at.cli, "holed", &key, &[leaf, root].map(Clone::clone));
    let truststore = "out/gw-1/truststore.p12";
    assert_eq!(with(java, at, "shuffled/keystore.p12", truststore), "accepted");
    // It finds no issuer; the device's certificate alone is not of a CA that the server lists, so it presents
    // nothing.
    assert_eq!(with(java, at, "holed/keystore.p12", truststore), "refused 4");
    let last = connections(at).pop().expect("a connection");
    assert_eq!(last["reason"], "neither a certificate nor a user was given");
}

fn it_says_what_is_wrong_with_a_store(at: &AtTenant, java: &mut Client) {
    let Some(openssl) = OpenSsl::at(&at.cli.path(".")) else { return };
    at.cli.write("other-pw", "another-password\n");
    let device = "--key out/gw-1/key.pem --cert out/gw-1/chain.pem";
    let own = format!("{device} --store-password-file pw --entry-password-file other-pw");
    at.cli.ok(&format!("store create other.p12 {device} --store-password-file other-pw"));
    at.cli.ok(&format!("store create other.jks {device} --store-password-file other-pw"));
    at.cli.ok(&format!("store create own.jks {own}"));
    openssl.run(&format!(
        "pkcs12 -export -nokeys -in @sandbox-ca.pem -passout pass:{PASSWORD} -out @theirs.p12"
    ));
    let good = "out/gw-1/truststore.p12";
    let before = connections(at);
    for (keystore, answer) in [
        ("other.p12", "keystore password was incorrect"),
        ("other.jks", "Keystore was tampered with, or password was incorrect"),
        ("own.jks", "Cannot recover key"),
    ] {
        assert_eq!(with(java, at, keystore, good), format!("files {answer}"), "{keystore}");
    }
    assert_eq!(connections(at), before, "something was sent");

    at.cli.ok("store create stranger.p12 --trusted pki/ca/root/cert.pem --store-password-file pw");
    for (truststore, answer) in [
        ("theirs.p12", "the trustAnchors parameter must be non-empty"),
        ("stranger.p12", "unable to find valid certification path to requested target"),
    ] {
        let told = with(java, at, "out/gw-1/keystore.p12", truststore);
        assert!(told.starts_with("failed ") && told.contains(answer), "{truststore}: {told}");
    }
}

fn it_looks_at_the_name_of_the_server_when_told_to(at: &AtTenant, java: &mut Client) {
    let Some(()) = server_certificate(&at.cli) else { return };
    at.cli.ok("store create localhost.p12 --trusted server-ca.pem --store-password-file pw");
    let port = paper_broker(&at.cli, polite);
    let line = format!("127.0.0.1 {port} - localhost.p12 d:gw-1 3.1.1");
    assert_eq!(java.ask(&format!("{line} unnamed")), "accepted");
    let answer = java.ask(&line);
    assert_eq!(answer, "failed No subject alternative names matching IP address 127.0.0.1 found");
}

/// How Java tells that a store of its system properties does not open.
const UNREADABLE: &str = "files Error constructing implementation (algorithm: Default, ";

fn it_takes_stores_from_properties(at: &AtTenant) {
    let properties = block("properties");
    assert!(properties.contains("STORE_PASSWORD"), "{properties}");
    at.cli.write("device.opts", properties.replace("STORE_PASSWORD", PASSWORD));
    for name in ["keystore.p12", "truststore.p12"] {
        at.cli.write(name, at.cli.read(&format!("out/gw-1/{name}")));
    }
    for (more, answer, code) in [
        ("-Dthe.same=true", "accepted\n", 0),
        ("-Djavax.net.ssl.trustStore=missing.p12", UNREADABLE, 2),
        ("-Djavax.net.ssl.keyStore=missing.p12", UNREADABLE, 2),
        ("-Djavax.net.ssl.keyStorePassword=wrong", UNREADABLE, 2),
    ] {
        let java = java(&at.cli, &["@device.opts", more]).expect("it was there before");
        let line = format!("localhost {} default default d:gw-1 3.1.1\n", at.sandbox.mqtt_port());
        let output = fed(java, &line);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.starts_with(answer), "{more}: {said}");
        assert_eq!(output.status.code(), Some(code), "{more}");
    }
}

/// Runs a program with a line of input to its end.
fn fed(mut command: Command, line: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(line.as_bytes()).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("its end")
}

/// What the page has in a block of this language.
fn block(language: &str) -> String {
    let page = include_str!("../../../docs/how-to/keystores-for-java.md");
    let (_, rest) = page.split_once(&format!("```{language}\n")).expect("a block");
    rest.split_once("```").expect("its end").0.to_owned()
}

#[test]
fn the_code_of_the_page_is_that_of_the_program() {
    let program = std::fs::read_to_string(java_dir().join("MqttDevice.java")).expect("a program");
    let program: Vec<&str> = program.lines().map(str::trim).collect();
    for line in block("java").lines().map(str::trim).filter(|line| !line.is_empty()) {
        assert!(program.contains(&line), "{line}");
    }
}
