//! `rollout` with a `[tenant]` section, revocation, and enrolment at the platform's own CA.

use c8y_pki_core::crl::Reason;
use c8y_pki_engine::pki::Pki;
use c8y_pki_sandbox::{Profile, Settings};
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{CA_PW, Cli};
use time::{Duration, OffsetDateTime};

const TENANT: &str = "\n[tenant]\ncas = [\"line-7\"]\n";

/// The embedded example with more devices and a section for the tenant.
fn rollout(devices: usize, section: &str) -> AtTenant {
    let cli = Cli::new();
    cli.write("demo/rollout.toml", cli.ok("profile show rollout.toml") + section);
    let rows: String = (0..devices).map(|n| format!("gw-{n:04},Gateway {n}\n")).collect();
    cli.write("demo/devices.csv", format!("id,name\n{rows}"));
    AtTenant::new(cli)
}

#[test]
fn the_tenant_gets_everything_once_under_faults() {
    let at = rollout(60, &format!("{TENANT}chunk = 7\n"));
    at.faults(0.2, 11);
    let first = at.ok("rollout demo/rollout.toml");
    assert!(first.contains("created   trust"), "{first}");
    let there = at.list("trusted_certificates");
    assert_eq!(there.len(), 1);
    assert_eq!(there[0]["proof_of_possession_valid"], true);
    assert_eq!(there[0]["auto_registration_enabled"], false);
    let devices = at.list("devices");
    assert_eq!(devices.len(), 60);
    assert!(devices.iter().all(|d| d["created"] == 1), "{devices:?}");
    assert!(first.contains("Tenant t1001: "), "{first}");

    at.faults(0.2, 12);
    let before = (at.cli.snapshot("demo"), at.list("registrations").len());
    let again = at.ok("rollout demo/rollout.toml");
    let looked = "Nothing to do: everything that was looked at is in place; not looked at: tenant.mqtt_port.";
    assert!(again.contains(looked), "{again}");
    assert!(before == (at.cli.snapshot("demo"), at.list("registrations").len()));
    let plan = at.ok("rollout demo/rollout.toml --plan");
    assert!(
        plan.contains("Everything that was looked at is in place; 1 not looked at (?)."),
        "{plan}"
    );
}

#[test]
fn a_plan_shows_the_steps_at_the_tenant_and_changes_nothing() {
    let at = rollout(3, TENANT);
    let plan = at.run("rollout demo/rollout.toml --plan --json").expect(0).json();
    let steps: Vec<(String, String)> = plan["plan"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (s["kind"].as_str().unwrap().to_owned(), s["action"].as_str().unwrap().to_owned()))
        .filter(|(kind, _)| ["trust", "proof", "register"].contains(&kind.as_str()))
        .collect();
    let expected = [("trust", "create"), ("proof", "create"), ("register", "create")];
    assert_eq!(steps, expected.map(|(k, a)| (k.to_owned(), a.to_owned())));
    assert!(at.list("trusted_certificates").is_empty() && at.cli.names("demo/pki").is_empty());
    // Without the tenant, nothing of it is needed.
    let local = at.cli.ok("rollout demo/rollout.toml --local");
    assert!(!local.contains("trust  "), "{local}");
    let rest = at.ok("rollout demo/rollout.toml");
    assert!(rest.contains("in place  devices") && rest.contains("created   proof"), "{rest}");
}

#[test]
fn what_changed_at_the_tenant_is_put_right() {
    let at = rollout(3, TENANT);
    at.ok("rollout demo/rollout.toml");
    at.ok("tenant trust update 'Example Line 7' --disable --auto-registration");
    let again = at.ok("rollout demo/rollout.toml");
    assert!(again.contains("updated   trust"), "{again}");
    let there = &at.list("trusted_certificates")[0];
    assert_eq!(
        (&there["status"], &there["auto_registration_enabled"]),
        (&"ENABLED".into(), &false.into())
    );
}

