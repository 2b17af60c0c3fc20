//! The port of the MQTT Service (platform: "MQTT", port 9883), with mosquitto's programs and Eclipse Paho as judges:
//! what it takes and what it refuses, over MQTT 5 and 3.1.1. Devices live there in `mqtt_clients.rs`.

use c8y_pki_tests::{Tool, arg, python_dir, python_with, tool};
use serde_json::{Value, json};

use crate::setting::Setting;

const NAME: &str = "mqtt-service";

/// The reason of the last CONNECT at a port, and its code.
fn last(setting: &Setting, port: &str) -> (u64, String) {
    let noted = setting.noted(port, "CONNECT");
    let last = noted.last().unwrap_or_else(|| panic!("no CONNECT at {port}"));
    (
        last["status"].as_u64().expect("a code"),
        last["reason"].as_str().unwrap_or_default().to_owned(),
    )
}

/// What is refused at the CONNECT: what mosquitto_pub is told, the code in the CONNACK, what mosquitto says of
/// it, and the reason that the sandbox notes.
const REFUSED: &[(&str, u64, &str, &str)] = &[
    ("-V mqttv5 -i d:gw-1:template", 0x87, "Not authorized", "no template"),
    ("-V mqttv5 -i gw-2", 0x87, "Not authorized", "is neither \"gw-2\" nor the ClientId \"gw-2\""),
    (
        "-V mqttv5 -u t9999",
        0x87,
        "Not authorized",
        "the user \"t9999\" is not the tenant \"t1001\"",
    ),
    ("-V mqttv5 -c -x 60", 0x87, "Not authorized", "clean session is false"),
    (
        "-V mqttv5 --will-topic s/us --will-payload 123 --will-retain",
        0x9a,
        "Retain not supported",
        "the last will is to be retained",
    ),
    (
        "-V mqttv5 --will-topic s/us --will-payload 123 --will-qos 2",
        0x9b,
        "QoS not supported",
        "the last will is of QoS 2",
    ),
    ("-V mqttv311 -c", 5, "not authorised", "clean session is false"),
    (
        "-V mqttv311 --will-topic s/us --will-payload 123 --will-qos 2",
        5,
        "not authorised",
        "the last will is of QoS 2",
    ),
    ("-V mqttv31", 1, "unacceptable protocol version", "does not speak MQTT 3.1"),
];

#[test]
fn mosquitto_is_let_in_and_refused() {
    let (Some(publish), Some(setting)) = (tool("mosquitto_pub"), Setting::with_service()) else {
        return;
    };
    let port = setting.service_port();
    let row = "-q 1 -t s/us -m 100,Name,c8y_Type";
    for good in [
        "-V mqttv5",
        "-V mqttv5 -u t1001",
        "-V mqttv5 -i d:gw-1",
        "-V mqttv5 --will-topic s/us --will-payload 123 --will-qos 1",
        "-V mqttv311 -u t1001",
    ] {
        let (succeeded, said) = setting.run(&publish, port, &format!("{row} {good}"));
        assert!(succeeded, "{good}: {said}");
        assert_eq!(last(&setting, NAME), (0, String::new()), "{good}");
    }
    for (line, code, says, reason) in REFUSED {
        let (succeeded, said) = setting.run(&publish, port, &format!("{row} {line}"));
        assert!(!succeeded && said.contains(says), "{line}: {said}");
        let (status, why) = last(&setting, NAME);
        assert_eq!(status, *code, "{line}: {why}");
        assert!(why.contains(reason), "{line}: {why}");
    }
    assert_eq!(setting.device("gw-1")["object"]["name"], "Name");
}

