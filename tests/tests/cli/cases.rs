//! The cases of public reports, one test each, and the table in docs/how-to/what-is-read.md that is made from
//! them. The files of the cases are not in the repository: `C8Y_PKI_CASES` names their directory, which else is
//! looked for beside it.

use std::path::{Path, PathBuf};

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_engine::platform::pop::{self, Signed, VerificationCode};
use c8y_pki_tests::cli::{CA_PW, Cli, PASSWORD};
use c8y_pki_tests::hsm::Hsm;
use c8y_pki_tests::tool;

const PAGE: &str = include_str!("../../../docs/how-to/what-is-read.md");

/// A command line beside the files of a case, and the password `changeit` in the file `it`.
fn beside(name: &str) -> Option<Cli> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/cases");
    let cases = std::env::var_os("C8Y_PKI_CASES").map_or(beside, PathBuf::from);
    let Ok(files) = std::fs::read_dir(cases.join(name)) else {
        eprintln!("left out: {name} is not in the directory of cases (C8Y_PKI_CASES)");
        return None;
    };
    let cli = Cli::new();
    for entry in files {
        let path = entry.unwrap().path();
        std::fs::copy(&path, cli.path(path.file_name().unwrap().to_str().unwrap())).unwrap();
    }
    cli.write("it", "changeit\n");
    Some(cli)
}

/// A test for each case, and a row of the table: what was given, and what is right.
macro_rules! cases {
    ($($test:ident: $folder:literal, $given:literal, $answer:literal;)*) => {
        $(
            mod $test {
                #[test]
                fn answers_right() {
                    if let Some(cli) = super::beside($folder) {
                        super::judge::$test(&cli);
                    }
                }
            }
        )*
        /// Directory, what was given, and the answer.
        const TABLE: &[(&str, &str, &str)] = &[$(($folder, $given, $answer)),*];
    };
}

cases! {
    case_01: "01-easyrsa-ca", "a CA of easy-rsa 3, whose basicConstraints are not critical", "read; the chain is valid, with a warning";
    case_03: "03-leaf-without-aki", "a device's certificate without authority key identifier", "valid, with a warning";
    case_04: "04-leaf-version-1", "a device's certificate of X.509 version 1", "valid, with a warning";
    case_05: "05-serial-negative-zero", "serial numbers that are negative or zero", "valid, with a warning";
    case_07: "07-ca-without-ski", "a CA without subject key identifier", "imported with a warning; what it \
              issues is valid";
    case_08: "08-aki-keyid-mismatch", "an authority key identifier that names another certificate of the same CA", "refused, as Java and OpenSSL do";
    case_10: "10-csr-without-attributes-rsa", "a request without the field of attributes", "signed";
    case_12: "12-csr-ecdsa-null", "a request whose ECDSA algorithm has NULL parameters", "signed";
    case_14: "14-latin1-bag-attributes", "PEM with names in Latin-1 around the blocks", "read: text outside of blocks does not count";
    case_16: "16-p7b-pem", "certificates in PKCS#7 (`.p7b`)", "read by every command that reads certificates";
    case_18: "18-code-bom", "a verification code with a byte order mark", "the same signature as without the mark";
    case_20: "20-signed-hex", "a signature in hex, as `openssl dgst -hex` writes it", "taken";
    case_22: "22-excel-scientific", "ids that a spreadsheet has rounded (`8.96529E+19`)", "refused as rounded, with how to export the column";
    case_24: "24-utf16-csr", "a request in UTF-16, as Windows PowerShell writes it", "read and signed";
    case_26: "26-password-file-bom", "a password file with a byte order mark", "the mark is no part of the password";
    case_28: "28-trailing-newline-p12-cert", "a line end behind PKCS#12 and behind DER", "read";
    case_30: "30-trusted-certificate-aux", "BEGIN TRUSTED CERTIFICATE of OpenSSL", "read; what OpenSSL trusts it for does not count";
    case_31: "31-bcfks", "a BCFKS store of Bouncy Castle", "named, with the `keytool` line that converts it";
    case_33: "33-json-escaped-pem", "JSON with PEM in it, its line ends as `\\n`", "read";
    case_34: "34-c-array-pem", "PEM as C strings, and PEM with `\\n` of an environment variable", "read";
    case_35: "35-pbes1-rc2", "a key encrypted by PBES1 with RC2", "read";
    case_36: "36-pbes2-camellia-aria", "keys encrypted with Camellia or ARIA", "the cipher is named, with the command that encrypts the key anew";
    case_37: "37-token-ec-private-only", "an EC key in a token without its public half", "used, with the public key of the certificate";
    case_38: "38-ca-nameconstraints-dirname", "a CA with name constraints, and a device outside of them", "refused before a key is made";
    case_40: "40-ca-empty-subject", "a CA without subject", "refused when it is to be imported";
    case_41: "41-mldsa", "ML-DSA keys and signatures", "read and verified (with the feature `ml-dsa`), and the platform is said not to name them";
    case_42: "42-explicit-curve-csr", "a request for an EC key with an explicit curve", "refused in one line, with the command that names the curve";
    case_43: "43-crl-without-nextupdate", "a revocation list without nextUpdate", "what it revokes is revoked";
    case_44: "44-two-common-names", "a request with two common names", "both are named, and `--id` is asked for";
}

