//! What enrolment at another CA needs, against OpenSSL: certificate requests that we make, and the
//! PKCS#7 with certificates that comes back.

use std::fs;
use std::path::Path;

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::csr;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::name::Name;
use c8y_pki_core::store::pkcs7;
use c8y_pki_tests::{Tool, arg, data_dir, tool};
use tempfile::TempDir;

fn certificates() -> Vec<Certificate> {
    let names = ["ec-p521.cert.pem", "intermediate.cert.pem", "root.cert.pem"];
    let texts = names.map(|name| fs::read(data_dir().join("keys").join(name)).expect(name));
    Certificate::all_from_pem_or_der(&texts.concat()).expect("certificates")
}

#[test]
fn openssl_verifies_requests_of_every_key_type() {
    let Some(openssl) = tool("openssl") else { return };
    let dir = TempDir::new().expect("a directory");
    let subject = Name::parse("CN=gw-0001,OU=Line 7,O=Exämple GmbH,C=DE").expect("a name");
    // OpenSSL knows ML-DSA since 3.5: see `ml_dsa`.
    for key_type in KeyType::ALL.into_iter().filter(|t| !matches!(t, KeyType::MlDsa(_))) {
        let key = PrivateKey::generate(key_type).expect("a key");
        let der = csr::make(&subject, &key).expect("a request");
        for (form, bytes) in [("DER", der.clone()), ("PEM", csr::pem(&der).into_bytes())] {
            let file = dir.path().join(form);
            fs::write(&file, bytes).expect("written");
            let args =
                ["req", "-verify", "-noout", "-subject", "-nameopt", "RFC2253,utf8,-esc_msb"];
            let said = openssl.run(&[&args[..], &["-inform", form, "-in", arg(&file)]].concat());
            assert!(said.contains("verify OK"), "{key_type} {form}: {said}");
            assert!(said.contains("CN=gw-0001,OU=Line 7,O=Exämple GmbH,C=DE"), "{said}");
        }
    }
}

#[test]
fn a_request_is_one_that_openssl_signs() {
    let Some(openssl) = tool("openssl") else { return };
    let dir = TempDir::new().expect("a directory");
    let [ca_key, ca, request, made] =
        ["ca.key", "ca.pem", "d.csr", "d.pem"].map(|name| dir.path().join(name));
    let ca_args =
        ["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let ca_files = ["-subj", "/CN=Other CA", "-keyout", arg(&ca_key), "-out", arg(&ca)];
    openssl.run(&[&ca_args[..], &ca_files].concat());
    let key = PrivateKey::generate(KeyType::EcP384).expect("a key");
    let subject = Name::parse("CN=gw-0001").expect("a name");
    fs::write(&request, csr::make(&subject, &key).expect("a request")).expect("written");
    let signs = ["x509", "-req", "-inform", "DER", "-in", arg(&request), "-out", arg(&made)];
    openssl.run(&[&signs[..], &["-CA", arg(&ca), "-CAkey", arg(&ca_key)]].concat());
    let made = fs::read(&made).expect("a certificate");
    let made = Certificate::all_from_pem_or_der(&made).expect("a certificate").remove(0);
    assert_eq!(made.spki, key.public_key().spki());
    assert_eq!(made.subject.der(), subject.der());
}

/// Has OpenSSL put certificates into PKCS#7.
fn crl2pkcs7(openssl: &Tool, certificates: &[Certificate], form: &str, dir: &Path) -> Vec<u8> {
    let (pem, out) = (dir.join("in.pem"), dir.join("out.p7b"));
    let text: String = certificates.iter().map(Certificate::pem).collect();
    fs::write(&pem, text).expect("written");
    let args = ["crl2pkcs7", "-nocrl", "-certfile", arg(&pem), "-outform", form, "-out", arg(&out)];
    openssl.run(&args);
    fs::read(&out).expect("PKCS#7")
}

#[test]
fn certificates_come_out_of_openssls_pkcs7() {
    let Some(openssl) = tool("openssl") else { return };
    let dir = TempDir::new().expect("a directory");
    let all = certificates();
    for form in ["DER", "PEM"] {
        for count in 1..=all.len() {
            let bytes = crl2pkcs7(&openssl, &all[..count], form, dir.path());
            assert_eq!(pkcs7::read(&bytes).expect("certificates"), all[..count], "{form}");
        }
    }
}

#[test]
fn certificates_come_out_of_signed_messages_in_ber() {
    let Some(openssl) = tool("openssl") else { return };
    let dir = TempDir::new().expect("a directory");
    let all = certificates();
    let [message, chain, out] = ["message", "chain.pem", "out"].map(|name| dir.path().join(name));
    fs::write(&message, "signed").expect("written");
    fs::write(&chain, all[1].pem() + &all[2].pem()).expect("written");
    let [cert, key] =
        ["cert", "key"].map(|kind| data_dir().join(format!("keys/ec-p521.{kind}.pem")));
    let signer = ["-signer", arg(&cert), "-inkey", arg(&key), "-certfile", arg(&chain)];
    let files = ["-in", arg(&message), "-out", arg(&out), "-outform", "DER"];
    // With -stream every length around the certificates is indefinite.
    for how in [&["-nodetach"][..], &["-nodetach", "-stream"], &[]] {
        openssl.run(&[&["cms", "-sign", "-binary"][..], how, &signer, &files].concat());
        let bytes = fs::read(&out).expect("CMS");
        assert_eq!(bytes[1] == 0x80, how.contains(&"-stream"), "{how:?}");
        let mut found = pkcs7::read(&bytes).expect("certificates");
        found.sort_by_key(|c| all.iter().position(|a| a == c));
        assert_eq!(found, all, "{how:?}");
    }
}

#[test]
fn openssl_reads_the_pkcs7_that_we_write() {
    let Some(openssl) = tool("openssl") else { return };
    let dir = TempDir::new().expect("a directory");
    let all = certificates();
    let [file, out] = ["written.p7b", "out.pem"].map(|name| dir.path().join(name));
    fs::write(&file, pkcs7::write(&all)).expect("written");
    let args = ["pkcs7", "-inform", "DER", "-in", arg(&file), "-print_certs", "-out", arg(&out)];
    openssl.run(&args);
    let found = Certificate::all_from_pem_or_der(&fs::read(&out).expect("PEM"));
    assert_eq!(found.expect("certificates"), all);
}
