//! `device token` against a sandbox: over MQTT and HTTPS, shown, written, renewed; and used.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use c8y_pki_sandbox::Settings;
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{CA_PW, Cli, Outcome};
use c8y_pki_tests::relay::Relay;
use c8y_pki_tests::talking::Talking;
use c8y_pki_tests::tool;

/// A tenant that trusts `line`, and a device below that, with tokens of so many seconds.
fn tenant(token_seconds: u32) -> AtTenant {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    let at = AtTenant::with(cli, Settings { token_seconds, ..Settings::default() });
    at.ok("tenant trust add --ca line --auto-registration");
    at
}

fn mqtt(at: &AtTenant) -> String {
    format!("device token gw-1 --port {} --truststore sandbox-ca.pem", at.sandbox.mqtt_port())
}

fn https(at: &AtTenant) -> String {
    let port = at.sandbox.mtls_url().rsplit(':').next().unwrap().to_owned();
    format!("device token gw-1 --https --https-port {port} --truststore sandbox-ca.pem")
}

fn token(said: &Outcome) -> &str {
    let token = said.stdout.strip_suffix('\n').unwrap();
    assert_eq!(token.matches('.').count(), 2, "{said:?}");
    assert!(!said.stderr.contains(token), "{said:?}");
    token
}

#[test]
fn claims_are_shown_and_the_token_only_when_asked_for() {
    let at = tenant(3600);
    for line in [mqtt(&at), https(&at)] {
        let text = at.run(&line).expect(0);
        assert!(text.stdout.contains("subject  device_gw-1\ntenant   t1001\n"), "{text:?}");
        assert!(text.stdout.contains("(in 59 minutes)\n"), "{text:?}");
        assert!(text.stdout.contains("\naud      localhost\n"), "{text:?}");
        assert!(text.stderr.contains("not verified"), "{text:?}");
        assert!(!text.stdout.contains("eyJ"), "{text:?}");
        let json = at.run(&format!("{line} --json")).expect(0).json();
        assert_eq!((&json["device"], &json["verified"]), (&"gw-1".into(), &false.into()));
        assert_eq!(
            (&json["subject"], &json["other"]["tfa"]),
            (&"device_gw-1".into(), &false.into())
        );
        assert!(json["seconds_left"].as_i64().unwrap() > 3500, "{json}");
        assert!(json.get("token").is_none(), "{json}");
        let raw = at.run(&format!("{line} --raw")).expect(0);
        token(&raw);
        assert_eq!(raw.stderr, "");
        let raw = at.run(&format!("{line} --raw --json")).expect(0).json();
        assert_eq!(raw["token"].as_str().unwrap().matches('.').count(), 2, "{raw}");
    }
    // The device's certificate tells who it is, too.
    let by_files = mqtt(&at).replace("gw-1", "--bundle out/gw-1");
    assert!(at.ok(&by_files).contains("subject  device_gw-1"));
}