#[test]
fn a_tenant_that_says_no_is_told_plainly() {
    let at = rollout(2, TENANT);
    let wrong = at.run_with("rollout demo/rollout.toml", &[("C8Y_PASSWORD", "nonsense")]).expect(2);
    assert!(wrong.error().contains("does not accept the password"), "{wrong:?}");
    assert!(at.cli.names("demo/pki").is_empty(), "something was made");
    at.run_with("rollout demo/rollout.toml", &[("C8Y_HOST", "")]).expect(2);

    at.cli.write("demo/devices.csv", "id,name,tenant\ngw-0,x,t1001\ngw-1,x,t9999\n");
    let management = [("C8Y_USER", "management/admin")];
    let refused = at.run_with("rollout demo/rollout.toml", &management).expect(1);
    assert!(refused.stderr.contains("warning: the tenant refused 1 device: see"), "{refused:?}");
    at.cli.write("demo/devices.csv", "id,name,tenant\ngw-0,x,t1001\ngw-1,x,t1001\n");
    at.run_with("rollout demo/rollout.toml", &management).expect(0);
    assert_eq!(at.list("devices").len(), 2);

    let faulty = rollout(2, "\n[tenant]\ncas = [\"line-8\"]\n");
    let faulty = faulty.run("rollout demo/rollout.toml").expect(2);
    assert!(faulty.error().ends_with("there is no [[ca]] named \"line-8\""), "{faulty:?}");
}

#[test]
fn what_was_not_done_at_the_tenant_is_not_called_done() {
    let at = rollout(30, &format!("{TENANT}chunk = 10\n"));
    at.cli.ok("rollout demo/rollout.toml --local");
    at.run_as("trust", "tenant status").expect(1);
    // This user may upload and prove, but not register.
    let half = at.run_as("trust", "rollout demo/rollout.toml").expect(2);
    let rows: Vec<String> = half
        .stdout
        .lines()
        .map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for wanted in ["created trust", "not done register"] {
        assert!(rows.iter().any(|row| row.starts_with(wanted)), "{wanted}: {half:?}");
    }
    assert!(half.stderr.contains("for ROLE_DEVICE_CONTROL_ADMIN"), "{half:?}");
    let json = at.run_as("trust", "rollout demo/rollout.toml --json").expect(2).json();
    let register = json["steps"].as_array().unwrap().iter().find(|s| s["kind"] == "register");
    assert_eq!(register.unwrap()["done"], false);
    at.ok("rollout demo/rollout.toml");
    assert_eq!(at.list("devices").len(), 30);
}

#[test]
fn a_ca_of_another_tenant_stops_it() {
    let at = rollout(2, TENANT);
    at.cli.ok("rollout demo/rollout.toml --local");
    let add = "tenant trust add demo/pki/ca/line-7/cert.pem --prove --key demo/pki/ca/line-7/key.pem \
               --key-password-file demo/secrets/ca-password";
    at.run_with(add, &[("C8Y_USER", "t1002/admin")]).expect(0);
    let held = at.run("rollout demo/rollout.toml").expect(1);
    assert!(
        held.error().contains("another tenant of this instance holds the certificate"),
        "{held:?}"
    );
}

/// Puts a device's certificate on hold, as earlier versions of the program could.
fn hold(cli: &Cli, id: &str) {
    let now = OffsetDateTime::now_utc();
    let mut pki = Pki::open(&cli.path("pki"), now).expect("a PKI directory");
    let record = pki.registry().live_device(id).expect("a registry").expect("a device");
    pki.registry_mut().revoke(&[record], Reason::CertificateHold, now, now).expect("it is live");
}

/// A tenant of each profile of the sandbox.
fn of_each_profile(cli: fn() -> Cli, holds: fn(&AtTenant)) {
    for profile in [Profile::Field, Profile::Documented] {
        holds(&AtTenant::with(cli(), Settings { profile, ..Settings::default() }));
    }
}

#[test]
fn revocations_go_up_and_the_list_comes_down() {
    of_each_profile(Cli::with_cas, revokes);
}

fn revokes(at: &AtTenant) {
    at.cli.ok(&format!("device issue a b c --ca line --out out {CA_PW}"));
    assert_eq!(at.ok("tenant crl upload"), "Nothing is revoked.\n");
    at.cli.ok("device revoke a --reason keyCompromise");
    hold(&at.cli, "b");
    at.ok("tenant crl enable");
    let dry = at.ok("tenant crl upload --dry-run");
    assert!(dry.starts_with("PUT /tenant/trusted-certificates/settings/crl\n"), "{dry}");
    assert!(dry.contains("SERIALNO,DATE\n"), "{dry}");
    at.faults(0.3, 3);
    let done = at.run("tenant crl upload --json").expect(0).json();
    assert_eq!((&done["revocations"], &done["on_hold"]), (&1.into(), &1.into()), "{done}");
    at.ok("tenant crl upload --ca line");
    assert_eq!(at.list("revocations").len(), 1);

    at.ok("tenant crl download --out platform.crl");
    assert!(at.cli.text("platform.crl").starts_with("-----BEGIN X509 CRL-----"));
    at.ok("tenant crl download --out platform.der --der");
    let shown = at.run("tenant crl download --json").expect(0).json();
    assert_eq!(shown["revoked"].as_array().map(Vec::len), Some(1), "{shown}");
    let serial = at.cli.run("device show a --json").expect(0).json();
    let serial = serial["serial"].as_str().map(|s| s.replace(':', "").to_lowercase());
    assert!(serial.is_some_and(|s| shown.to_string().contains(&s)), "{shown}");
}

