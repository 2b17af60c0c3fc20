//! Tokens that misbehave, as hardware may and SoftHSM2 does not: each is told with its cause, and no PIN is
//! tried twice. The module in `tests/c` stands before SoftHSM2.

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{Cli, Outcome};
use c8y_pki_tests::hsm::{Hsm, PIN};

fn with_fault(hsm: &Hsm, cli: &Cli, line: &str, fault: (&str, &str)) -> Outcome {
    hsm.cli(cli, line, &[PIN, fault])
}

#[test]
fn each_answer_to_a_pin_has_its_sentence_and_is_asked_for_once() {
    let Some(hsm) = Hsm::with_faults() else { return };
    let cli = hsm.with_root("ec-p256");
    let log = cli.arg("log");
    for (answer, error, hint) in [
        ("0xA0", "refuses the PIN", "the token counts wrong PINs"),
        ("0xA1", "refuses the PIN", "the token counts wrong PINs"),
        ("0xA3", "the PIN of the token \"Factory\" has expired", "set a new one"),
        ("0xA4", "has locked itself after too many wrong PINs", "security officer"),
        ("0x102", "has no user PIN yet", "set one"),
    ] {
        for line in ["ca crl root", "device issue a b c --ca root --out out", "ca renew root"] {
            let _ = std::fs::remove_file(cli.path("log"));
            let more = [PIN, ("FAULT_LOGIN", answer), ("FAULT_LOG", log.as_str())];
            let said = hsm.cli(&cli, line, &more).expect(2);
            assert!(said.error().contains(error), "{answer}: {said:?}");
            assert!(said.stderr.contains(hint), "{answer}: {said:?}");
            assert_eq!(cli.text("log").lines().count(), 1, "{answer}: {line}");
        }
    }
    assert!(!cli.path("out").exists());
}

#[test]
fn a_token_that_stops_signing_is_an_environment_that_failed() {
    let Some(hsm) = Hsm::with_faults() else { return };
    let at = AtTenant::new(hsm.with_root("ec-p256"));
    let cli = &at.cli;
    hsm.ok(cli, "device issue gw-1 --ca root --out out");
    at.ok("tenant trust add --ca root");
    cli.write("code", "a code");
    // The first signature shows that the key is at hand.
    for line in [
        "ca crl root",
        "ca renew root",
        "device issue gw-2 --ca root --out out",
        "device renew gw-1 --ca root --out out",
        "device manifest --out manifest",
        "pop sign code --ca root",
        "key show pkcs11:object=root",
    ] {
        for left in ["0", "1"] {
            if left == "1" && line.starts_with("key") {
                continue;
            }
            let said = with_fault(&hsm, cli, line, ("FAULT_SIGN", left)).expect(3);
            assert!(said.error().contains("the token \"Factory\" failed at signing"), "{said:?}");
            assert!(said.stderr.contains("hint: is the token still there"), "{said:?}");
        }
    }
    let variables = [&hsm.variables()[..], &[PIN, ("FAULT_SIGN", "1")]].concat();
    let said = at.run_with("pop prove --ca root", &variables).expect(3);
    assert!(said.error().contains("failed at signing"), "{said:?}");
    let gone = with_fault(&hsm, cli, "ca crl root", ("FAULT_AWAY", "1")).expect(3);
    assert!(gone.error().contains("has no token for pkcs11:token=Factory"), "{gone:?}");
    assert!(gone.stderr.contains("or it cannot be reached"), "{gone:?}");
    cli.ok("registry check");
}

#[test]
fn a_wrong_signature_gets_nowhere() {
    let Some(hsm) = Hsm::with_faults() else { return };
    let cli = hsm.with_root("ec-p256");
    let before = cli.snapshot("pki");
    for line in ["ca crl root", "device issue gw-1 --ca root --out out"] {
        let said = with_fault(&hsm, &cli, line, ("FAULT_WRONG", "1")).expect(2);
        assert!(said.error().contains("what it signs does not fit its public key"), "{said:?}");
    }
    assert!(
        cli.snapshot("pki/ca")
            == before
                .into_iter()
                .filter(|(name, _)| name.starts_with("pki/ca/"))
                .collect::<Vec<_>>()
    );
    assert!(!cli.path("out").exists());
}

#[test]
fn few_sessions_are_enough() {
    let Some(hsm) = Hsm::with_faults() else { return };
    let cli = Cli::new();
    let token = "--token 'pkcs11:token=Factory;object=root' --key-type ec-p256";
    let made = format!("ca init --subject CN=Root {token}");
    with_fault(&hsm, &cli, &made, ("FAULT_SESSIONS", "1")).expect(0);
    let list = (1..=400).map(|n| format!("gw-{n}\n")).collect::<String>();
    cli.write("list.csv", format!("id\n{list}"));
    let line = "device issue --from list.csv --ca root --threads 8 --out";
    let below = "ca add x --parent root --subject CN=X --token 'pkcs11:token=Factory;object=x'";
    let none = with_fault(&hsm, &cli, below, ("FAULT_SESSIONS", "1")).expect(3);
    assert!(none.error().contains("the token \"Factory\" has no session left"), "{none:?}");
    for sessions in ["1", "2", "3"] {
        let line = format!("{line} out-{sessions} --existing replace");
        with_fault(&hsm, &cli, &line, ("FAULT_SESSIONS", sessions)).expect(0);
        assert_eq!(cli.names(&format!("out-{sessions}")).len(), 400);
    }
}

#[test]
fn a_slot_that_fails_is_passed_over() {
    let Some(hsm) = Hsm::with_faults() else { return };
    let cli = hsm.with_root("ec-p256");
    with_fault(&hsm, &cli, "ca crl root", ("FAULT_SLOT", "1")).expect(0);
    let listed = with_fault(&hsm, &cli, "key list --json", ("FAULT_SLOT", "1")).expect(0);
    assert_eq!(listed.json_lines().len(), 1);
}

#[test]
fn a_name_that_is_taken_is_said_before_a_pin_is_tried() {
    let Some(hsm) = Hsm::with_faults() else { return };
    let cli = hsm.with_root("ec-p256");
    let log = cli.arg("log");
    let token = "--token 'pkcs11:token=Factory;object=x'";
    for line in [
        format!("ca init root --subject CN=X {token}"),
        format!("ca init Root --subject CN=X {token}"),
        format!("ca add root --parent root --subject CN=X {token}"),
        format!("ca renew root --new-key root {token}"),
    ] {
        let said = hsm.cli(&cli, &line, &[PIN, ("FAULT_LOG", log.as_str())]).expect(2);
        let error = said.error();
        assert!(error.contains("exists already") || error.contains("is not a name"), "{said:?}");
    }
    // The same CA again is no new one: its key stays where it is.
    let line = "ca add root --import pki/ca/root/cert.pem --key pkcs11:object=root";
    let same = hsm.cli(&cli, line, &[PIN, ("FAULT_LOG", log.as_str())]).expect(0);
    assert!(same.stderr.contains("--key was ignored"), "{same:?}");
    assert!(!cli.path("log").exists());
    // A wrong PIN leaves no directory behind.
    let wrong = ("FAULT_LOGIN", "0xA0");
    with_fault(&hsm, &cli, &format!("ca init --pki new --subject CN=X {token}"), wrong).expect(2);
    assert!(!cli.path("new").exists());
}
