//! A registry that was put back from a backup, a CA's directory that was lost: what was revoked stays revoked.

use std::fs;

use c8y_pki_core::cert::Serial;
use c8y_pki_core::crl::{self, Reason, Revoked};
use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::csr;
use c8y_pki_core::issue::Issuer;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::name::Name;
use c8y_pki_core::secret::Password;
use c8y_pki_engine::pki::Pki;
use c8y_pki_tests::cli::{CA_PW, Cli, PASSWORD};
use c8y_pki_tests::tool;
use serde_json::Value;
use time::{Duration, OffsetDateTime};

const FILES: [&str; 3] = ["registry.sqlite", "registry.sqlite-wal", "registry.sqlite-shm"];

/// Copies the registry's files from one directory to another; those of a former registry go.
fn copy(cli: &Cli, from: &str, to: &str) {
    for file in FILES {
        let (from, to) = (cli.path(&format!("{from}/{file}")), cli.path(&format!("{to}/{file}")));
        let _ = fs::remove_file(&to);
        if from.exists() {
            fs::copy(from, to).expect("a copy");
        }
    }
}

fn copy_folder(cli: &Cli, from: &str, to: &str) {
    for (name, contents) in cli.snapshot(from) {
        let (_, below) = name.split_once('/').unwrap_or(("", ""));
        let to = cli.path(to).join(below);
        match contents {
            Some(contents) => fs::write(to, contents).expect("a copy"),
            None => fs::create_dir_all(to).expect("a directory"),
        }
    }
}

fn back_up(cli: &Cli) {
    fs::create_dir_all(cli.path("backup")).expect("a directory");
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
    assert!(said.contains(": `c8y-pki registry repair`; "), "{said}");
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
    assert!(audit.contains("of CN=c"), "the device that is given up: {audit}");
    // What was issued is still not known.
    let checked = cli.run("registry check").expect(1).stdout;
    assert!(checked.starts_with("rollback: ") && checked.contains("of CN=c"), "{checked}");
}

/// Everything but the devices' directories is put back: no list tells of it.
#[test]
fn forgotten_devices_keep_an_older_folder_from_making_a_list() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue a b --ca line --out out {CA_PW}"));
    copy_folder(&cli, "pki", "backup");
    cli.ok(&format!("device issue c --ca line --out out {CA_PW}"));
    cli.ok("device revoke c --reason keyCompromise");
    cli.ok(&format!("ca crl line {CA_PW}"));
    fs::remove_dir_all(cli.path("pki")).expect("gone");
    copy_folder(&cli, "backup", "pki");

    let before = cli.snapshot("pki/ca");
    let said = cli.fails(1, &format!("ca crl line {CA_PW}"));
    assert!(said.contains("out/c has the certificate"), "{said}");
    assert!(said.contains("and the registry does not; no list of line is made"), "{said}");
    assert!(said.contains(": `c8y-pki registry repair`; "), "{said}");
    assert_eq!(cli.snapshot("pki/ca"), before);
    // Another CA's lists have nothing to do with it.
    cli.ok(&format!("ca crl root {CA_PW}"));
    cli.ok("registry repair --yes");
    assert_eq!(next_list(&cli, "")["number"], "1");
}

#[test]
fn a_hand_over_file_tells_what_an_older_registry_has_forgotten() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue a --ca line --out out {CA_PW}"));
    cli.ok(&format!("device manifest --out handover {CA_PW}"));
    back_up(&cli);
    cli.ok(&format!("device issue b --ca line --out elsewhere {CA_PW}"));
    cli.ok("device revoke a b --reason keyCompromise");
    // In the same place, where the registry of the backup knows of one.
    fs::rename(cli.path("handover"), cli.path("former")).expect("moved away");
    cli.ok(&format!("device manifest --out handover {CA_PW}"));
    restore(&cli);
    fs::remove_dir_all(cli.path("elsewhere")).expect("gone");

    let checked = cli.run("registry check").expect(1).stdout;
    assert!(checked.contains("handover/manifest.csv names the certificate"), "{checked}");
    let said = cli.fails(1, &format!("ca crl line {CA_PW}"));
    assert!(said.contains("of b, which is not in the registry; no list of line is made"), "{said}");
    // Accepted once, it is not asked again.
    let said = cli.run(&format!("ca crl line {CA_PW} --accept-rollback")).expect(0).stderr;
    assert!(said.contains("accepted: "), "{said}");
    assert_eq!(next_list(&cli, "")["number"], "2");
    // A file that was changed tells nothing, and is not in the way.
    fs::write(cli.path("handover/manifest.csv"), "something else").expect("written");
    cli.ok("registry check");
}

