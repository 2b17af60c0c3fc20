//! `device check`, `token` and `connect` at the MQTT Service: its user, its common name, SmartREST off and on, what
//! is refused of a device's own program there (by mosquitto's client).

use std::process::Command;

use c8y_pki_sandbox::Settings;
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{Cli, Outcome};
use c8y_pki_tests::tool;
use c8y_pki_tests::workshop::{bundle, device, root, upload};
use serde_json::Value;

/// gw-1, and gw-7 whose common name is d:gw-7, at a tenant that has the MQTT Service.
fn at() -> AtTenant {
    let settings = Settings { mqtt_service_port: Some(0), ..Settings::default() };
    let (at, root) = (AtTenant::with(Cli::new(), settings), root("Root", None));
    upload(&at, &root, "--prove --auto-registration");
    for (folder, name) in [("gw-1", "gw-1"), ("gw-7", "d:gw-7")] {
        let device = device(name, &root);
        bundle(&at.cli, &format!("out/{folder}"), &device, &[&device, &root]);
    }
    at
}

/// A command at the MQTT Service.
fn line(at: &AtTenant, command: &str, more: &str) -> String {
    let port = at.sandbox.mqtt_service_port().expect("the port");
    format!(
        "device {command} --mqtt-service --host localhost --port {port} --truststore sandbox-ca.pem {more}"
    )
}

/// Without a login.
fn check(at: &AtTenant, more: &str) -> Outcome {
    at.cli.run(&line(at, "check", &format!("--attempts 1 --json {more}")))
}

fn has_note(report: &Value, words: &str) -> bool {
    let notes = report["notes"].as_array().expect("notes").iter();
    notes.filter_map(Value::as_str).any(|note| note.contains(words))
}

fn outcome<'a>(report: &'a Value, step: &str) -> &'a str {
    let steps = report["steps"].as_array().expect("steps").iter();
    let found = steps.into_iter().find(|s| s["step"] == step).expect("the step");
    found["outcome"].as_str().expect("a word")
}

/// The newest line that the sandbox has noted of that port and this method.
fn noted(at: &AtTenant, method: &str) -> Value {
    let state = at.sandbox.state();
    let mut all = state["connections"].as_array().expect("a list").iter().rev();
    all.find(|c| c["port"] == "mqtt-service" && c["method"] == method).expect("a line").clone()
}

fn switch_on(at: &AtTenant) {
    let Some(curl) = tool("curl") else { panic!("curl is needed to switch a feature on") };
    let user = format!("t1001/admin:{}", at.sandbox.password().expose());
    curl.run(&[
        "--silent",
        "--fail",
        "--cacert",
        &at.cli.arg("sandbox-ca.pem"),
        "--user",
        &user,
        "--request",
        "PUT",
        "--header",
        "Content-Type: application/json",
        "--data",
        "{\"active\":true}",
        &format!("{}/features/mqtt-service.smartrest/by-tenant", at.sandbox.url()),
    ]);
}

#[test]
fn without_smartrest_the_check_ends_with_the_connection() {
    let at = at();
    let report = check(&at, "gw-1 --tenant t1001").expect(0).json();
    assert_eq!(
        (outcome(&report, "connect"), outcome(&report, "publish")),
        ("ok", "skipped"),
        "{report}"
    );
    assert!(has_note(&report, "SmartREST, which is probably off"), "{report}");
    assert!(has_note(&report, "QoS 2, retained messages"), "{report}");
    // It has registered nothing, and sent the tenant as its user.
    let device = &at.list("devices")[0];
    assert_eq!(device["object"], Value::Null, "{device}");
    let unknown = check(&at, "gw-1").expect(0).json();
    assert!(has_note(&unknown, "no MQTT user was sent"), "{unknown}");
    // The tenant tells it, too.
    let told = at.run(&line(&at, "check", "gw-1 --json")).expect(0).json();
    assert!(has_note(&told, "the tenant says that SmartREST is off"), "{told}");
    let text = at.ok(&line(&at, "check", "gw-1"));
    assert!(text.starts_with("gw-1 connects to localhost:"), "{text}");
}

#[test]
fn a_device_that_speaks_smartrest_is_refused_while_it_is_off() {
    let at = at();
    let report = check(&at, "gw-1 --smartrest").expect(1).json();
    assert_eq!(report["causes"][0]["code"], "smartrest-off", "{report}");
    assert_eq!(report["causes"][0]["certainty"], "likely", "{report}");
    if tool("curl").is_none() {
        return;
    }
    switch_on(&at);
    let report = check(&at, "gw-1 --smartrest --tenant t1001").expect(0).json();
    assert_eq!(outcome(&report, "receive"), "ok", "{report}");
    // It is found out without the option, and asked of the tenant.
    assert_eq!(outcome(&check(&at, "gw-1").expect(0).json(), "receive"), "ok");
    let told = at.run(&line(&at, "check", "gw-1 --json")).expect(0).json();
    assert_eq!(outcome(&told, "receive"), "ok", "{told}");
    assert_eq!(at.list("devices")[0]["object"]["type"], "c8y_MQTTDevice");
}

