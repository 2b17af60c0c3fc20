//! `device connect` against a sandbox, with a network that is cut in between, and against a real broker
//! that wants client certificates.
#![cfg(unix)]

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::broker::{Mosquitto, server_certificate};
use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::relay::Relay;
use c8y_pki_tests::talking::Talking;
use c8y_pki_tests::tool;
use serde_json::{Value, json};

fn tenant() -> AtTenant {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    let at = AtTenant::new(cli);
    at.ok("tenant trust add --ca line --auto-registration");
    at
}

/// Starts it at a port of this machine.
fn start(cli: &Cli, port: u16, more: &str) -> Talking {
    let line = format!("device connect gw-1 --host localhost --port {port} {more}");
    Talking::start(cli, &line, &[])
}

fn at_sandbox(at: &AtTenant, port: u16, more: &str) -> Talking {
    start(&at.cli, port, &format!("--truststore sandbox-ca.pem {more}"))
}

/// The texts of the device's events.
fn events(at: &AtTenant) -> Vec<String> {
    let devices = at.list("devices");
    let events = devices.iter().flat_map(|device| device["events"].as_array().unwrap().clone());
    events.map(|event| event["text"].as_str().unwrap().to_owned()).collect()
}

/// Ends it by Ctrl-C; what it has still said.
fn stop(device: Talking, code: i32) -> (String, String) {
    device.interrupt();
    let (ended, stdout, stderr) = device.finish();
    assert_eq!(ended, code, "{stdout}{stderr}");
    (stdout, stderr)
}

const LOST: &str = "Device connection was lost.";

#[test]
fn it_registers_and_talks_both_ways() {
    let at = tenant();
    let port = at.sandbox.mqtt_port();
    let more =
        "--name 'Gateway, 1' --type c8y_Gateway --child pump-1 --child valve-1 --child pump-1";
    let mut device = at_sandbox(&at, port, more);
    device.told("connected to localhost:");
    let made = &at.list("devices")[0];
    assert_eq!(
        (&made["object"]["name"], &made["object"]["type"]),
        (&json!("Gateway, 1"), &json!("c8y_Gateway"))
    );
    let children: Vec<&Value> =
        made["children"].as_array().unwrap().iter().map(|child| &child["id"]).collect();
    assert_eq!(children, ["pump-1", "valve-1"]);
    assert_eq!(at.sandbox.state()["connected"][0]["topics"], json!(["s/ds", "s/e"]));

    assert!(at.sandbox.send_operation("gw-1", "510,gw-1\n511,pump-1,\"a, \\\"b\\\"\""));
    assert_eq!(device.hear(), "510,gw-1");
    assert_eq!(device.hear(), "511,pump-1,\"a, \\\"b\\\"\"");
    device.say("400,c8y_Start,Started");
    device.say("");
    device.say("nonsense");
    assert_eq!(
        device.told("warning: "),
        "warning: s/e says: 40,nonsense,There is no static template with that id"
    );
    assert_eq!(events(&at), ["Started"]);
    let (stdout, stderr) = stop(device, 0);
    assert_eq!((stdout.as_str(), stderr.as_str()), ("", ""));
    assert_eq!(events(&at), ["Started"], "a goodbye leaves no last will");
}

#[test]
fn operations_are_json_lines() {
    let at = tenant();
    let mut device = at_sandbox(&at, at.sandbox.mqtt_port(), "--json --qos 2");
    let connected: Value = serde_json::from_str(&device.told("connected")).unwrap();
    assert_eq!(connected["connected"]["client_id"], "d:gw-1");
    for (payload, rows) in [
        ("510,gw-1\n511,a,\"b\nc\"", json!([["510", "gw-1"], ["511", "a", "b\nc"]])),
        ("x,\"open", json!(null)),
    ] {
        assert!(at.sandbox.send_operation("gw-1", payload));
        let line: Value = serde_json::from_str(&device.hear()).unwrap();
        assert_eq!(line, json!({ "topic": "s/ds", "rows": rows, "payload": payload }));
    }
    stop(device, 0);
}