/// The table of the page, from its first row to its last.
fn table() -> String {
    let row = |(folder, given, answer): &(&str, &str, &str)| {
        let number = folder.split('-').next().unwrap_or_default();
        format!("| {number} | {given} | {answer} |\n")
    };
    "| case | what somebody had | what happens |\n| --- | --- | --- |\n".to_owned()
        + &TABLE.iter().map(row).collect::<String>()
}

#[test]
fn the_page_has_the_table_of_all_cases() {
    assert_eq!(TABLE.len(), 29);
    assert!(PAGE.contains(&table()), "docs/how-to/what-is-read.md lacks this table:\n{}", table());
}

#[test]
fn every_folder_of_cases_has_a_test() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/cases");
    let cases = std::env::var_os("C8Y_PKI_CASES").map_or(beside, PathBuf::from);
    let Ok(folders) = std::fs::read_dir(&cases) else {
        eprintln!("left out: there is no directory of cases (C8Y_PKI_CASES)");
        return;
    };
    for folder in folders.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert!(TABLE.iter().any(|(known, ..)| *known == name), "{name} has no test");
    }
}

/// What is right in each case.
mod judge {
    use super::*;

    /// Accepted with a warning of that rule; refused for it by a strict check.
    #[track_caller]
    fn assert_warned(cli: &Cli, line: &str, rule: &str) {
        let json = cli.run(&format!("cert verify {line} --json")).expect(0).json();
        assert_eq!(json["valid"], true);
        let rules: Vec<_> =
            json["warnings"].as_array().unwrap().iter().map(|w| &w["rule"]).collect();
        assert!(rules.iter().any(|found| *found == rule), "{rules:?}");
        let text = cli.ok(&format!("cert verify {line}"));
        assert!(text.starts_with("valid") && text.contains("servers do not enforce it"), "{text}");
        let strict = cli.run(&format!("cert verify {line} --strict --json")).expect(1).json();
        assert_eq!(strict["valid"], false);
    }

