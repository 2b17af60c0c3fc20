//! Devices that get their certificates.

use std::process::Command;

use c8y_pki_tests::cli::CA_PW;
use c8y_pki_tests::tool;
use serde_json::json;

use super::{OTP, Site};

#[test]
fn a_device_enrols_and_renews_as_in_the_rfc() {
    let Some(mut site) = Site::new() else { return };
    // RFC 7030, A.1: the CA certificates, also under the label.
    let authorities = site.curl("/.well-known/est/cacerts", &[]).expect(200);
    assert_eq!(authorities.header("content-type"), Some("application/pkcs7-mime"));
    site.certificate(&authorities, "cas");
    let listed = site.cli.text("cas.pem");
    assert_eq!(listed.matches("BEGIN CERTIFICATE").count(), 2, "{listed}");
    let labelled = site.curl("/.well-known/est/line/cacerts", &[]).expect(200);
    assert_eq!(labelled.body, authorities.body);
    site.curl("/.well-known/est/csrattrs", &[]).expect(204);

    // A.2: the first certificate, alone in the answer; OpenSSL follows it to the root.
    site.request("a", "gw-1");
    let first = site.enrol(1, "a.b64").expect(200);
    let kind = "application/pkcs7-mime; smime-type=certs-only";
    assert_eq!(first.header("content-type"), Some(kind));
    site.certificate(&first, "a");
    assert_eq!(site.cli.text("a.pem").matches("BEGIN CERTIFICATE").count(), 1);
    let verified =
        site.openssl.run("verify -CAfile @pki/ca/root/cert.pem -untrusted @cas.pem @a.pem");
    assert!(verified.contains("a.pem: OK"), "{verified}");
    let subject = site.openssl.run("x509 -in @a.pem -noout -subject -nameopt RFC2253");
    assert_eq!(subject.trim(), "subject=CN=gw-1");
    let own = site.openssl.run("pkey -in @a.key -pubout");
    assert_eq!(site.openssl.run("x509 -in @a.pem -noout -pubkey"), own);

    // The same request again, in every form that clients send: the same certificate.
    site.openssl.run("base64 -in @a.der -out @a.lines");
    site.openssl.run("req -inform DER -in @a.der -out @a.csr");
    // With its contents in words before the block.
    site.openssl.run("req -inform DER -in @a.der -text -out @a.txt");
    assert!(site.cli.text("a.txt").trim_start().starts_with("Certificate Request:"));
    for form in ["a.b64", "a.lines", "a.der", "a.csr", "a.txt"] {
        assert_eq!(site.enrol(1, form).expect(200).body, first.body, "{form}");
    }

    // A.3 and 4.2.2: renewed with the certificate, for another key.
    site.request("b", "gw-1");
    let renewed = site.renew("a", "b.b64").expect(200);
    site.certificate(&renewed, "b");
    assert_ne!(renewed.body, first.body);
    // Its answer was lost: the former certificate is good for that one alone.
    assert_eq!(site.renew("a", "b.b64").expect(200).body, renewed.body);
    site.request("c", "gw-1");
    let late = site.renew("a", "c.b64").expect(403).text();
    assert_eq!(late, "the client certificate was replaced by one for another key\n");
    // The next one, for the same key.
    site.openssl
        .run("req -new -config @openssl.cnf -key @b.key -subj /CN=gw-1 -outform DER -out @d.der");
    let third = site.renew("b", "d.der").expect(200);
    assert_ne!(third.body, renewed.body);
    assert_eq!(site.renew("b", "d.der").expect(200).body, third.body);

    let (code, log) = site.stop();
    assert_eq!(code, 0, "{log}");
    assert!(!log.contains(OTP), "{log}");
    let entries: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let made = entries.iter().filter(|entry| entry["is_new"] == true).count();
    assert_eq!(made, 3, "{log}");
    let one = entries.iter().find(|entry| entry["is_new"] == true).expect("an entry");
    for (field, value) in [
        ("event", json!("request")),
        ("client", json!("127.0.0.1")),
        ("method", json!("POST")),
        ("path", json!("/.well-known/est/simpleenroll")),
        ("status", json!(200)),
        ("device", json!("gw-1")),
        ("by", json!("password")),
    ] {
        assert_eq!(one[field], value, "{one}");
    }
    site.cli.ok("registry check");
}

