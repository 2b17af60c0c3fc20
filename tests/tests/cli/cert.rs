//! `cert verify`, `cert chain`, `cert show` and `key`: exit codes, JSON, what is shown of what.

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_tests::cli::{CA_PW, Cli, PASSWORD};
use c8y_pki_tests::tool;

const VERIFY: &str = "cert verify --trust pki/ca/root/cert.pem";

/// CAs `root` and `line`, another root `other`, and a device `d` with a keystore in `out/d`.
fn with_device() -> Cli {
    let cli = Cli::with_cas();
    cli.ok(&format!("ca init other --subject CN=Other --key-type ec-p256 {CA_PW}"));
    cli.ok(&format!(
        "device issue d --ca line --out out {CA_PW} --bundle pem,p12,jks --store-password-file pw"
    ));
    cli
}

#[test]
fn a_good_chain_is_valid() {
    let cli = with_device();
    let text = cli.ok(&format!("{VERIFY} out/d/chain.pem"));
    assert_eq!(text, "valid\n  0  CN=d\n  1  CN=Line,O=Example\n  2  CN=Root,O=Example\n");
    let json = cli.run(&format!("{VERIFY} out/d/chain.pem --json")).expect(0).json();
    assert_eq!((&json["valid"], &json["refusal"]), (&true.into(), &().into()), "{json}");
    assert_eq!(json["path"].as_array().expect("a path").len(), 3, "{json}");
    assert!(json["path"].to_string().contains("CN=Line,O=Example"), "{json}");
}

#[test]
fn a_chain_to_an_intermediate_that_is_trusted_is_valid() {
    let cli = with_device();
    cli.ok("cert verify --trust pki/ca/line/cert.pem out/d/cert.pem");
}

#[test]
fn an_untrusted_chain_is_refused() {
    let cli = with_device();
    let line = "cert verify --trust pki/ca/other/cert.pem out/d/chain.pem";
    let outcome = cli.run(line).expect(1);
    assert!(outcome.stdout.starts_with("refused: "), "{outcome:?}");
    assert_eq!(outcome.stderr, "");
    let json = cli.run(&format!("{line} --json")).expect(1).json();
    assert_eq!(json["valid"], false);
    assert!(json["error"].is_string() && json["path"].is_null(), "{json}");
    assert!(cli.run(&format!("{VERIFY} out/d/cert.pem")).expect(1).stdout.contains("refused"));
}

#[test]
fn the_time_and_the_depth_are_the_callers() {
    let cli = with_device();
    let late = cli.run(&format!("{VERIFY} --at 2099-01-01T00:00:00Z out/d/chain.pem")).expect(1);
    assert!(late.stdout.contains("CN=d") && late.stdout.contains("2099-01-01"), "{late:?}");
    let early = cli.run(&format!("{VERIFY} --at 2001-01-01T00:00:00+02:00 out/d/chain.pem --json"));
    let refusal = early.expect(1).json()["refusal"].clone();
    assert!(refusal.is_object(), "{refusal}");
    cli.ok(&format!("{VERIFY} --max-depth 1 out/d/chain.pem"));
    cli.run(&format!("{VERIFY} --max-depth 0 out/d/chain.pem")).expect(1);
    for wrong in ["--at tomorrow", "--at 2026-11-22", "--max-depth 300", "--max-depth x"] {
        cli.run(&format!("{VERIFY} {wrong} out/d/chain.pem")).expect(2);
    }
}

#[test]
fn the_platforms_rules_apply_to_a_device() {
    let cli = with_device();
    cli.ok(&format!("{VERIFY} --as-device d out/d/chain.pem"));
    let other = cli.run(&format!("{VERIFY} --as-device e out/d/chain.pem")).expect(1);
    assert!(other.stdout.contains("refused: "), "{other:?}");
    let json = cli.run(&format!("{VERIFY} --as-device e out/d/chain.pem --json")).expect(1).json();
    assert_eq!(json["valid"], false);
    assert!(!json["device"].as_array().expect("findings").is_empty(), "{json}");
    let said = cli.fails(2, &format!("{VERIFY} --as-device a:b out/d/chain.pem"));
    assert!(said.contains("\"a:b\""), "{said}");
}

