//! `tenant selftest` through the real binary: all as expected, with faults, with what differs, stopped on its
//! way; and nothing stays at the tenant.

use c8y_pki_sandbox::{Faults, Profile, Settings};
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{Cli, Outcome, PASSWORD};
#[cfg(target_os = "linux")]
use c8y_pki_tests::running::Running;
use serde_json::{Value, json};

fn line(at: &AtTenant, more: &str) -> String {
    let (mqtt, mtls) = (at.sandbox.mqtt_port(), at.sandbox.mtls_url());
    let https = mtls.rsplit_once(':').expect("a port").1.to_owned();
    format!("tenant selftest --disposable-ca --port {mqtt} --https-port {https} {more}")
}

/// Nothing is left but a serial number.
fn is_clean(at: &AtTenant) {
    for list in ["trusted_certificates", "devices"] {
        assert_eq!(at.list(list), Vec::<Value>::new(), "{list}");
    }
}

fn step<'a>(report: &'a Value, name: &str) -> &'a Value {
    let mut steps = report["steps"].as_array().expect("steps").iter();
    steps.find(|step| step["step"] == name).unwrap_or_else(|| panic!("no {name}: {report}"))
}

fn outcomes(outcome: &Outcome, expected: &str) {
    let report = outcome.json();
    for step in report["steps"].as_array().expect("steps") {
        assert_eq!(step["outcome"], expected, "{report:#}");
    }
}

#[test]
fn all_is_as_expected_in_both_profiles() {
    for profile in [Profile::Documented, Profile::Field] {
        let at = AtTenant::with(Cli::new(), Settings { profile, ..Settings::default() });
        let outcome = at.run(&line(&at, "--yes --json --report report.txt")).expect(0);
        outcomes(&outcome, "as_expected");
        let report = outcome.json();
        assert_eq!(report["verdict"], "as_expected", "{report:#}");
        assert_eq!(report["leftovers"], json!([]));
        assert_eq!(report["steps"].as_array().map(Vec::len), Some(13), "{report:#}");
        is_clean(&at);
        assert_eq!(at.list("revocations").len(), 1);
        let text = at.cli.text("report.txt");
        assert!(text.contains("All as expected.") && !text.contains("PRIVATE"), "{text}");
    }
}

#[test]
fn a_revocation_without_the_switch_is_said_to_have_no_effect() {
    let at = AtTenant::new(Cli::new());
    let off = at.run(&line(&at, "--yes --json")).expect(0).json();
    assert!(step(&off, "verdict_revoked")["seen"].as_str().unwrap().starts_with("valid"), "{off}");
}

#[test]
fn with_the_switch_on_a_revoked_device_is_refused() {
    for profile in [Profile::Documented, Profile::Field] {
        let at = AtTenant::with(Cli::new(), Settings { profile, ..Settings::default() });
        at.ok("tenant crl enable");
        let report = at.run(&line(&at, "--yes --json")).expect(0).json();
        let seen = step(&report, "switches")["seen"].as_str().expect("a sentence").to_owned();
        assert!(seen.contains("check of the revocation list: on"), "{seen}");
        let judged = step(&report, "verdict_revoked");
        assert_eq!(judged["outcome"], "as_expected", "{report:#}");
        let seen = judged["seen"].as_str().expect("a sentence");
        assert!(seen.starts_with("refused: ") && seen.ends_with("the list is checked"), "{seen}");
        // Before it was revoked it was valid.
        assert_eq!(step(&report, "verdict")["seen"], "valid", "{report:#}");
        is_clean(&at);
    }
}

#[test]
fn options_of_the_instance_take_another_role() {
    let at = AtTenant::new(Cli::new());
    let Some(curl) = c8y_pki_tests::tool("curl") else { return };
    // The options of the instance are another role's than those of the tenant.
    let ask = |user: &str| {
        curl.run(&[
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "--cacert",
            &at.cli.arg("sandbox-ca.pem"),
            "-u",
            &format!("{user}:{PASSWORD}"),
            &format!("{}/tenant/system/options/ssl/shared-truststore.enabled", at.sandbox.url()),
        ])
    };
    assert_eq!(ask("ROLE_OPTION_MANAGEMENT_READ"), "403");
    assert_eq!(ask("ROLE_OPTION_MANAGEMENT_ADMIN"), "200");
}

#[test]
fn the_report_goes_to_standard_output() {
    let at = AtTenant::new(Cli::new());
    let text = at.run(&line(&at, "--yes --report -")).expect(0);
    assert!(text.stdout.contains("All as expected."), "{text:?}");
    assert_eq!(text.stdout.matches("All as expected.").count(), 1, "{text:?}");
    assert!(!at.cli.path("-").exists());
    // With JSON: the report on standard output, the result as JSON on standard error.
    let json = at.run(&line(&at, "--yes --json --report -")).expect(0);
    assert!(json.stdout.contains("All as expected.") && !json.stdout.contains('{'), "{json:?}");
    let last = json.stderr.lines().rfind(|line| line.contains("\"verdict\"")).expect("a result");
    let report: Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(report["verdict"], "as_expected", "{json:?}");
}

#[test]
fn faults_leave_nothing_behind() {
    for seed in [1, 7] {
        let at = AtTenant::new(Cli::new());
        at.sandbox.set_faults(Faults::evenly(0.2, seed));
        at.run(&line(&at, "--yes --json")).expect(0);
        at.sandbox.set_faults(Faults::none());
        is_clean(&at);
        assert_eq!(at.list("revocations").len(), 1, "one serial number, once");
    }
}