#[test]
fn an_older_registry_signs_nothing() {
    let cli = rolled_back();
    let key = PrivateKey::generate(KeyType::EcP256).expect("a key");
    let request = csr::make(&Name::parse("CN=d").expect("a name"), &key).expect("a request");
    cli.write("d.csr", csr::pem(&request));
    for line in [
        format!("device issue d --ca line --out out {CA_PW}"),
        format!("device renew b --out out {CA_PW}"),
        format!("device sign d.csr --ca line --out signed {CA_PW}"),
    ] {
        let said = cli.fails(1, &line);
        assert!(said.contains("the registry does not; line signs nothing"), "{line}: {said}");
        assert!(said.contains(": `c8y-pki registry repair`; "), "{line}: {said}");
    }
    // The other CA's last list is another matter.
    cli.ok(&format!("ca add other --parent root --subject CN=Other --key-type ec-p256 {CA_PW}"));
    cli.ok("registry repair --yes");
    cli.ok(&format!("device issue d --ca line --out out {CA_PW}"));
}

#[test]
fn a_list_that_is_lost_is_put_back_from_where_it_is() {
    let cli = rolled_back();
    fs::rename(cli.path("pki/ca/line/crl.pem"), cli.path("line.crl")).expect("it moves");
    fs::remove_dir_all(cli.path("out/c")).expect("it goes");
    let lost = "crl.pem cannot be used: it is not there, and list 2 of line was made";
    let found = cli.run("registry check").expect(1).stdout;
    assert!(found.contains(lost), "{found}");
    for line in ["ca crl line", "device issue d --ca line --out out"] {
        let said = cli.fails(1, &format!("{line} {CA_PW}"));
        assert!(said.contains(lost), "{line}: {said}");
        assert!(said.contains("`c8y-pki ca crl line --accept-rollback`"), "{line}: {said}");
    }
    cli.run("registry repair --yes").expect(1);
    let found = cli.run("registry check --against line.crl out").expect(1).stdout;
    assert!(found.contains("rollback: revocation list 2 of line revokes"), "{found}");
    let done = cli.run("registry repair --yes --against line.crl --json").expect(0).json();
    assert_eq!((&done["lists"], &done["revocations"]), (&1.into(), &1.into()), "{done}");
    cli.ok("registry check --against line.crl");
    let written = cli.run("registry revocations --out rev --json").expect(0).json();
    assert_eq!(written["revocations"], 1);
    assert_eq!(next_list(&cli, "")["number"], "3");
    cli.write("nonsense", "no list");
    let said = cli.run("registry repair --yes --against nonsense").expect(2).stderr;
    assert!(said.contains("nonsense: it is no revocation list"), "{said}");
}