#[test]
fn what_it_grants_and_what_needs_the_feature() {
    let (Some(subscribe), Some(publish)) = (tool("mosquitto_sub"), tool("mosquitto_pub")) else {
        return;
    };
    let Some(setting) = Setting::with_service() else { return };
    let port = setting.service_port();
    let granted = |line: &str| -> String {
        let (_, said) = setting.run(&subscribe, port, &format!("-d -W 1 {line}"));
        let told = said.lines().find_map(|line| line.strip_prefix("Subscribed (mid: 1): "));
        told.unwrap_or_else(|| panic!("{line}: {said}")).to_owned()
    };
    for version in ["mqttv5", "mqttv311"] {
        for (line, codes) in [
            ("-t s/ds", "0"),
            ("-t s/ds -q 1", "1"),
            // Two filters are refused as a whole; QoS 2 is granted with 1.
            ("-t s/ds -t s/e", "128, 128"),
            ("-t s/ds -q 2", "1"),
            ("-t own/topic", "0"),
            ("-t own/#", "128"),
        ] {
            assert_eq!(granted(&format!("-V {version} {line}")), codes, "{version} {line}");
        }
    }
    let (succeeded, said) = setting.run(&publish, port, "-V mqttv5 -q 1 -t own/topic -m hello");
    assert!(succeeded, "{said}");
    let own = &setting.device("gw-1")["messages"][0];
    assert_eq!((&own["source"], &own["text"]), (&json!("own/topic"), &json!("hello")));
    // Without SmartREST neither of its topics is there; others are.
    setting.switch_smart_rest(false);
    assert_eq!(granted("-V mqttv5 -t s/ds"), "128");
    assert_eq!(granted("-V mqttv5 -t own/topic"), "0");
    let (succeeded, said) =
        setting.run(&publish, port, "-V mqttv5 -q 1 -t s/us -m 100,Name,c8y_Type");
    assert!(succeeded, "{said}");
    let dropped = setting.noted(NAME, "PUBLISH").pop().expect("a line");
    let reason = dropped["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("SmartREST is not switched on"), "{reason}");
}

fn paho(setting: &Setting, python: &Tool, port: u16) -> Vec<Value> {
    let files =
        ["sandbox-ca.pem", "gw-1-chain.pem", "gw-1.key"].map(|name| setting.tenant.path(name));
    let script = python_dir().join("mqtt_limits.py");
    let port = port.to_string();
    let mut args = vec![arg(&script), port.as_str()];
    args.extend(files.iter().map(|path| arg(path)));
    args.push("gw-1");
    setting.tenant.client(python, &args)
}

#[test]
fn paho_is_told_the_limits_and_why_it_has_to_go() {
    let (Some(python), Some(setting)) = (python_with("paho.mqtt.client"), Setting::with_service())
    else {
        return;
    };
    let steps = paho(&setting, &python, setting.service_port());
    let facts = json!([
        { "step": "limits", "MaximumQoS": 1, "RetainAvailable": 0, "MaximumPacketSize": 16184,
          "SessionExpiryInterval": 0, "WildcardSubscriptionAvailable": 0,
          "SharedSubscriptionAvailable": 0 },
        { "step": "QoS 2", "told": "QoS not supported", "code": 0x9b },
        { "step": "retained", "told": "Retain not supported", "code": 0x9a },
        { "step": "too large", "told": "Packet too large", "code": 0x95 },
        { "step": "another comes", "told": "Session taken over", "code": 0x8e },
        { "step": "unsubscribe", "codes": [0, 17] },
        // Unless it is told otherwise, Paho cleans the session of its first connection only.
        { "step": "comes back", "codes": [0, 135] },
    ]);
    assert_eq!(Value::Array(steps), facts);
    let state = setting.tenant.sandbox().state();
    assert_eq!(state["connected"], json!([]), "nobody is left");
}

#[test]
fn the_usual_port_does_not_speak_mqtt_5() {
    let (Some(publish), Some(setting)) = (tool("mosquitto_pub"), Setting::start()) else { return };
    let line = "-V mqttv5 -q 1 -t s/us -m 123";
    let (succeeded, said) = setting.run(&publish, setting.port(), line);
    assert!(!succeeded && said.contains("rotocol"), "{said}");
    let refused = (1, "the protocol level is 5; MQTT 3.1 and 3.1.1 are spoken".to_owned());
    assert_eq!(last(&setting, "mqtt"), refused);
}