#[test]
fn a_shuffled_heap_becomes_a_chain() {
    let cli = with_device();
    let files = "pki/ca/root/cert.pem out/d/cert.pem pki/ca/line/cert.pem";
    assert_eq!(cli.ok(&format!("cert chain {files}")), cli.text("out/d/chain.pem"));
    cli.ok(&format!("cert chain {files} --out made.pem --quiet"));
    assert_eq!(cli.text("made.pem"), cli.text("out/d/chain.pem"));
    let more = cli.run(&format!("cert chain {files} pki/ca/other/cert.pem --leaf d")).expect(0);
    assert_eq!(more.stdout, cli.text("out/d/chain.pem"));
    assert!(more.stderr.contains("warning: CN=Other is not part of the chain"), "{more:?}");
    cli.run(&format!("cert chain {files} --leaf nobody")).expect(2);
    let part = cli.run("cert chain out/d/cert.pem pki/ca/root/cert.pem --leaf d").expect(1);
    let warning = "the chain is not complete: the certificate of CN=Line,O=Example is missing";
    assert!(part.stderr.contains(warning), "{part:?}");
}

#[test]
fn certificates_are_shown() {
    let cli = with_device();
    let text = cli.ok("cert show out/d/chain.pem");
    assert_eq!(text.matches("Subject  ").count(), 3, "{text}");
    assert!(text.starts_with("Certificate\n  Subject       CN=d\n"), "{text}");
    let items = cli.run("cert show out/d/chain.pem pki/ca/other/cert.pem --json").expect(0);
    let items = items.json_lines();
    let subjects: Vec<&str> =
        items.iter().map(|item| item["subject"].as_str().expect("a subject")).collect();
    assert_eq!(subjects, ["CN=d", "CN=Line,O=Example", "CN=Root,O=Example", "CN=Other"]);
    assert!(items.iter().all(|item| item["type"] == "certificate"));
    let cert =
        Certificate::all_from_pem_or_der(&cli.read("out/d/cert.pem")).expect("PEM").remove(0);
    assert_eq!(items[0]["fingerprint_sha256"], cert.fingerprint_sha256());
    cli.write("d.der", cert.der());
    assert_eq!(cli.ok("cert show d.der"), cli.ok("cert show out/d/cert.pem"));
}

#[test]
fn requests_and_revocation_lists_are_shown() {
    let cli = with_device();
    cli.ok(&format!("ca crl line {CA_PW} --der --out line.crl"));
    for file in ["pki/ca/line/crl.pem", "line.crl"] {
        let text = cli.ok(&format!("cert show {file}"));
        assert!(text.starts_with("Certificate revocation list\n  Issuer        CN=Line"), "{text}");
        let json = cli.run(&format!("cert show {file} --json")).expect(0).json();
        assert_eq!((&json["type"], &json["issuer"]), (&"crl".into(), &"CN=Line,O=Example".into()));
    }
    let Some(openssl) = tool("openssl") else { return };
    let (key, out) = (cli.arg("out/d/key.pem"), cli.arg("d.csr"));
    openssl.run(&["req", "-new", "-key", &key, "-subj", "/O=Example/CN=d", "-out", &out]);
    let text = cli.ok("cert show d.csr");
    assert!(text.contains("Certificate request") && text.contains("proven"), "{text}");
    let json = cli.run("cert show d.csr --json").expect(0).json();
    assert_eq!((&json["type"], &json["subject"]), (&"request".into(), &"CN=d,O=Example".into()));
    assert_eq!(json["possession"], true);
}

#[test]
fn stores_are_shown() {
    let cli = with_device();
    for file in ["keystore.p12", "keystore.jks"] {
        let line = format!("cert show out/d/{file} --password-file pw");
        let text = cli.ok(&line);
        assert!(text.contains("Alias \"devicekeyentry\": private key, chain of 3"), "{text}");
        let json = cli.run(&format!("{line} --json")).expect(0).json();
        assert_eq!(json["type"], "store", "{json}");
        let certificates = json["entries"][0]["certificates"].as_array().expect("certificates");
        assert_eq!(certificates[0]["subject"], "CN=d", "{json}");
        assert_eq!(certificates.len(), 3);
    }
}

