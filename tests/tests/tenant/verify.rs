//! `tenant verify`: the platform's verdict on a chain beside ours.

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::Cli;
use c8y_pki_tests::workshop::{bundle, device, root, upload};

fn at() -> AtTenant {
    let (at, root) = (AtTenant::new(Cli::new()), root("Root", None));
    let device = device("gw-1", &root);
    bundle(&at.cli, "out/gw-1", &device, &[&device, &root]);
    at.cli.write("root.pem", root.pem());
    at
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
