//! `device enrol --renew`, unattended: the working pair is never lost, whatever happens.

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{Cli, Outcome};
use c8y_pki_tests::faults::{Fault, Faults};
use c8y_pki_tests::workshop::{bundle, device_for, root};
use c8y_pki_tests::{arg, tool};

use crate::enrol::with_authority;

/// Calls to the file system at which a renewal is killed.
const SOME: usize = 40;

fn enrolled() -> AtTenant {
    let at = with_authority();
    enrol(&at);
    at
}

fn enrol(at: &AtTenant) {
    at.cli.write("otp", "a-one-time-password");
    at.ok("registration add gw-1 --otp-file otp");
    at.ok("device enrol gw-1 --out out --otp-file otp");
}

/// The port at which devices get tokens with their certificates.
pub(crate) fn https(at: &AtTenant) -> String {
    at.sandbox.mtls_url().rsplit_once(':').expect("a port").1.to_owned()
}

fn renew(at: &AtTenant, more: &str) -> Outcome {
    at.run(&format!("device enrol gw-1 --out out --renew --port {} {more}", https(at)))
}

/// Key and certificate of a directory, which belong together; the certificate's serial number.
fn pair(cli: &Cli, folder: &str) -> String {
    let key = PrivateKey::read(&cli.read(&format!("{folder}/key.pem")), None).expect("a key");
    for name in ["cert.pem", "chain.pem"] {
        let all = Certificate::all_from_pem_or_der(&cli.read(&format!("{folder}/{name}")));
        let first = all.expect("certificates").remove(0);
        assert_eq!(first.spki, key.public_key().spki(), "{name} in {folder} is of another key");
    }
    let all = Certificate::all_from_pem_or_der(&cli.read(&format!("{folder}/cert.pem")));
    all.expect("a certificate")[0].serial.to_string()
}

#[test]
fn nothing_is_done_while_it_is_not_due() {
    let at = enrolled();
    let before = at.cli.snapshot("out");
    // Not even the network is needed.
    let line = "device enrol gw-1 --out out --renew --if-expires-within 30d --host nowhere.invalid";
    let done = at.cli.run(line).expect(0);
    assert!(done.stdout.starts_with("gw-1: not due"), "{done:?}");
    assert_eq!(at.cli.snapshot("out"), before);
    let due = renew(&at, "--if-expires-within 400d").expect(0);
    assert!(due.stdout.starts_with("gw-1: renewed"), "{due:?}");
}

#[test]
fn the_next_pair_has_a_new_key_and_the_former_one_is_kept() {
    let at = enrolled();
    at.cli.write("out/gw-1/truststore.pem", at.cli.read("sandbox-ca.pem"));
    let (key, serial) = (at.cli.read("out/gw-1/key.pem"), pair(&at.cli, "out/gw-1"));
    renew(&at, "").expect(0);
    assert_ne!(pair(&at.cli, "out/gw-1"), serial);
    assert_ne!(at.cli.read("out/gw-1/key.pem"), key);
    assert_eq!(at.cli.read("out/.replaced/gw-1/1/key.pem"), key);
    assert_eq!(at.cli.names("out/gw-1"), ["cert.pem", "chain.pem", "key.pem", "truststore.pem"]);
    assert_eq!(at.cli.names("out"), [".replaced", "gw-1"]);
    // The same key where that is wanted, and over MQTT.
    let key = at.cli.read("out/gw-1/key.pem");
    let port = at.sandbox.mqtt_port();
    at.ok(&format!("device enrol gw-1 --out out --renew --reuse-key --over mqtt --port {port}"));
    assert_eq!(at.cli.read("out/gw-1/key.pem"), key);
    let Some(openssl) = tool("openssl") else { return };
    let [cert, key] = ["out/gw-1/cert.pem", "out/gw-1/key.pem"].map(|name| at.cli.path(name));
    let of_cert = openssl.run(&["x509", "-in", arg(&cert), "-noout", "-pubkey"]);
    assert_eq!(of_cert, openssl.run(&["pkey", "-in", arg(&key), "-pubout"]));
    // curl gets a token with them, by the vendor's line.
    let Some(curl) = tool("curl") else { return };
    let (cacert, url) = (at.cli.path("sandbox-ca.pem"), at.sandbox.mtls_url());
    let token = format!("{url}/devicecontrol/deviceAccessToken");
    let accept = "Accept: application/json";
    let files = ["--cacert", arg(&cacert), "--cert", arg(&cert), "--key", arg(&key)];
    let line = ["--silent", "--fail", "-X", "POST", "-H", accept, &token];
    assert!(curl.run(&[&files[..], &line].concat()).contains("accessToken"));
}

