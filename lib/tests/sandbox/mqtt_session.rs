//! What a connected client of the sandbox can do: topics, messages, tokens, bootstrap, operations; and
//! how its connection ends.

use std::time::Duration;

use crate::client::*;
use crate::mqtt_client::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use c8y_pki_core::crypto::KeyType;
use c8y_pki_sandbox::Sandbox;
use serde_json::{Value, json};

/// A sandbox whose first tenant lets devices of a CA register themselves.
fn open_to_all() -> (Sandbox, Pair) {
    let sandbox = start();
    let root = root(KeyType::EcP256, "Root");
    let fingerprint = trust(&sandbox, &root.0);
    let change = json!({ "autoRegistrationEnabled": true });
    let path = format!("{TRUSTED}/{fingerprint}");
    call(&sandbox, "PUT", &path).admin().json(&change).send().expect(200);
    (sandbox, root)
}

/// A device that is connected.
#[track_caller]
fn connected(sandbox: &Sandbox, root: &Pair, id: &str, connect: &Connect) -> Mqtt {
    let pair = device(id, root);
    let chain = [&pair.0, &root.0];
    let mut client = Mqtt::over(sandbox, tls(sandbox, Some((&chain, &pair.1))));
    assert_eq!(client.connect(connect), Some(0));
    client
}

fn user(sandbox: &Sandbox, client_id: &str, user: &str) -> Mqtt {
    let mut client = Mqtt::over(sandbox, tls(sandbox, None));
    assert_eq!(client.connect(&of(client_id).user(user, PASSWORD)), Some(0));
    client
}

/// A device of the first tenant, as the state shows it.
fn known(sandbox: &Sandbox, list: &str, id: &str) -> Option<Value> {
    let state = sandbox.state();
    let all = state["tenants"]["t1001"][list].as_array().unwrap().iter();
    all.clone().find(|device| device["id"] == *id).cloned()
}

#[test]
fn messages_make_the_device_its_children_and_events() {
    let (sandbox, root) = open_to_all();
    let mut client = connected(&sandbox, &root, "gw-1", &of("d:gw-1"));
    assert_eq!(client.subscribe("s/e", 0), 0);
    client.publish_1("s/us", "100,Gateway 1,c8y_Gateway\n101,pump-1,\"Pump, \\\"1\\\"\",c8y_Pump");
    client.publish("s/us", "100,Another name,c8y_Other");
    assert_eq!(client.message().1, "41,100,Device already existing");
    client.publish_1("s/us/pump-1", "400,c8y_Start,Started\n101,valve-1,Valve,c8y_Valve");
    client.publish_1("s/us", "400,c8y_ConnectionEvent,\"Device connection was lost.\"");
    client.ping();
    let device = known(&sandbox, "devices", "gw-1").unwrap();
    assert_eq!((&device["connected"], &device["automatic"]), (&json!(true), &json!(true)));
    let object = &device["object"];
    assert_eq!((&object["name"], &object["type"]), (&json!("Gateway 1"), &json!("c8y_Gateway")));
    let children = device["children"].as_array().unwrap();
    let child =
        |child: &Value| (child["id"].clone(), child["name"].clone(), child["parent"].clone());
    let children: Vec<_> = children.iter().map(child).collect();
    let pump = (json!("pump-1"), json!("Pump, \"1\""), json!(null));
    assert_eq!(children, [pump, (json!("valve-1"), json!("Valve"), json!("pump-1"))]);
    let events = device["events"].as_array().unwrap();
    let event = |event: &Value| (event["source"].clone(), event["text"].clone());
    let events: Vec<_> = events.iter().map(event).collect();
    assert_eq!(
        events,
        [
            (json!("pump-1"), json!("Started")),
            (json!("gw-1"), json!("Device connection was lost."))
        ]
    );
    let online = &sandbox.state()["connected"][0];
    assert_eq!(online["client_id"], "d:gw-1");
    assert_eq!((&online["protocol"], &online["messages"]), (&json!("MQTT 3.1.1"), &json!(4)));
    assert_eq!(online["topics"], json!(["s/e"]));
    assert!(online["last_message"].as_str().unwrap().starts_with("s/us 400,"));
}

