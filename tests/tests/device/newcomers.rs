//! `registration add`, `list` and `withdraw`, and `tenant authority`, at a sandbox; curl with the vendor's lines
//! beside them.

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::Cli;
use c8y_pki_tests::tool;
use serde_json::Value;

fn bare() -> AtTenant {
    AtTenant::new(Cli::new())
}

fn statuses(at: &AtTenant, line: &str) -> Vec<(String, String)> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let rows = at.run(line).expect(0).json_lines();
    rows.iter().map(|row| (text(row, "id"), text(row, "status"))).collect()
}

#[test]
fn devices_are_registered_once_with_passwords_that_are_kept() {
    let at = bare();
    let done = at.run("registration add gw-1 gw-2 --otp-out otp.csv").expect(0);
    assert_eq!(done.stdout, "gw-1: registered\ngw-2: registered\n");
    let kept = at.cli.text("otp.csv");
    assert_eq!(kept.lines().count(), 3, "{kept}");
    assert!(
        kept.lines().skip(1).all(|line| !done.stdout.contains(line) && !done.stderr.contains(line))
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(at.cli.path("otp.csv")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // Again: nothing is changed, and a third device is added to the file.
    let again = at.run("registration add gw-1 gw-2 gw-3 --otp-out otp.csv").expect(0);
    assert!(again.stdout.contains("gw-1: open already: it was not changed"), "{again:?}");
    assert!(again.stdout.contains("gw-3: registered"), "{again:?}");
    let more = at.cli.text("otp.csv");
    assert!(kept.lines().all(|line| more.contains(line)) && more.lines().count() == 4, "{more}");
    let all = ["gw-1", "gw-2", "gw-3"].map(|id| (id.to_owned(), "ACCEPTED".to_owned()));
    assert_eq!(statuses(&at, "registration list --json"), all);
    // What is in the file lets a device in.
    at.ok("tenant authority create");
    let row = more.lines().find(|line| line.starts_with("gw-2,")).expect("a row");
    at.cli.write("otp", row.split_once(',').expect("a password").1);
    at.ok("device enrol gw-2 --out out --otp-file otp");
    // It is registered by now, which the platform says.
    let refused = at.run("registration add gw-2 --otp-file otp").expect(1);
    assert!(
        refused.stdout.contains("gw-2: refused: The device gw-2 is there already"),
        "{refused:?}"
    );
}

#[test]
fn passwords_that_devices_have_chosen_come_from_a_list() {
    let at = bare();
    at.cli.write("chosen.csv", "id,otp,type\ngw-1,chosen-by-gw-1,acme\ngw-2,chosen-by-gw-2,\n");
    at.ok("registration add --from chosen.csv --type other");
    at.ok("tenant authority create");
    at.cli.write("otp", "chosen-by-gw-2");
    at.ok("device enrol gw-2 --out out --otp-file otp");
    // In a CSV for bulk registration too, which is a secret then.
    let open = at.cli.run("registration create --from chosen.csv").expect(2);
    assert!(open.error().contains("it is a secret") && open.stdout.is_empty(), "{open:?}");
    at.cli.ok("registration create --from chosen.csv --type t --out reg.csv");
    let csv = at.cli.text("reg.csv");
    assert!(csv.starts_with("ID;AUTH_TYPE;ENROLLMENT_OTP;"), "{csv}");
    assert!(csv.contains("gw-1;CERTIFICATES;chosen-by-gw-1;"), "{csv}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(at.cli.path("reg.csv")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    at.cli.write("bad.csv", "id,otp\ngw-9,short\n");
    for line in
        ["registration add --from bad.csv", "registration create --from bad.csv --out r.csv"]
    {
        let bad = at.run(line).expect(2);
        assert!(bad.error().ends_with("it has 5 characters, not 8 to 32"), "{bad:?}");
        assert!(!bad.stderr.contains("short"), "{bad:?}");
    }
}

#[test]
fn registrations_survive_faults_and_are_never_doubled() {
    let at = bare();
    at.faults(0.2, 11);
    let ids: Vec<String> = (0..60).map(|n| format!("gw-{n:02}")).collect();
    let line = format!("registration add {} --otp-out otp.csv", ids.join(" "));
    let done = at.run(&line).expect(0);
    assert_eq!(done.stdout.matches(": registered").count(), 60, "{done:?}");
    assert!(at.sandbox.state()["faulted"].as_u64() > Some(0), "no fault was met");
    // What is there before is never taken for ours, whichever answers are lost.
    at.faults(0.2, 23);
    let again = at.run(&line).expect(0);
    assert_eq!(again.stdout.matches(": open already").count(), 60, "{again:?}");
    at.faults(0.0, 0);
    assert_eq!(statuses(&at, "registration list --open --json").len(), 60);
    // Each password in the file is the platform's.
    at.ok("tenant authority create");
    let kept = at.cli.text("otp.csv");
    for row in kept.lines().skip(1).step_by(20) {
        let (id, otp) = row.split_once(',').expect("a password");
        at.cli.write("otp", otp);
        at.ok(&format!("device enrol {id} --out out --otp-file otp"));
    }
}

#[test]
fn a_withdrawal_is_confirmed_and_a_blocked_registration_is_told() {
    let at = bare();
    at.ok("tenant authority create");
    at.cli.write("otp", "the-right-password");
    at.ok("registration add gw-1 --otp-file otp");
    at.cli.write("wrong", "the-wrong-password");
    for _ in 0..10 {
        at.run("device enrol gw-1 --out out --otp-file wrong").expect(2);
    }
    assert_eq!(statuses(&at, "registration list --json"), [("gw-1".into(), "BLOCKED".into())]);
    assert_eq!(statuses(&at, "registration list --open --json"), []);
    let blocked = at.run("registration add gw-1 --otp-file otp").expect(1);
    assert!(blocked.stdout.contains("gw-1: blocked: "), "{blocked:?}");
    let asked = at.run("registration withdraw gw-1").expect(2);
    assert!(asked.error().contains("has to be confirmed"), "{asked:?}");
    assert_eq!(at.ok("registration withdraw gw-1 --yes"), "gw-1: withdrawn\n");
    assert_eq!(at.ok("registration withdraw gw-1 --yes"), "gw-1: no open request\n");
    at.ok("registration add gw-1 --otp-file otp");
}

#[test]
fn no_request_is_shown_with_its_password() {
    let at = bare();
    at.cli.write("chosen.csv", "id,otp\ngw-1,chosen-by-gw-1\n");
    let shown = at.run("registration add --from chosen.csv --dry-run").expect(0);
    assert!(shown.stdout.contains("POST /devicecontrol/newDeviceRequests"), "{shown:?}");
    assert!(!shown.stdout.contains("chosen-by"), "{shown:?}");
    assert_eq!(statuses(&at, "registration list --json"), []);
}

#[test]
fn the_authority_is_looked_at_made_and_renewed() {
    let at = bare();
    let none = at.run("tenant authority status --json").expect(1).json();
    assert_eq!(
        (&none["feature"], &none["ready"], &none["authority"]),
        (&"on".into(), &false.into(), &Value::Null)
    );
    let renewed = at.run("tenant authority renew").expect(1);
    assert_eq!(renewed.error(), "the tenant has no CA of the platform");
    at.ok("tenant authority create");
    let there = at.run("tenant authority status").expect(0);
    assert!(
        there.stderr.contains("2 October") && there.stdout.contains("certificate-authority: on"),
        "{there:?}"
    );
    // Valid for three years: the platform says no.
    let early = at.run("tenant authority renew").expect(1);
    assert!(early.error().contains("valid for more than 18 months"), "{early:?}");
}

#[test]
fn an_old_authority_gets_another_fingerprint_and_its_devices_stay() {
    let settings = c8y_pki_sandbox::Settings { authority_days: 500, ..Default::default() };
    let at = AtTenant::with(Cli::new(), settings);
    let made = at.run("tenant authority create --json").expect(0).json();
    at.cli.write("otp", "a-one-time-password");
    at.ok("registration add gw-1 --otp-file otp");
    at.ok("device enrol gw-1 --out out --otp-file otp");
    let now = at.run("tenant authority renew --json").expect(0).json();
    assert_eq!(now["action"], "renewed");
    assert_ne!(now["fingerprint"], made["fingerprint"]);
    assert_eq!(now["subject"], made["subject"]);
    let port = crate::renewal::https(&at);
    at.ok(&format!("device token gw-1 --https --https-port {port} --truststore sandbox-ca.pem"));
}

#[test]
fn a_feature_that_is_off_is_told_and_switched_on() {
    let Some(curl) = tool("curl") else { return };
    let at = AtTenant::new(Cli::new());
    // The vendor's call, by the sandbox's own administrator.
    let output = std::process::Command::new(curl.path())
        .current_dir(at.cli.path(""))
        .args(["--silent", "--fail", "--cacert", "sandbox-ca.pem", "--request", "PUT"])
        .args(["--user", &format!("admin:{}", c8y_pki_tests::cli::PASSWORD)])
        .args(["--header", "Content-Type: application/json", "--data", r#"{"active":false}"#])
        .arg(format!("{}/features/certificate-authority/by-tenant", at.sandbox.url()))
        .output()
        .expect("curl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let status = at.run("tenant authority status --json").expect(1).json();
    assert_eq!(status["feature"], "off");
    for line in ["tenant authority create", "tenant authority renew"] {
        let off = at.run(line).expect(1);
        assert!(off.error().contains("switched off for this tenant"), "{off:?}");
        assert!(off.stderr.contains("tenant authority enable"), "{off:?}");
    }
    assert_eq!(
        at.ok("tenant authority enable"),
        "The feature certificate-authority: switched on\n"
    );
    assert_eq!(at.ok("tenant authority enable"), "The feature certificate-authority: on already\n");
    at.ok("tenant authority create");
}