    /// The certificate of an issuer that is not there is missed, and the one that is there is given.
    fn assert_one_certificate(cli: &Cli, file: &str) {
        let chain = cli.run(&format!("cert chain {file}")).expect(1).stdout;
        assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 1, "{chain}");
    }

    /// A CA beside the files, and the request signed by it; what is said.
    fn sign(cli: &Cli, more: &str) -> c8y_pki_tests::cli::Outcome {
        cli.ok(&format!("ca init --subject 'CN=Root,O=Example' --key-type ec-p256 {CA_PW}"));
        cli.run(&format!("device sign req.csr --ca root --out out {CA_PW} {more}"))
    }

    /// It was signed, and OpenSSL says so too.
    fn assert_signed(cli: &Cli) {
        let said = sign(cli, "").expect(0);
        let [folder] = cli.names("out").try_into().expect("one device");
        assert!(said.stdout.contains("signed"), "{said:?}");
        let Some(openssl) = tool("openssl") else { return };
        let root = cli.arg("pki/ca/root/cert.pem");
        openssl.run(&["verify", "-CAfile", &root, &cli.arg(&format!("out/{folder}/cert.pem"))]);
    }

    pub(super) fn case_01(cli: &Cli) {
        let line = "--trust ca.crt er-0001-chain.pem --as-device er-0001";
        assert_warned(cli, line, "not-critical-extension");
        cli.ok(&format!("ca add er --import ca.crt --key ca.key {CA_PW}"));
        cli.ok(&format!("device issue er-0002 --ca er --out out {CA_PW}"));
        cli.ok("cert verify --trust ca.crt out/er-0002/chain.pem --as-device er-0002");
    }

    pub(super) fn case_03(cli: &Cli) {
        assert_warned(cli, "--trust root.pem noaki-chain.pem", "authority-key-id-missing");
    }

    pub(super) fn case_04(cli: &Cli) {
        assert_warned(cli, "--trust root.pem v1-chain.pem", "version");
    }

    pub(super) fn case_05(cli: &Cli) {
        assert_warned(cli, "--trust root.pem neg-chain.pem", "serial-number");
        assert_warned(cli, "--trust root.pem zero-chain.pem", "serial-number");
    }

    pub(super) fn case_07(cli: &Cli) {
        assert_warned(cli, "--trust canoski.pem chain.pem", "subject-key-id-missing");
        let import = format!("ca add line --import canoski.pem --key ca.key {CA_PW}");
        let said = cli.run(&import).expect(0).stderr;
        assert!(said.contains("is a CA without subject key identifier"), "{said}");
        cli.ok(&format!("device issue d-1 --ca line --out out {CA_PW}"));
        cli.ok("cert verify --trust canoski.pem out/d-1/chain.pem --as-device d-1");
    }

    pub(super) fn case_08(cli: &Cli) {
        let line = "cert verify --trust ca1.pem mismatch.pem --as-device ski-1 --json";
        let json = cli.run(line).expect(1).json();
        assert_eq!(json["refusal"]["rule"], "authority-key-id-differs");
        // With the certificate that it names it is good; it may stand among the intermediates' file.
        cli.ok("cert verify --trust ca256.pem mismatch.pem");
        cli.ok("cert verify --trust ca1.pem --trust ca256.pem --untrusted ca1.pem mismatch.pem");
    }

    pub(super) fn case_10(cli: &Cli) {
        let shown = cli.ok("cert show req.csr --json");
        assert!(shown.contains("\"possession\":true"), "{shown}");
        assert_signed(cli);
    }

    pub(super) fn case_12(cli: &Cli) {
        assert_signed(cli);
    }

    pub(super) fn case_14(cli: &Cli) {
        let shown = cli.ok("cert show bag.pem");
        assert!(shown.contains("CN="), "{shown}");
        let shown = cli.ok("store show bag.pem");
        assert!(shown.contains("private key"), "{shown}");
        cli.ok("key show bag.pem");
        cli.ok("store create new.p12 --from bag.pem --store-password-file it");
    }

    pub(super) fn case_16(cli: &Cli) {
        let chain = cli.ok("cert chain a.p7b");
        assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2, "{chain}");
        cli.ok("cert verify --trust root.pem a.p7b");
        cli.ok("cert verify --trust a.p7b a.p7b");
        cli.ok(&format!("ca add old --import a.p7b --key root.key {CA_PW}"));
        // The same under the label of a certificate.
        let text = cli.text("a.p7b");
        cli.write("label.pem", text.replace("PKCS7", "CERTIFICATE"));
        cli.ok("cert verify --trust root.pem label.pem");
        cli.ok("cert show label.pem");
    }

    pub(super) fn case_18(cli: &Cli) {
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

    pub(super) fn case_20(cli: &Cli) {
        let key = PrivateKey::read(&cli.read("ca.key"), None).unwrap();
        let code = VerificationCode::parse(&cli.text("code.txt")).unwrap();
        let hex = cli.read("signed.txt");
        assert!(hex.is_ascii(), "it is not the hex that it should be");
        let wide: Vec<u8> =
            cli.text("signed.txt").encode_utf16().flat_map(u16::to_le_bytes).collect();
        for given in [hex, [&[0xff, 0xfe], &wide[..]].concat()] {
            let signature = pop::signature(&given);
            let judged = pop::judge(key.public_key(), &code, &signature);
            assert_eq!(judged, Signed::Right);
        }
    }

    pub(super) fn case_22(cli: &Cli) {
        let rounded = "is a number that a spreadsheet has rounded";
        for said in [
            cli.run("registration create --from list.csv").expect(2).stderr,
            cli.run("registration check list.csv").expect(1).stdout,
        ] {
            assert_eq!(said.matches(rounded).count(), 2, "{said}");
            assert!(said.contains("\"8.96529E+19\"") && said.contains("\"1,23457E+12\""), "{said}");
            assert!(said.contains("its digits are lost in the file"), "{said}");
            assert!(said.contains("format the column as text"), "{said}");
            assert!(!said.contains("8.96529E_19"), "{said}");
        }
    }

    pub(super) fn case_24(cli: &Cli) {
        let shown = cli.ok("cert show req.csr");
        assert!(shown.contains("equest"), "{shown}");
        assert_signed(cli);
    }

    pub(super) fn case_26(cli: &Cli) {
        cli.ok("store show base.p12 --store-password-file pw-bom");
        cli.ok("ca init --subject CN=Root --ca-password-file pw-bom --weak-password");
        cli.ok("key show pki/ca/root/key.pem --password-file it");
    }

    pub(super) fn case_28(cli: &Cli) {
        cli.ok("store show 20-trailing.p12 --store-password-file it");
        let shown = cli.ok("cert show der_trailing.der");
        assert!(shown.contains("CN="), "{shown}");
        assert_one_certificate(cli, "der_trailing.der");
    }

    pub(super) fn case_30(cli: &Cli) {
        cli.ok("cert show aux.pem");
        cli.ok("cert verify --trust auxroot.pem dev.pem");
    }

    pub(super) fn case_31(cli: &Cli) {
        for command in [
            "store show",
            "cert show",
            "cert chain",
            "key show",
            "store create n.p12 --store-password-file it --from",
        ] {
            let said = cli.fails(2, &format!("{command} 05.bcfks"));
            let named = said.contains("BCFKS") && said.contains("-srcstoretype BCFKS");
            assert!(named, "{command}: {said}");
        }
    }

    pub(super) fn case_33(cli: &Cli) {
        cli.ok("cert show vault.json");
        cli.ok("cert chain vault.json");
    }

    pub(super) fn case_34(cli: &Cli) {
        for file in ["carray.h", "escaped.pem"] {
            cli.ok(&format!("cert show {file}"));
            assert_one_certificate(cli, file);
        }
    }

    pub(super) fn case_35(cli: &Cli) {
        cli.ok("key show 04-PBE-MD5-RC2-64.pem --password-file it");
        cli.write("wrong", "guess");
        let said = cli.fails(2, "key show 04-PBE-MD5-RC2-64.pem --password-file wrong");
        assert!(said.contains("the password does not open the private key"), "{said}");
    }

    pub(super) fn case_36(cli: &Cli) {
        for (file, name) in
            [("06-v2-aria256.pem", "ARIA-256"), ("06-v2-camellia256.pem", "Camellia-256")]
        {
            let said = cli.fails(2, &format!("key show {file} --password-file it"));
            assert!(said.contains(&format!("PBES2 with {name}")), "{said}");
            assert!(said.contains("-v2 aes-256-cbc"), "{said}");
        }
    }

    pub(super) fn case_37(cli: &Cli) {
        let Some(hsm) = Hsm::new() else { return };
        let key = cli.arg("tk.der");
        let object = ["--write-object", &key, "--type", "privkey", "--label", "ec no pub"];
        let Some(_) = hsm.pkcs11_tool(&[&object[..], &["--id", "51", "--usage-sign"]].concat())
        else {
            return;
        };
        let uri = "--key 'pkcs11:token=Factory;id=%51'";
        // Without a certificate nothing says what its public half is.
        let said = hsm.fails(cli, 2, "key show 'pkcs11:token=Factory;id=%51'");
        assert!(said.contains("neither in the token nor in a certificate"), "{said}");
        // That of another key is not taken for it.
        let other = Cli::with_cas();
        cli.write("other.pem", other.read("pki/ca/root/cert.pem"));
        let said = hsm.fails(cli, 2, &format!("ca add no --import other.pem {uri}"));
        assert!(said.contains("neither in the token nor in a certificate"), "{said}");
        hsm.ok(cli, &format!("ca add tk --import tk-cert.pem {uri}"));
        hsm.ok(cli, "device issue d-1 --ca tk --out out");
        cli.ok("cert verify --trust tk-cert.pem out/d-1/chain.pem --as-device d-1");
        let check = hsm.cli(cli, "registry check", &[("C8Y_PKI_TOKEN_PIN", PASSWORD)]).expect(0);
        assert!(!check.stdout.contains("is not the key"), "{check:?}");
        let Some(openssl) = tool("openssl") else { return };
        let [ca, leaf] = ["tk-cert.pem", "out/d-1/cert.pem"].map(|file| cli.arg(file));
        openssl.run(&["verify", "-partial_chain", "-CAfile", &ca, &leaf]);
    }

    pub(super) fn case_38(cli: &Cli) {
        cli.ok(&format!("ca add nc --import 08-ncdir.pem --key 08-ncdir.key {CA_PW}"));
        let issue = format!("device issue d-1 --ca nc --out out {CA_PW}");
        let refused = cli.run(&issue);
        assert_ne!(refused.code, 0);
        assert!(refused.stderr.contains("does not permit"), "{}", refused.stderr);
        assert!(!cli.path("out/d-1").exists());
        cli.ok(&format!("{issue} --org Ex"));
        cli.ok("cert verify --trust 08-ncdir.pem out/d-1/chain.pem --as-device d-1");
    }

    pub(super) fn case_40(cli: &Cli) {
        let refused =
            cli.run(&format!("ca add x --import 15-nosub.pem --key 15-nosub.key {CA_PW}"));
        assert_ne!(refused.code, 0);
        let said = &refused.stderr;
        assert!(said.contains("no device under this CA can connect"), "{said}");
    }

    pub(super) fn case_41(cli: &Cli) {
        let shown = cli.ok("cert show req.csr");
        assert!(shown.contains("ML-DSA-44"), "{shown}");
        let shown = cli.ok("cert show root.pem");
        assert_eq!(shown.matches("ML-DSA-65").count(), 2, "{shown}");
        cli.ok("cert verify --trust root.pem d.pem");
        let forged = cli.run("cert verify --trust root.pem req.csr");
        assert_ne!(forged.code, 0, "{forged:?}");
        sign(cli, "--id d-1").expect(0);
        let said =
            cli.ok("cert verify --trust pki/ca/root/cert.pem out/d-1/chain.pem --as-device d-1");
        assert!(
            said.contains("ML-DSA-44") && said.contains("documentation names RSA and EC"),
            "{said}"
        );
    }

    pub(super) fn case_42(cli: &Cli) {
        let refused = sign(cli, "").expect(1);
        let said = refused.stdout + &refused.stderr;
        assert!(said.contains("EC with explicit curve parameters"), "{said}");
        assert!(said.contains("-param_enc named_curve"), "{said}");
        assert!(said.lines().all(|line| line.len() < 300), "{said}");
    }

    pub(super) fn case_43(cli: &Cli) {
        let verify = "cert verify --trust root.pem --crl 01-nonext.pem c2.pem --json";
        let json = cli.run(verify).expect(1).json();
        assert_eq!(json["refusal"]["rule"], "revoked");
    }

    pub(super) fn case_44(cli: &Cli) {
        let request =
            c8y_pki_core::csr::Request::all_from_pem_or_der(&cli.read("req.csr")).unwrap();
        let names: Vec<String> =
            request[0].as_ref().unwrap().subject.values("CN").map(str::to_owned).collect();
        assert_eq!(names.len(), 2);
        let shown = cli.run("cert show req.csr --json").expect(0).json();
        assert_eq!(shown["common_names"].as_array().unwrap().len(), 2, "{shown}");
        let refused = sign(cli, "").expect(1);
        let said = refused.stdout + &refused.stderr;
        assert!(names.iter().all(|name| said.contains(name.as_str())), "{said}");
        assert!(said.contains("--id"), "{said}");
        cli.ok(&format!("device sign req.csr --ca root --out out {CA_PW} --id {}", names[0]));
        let issued =
            Certificate::all_from_pem_or_der(&cli.read(&format!("out/{}/cert.pem", names[0])));
        assert_eq!(issued.unwrap()[0].subject.to_string(), format!("CN={}", names[0]));
    }
}