#[cfg(unix)]
#[test]
fn modes_of_the_former_files_are_kept() {
    use std::fs::{Permissions, metadata, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    let at = enrolled();
    let key = at.cli.path("out/gw-1/key.pem");
    set_permissions(&key, Permissions::from_mode(0o640)).expect("a mode");
    renew(&at, "").expect(0);
    assert_eq!(metadata(&key).expect("a key").permissions().mode() & 0o777, 0o640);
}

#[test]
fn files_that_the_platform_does_not_let_in_never_take_the_place() {
    let at = enrolled();
    let serial = pair(&at.cli, "out/gw-1");
    // The token is given, so the CA's being disabled is noticed only when the new files are tried.
    at.ok(&format!(
        "device token gw-1 --https --https-port {} --truststore sandbox-ca.pem --token-out token",
        https(&at)
    ));
    let ca = at.run("tenant authority status --json").expect(0).json();
    let fingerprint = ca["authority"]["fingerprint"].as_str().expect("a fingerprint").to_owned();
    at.ok(&format!("tenant trust update {fingerprint} --disable"));
    let refused = renew(&at, "--token-file token").expect(1);
    assert!(
        refused.error().starts_with("the platform does not accept the new certificate"),
        "{refused:?}"
    );
    assert_eq!(pair(&at.cli, "out/gw-1"), serial);
    let made = pair(&at.cli, "out/gw-1.new");
    // When it is enabled again, what was made is tried and taken: no further certificate is made.
    at.ok(&format!("tenant trust update {fingerprint} --enable"));
    renew(&at, "").expect(0);
    assert_eq!(pair(&at.cli, "out/gw-1"), made);
    assert_eq!(at.list("enrolments").len(), 2);
}

#[test]
fn a_kill_at_any_call_leaves_a_pair_that_works() {
    let Some(faults) = Faults::new() else { return };
    let at = enrolled();
    let host = format!("--host {} --cacert sandbox-ca.pem", at.sandbox.url());
    let line = format!("device enrol gw-1 --out out --renew --port {} {host}", https(&at));
    let calls = faults.count(&at.cli, &line);
    assert!(calls > 15, "{calls} calls");
    let (mut killed, mut seen) = (0, std::collections::BTreeSet::new());
    for call in (1..=calls).step_by((calls / SOME).max(1)) {
        killed += usize::from(faults.run(&at.cli, &line, Fault::Killed, call).is_none());
        let now = pair(&at.cli, "out/gw-1");
        // What stands there is let in.
        let token = format!(
            "device token gw-1 --https --https-port {} --truststore sandbox-ca.pem",
            https(&at)
        );
        at.run(&token).expect(0);
        seen.insert(now);
        at.run(&line).expect(0);
        seen.insert(pair(&at.cli, "out/gw-1"));
        assert_eq!(at.cli.names("out"), [".replaced", "gw-1"], "call {call}");
        assert_eq!(at.cli.names("out/gw-1"), ["cert.pem", "chain.pem", "key.pem"], "call {call}");
    }
    assert!(killed > 10, "only {killed} of {calls} calls were killed");
    assert!(seen.len() > killed, "{} certificates", seen.len());
}

#[test]
fn a_full_or_broken_disk_leaves_a_pair_too() {
    let Some(faults) = Faults::new() else { return };
    let at = enrolled();
    let host = format!("--host {} --cacert sandbox-ca.pem", at.sandbox.url());
    let line = format!("device enrol gw-1 --out out --renew --port {} {host}", https(&at));
    let calls = faults.count(&at.cli, &line);
    for fault in [Fault::Broken, Fault::Full] {
        for call in (1..=calls).step_by((calls / 12).max(1)) {
            let told = faults.run(&at.cli, &line, fault, call).expect("an end");
            assert!([0, 3].contains(&told.code), "{fault:?} at {call}: {told:?}");
            pair(&at.cli, "out/gw-1");
            at.run(&line).expect(0);
            assert_eq!(at.cli.names("out"), [".replaced", "gw-1"], "{fault:?} at {call}");
        }
    }
}

#[test]
fn a_bad_network_leaves_a_pair_and_the_next_run_goes_on() {
    let at = enrolled();
    let first = pair(&at.cli, "out/gw-1");
    for seed in 0..4 {
        at.faults(0.2, seed);
        let before = pair(&at.cli, "out/gw-1");
        let done = (0..20).any(|_| {
            let run = renew(&at, "");
            assert!([0, 3].contains(&run.code), "{run:?}");
            assert_eq!(run.code == 0, pair(&at.cli, "out/gw-1") != before, "{run:?}");
            run.code == 0
        });
        assert!(done, "not renewed in 20 runs");
    }
    assert_ne!(pair(&at.cli, "out/gw-1"), first);
    assert_eq!(at.cli.names("out/.replaced/gw-1"), ["1", "2", "3", "4"]);
}

#[test]
fn a_documented_platform_enrols_and_renews_too() {
    let profile = c8y_pki_sandbox::Profile::Documented;
    let settings = c8y_pki_sandbox::Settings { profile, ..Default::default() };
    let at = AtTenant::with(Cli::new(), settings);
    at.ok("tenant authority create");
    enrol(&at);
    let first = pair(&at.cli, "out/gw-1");
    renew(&at, "").expect(0);
    assert_ne!(pair(&at.cli, "out/gw-1"), first);
}

#[test]
fn what_is_not_there_is_not_renewed() {
    let at = with_authority();
    let none = at.run("device enrol gw-1 --out out --renew").expect(2);
    assert!(none.error().contains("nothing to renew"), "{none:?}");
    assert!(!at.cli.path("out").exists());
}

#[test]
fn an_expired_certificate_gets_no_token() {
    let at = with_authority();
    let ca = root("Some CA", None);
    let gone = device_for("gw-1", &ca, -5, -1);
    bundle(&at.cli, "out/gw-1", &gone, &[&gone]);
    at.cli.write("out/gw-1/cert.pem", gone.pem());
    let refused = renew(&at, "--if-expires-within 30d").expect(1);
    assert!(refused.error().contains("only a valid certificate gets a token"), "{refused:?}");
    // Without --renew it is told, too.
    let there = at.run("device enrol gw-1 --out out").expect(1);
    assert!(there.stderr.contains("its certificate has expired"), "{there:?}");
}
