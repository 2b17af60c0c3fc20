//! `device sign`: requests made by OpenSSL, good ones and bad ones, each with its verdict.

use c8y_pki_core::cert::Certificate;
use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::{Tool, tool};
use serde_json::Value;

fn sign(what: &str) -> String {
    format!("device sign {what} --ca line --out out {CA_PW}")
}

/// Makes a key and a request with OpenSSL; `key` are the arguments of `openssl req -newkey`.
fn request(openssl: &Tool, cli: &Cli, name: &str, key: &[&str], more: &[&str]) {
    let [file, csr] = [cli.arg(&format!("{name}.key")), cli.arg(&format!("csr/{name}.csr"))];
    cli.write("csr/.keep", "");
    std::fs::remove_file(cli.path("csr/.keep")).expect("it was there");
    let subject = format!("/O=Asked For/CN={name}");
    let mut args = vec!["req", "-new", "-nodes", "-keyout", &file, "-out", &csr];
    if !more.contains(&"-subj") {
        args.extend(["-subj", &subject]);
    }
    args.extend(key);
    args.extend(more);
    openssl.run(&args);
}

const P256: [&str; 4] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

fn verdicts(outcome: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    outcome.iter().map(|v| (text(&v["id"]), text(&v["action"]))).collect()
}

#[test]
fn every_key_type_is_signed_whatever_the_hash() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    let curve = |name| ["-newkey", "ec", "-pkeyopt", name];
    let (p384, p521) = (curve("ec_paramgen_curve:P-384"), curve("ec_paramgen_curve:P-521"));
    let cases: [(&str, &[&str], &[&str]); 8] = [
        ("p256-sha384", &P256, &["-sha384"]),
        ("p384-sha256", &p384, &["-sha256"]),
        ("p521-sha512", &p521, &["-sha512"]),
        ("p521-sha256", &p521, &["-sha256"]),
        ("rsa-sha512", &["-newkey", "rsa:2048"], &["-sha512"]),
        ("rsa-3072", &["-newkey", "rsa:3072"], &["-sha256"]),
        (
            "rsa-pss",
            &["-newkey", "rsa:2048"],
            &["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"],
        ),
        ("ed25519", &["-newkey", "ed25519"], &[]),
    ];
    for (name, key, more) in cases {
        request(&openssl, &cli, name, key, more);
    }
    let signed = cli.run(&format!("{} --json", sign("csr"))).expect(0).json_lines();
    assert_eq!(signed.len(), cases.len());
    let [root, line] = ["root", "line"].map(|ca| cli.arg(&format!("pki/ca/{ca}/cert.pem")));
    for (name, _, _) in cases {
        let verdict = signed.iter().find(|v| v["id"] == name).expect("a verdict");
        assert_eq!(verdict["action"], "signed", "{verdict}");
        assert_eq!(cli.names(&format!("out/{name}")), ["cert.pem", "chain.pem"]);
        let pem = cli.read(&format!("out/{name}/cert.pem"));
        let cert = Certificate::all_from_pem_or_der(&pem).expect("a certificate").remove(0);
        assert_eq!(cert.serial.to_string(), verdict["serial"]);
        assert_eq!(cert.subject.to_string(), format!("CN={name}"), "not what was asked for");
        let leaf = cli.arg(&format!("out/{name}/cert.pem"));
        openssl.run(&["verify", "-x509_strict", "-CAfile", &root, "-untrusted", &line, &leaf]);
        cli.ok(&format!(
            "cert verify --trust pki/ca/root/cert.pem --as-device {name} out/{name}/chain.pem"
        ));
    }
    assert!(cli.ok("registry check").contains("8 kept by devices"));
}