#[test]
fn it_ends_with_its_input_when_asked_to() {
    let at = tenant();
    let port = at.sandbox.mqtt_port();
    let mut device = at_sandbox(&at, port, "--exit-at-eof");
    for number in 0..300 {
        device.say(&format!("400,t,{number}"));
    }
    device.say_no_more();
    let (code, _, stderr) = device.finish();
    assert_eq!(code, 0, "{stderr}");
    let wanted: Vec<String> = (200..300).map(|n| n.to_string()).collect();
    assert_eq!(events(&at), wanted, "the sandbox keeps the last hundred");

    let mut device = at_sandbox(&at, port, "--exit-at-eof --topic s/us/pump-1 --child pump-1");
    device.say("400,t,of the child");
    device.say_no_more();
    assert_eq!(device.finish().0, 0);
    let made = at.list("devices")[0]["events"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&made["source"], &made["text"]), (&json!("pump-1"), &json!("of the child")));

    let mut device = at_sandbox(&at, port, "--exit-at-eof");
    device.say("nonsense");
    device.say_no_more();
    let (code, _, stderr) = device.finish();
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("s/e says: 40,nonsense"), "{stderr}");
}

#[test]
fn a_line_that_is_too_long_is_refused_and_the_session_goes_on() {
    let at = tenant();
    let mut device = at_sandbox(&at, at.sandbox.mqtt_port(), "--exit-at-eof");
    device.told("connected");
    let most = 16_184 - 11;
    device.say(&format!("400,t,{}", "x".repeat(most - 6)));
    device.say(&"y".repeat(most + 1));
    device.say(&"z".repeat(100_000));
    device.say("400,t,after");
    device.say_no_more();
    let (code, _, stderr) = device.finish();
    assert_eq!(code, 1, "{stderr}");
    for number in [2, 3] {
        let wanted = format!(
            "warning: line {number} of standard input is not sent: a message can have at most {most} bytes"
        );
        assert!(stderr.contains(&wanted), "{stderr}");
    }
    let events = events(&at);
    assert_eq!((events[0].len(), events[1].as_str()), (most - 6, "after"));
}

#[test]
fn a_lost_connection_comes_back_and_no_line_is_lost() {
    let at = tenant();
    let relay = Relay::to(at.sandbox.mqtt_port());
    let mut device = at_sandbox(&at, relay.port, "");
    device.told("connected");
    device.say("400,t,before");
    device.until("the line arrives", || events(&at) == ["before"]);
    relay.cut();
    device.told("trying again in");
    device.until("the last will is published", || events(&at).contains(&LOST.to_owned()));
    device.say("400,t,meanwhile 1");
    device.say("400,t,meanwhile 2");
    device.told("2 lines to be sent when the connection is back");
    relay.mend();
    device.told("connected to localhost:");
    device.until("the lines arrive", || events(&at).len() >= 4);
    assert_eq!(events(&at), ["before", LOST, "meanwhile 1", "meanwhile 2"]);
    assert!(at.sandbox.send_operation("gw-1", "510,gw-1"));
    assert_eq!(device.hear(), "510,gw-1");
    relay.cut();
    device.told("trying again in");
    device.say("400,t,never");
    device.told("1 line to be sent");
    let (_, stderr) = stop(device, 1);
    assert!(stderr.ends_with("warning: 1 line not sent\n"), "{stderr}");
}

#[test]
fn a_process_that_is_killed_leaves_its_last_will() {
    let at = tenant();
    let mut device = at_sandbox(&at, at.sandbox.mqtt_port(), "");
    device.told("connected");
    device.kill();
    let mut other = at_sandbox(&at, at.sandbox.mqtt_port(), "");
    other.told("connected");
    other.until("the last will is published", || events(&at).contains(&LOST.to_owned()));
    stop(other, 0);
}

#[test]
fn a_refusal_that_is_repeated_ends_it_with_the_causes() {
    let at = tenant();
    at.ok("tenant trust update Line --disable");
    let device = at_sandbox(&at, at.sandbox.mqtt_port(), "");
    let (code, _, stderr) = device.finish();
    assert_eq!(code, 1, "{stderr}");
    assert_eq!(
        stderr.matches("CONNACK 5 (not authorized); trying again in").count(),
        3,
        "{stderr}"
    );
    assert!(stderr.contains("\ncauses, the first to check first:\n 1. "), "{stderr}");
    assert!(stderr.contains(". the CA is uploaded, but disabled\n    remedy: "), "{stderr}");
    assert!(!stderr.contains("hint:"), "the causes are there: {stderr}");
    assert!(
        stderr.contains("\nerror: the server refuses the connection with CONNACK 5"),
        "{stderr}"
    );

    let gone = start(&at.cli, 1, "--no-reconnect");
    let (code, _, stderr) = gone.finish();
    assert_eq!((code, stderr.contains("\ncause")), (3, false), "{stderr}");
    let stranger = start(&at.cli, at.sandbox.mqtt_port(), "--no-reconnect");
    let (code, _, stderr) = stranger.finish();
    assert_eq!((code, stderr.contains("remedy: ")), (2, true), "{stderr}");
    let endless = format!("--topic {}", "x".repeat(20_000));
    for wrong in
        ["--topic s/#", &endless, "--child a:b", "--child gw-1", "--qos 3", "--keep-alive 0"]
    {
        assert_eq!(at_sandbox(&at, 1, wrong).finish().0, 2, "{wrong}");
    }
}