#[test]
fn a_list_that_is_lost_for_good_is_accepted_which_the_audit_log_keeps() {
    let cli = Cli::with_cas();
    cli.ok(&format!("ca crl line {CA_PW}"));
    fs::remove_file(cli.path("pki/ca/line/crl.pem")).expect("it goes");
    let said = cli.fails(1, &format!("ca crl line {CA_PW}"));
    assert!(said.contains("list 1 of line was made"), "{said}");
    cli.run("registry check").expect(1);
    // What it revoked is known here.
    cli.ok(&format!("device issue a --ca line --out out {CA_PW}"));
    assert_eq!(next_list(&cli, "--accept-rollback")["number"], "2");
    let audit = cli.ok("registry export --what audit");
    assert!(audit.contains("accept-rollback"), "{audit}");
    assert_eq!(next_list(&cli, "")["number"], "3");
    cli.ok("registry check");
    // It was accepted once, not for ever.
    fs::write(cli.path("pki/ca/line/crl.pem"), "nonsense").expect("a file");
    cli.fails(1, &format!("ca crl line {CA_PW}"));
    assert_eq!(next_list(&cli, "--accept-rollback")["number"], "4");
}

#[test]
fn a_used_ca_that_an_older_registry_does_not_know_is_not_taken_in() {
    let cli = Cli::new();
    cli.ok(&format!("ca init --subject CN=Root --key-type ec-p256 {CA_PW}"));
    back_up(&cli);
    cli.ok(&format!("ca add line --parent root --subject CN=Line {CA_PW}"));
    cli.ok(&format!("device issue a b --ca line --out out {CA_PW}"));
    cli.ok("device revoke a");
    restore(&cli);
    let audit = |cli: &Cli| {
        let kept = cli.path("pki/registry.sqlite");
        fs::read(kept).expect("a registry")
    };
    let before = audit(&cli);
    let found = cli.run("registry check").expect(1).stdout;
    assert!(found.contains("it does not know the CAs of this directory"), "{found}");
    for line in [format!("ca crl line {CA_PW}"), "ca list".to_owned()] {
        let said = cli.fails(2, &line);
        assert!(said.contains("it does not know the CAs of this directory"), "{line}: {said}");
        assert!(said.contains("`c8y-pki registry repair`"), "{line}: {said}");
    }
    assert_eq!(audit(&cli), before);
    cli.ok("registry repair --yes --against out");
    cli.ok("registry check");
    assert_eq!(cli.run("device list --json").expect(0).json_lines().len(), 2);
}

#[test]
fn cas_with_one_subject_share_what_their_lists_say() {
    let cli = Cli::with_cas();
    for name in ["line", "second"] {
        let add = format!("ca add {name}-x --parent root --subject CN=Same --key-type ec-p256");
        cli.ok(&format!("{add} {CA_PW}"));
    }
    cli.ok(&format!("device issue a --ca line-x --out out {CA_PW}"));
    back_up(&cli);
    cli.ok("device revoke a");
    cli.ok(&format!("ca crl line-x {CA_PW}"));
    restore(&cli);
    let said = cli.fails(1, &format!("ca crl second-x {CA_PW}"));
    assert!(said.contains("list 1 of line-x revokes"), "{said}");
    assert!(said.contains("no list of second-x is made"), "{said}");
    cli.ok("registry repair --yes");
    cli.ok(&format!("ca crl second-x {CA_PW}"));
}

#[test]
fn one_file_that_does_not_fit_does_not_stop_a_repair() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue a --ca line --out out {CA_PW}"));
    back_up(&cli);
    cli.ok("device revoke a");
    cli.ok(&format!("ca crl line {CA_PW}"));
    cli.ok(&format!("ca add gw-9 --parent root --subject CN=gw-9 --key-type ec-p256 {CA_PW}"));
    fs::create_dir(cli.path("out/0")).expect("a directory");
    fs::rename(cli.path("pki/ca/gw-9/cert.pem"), cli.path("out/0/cert.pem")).expect("it moves");
    fs::remove_dir_all(cli.path("pki/ca/gw-9")).expect("it goes");
    restore(&cli);
    let plan = cli.ok("registry repair --plan");
    assert!(plan.contains("it cannot be recorded: it is a CA's"), "{plan}");
    let done = cli.run("registry repair --yes").expect(1).stdout;
    assert!(done.contains("1 revocation"), "{done}");
    assert!(done.contains("it cannot be recorded: it is a CA's"), "{done}");
    assert_eq!(next_list(&cli, "")["revoked"], 1);
    let devices = cli.run("device list --status any --json").expect(0).json_lines();
    assert_eq!(devices.len(), 1, "{devices:?}");
}

