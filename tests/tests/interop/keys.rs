//! Private keys as users have them: each form of OpenSSL, GnuTLS and Java is read, and shows the
//! same public key there and here.

use std::fmt::Write;

use c8y_pki_tests::cli::Cli;
use c8y_pki_tests::{Tool, tool};

/// Password of the keys.
const PASSWORD: &str = "key-Secret-1";

/// The kinds of key: name, arguments of `openssl genpkey`, PEM label of `-traditional`.
const KINDS: [(&str, &[&str]); 5] = [
    ("rsa", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    ("p256", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    ("p384", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
    ("p521", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"]),
    ("ed25519", &["-algorithm", "ED25519"]),
];

struct Keys {
    cli: Cli,
    openssl: Tool,
}

impl Keys {
    /// A plain PKCS#8 key of each kind as `<kind>.pem`.
    fn new() -> Option<Self> {
        let keys = Self { openssl: tool("openssl")?, cli: Cli::new() };
        keys.cli.write("key.pw", format!("{PASSWORD}\nsecond line"));
        for (kind, args) in KINDS {
            keys.openssl(&[&["genpkey", "-out", &keys.arg(&format!("{kind}.pem"))], args].concat());
        }
        Some(keys)
    }

    fn arg(&self, name: &str) -> String {
        self.cli.arg(name)
    }

    fn openssl(&self, args: &[&str]) -> String {
        self.openssl.run(args)
    }

    /// SHA-256 of the public key, as OpenSSL sees it.
    fn spki(&self, file: &str, more: &[&str]) -> String {
        let (file, public) = (self.arg(file), self.arg("public.der"));
        let args = ["pkey", "-in", &file, "-pubout", "-outform", "DER", "-out", &public];
        self.openssl(&[&args[..], more].concat());
        let digest = self.openssl(&["dgst", "-sha256", "-r", &public]);
        digest.split(' ').next().expect("a digest").to_owned()
    }

    /// The same, as `key show` and `cert show` print it.
    fn shown(&self, file: &str) -> String {
        let line = format!("key show {file} --json --password-file key.pw");
        let json = self.cli.run(&line).expect(0).json();
        let show = format!("cert show {file} --json --password-file key.pw");
        let by_cert = self.cli.run(&show).expect(0).json_lines();
        let of_cert = by_cert.iter().find(|item| item["type"] == "private_key");
        let spki = json["spki_sha256"].as_str().expect("a digest").to_owned();
        assert_eq!(of_cert.expect("a key")["spki_sha256"], spki.as_str(), "{file}");
        spki
    }

    /// Converts the key of a kind and holds what is read to it.
    fn converted(&self, kind: &str, command: &[&str], failures: &mut String) {
        let plain = format!("{kind}.pem");
        let (source, pass) = (self.arg(&plain), format!("pass:{PASSWORD}"));
        let target = self.arg("other.key");
        let pass: &[&str] = if command.contains(&"-passout") { &[] } else { &["-passout", &pass] };
        self.openssl(&[command, &["-in", &source, "-out", &target], pass].concat());
        let outcome = self.cli.run("key show other.key --json --password-file key.pw");
        if outcome.code != 0 {
            let _ = writeln!(failures, "{kind} {command:?}: {}", outcome.stderr);
        } else if self.shown("other.key") != self.spki(&plain, &[]) {
            let _ = writeln!(failures, "{kind} {command:?}: another key");
        }
    }
}

#[test]
fn pkcs8_keys_of_openssl_plain_and_encrypted() {
    let Some(keys) = Keys::new() else { return };
    let mut failures = String::new();
    let ways: [&[&str]; 9] = [
        &["-nocrypt"],
        &["-nocrypt", "-outform", "DER"],
        &["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA256"],
        &["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA256", "-outform", "DER"],
        &["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA1"],
        &["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512"],
        &["-v2", "des3"],
        &["-v1", "PBE-SHA1-3DES"],
        &["-scrypt"],
    ];
    for (kind, _) in KINDS {
        for way in ways {
            let command = [&["pkcs8", "-topk8"], way].concat();
            keys.converted(kind, &command, &mut failures);
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn pkcs8_keys_of_very_old_openssl() {
    let Some(keys) = Keys::new() else { return };
    let mut failures = String::new();
    let legacy = ["-provider", "legacy", "-provider", "default"];
    for (kind, _) in KINDS {
        for algorithm in ["PBE-MD5-DES", "PBE-SHA1-DES"] {
            let command = [&["pkcs8", "-topk8", "-v1", algorithm], &legacy[..]].concat();
            keys.converted(kind, &command, &mut failures);
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn traditional_keys_plain_and_encrypted() {
    let Some(keys) = Keys::new() else { return };
    let mut failures = String::new();
    let ways: [&[&str]; 6] =
        [&[], &["-outform", "DER"], &["-aes128"], &["-aes192"], &["-aes256"], &["-des3"]];
    for kind in ["rsa", "p256", "p384", "p521"] {
        for way in ways {
            let command = [&["pkey", "-traditional"], way].concat();
            keys.converted(kind, &command, &mut failures);
        }
    }
    assert!(failures.is_empty(), "{failures}");
    let plain = keys.cli.text("rsa.pem");
    assert!(plain.starts_with("-----BEGIN PRIVATE KEY-----"), "{plain}");
}

#[test]
fn rsa_keys_of_genrsa() {
    let Some(keys) = Keys::new() else { return };
    for (name, more) in [("new.key", &[][..]), ("old.key", &["-traditional"])] {
        let out = keys.arg(name);
        keys.openssl(&[&["genrsa", "-out", &out], more, &["2048"]].concat());
        assert_eq!(keys.shown(name), keys.spki(name, &[]), "{name}");
    }
    let old = keys.cli.text("old.key");
    assert!(old.starts_with("-----BEGIN RSA PRIVATE KEY-----"), "{old}");
}

#[test]
fn ec_keys_with_their_parameters_in_front() {
    let Some(keys) = Keys::new() else { return };
    let out = keys.arg("ec.key");
    for curve in ["prime256v1", "secp384r1", "secp521r1"] {
        keys.openssl(&["ecparam", "-name", curve, "-genkey", "-out", &out]);
        let text = keys.cli.text("ec.key");
        assert!(text.starts_with("-----BEGIN EC PARAMETERS-----"), "{text}");
        assert_eq!(keys.shown("ec.key"), keys.spki("ec.key", &[]), "{curve}");
    }
}

#[test]
fn ec_keys_with_compressed_points() {
    let Some(keys) = Keys::new() else { return };
    let out = keys.arg("ec.key");
    for kind in ["p256", "p384", "p521"] {
        let source = keys.arg(&format!("{kind}.pem"));
        keys.openssl(&["ec", "-in", &source, "-conv_form", "compressed", "-out", &out]);
        assert_eq!(keys.shown("ec.key"), keys.spki(&format!("{kind}.pem"), &[]), "{kind}");
    }
}

#[test]
fn ec_keys_with_explicit_parameters_are_refused_clearly() {
    let Some(keys) = Keys::new() else { return };
    let (pkcs8, sec1) = (keys.arg("pkcs8.key"), keys.arg("sec1.key"));
    let args = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    keys.openssl(&[&args[..], &["-pkeyopt", "ec_param_enc:explicit", "-out", &pkcs8]].concat());
    keys.openssl(&["pkey", "-traditional", "-in", &pkcs8, "-out", &sec1]);
    for file in ["pkcs8.key", "sec1.key"] {
        let said = keys.cli.fails(2, &format!("key show {file}"));
        let error = format!(
            "error: {file}: this form of private key is not supported: EC with explicit parameters\n"
        );
        assert!(said.starts_with(&error), "{said}");
        assert!(said.contains("-param_enc named_curve"), "{said}");
    }
}

#[test]
fn ec_keys_without_their_public_half() {
    let Some(keys) = Keys::new() else { return };
    for kind in ["p256", "p384", "p521"] {
        let (source, out) = (keys.arg(&format!("{kind}.pem")), keys.arg("ec.key"));
        keys.openssl(&["ec", "-in", &source, "-no_public", "-out", &out]);
        assert_eq!(keys.shown("ec.key"), keys.spki(&format!("{kind}.pem"), &[]), "{kind}");
    }
}

#[test]
fn ec_keys_of_java() {
    let Some(keys) = Keys::new() else { return };
    let Some(keytool) = tool("keytool") else { return };
    let store = keys.arg("java.p12");
    let common = ["-genkeypair", "-alias", "a", "-dname", "CN=a", "-keystore", &store];
    let secret = ["-storepass", PASSWORD, "-storetype", "PKCS12", "-keyalg", "EC"];
    keytool.run(&[&common[..], &secret, &["-groupname", "secp256r1"]].concat());
    let (out, pass) = (keys.arg("java.key"), format!("pass:{PASSWORD}"));
    keys.openssl(&["pkcs12", "-in", &store, "-nocerts", "-nodes", "-passin", &pass, "-out", &out]);
    assert_eq!(keys.shown("java.key"), keys.spki("java.key", &[]));
}

#[test]
fn keys_of_gnutls() {
    let Some(keys) = Keys::new() else { return };
    let Some(certtool) = tool("certtool") else { return };
    let out = keys.arg("gnutls.key");
    let pass: &[&str] = &["-passin", &format!("pass:{PASSWORD}")];
    let encrypted = |cipher| vec!["--pkcs8", "--pkcs-cipher", cipher, "--password", PASSWORD];
    let kinds: [&[&str]; 2] = [
        &["--key-type", "rsa", "--bits", "2048"],
        &["--key-type", "ecdsa", "--curve", "secp256r1"],
    ];
    for kind in kinds {
        for (way, pass) in [
            (vec![], &[][..]),
            (vec!["--pkcs8", "--password", ""], &[]),
            (encrypted("aes-256"), pass),
            (encrypted("3des"), pass),
            (encrypted("3des-pkcs12"), pass),
        ] {
            let args = ["--generate-privkey", "--no-text", "--outfile", &out];
            certtool.run(&[&args[..], kind, &way].concat());
            assert_eq!(keys.shown("gnutls.key"), keys.spki("gnutls.key", pass), "{kind:?} {way:?}");
        }
    }
    certtool.run(&["--generate-privkey", "--key-type", "ed25519", "--outfile", &out]);
    assert_eq!(keys.shown("gnutls.key"), keys.spki("gnutls.key", &[]));
}

#[test]
fn keys_that_cannot_be_used_are_refused_with_a_reason() {
    let Some(keys) = Keys::new() else { return };
    let (out, dsa) = (keys.arg("bad.key"), keys.arg("dsa.param"));
    let refused = |reason: &str| {
        let said = keys.cli.fails(2, "key show bad.key --password-file key.pw");
        assert!(said.starts_with("error: bad.key: ") && said.contains(reason), "{reason}: {said}");
    };
    keys.openssl(&["genrsa", "-out", &out, "1024"]);
    refused("1024");
    keys.openssl(&["dsaparam", "-out", &dsa, "2048"]);
    keys.openssl(&["gendsa", "-out", &out, &dsa]);
    refused("1.2.840.10040.4.1");
    keys.openssl(&["genpkey", "-algorithm", "X25519", "-out", &out]);
    refused("1.3.101.110");
    keys.openssl(&["ecparam", "-name", "secp256k1", "-genkey", "-noout", "-out", &out]);
    refused("1.3.132.0.10");
    keys.openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "group:secp256k1", "-out", &out]);
    refused("1.3.132.0.10");
    let (source, pass) = (keys.arg("p256.pem"), format!("pass:{PASSWORD}"));
    let files = ["-in", &source, "-out", &out, "-passout", &pass];
    for (cipher, name) in
        [("camellia256", "PBES2 with Camellia-256"), ("aria128", "PBES2 with ARIA-128")]
    {
        keys.openssl(&[&["pkcs8", "-topk8", "-v2", cipher], &files[..]].concat());
        refused(name);
    }
}

#[test]
fn keys_under_old_encryptions_are_read() {
    let Some(keys) = Keys::new() else { return };
    let (source, out, pass) =
        (keys.arg("p256.pem"), keys.arg("old.key"), format!("pass:{PASSWORD}"));
    let files = ["-in", &source, "-out", &out, "-passout", &pass];
    for scheme in [
        "PBE-MD5-DES",
        "PBE-SHA1-DES",
        "PBE-MD5-RC2-64",
        "PBE-SHA1-RC2-64",
        "PBE-SHA1-3DES",
        "PBE-SHA1-2DES",
        "PBE-SHA1-RC2-40",
        "PBE-SHA1-RC2-128",
        "PBE-SHA1-RC4-40",
        "PBE-SHA1-RC4-128",
    ] {
        let scheme = ["-v1", scheme, "-provider", "legacy", "-provider", "default"];
        keys.openssl(&[&["pkcs8", "-topk8"], &scheme[..], &files].concat());
        keys.cli.ok("key show old.key --password-file key.pw");
    }
}

#[test]
fn wrong_passwords_and_damaged_keys_are_refused() {
    let Some(keys) = Keys::new() else { return };
    let (source, out) = (keys.arg("p256.pem"), keys.arg("enc.key"));
    let pass = format!("pass:{PASSWORD}");
    keys.cli.write("wrong.pw", "another");
    for way in [&["pkcs8", "-topk8"][..], &["pkey", "-traditional", "-aes128"]] {
        keys.openssl(&[way, &["-in", &source, "-out", &out, "-passout", &pass]].concat());
        let said = keys.cli.fails(2, "key show enc.key --password-file wrong.pw");
        assert!(said.contains("enc.key") && said.contains("password"), "{said}");
    }
    for kind in ["rsa.pem", "p256.pem", "ed25519.pem", "enc.key"] {
        let whole = keys.cli.read(kind);
        for length in [0, 1, 30, whole.len() / 2, whole.len() - 30] {
            keys.cli.write("cut.key", &whole[..length]);
            keys.cli.fails(2, "key show cut.key --password-file key.pw");
        }
    }
    let said = keys.cli.fails(2, "key show .");
    assert!(said.contains("it is a directory"), "{said}");
    let said = keys.cli.fails(2, "key show absent.key");
    assert!(said.contains("absent.key: there is no such file"), "{said}");
}