#[test]
fn a_heap_is_judged_one_by_one() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    request(&openssl, &cli, "good", &P256, &[]);
    request(&openssl, &cli, "short", &["-newkey", "rsa:1024"], &[]);
    request(&openssl, &cli, "sha1", &["-newkey", "rsa:2048"], &["-sha1"]);
    request(&openssl, &cli, "colon", &P256, &["-subj", "/CN=AA:BB:CC"]);
    request(&openssl, &cli, "nameless", &P256, &["-subj", "/O=Example"]);
    // The key of another: one byte of the signature changed.
    request(&openssl, &cli, "forged", &P256, &["-outform", "DER"]);
    let mut forged = cli.read("csr/forged.csr");
    *forged.last_mut().expect("bytes") ^= 1;
    cli.write("csr/forged.csr", forged);
    cli.write("csr/text.txt", "not a request\n");
    cli.write("csr/half.csr", &cli.read("csr/good.csr")[..100]);

    let outcome = cli.run(&format!("{} --json", sign("csr"))).expect(1);
    let all = outcome.json_lines();
    let message = |file: &str| {
        let verdict = all.iter().find(|v| v["file"] == format!("csr/{file}")).expect("a verdict");
        assert_eq!(verdict["action"], "refused", "{verdict}");
        verdict["message"].as_str().expect("a sentence").to_owned()
    };
    for (file, words) in [
        ("short.csr", "an RSA key of 1024 bits is refused: the minimum is 2048"),
        ("sha1.csr", "has a signature that cannot be checked: the signature algorithm"),
        ("colon.csr", "device id \"AA:BB:CC\" (its common name) contains ':'"),
        ("nameless.csr", "has no common name"),
        ("forged.csr", "the request for CN=forged,O=Asked For is not signed with the key in it"),
        ("text.txt", "there is no certificate request"),
        ("half.csr", "the PEM text cannot be read: 1 blocks begin, 0 are whole"),
    ] {
        let said = message(file);
        assert!(said.contains(words), "{file}: {said}");
    }
    assert_eq!(verdicts(&all).iter().filter(|(_, action)| action == "signed").count(), 1);
    assert_eq!(cli.names("out"), ["good"]);

    let text = cli.run(&sign("csr")).expect(1).stdout;
    assert!(text.contains("kept     csr/good.csr"), "{text}");
    assert!(text.contains("0 requests signed, 1 signed before, 7 refused"), "{text}");
}

#[test]
fn requests_come_as_der_in_one_file_and_from_standard_input() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    request(&openssl, &cli, "one", &P256, &[]);
    request(&openssl, &cli, "two", &P256, &[]);
    request(&openssl, &cli, "der", &P256, &["-outform", "DER"]);
    let both = [cli.read("csr/one.csr"), cli.read("csr/two.csr")].concat();
    let line = format!("{} --json", sign("-"));
    let all = cli.run_with(&line, &[], &both).expect(0).json_lines();
    assert_eq!(all[1]["file"], "standard input #2");
    assert_eq!(verdicts(&all), [("one", "signed"), ("two", "signed")].map(pair));
    let all = cli.run(&format!("{} --json", sign("csr/der.csr"))).expect(0).json_lines();
    assert_eq!(verdicts(&all), [pair(("der", "signed"))]);
}

fn pair((a, b): (&str, &str)) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

#[test]
fn an_id_and_a_subject_take_the_place_of_the_requests_own() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    request(&openssl, &cli, "x", &P256, &["-subj", "/CN=AA:BB:CC"]);
    cli.ok(&sign("csr/x.csr --id AABBCC --org Acme"));
    let cert = Certificate::all_from_pem_or_der(&cli.read("out/AABBCC/cert.pem"));
    assert_eq!(cert.expect("a certificate")[0].subject.to_string(), "CN=AABBCC,O=Acme");
    request(&openssl, &cli, "y", &P256, &[]);
    let said = cli.fails(2, &sign("csr --id z"));
    assert!(said.contains("one id is given, and 2 requests"), "{said}");
}

/// What a requester may not decide: whether it is a CA, what its key is for, other names.
#[test]
fn extensions_that_are_asked_for_are_left_aside() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    let more = [
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "keyUsage=keyCertSign",
        "-addext",
        "subjectAltName=DNS:evil.example",
    ];
    request(&openssl, &cli, "sly", &P256, &more);
    cli.ok(&sign("csr/sly.csr"));
    let cert = Certificate::all_from_pem_or_der(&cli.read("out/sly/cert.pem"));
    let cert = cert.expect("a certificate").remove(0);
    assert!(!cert.is_ca());
    assert!(cert.extension("2.5.29.17").is_none(), "a subjectAltName got in");
    assert!(!cert.key_usage.expect("a key usage").has("keyCertSign"));
}