/// A list of the CA `line` with that number, which revokes those serial numbers.
fn list_of_line(cli: &Cli, number: u64, serials: &[u8]) -> String {
    let now = OffsetDateTime::now_utc();
    let pki = Pki::open_to_read(&cli.path("pki"), now).expect("a PKI directory");
    let line = pki.ca("line").expect("a CA");
    let key = line.unlock(&Password::new(PASSWORD)).expect("its key");
    let issuer = Issuer::new(line.certificate(), &key, now).expect("an issuer");
    let revoke = |serial: &u8| Revoked {
        serial: Serial::from_octets(&[*serial]),
        at: now.replace_nanosecond(0).expect("a time"),
        reason: Reason::Unspecified,
    };
    let revoked: Vec<Revoked> = serials.iter().map(revoke).collect();
    let next = now + Duration::days(1);
    crl::make(&issuer, &revoked, number, now, next).expect("a list").pem()
}

#[test]
fn a_number_that_is_too_high_is_named_and_not_gone_on_from() {
    let cli = Cli::with_cas();
    for number in [u64::MAX, 1 << 63, (1 << 63) - 1] {
        let said = format!("its number, {number}, is too high for a next one");
        let list = list_of_line(&cli, number, &[]);
        cli.write("high.crl", &list);
        let given = cli.fails(2, "registry repair --yes --against high.crl");
        assert!(given.contains(&said), "{given}");
        cli.write("pki/ca/line/crl.pem", &list);
        let refused = cli.fails(1, &format!("ca crl line {CA_PW}"));
        assert!(refused.contains(&said), "{refused}");
        assert!(cli.run("registry check").expect(1).stdout.contains(&said));
        fs::remove_file(cli.path("pki/ca/line/crl.pem")).expect("it goes");
    }
    cli.write("high.crl", list_of_line(&cli, (1 << 63) - 2, &[]));
    cli.ok("registry repair --yes --against high.crl");
}

#[test]
fn a_serial_number_that_is_twice_in_a_list_is_taken_over_once() {
    let cli = Cli::with_cas();
    cli.write("twice.crl", list_of_line(&cli, 5, &[9, 9, 7]));
    cli.ok("registry repair --yes --against twice.crl");
    cli.ok("registry check --against twice.crl");
    let made = next_list(&cli, "");
    assert_eq!((&made["number"], &made["revoked"]), (&"6".into(), &2.into()), "{made}");
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
        assert!(said.contains("hint: restore the directory ca/line from a backup"), "{said}");
    }
    assert_eq!(cli.ok("registry export --what audit"), before);
    // The same CA may come back, as its directory or by an import.
    cli.ok(&format!(
        "ca add line --import line/chain.pem --key line/key.pem --key-password-file pw {CA_PW}"
    ));
    cli.ok(&format!("device issue b --ca line --out out {CA_PW}"));
    cli.ok("registry check");
}

#[test]
fn a_server_is_recorded_as_a_server() {
    let cli = Cli::with_cas();
    let server = |verb: &str| format!("server {verb} --out servers {CA_PW}");
    cli.ok(&server("issue broker --ca line --san DNS:broker.example.com"));
    back_up(&cli);
    cli.ok(&server("renew broker"));
    cli.ok(&server("issue gateway --ca line --san DNS:gw.example.com"));
    restore(&cli);
    let done = cli.run("registry repair --yes --json").expect(0).json();
    assert_eq!(done["certificates"], 2, "{done}");
    let rows = cli.run("server list --json").expect(0).json_lines();
    let names: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(names, ["broker", "gateway"], "{rows:?}");
    assert!(cli.run("device list --json").expect(0).json_lines().is_empty());
    let all = cli.run("server list --status any --json").expect(0).json_lines();
    assert_eq!(all.len(), 3, "{all:?}");
    cli.ok("registry check");
}
