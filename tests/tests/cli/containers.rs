//! Certificates, keys and stores in whatever they come.

use c8y_pki_tests::cli::{CA_PW, Cli, PASSWORD};
use c8y_pki_tests::{python_with, tool};

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

const OPEN_WITHOUT: &str = "\
import sys
from cryptography.hazmat.primitives.serialization import pkcs12
p12 = pkcs12.load_pkcs12(open(sys.argv[1], 'rb').read(), None)
assert p12.key.public_key() == p12.cert.certificate.public_key()
";

/// No password at all: neither encryption nor MAC. OpenSSL, Python and Java are the judges.
#[test]
fn a_store_without_any_password_is_written_and_read() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue d --ca line --out out {CA_PW}"));
    let variable = [("C8Y_PKI_STORE_PASSWORD", PASSWORD)];
    let create = "store create n.p12 --key out/d/key.pem --cert out/d/chain.pem --no-password";
    // What the environment says is for other stores.
    cli.run_with(create, &variable, b"").expect(0);
    cli.ok("store create t.p12 --trusted pki/ca/root/cert.pem --no-password");
    cli.ok("store add t.p12 --trusted pki/ca/line/cert.pem --alias line --no-password");
    for given in ["", "--no-password"] {
        let shown = cli.ok(&format!("store show n.p12 {given}"));
        assert!(shown.contains("private key"), "{shown}");
        assert_eq!(
            cli.run(&format!("store show t.p12 {given} --json")).expect(0).json()["entries"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
    }
    cli.run_with("store show n.p12 --no-password", &variable, b"").expect(0);
    let said = cli.fails(2, "store create n.jks --trusted pki/ca/root/cert.pem --no-password");
    assert!(
        said.contains("a JKS store always has a password") && said.contains("--format p12"),
        "{said}"
    );
    // One with a password is not added to without it.
    cli.ok("store create p.p12 --trusted pki/ca/root/cert.pem --store-password-file pw");
    let before = cli.read("p.p12");
    let said =
        cli.fails(2, "store add p.p12 --trusted pki/ca/line/cert.pem --alias l --no-password");
    assert!(said.contains("needs a password"), "{said}");
    assert_eq!(cli.read("p.p12"), before);
    if let Some(openssl) = tool("openssl") {
        let text = openssl.run(&[
            "pkcs12",
            "-in",
            &cli.arg("n.p12"),
            "-nodes",
            "-nomacver",
            "-passin",
            "pass:",
        ]);
        assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 3, "{text}");
        assert_eq!(text.matches("BEGIN PRIVATE KEY").count(), 1, "{text}");
    }
    if let Some(python) = python_with("cryptography") {
        python.run(&["-c", OPEN_WITHOUT, &cli.arg("n.p12")]);
    }
    if let Some(keytool) = tool("keytool") {
        // Java asks for no password where there is none to check.
        let list = keytool.output(&["-list", "-keystore", &cli.arg("t.p12"), "-storepass", ""]);
        let list = String::from_utf8_lossy(&list.stdout).into_owned();
        assert!(list.contains("Your keystore contains 2 entries"), "{list}");
        assert!(list.contains("trustedCertEntry"), "{list}");
    }
}