#[test]
fn the_platform_takes_the_token() {
    let Some(curl) = tool("curl") else { return };
    let at = tenant(3600);
    let said = at.run(&format!("{} --token-out gw-1.token", mqtt(&at))).expect(0);
    assert!(said.stderr.contains("the token is in gw-1.token\n"), "{said:?}");
    let mode = std::fs::metadata(at.cli.path("gw-1.token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let written = at.cli.text("gw-1.token");
    let other = at.run(&format!("{} --raw", https(&at))).expect(0);
    for token in [written.trim(), token(&other)] {
        let said = curl.run(&[
            "-s",
            "--cacert",
            &at.cli.arg("sandbox-ca.pem"),
            "-H",
            &format!("Authorization: Bearer {token}"),
            &format!("{}/user/currentUser", at.sandbox.url()),
        ]);
        assert!(said.contains("\"userName\":\"device_gw-1\""), "{said}");
    }
    // A token may be written over, anything else may not.
    at.ok(&format!("{} --token-out gw-1.token", https(&at)));
    assert_ne!(at.cli.text("gw-1.token"), written);
    let refused = at.run(&format!("{} --token-out pw", mqtt(&at))).expect(2);
    assert_eq!(refused.error(), "pw exists and has no token in it");
}

#[test]
fn refusals_say_what_to_do() {
    let at = tenant(3600);
    at.ok("tenant trust update Line --disable");
    let refused = at.run(&mqtt(&at)).expect(1);
    assert!(refused.error().contains("CONNACK 5"), "{refused:?}");
    assert!(refused.stderr.contains("device check"), "{refused:?}");
    let refused = at.run(&https(&at)).expect(1);
    assert!(refused.error().contains("does not accept the device's certificate"), "{refused:?}");
    assert!(refused.stderr.contains("device check"), "{refused:?}");
    let stranger = https(&at).replace("sandbox-ca.pem", "pki/ca/root/cert.pem");
    let refused = at.run(&stranger).expect(2);
    assert!(refused.error().contains("not trusted"), "{refused:?}");
    assert!(refused.stderr.contains("hint: the device's truststore"), "{refused:?}");
    let nobody = at.run("device token gw-1 --https --https-port 1").expect(3);
    assert!(nobody.error().contains("nothing listens on port 1"), "{nobody:?}");
    assert!(nobody.stderr.contains("For this host no proxy is used"), "{nobody:?}");
    at.run("device token gw-1 --port 0").expect(2);
    at.run(&mqtt(&at).replace("gw-1", "gw-2")).expect(2);
    at.run("device token gw-1 --https-port 5").expect(2);
}

#[test]
fn a_watch_renews_whatever_happens_to_the_network() {
    let at = tenant(2);
    let relay = Relay::to(at.sandbox.mqtt_port());
    let line = format!(
        "device token gw-1 --truststore sandbox-ca.pem --watch --raw --token-out t --port {}",
        relay.port
    );
    let mut watch = Talking::start(&at.cli, &line, &[("C8Y_HOST", &at.sandbox.url())]);
    let first = watch.hear();
    let second = watch.hear();
    relay.cut();
    watch.told("trying again in");
    relay.mend();
    // Some may have come before the cut.
    let mut last = watch.hear();
    while at.cli.text("t").trim() != last {
        last = watch.hear();
    }
    assert!(first != second && second != last);
    watch.interrupt();
    let (code, _, stderr) = watch.finish();
    assert_eq!(code, 0, "{stderr}");
    assert!(!stderr.contains("eyJ"), "{stderr}");
}

#[test]
fn a_watch_ends_when_nobody_reads_it() {
    let at = tenant(2);
    let mut watch = at.cli.command(&format!("{} --watch --raw", mqtt(&at)));
    watch.env("C8Y_HOST", at.sandbox.url()).stdin(Stdio::null()).stderr(Stdio::null());
    let mut watch = watch.stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(watch.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first.matches('.').count(), 2, "{first}");
    assert_eq!(watch.wait().unwrap().code(), Some(0));
}

#[test]
fn a_watch_over_https_leaves_the_devices_connection_alone() {
    let at = tenant(2);
    let url = at.sandbox.url();
    let host = [("C8Y_HOST", url.as_str())];
    let line = mqtt(&at).replace("token", "connect");
    let mut device = Talking::start(&at.cli, &line, &host);
    device.told("connected to");
    let line = format!("{} --watch --json", https(&at));
    let mut watch = Talking::start(&at.cli, &line, &host);
    for _ in 0..3 {
        let line: serde_json::Value = serde_json::from_str(&watch.hear()).unwrap();
        assert_eq!(line["subject"], "device_gw-1");
    }
    // Refused again and again, it ends.
    at.ok("tenant trust update Line --disable");
    watch.told("retry");
    let (code, _, stderr) = watch.finish();
    assert_eq!(code, 1, "{stderr}");
    assert!(at.sandbox.send_operation("gw-1", "510,gw-1"));
    assert_eq!(device.hear(), "510,gw-1");
}