#[test]
fn strongswan_enrols_and_renews() {
    let Some(mut site) = Site::new() else { return };
    let Some(pki) = tool("pki") else { return };
    let run = |words: &str| {
        let output = Command::new(pki.path())
            .current_dir(site.cli.path(""))
            .args(words.split_whitespace())
            .output()
            .expect("pki starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "pki {words}: {said}");
        output.stdout
    };
    let (url, cas) = (site.url(), "--cacert pki/ca/root/cert.pem --cacert pki/ca/line/cert.pem");
    run(&format!(
        "--estca --url {url} --cacert pki/ca/root/cert.pem --caout swan.pem --outform pem"
    ));
    for name in ["s", "t"] {
        site.cli.write(&format!("{name}.key"), run("--gen --type ecdsa --size 256 --outform pem"));
        let request = format!("--req --in {name}.key --type ecdsa --dn CN=gw-2 --outform pem");
        site.cli.write(&format!("{name}.csr"), run(&request));
    }
    let user = format!("--userpass gw-2:{OTP}2");
    let first = run(&format!("--est --url {url} --in s.csr {cas} {user} --outform pem"));
    site.cli.write("s.pem", &first);
    let old = "--cert s.pem --key s.key";
    let next = run(&format!("--est --url {url} --in t.csr {cas} {old} --outform pem"));
    assert!(first != next && next.starts_with(b"-----BEGIN CERTIFICATE"));
    assert_eq!(site.stop().0, 0);
    site.cli.ok("registry check");
}

#[test]
fn passwords_profile_and_subject_are_those_of_the_order_or_the_options() {
    let Some(mut site) = Site::new() else { return };
    assert_eq!(site.stop().0, 0);
    site.cli.write("x.csv", "id,otp\nx-1,Other-Once-1\n");
    site.cli.ok(
        "order create other --from x.csv --ca line --subject O=Acme --days 20 --key-type ec-p384",
    );
    // Two devices in no order, whose registration has passwords.
    site.cli.write("no.csv", "ID;ENROLLMENT_OTP\nn-1;No-Order-1\nn-2;No-Order-2\n");
    site.start("--passwords no.csv --org Example --days 10");
    site.request("n", "n-1");
    let made = site.post("simpleenroll", "n.b64", &["--user", "n-1:No-Order-1"]).expect(200);
    site.certificate(&made, "n");
    let subject = |name: &str| {
        site.openssl.run(&format!("x509 -in @{name}.pem -noout -subject -nameopt RFC2253"))
    };
    assert_eq!(subject("n").trim(), "subject=CN=n-1,O=Example");
    site.openssl.run("x509 -in @n.pem -noout -checkend 777600");

    // The order wants another type of key.
    site.request("x", "x-1");
    let login = ["--user", "x-1:Other-Once-1"];
    let refused = site.post("simpleenroll", "x.b64", &login).expect(403).text();
    assert!(refused.contains("the order other is for keys of type ec-p384"), "{refused}");
    site.openssl.run(
        "req -new -config @openssl.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -subj /CN=x-1 \
         -keyout @x.key -outform DER -out @x.der",
    );
    let made = site.post("simpleenroll", "x.der", &login).expect(200);
    site.certificate(&made, "x");
    assert_eq!(subject("x").trim(), "subject=CN=x-1,O=Acme");
    // Of the list nothing secret is kept with the certificate.
    assert!(!site.history("x-1").contains("Other-Once-1"));

    // A file of passwords that is replaced is read again.
    site.cli.write("no.csv", "ID;ENROLLMENT_OTP\nn-2;Quite-Another-2\n");
    while site.entry()["event"] != "reloaded" {}
    site.request("m", "n-2");
    site.post("simpleenroll", "m.b64", &["--user", "n-2:No-Order-2"]).expect(401);
    site.post("simpleenroll", "m.b64", &["--user", "n-2:Quite-Another-2"]).expect(200);

    // Another CA of the directory does not lend its devices.
    site.cli.ok(&format!("device issue r-1 --ca root --out out {CA_PW}"));
    site.request("r", "r-1");
    let own = ["--cert", "out/r-1/cert.pem", "--key", "out/r-1/key.pem"];
    let refused = site.post("simplereenroll", "r.b64", &own).expect(403).text();
    assert_eq!(refused, "the client certificate is none of this service's CA\n");
}
