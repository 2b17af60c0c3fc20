//! A registry that was put back from a backup, a CA's folder that was lost: what was revoked stays revoked.

use std::fs;

use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::tool;
use serde_json::Value;

const FILES: [&str; 3] = ["registry.sqlite", "registry.sqlite-wal", "registry.sqlite-shm"];

/// Copies the registry's files from one folder to another; those of a former registry go.
fn copy(cli: &Cli, from: &str, to: &str) {
    for file in FILES {
        let (from, to) = (cli.path(&format!("{from}/{file}")), cli.path(&format!("{to}/{file}")));
        let _ = fs::remove_file(&to);
        if from.exists() {
            fs::copy(from, to).expect("a copy");
        }
    }
}

fn back_up(cli: &Cli) {
    fs::create_dir_all(cli.path("backup")).expect("a folder");
    copy(cli, "pki", "backup");
}

fn restore(cli: &Cli) {
    copy(cli, "backup", "pki");
}

/// Devices `a` and `b`, and a backup; then `a` is revoked, `c` issued, two lists are made, and the backup is
/// put back.
fn rolled_back() -> Cli {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue a b --ca line --out out {CA_PW}"));
    back_up(&cli);
    cli.ok("device revoke a --reason keyCompromise");
    cli.ok(&format!("ca crl line {CA_PW}"));
    cli.ok(&format!("ca crl line {CA_PW}"));
    cli.ok(&format!("device issue c --ca line --out out {CA_PW}"));
    restore(&cli);
    cli
}

fn next_list(cli: &Cli, more: &str) -> Value {
    cli.run(&format!("ca crl line {CA_PW} --json {more}")).expect(0).json()
}

#[test]
fn an_older_registry_makes_no_list_until_it_is_repaired() {
    let cli = rolled_back();
    let before = cli.snapshot("pki/ca");
    let said = cli.fails(1, &format!("ca crl line {CA_PW}"));
    assert!(said.contains("revocation list 2 of line revokes"), "{said}");
    assert!(said.contains("(a), and the registry does not; no list of line is made"), "{said}");
    assert!(said.contains("hint: `c8y-pki registry repair`"), "{said}");
    assert_eq!(cli.snapshot("pki/ca"), before);

    let checked = cli.run("registry check --json").expect(1).json();
    let findings = checked["findings"].as_array().expect("findings");
    let kinds: Vec<&str> = findings.iter().filter_map(|f| f["kind"].as_str()).collect();
    assert_eq!(kinds, ["rollback", "rollback"], "the list and the device c: {checked}");

    let audit = cli.ok("registry export --what audit");
    let plan = cli.ok("registry repair --plan");
    for words in [
        "The registry does not know:",
        "A repair would:",
        "record the certificate",
        "keyCompromise",
    ] {
        assert!(plan.contains(words), "{words}: {plan}");
    }
    let said = cli.fails(2, "registry repair");
    assert!(said.contains("there is no terminal to ask"), "{said}");
    assert_eq!(cli.ok("registry export --what audit"), audit);

    let done = cli.run("registry repair --yes --json").expect(0).json();
    assert_eq!((&done["certificates"], &done["revocations"]), (&1.into(), &1.into()), "{done}");
    assert_eq!(done["done"], true);
    cli.ok("registry check");
    let again = cli.run("registry repair").expect(0).stdout;
    assert_eq!(again, "The registry knows all that it was compared with.\n");
    let made = next_list(&cli, "");
    assert_eq!((&made["number"], &made["revoked"]), (&"3".into(), &1.into()), "{made}");
    let verify = "cert verify --trust pki/ca/root/cert.pem --crl pki/ca/line/crl.pem";
    cli.run(&format!("{verify} out/a/chain.pem")).expect(1);
    cli.ok(&format!("{verify} out/c/chain.pem"));
    cli.ok("device show c");
    let Some(openssl) = tool("openssl") else { return };
    let list = openssl.run(&["crl", "-noout", "-text", "-in", &cli.arg("pki/ca/line/crl.pem")]);
    assert!(list.contains("Key Compromise"), "{list}");
}

#[test]
fn an_older_registry_can_be_accepted_which_the_audit_log_keeps() {
    let cli = rolled_back();
    let made = next_list(&cli, "--accept-rollback");
    assert_eq!((&made["number"], &made["revoked"]), (&"3".into(), &0.into()), "{made}");
    let audit = cli.ok("registry export --what audit");
    assert!(audit.contains("accept-rollback") && audit.contains("given_up"), "{audit}");
    let made = next_list(&cli, "");
    assert_eq!(made["number"], "4");
    // What was issued is still not known.
    let checked = cli.run("registry check").expect(1).stdout;
    assert!(checked.starts_with("rollback: ") && checked.contains("of CN=c"), "{checked}");
}

#[test]
fn lists_that_are_elsewhere_are_given() {
    let cli = rolled_back();
    fs::rename(cli.path("pki/ca/line/crl.pem"), cli.path("line.crl")).expect("it moves");
    fs::remove_dir_all(cli.path("out/c")).expect("it goes");
    cli.ok("registry check");
    let found = cli.run("registry check --against line.crl out").expect(1).stdout;
    assert!(found.contains("rollback: revocation list 2 of line revokes"), "{found}");
    cli.ok("registry repair --yes --against line.crl");
    cli.ok("registry check --against line.crl");
    let written = cli.run("registry revocations --out rev --json").expect(0).json();
    assert_eq!(written["revocations"], 1);
    assert_eq!(next_list(&cli, "")["number"], "3");
    cli.write("nonsense", "no list");
    let said = cli.run("registry repair --yes --against nonsense").expect(2).stderr;
    assert!(said.contains("nonsense: it is no revocation list"), "{said}");
}

#[test]
fn a_new_ca_does_not_take_the_name_of_a_lost_one() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue a --ca line --out out {CA_PW}"));
    fs::rename(cli.path("pki/ca/line"), cli.path("line")).expect("it moves");
    let before = cli.ok("registry export --what audit");
    for line in [
        format!("ca add line --parent root --subject CN=Line {CA_PW}"),
        format!("ca init line --subject CN=Line --key-type ec-p256 {CA_PW}"),
    ] {
        let said = cli.fails(2, &line);
        assert!(
            said.contains("that another CA named \"line\" has issued, with another key"),
            "{said}"
        );
        assert!(said.contains("hint: put the folder ca/line back from a backup"), "{said}");
    }
    assert_eq!(cli.ok("registry export --what audit"), before);
    // The same CA may come back, as its folder or by an import.
    cli.ok(&format!(
        "ca add line --import line/chain.pem --key line/key.pem --key-password-file pw {CA_PW}"
    ));
    cli.ok(&format!("device issue b --ca line --out out {CA_PW}"));
    cli.ok("registry check");
}