#[test]
fn wrong_rows_are_told_on_the_topic_for_errors() {
    let (sandbox, root) = open_to_all();
    let mut client = connected(&sandbox, &root, "gw-1", &of("d:gw-1"));
    client.subscribe("s/e", 0);
    let rows = [
        ("s/us", "101,,n,t", "41,101,101 takes an identifier"),
        ("s/us", "101,a/b,n,t", "41,101,the child's identifier has a character"),
        ("s/us", "400,t", "41,400,400 takes a type and a text"),
        ("s/us", "400,,", "41,400,400 takes a type and a text"),
        ("s/us", "999,x", "40,999,"),
        ("s/us", "200,c8y_Temperature,T", "41,200,a value is missing"),
        ("s/us", "123,x", "41,123,it takes no values"),
        ("s/us", "100,\"open", "41,100,a quote is not closed"),
        ("s/us/nobody", "400,t,x", "41,400,the topic names a child"),
    ];
    for (topic, message, wanted) in rows {
        client.publish(topic, message);
        let (told_on, told) = client.message();
        assert_eq!(told_on, "s/e");
        assert!(told.starts_with(wanted), "{message}: {told}");
    }
    client.publish("s/us", "1,x\n100,G,t\n2\n100");
    let (_, told) = client.message();
    let starts: Vec<&str> = told.lines().map(|line| &line[..5]).collect();
    assert_eq!(starts, ["40,1,", "40,2,", "41,10"], "what is right in between counts");
    assert!(told.ends_with("41,100,Device already existing"), "{told}");
    assert_eq!(known(&sandbox, "devices", "gw-1").unwrap()["object"]["name"], "G");
    let line = lines(&sandbox, "PUBLISH").pop().unwrap();
    assert!(line["reason"].as_str().unwrap().ends_with("id, and 1 more"), "{line}");
    // Nobody listens: nothing is sent.
    client.send(&packet(0xa2, &[vec![0, 8], text(b"s/e")].concat()));
    assert_eq!(client.expect(UNSUBACK), [0, 8]);
    client.publish("s/us", "1,x");
    client.ping();
}

#[test]
fn topics_that_may_be_subscribed() {
    let (sandbox, root) = open_to_all();
    let mut device = connected(&sandbox, &root, "gw-1", &of("d:gw-1"));
    let mut by_password = user(&sandbox, "d:gw-2", "t1001/admin");
    let mut bootstrap = user(&sandbox, "d:gw-3", "management/devicebootstrap");
    for (topic, granted) in [
        ("s/ds", [true, true, false]),
        ("s/e", [true, true, true]),
        ("s/dat", [true, false, false]),
        ("s/dcr", [false, false, true]),
        ("s/dt", [true, true, false]),
        ("s/dc/#", [true, true, false]),
        ("s/dc/own", [true, true, false]),
        ("s/dc/a/b", [false; 3]),
        ("devicecontrol/notifications", [true, true, false]),
        ("error", [true, true, false]),
        ("s/us", [false; 3]),
        ("s/#", [false; 3]),
        ("s/+", [false; 3]),
        ("#", [false; 3]),
        ("S/ds", [false; 3]),
        ("t/ds", [false; 3]),
    ] {
        let clients = [&mut device, &mut by_password, &mut bootstrap];
        for (place, (client, granted)) in clients.into_iter().zip(granted).enumerate() {
            for qos in 0..3 {
                let wanted = if granted { qos } else { 0x80 };
                assert_eq!(client.subscribe(topic, qos), wanted, "{topic}, client {place}");
            }
        }
    }
    let both = [vec![0, 7], text(b"s/ds"), vec![1], text(b"s/x"), vec![0]].concat();
    device.send(&packet(0x82, &both));
    assert_eq!(device.expect(SUBACK), [0, 7, 1, 0x80]);
}

#[test]
fn a_token_comes_when_it_is_asked_for() {
    let (sandbox, root) = open_to_all();
    let mut client = connected(&sandbox, &root, "gw-1", &of("d:gw-1"));
    client.publish_1("s/uat", "");
    client.ping();
    assert_eq!(client.subscribe("s/dat", 0), 0);
    client.ping();
    client.publish("s/uat", "");
    let (topic, message) = client.message();
    assert_eq!(topic, "s/dat");
    let token = message.strip_prefix("71,").unwrap();
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!((&claims["sub"], &claims["ten"]), (&json!("device_gw-1"), &json!("t1001")));
    let bearer = format!("Bearer {token}");
    let me = call(&sandbox, "GET", "/user/currentUser").header("Authorization", &bearer);
    assert_eq!(me.send().expect(200).json()["userName"], "device_gw-1");
    assert!(!sandbox.state().to_string().contains(token));
    let mut by_password = user(&sandbox, "d:gw-2", "t1001/admin");
    by_password.publish_1("s/uat", "");
    assert!(reason(&sandbox, "PUBLISH", 1).contains("with a certificate"));
}

