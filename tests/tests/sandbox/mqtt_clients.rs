//! Public clients of MQTT, unchanged, as devices of the sandbox: Eclipse Paho for Python 1.6 and 2, aiomqtt and
//! MQTT.js, over MQTT 3.1.1 on the platform's usual port, and over MQTT 3.1.1 and 5 on that of the MQTT Service.
//! Certificates are OpenSSL's. Each does the same, as `tests/python/steps.py` says.

use std::path::PathBuf;

use c8y_pki_tests::openssl::{EC, OpenSsl};
use c8y_pki_tests::tenant::Tenant;
use c8y_pki_tests::{Tool, arg, former_paho, node_dir, node_with, python_dir, python_with};
use serde_json::{Value, json};

use crate::setting::Setting;

/// How a client is run: its program, its script, and where it finds another version of itself.
struct Client {
    program: Tool,
    script: PathBuf,
    version: &'static str,
    path: Option<PathBuf>,
}

impl Client {
    /// The device's life by this client; what each step has told.
    fn lives(&self, tenant: &Tenant, port: u16, version: &str, user: &str) -> Vec<Value> {
        let files =
            ["sandbox-ca.pem", "gw-1-chain.pem", "gw-1.key", "other/gw-1.pem", "other/gw-1.key"];
        let files = files.map(|name| tenant.path(name));
        let mut args = vec![arg(&self.script)];
        let port = port.to_string();
        args.push(&port);
        args.extend(files.iter().map(|path| arg(path)));
        args.extend(["gw-1", version, user]);
        let more: Vec<(&str, &str)> =
            self.path.iter().map(|path| ("PYTHONPATH", arg(path))).collect();
        let steps = tenant.client_with(&self.program, &more, &args);
        assert_eq!(
            steps[0]["version"].as_str(),
            Some(self.version),
            "another version is installed"
        );
        steps
    }
}

fn python(module: &str, script: &str, version: &'static str) -> Option<Client> {
    let program = python_with(module)?;
    Some(Client { program, script: python_dir().join(script), version, path: None })
}

fn paho() -> Option<Client> {
    python("paho.mqtt.client", "mqtt_life.py", "2.2.0")
}

fn former() -> Option<Client> {
    let (program, folder) = former_paho()?;
    let script = python_dir().join("mqtt_life.py");
    Some(Client { program, script, version: "1.6.1", path: Some(folder) })
}

fn aiomqtt() -> Option<Client> {
    python("aiomqtt", "mqtt_aio.py", "2.5.1")
}

fn mqtt_js() -> Option<Client> {
    let program = node_with("mqtt")?;
    let script = node_dir().join("mqtt.mjs");
    Some(Client { program, script, version: "5.16.0", path: None })
}

/// A tenant with the MQTT Service that has SmartREST there, its CA, and a device. Beside it another CA and device of
/// the same names that it does not know.
fn tenant() -> Option<Tenant> {
    let Setting { tenant, .. } = Setting::with_service()?;
    std::fs::create_dir(tenant.path("other")).expect("a directory");
    let other = OpenSsl::at(&tenant.path("other"))?;
    other.root("ca", EC);
    other.device("gw-1", "ca");
    Some(tenant)
}

/// The last connection that a port has refused.
fn refused(tenant: &Tenant, port: &str) -> Value {
    let state = tenant.sandbox().state();
    let all = state["connections"].as_array().expect("connections").iter();
    let mut all = all.filter(|line| line["port"] == port && line["method"] == "CONNECT");
    all.rfind(|line| line["status"] != 0).unwrap_or_else(|| panic!("none: {state}")).clone()
}

/// One life, and what the sandbox knows after it.
fn life(client: Option<Client>, service: bool, version: &str) {
    let (Some(client), Some(tenant)) = (client, tenant()) else { return };
    let sandbox = tenant.sandbox();
    let (port, name, user) = match service {
        false => (sandbox.mqtt_port(), "mqtt", "-"),
        true => (sandbox.mqtt_service_port().expect("a port"), "mqtt-service", sandbox.tenant()),
    };
    let steps = client.lives(&tenant, port, version, user);
    let told: Vec<&Value> = steps.iter().map(|step| &step["step"]).collect();
    let all = ["client", "refused", "connect", "answers", "token", "reconnect"];
    assert_eq!(told, all, "{steps:?}");
    // Paho 2 and aiomqtt have the words of MQTT 5 for codes of 3.1.1.
    let unauthorized = steps[1]["code"].as_u64();
    assert!(matches!(unauthorized, Some(5 | 135)), "{steps:?}");
    if version == "5" {
        assert_eq!(unauthorized, Some(135));
    }
    assert_eq!(refused(&tenant, name)["status"], if version == "5" { 135 } else { 5 });
    assert_eq!(steps[2]["code"], 0);
    let answers = json!([
        ["s/ds", "106,pump-1"],
        ["s/ds", "124,gw-1"],
        ["s/e", "41,100,Device already existing\n40,999,There is no static template with that id"],
    ]);
    assert_eq!(steps[3]["messages"], answers);
    assert_eq!(steps[4], json!({ "step": "token", "alg": "RS256", "sub": "device_gw-1" }));
    let again = json!({ "step": "reconnect", "code": 0, "messages": [["s/ds", "124,gw-1"]] });
    assert_eq!(steps[5], again);
    let device = &tenant.state()["devices"][0];
    assert_eq!((&device["id"], &device["automatic"]), (&json!("gw-1"), &json!(true)));
    assert_eq!(device["object"]["name"], "Name");
    assert_eq!(device["messages"][0]["text"], "110,4711,Box,1.0");
    // Why the first of its connections ended.
    let state = sandbox.state();
    let ends = state["connections"].as_array().expect("connections").iter();
    let end =
        ends.filter(|line| line["method"] == "DISCONNECT").find_map(|line| line["reason"].as_str());
    let end = end.expect("an end");
    match version {
        "5" => assert_eq!(end, "a message is to be retained"),
        _ => {
            assert!(end.starts_with("a packet of 16") && end.ends_with("more than 16184"), "{end}")
        }
    }
}

#[test]
fn paho_2() {
    life(paho(), false, "3.1.1");
}

#[test]
fn paho_1_6() {
    life(former(), false, "3.1.1");
}

#[test]
fn aiomqtt_2_5() {
    life(aiomqtt(), false, "3.1.1");
}

#[test]
fn mqtt_js_5_16() {
    life(mqtt_js(), false, "3.1.1");
}

#[test]
fn the_service_with_paho_2() {
    life(paho(), true, "5");
    life(paho(), true, "3.1.1");
}

#[test]
fn the_service_with_paho_1_6() {
    life(former(), true, "5");
}

#[test]
fn the_service_with_aiomqtt() {
    life(aiomqtt(), true, "5");
}

#[test]
fn the_service_with_mqtt_js() {
    life(mqtt_js(), true, "5");
    life(mqtt_js(), true, "3.1.1");
}
