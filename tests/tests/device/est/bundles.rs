//! Bundles over the API: key and certificate are made for a device, and answered once.

use c8y_pki_tests::cli::{CA_PW, walk};
use c8y_pki_tests::tool;
use serde_json::{Value, json};

use super::Site;

/// A password that nobody guesses.
const PASSWORD: &str = "vMYOKXsOHpWq5tgMFTyNe0Ld";

/// A text of an answer.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text and not {value}")).to_owned()
}

/// The base64 in a PEM text, without line ends.
fn payload(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with("-----")).collect()
}

impl Site {
    /// Asks for a bundle of a device of the order `acme`.
    fn bundle(&self, token: &str, id: &str, body: &Value) -> super::Answer {
        self.send(token, &format!("/v1/orders/acme/devices/{id}"), body)
    }

    /// Writes a keystore of an answer.
    fn keystore(&self, answer: &Value, name: &str) {
        self.openssl.write("store.b64", text(&answer["bundle"]["keystore"]));
        self.openssl.run(&format!("base64 -d -A -in @store.b64 -out @{name}"));
    }

    /// Refuses a key that is anywhere in the PKI directory or the log: as PEM, as DER in hex or as it is.
    fn holds_nowhere(&self, log: &str, key_pem: &str) {
        self.openssl.write("looked-for.pem", key_pem);
        self.openssl.run("pkey -in @looked-for.pem -outform DER -out @looked-for.der");
        let der = self.cli.read("looked-for.der");
        let said = self.openssl.run("pkey -in @looked-for.pem -noout -text");
        let hex: String = said
            .lines()
            .skip_while(|line| !line.starts_with("priv:"))
            .skip(1)
            .take_while(|line| line.starts_with(' '))
            .flat_map(|line| line.chars().filter(char::is_ascii_hexdigit))
            .collect();
        assert!(hex.len() >= 64, "{said}");
        let secret: Vec<u8> = (0..hex.len() / 2)
            .map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).expect("hex"))
            .collect();
        let needles = [secret.as_slice(), hex.as_bytes(), &payload(key_pem).into_bytes()[..60]];
        assert!(der.windows(secret.len()).any(|part| part == secret), "the judge sees the key");
        let mut files = 0;
        walk(&self.cli.path("pki"), &mut |path| {
            let Ok(bytes) = std::fs::read(path) else { return };
            files += 1;
            for needle in needles {
                let found = bytes.windows(needle.len()).any(|part| part == needle);
                assert!(!found, "{} has the key", path.display());
            }
        });
        assert!(files > 5);
        for needle in &needles[1..] {
            assert!(!log.contains(&*String::from_utf8_lossy(needle)), "{log}");
        }
    }
}