/// All entries come along with their names, whatever the store; keytool says what is in them.
#[test]
fn a_store_is_made_from_another() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue d --ca line --out out {CA_PW}"));
    cli.write("pw2", "Marker-Secret-0815");
    let parts = "--key out/d/key.pem --cert out/d/chain.pem --store-password-file pw2";
    for old in ["old.p12", "old.jks"] {
        cli.ok(&format!("store create {old} {parts} --alias Dev-1"));
        cli.ok(&format!(
            "store add {old} --trusted pki/ca/root/cert.pem --alias edge --store-password-file pw2"
        ));
        for new in ["p12", "jks"] {
            let new = format!("{old}.{new}");
            let said =
                cli.fails(2, &format!("store create {new} --from {old} --store-password-file pw"));
            assert!(
                said.contains("give --from-password-file FILE, or set C8Y_PKI_FROM_PASSWORD"),
                "{said}"
            );
            cli.ok(&format!(
                "store create {new} --from {old} --from-password-file pw2 --store-password-file pw"
            ));
            let shown = cli
                .run(&format!("store show {new} --store-password-file pw --json"))
                .expect(0)
                .json();
            let old = cli
                .run(&format!("store show {old} --store-password-file pw2 --json"))
                .expect(0)
                .json();
            let fingerprints = |json: &serde_json::Value| {
                let all = json["entries"].as_array().unwrap().iter();
                all.map(|e| {
                    (e["alias"].as_str().unwrap().to_lowercase(), e["certificates"].to_string())
                })
                .collect::<std::collections::BTreeSet<_>>()
            };
            assert_eq!(fingerprints(&shown), fingerprints(&old));
            if let Some(keytool) = tool("keytool") {
                let list =
                    keytool.run(&["-list", "-keystore", &cli.arg(&new), "-storepass", PASSWORD]);
                assert!(list.contains("Your keystore contains 2 entries"), "{list}");
                assert!(
                    list.contains("PrivateKeyEntry") && list.contains("trustedCertEntry"),
                    "{list}"
                );
            }
        }
    }
    // A name that is taken.
    cli.ok("store create more.p12 --trusted pki/ca/line/cert.pem --alias edge --store-password-file pw");
    let before = cli.read("more.p12");
    let said = cli.fails(
        2,
        "store add more.p12 --from old.jks --from-password-file pw2 --store-password-file pw",
    );
    assert!(said.contains("is taken by the entry"), "{said}");
    assert_eq!(cli.read("more.p12"), before);
    let said = cli.fails(2, "store create x.p12 --from pw --store-password-file pw");
    assert!(said.contains("there is no certificate"), "{said}");
    // A key of the forms before PKCS#8, encrypted, beside its chain.
    let Some(openssl) = tool("openssl") else { return };
    let (key, old) = (cli.arg("out/d/key.pem"), cli.arg("old.key"));
    openssl.run(&["ec", "-in", &key, "-aes128", "-passout", "pass:changeit", "-out", &old]);
    cli.write("it", "changeit");
    cli.write("old.pem", cli.text("old.key") + &cli.text("out/d/chain.pem"));
    cli.ok("store create y.p12 --from old.pem --key-password-file it --store-password-file pw");
    let shown = cli.ok("store show old.pem --key-password-file it");
    assert!(shown.contains("private key"), "{shown}");
    let said = cli.fails(2, "store show old.pem --key-password-file pw");
    assert!(said.contains("does not open the private key"), "{said}");
}

#[test]
fn password_files_of_windows_are_named() {
    let cli = Cli::with_cas();
    cli.ok("store create t.p12 --trusted pki/ca/root/cert.pem --store-password-file pw");
    let wide = |order: fn(u16) -> [u8; 2], mark: &str| -> Vec<u8> {
        format!("{mark}{PASSWORD}\r\n").encode_utf16().flat_map(order).collect()
    };
    for bytes in [
        wide(u16::to_le_bytes, "\u{feff}"),
        wide(u16::to_be_bytes, "\u{feff}"),
        wide(u16::to_le_bytes, ""),
    ] {
        cli.write("wide", bytes);
        for line in [
            "store show t.p12 --store-password-file wide",
            "key show pki/ca/root/key.pem --password-file wide",
            "device issue w --ca line --out out --ca-password-file wide",
            "key new --type ec-p256 --out new.key --password-file wide",
        ] {
            let said = cli.fails(2, line);
            assert!(said.contains("it is text in UTF-16"), "{line}: {said}");
            assert!(said.contains("Set-Content -Encoding ascii"), "{line}: {said}");
        }
    }
    cli.write("latin", b"p\xe4ss-word-0815\n");
    let said = cli.fails(2, "store show t.p12 --store-password-file latin");
    assert!(said.contains("its first line is not UTF-8"), "{said}");
}
