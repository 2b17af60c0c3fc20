//! What real agents send first and subscribe to, sent by mosquitto_pub and mosquitto_sub (platform: "Topics"): it is
//! taken, recorded and shown. And what a connection may be like, and when it has to end.

use std::process::Stdio;

use c8y_pki_tests::openssl::EC;
use c8y_pki_tests::{Ended, tool};
use serde_json::{Value, json};

use crate::setting::{Setting, wait};

/// The forms, and what the sandbox shows of each that it only records.
const FORMS: &[&str] = &[
    "102,svc-1,c8y_Service,Collector,up",
    "110,4711,Gateway,1.0",
    "110",
    "113,\"interval=5\"",
    "114,c8y_Restart,c8y_Command",
    "115,firmware,1.0,http://localhost/f",
    "117,10",
    "118,logs,audit",
    "119,conf",
    "121,net",
    "200,c8y_Temperature,T,25",
    "200,c8y_Temperature,T,25,C,2026-11-29T10:00:00.000Z",
    "201,c8y_Two,2026-11-29T10:00:00.000Z,c8y_A,a,1,C",
    "204,c8y_Restart",
    "500",
    "501,c8y_Restart",
    "502,c8y_Restart,no",
    "503,c8y_Restart,yes",
    "504,7",
    "505,7,no",
    "506,7,yes",
];

#[test]
fn the_forms_that_agents_send_are_recorded() {
    let (Some(publish), Some(setting)) = (tool("mosquitto_pub"), Setting::start()) else { return };
    let send = |topic: &str, message: &str| {
        let program = setting.mosquitto(&publish, setting.port(), "-q 1");
        let mut program = program;
        let output = program.args(["-t", topic, "-m", message]).output().expect("it starts");
        assert!(output.status.success(), "{message}: {output:?}");
    };
    // 100 in all its lengths: a name is made up where there is none.
    send("s/us", "100");
    assert_eq!(setting.device("gw-1")["object"]["name"], "MQTT Device gw-1");
    assert_eq!(setting.device("gw-1")["object"]["type"], "c8y_MQTTDevice");
    send("s/us", "101,pump-1");
    send("s/us", "101,pump-2,Pump 2,c8y_Pump");
    send("s/us", &FORMS.join("\n"));
    send("s/us/pump-1", "400,c8y_Start,Now,2026-11-29T10:00:00.000Z");
    let device = setting.device("gw-1");
    let shown: Vec<&str> = device["messages"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|m| m["text"].as_str())
        .collect();
    let plain: Vec<String> =
        FORMS.iter().map(|form| form.replace("\"interval=5\"", "interval=5")).collect();
    assert_eq!(shown, plain);
    let children: Vec<(&Value, &Value)> = device["children"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|child| (&child["id"], &child["name"]))
        .collect();
    let names =
        [(&json!("pump-1"), &json!("MQTT Device pump-1")), (&json!("pump-2"), &json!("Pump 2"))];
    assert_eq!(children, names);
    let event = &device["events"][0];
    assert_eq!((&event["source"], &event["text"]), (&json!("pump-1"), &json!("Now")));
    assert!(
        event["at"].as_str().is_some_and(|at| at.starts_with("2026-11-29T10:00:00")),
        "{event}"
    );
    assert_eq!(setting.noted("mqtt", "PUBLISH"), [] as [Value; 0], "nothing was refused");
    send("s/us", "400,c8y_Start,Now,yesterday");
    let refused = setting.noted("mqtt", "PUBLISH").pop().expect("a line");
    let reason = "the time is not written as 2026-08-14T10:00:00.000Z";
    assert!(refused["reason"].as_str().is_some_and(|told| told.contains(reason)), "{refused}");
    // And shown on the page.
    let page = format!("{}/state.json", setting.tenant.sandbox().management_url());
    let state = setting.tenant.curl(&setting.curl, &page).expect(200).json();
    let recorded = state["tenants"]["t1001"]["devices"][0]["messages"].as_array().map(Vec::len);
    assert_eq!(recorded, Some(FORMS.len()));
}

