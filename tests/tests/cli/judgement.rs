//! What servers accept, and what they refuse: the cases of public reports, through the command line.

use std::path::{Path, PathBuf};

use c8y_pki_tests::cli::{CA_PW, Cli};

/// A command line beside the files of a case: from where `C8Y_PKI_CASES` says, else beside the repository.
fn beside(name: &str) -> Option<Cli> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/cases");
    let cases = std::env::var_os("C8Y_PKI_CASES").map_or(beside, PathBuf::from);
    let Ok(files) = std::fs::read_dir(cases.join(name)) else {
        eprintln!("left out: {name} is not in the folder of cases (C8Y_PKI_CASES)");
        return None;
    };
    let cli = Cli::new();
    for entry in files {
        let path = entry.unwrap().path();
        std::fs::copy(&path, cli.path(path.file_name().unwrap().to_str().unwrap())).unwrap();
    }
    cli.write("pw2", "Marker-Secret-0815");
    Some(cli)
}

/// Accepted with a warning of that rule; refused for it by a strict check.
#[track_caller]
fn assert_warned(cli: &Cli, line: &str, rule: &str) {
    let json = cli.run(&format!("cert verify {line} --json")).expect(0).json();
    assert_eq!(json["valid"], true);
    let rules: Vec<_> = json["warnings"].as_array().unwrap().iter().map(|w| &w["rule"]).collect();
    assert!(rules.iter().any(|found| *found == rule), "{rules:?}");
    let text = cli.ok(&format!("cert verify {line}"));
    assert!(text.starts_with("valid") && text.contains("servers do not enforce it"), "{text}");
    let strict = cli.run(&format!("cert verify {line} --strict --json")).expect(1).json();
    assert_eq!(strict["valid"], false);
}

#[test]
fn case_01_a_ca_of_easy_rsa() {
    let Some(cli) = beside("01-easyrsa-ca") else { return };
    let line = "--trust ca.crt er-0001-chain.pem --as-device er-0001";
    assert_warned(&cli, line, "not-critical-extension");
}

#[test]
fn cases_03_04_and_05_leaves_that_servers_accept() {
    if let Some(cli) = beside("03-leaf-without-aki") {
        assert_warned(&cli, "--trust root.pem noaki-chain.pem", "authority-key-id-missing");
    }
    if let Some(cli) = beside("04-leaf-version-1") {
        assert_warned(&cli, "--trust root.pem v1-chain.pem", "version");
    }
    if let Some(cli) = beside("05-serial-negative-zero") {
        assert_warned(&cli, "--trust root.pem neg-chain.pem", "serial-number");
        assert_warned(&cli, "--trust root.pem zero-chain.pem", "serial-number");
    }
}

#[test]
fn case_07_what_is_issued_under_an_imported_ca_passes() {
    let Some(cli) = beside("07-ca-without-ski") else { return };
    assert_warned(&cli, "--trust canoski.pem chain.pem", "subject-key-id-missing");
    let import = "ca add line --import canoski.pem --key ca.key --ca-password-file pw2";
    let said = cli.run(import).expect(0).stderr;
    assert!(said.contains("is a CA without subject key identifier"), "{said}");
    cli.ok("device issue d-1 --ca line --out out --ca-password-file pw2");
    cli.ok("cert verify --trust canoski.pem out/d-1/chain.pem --as-device d-1");
}

#[test]
fn case_08_a_key_identifier_of_another_certificate() {
    let Some(cli) = beside("08-aki-keyid-mismatch") else { return };
    let line = "cert verify --trust ca1.pem mismatch.pem --as-device ski-1 --json";
    let json = cli.run(line).expect(1).json();
    assert_eq!(json["refusal"]["rule"], "authority-key-id-differs");
    // With the certificate that it names it is good; it may stand among the intermediates' file.
    cli.ok("cert verify --trust ca256.pem mismatch.pem");
    cli.ok("cert verify --trust ca1.pem --trust ca256.pem --untrusted ca1.pem mismatch.pem");
}

#[test]
fn case_38_a_device_outside_of_name_constraints_has_no_key_made() {
    let Some(cli) = beside("38-ca-nameconstraints-dirname") else { return };
    cli.ok("ca add nc --import 08-ncdir.pem --key 08-ncdir.key --ca-password-file pw2");
    let issue = "device issue d-1 --ca nc --out out --ca-password-file pw2";
    let refused = cli.run(issue);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("does not permit"), "{}", refused.stderr);
    assert!(!cli.path("out/d-1").exists());
    cli.ok(&format!("{issue} --org Ex"));
    cli.ok("cert verify --trust 08-ncdir.pem out/d-1/chain.pem --as-device d-1");
}

#[test]
fn case_40_a_ca_without_a_subject_is_not_taken_in() {
    let Some(cli) = beside("40-ca-empty-subject") else { return };
    let import = "ca add x --import 15-nosub.pem --key 15-nosub.key --ca-password-file pw2";
    let refused = cli.run(import);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("no device under this CA can connect"), "{}", refused.stderr);
}

#[test]
fn case_43_a_list_without_next_update_knows_what_it_revokes() {
    let Some(cli) = beside("43-crl-without-nextupdate") else { return };
    let verify = "cert verify --trust root.pem --crl 01-nonext.pem c2.pem --json";
    let json = cli.run(verify).expect(1).json();
    assert_eq!(json["refusal"]["rule"], "revoked");
}

#[test]
fn a_validity_that_nobody_asked_for_gives_way_to_the_issuers_end() {
    let cli = Cli::new();
    cli.ok(&format!("ca init --subject CN=Root --key-type ec-p256 {CA_PW} --days 3650"));
    let add = |name: &str, parent: &str, more: &str| {
        format!(
            "ca add {name} --parent {parent} --subject CN={name} --key-type ec-p256 {CA_PW} {more}"
        )
    };
    cli.ok(&add("i1", "root", ""));
    let said = cli.run(&add("i2", "i1", "--days 3651")).expect(2).stderr;
    assert!(said.contains("after its issuer"), "{said}");
    let said = cli.run(&add("i2", "i1", "")).expect(0).stderr;
    assert!(said.contains("is shortened: its issuer CN=i1 ends on"), "{said}");
    cli.ok(&add("short", "root", "--days 30"));
    let said = cli.run(&format!("device issue d --ca short --out out {CA_PW}")).expect(0).stderr;
    assert!(said.contains("365 days is shortened"), "{said}");
    cli.ok("cert verify --trust pki/ca/root/cert.pem out/d/chain.pem");
}
