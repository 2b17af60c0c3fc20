//! `tenant verify`: the platform's verdict on a chain beside ours.

use c8y_pki_sandbox::{Profile, Settings};
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::Cli;
use c8y_pki_tests::ports::free_port;
use c8y_pki_tests::workshop::{bundle, ca, device, renewed, root, upload};

fn at() -> AtTenant {
    at_one(Settings::default())
}

fn at_one(settings: Settings) -> AtTenant {
    let (at, root) = (AtTenant::with(Cli::new(), settings), root("Root", None));
    let device = device("gw-1", &root);
    bundle(&at.cli, "out/gw-1", &device, &[&device, &root]);
    at.cli.write("root.pem", root.pem());
    at
}

/// A tenant of each profile of the sandbox.
fn of_each_profile(holds: fn(&AtTenant)) {
    for profile in [Profile::Field, Profile::Documented] {
        holds(&at_one(Settings { profile, ..Settings::default() }));
    }
}

const LINE: &str = "tenant verify out/gw-1/chain.pem";

#[test]
fn both_verdicts_are_told_and_what_differs() {
    let at = at();
    let unknown = at.run(LINE).expect(1).stdout;
    assert!(unknown.starts_with("platform  refused: Invalid certificate chain!\n"), "{unknown}");
    assert!(unknown.contains("c8y-pki   refused: "), "{unknown}");
    at.ok("tenant trust add root.pem");
    let good = at.run(&format!("{LINE} --json")).expect(0).json();
    assert_eq!(good["platform"]["verdict"], "accepted", "{good}");
    assert_eq!(good["platform"]["tenant"], at.sandbox.tenant(), "{good}");
    assert_eq!((&good["agree"], &good["other_tenant"]), (&true.into(), &false.into()), "{good}");
    at.ok("tenant trust update Root --disable");
    let disabled = at.run(LINE).expect(1).stdout;
    assert!(disabled.contains("platform  refused: "), "{disabled}");
}

#[test]
fn a_wrong_login_is_no_verdict_on_the_chain() {
    let at = at();
    let wrong = at.run_with(LINE, &[("C8Y_PASSWORD", "wrong")]).expect(2);
    assert!(wrong.error().contains("does not accept"), "{}", wrong.error());
    assert_eq!(wrong.stdout, "");
}

#[test]
fn a_dry_run_sends_nothing() {
    let at = at();
    let shown = at.ok(&format!("{LINE} --dry-run"));
    assert!(shown.starts_with("POST /tenant/trusted-certificates/verify-cert-chain"), "{shown}");
    assert!(at.sandbox.state()["connections"].as_array().expect("a list").is_empty());
}

#[test]
fn the_list_of_accepted_cas_is_told() {
    let at = at();
    let root = root("Other", None);
    upload(&at, &root, "--prove --auto-registration");
    at.ok("tenant trust add root.pem --auto-registration");
    let port = at.sandbox.mqtt_port();
    let line = format!(
        "device check gw-1 --host localhost --port {port} --truststore sandbox-ca.pem --attempts 1"
    );
    let told = at.ok(&line);
    assert!(told.contains("lists 2 CAs that it accepts; CN=Root is in the list"), "{told}");
    at.sandbox.set_faults("foreign-ca-list".parse().expect("faults"));
    let told = at.ok(&line);
    assert!(told.contains("that it accepts, and"), "{told}");
    assert!(told.contains("may present nothing"), "{told}");
}

const VERIFY: &str = "cert verify --tenant out/gw-1/chain.pem --trust root.pem";

#[test]
fn cert_verify_puts_both_verdicts_side_by_side() {
    of_each_profile(sides);
}

fn sides(at: &AtTenant) {
    // Ours is yes, the platform's is no: both are said, and that of the platform counts.
    let differs = at.run(VERIFY).expect(1).stdout;
    assert!(differs.starts_with("valid\n"), "{differs}");
    assert!(differs.contains("platform  refused: Invalid certificate chain!\n"), "{differs}");
    assert!(differs.contains("c8y-pki   accepted: it leads to CN=Root"), "{differs}");
    assert!(differs.contains("the platform's verdict decides whether"), "{differs}");
    let json = at.run(&format!("{VERIFY} --json")).expect(1).json();
    assert_eq!((&json["valid"], &json["tenant"]["agree"]), (&true.into(), &false.into()), "{json}");
    at.ok("tenant trust add root.pem");
    let good = at.run(&format!("{VERIFY} --json")).expect(0).json();
    assert_eq!(good["tenant"]["platform"]["verdict"], "accepted", "{good}");
    assert_eq!(good["tenant"]["agree"], true, "{good}");
    assert_eq!(good["revocation_checked"], false, "{good}");
    // Without --trust the certificates of the tenant count, and nothing is asked without --tenant.
    at.ok("cert verify --tenant out/gw-1/chain.pem");
    let asked = |at: &AtTenant| at.sandbox.state()["requests"].clone();
    let before = asked(at);
    assert!(!at.ok("cert verify out/gw-1/chain.pem --trust root.pem").contains("platform"));
    assert_eq!(asked(at), before);
    // The name of the device is none of the platform's verdict on the chain.
    let named = at.run(&format!("{VERIFY} --as-device gw-2")).expect(1).stdout;
    assert!(named.contains("refused: the common name \"gw-1\""), "{named}");
    assert!(named.contains("c8y-pki   accepted: ") && !named.contains("differ"), "{named}");
    // The id of the tenant may be named.
    at.ok(&VERIFY.replace("--tenant", "--tenant=t1001"));
    let of_another = at.run(&VERIFY.replace("--tenant", "--tenant=t1002")).expect(1).stdout;
    assert!(of_another.contains("held by another tenant than t1002"), "{of_another}");
    // Ours is no, the platform's is yes: what stands above the uploaded one is nothing to it.
    let chain = at.cli.text("out/gw-1/chain.pem");
    at.cli.write("out/gw-1/chain.pem", chain + &root("Stranger", None).pem());
    let wrong = at.run(&format!("{VERIFY} --as-device gw-1")).expect(1).stdout;
    assert!(wrong.contains("platform  accepted for the tenant t1001"), "{wrong}");
    assert!(wrong.contains("c8y-pki   refused: the 2nd certificate (CN=Root)"), "{wrong}");
    assert!(wrong.contains("the two differ"), "{wrong}");
}