#[test]
fn a_device_without_credentials_gets_them() {
    let sandbox = start();
    let mut client = user(&sandbox, "d:gw-1", "management/devicebootstrap");
    assert_eq!(client.subscribe("s/dcr", 0), 0);
    client.publish("s/ucr", "");
    client.ping();
    assert!(reason(&sandbox, "PUBLISH", 1).contains("not registered with credentials"));
    register(&sandbox, "ID;CREDENTIALS\ngw-1;\"Device,Secret 1\"\n");
    for _ in 0..2 {
        client.publish("s/ucr", "");
        let (topic, message) = client.message();
        assert_eq!(topic, "s/dcr");
        assert_eq!(message, "70,t1001,device_gw-1,\"Device,Secret 1\"");
    }
    client.publish_1("s/us", "100,a,b");
    assert!(reason(&sandbox, "PUBLISH", 2).contains("s/ucr only"));
    let mut device = Mqtt::over(&sandbox, tls(&sandbox, None));
    let connect = of("d:gw-1").user("t1001/device_gw-1", "Device,Secret 1");
    assert_eq!(device.connect(&connect), Some(0));
    device.publish_1("s/us", "100,G,t");
    assert_eq!(known(&sandbox, "devices", "gw-1").unwrap()["object"]["name"], "G");
    assert!(!sandbox.state().to_string().contains("Device,Secret"));
    let me = call(&sandbox, "GET", "/user/currentUser");
    let me = me.basic("t1001/device_gw-1", "Device,Secret 1").send().expect(200);
    assert_eq!(me.json()["userName"], "device_gw-1");
}

#[test]
fn operations_in_every_quality_of_service() {
    let (sandbox, root) = open_to_all();
    assert!(!sandbox.send_operation("gw-1", "510,gw-1"), "it is not connected");
    let mut client = connected(&sandbox, &root, "gw-1", &of("d:gw-1"));
    assert!(!sandbox.send_operation("gw-1", "510,gw-1"), "it has not subscribed");
    client.subscribe("s/ds", 0);
    assert!(sandbox.send_operation("gw-1", "510,gw-1"));
    assert_eq!(client.message(), ("s/ds".to_owned(), "510,gw-1".to_owned()));
    client.subscribe("s/ds", 1);
    assert!(sandbox.send_operation("gw-1", "511,gw-1"));
    let body = client.expect(0x32);
    assert_eq!((&body[..6], &body[8..]), (&b"\0\x04s/ds"[..], &b"511,gw-1"[..]));
    client.send(&packet(PUBACK, &body[6..8]));
    client.subscribe("s/ds", 2);
    assert!(sandbox.send_operation("gw-1", "512,gw-1"));
    let body = client.expect(0x34);
    let id = body[6..8].to_vec();
    client.send(&packet(PUBREC, &id));
    assert_eq!(client.expect(PUBREL), id);
    client.send(&packet(PUBCOMP, &id));
    client.ping();
}

#[test]
fn a_message_that_comes_twice_with_quality_2_counts_once() {
    let (sandbox, root) = open_to_all();
    let mut client = connected(&sandbox, &root, "gw-1", &of("d:gw-1"));
    let body = [text(b"s/us"), vec![0, 5], b"400,t,x".to_vec()].concat();
    // Retained: that has no effect.
    client.send(&packet(0x35, &body));
    assert_eq!(client.expect(PUBREC), [0, 5]);
    client.send(&packet(0x3d, &body));
    assert_eq!(client.expect(PUBREC), [0, 5]);
    client.send(&packet(PUBREL, &[0, 5]));
    assert_eq!(client.expect(PUBCOMP), [0, 5]);
    let device = known(&sandbox, "devices", "gw-1").unwrap();
    assert_eq!(device["events"].as_array().unwrap().len(), 1);
}

#[test]
fn a_second_connection_ends_the_first() {
    let (sandbox, root) = open_to_all();
    let will = of("d:gw-1").will("s/us", "400,c8y_ConnectionEvent,\"Lost.\"");
    let mut first = connected(&sandbox, &root, "gw-1", &will);
    // Another type and template: only the identifier in the middle counts.
    let mut second = connected(&sandbox, &root, "gw-1", &of("x:gw-1:t"));
    assert_eq!(first.next(), None);
    assert!(reason(&sandbox, "DISCONNECT", 1).contains("another connection"));
    second.ping();
    let state = sandbox.state();
    assert_eq!(state["connected"].as_array().unwrap().len(), 1);
    assert_eq!(state["connected"][0]["client_id"], "x:gw-1:t");
    let device = known(&sandbox, "devices", "gw-1").unwrap();
    assert_eq!(
        (&device["connected"], &device["events"][0]["text"]),
        (&json!(true), &json!("Lost."))
    );
    // The same identifier in another tenant is another device.
    let mut other = user(&sandbox, "d:gw-1", "t1002/admin");
    other.ping();
    second.ping();
}

