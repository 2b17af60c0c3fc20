//! A CA that was run with `openssl ca` goes on here: its devices, its revocations, its lists. OpenSSL itself makes
//! what is taken over, and judges what comes of it.

use std::fs;

use c8y_pki_tests::cli::{CA_PW, Cli, Outcome};
use c8y_pki_tests::recipe::{LINE, Recipe, history, import_line, with_crlf};
use serde_json::Value;

/// How each certificate of a device stands: its id and its status.
fn standing(cli: &Cli) -> Vec<(String, String)> {
    let rows = cli.run("device list --status any --json").expect(0).json_lines();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all: Vec<(String, String)> = rows
        .iter()
        .map(|row| {
            let reason = row["reason"].as_str().map(|r| format!(" {r}")).unwrap_or_default();
            (text(&row["id"]), format!("{}{reason}", text(&row["status"])))
        })
        .collect();
    all.sort();
    all
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

/// The recipe's directory with devices in every state that `openssl ca` knows.
fn lived(recipe: &Recipe<'_>, cli: &Cli) {
    cli.write(&format!("{LINE}/database.txt.attr"), "unique_subject = no\n");
    recipe.device("stolen", "/C=DE/O=Example IoT GmbH/CN=stolen-1", "");
    recipe.revoke("stolen", "-crl_reason keyCompromise");
    recipe.device("gone", "/C=DE/CN=gone-1", "");
    recipe.revoke("gone", "");
    recipe.device("held", "/C=DE/CN=held-1", "");
    recipe.revoke("held", "-crl_hold holdInstructionReject");
    recipe.device("old", "/C=DE/CN=old-1", "-startdate 20250101000000Z -enddate 20260101000000Z");
    recipe.device("twice-a", "/C=DE/CN=twice-1", "-startdate 20260101000000Z -days 3000");
    recipe.device("twice-b", "/C=DE/CN=twice-1", "-days 3100");
    recipe.device("utf8", "/C=DE/O=Gerätebau Süd/CN=utf8-1", "");
    recipe.device("web", "/C=DE/CN=web server: one", "");
    recipe.device("lost", "/C=DE/CN=lost-1", "");
    recipe.ca("-updatedb");
    recipe.list("1F");
    let serial = serial_of(cli, "lost-1");
    fs::remove_file(cli.path(&format!("{LINE}/deviceCertificates/{serial}.pem"))).expect("a file");
}

/// The serial number that the database has for a common name.
fn serial_of(cli: &Cli, name: &str) -> String {
    let text = cli.text(&format!("{LINE}/database.txt"));
    let row = text.lines().find(|row| row.trim_end().ends_with(&format!("/CN={name}")));
    row.expect("a row").split('\t').nth(3).expect("a serial number").to_owned()
}

fn import(cli: &Cli) -> Outcome {
    let crl = format!("--crl {LINE}/crl/intermediateCrl.pem");
    cli.run(&import_line(&format!("{} {crl} --json", history())))
}

#[test]
fn devices_of_openssl_are_listed_expire_and_stay_revoked() {
    let cli = Cli::new();
    let Some(recipe) = Recipe::at(&cli) else { return };
    lived(&recipe, &cli);
    let outcome = import(&cli).expect(0);
    let taken = &outcome.json()["history"];
    assert_eq!((&taken["certificates"], &taken["live"]), (&8.into(), &4.into()), "{outcome:?}");
    assert_eq!((&taken["revocations"], &taken["serials"]), (&3.into(), &2.into()), "{taken}");
    assert_eq!(taken["last_crl_number"], 0x1f, "{taken}");
    // What is no device's, and what has no file, is named with its line.
    for (name, why) in [("web server: one", "names no device"), ("lost-1", "there is no file")] {
        let serial = serial_of(&cli, name);
        let untaken = taken["untaken"].as_array().expect("a list");
        let one = untaken.iter().find(|one| one["serial"] == serial.as_str()).expect("it is named");
        let reason = one["reason"].as_str().expect("a reason");
        assert!(reason.contains(why) && reason.contains("line "), "{reason}");
        assert!(outcome.stderr.contains(why), "{outcome:?}");
    }
    let expected = pairs(&[
        ("device-0001", "live"),
        ("gone-1", "revoked unspecified"),
        ("held-1", "revoked certificateHold"),
        ("old-1", "live"),
        ("stolen-1", "revoked keyCompromise"),
        ("twice-1", "live"),
        ("twice-1", "superseded"),
        ("utf8-1", "live"),
    ]);
    assert_eq!(standing(&cli), expected);
    let expiring = cli.run("device list --expiring 1d --json").expect(0).json();
    assert_eq!(expiring["id"], "old-1");
    cli.ok("registry check");
    // Again: nothing is doubled.
    let again = import(&cli).expect(0).json();
    assert_eq!(again["change"], "same");
    let again = &again["history"];
    assert_eq!((&again["certificates"], &again["known"]), (&0.into(), &8.into()), "{again}");
    assert_eq!((&again["revocations"], &again["serials"]), (&0.into(), &0.into()), "{again}");
    assert_eq!(standing(&cli), expected);
    cli.ok("registry check");
}

#[test]
fn the_first_list_takes_nobody_back() {
    let cli = Cli::new();
    let Some(recipe) = Recipe::at(&cli) else { return };
    lived(&recipe, &cli);
    // A revocation that stands in the list only: somebody has thrown its row away.
    let database = format!("{LINE}/database.txt");
    let gone = serial_of(&cli, "gone-1");
    let text = cli.text(&database);
    let kept: String =
        text.lines().filter(|l| !l.ends_with("/CN=gone-1")).map(|l| format!("{l}\n")).collect();
    cli.write(&database, kept);
    let path = format!("{LINE}/deviceCertificates/{gone}.pem");
    fs::remove_file(cli.path(&path)).expect("a file");
    import(&cli).expect(0);
    let old = format!("{LINE}/crl/intermediateCrl.pem");
    let before = recipe.entries(&old);
    assert_eq!(before.len(), 3, "{before:?}");
    cli.ok(&format!("ca crl plant {CA_PW}"));
    assert_eq!(recipe.entries("pki/ca/plant/crl.pem"), before);
    let said = recipe.run("crl -in @pki/ca/plant/crl.pem -noout -text");
    assert!(said.contains("X509v3 CRL Number: \n                32"), "{said}");
    let check = |file: &str| {
        let args = format!(
            "verify -CAfile @caCertificate/caCert.pem -untrusted @{LINE}/intermediateCert.pem -crl_check \
             -CRLfile @pki/ca/plant/crl.pem @{file}"
        );
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| recipe.run(&args)))
    };
    assert!(check("new/utf8.pem").is_ok());
    assert!(check("new/stolen.pem").is_err());
    assert!(check("new/gone.pem").is_err());
}