#[test]
fn the_topics_that_agents_subscribe() {
    let (Some(publish), Some(subscribe)) = (tool("mosquitto_pub"), tool("mosquitto_sub")) else {
        return;
    };
    let Some(setting) = Setting::start() else { return };
    let topics = "-t s/ds -t s/dt -t s/dc/# -t s/dc/own -t s/e -t s/dat -t devicecontrol/notifications \
                  -t error -t s/# -t #";
    let (_, said) = setting.run(&subscribe, setting.port(), &format!("-d -W 1 {topics}"));
    let granted = "Subscribed (mid: 1): 0, 0, 0, 0, 0, 0, 0, 0, 128, 128";
    assert!(said.contains(granted), "{said}");

    // JSON over MQTT: what is JSON is recorded, what is not is told on `error`.
    let kinds = [
        "event/events/create",
        "alarm/alarms/create",
        "measurement/measurements/create",
        "inventory/managedObjects/update/4711",
    ];
    for topic in kinds {
        let mut program = setting.mosquitto(&publish, setting.port(), "-q 1");
        let output = program.args(["-t", topic, "-m", r#"{"type":"c8y_Own"}"#]).output();
        assert!(output.expect("it starts").status.success(), "{topic}");
    }
    let device = setting.device("gw-1");
    let messages = device["messages"].as_array().expect("a list").iter();
    let sources: Vec<&str> = messages.filter_map(|message| message["source"].as_str()).collect();
    assert_eq!(sources, kinds);

    // Paho's users see it in one session; mosquitto_rr does the same: it asks on one topic and waits on another.
    let Some(ask) = tool("mosquitto_rr") else { return };
    let mut program = setting.mosquitto(&ask, setting.port(), "-V mqttv311 -W 20 -e error");
    let output = program.args(["-t", "event/events/create", "-m", "no JSON"]).output();
    let said = output.expect("it starts").stdout;
    let told: Value = serde_json::from_slice(&said).expect("JSON");
    assert_eq!(told["error"], "general/badRequest", "{told}");
}

#[test]
fn a_session_that_is_not_clean_is_let_in_and_noted() {
    let (Some(subscribe), Some(setting)) = (tool("mosquitto_sub"), Setting::start()) else {
        return;
    };
    let (_, said) = setting.run(&subscribe, setting.port(), "-c -d -W 1 -q 1 -t s/ds");
    assert!(
        said.contains("received CONNACK (0)") && said.contains("Subscribed (mid: 1): 1"),
        "{said}"
    );
    let connect = setting.noted("mqtt", "CONNECT").pop().expect("a line");
    assert_eq!(connect["status"], 0);
    assert_eq!(connect["reason"], "clean session is false: it must be true");
}

#[test]
fn who_removes_a_ca_ends_the_sessions_of_its_devices() {
    let (Some(subscribe), Some(setting)) = (tool("mosquitto_sub"), Setting::start()) else {
        return;
    };
    // A device of another CA stays.
    setting.openssl.root("stays", EC);
    setting.openssl.device("gw-2", "stays");
    setting.tenant.trust(&setting.curl, &setting.openssl, "stays");
    let other = "--cert gw-2-chain.pem --key gw-2.key -i gw-2";
    let connected = || -> Vec<Value> {
        let state = setting.tenant.sandbox().state();
        let all = state["connected"].as_array().expect("a list").iter();
        all.map(|one| one["device"].clone()).collect()
    };
    let spawn = |line: &str| {
        let mut command = setting.mosquitto(&subscribe, setting.port(), line);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Ended(command.spawn().expect("it starts"))
    };
    let line = "-W 60 -q 1 -t s/ds";
    let _both = [spawn(line), spawn(&format!("{line} {other}"))];
    wait("both are connected", || (connected().len() == 2).then_some(()));
    let list = "/tenant/tenants/t1001/trusted-certificates";
    let one = format!("--request DELETE {list}/{}", setting.openssl.fingerprint("ca"));
    setting.tenant.admin(&setting.curl, &one).expect(204);
    let end = wait("its end", || setting.noted("mqtt", "DISCONNECT").pop());
    assert_eq!(
        (&end["path"], &end["reason"]),
        (&json!("gw-1"), &json!("the certificate of its CA was removed"))
    );
    // mosquitto_sub comes back by itself, and is refused.
    let refused = |one: &Value| one["path"] == "gw-1" && one["status"] == 5;
    wait("it is refused", || setting.noted("mqtt", "CONNECT").iter().any(refused).then_some(()));
    assert_eq!(connected(), ["gw-2"]);
}

#[test]
fn with_the_fault_a_bad_chain_ends_the_handshake() {
    let Some(publish) = tool("mosquitto_pub") else { return };
    let alert = |settings: &mut c8y_pki_sandbox::Settings| {
        settings.faults = "tls-alert".parse().expect("a fault");
    };
    let Some(setting) = Setting::with(alert) else { return };
    setting.openssl.root("stranger", EC);
    setting.openssl.device("gw-9", "stranger");
    let line = "-q 1 -t s/us -m 123 -V mqttv311";
    let (succeeded, said) = setting.run(&publish, setting.port(), line);
    assert!(succeeded, "{said}");
    let bad = format!("{line} --cert gw-9-chain.pem --key gw-9.key -i gw-9");
    let (succeeded, said) = setting.run(&publish, setting.port(), &bad);
    assert!(!succeeded && !said.contains("not authorised"), "{said}");
    // No CONNECT of it came that far.
    let connects = setting.noted("mqtt", "CONNECT");
    assert!(connects.iter().all(|one| one["path"] == "gw-1"), "{connects:?}");
    assert_eq!(setting.noted("mqtt", "HANDSHAKE").len(), 1);
}

#[test]
fn a_chain_of_three_needs_a_proof_only_if_it_is_demanded() {
    let Some(publish) = tool("mosquitto_pub") else { return };
    for (demanded, code) in [(false, 0), (true, 5)] {
        let Some(setting) = Setting::with(|settings| settings.require_proof = demanded) else {
            return;
        };
        setting.openssl.intermediate("line", "ca");
        setting.openssl.device("gw-3", "line");
        let three = "-q 1 -t s/us -m 123 --cert gw-3-chain.pem --key gw-3.key -i gw-3";
        let (succeeded, said) = setting.run(&publish, setting.port(), three);
        assert_eq!(succeeded, !demanded, "{said}");
        let connect = setting.noted("mqtt", "CONNECT").pop().expect("a line");
        assert_eq!(connect["status"], code, "{connect}");
    }
}
