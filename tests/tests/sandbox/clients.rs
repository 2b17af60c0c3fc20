//! The platform's own clients, unchanged, against the sandbox: `@c8y/client` for Node, `c8y_api` and `pyc8y`
//! for Python. What they have done has to be what the sandbox then knows.

use c8y_pki_tests::openssl::{EC, OpenSsl, RSA};
use c8y_pki_tests::tenant::Tenant;
use c8y_pki_tests::{arg, node_dir, node_with, python_dir, python_with};
use serde_json::{Value, json};

/// The entry with this value, in a list of the state.
fn entry<'a>(state: &'a Value, list: &str, member: &str, value: &str) -> &'a Value {
    let found = state[list].as_array().into_iter().flatten().find(|one| one[member] == *value);
    found.unwrap_or_else(|| panic!("no {list} with the {member} {value}: {state}"))
}

/// The serial numbers of a CRL, as OpenSSL reads them.
fn revoked(openssl: &OpenSsl) -> Vec<String> {
    let told = openssl.run("crl -inform DER -in @crl.der -noout -text");
    let serials = told.lines().filter_map(|line| line.trim().strip_prefix("Serial Number: "));
    let mut serials: Vec<String> = serials.map(str::to_owned).collect();
    serials.sort();
    serials
}

#[test]
fn the_client_for_node() {
    let Some(node) = node_with("@c8y/client") else { return };
    let tenant = Tenant::start();
    let Some(openssl) = OpenSsl::at(tenant.folder()) else { return };
    openssl.root("rsa", RSA);
    openssl.root("ec", EC);
    openssl.device("leaf", "ec");
    tenant.write(
        "devices.csv",
        "ID,AUTH_TYPE,TYPE,NAME\n\
         node-1,CERTIFICATES,c8y_Gateway,One\n\
         AA:BB:CC:00:11:22,CERTIFICATES,c8y_Gateway,Two\n\
         node-3,CERTIFICATES,c8y_Gateway,Three\n",
    );
    tenant.write("revoked.csv", "SERIALNO,DATE\n1234567890abcdef,2023-01-01T00:00:00.000Z\n");
    let script = node_dir().join("trusted.mjs");
    let steps = tenant.client(&node, &[arg(&script), arg(tenant.folder())]);
    assert_eq!(steps.last().map(|step| &step["step"]), Some(&json!("bulk")), "{steps:?}");

    let state = tenant.state();
    for (name, called) in [("rsa", "Line 7"), ("ec", "bulk")] {
        let known =
            entry(&state, "trusted_certificates", "fingerprint", &openssl.fingerprint(name));
        assert_eq!(known["name"], called, "{known}");
    }
    assert_eq!(state["trusted_certificates"].as_array().map(Vec::len), Some(3), "{state}");
    for id in ["node-1", "node-3"] {
        assert_eq!(entry(&state, "devices", "id", id)["created"], 1);
    }
    assert_eq!(state["devices"].as_array().map(Vec::len), Some(2), "{state}");
    assert_eq!(revoked(&openssl), ["024234", "1234567890ABCDEF", "AB01"]);
    assert_eq!(state["revocations"].as_array().map(Vec::len), Some(3), "{state}");
}

#[test]
fn the_client_for_python() {
    let Some(python) = python_with("c8y_api") else { return };
    let tenant = Tenant::start();
    let Some(openssl) = OpenSsl::at(tenant.folder()) else { return };
    openssl.root("ca", RSA);
    openssl.device("gw-1", "ca");
    for (from, to) in [("gw-1-chain.pem", "chain.pem"), ("gw-1.key", "device.key")] {
        tenant.write(to, openssl.text(from));
    }
    tenant.write("devices.csv", "ID;AUTH_TYPE\ngw-1;CERTIFICATES\ngw:2;CERTIFICATES\n");
    let entries = json!({"crls": [{"serialNumberInHex": "C0FFEE"}]});
    tenant.write("revoked.json", entries.to_string());
    let script = python_dir().join("registration.py");
    let steps = tenant.client(&python, &[arg(&script), arg(tenant.folder())]);
    assert_eq!(steps.last().map(|step| &step["step"]), Some(&json!("remove")), "{steps:?}");

    let state = tenant.state();
    assert_eq!(state["trusted_certificates"], json!([]));
    assert_eq!(entry(&state, "devices", "id", "gw-1")["created"], 1);
    assert_eq!(state["devices"].as_array().map(Vec::len), Some(1), "{state}");
    assert_eq!(revoked(&openssl), ["C0FFEE"]);
}

#[test]
fn the_asynchronous_client_for_python() {
    let Some(python) = python_with("pyc8y") else { return };
    let tenant = Tenant::start();
    let Some(openssl) = OpenSsl::at(tenant.folder()) else { return };
    openssl.root("rsa", RSA);
    openssl.root("ec", EC);
    let script = python_dir().join("trusted_async.py");
    let steps = tenant.client(&python, &[arg(&script), arg(tenant.folder())]);
    let done: Vec<&str> = steps.iter().filter_map(|step| step["step"].as_str()).collect();
    assert_eq!(done, ["upload", "change", "prove", "revoke", "credentials", "remove"]);
    assert_eq!(steps[0]["subject"], "CN=rsa, O=Example");
    assert_eq!(steps[4]["user"], "device_new-1");

    let state = tenant.state();
    let left = entry(&state, "trusted_certificates", "fingerprint", &openssl.fingerprint("ec"));
    assert_eq!((&left["name"], &left["status"]), (&json!("Line 8"), &json!("ENABLED")));
    assert_eq!(state["trusted_certificates"].as_array().map(Vec::len), Some(1), "{state}");
    assert_eq!(revoked(&openssl), ["BEEF01", "C0FFEE"]);
}