#[test]
fn a_device_with_another_key_is_not_signed_unasked() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    request(&openssl, &cli, "a", &P256, &[]);
    cli.ok(&sign("csr/a.csr"));
    let first = cli.read("out/a/cert.pem");
    request(&openssl, &cli, "a", &P256, &[]);
    let refused = cli.run(&sign("csr/a.csr")).expect(1).stdout;
    assert!(
        refused.contains("device id \"a\" has a live certificate for another key"),
        "{refused}"
    );
    assert_eq!(cli.read("out/a/cert.pem"), first);
    cli.ok(&sign("csr/a.csr --existing replace"));
    assert_ne!(cli.read("out/a/cert.pem"), first);
    assert_eq!(cli.read("out/.replaced/a/1/cert.pem"), first);
    // Delivered again when it was lost, not signed again.
    let second = cli.read("out/a/cert.pem");
    std::fs::remove_dir_all(cli.path("out/a")).expect("it was there");
    cli.ok(&sign("csr/a.csr"));
    assert_eq!(cli.read("out/a/cert.pem"), second);
}

/// Keys that must not be a device's: one that was revoked, the CA's own, another device's.
#[test]
fn some_keys_are_not_certified() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    request(&openssl, &cli, "a", &P256, &[]);
    cli.ok(&sign("csr/a.csr"));
    cli.ok("device revoke a --reason keyCompromise");
    for more in ["", "--existing replace", "--id other"] {
        let said = cli.run(&sign(&format!("csr/a.csr {more}"))).expect(1).stdout;
        assert!(said.contains("belongs to a revoked certificate"), "{more}: {said}");
    }
    let [key, csr] = ["pki/ca/line/key.pem", "csr/sly.csr"].map(|name| cli.arg(name));
    let password = format!("file:{}", cli.arg("pw"));
    openssl.run(&[
        "req", "-new", "-key", &key, "-passin", &password, "-subj", "/CN=sly", "-out", &csr,
    ]);
    let said = cli.run(&sign("csr/sly.csr")).expect(1).stdout;
    assert!(said.contains("the key of device id \"sly\" is that of the CA line too"), "{said}");
}

/// Renewing such a device with a key from here would cut it off.
#[test]
fn a_device_that_keeps_its_key_is_renewed_with_its_request() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    request(&openssl, &cli, "a", &P256, &[]);
    cli.ok(&sign("csr/a.csr"));
    let before = cli.read("out/a/cert.pem");
    for which in ["a", "--expiring 400d"] {
        let said = cli.run(&format!("device renew {which} --out out {CA_PW}")).expect(2).stderr;
        assert!(said.contains("the device \"a\" keeps its key"), "{said}");
        assert!(said.contains("--csr"), "{said}");
    }
    assert_eq!(cli.read("out/a/cert.pem"), before);
    let renewed = cli.run(&format!("device renew a --csr csr/a.csr --out out {CA_PW}")).expect(0);
    assert!(!renewed.stderr.contains("not encrypted"), "{renewed:?}");
}

#[test]
fn a_policy_and_twins_refuse_requests() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    for name in ["GW-1", "SN-1"] {
        request(&openssl, &cli, name, &P256, &[]);
    }
    request(&openssl, &cli, "twin", &P256, &["-subj", "/CN=gw-1"]);
    let config = cli.text("pki/pki.toml");
    cli.write("pki/pki.toml", format!("{config}\n[policy.line]\nids = [\"GW-*\", \"gw-*\"]\n"));
    let audit = cli.ok("registry export --what audit").lines().count();
    let all = cli.run(&format!("{} --json", sign("csr"))).expect(1).json_lines();
    assert_eq!(
        verdicts(&all),
        [("GW-1", "signed"), ("SN-1", "refused"), ("gw-1", "refused")].map(pair)
    );
    let message = |index: usize| all[index]["message"].as_str().expect("a sentence");
    assert!(message(1).contains("does not let it sign the device id \"SN-1\""), "{}", message(1));
    assert!(message(2).contains("is asked for by csr/GW-1.csr too"), "{}", message(2));
    let after = cli.ok("registry export --what audit").lines().count();
    assert_eq!(after, audit + 1, "what was refused left something in the registry");
}