#[test]
fn key_and_certificate_are_made_and_answered_once() {
    let Some(mut site) = Site::new() else { return };
    let Some(keytool) = tool("keytool") else { return };
    let token = site.token("station-3 --role issue --order acme");

    // PEM: OpenSSL follows the certificate to the root, and it is for the key.
    let answer = site.bundle(&token, "gw-1", &json!({ "bundle": "pem" })).expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let first = answer.json();
    assert_eq!((&first["is_new"], &first["replaced"]), (&json!(true), &Value::Null));
    let bundle = &first["bundle"];
    assert_eq!((&bundle["kind"], &bundle["keystore"]), (&json!("pem"), &Value::Null));
    assert_eq!(bundle["password"], Value::Null);
    site.cli.write("a.key", text(&bundle["key"]));
    site.cli.write("a.pem", text(&first["certificate"]));
    site.cli.write("a.chain", text(&first["chain"]));
    let verified =
        site.openssl.run("verify -CAfile @pki/ca/root/cert.pem -untrusted @a.chain @a.pem");
    assert!(verified.contains("a.pem: OK"), "{verified}");
    let own = site.openssl.run("pkey -in @a.key -pubout");
    assert_eq!(site.openssl.run("x509 -in @a.pem -noout -pubkey"), own);

    // PKCS#12 with a password that was made here.
    let second = site.bundle(&token, "gw-2", &json!({ "bundle": "p12" })).expect(200).json();
    assert_eq!(second["bundle"]["key"], Value::Null);
    let made = text(&second["bundle"]["password"]);
    site.keystore(&second, "b.p12");
    let opened = site.openssl.run(&format!("pkcs12 -in @b.p12 -passin pass:{made} -nodes"));
    site.openssl.write("b.all", &opened);
    let key = site.openssl.run("pkey -in @b.all");
    site.cli.write("b.pem", text(&second["certificate"]));
    let own = site.openssl.run("pkey -in @b.all -pubout");
    assert_eq!(site.openssl.run("x509 -in @b.pem -noout -pubkey"), own);
    assert_eq!(opened.matches("BEGIN CERTIFICATE").count(), 3, "{opened}");

    // JKS with a password of the station.
    let body = json!({ "bundle": "jks", "password": PASSWORD });
    let third = site.bundle(&token, "gw-3", &body).expect(200).json();
    assert_eq!(third["bundle"]["password"], Value::Null);
    site.keystore(&third, "c.jks");
    let store = site.cli.arg("c.jks");
    let listed = keytool.run(&["-list", "-v", "-keystore", &store, "-storepass", PASSWORD]);
    assert!(listed.contains("devicekeyentry") && listed.contains("PrivateKeyEntry"), "{listed}");
    assert!(listed.contains("Certificate chain length: 3"), "{listed}");

    // A second request, of whichever kind, and one of the device itself.
    for body in [json!({ "bundle": "pem" }), json!({ "bundle": "jks" })] {
        let had = site.bundle(&token, "gw-1", &body).expect(409).problem();
        assert!(had.contains("was delivered or its answer was lost"), "{had}");
        assert!(had.contains("\"replace\": true"), "{had}");
    }
    site.request("own", "gw-1");
    site.issue(&token, "/v1/orders/acme/devices/gw-1", "own").expect(409).problem();
    site.enrol(1, "own.b64").expect(401);
    assert_eq!(site.certificates("gw-1"), 1);

    // The device renews over EST with what it has got.
    site.request("next", "gw-1");
    let next = site.renew("a", "next.b64").expect(200);
    site.certificate(&next, "next");

    let (code, log) = site.stop();
    assert_eq!(code, 0);
    assert!(log.contains(r#""bundle":"p12""#) && log.contains(r#""bundle":"jks""#), "{log}");
    assert!(!log.contains(&made) && !log.contains(PASSWORD) && !log.contains("panicked"), "{log}");
    site.holds_nowhere(&log, &site.cli.text("a.key"));
    site.holds_nowhere(&log, &key);
    site.cli.ok("registry check");
}

#[test]
fn a_bundle_whose_answer_was_lost_is_replaced_and_nothing_else_is() {
    let Some(mut site) = Site::new() else { return };
    let token = site.token("station-3 --role issue --order acme");
    let again = json!({ "bundle": "pem", "replace": true });
    // There is nothing to replace: it is made all the same.
    let first = site.bundle(&token, "gw-1", &again).expect(200).json();
    assert_eq!(first["replaced"], Value::Null);
    let next = site.bundle(&token, "gw-1", &again).expect(200).json();
    assert_eq!(next["replaced"], first["serial"]);
    assert_ne!(next["bundle"]["key"], first["bundle"]["key"]);
    let history = site.history("gw-1");
    assert_eq!(history.matches(r#""status":"live""#).count(), 1, "{history}");
    assert_eq!(history.matches(r#""status":"superseded""#).count(), 1, "{history}");

    // Certificates that were made in another way: over EST, for a request over the API, by hand.
    site.enrolled(2, "est");
    site.request("api", "gw-3");
    site.issue(&token, "/v1/orders/acme/devices/gw-3", "api").expect(200);
    site.cli.write("store.pw", PASSWORD);
    site.cli.ok(&format!(
        "device issue gw-4 --ca line --bundle p12 --store-password-file store.pw --out out {CA_PW}"
    ));
    site.cli.ok(&format!("device issue gw-5 --ca line --into tar --out out.tar {CA_PW}"));
    for id in ["gw-2", "gw-3", "gw-4", "gw-5"] {
        for body in [&again, &json!({ "bundle": "pem" })] {
            let why = site.bundle(&token, id, body).expect(409).problem();
            assert!(why.contains("no bundle that can be replaced here"), "{id}: {why}");
        }
        assert_eq!(site.certificates(id), 1);
    }

    // One that was renewed, revoked, or is known to be in use.
    site.bundle(&token, "gw-6", &again).expect(200);
    site.cli.ok("device revoke gw-6 --reason cessationOfOperation");
    site.bundle(&token, "gw-6", &again).expect(409).problem();
    site.cli.write("a.key", text(&next["bundle"]["key"]));
    site.cli.write("a.pem", text(&next["certificate"]));
    site.request("renewed", "gw-1");
    site.renew("a", "renewed.b64").expect(200);
    site.bundle(&token, "gw-1", &again).expect(409).problem();

    site.bundle(&token, "gw-7", &again).expect(200);
    site.cli.write("seven.csv", "id\ngw-7\n");
    site.cli
        .ok(&format!("device manifest --from seven.csv --partial --handed-over --out m {CA_PW}"));
    let why = site.bundle(&token, "gw-7", &again).expect(409).problem();
    assert!(why.contains("has its bundle, and has connected with it or was handed over"), "{why}");

    // A token of another order, and one that has another role.
    site.cli.write("x.csv", "id\nx-1\n");
    site.cli.ok("order create other --from x.csv --ca line");
    let other = site.token("other --role issue --order other");
    site.bundle(&other, "gw-7", &again).expect(403).problem();
    let reads = site.token("reads --role read --role revoke");
    site.bundle(&reads, "gw-7", &again).expect(403).problem();
    site.send(&other, "/v1/orders/other/devices/gw-7", &again).expect(404).problem();

    // A newer order asks for another one.
    site.bundle(&token, "gw-8", &again).expect(200);
    site.cli.ok("order revoke acme --yes");
    site.cli.write("y.csv", "id\ngw-2\ngw-8\n");
    site.cli.ok("order create newer --from y.csv --ca line");
    let newer = site.token("newer --role issue --order newer");
    for id in ["gw-2", "gw-8"] {
        let path = format!("/v1/orders/newer/devices/{id}");
        site.send(&newer, &path, &json!({ "bundle": "pem" })).expect(200);
    }
    assert_eq!(site.stop().0, 0);
    let audit = site.cli.ok("registry export --what audit --json");
    assert_eq!(audit.matches(r#""by":"token newer""#).count(), 2, "{audit}");
    site.cli.ok("registry check");
}

#[test]
fn a_bundle_is_as_its_order_says() {
    let Some(mut site) = Site::new() else { return };
    site.cli.write("x.csv", "id,type\nx-1,c8y_Meter\n");
    site.cli.ok(
        "order create other --from x.csv --ca line --key-type ec-p384 --subject O=Acme --days 20 --bundle p12,truststore-p12",
    );
    let token = site.token("mes --role issue");
    let path = "/v1/orders/other/devices/x-1";
    let why = site.send(&token, path, &json!({ "bundle": "jks" })).expect(403).problem();
    assert_eq!(why, "the order other is for p12,truststore-p12, and jks is asked for");
    let made = site.send(&token, path, &json!({ "bundle": "p12", "password": PASSWORD }));
    let made = made.expect(200).json();
    site.cli.write("x.pem", text(&made["certificate"]));
    let said = site.openssl.run("x509 -in @x.pem -noout -text");
    assert!(said.contains("384 bit") && said.contains("O = Acme"), "{said}");
    let first = site.openssl.run("x509 -in @x.pem -noout -checkend 1641600");
    assert!(first.contains("will not expire"), "{first}");
    site.keystore(&made, "x.p12");
    site.openssl.run(&format!("pkcs12 -in @x.p12 -passin pass:{PASSWORD} -noout"));
    assert!(site.history("x-1").contains("c8y_Meter"));

    // What is no request for a bundle.
    let path = "/v1/orders/acme/devices/gw-1";
    for (body, said) in [
        (json!({}), "give a \"request\", or a \"bundle\""),
        (json!({ "bundle": "pem", "request": "x" }), "and not both"),
        (json!({ "bundle": "thin-edge" }), "is not as described"),
        (json!({ "bundle": "pem", "password": PASSWORD }), "has no password"),
        (json!({ "bundle": "p12", "password": "short" }), "fewer than 12 characters"),
        (json!({ "bundle": "p12", "password": "password1234" }), "the password is too weak"),
        (json!({ "bundle": "p12", "password": "vMYOKXsOHpWq5tg\u{e4}" }), "printable ASCII"),
        (json!({ "bundle": "p12", "password": 471147114711_u64 }), "a secret is a string"),
        (json!({ "request": "x", "replace": true }), "are for a \"bundle\""),
    ] {
        let why = site.send(&token, path, &body).expect(400).problem();
        assert!(why.contains(said), "{body}: {why}");
        assert!(!why.contains("4711471147") && !why.contains("vMYOKX"), "{why}");
    }
    assert_eq!(site.certificates("gw-1"), 0);
    assert_eq!(site.stop().0, 0);
    site.cli.ok("registry check");
}

#[test]
fn two_stations_at_once_get_one_bundle() {
    let Some(mut site) = Site::new() else { return };
    let token = site.token("mes --role issue");
    site.cli.write("sent.json", json!({ "bundle": "pem" }).to_string());
    let bearer = format!("Authorization: Bearer {token}");
    let words = ["--header", "Content-Type: application/json", "--data-binary", "@sent.json"];
    for number in 1..=4 {
        let path = format!("/v1/orders/acme/devices/gw-{number}");
        let ask = || site.asking(&path, &[&["--header", &bearer][..], &words].concat());
        let asked: Vec<_> = (0..3).map(|_| ask()).collect();
        let mut statuses: Vec<u16> = asked.into_iter().map(|one| one.join().status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409, 409]);
        assert_eq!(site.certificates(&format!("gw-{number}")), 1);
    }
    assert_eq!(site.stop().0, 0);
    site.cli.ok("registry check");
}
