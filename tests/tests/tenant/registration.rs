//! `registration upload`: each device once, however often the connection breaks; each row's result.

use std::collections::BTreeMap;
use std::fmt::Write;

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::Cli;

const HEADER: &str = "ID;AUTH_TYPE;TYPE;NAME;com_cumulocity_model_Agent.active\n";

/// A registration CSV of so many devices.
fn csv(count: usize) -> String {
    let mut text = HEADER.to_owned();
    for n in 0..count {
        let _ = writeln!(text, "gw-{n:05};CERTIFICATES;acme_gw;Gateway {n};true");
    }
    text
}

fn with_csv(count: usize) -> AtTenant {
    let cli = Cli::new();
    cli.write("reg.csv", csv(count));
    AtTenant::new(cli)
}

/// How often each device of the tenant was created.
fn created(at: &AtTenant) -> BTreeMap<String, u64> {
    let times = |d: serde_json::Value| {
        (d["id"].as_str().unwrap_or_default().to_owned(), d["created"].as_u64().unwrap_or(0))
    };
    at.list("devices").into_iter().map(times).collect()
}

#[test]
fn ten_thousand_devices_are_registered_once_each_under_faults() {
    let at = with_csv(10_000);
    at.faults(0.2, 7);
    let done = at.run("registration upload reg.csv --chunk 250 --json").expect(0).json();
    assert_eq!((&done["rows"], &done["failed"]), (&10_000.into(), &0.into()), "{done}");
    let there = created(&at);
    assert_eq!(there.len(), 10_000);
    let twice: Vec<_> = there.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert!(at.sandbox.state()["faulted"].as_u64() > Some(0), "no fault was met");
    let results = at.cli.text("reg.result.csv");
    assert_eq!(results.lines().count(), 10_001);
    assert!(results.lines().skip(1).all(|l| !l.contains("FAILED")));
    // A second run sends nothing.
    at.faults(0.0, 0);
    let before = at.list("registrations").len();
    let again = at.run("registration upload reg.csv --chunk 250 --json").expect(0).json();
    assert_eq!(again["sent"], 0, "{again}");
    assert_eq!(at.list("registrations").len(), before);
}

#[test]
fn rows_that_fail_are_told_and_sent_again() {
    // Of the management tenant, whose rows name a tenant: only the platform knows which there are.
    let at = with_csv(0);
    let management = [("C8Y_USER", "management/admin")];
    let run = |line: &str| at.run_with(line, &management);
    let rows = "ID;AUTH_TYPE;TENANT;com_cumulocity_model_Agent.active\n\
                a;CERTIFICATES;t1001;true\nb;CERTIFICATES;t9999;true\n";
    at.cli.write("reg.csv", rows);
    let first = run("registration upload reg.csv").expect(1);
    assert!(
        first.stderr.contains("error: device \"b\" (reg.csv line 3): there is no tenant"),
        "{first:?}"
    );
    assert!(
        first.stdout.starts_with("2 devices at tenant management: 1 created, 0 updated, 1 failed")
    );
    let results = at.cli.text("reg.result.csv");
    assert!(results.contains("b,3,FAILED,"), "{results}");
    let same = run("registration upload reg.csv --json").expect(1).json();
    assert_eq!((&same["sent"], &same["failed"]), (&1.into(), &1.into()), "{same}");

    at.cli.write("reg.csv", rows.replace("t9999", "t1002"));
    let second = run("registration upload reg.csv --json").expect(0).json();
    assert_eq!((&second["sent"], &second["created"]), (&1.into(), &2.into()), "{second}");
    assert_eq!(created(&at).values().sum::<u64>(), 1);
}

#[test]
fn a_user_of_one_tenant_does_nothing_in_another() {
    let at = with_csv(2);
    let variables = [("C8Y_USER", "t1002/admin"), ("C8Y_TENANT", "t1001")];
    let refused = at.run_with("registration upload reg.csv", &variables).expect(2);
    assert_eq!(refused.error(), "the login belongs to the tenant t1002, not to t1001");
    assert_eq!(at.sandbox.state()["requests"], 0);
}