#[test]
fn what_differs_is_said_and_all_is_removed() {
    let settings = Settings { verification_code: Some("short".to_owned()), ..Settings::default() };
    let at = AtTenant::with(Cli::new(), settings);
    let report = at.run(&line(&at, "--yes --json")).expect(1).json();
    let upload = step(&report, "upload");
    assert_eq!(upload["outcome"], "differed", "{report:#}");
    assert_eq!(upload["differences"][0]["expected"], "some 150 characters", "{report:#}");
    is_clean(&at);
    // A text that a CA must not sign is not signed, and the rest goes on.
    let hostile = "-----BEGIN CERTIFICATE REQUEST-----\u{1b}[2J";
    let settings = Settings { verification_code: Some(hostile.to_owned()), ..Settings::default() };
    let at = AtTenant::with(Cli::new(), settings);
    let report = at.run(&line(&at, "--yes --json")).expect(1).json();
    assert_eq!(step(&report, "proof")["outcome"], "differed", "{report:#}");
    assert_eq!(step(&report, "connect")["outcome"], "as_expected", "{report:#}");
    is_clean(&at);
}

#[test]
fn a_device_that_cannot_connect_is_removed_all_the_same() {
    let at = AtTenant::new(Cli::new());
    let line = "tenant selftest --disposable-ca --port 1 --https-port 1 --yes --json";
    let report = at.run(line).expect(3).json();
    assert_eq!(step(&report, "connect")["outcome"], "not_reached", "{report:#}");
    assert_eq!(step(&report, "token_https")["outcome"], "not_reached", "{report:#}");
    assert_eq!(step(&report, "revoke")["outcome"], "as_expected", "{report:#}");
    is_clean(&at);
}

#[test]
fn it_begins_only_with_a_yes_and_with_the_roles() {
    let at = AtTenant::new(Cli::new());
    let unasked = at.run(&line(&at, "")).expect(2);
    assert!(unasked.stderr.contains("hint: give --yes"), "{}", unasked.stderr);
    let reader = at.run_as("ROLE_USER_MANAGEMENT_OWN_READ", &line(&at, "--yes")).expect(2);
    assert!(reader.error().contains("nothing was begun"), "{}", reader.stderr);
    is_clean(&at);
    assert_eq!(at.list("revocations"), Vec::<Value>::new());
}

/// The test on its way at a slow tenant, up to an entry of a list.
#[cfg(target_os = "linux")]
fn on_its_way(at: &AtTenant, list: &str, more: &str) -> Running {
    at.sandbox.set_faults("slow=1".parse().expect("faults"));
    at.cli.write("user.pw", PASSWORD);
    let line = format!(
        "{} --host {} --user admin --tenant-password-file user.pw --cacert sandbox-ca.pem {more}",
        line(at, "--yes --json"),
        at.sandbox.url()
    );
    let mut running = Running::start(&at.cli, &line);
    assert!(running.wait_until(|_| !at.list(list).is_empty()), "it ended");
    running
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_removed_is_named_with_what_removes_it() {
    let at = AtTenant::new(Cli::new());
    let running = on_its_way(&at, "devices", "--retries 0");
    at.sandbox.set_faults("503=1".parse().expect("faults"));
    let report = running.finish().expect(3).json();
    at.sandbox.set_faults(Faults::none());
    let left = report["leftovers"].as_array().expect("leftovers").clone();
    assert_eq!(left.len(), 2, "{report:#}");
    let [ca, device] = [&left[0], &left[1]].map(|l| l["command"].as_str().expect("a command"));
    assert!(device.contains("-X DELETE") && device.contains("/users/device_"), "{device}");
    // The command works when typed.
    at.run(&format!("{} --yes", ca.strip_prefix("c8y-pki ").expect("ours"))).expect(0);
    assert_eq!(at.list("trusted_certificates"), Vec::<Value>::new());
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_removes_what_was_begun() {
    let at = AtTenant::new(Cli::new());
    let running = on_its_way(&at, "trusted_certificates", "");
    running.signal("INT");
    let report = running.finish().expect(3).json();
    assert_eq!(report["verdict"], "interrupted", "{report:#}");
    assert_eq!(step(&report, "remove_ca")["outcome"], "as_expected", "{report:#}");
    is_clean(&at);
}

/// It listens for Ctrl-C to clean up; at its question there is nothing to clean up yet.
#[cfg(unix)]
#[test]
fn ctrl_c_at_the_question_ends_it_before_anything_is_done() {
    use std::io::Write;

    let Some(python) = c8y_pki_tests::python_with("pty") else { return };
    let at = AtTenant::new(Cli::new());
    let mut child = std::process::Command::new(python.path())
        .arg(c8y_pki_tests::python_dir().join("terminal.py"))
        .arg(c8y_pki_tests::cli::binary())
        .args(line(&at, "").split_whitespace())
        .envs([("C8Y_HOST", at.sandbox.url().as_str()), ("C8Y_USER", "admin")])
        .envs([("C8Y_PASSWORD", PASSWORD), ("C8Y_PKI_CACERT", "sandbox-ca.pem")])
        .env("XDG_CONFIG_HOME", at.cli.path(".settings"))
        .current_dir(at.cli.path(""))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    child.stdin.take().expect("a pipe").write_all(b"+^C\n").expect("it reads");
    let output = child.wait_with_output().expect("its end");
    assert!(output.status.success(), "it waits for an answer: {output:?}");
    let seen: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(seen["code"], 3, "{seen}");
    is_clean(&at);
}