#[test]
fn a_database_without_a_list_goes_on_from_its_number() {
    let cli = Cli::new();
    let Some(recipe) = Recipe::at(&cli) else { return };
    lived(&recipe, &cli);
    with_crlf(&cli.path(&format!("{LINE}/database.txt")));
    let said = cli.run(&import_line(&history())).expect(0);
    assert!(said.stdout.contains("the next revocation list has the number 32"), "{said:?}");
    assert!(said.stderr.contains("crl/crlnumber"), "{said:?}");
    let before = recipe.entries(&format!("{LINE}/crl/intermediateCrl.pem"));
    cli.ok(&format!("ca crl plant {CA_PW}"));
    assert_eq!(recipe.entries("pki/ca/plant/crl.pem"), before);
}

#[test]
fn devices_of_openssl_are_renewed_and_revoked() {
    let cli = Cli::new();
    let Some(recipe) = Recipe::at(&cli) else { return };
    lived(&recipe, &cli);
    import(&cli).expect(0);
    cli.ok(&format!("device renew old-1 utf8-1 --out out {CA_PW}"));
    recipe.run(
        "verify -CAfile @caCertificate/caCert.pem -untrusted @out/utf8-1/chain.pem @out/utf8-1/cert.pem",
    );
    let subject = recipe.run("x509 -in @out/utf8-1/cert.pem -noout -subject -nameopt utf8");
    assert!(subject.contains("Gerätebau Süd"), "{subject}");
    cli.ok("device revoke twice-1 --reason superseded");
    // One of which there is no file is revoked by its serial number.
    let lost = serial_of(&cli, "lost-1");
    let said = cli.ok(&format!("device revoke {lost} --reason cessationOfOperation"));
    assert!(said.contains("/C=DE/CN=lost-1"), "{said}");
    let said = cli.fails(2, &format!("device revoke {lost}"));
    assert!(said.contains("revoked already"), "{said}");
    cli.ok(&format!("ca crl plant {CA_PW}"));
    let entries = recipe.entries("pki/ca/plant/crl.pem");
    let found = entries.iter().find(|entry| entry.starts_with(&lost)).expect("it is in the list");
    assert!(found.contains("Cessation Of Operation"), "{found}");
    assert_eq!(entries.len(), 5, "{entries:?}");
    cli.ok("registry check");
}