#[test]
fn a_changed_row_is_sent_again_and_another_tenant_starts_anew() {
    let at = with_csv(3);
    at.ok("registration upload reg.csv");
    at.cli.write("reg.csv", csv(3).replace("Gateway 1", "Gateway one"));
    let changed = at.run("registration upload reg.csv --json").expect(0).json();
    assert_eq!((&changed["sent"], &changed["updated"]), (&1.into(), &1.into()), "{changed}");
    let other = [("C8Y_USER", "t1002/admin")];
    let other = at.run_with("registration upload reg.csv --json", &other).expect(0).json();
    assert_eq!(other["sent"], 3, "{other}");
    assert_eq!(at.list_of("t1002", "devices").len(), 3);
}

#[test]
fn a_fault_in_the_list_is_found_before_anything_is_sent() {
    let at = with_csv(0);
    at.cli.write("reg.csv", format!("{HEADER}AA:BB;CERTIFICATES;t;A;true\nb;BASIC;t;B;true\n"));
    let refused = at.run("registration upload reg.csv").expect(2);
    assert!(refused.stderr.contains("error: reg.csv line 2: device id \"AA:BB\""), "{refused:?}");
    assert!(refused.stderr.contains("error: reg.csv line 3: "), "{refused:?}");
    assert!(refused.stderr.contains("the platform would not take reg.csv: "), "{refused:?}");
    assert_eq!(at.sandbox.state()["requests"], 0);
    at.cli.write("reg.csv", csv(2));
    let own = at.run("registration upload reg.csv --result reg.csv").expect(2);
    assert_eq!(own.error(), "the result file is the list itself");
    at.cli.write("other.csv", "id,name\n");
    let other = at.run("registration upload reg.csv --result other.csv").expect(2);
    assert!(other.error().contains("is not the result file of an upload"), "{other:?}");
    let forbidden = at.run_as("trust", "registration upload reg.csv").expect(2);
    assert!(forbidden.stderr.contains("for ROLE_DEVICE_CONTROL_ADMIN"), "{forbidden:?}");
}

#[test]
fn a_dry_run_and_a_rate() {
    let at = with_csv(30);
    let dry = at.ok("registration upload reg.csv --dry-run --chunk 20");
    assert_eq!(dry.matches("POST /devicecontrol/bulkNewDeviceRequests").count(), 2);
    assert!(dry.contains("… and 15 more lines"), "{dry}");
    assert_eq!(at.sandbox.state()["requests"], 0);
    let start = std::time::Instant::now();
    at.ok("registration upload reg.csv --chunk 10 --rate 20");
    // 20 rows have to be paid for before the third piece.
    assert!(start.elapsed().as_secs_f64() >= 1.0);
    assert_eq!(at.list("registrations").len(), 3);
}

