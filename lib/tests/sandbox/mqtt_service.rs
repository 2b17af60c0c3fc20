//! The port of the MQTT Service, which has rules of its own.

use crate::client::*;
use crate::mqtt_client::*;
use c8y_pki_core::crypto::KeyType;
use c8y_pki_sandbox::{Sandbox, Settings};
use serde_json::json;

/// A sandbox with that port, a CA that registers devices, and a device.
fn service() -> (Sandbox, Pair, Pair) {
    let sandbox = start_with(Settings { mqtt_service_port: Some(0), ..Settings::default() });
    let ca = root(KeyType::EcP256, "Root");
    let path = format!("{TRUSTED}/{}", trust(&sandbox, &ca.0));
    let automatic = json!({ "autoRegistrationEnabled": true });
    call(&sandbox, "PUT", &path).admin().json(&automatic).send().expect(200);
    let gateway = device("gw-1", &ca);
    (sandbox, ca, gateway)
}

fn over(sandbox: &Sandbox, ca: &Pair, device: &Pair) -> Mqtt {
    let port = sandbox.mqtt_service_port().unwrap();
    Mqtt::at(port, tls(sandbox, Some((&[&device.0, &ca.0], &device.1))))
}

/// The newest line of that port.
fn last(sandbox: &Sandbox) -> String {
    let state = sandbox.state();
    let mut all = state["connections"].as_array().unwrap().iter().rev();
    let line = all.find(|line| line["port"] == "mqtt-service").unwrap();
    line["reason"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn who_is_let_in() {
    let (sandbox, ca, gateway) = service();
    let told = |connect: &Connect| over(&sandbox, &ca, &gateway).connect(connect).unwrap();
    for good in [of("gw-1"), of("d:gw-1"), of("d:gw-1").user("t1001", "")] {
        assert_eq!(told(&good), 0, "{good:?}");
    }
    let refused = |connect: Connect, code: u8, part: &str| {
        assert_eq!(told(&connect), code, "{connect:?}");
        assert!(last(&sandbox).contains(part), "{}", last(&sandbox));
    };
    refused(of("d:gw-1:template"), 5, "no template");
    refused(of("gw-2"), 5, "neither");
    refused(of("gw-1").user("t1001/admin", ""), 5, "is not the tenant");
    refused(Connect { clean: false, ..of("gw-1") }, 5, "clean session");
    refused(of("gw-1").mqtt_3_1(), 1, "does not speak MQTT 3.1");
    // A certificate that is called like the whole ClientId.
    let prefixed = device("d:gw-7", &ca);
    assert_eq!(over(&sandbox, &ca, &prefixed).connect(&of("d:gw-7")), Some(0));
}

#[test]
fn what_may_be_sent_and_subscribed() {
    let (sandbox, ca, gateway) = service();
    let connected = || {
        let mut client = over(&sandbox, &ca, &gateway);
        assert_eq!(client.connect(&of("gw-1")), Some(0));
        client
    };
    let mut client = connected();
    assert_eq!(client.subscribe("plant/hall-3", 1), 1);
    let two = [vec![0, 7], text(b"a"), vec![0], text(b"b"), vec![0]].concat();
    client.send(&packet(0x82, &two));
    assert_eq!(client.expect(SUBACK), [0, 7, 0x80, 0x80]);
    // SmartREST is a feature, and off.
    assert_eq!(client.subscribe("s/ds", 0), 0x80);
    client.publish_1("s/us", "100,G,t");
    assert!(last(&sandbox).contains("not switched on"), "{}", last(&sandbox));
    let feature = "/features/mqtt-service.smartrest/by-tenant";
    call(&sandbox, "PUT", feature).admin().json(&json!({ "active": true })).send().expect(200);
    assert_eq!(client.subscribe("s/ds", 0), 0);
    client.publish_1("s/us", "100,G,t");
    let state = sandbox.state();
    assert_eq!(state["tenants"]["t1001"]["devices"][0]["object"]["name"], "G");
    // QoS 2 and retained messages end the connection.
    for first in [0x34, 0x31] {
        let mut client = connected();
        let id: &[u8] = if first == 0x34 { &[0, 5] } else { &[] };
        client.send(&packet(first, &[&text(b"plant"), id, b"x"].concat()));
        while client.next().is_some() {}
    }
}