#[test]
fn a_row_that_may_tell_of_a_revocation_stops_the_import() {
    let cli = Cli::new();
    let Some(_recipe) = Recipe::at(&cli) else { return };
    let database = format!("{LINE}/database.txt");
    let good = cli.text(&database);
    cli.write(&database, format!("{good}R\t361119090815Z\tyesterday\t1001\tunknown\t/CN=x\n"));
    let said = cli.fails(2, &import_line(&history()));
    assert!(said.contains("line 2: \"yesterday\" is no date of a revocation"), "{said}");
    assert!(!cli.path("pki").exists());
    // What only told of a certificate is named, and the rest is taken over.
    cli.write(&database, format!("V\tnever\t\t1001\tunknown\t/CN=x\n{good}"));
    let outcome = cli.run(&import_line(&history())).expect(1);
    assert!(outcome.stderr.contains("line 1: \"never\" is no end of a validity"), "{outcome:?}");
    assert_eq!(standing(&cli), pairs(&[("device-0001", "live")]));
}

#[test]
fn a_list_of_another_ca_is_refused() {
    let cli = Cli::with_cas();
    let Some(_recipe) = Recipe::at(&cli) else { return };
    cli.ok(&format!("ca crl line {CA_PW}"));
    let said = cli.fails(2, &import_line("--crl pki/ca/line/crl.pem"));
    assert!(said.contains("it has not signed the list of"), "{said}");
    assert_eq!(cli.names("pki/ca"), ["line", "root"]);
}

#[test]
fn single_certificates_are_recorded_with_the_ca_that_signed_them() {
    let cli = Cli::new();
    let Some(recipe) = Recipe::at(&cli) else { return };
    recipe.device("one", "/CN=one", "");
    cli.ok(&import_line(""));
    let outcome = cli.run(&format!("device import {LINE}/deviceCertificates new --json")).expect(0);
    // What lies in a directory beside them is said, and is no fault.
    let remark = outcome.json()["remarks"][0].as_str().unwrap_or_default().to_owned();
    assert!(remark.contains("serverCertificate.pem"), "{outcome:?}");
    assert_eq!(outcome.json()["certificates"], 2, "{outcome:?}");
    assert_eq!(standing(&cli), pairs(&[("device-0001", "live"), ("one", "live")]));
    let again = cli.run("device import new/one.pem").expect(0);
    assert!(again.stdout.contains("1 recorded before"), "{again:?}");
    // One of a CA that is not here is named.
    let other = Cli::with_cas();
    other.ok(&format!("device issue stranger --ca line --out out {CA_PW}"));
    cli.write("stranger.pem", other.read("out/stranger/cert.pem"));
    let said = cli.run("device import stranger.pem new/one.pem").expect(1).stderr;
    assert!(
        said.contains("no CA of this PKI directory has signed it; its issuer is CN=Line"),
        "{said}"
    );
    let said = cli.fails(2, "device import new/one.key");
    assert!(said.contains("new/one.key") && said.contains("no certificate"), "{said}");
    cli.ok("registry check");
}

