//! Certificates, keys and stores in whatever they come: the cases of public reports, and the kinds that
//! they are instances of.

use std::path::{Path, PathBuf};

use c8y_pki_tests::cli::{CA_PW, Cli, PASSWORD};
use c8y_pki_tests::tool;

/// The folder of a case: where `C8Y_PKI_CASES` says, else beside the repository.
fn case(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/cases");
    let cases = std::env::var_os("C8Y_PKI_CASES").map_or(beside, PathBuf::from);
    let folder = cases.join(name);
    if !folder.is_dir() {
        eprintln!("left out: {name} is not in the folder of cases (C8Y_PKI_CASES)");
        return None;
    }
    Some(folder)
}

/// A command line beside the files of a case, and the password `changeit` in the file `it`.
pub(crate) fn beside(name: &str) -> Option<Cli> {
    let folder = case(name)?;
    let cli = Cli::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        std::fs::copy(&path, cli.path(name)).unwrap();
    }
    cli.write("it", "changeit\n");
    Some(cli)
}

#[test]
fn case_14_text_in_latin_1_around_pem() {
    let Some(cli) = beside("14-latin1-bag-attributes") else { return };
    let shown = cli.ok("cert show bag.pem");
    assert!(shown.contains("CN="), "{shown}");
    let shown = cli.ok("store show bag.pem");
    assert!(shown.contains("private key"), "{shown}");
    cli.ok("key show bag.pem");
}

#[test]
fn case_16_pkcs7_is_a_source_of_certificates() {
    let Some(cli) = beside("16-p7b-pem") else { return };
    let chain = cli.ok("cert chain a.p7b");
    assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2, "{chain}");
    cli.ok("cert verify --trust root.pem a.p7b");
    cli.ok("cert verify --trust a.p7b a.p7b");
    cli.write("pw2", "Marker-Secret-0815");
    cli.ok("ca add old --import a.p7b --key root.key --ca-password-file pw2");
    // The same under the label of a certificate.
    let text = String::from_utf8(cli.read("a.p7b")).unwrap();
    cli.write("label.pem", text.replace("PKCS7", "CERTIFICATE"));
    cli.ok("cert verify --trust root.pem label.pem");
    cli.ok("cert show label.pem");
}

#[test]
fn case_18_a_byte_order_mark_is_no_part_of_a_code() {
    let Some(cli) = beside("18-code-bom") else { return };
    cli.ok("key new --type rsa-2048 --plain --out ca.key");
    let plain = cli.ok("pop sign plain.txt --key ca.key");
    assert_eq!(cli.ok("pop sign bom.txt --key ca.key"), plain);
    for (text, word) in
        [(&b"\"Abc123\""[..], "quotes"), (b"{\"code\":1}", "JSON"), (b"A\0b\0", "UTF-16")]
    {
        cli.write("odd.txt", text);
        let said = cli.fails(2, "pop sign odd.txt --key ca.key");
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn case_24_a_request_in_utf_16() {
    let Some(cli) = beside("24-utf16-csr") else { return };
    let shown = cli.ok("cert show req.csr");
    assert!(shown.contains("equest"), "{shown}");
}

#[test]
fn case_26_a_byte_order_mark_is_no_part_of_a_password() {
    let Some(cli) = beside("26-password-file-bom") else { return };
    cli.ok("store show base.p12 --store-password-file pw-bom");
    cli.ok("ca init --subject CN=Root --ca-password-file pw-bom --weak-password");
    cli.ok("key show pki/ca/root/key.pem --password-file it");
}

#[test]
fn case_28_a_line_end_behind_a_store_and_a_certificate() {
    let Some(cli) = beside("28-trailing-newline-p12-cert") else { return };
    cli.ok("store show 20-trailing.p12 --store-password-file it");
    let shown = cli.ok("cert show der_trailing.der");
    assert!(shown.contains("CN="), "{shown}");
    // The certificate of its issuer is not there.
    let chain = cli.run("cert chain der_trailing.der").expect(1).stdout;
    assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 1, "{chain}");
}

#[test]
fn case_30_a_trusted_certificate() {
    let Some(cli) = beside("30-trusted-certificate-aux") else { return };
    cli.ok("cert show aux.pem");
    cli.ok("cert verify --trust auxroot.pem dev.pem");
}

#[test]
fn case_31_bcfks_is_named() {
    let Some(cli) = beside("31-bcfks") else { return };
    for command in ["store show", "cert show", "cert chain", "key show"] {
        let said = cli.fails(2, &format!("{command} 05.bcfks"));
        assert!(
            said.contains("BCFKS") && said.contains("-srcstoretype BCFKS"),
            "{command}: {said}"
        );
    }
}

#[test]
fn cases_33_and_34_pem_with_its_line_ends_written_out() {
    if let Some(cli) = beside("33-json-escaped-pem") {
        cli.ok("cert show vault.json");
        cli.ok("cert chain vault.json");
    }
    if let Some(cli) = beside("34-c-array-pem") {
        for file in ["carray.h", "escaped.pem"] {
            cli.ok(&format!("cert show {file}"));
            // The certificate of its issuer is not there.
            let chain = cli.run(&format!("cert chain {file}")).expect(1).stdout;
            assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 1, "{chain}");
        }
    }
}

#[test]
fn case_35_pbes1_with_rc2_is_read() {
    let Some(cli) = beside("35-pbes1-rc2") else { return };
    cli.ok("key show 04-PBE-MD5-RC2-64.pem --password-file it");
    cli.write("wrong", "guess");
    let said = cli.fails(2, "key show 04-PBE-MD5-RC2-64.pem --password-file wrong");
    assert!(said.contains("the password does not open the private key"), "{said}");
}

