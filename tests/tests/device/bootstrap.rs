//! `device bootstrap` against a sandbox: the device asks, somebody accepts it, its credentials come.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{Cli, PASSWORD};
use c8y_pki_tests::talking::Talking;
use c8y_pki_tests::tool;
use serde_json::{Value, json};

fn tenant() -> AtTenant {
    AtTenant::new(Cli::new())
}

/// A command line for the device `pw-1`.
fn line(at: &AtTenant, more: &str) -> String {
    format!(
        "device bootstrap pw-1 --port {} --truststore sandbox-ca.pem --every 1 {more}",
        at.sandbox.mqtt_port()
    )
}

/// Starts it with the sandbox's password for the bootstrap user.
fn start(at: &AtTenant, more: &str) -> Talking {
    let host = at.sandbox.url();
    let variables = [("C8Y_HOST", host.as_str()), ("C8Y_BOOTSTRAP_PASSWORD", PASSWORD)];
    Talking::start(&at.cli, &line(at, more), &variables)
}

#[test]
fn credentials_come_when_the_device_is_accepted() {
    let at = tenant();
    assert!(at.sandbox.enter_device("pw-1") && !at.sandbox.enter_device("pw-1"));
    assert!(!at.sandbox.accept_device("pw-1"), "it has not asked yet");
    let mut asking = start(&at, "--out pw-1.json");
    asking.told("accept it there");
    asking.until("the device asks", || at.sandbox.accept_device("pw-1"));
    let (code, stdout, stderr) = asking.finish();
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(
        stdout,
        "pw-1: user t1001/device_pw-1; its credentials are in pw-1.json, and the device connects \
         with them\n"
    );
    let mode = std::fs::metadata(at.cli.path("pw-1.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let written: Value = serde_json::from_str(&at.cli.text("pw-1.json")).unwrap();
    assert_eq!((&written["tenant"], &written["user"]), (&"t1001".into(), &"device_pw-1".into()));
    let password = written["password"].as_str().unwrap();
    assert!(password.len() == 24 && !stdout.contains(password) && !stderr.contains(password));
    assert_eq!(at.list("devices")[0]["auth_type"], "BASIC");
    assert_eq!(at.list("new_device_requests"), Vec::<Value>::new());
    let connects: Vec<Value> = at.sandbox.state()["connections"].as_array().unwrap().clone();
    let checked = connects.iter().any(|c| c["user"] == "t1001/device_pw-1" && c["status"] == 0);
    assert!(checked, "{connects:?}");
    // A file that is there stays as it is, and nothing is asked.
    let before = at.cli.text("pw-1.json");
    let again = at.run(&line(&at, "--out pw-1.json --bootstrap-password-file pw")).expect(2);
    assert_eq!(again.error(), "pw-1.json exists already");
    assert_eq!(at.cli.text("pw-1.json"), before);
    assert_eq!(at.cli.names("."), ["pw", "pw-1.json", "sandbox-ca.pem"]);
}

#[test]
fn they_are_printed_when_asked_for() {
    let at = tenant();
    at.sandbox.enter_device("pw-1");
    let mut asking = start(&at, "--raw");
    asking.until("the device asks", || at.sandbox.accept_device("pw-1"));
    let (code, stdout, stderr) = asking.finish();
    assert_eq!(code, 0, "{stderr}");
    let [tenant, user, password] = stdout.lines().collect::<Vec<_>>()[..] else {
        panic!("{stdout}")
    };
    assert_eq!((tenant, user, password.len()), ("t1001", "device_pw-1", 24));
    assert!(!stderr.contains(password), "{stderr}");
    let json = line(&at, "--raw --json --no-check --bootstrap-password-file pw");
    let json = at.run(&json).expect(0).json();
    let wanted = json!({
        "device": "pw-1", "tenant": "t1001", "user": "device_pw-1", "password": password,
    });
    assert_eq!(json, wanted);
}

#[test]
fn credentials_that_have_come_are_kept_no_matter_who_took_their_place() {
    let at = tenant();
    at.sandbox.enter_device("pw-1");
    let mut asking = start(&at, "--out f");
    asking.told("accept it there");
    at.cli.write("f", "somebody else's");
    asking.until("the device asks", || at.sandbox.accept_device("pw-1"));
    assert!(asking.told("warning: ").ends_with("the credentials that have come are in f.new"));
    assert_eq!(asking.finish().0, 2);
    assert_eq!(at.cli.text("f"), "somebody else's");
    let kept: Value = serde_json::from_str(&at.cli.text("f.new")).unwrap();
    assert_eq!(kept["user"], "device_pw-1");
    assert_eq!(at.cli.names("."), ["f", "f.new", "pw", "sandbox-ca.pem"]);
}

#[test]
fn nobody_accepts_or_the_user_stops_and_no_file_is_left() {
    let at = tenant();
    let pw = "--bootstrap-password-file pw";
    let late = at.run(&line(&at, &format!("--out f --wait 1 {pw}"))).expect(1);
    assert_eq!(late.error(), "no credentials came on s/dcr within 1 seconds");
    // Who was never reached has not refused.
    let nobody = at.run(&format!("device bootstrap pw-1 --port 1 --raw --wait 1 {pw}")).expect(3);
    assert_eq!(nobody.error(), "nothing listens on localhost:1");
    let mut asking = start(&at, "--out f");
    asking.told("accept it there");
    asking.interrupt();
    assert_eq!(asking.finish().0, 3);
    assert_eq!(at.cli.names("."), ["pw", "sandbox-ca.pem"]);

    at.cli.write("wrong", "another\n");
    let wrong = at.run(&line(&at, "--raw --bootstrap-password-file wrong")).expect(1);
    assert!(wrong.error().contains("CONNACK 4"), "{wrong:?}");
    assert!(wrong.stderr.contains("hint: the bootstrap user's name or password"), "{wrong:?}");
    let user = at.run(&line(&at, &format!("--raw --bootstrap-user t1001/nobody {pw}"))).expect(1);
    assert!(user.error().contains("CONNACK 4"), "{user:?}");
    at.run(&line(&at, pw)).expect(2);
    at.run(&line(&at, "--raw")).expect(2);
    at.run(&line(&at, &format!("--out nowhere/f {pw}"))).expect(2);
    at.run(&line(&at, &format!("--raw {pw}")).replace("pw-1", "p:1")).expect(2);
}

#[test]
fn a_person_accepts_it_over_rest() {
    let Some(curl) = tool("curl") else { return };
    let at = tenant();
    let url = format!("{}/devicecontrol/newDeviceRequests", at.sandbox.url());
    let call = |user: &str, method: &str, path: &str, body: &str| {
        let login = format!("t1001/{user}:{PASSWORD}");
        let (ca, url) = (at.cli.arg("sandbox-ca.pem"), format!("{url}{path}"));
        let mut args = vec!["-s", "--cacert", &ca, "-u", &login, "-X", method, &url];
        args.extend(["-H", "Accept: application/json", "-w", " %{http_code}"]);
        if !body.is_empty() {
            args.extend(["-H", "Content-Type: application/json", "-d", body]);
        }
        curl.run(&args)
    };
    let accept = r#"{"status":"ACCEPTED"}"#;
    assert!(call("reader", "POST", "", r#"{"id":"pw-1"}"#).ends_with(" 403"));
    assert!(call("devices", "POST", "", r#"{"id":"p:1"}"#).ends_with(" 422"));
    let made = call("devices", "POST", "", r#"{"id":"pw-1"}"#);
    assert!(made.contains("WAITING_FOR_CONNECTION") && made.ends_with(" 201"), "{made}");
    assert!(call("devices", "POST", "", r#"{"id":"pw-1"}"#).ends_with(" 422"));
    assert!(call("devices", "PUT", "/pw-1", accept).ends_with(" 404"));
    assert!(call("devices", "PUT", "/pw-2", accept).ends_with(" 404"));
    let mut asking = start(&at, "--raw");
    asking.until("the device asks", || {
        call("devices", "GET", "/pw-1", "").contains("PENDING_ACCEPTANCE")
    });
    assert!(call("devices", "PUT", "/pw-1", r#"{"status":"X"}"#).ends_with(" 422"));
    assert!(call("devices", "PUT", "/pw-1", accept).ends_with(" 200"));
    assert_eq!(asking.hear(), "t1001");
    assert_eq!(asking.finish().0, 0);
    assert!(call("devices", "GET", "", "").contains(r#""newDeviceRequests":[]"#));
    call("devices", "POST", "", r#"{"id":"pw-3"}"#);
    assert!(call("devices", "DELETE", "/pw-3", "").ends_with("403"));
    assert!(call("admin", "DELETE", "/pw-3", "").ends_with("204"));
    assert!(call("devices", "GET", "/pw-3", "").ends_with(" 404"));
}