#[test]
fn a_device_enrols_with_its_one_time_password() {
    of_each_profile(Cli::new, enrols);
}

fn enrols(at: &AtTenant) {
    let made = at.run("tenant authority create --json").expect(0).json();
    assert_eq!(
        (&made["action"], &made["tenant_certificate_authority"]),
        (&"made".into(), &true.into())
    );
    let again = at.run("tenant authority create --json").expect(0).json();
    assert_eq!(again["action"], "already there");
    at.cli.write("devices.csv", "id,name,type\ngw-1,One,t\ngw-2,Two,t\n");
    at.cli.ok("registration create --from devices.csv --one-time-passwords --out reg.csv");
    at.ok("registration upload reg.csv");
    let csv = at.cli.text("reg.csv");
    let otp_column = csv.lines().next().unwrap().split(';').position(|h| h == "ENROLLMENT_OTP");
    let row = csv.lines().find(|l| l.starts_with("gw-1;")).unwrap();
    let otp = row.split(';').nth(otp_column.unwrap()).unwrap();
    at.cli.write("otp", otp);

    at.cli.write("wrong", "not-the-password");
    let wrong = at.run("device enrol gw-1 --out out --otp-file wrong").expect(2);
    assert!(
        wrong.error().contains("does not accept the one-time password of the device \"gw-1\": "),
        "{wrong:?}"
    );
    // The key was made before anything was sent, and stays.
    let key = at.cli.read("out/gw-1/key.pem");
    let done = at.run("device enrol gw-1 --out out --otp-file otp").expect(0);
    assert!(done.stdout.starts_with("gw-1: enrolled, by "), "{done:?}");
    assert!(!format!("{done:?}").contains(otp));
    assert_eq!(at.cli.read("out/gw-1/key.pem"), key);
    assert_eq!(at.cli.names("out/gw-1"), ["cert.pem", "chain.pem", "key.pem"]);
    // Killed between its two files, it needs no second answer.
    std::fs::remove_file(at.cli.path("out/gw-1/cert.pem")).unwrap();
    let kept = at.run("device enrol gw-1 --out out --otp-file otp").expect(0);
    assert!(kept.stdout.starts_with("gw-1: enrolled"), "{kept:?}");
    let again = at.run("device enrol gw-1 --out out --otp-file otp").expect(0);
    assert!(again.stdout.starts_with("gw-1: already enrolled"), "{again:?}");
    let shown = at.cli.ok("cert show out/gw-1/cert.pem");
    assert!(shown.contains("CN=gw-1"), "{shown}");

    let token = at.sandbox.device_token("gw-1");
    at.cli.write("token", token.expose());
    let before = at.cli.read("out/gw-1/cert.pem");
    // The next certificate is tried before it takes the place of this one.
    let port = at.sandbox.mtls_url().rsplit_once(':').expect("a port").1.to_owned();
    let renew = format!("device enrol gw-1 --out out --renew --token-file token --port {port}");
    let renewed = at.run(&format!("{renew} --reuse-key")).expect(0);
    assert!(renewed.stdout.starts_with("gw-1: renewed"), "{renewed:?}");
    assert_ne!(at.cli.read("out/gw-1/cert.pem"), before);
    assert_eq!(at.cli.read("out/gw-1/key.pem"), key);
    let nothing = at.run("device enrol gw-2 --out out --renew --token-file token").expect(2);
    assert!(nothing.error().ends_with("there is nothing to renew"), "{nothing:?}");
}

#[test]
fn a_rollout_is_held_to_the_tenants_clock() {
    let at = rollout(2, TENANT);
    at.sandbox.set_date_off(Duration::days(2));
    let refused = at.run("rollout demo/rollout.toml").expect(3);
    assert!(refused.error().contains("and the tenant's says 20"), "{refused:?}");
    assert!(!at.cli.path("demo/pki").exists() && !at.cli.path("demo/out").exists());
    at.ok("rollout demo/rollout.toml --plan");
    at.ok("rollout demo/rollout.toml --clock-is-right");
    // Nothing is left to do: nobody asks for the time.
    at.ok("rollout demo/rollout.toml");
}