#[test]
fn with_a_login_the_tenant_says_why() {
    let at = tenant();
    at.ok("tenant trust update Line --disable");
    let line = format!(
        "device connect gw-1 --port {} --truststore sandbox-ca.pem --no-reconnect",
        at.sandbox.mqtt_port()
    );
    let told = at.run(&line).expect(1);
    assert!(told.stderr.starts_with("tenant: t1001 at localhost"), "{told:?}");
    let cause = "\n 1. the CA is uploaded, but disabled (the tenant says so)\n    remedy: ";
    assert!(told.stderr.contains(cause), "{told:?}");
    let told = at.run(&format!("{line} --json")).expect(1);
    let first: Value = serde_json::from_str(told.stderr.lines().next().unwrap()).unwrap();
    assert_eq!(first["cause"]["code"], "ca-disabled", "{told:?}");
    assert_eq!(first["cause"]["certainty"], "confirmed", "{told:?}");
}

#[test]
fn files_of_another_device_are_told_before_it_connects() {
    let at = tenant();
    at.cli.ok(&format!("device issue gw-2 --ca line --out out {CA_PW}"));
    let before = at.sandbox.state()["connections"].as_array().unwrap().len();
    let port = at.sandbox.mqtt_port();
    let line = format!("device connect gw-1 --bundle out/gw-2 --port {port}");
    let told = at.run(&line).expect(2);
    assert!(told.error().starts_with("gw-1 does not connect with its files: "), "{told:?}");
    assert!(told.stderr.starts_with("cause: "), "{told:?}");
    assert_eq!(at.sandbox.state()["connections"].as_array().unwrap().len(), before);
}

#[test]
fn another_program_as_the_same_device_is_suspected() {
    let at = tenant();
    let mut one = at_sandbox(&at, at.sandbox.mqtt_port(), "");
    one.told("connected");
    let two = at_sandbox(&at, at.sandbox.mqtt_port(), "");
    one.told("warning: the server has closed two sessions in a row");
    stop(one, 0);
    stop(two, 0);
}

#[test]
fn an_operation_comes_by_the_sandboxs_page() {
    let Some(curl) = tool("curl") else { return };
    let at = tenant();
    let url = format!("{}/operations/gw-1", at.sandbox.management_url());
    let send = |more: &[&str]| {
        let args = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "-d", "510,gw-1", &url];
        curl.run(&[&args, more].concat())
    };
    assert_eq!(send(&[]), "404");
    let mut device = at_sandbox(&at, at.sandbox.mqtt_port(), "");
    device.told("connected");
    assert_eq!(send(&["-H", "Origin: null"]), "403");
    assert_eq!(send(&["-H", "Host: elsewhere.example"]), "421");
    assert_eq!(send(&["-X", "GET"]), "405");
    assert_eq!(send(&[]), "204");
    assert_eq!(device.hear(), "510,gw-1");
    stop(device, 0);
}

#[test]
fn a_real_broker_that_restarts_has_it_back() {
    let cli = Cli::with_cas();
    if server_certificate(&cli).is_none() {
        return;
    }
    cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    let Some(broker) = Mosquitto::start(&cli, "pki/ca/root/cert.pem", "") else { return };
    let port = broker.port;
    let mut device = start(&cli, port, "--truststore server-ca.pem --qos 1");
    device.told("connected");
    device.say("400,t,one");
    device
        .until("the line arrives", || cli.text("mosquitto.log").contains("'s/us', ... (9 bytes)"));
    let log = cli.text("mosquitto.log");
    assert!(log.contains("as d:gw-1 (p2, c1, k60)"), "{log}");
    assert!(log.contains("Will message specified (51 bytes) (r0, q1)"), "{log}");
    drop(broker);
    device.told("trying again in");
    device.say("400,t,three");
    let Some(_broker) = Mosquitto::start_at(&cli, "pki/ca/root/cert.pem", "", port) else { return };
    device.told("connected");
    device
        .until("the line arrives", || cli.text("mosquitto.log").contains("'s/us', ... (11 bytes)"));
    stop(device, 0);
    let log = cli.text("mosquitto.log");
    assert!(log.contains("Received DISCONNECT from d:gw-1"), "{log}");
}