#[test]
fn case_36_camellia_and_aria_are_named() {
    let Some(cli) = beside("36-pbes2-camellia-aria") else { return };
    for (file, name) in
        [("06-v2-aria256.pem", "ARIA-256"), ("06-v2-camellia256.pem", "Camellia-256")]
    {
        let said = cli.fails(2, &format!("key show {file} --password-file it"));
        assert!(said.contains(&format!("PBES2 with {name}")), "{said}");
        assert!(said.contains("-v2 aes-256-cbc"), "{said}");
    }
}

#[test]
fn case_41_ml_dsa_is_named() {
    let Some(cli) = beside("41-mldsa") else { return };
    let shown = cli.ok("cert show req.csr");
    assert!(shown.contains("ML-DSA-44"), "{shown}");
    let shown = cli.ok("cert show root.pem");
    assert_eq!(shown.matches("ML-DSA-65").count(), 2, "{shown}");
    let said = cli.run("cert verify --trust root.pem d.pem").expect(1).stdout;
    assert!(said.contains("ML-DSA-65"), "{said}");
}

#[test]
fn a_store_is_a_source_of_certificates_and_keys() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue d --ca line --out out {CA_PW}"));
    for ending in ["p12", "jks"] {
        let store = format!("d.{ending}");
        cli.ok(&format!(
            "store create {store} --key out/d/key.pem --cert out/d/chain.pem --store-password-file pw"
        ));
        let line = format!("cert chain {store}");
        let chain = if ending == "p12" {
            let said = cli.fails(2, &line);
            assert!(said.contains("set C8Y_PKI_STORE_PASSWORD"), "{said}");
            cli.run_with(&line, &[("C8Y_PKI_STORE_PASSWORD", PASSWORD)], b"").expect(0).stdout
        } else {
            cli.ok(&line)
        };
        assert!(chain.matches("BEGIN CERTIFICATE").count() >= 2, "{chain}");
        cli.ok(&format!("key show {store} --password-file pw"));
    }
}

/// A certificate beside the key would be gone with the file.
#[test]
fn a_file_with_more_than_a_key_is_not_replaced_by_its_key() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue d --ca line --out out {CA_PW}"));
    let parts = "--key out/d/key.pem --cert out/d/chain.pem --store-password-file pw";
    cli.ok(&format!("store create d.p12 {parts}"));
    cli.ok(&format!("store create d.jks {parts}"));
    cli.write("both.pem", cli.text("out/d/key.pem") + &cli.text("out/d/chain.pem"));
    for file in ["d.p12", "d.jks", "both.pem"] {
        let before = std::fs::read(cli.path(file)).unwrap();
        let said = cli.fails(2, &format!("key passwd {file} --password-file pw --plain"));
        assert!(said.contains(&format!("{file} holds more than a key")), "{said}");
        assert!(said.contains("--out FILE"), "{said}");
        assert_eq!(std::fs::read(cli.path(file)).unwrap(), before);
        cli.ok(&format!("key passwd {file} --password-file pw --plain --out {file}.key"));
    }
}

#[test]
fn an_empty_password_opens_a_store_that_has_it() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue d --ca line --out out {CA_PW}"));
    let (key, chain) = (cli.arg("out/d/key.pem"), cli.arg("out/d/chain.pem"));
    let from = ["pkcs12", "-export", "-inkey", &key, "-in", &chain, "-passout", "pass:"];
    let none = ["-nomac", "-certpbe", "NONE", "-keypbe", "NONE"];
    cli.write("empty", "\n");
    for (name, more) in [("e.p12", &[][..]), ("n.p12", &none)] {
        let out = cli.arg(name);
        openssl.run(&[&from[..], more, &["-out", &out]].concat());
        for given in ["", "--store-password-file empty"] {
            let shown = cli.ok(&format!("store show {name} {given}"));
            assert!(shown.contains("private key"), "{shown}");
        }
        cli.ok(&format!("cert show {name}"));
        cli.ok(&format!("key show {name}"));
    }
}

#[test]
fn pbmac1_is_written_on_request() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue d --ca line --out out {CA_PW}"));
    cli.ok(
        "store create f.p12 --key out/d/key.pem --cert out/d/chain.pem --store-password-file pw --pbmac1",
    );
    // 1.2.840.113549.1.5.14
    let pbmac1 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0e];
    assert!(cli.read("f.p12").windows(9).any(|w| w == pbmac1));
    cli.ok("store show f.p12 --store-password-file pw");
}

#[test]
fn foreign_formats_are_named_with_the_command_that_converts_them() {
    let cli = Cli::new();
    cli.write("a.bks", [0, 0, 0, 2, 0, 0, 0, 20, 1, 2, 3]);
    cli.write("a.pvk", [0x1e, 0xf1, 0xb5, 0xb0, 0, 0, 0, 0]);
    cli.write("a.jceks", [0xce; 12]);
    for (file, name, command) in [
        ("a.bks", "BKS", "-srcstoretype BKS"),
        ("a.pvk", "PVK", "openssl rsa"),
        ("a.jceks", "JCEKS", "-srcstoretype JCEKS"),
    ] {
        for verb in ["store show", "cert show", "cert chain", "key show"] {
            let said = cli.fails(2, &format!("{verb} {file}"));
            assert!(said.contains(name) && said.contains(command), "{verb} {file}: {said}");
        }
    }
}
