//! What `ca` and `device issue` write, for every key type, in the tools of others: OpenSSL, Java,
//! GnuTLS, NSS, Python.

use c8y_pki_tests::cli::{CA_PW, Cli, PASSWORD};
use c8y_pki_tests::{python_with, tool};

/// Key types, and how Java calls them.
const KEY_TYPES: [(&str, &str); 6] = [
    ("rsa-2048", "2048-bit RSA key"),
    ("rsa-3072", "3072-bit RSA key"),
    ("ec-p256", "256-bit EC (secp256r1) key"),
    ("ec-p384", "384-bit EC (secp384r1) key"),
    ("ec-p521", "521-bit EC (secp521r1) key"),
    // "255-bit Ed25519 key", or "255-bit EdDSA key" in older versions.
    ("ed25519", "255-bit Ed"),
];

/// A root, a CA and a device `d` of one key type, with all bundles in `out/d`.
fn hierarchy(key_type: &str) -> Cli {
    let cli = Cli::new();
    let key = format!("--key-type {key_type} {CA_PW}");
    cli.ok(&format!("ca init --subject 'CN=Root,O=Example' {key}"));
    cli.ok(&format!("ca add line --parent root --subject 'CN=Line,O=Example' {key}"));
    cli.ok(&format!(
        "device issue d --ca line --out out --org Example {key} --store-password-file pw \
         --bundle pem,p12,jks,truststore-p12,truststore-jks --server-cert pki/ca/root/cert.pem"
    ));
    cli
}

/// Runs a check for a hierarchy of each key type.
fn for_each(check: impl Fn(&str, &str, &Cli)) {
    for (key_type, java) in KEY_TYPES {
        check(key_type, java, &hierarchy(key_type));
    }
}

#[test]
fn openssl_verifies_chains_and_opens_stores() {
    let Some(openssl) = tool("openssl") else { return };
    for_each(|key_type, _, cli| {
        let root = cli.arg("pki/ca/root/cert.pem");
        let (chain, leaf, key) =
            (cli.arg("out/d/chain.pem"), cli.arg("out/d/cert.pem"), cli.arg("out/d/key.pem"));
        let args = ["verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", &root];
        let said = openssl.run(&[&args[..], &["-untrusted", &chain, &leaf]].concat());
        assert!(said.contains("d/cert.pem: OK"), "{key_type}: {said}");
        let public = openssl.run(&["pkey", "-in", &key, "-pubout"]);
        assert_eq!(public, openssl.run(&["x509", "-in", &leaf, "-noout", "-pubkey"]), "{key_type}");

        let (pass, all) = (format!("pass:{PASSWORD}"), cli.arg("all.pem"));
        let store = cli.arg("out/d/keystore.p12");
        openssl.run(&["pkcs12", "-in", &store, "-passin", &pass, "-nodes", "-out", &all]);
        let text = cli.text("all.pem");
        assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 3, "{key_type}: {text}");
        assert_eq!(text.matches("BEGIN PRIVATE KEY").count(), 1, "{key_type}: {text}");
        assert!(text.contains("friendlyName: devicekeyentry"), "{key_type}: {text}");
        assert_eq!(public, openssl.run(&["pkey", "-in", &all, "-pubout"]), "{key_type}");
        let store = cli.arg("out/d/truststore.p12");
        let text = openssl.run(&["pkcs12", "-in", &store, "-passin", &pass, "-nokeys"]);
        assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 1, "{key_type}: {text}");
        cli.ok("cert verify --trust pki/ca/root/cert.pem --as-device d out/d/chain.pem");
    });
}

#[test]
fn rsa_4096_works_too() {
    let cli = Cli::new();
    cli.ok(&format!("ca init --subject CN=Root --key-type rsa-4096 {CA_PW}"));
    cli.ok(&format!("device issue d --ca root --out out --key-type rsa-4096 {CA_PW}"));
    cli.ok("cert verify --trust pki/ca/root/cert.pem --as-device d out/d/chain.pem");
    let Some(openssl) = tool("openssl") else { return };
    let (root, leaf) = (cli.arg("pki/ca/root/cert.pem"), cli.arg("out/d/cert.pem"));
    openssl.run(&["verify", "-x509_strict", "-CAfile", &root, &leaf]);
}

#[test]
fn java_lists_keystores_and_truststores() {
    let Some(keytool) = tool("keytool") else { return };
    for_each(|key_type, java, cli| {
        for (file, kind, alias, certificates) in [
            ("keystore.p12", "PrivateKeyEntry", "devicekeyentry", 3),
            ("keystore.jks", "PrivateKeyEntry", "devicekeyentry", 3),
            ("truststore.p12", "trustedCertEntry", "servercertificate", 1),
            ("truststore.jks", "trustedCertEntry", "servercertificate", 1),
        ] {
            let store = cli.arg(&format!("out/d/{file}"));
            let args = ["-list", "-v", "-keystore", &store, "-storepass", PASSWORD];
            let list = keytool.run(&args);
            let at = format!("{key_type} {file}: {list}");
            assert!(list.contains("Your keystore contains 1 entry"), "{at}");
            assert!(list.contains(&format!("Alias name: {alias}\n")), "{at}");
            assert!(list.contains(&format!("Entry type: {kind}")), "{at}");
            assert_eq!(list.matches("Owner: ").count(), certificates, "{at}");
            if kind == "PrivateKeyEntry" {
                assert!(list.contains("Certificate chain length: 3"), "{at}");
            }
            let names: Vec<&str> =
                list.lines().filter(|l| l.starts_with("Subject Public Key Algorithm")).collect();
            assert_eq!(names.len(), certificates, "{at}");
            assert!(names.iter().all(|line| line.contains(java)), "{at}");
        }
    });
}