#[test]
fn what_was_not_asked_is_no_yes() {
    let at = at();
    at.ok("tenant trust add root.pem");
    // 403: the user has not the right.
    for line in [LINE, VERIFY] {
        let told = at.run_as("devices", line).expect(2);
        assert!(told.stdout.contains("platform  not asked: "), "{told:?}");
        assert!(told.stdout.contains("ROLE_TENANT_MANAGEMENT_READ"), "{told:?}");
    }
    // Not reached: ours is told, and no more.
    let host = format!("https://localhost:{}", free_port());
    let away = at.run_with(VERIFY, &[("C8Y_HOST", host.as_str())]).expect(3);
    assert!(away.stdout.starts_with("valid\n"), "{away:?}");
    assert!(away.stdout.contains("platform  not asked: cannot connect to localhost"), "{away:?}");
    assert!(away.error().contains("cannot connect to localhost"), "{away:?}");
    let away = at.run_with(LINE, &[("C8Y_HOST", host.as_str())]).expect(3);
    assert_eq!(away.stdout, "");
    // A wrong login is no verdict.
    let denied = at.run_with(VERIFY, &[("C8Y_PASSWORD", "wrong")]).expect(2);
    assert!(denied.stdout.contains("platform  not asked: "), "{denied:?}");
    at.run_with(VERIFY, &[("C8Y_HOST", "")]).expect(2);
}

#[test]
fn a_release_without_the_call_was_not_asked() {
    let at = at_one(Settings { verdicts: false, ..Settings::default() });
    at.ok("tenant trust add root.pem");
    for line in [LINE, VERIFY] {
        let told = at.run(line).expect(2).stdout;
        assert!(told.contains("platform  not asked: the platform answers 404"), "{told}");
        let json = at.run(&format!("{line} --json")).expect(2).json();
        let compared = if line == VERIFY { &json["tenant"] } else { &json };
        assert_eq!(compared["agree"], serde_json::Value::Null, "{json}");
        assert_eq!(compared["platform"]["verdict"], "not_asked", "{json}");
    }
}

#[test]
fn a_chain_that_it_cannot_read_is_said() {
    let at = at();
    let mut cas = vec![root("Root", None)];
    for n in 0..10 {
        let next = ca(&format!("CA {n}"), &cas[n], None);
        cas.push(next);
    }
    let device = device("gw-1", &cas[10]);
    let chain = std::iter::once(&device).chain(cas.iter().rev()).collect::<Vec<_>>();
    bundle(&at.cli, "out/gw-1", &device, &chain);
    let told = at.run(LINE).expect(1).stdout;
    assert!(told.starts_with("platform  it cannot read the chain: "), "{told}");
}

#[test]
fn a_ca_of_another_tenant_is_no_yes() {
    let at = at();
    at.run_as("t1002/admin", "tenant trust add root.pem").expect(0);
    for line in [LINE, VERIFY] {
        let told = at.run(line).expect(1).stdout;
        assert!(told.contains("platform  accepted for the tenant t1002"), "{told}");
        assert!(told.contains("the CA is held by another tenant than t1001"), "{told}");
    }
}

#[test]
fn what_we_say_is_what_a_device_presents() {
    let (at, root) = (AtTenant::new(Cli::new()), root("Root", None));
    let line = ca("Line", &root, None);
    let device = device("gw-1", &line);
    upload(&at, &line, "--prove --auto-registration");
    let later = renewed(&line, Some(&root));
    bundle(&at.cli, "out/gw-1", &device, &[&device, &later, &root]);
    let told = at.run(LINE).expect(1).stdout;
    assert!(told.contains("platform  refused: "), "{told}");
    // In the wrong order both refuse it.
    bundle(&at.cli, "out/gw-1", &device, &[&device, &root, &line]);
    let told = at.run(&format!("{LINE} --json")).expect(1).json();
    assert_eq!(told["ours"]["accepted"], false, "{told}");
}