#[test]
fn the_user_is_the_tenant_and_the_common_name_may_have_its_prefix() {
    let at = at();
    let wrong = check(&at, "gw-1 --tenant t1002").expect(1).json();
    assert_eq!(wrong["causes"][0]["code"], "tenant-user", "{wrong}");
    let reason = noted(&at, "CONNECT")["reason"].to_string();
    assert!(reason.contains("is not the tenant"), "{reason}");
    let prefixed = check(&at, "gw-7").expect(0).json();
    assert!(has_note(&prefixed, "port 8883 does not accept it"), "{prefixed}");
    assert_eq!(noted(&at, "CONNECT")["path"], "d:gw-7");
    check(&at, "--bundle out/gw-7").expect(0);
    let port = at.sandbox.mqtt_port();
    let classic = format!(
        "device check gw-7 --host localhost --port {port} --json --truststore sandbox-ca.pem"
    );
    assert_eq!(at.cli.run(&classic).expect(2).json()["causes"][0]["code"], "colon");
}

#[test]
fn tokens_need_smartrest() {
    let at = at();
    let refused = at.cli.run(&line(&at, "token gw-1", "--tenant t1001")).expect(1);
    let error =
        "the MQTT Service refuses s/dat: tokens come over SmartREST, which has to be on there";
    assert_eq!(refused.error(), error);
    assert!(refused.stderr.contains("hint: ask over HTTPS: --https"), "{}", refused.stderr);
    if tool("curl").is_some() {
        switch_on(&at);
        let token = at.cli.ok(&line(&at, "token gw-1", "--tenant t1001"));
        assert!(token.contains("device_gw-1"), "{token}");
    }
}

#[test]
fn lines_go_to_a_topic_of_ones_own() {
    let at = at();
    let connect = |more: &str| line(&at, "connect gw-1 --exit-at-eof", more);
    let sent =
        at.cli.run_with(&connect("--topic plant/hall-3 --tenant t1001"), &[], b"21.5\n22.0\n");
    let said = sent.expect(0);
    assert!(!said.stderr.contains("error"), "{}", said.stderr);
    let device = &at.list("devices")[0];
    assert!(device.to_string().contains("plant/hall-3"), "{device}");
    assert!(!device.to_string().contains("s/us"), "{device}");
    let refused = |more: &str, error: &str| {
        let said = at.cli.fails(2, &connect(more));
        assert!(said.contains(error) && said.contains("hint: "), "{said}");
    };
    refused(
        "",
        "s/us is a topic of SmartREST, which the MQTT Service has only where it was switched on",
    );
    refused("--topic a --qos 2", "the MQTT Service takes QoS 0 and 1 only, but QoS 2 is asked for");
    refused("--topic a --child pump-1", "--child and --name are messages of SmartREST");
    // With a login the tenant says so.
    let said = at.run(&connect("")).expect(2).stderr;
    assert!(said.contains("off for the MQTT Service of this tenant"), "{said}");
    if tool("curl").is_some() {
        switch_on(&at);
        let line = connect("--smartrest --child pump-1");
        at.cli.run_with(&line, &[], b"400,c8y_Start,Started\n").expect(0);
        let device = &at.list("devices")[0];
        assert_eq!(device["children"][0]["id"], "pump-1", "{device}");
    }
}

#[test]
fn ports_choose_the_rules() {
    let at = at();
    // Nothing listens there: which rules they are shows in the causes.
    let code = |more: &str| {
        let line = format!("device check gw-1 --host 127.0.0.1 --timeout 5 --json {more}");
        let report = at.cli.run(&line).expect(3).json();
        let target = report["target"].as_str().expect("a target").to_owned();
        (target, report["causes"][0]["code"].as_str().expect("a code").to_owned())
    };
    let both = |target: &str, code: &str| (target.to_owned(), code.to_owned());
    assert_eq!(code("--port 9883"), both("127.0.0.1:9883", "service-not-there"));
    assert_eq!(code("--mqtt-service"), both("127.0.0.1:9883", "service-not-there"));
    assert_eq!(code(""), both("127.0.0.1:8883", "port-closed"));
}

/// What a device's own program sends there, though `device check` connects.
#[test]
fn what_the_service_refuses_of_others() {
    let Some(publish) = tool("mosquitto_pub") else { return };
    let Some(subscribe) = tool("mosquitto_sub") else { return };
    let at = at();
    let run = |program: &c8y_pki_tests::Tool, more: &str| {
        let port = at.sandbox.mqtt_service_port().expect("the port").to_string();
        let output = Command::new(program.path())
            .current_dir(at.cli.path(""))
            .args(["-h", "localhost", "-p", &port, "--cafile", "sandbox-ca.pem", "-V", "mqttv311"])
            .args(["--cert", "out/gw-1/chain.pem", "--key", "out/gw-1/key.pem"])
            .args(more.split(' '))
            .output()
            .expect("it starts");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    let message = "-t plant/hall-3 -m x -q 1";
    assert!(run(&publish, &format!("-i gw-1 {message}")).0);
    assert!(run(&publish, &format!("-i d:gw-1 -u t1001 {message}")).0);
    for refused in [
        format!("-i d:gw-1:template {message}"),
        format!("-i gw-2 {message}"),
        format!("-i gw-1 -u t1001/gw-1 {message}"),
        format!("-i gw-1 -c {message}"),
        "-i gw-1 -t plant/hall-3 -m x -q 2".to_owned(),
        "-i gw-1 -t plant/hall-3 -m x -q 1 -r".to_owned(),
    ] {
        assert!(!run(&publish, &refused).0, "{refused}");
    }
    // One filter is granted: then it waits for a message until its time is over. Two are refused as a whole.
    let denied =
        |filters: &str| run(&subscribe, &format!("-i gw-1 {filters} -W 2 -d")).1.contains("denied");
    assert!(!denied("-t plant/a") && denied("-t plant/a -t plant/b"));
}