#[test]
fn the_certificates_and_lists_of_a_pkcs7_file_are_shown() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = with_device();
    let [chain, crl] = ["out/d/chain.pem", "pki/ca/line/crl.pem"].map(|name| cli.arg(name));
    cli.ok(&format!("ca crl line {CA_PW}"));
    for form in ["PEM", "DER"] {
        let out = cli.arg("d.p7b");
        openssl.run(&[
            "crl2pkcs7",
            "-in",
            &crl,
            "-certfile",
            &chain,
            "-outform",
            form,
            "-out",
            &out,
        ]);
        let shown = cli.ok("cert show d.p7b");
        assert!(shown.starts_with(&cli.ok("cert show out/d/chain.pem")), "{shown}");
        let json = cli.run("cert show d.p7b --json").expect(0).json_lines();
        let types: Vec<_> = json.iter().map(|item| item["type"].as_str().expect("text")).collect();
        assert_eq!(types, ["certificate", "certificate", "certificate", "crl"], "{form}");
    }
    let bytes = cli.read("d.p7b");
    cli.write("cut.p7b", &bytes[..bytes.len() / 2]);
    let said = cli.fails(2, "cert show cut.p7b");
    assert!(said.contains("cut.p7b: not a PKCS#7 file: it is truncated"), "{said}");
}

#[test]
fn no_octet_of_a_private_key_is_ever_shown() {
    let cli = with_device();
    let key = PrivateKey::read(&cli.read("out/d/key.pem"), None).expect("a key");
    // ECPrivateKey: version 1, then the secret in an OCTET STRING of 32.
    let der = key.pkcs8().expose();
    let at = der.windows(5).position(|w| w == [2, 1, 1, 4, 32]).expect("an ECPrivateKey") + 5;
    let secret = &der[at..at + 32];
    let hex: String = secret.iter().map(|b| format!("{b:02x}")).collect();
    let base64: String = cli.text("out/d/key.pem").lines().nth(1).expect("a line").to_owned();
    for json in ["", " --json"] {
        for line in [
            "cert show out/d/key.pem",
            "key show out/d/key.pem",
            "cert show out/d/keystore.p12 --password-file pw",
            "cert show out/d/keystore.jks --password-file pw",
            "store show out/d/keystore.p12 --store-password-file pw",
        ] {
            let outcome = cli.run(&format!("{line}{json}")).expect(0);
            let said = format!("{}{}", outcome.stdout, outcome.stderr);
            let plain = said.replace([':', ' ', '\n'], "").to_lowercase();
            assert!(!plain.contains(&hex[..16]), "{line}{json}: {said}");
            assert!(!said.contains(&base64[..16]) && !said.contains("PRIVATE KEY--"), "{said}");
        }
    }
}

#[test]
fn an_encrypted_key_is_shown_with_its_password_only() {
    let cli = Cli::new();
    cli.ok("key new --type ed25519 --out one.key --password-file pw");
    let text = cli.ok("cert show one.key");
    assert!(text.contains("give its password to see its public half"), "{text}");
    let text = cli.run_with("cert show one.key", &[("C8Y_PKI_PASSWORD", PASSWORD)], b"").expect(0);
    assert!(text.stdout.contains("Ed25519"), "{text:?}");
    assert_eq!(cli.ok("key show one.key --password-file pw"), text.stdout);
}

#[test]
fn keys_are_made_and_given_other_passwords() {
    let cli = Cli::new();
    cli.write("new.pw", "Other-Secret-2");
    for key_type in ["rsa-2048", "ec-p256", "ec-p384", "ec-p521", "ed25519"] {
        let file = format!("{key_type}.key");
        cli.ok(&format!("key new --type {key_type} --out {file} --password-file pw"));
        let public = cli.ok(&format!("key show {file} --password-file pw"));
        let said = cli.fails(2, &format!("key new --type {key_type} --out {file} --plain"));
        assert!(said.contains("it exists already"), "{said}");
        cli.ok(&format!("key passwd {file} --password-file pw --new-password-file new.pw"));
        cli.fails(2, &format!("key show {file} --password-file pw"));
        cli.ok(&format!("key passwd {file} --password-file new.pw --plain --out {file}.plain"));
        assert_eq!(cli.ok(&format!("key show {file}.plain")), public);
    }
    let said = cli.run("key new --type rsa-1024 --out x --plain").expect(2).stderr;
    assert!(said.contains("rsa-1024"), "{said}");
}