#[test]
fn the_last_will_is_published_unless_the_client_says_goodbye() {
    let (sandbox, root) = open_to_all();
    let events = |id: &str| known(&sandbox, "devices", id).unwrap()["events"].clone();
    for (count, (id, goodbye)) in [("gw-1", true), ("gw-2", false)].into_iter().enumerate() {
        let will = of(id).will("s/us", "400,c8y_ConnectionEvent,\"Device connection was lost.\"");
        let mut client = connected(&sandbox, &root, id, &will);
        client.ping();
        if goodbye {
            client.send(&[0xe0, 0]);
            assert_eq!(client.next(), None);
        }
        drop(client);
        let reason = reason(&sandbox, "DISCONNECT", count + 1);
        assert_eq!(reason == "the client disconnected", goodbye, "{reason}");
        assert_eq!(known(&sandbox, "devices", id).unwrap()["connected"], false);
    }
    assert_eq!(events("gw-1"), json!([]));
    assert_eq!(events("gw-2")[0]["text"], "Device connection was lost.");
}

#[test]
fn silence_ends_a_connection_after_one_and_a_half_times_its_keep_alive() {
    let (sandbox, root) = open_to_all();
    let mut client = connected(&sandbox, &root, "gw-1", &Connect { keep_alive: 1, ..of("d:gw-1") });
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(800));
        client.ping();
    }
    assert_eq!(client.next(), None);
    assert!(reason(&sandbox, "DISCONNECT", 1).contains("keep-alive"));
}

#[test]
fn the_largest_message() {
    let (sandbox, root) = open_to_all();
    let mut client = connected(&sandbox, &root, "gw-1", &of("d:gw-1"));
    // 3 bytes of header, 6 of topic, 2 of identifier: 16184 in all.
    let message = format!("400,t,{}", "x".repeat(16_184 - 3 - 6 - 2 - 6));
    client.publish_1("s/us", &message);
    let body = [text(b"s/us"), vec![0, 9], format!("{message}x").into_bytes()].concat();
    let large = packet(0x32, &body);
    assert_eq!(large.len(), 16_185);
    client.send(&large);
    assert_eq!(client.next(), None);
    assert!(reason(&sandbox, "DISCONNECT", 1).contains("16185 bytes"));
    let events = known(&sandbox, "devices", "gw-1").unwrap()["events"].clone();
    assert_eq!(events.as_array().unwrap().len(), 1);
}

#[test]
fn what_is_no_mqtt_ends_the_connection() {
    let sandbox = start();
    let first = [
        packet(0x10, b"\0\x04MQTT"),
        packet(0xc0, b""),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0x10, 0xff, 0xff, 0xff, 0x7f],
        vec![0x10, 0xff, 0xff, 0xff, 0xff],
    ];
    for bytes in &first {
        let mut client = Mqtt::over(&sandbox, tls(&sandbox, None));
        client.send(bytes);
        assert_eq!(client.next(), None, "{bytes:?}");
    }
    let later = [
        packet(0x10, b"\0\x04MQTT\x04\x02\0\0\0\x01x"),
        packet(0x20, &[0, 0]),
        packet(0x36, &[text(b"s/us"), vec![0, 1]].concat()),
        packet(0x30, b"\0\x09s/us"),
        packet(0x80, &[vec![0, 1], text(b"s/e"), vec![0]].concat()),
        packet(0x82, &[0, 1]),
        packet(0x82, &[vec![0, 1], text(b"s/e"), vec![3]].concat()),
        packet(0x82, &[vec![0, 1], text(b"s/e"), vec![4]].concat()),
        packet(0x82, &[vec![0, 0], text(b"s/e"), vec![0]].concat()),
        packet(0x32, &[text(b"s/us"), vec![0, 0]].concat()),
        packet(0xf0, b""),
        packet(0x00, b""),
    ];
    for bytes in &later {
        let mut client = user(&sandbox, "d:x", "t1001/admin");
        client.send(bytes);
        assert_eq!(client.next(), None, "{bytes:?}");
    }
    until(|| (lines(&sandbox, "DISCONNECT").len() == first.len() + later.len()).then_some(()));
    // And the next one is served.
    user(&sandbox, "d:x", "t1001/admin").ping();
}

#[test]
fn a_user_may_make_what_is_not_registered() {
    let sandbox = start();
    let mut client = user(&sandbox, "d:thing", "t1001/admin");
    client.publish_1("s/us", "100,Thing,t");
    client.publish_1("t/us", "100,Thing,t");
    assert!(reason(&sandbox, "PUBLISH", 1).contains("no such topic"));
    let thing = known(&sandbox, "unregistered", "thing").unwrap();
    assert_eq!((&thing["object"]["name"], &thing["connected"]), (&json!("Thing"), &json!(true)));
    assert_eq!(known(&sandbox, "devices", "thing"), None);
}