#[test]
fn java_uses_the_keys_in_keystores() {
    let Some(keytool) = tool("keytool") else { return };
    for_each(|key_type, _, cli| {
        for file in ["keystore.p12", "keystore.jks"] {
            let store = cli.arg(&format!("out/d/{file}"));
            let args = ["-certreq", "-alias", "devicekeyentry", "-keystore", &store];
            let request = keytool.run(&[&args[..], &["-storepass", PASSWORD]].concat());
            let start = request.find("-----BEGIN NEW").unwrap_or_else(|| panic!("{request}"));
            cli.write("request.pem", &request[start..]);
            let shown = cli.run("cert show request.pem --json").expect(0).json();
            assert_eq!(shown["possession"], true, "{key_type} {file}: {shown}");
            assert_eq!(shown["subject"], "CN=d,O=Example");
        }
    });
}

#[test]
fn gnutls_verifies_chains_and_opens_stores() {
    let Some(certtool) = tool("certtool") else { return };
    for_each(|key_type, _, cli| {
        let (root, chain) = (cli.arg("pki/ca/root/cert.pem"), cli.arg("out/d/chain.pem"));
        let said = certtool.run(&["--verify-chain", "--infile", &chain]);
        assert!(said.contains("Chain verification output: Verified"), "{key_type}: {said}");
        let args = ["--verify", "--load-ca-certificate", &root, "--infile", &chain];
        let said = certtool.run(&args);
        assert!(said.contains("Chain verification output: Verified"), "{key_type}: {said}");
        let store = cli.arg("out/d/keystore.p12");
        let args = ["--p12-info", "--inder", "--infile", &store, "--password", PASSWORD];
        let said = certtool.run(&args);
        assert!(said.contains("BEGIN ENCRYPTED PRIVATE KEY") || said.contains("BEGIN PRIVATE"));
        assert_eq!(said.matches("BEGIN CERTIFICATE").count(), 3, "{key_type}: {said}");
        assert!(said.contains("Friendly name: devicekeyentry"), "{key_type}: {said}");
        certtool.run(&["--key-info", "--infile", &cli.arg("out/d/key.pem")]);
    });
}

#[test]
fn nss_lists_and_imports_keystores() {
    let (Some(pk12util), Some(certutil)) = (tool("pk12util"), tool("certutil")) else { return };
    for_each(|key_type, _, cli| {
        let store = cli.arg("out/d/keystore.p12");
        let said = pk12util.run(&["-l", &store, "-W", PASSWORD]);
        assert!(said.contains("Friendly Name: devicekeyentry"), "{key_type}: {said}");
        assert_eq!(said.matches("        Subject: \"").count(), 3, "{key_type}: {said}");

        cli.write("nss/x", "");
        let database = format!("sql:{}", cli.arg("nss"));
        certutil.run(&["-N", "-d", &database, "--empty-password"]);
        let import = pk12util.output(&["-i", &store, "-d", &database, "-W", PASSWORD]);
        let said = String::from_utf8_lossy(&import.stderr);
        if key_type == "ed25519" && !import.status.success() {
            // NSS opens the file, and says that it cannot hold such a key.
            assert!(said.contains("SEC_ERROR_PKCS12_UNABLE_TO_IMPORT_KEY"), "{said}");
            return;
        }
        assert!(import.status.success(), "{key_type}: {said}");
        let keys = certutil.run(&["-K", "-d", &database]);
        assert!(keys.contains("devicekeyentry"), "{key_type}: {keys}");
    });
}

/// Loads the key, the chain and both stores; verifies each signature with the key above.
const PYTHON: &str = r#"
import sys
from pathlib import Path
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

directory, password = Path(sys.argv[1]), sys.argv[2].encode()
public = lambda key: key.public_bytes(
    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
key = serialization.load_pem_private_key((directory / "key.pem").read_bytes(), None)
chain = x509.load_pem_x509_certificates((directory / "chain.pem").read_bytes())
assert len(chain) == 3, chain
assert public(key.public_key()) == public(chain[0].public_key())
for cert, issuer in zip(chain, chain[1:] + chain[-1:]):
    cert.verify_directly_issued_by(issuer)
    cert.extensions
store = pkcs12.load_pkcs12((directory / "keystore.p12").read_bytes(), password)
assert public(store.key.public_key()) == public(key.public_key())
assert store.cert.certificate == chain[0]
assert store.cert.friendly_name == b"devicekeyentry", store.cert.friendly_name
assert [c.certificate for c in store.additional_certs] == chain[1:]
trust = pkcs12.load_pkcs12((directory / "truststore.p12").read_bytes(), password)
assert trust.key is None and trust.cert is None
assert [c.certificate for c in trust.additional_certs] == chain[2:]
print("good")
"#;

#[test]
fn python_loads_everything_and_verifies_signatures() {
    let Some(python) = python_with("cryptography") else { return };
    for_each(|key_type, _, cli| {
        let said = python.run(&["-c", PYTHON, &cli.arg("out/d"), PASSWORD]);
        assert!(said.ends_with("good\n"), "{key_type}: {said}");
    });
}

#[test]
fn legacy_protection_is_for_old_readers() {
    let cli = Cli::with_cas();
    cli.ok(&format!(
        "device issue d --ca line --out out --bundle p12 --compat legacy --iterations 2000 {CA_PW} \
         --store-password-file pw"
    ));
    let Some(openssl) = tool("openssl") else { return };
    let (store, pass) = (cli.arg("out/d/keystore.p12"), format!("pass:{PASSWORD}"));
    let info = openssl.run(&["pkcs12", "-in", &store, "-passin", &pass, "-info", "-noout"]);
    assert!(info.contains("pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 2000"), "{info}");
    assert!(info.contains("MAC: sha1, Iteration 2000"), "{info}");
}