#[test]
fn one_time_passwords_do_not_show() {
    let at = with_csv(0);
    let otp = "marker-otp-0815";
    let csv = format!("ID;AUTH_TYPE;ENROLLMENT_OTP\na;CERTIFICATES;{otp}\nb;CERTIFICATES;\n");
    at.cli.write("reg.csv", csv);
    for json in ["", " --json"] {
        let dry = at.run(&format!("registration upload reg.csv --dry-run{json}")).expect(0);
        assert!(dry.stdout.contains("(secret)") && !dry.stdout.contains(otp), "{dry:?}");
    }
    at.ok("registration upload reg.csv");
    assert!(!at.cli.text("reg.result.csv").contains(otp));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(at.cli.path("reg.result.csv")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_piece_that_is_refused_as_a_whole_fails_row_by_row() {
    let at = with_csv(0);
    // A property that is a value and an object at once: our check lets it pass, the sandbox does not.
    let csv = "ID;AUTH_TYPE;a;a.b;com_cumulocity_model_Agent.active\nx;CERTIFICATES;1;2;true\n";
    at.cli.write("reg.csv", csv);
    let refused = at.run("registration upload reg.csv").expect(1);
    assert!(refused.stderr.contains("error: device \"x\" (reg.csv line 2): "), "{refused:?}");
    assert!(refused.stderr.contains("with 422: The file is refused"), "{refused:?}");
    assert!(at.cli.text("reg.result.csv").contains("x,2,FAILED,"));
}

#[test]
fn an_upload_that_breaks_off_says_how_far_it_is() {
    let at = with_csv(40);
    let first = at.run("registration upload reg.csv --json").expect(0).json();
    assert_eq!((&first["sent"], &first["left"]), (&40.into(), &0.into()));
    at.cli.write("reg.csv", csv(60));
    at.sandbox.set_faults("503=1".parse().unwrap());
    let line = "registration upload reg.csv --chunk 10 --retries 0 --timeout 5 --tenant t1001";
    let broken = at.run(line).expect(3);
    assert!(broken.error().ends_with("is not available: it answers 503"), "{broken:?}");
    // The header of the list has not changed, so 40 rows are done.
    let done =
        "60 devices at tenant t1001: 40 created, 0 updated, 0 failed, 40 of them sent before\n";
    let left = "20 not sent yet: run the same command again\n";
    assert!(broken.stdout.starts_with(&format!("{done}{left}")), "{broken:?}");
    at.faults(0.0, 1);
    at.ok("registration upload reg.csv");
    assert!(created(&at).values().all(|times| *times == 1));
    assert_eq!(at.list("devices").len(), 60);
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_a_wait_for_another_attempt() {
    use std::time::{Duration, Instant};
    let at = with_csv(10);
    let (ca, start) = (at.cli.arg("sandbox-ca.pem"), Instant::now());
    at.sandbox.set_faults("503=1".parse().unwrap());
    let mut command = at.cli.command("registration upload reg.csv --tenant t1001 --retries 100");
    command.env("C8Y_HOST", at.sandbox.url()).env("C8Y_USER", "admin");
    command.env("C8Y_PASSWORD", c8y_pki_tests::cli::PASSWORD).env("C8Y_PKI_CACERT", ca);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    while at.sandbox.state()["faulted"].as_u64() < Some(6) {
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(50));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ended = c8y_pki_tests::cli::Outcome::of("upload", &child.wait_with_output().unwrap());
    let ended = ended.expect(3);
    assert!(ended.stderr.contains("warning: interrupted"), "{ended:?}");
    assert!(ended.stdout.contains("10 not sent yet: run the same command again"), "{ended:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_upload_goes_on_where_it_was() {
    use std::time::Duration;
    let at = with_csv(600);
    let (url, ca) = (at.sandbox.url(), at.cli.arg("sandbox-ca.pem"));
    let mut kills = 0;
    loop {
        let mut child = at
            .cli
            .command("registration upload reg.csv --chunk 20 --rate 400")
            .env("C8Y_HOST", &url)
            .env("C8Y_USER", "admin")
            .env("C8Y_PASSWORD", c8y_pki_tests::cli::PASSWORD)
            .env("C8Y_PKI_CACERT", &ca)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(350));
        match child.try_wait().unwrap() {
            Some(status) => {
                assert!(status.success());
                break;
            }
            None => {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
                assert!(kills < 200, "it does not get on");
            }
        }
    }
    assert!(kills > 0);
    let there = created(&at);
    assert_eq!(there.len(), 600);
    assert!(there.values().all(|times| *times == 1));
    assert_eq!(at.cli.text("reg.result.csv").lines().count(), 601);
    // The lock of a killed run may have stayed until the next one.
    assert_eq!(at.cli.names(""), ["pw", "reg.csv", "reg.result.csv", "sandbox-ca.pem"]);
}
