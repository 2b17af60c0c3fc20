//! The messages that real agents send first: what makes something, what is answered, what is noted.

use crate::client::*;
use crate::mqtt_client::{Mqtt, of};
use c8y_pki_sandbox::Sandbox;
use serde_json::{Value, json};

fn connected(sandbox: &Sandbox) -> Mqtt {
    let mut client = Mqtt::over(sandbox, tls(sandbox, None));
    assert_eq!(client.connect(&of("d:gw-1").user("t1001/admin", PASSWORD)), Some(0));
    client.subscribe("s/e", 0);
    client.subscribe("s/ds", 0);
    client
}

fn thing(sandbox: &Sandbox) -> Value {
    sandbox.state()["tenants"]["t1001"]["unregistered"][0].clone()
}

#[test]
fn what_may_be_left_out_is_made_up() {
    let sandbox = start();
    let mut client = connected(&sandbox);
    client.publish_1("s/us", "100");
    let object = thing(&sandbox)["object"].clone();
    assert_eq!(
        (&object["name"], &object["type"]),
        (&json!("MQTT Device gw-1"), &json!("c8y_MQTTDevice"))
    );
    for again in ["100,Gateway", "100,Gateway,t", "100,Gateway,t,5"] {
        client.publish("s/us", again);
        let told = ("s/e".to_owned(), "41,100,Device already existing".to_owned());
        assert_eq!(client.message(), told);
    }
    client.publish_1("s/us", "101,pump-1\n101,pump-2,Pump");
    assert_eq!(thing(&sandbox)["children"][0]["name"], "MQTT Device pump-1");
    assert_eq!(thing(&sandbox)["children"][1]["type"], "c8y_MQTTChildDevice");
    client.publish_1("s/us", "400,c8y_Start,Started,2026-11-01T10:00:00.000Z");
    assert_eq!(thing(&sandbox)["events"][0]["text"], "Started");
}

#[test]
fn questions_are_answered_with_operations() {
    let sandbox = start();
    let mut client = connected(&sandbox);
    client.publish_1("s/us", "101,pump-1\n101,pump-2");
    for (question, answer) in [("105", "106,pump-1,pump-2"), ("123", "124,gw-1")] {
        client.publish("s/us", question);
        assert_eq!(client.message(), ("s/ds".to_owned(), answer.to_owned()));
    }
}

#[test]
fn what_agents_send_is_noted() {
    let sandbox = start();
    let mut client = connected(&sandbox);
    let rows = [
        "102,service-1,type,name,up",
        "110,4711,Model 7,1.0",
        "113,a=b",
        "114,c8y_Restart,c8y_Software",
        "115,firmware,1.0,",
        "117,60",
        "118,syslog",
        "119,collectd",
        "121,profile",
        "200,c8y_Temperature,T,25,C",
        "201,type,2026-11-01T10:00:00.000Z,c8y_Temperature,T,25",
        "204,1",
        "301,c8y_Alarm,It is hot",
        "500",
        "501,c8y_Restart",
        "502,c8y_Restart,\"no, not now\"",
        "503,c8y_Restart",
        "504,4711",
        "505,4711,failed",
        "506,4711",
    ];
    client.publish_1("s/us", &rows.join("\n"));
    client.publish_1("event/events/create", r#"{"type":"t","text":"x"}"#);
    client.publish_1("s/uc/own", "900,x");
    client.ping();
    let all = thing(&sandbox)["messages"].clone();
    let texts: Vec<&str> =
        all.as_array().unwrap().iter().map(|noted| noted["text"].as_str().unwrap()).collect();
    assert_eq!(texts[..rows.len()], rows);
    assert_eq!(all[rows.len()]["source"], "event/events/create");
    assert_eq!(all[rows.len() + 1]["source"], "s/uc/own");
    client.subscribe("error", 0);
    client.publish("measurement/measurements/create", "no JSON");
    assert_eq!(client.message().0, "error");
}