#[test]
fn a_serial_number_of_a_ca_and_a_device_is_asked_about() {
    let cli = Cli::new();
    let Some(_recipe) = Recipe::at(&cli) else { return };
    cli.ok(&import_line(""));
    // Only the CA is known: nothing leads to its end.
    let refused = |line: &str| {
        let outcome = cli.run(line).expect(2);
        assert_eq!(outcome.stdout, "", "{line}");
        outcome.stderr
    };
    let said = refused("device revoke 1000");
    assert!(said.contains("a CA is not revoked as a device"), "{said}");
    assert!(said.contains("device import") && !said.contains("--ca-certificate"), "{said}");
    cli.ok(&format!("device import {LINE}/deviceCertificates"));
    let root = "CN=Example Root CA,OU=Devices,O=Example IoT GmbH,L=Duesseldorf,ST=NRW,C=DE";
    for line in ["device revoke 1000", "device revoke 1000 --ca-certificate"] {
        let said = refused(line);
        assert!(said.contains("2 certificates have the serial number 1000"), "{said}");
        assert!(said.contains("that of the CA CN=Example Intermediate CA"), "{said}");
        assert!(said.contains(&format!("issued by emailAddress=pki@example.com,{root}")), "{said}");
        assert!(said.contains("that of the device \"device-0001\""), "{said}");
        let hint = said.lines().find(|line| line.starts_with("hint: ")).expect("a hint");
        assert!(hint.contains("--issuer plant for the device \"device-0001\""), "{said}");
        assert!(!hint.contains("--ca-certificate") && !hint.contains("the CA"), "{said}");
    }
    // Which one is meant can be said by the issuer's whole name too; a CA wants more than that.
    let by_name = format!("device revoke 1000 --issuer 'emailAddress=pki@example.com,{root}'");
    let said = refused(&by_name);
    assert!(said.contains("a CA is not revoked as a device"), "{said}");
    let said = cli.fails(2, "device revoke 1000 --issuer nobody");
    assert!(said.contains("known CAs: plant"), "{said}");
    let said = refused(&format!(
        "device revoke device-0001 --issuer 'emailAddress=pki@example.com,{root}'"
    ));
    assert!(said.contains("was not issued by"), "{said}");
    cli.ok("device revoke 1000 --issuer plant");
    assert_eq!(standing(&cli), pairs(&[("device-0001", "revoked unspecified")]));
    let ca = cli.run("ca show plant --json").expect(0).json();
    assert_eq!(ca["revoked"], Value::Null);
    cli.ok(&format!("{by_name} --ca-certificate"));
    let ca = cli.run("ca show plant --json").expect(0).json();
    assert_eq!(ca["revoked"], "unspecified");
}

/// The whole way of docs/how-to/coming-from-openssl.md, command by command.
#[test]
fn the_page_leads_from_the_recipe_to_the_end() {
    let cli = Cli::new();
    let Some(recipe) = Recipe::at(&cli) else { return };
    recipe.list("05");
    let page = include_str!("../../../docs/how-to/coming-from-openssl.md").replace("\\\n", " ");
    let commands: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("$ c8y-pki ")).collect();
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands {
        cli.run(command).expect(0);
    }
    // The device that OpenSSL issued has a certificate of ours, and its first one is revoked.
    let expected = pairs(&[
        ("device-0001", "live"),
        ("device-0001", "revoked superseded"),
        ("gw-0001", "live"),
    ]);
    assert_eq!(standing(&cli), expected);
    cli.ok(&format!("ca crl plant {CA_PW}"));
    let entries = recipe.entries("pki/ca/plant/crl.pem");
    assert!(entries.len() == 1 && entries[0].starts_with("1000"), "{entries:?}");
    for id in ["device-0001", "gw-0001"] {
        recipe.run(&format!(
            "verify -CAfile @caCertificate/caCert.pem -crl_check -CRLfile @pki/ca/plant/crl.pem \
             -untrusted @out/{id}/chain.pem @out/{id}/cert.pem"
        ));
    }
    cli.ok("registry check");
}
