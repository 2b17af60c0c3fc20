//! Client certificates in place of tokens: made by OpenSSL, shown by curl.

use serde_json::{Value, json};

use super::{Answer, Site};

impl Site {
    /// Makes a CA that is none of ours: `<name>.pem`, `<name>.key`.
    fn foreign_ca(&self, name: &str) {
        self.openssl.run(&format!(
            "req -x509 -new -config @openssl.cnf -extensions ca -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
             -subj /CN={name} -days 30 -keyout @{name}.key -out @{name}.pem"
        ));
    }

    /// Has that CA make a certificate: `<file>.pem`, `<file>.key`.
    fn foreign_client(&self, ca: &str, file: &str, more: &str) {
        self.openssl.run(&format!(
            "req -new -config @openssl.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=mes \
             -keyout @{file}.key -out @{file}.csr"
        ));
        self.openssl.run(&format!(
            "x509 -req -in @{file}.csr -CA @{ca}.pem -CAkey @{ca}.key -CAcreateserial -extfile @openssl.cnf \
             -extensions device {more} -out @{file}.pem"
        ));
    }

    /// Asks the API with a client certificate.
    fn shows(&self, file: &str, path: &str, more: &[&str]) -> Answer {
        let (cert, key) = (format!("{file}.pem"), format!("{file}.key"));
        self.curl(path, &[&["--cert", &cert, "--key", &key][..], more].concat())
    }
}

#[test]
fn a_client_with_its_certificate_needs_no_token() {
    let Some(mut site) = Site::new() else { return };
    site.foreign_ca("plant");
    site.foreign_client("plant", "mes", "-days 20");
    // The same name of the same CA with another key, and one that will end.
    site.foreign_client("plant", "twin", "-days 20");
    let path = "/v1/orders/acme";
    site.shows("mes", path, &[]).expect(401).problem();

    let said = site
        .cli
        .ok("serve token add mes --role read --role issue --order acme --certificate mes.pem");
    let print = site.openssl.run("x509 -in @mes.pem -noout -fingerprint -sha256");
    let print = print.trim().rsplit('=').next().unwrap_or_default().replace(':', "").to_lowercase();
    assert_eq!(said.trim(), print);
    assert_eq!(site.shows("mes", path, &[]).expect(200).json()["open"], 8);
    let why = site.shows("twin", path, &[]).expect(401).problem();
    assert!(why.contains("is not that of a client of the API"), "{why}");
    // What its bytes are is no token.
    site.openssl.run("x509 -in @mes.pem -outform DER -out @mes.der");
    site.api(&print, path, &[]).expect(401);

    // Its roles and orders are held to as those of a token.
    let why =
        site.shows("mes", "/v1/devices/gw-1/revoke", &["--request", "POST"]).expect(403).problem();
    assert_eq!(why, "the certificate mes does not have the role revoke");
    site.shows("mes", "/v1/orders/other", &[]).expect(403).problem();
    let words = ["--header", "Content-Type: application/json", "--data-binary"];
    let made = site.shows(
        "mes",
        "/v1/orders/acme/devices/gw-1",
        &[&words[..], &[r#"{"bundle": "pem"}"#]].concat(),
    );
    made.expect(200);
    // A token beside it counts.
    let desk = site.token("desk --role revoke");
    site.api(&desk, path, &["--cert", "mes.pem", "--key", "mes.key"]).expect(403).problem();
    site.api("c8y-pki-token-00", path, &["--cert", "mes.pem", "--key", "mes.key"]).expect(401);

    // Listed, and taken back.
    let listed = site.cli.ok("serve token list --json");
    let mes: Value = serde_json::from_str(listed.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&mes["name"], &mes["certificate_sha256"]), (&json!("mes"), &json!(print)));
    assert!(mes["expires"].as_str().is_some_and(|end| end.ends_with('Z')), "{mes}");
    site.cli.ok("serve token remove mes");
    site.shows("mes", path, &[]).expect(401);
    let (code, log) = site.stop();
    assert_eq!(code, 0);
    let entries = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let made = entries.into_iter().find(|entry| entry["is_new"] == true).expect("an entry");
    assert_eq!((&made["token"], &made["by"]), (&json!("mes"), &json!("certificate")), "{made}");
    let audit = site.cli.ok("registry export --what audit --json");
    assert_eq!(audit.matches(r#""by":"certificate mes""#).count(), 1, "{audit}");
    assert!(audit.contains(&format!(r#""certificate_sha256":"{print}""#)), "{audit}");
    site.cli.ok("registry check");
}

#[test]
fn what_has_ended_is_a_device_or_no_client_is_not_let_in() {
    let Some(mut site) = Site::new() else { return };
    site.foreign_ca("plant");
    site.foreign_client("plant", "mes", "-days 20");
    site.foreign_client("plant", "ended", "-days -1");
    site.enrolled(1, "a");
    let add = |file: &str| format!("serve token add x --role read --certificate {file}");
    for (file, said) in [
        ("ended.pem", "the certificate has ended on "),
        ("a.pem", "the key of the certificate is that of the device \"gw-1\""),
        ("plant.pem", "the certificate is that of a CA"),
        ("servers/est/cert.pem", "is not for TLS clients"),
        ("mes.key", ""),
    ] {
        let refused = site.cli.run(&add(file)).expect(2);
        assert!(refused.error().contains(said), "{file}: {refused:?}");
    }
    // A certificate of another CA for a device's key.
    site.openssl.run("req -new -config @openssl.cnf -key @a.key -subj /CN=gw-1 -out @other.csr");
    site.openssl.run(
        "x509 -req -in @other.csr -CA @plant.pem -CAkey @plant.key -CAcreateserial -days 9 -out @other.pem",
    );
    assert!(site.cli.run(&add("other.pem")).expect(2).error().contains("a device is no client"));
    // What a device presents opens nothing.
    let path = "/v1/orders/acme";
    site.shows("a", path, &[]).expect(401).problem();
    site.cli.ok("serve token add mes --role read --certificate mes.pem");
    assert!(site.cli.run(&add("mes.pem")).expect(2).error().contains("known already, as \"mes\""));
    site.shows("a", path, &[]).expect(401).problem();
    site.shows("mes", path, &[]).expect(200);

    // Its issuer is named in the handshake: some clients present nothing to a server that does not name it.
    let connect = format!("s_client -connect {} -servername localhost", site.address);
    let named = |site: &Site| site.openssl.run(&connect).contains("CN = plant");
    let site_now = &site;
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !named(site_now) && std::time::Instant::now() < end {}
    assert!(named(&site), "the handshake names the issuer of the client");

    // One that has ended since it was let in.
    let text = |name: &str| site.cli.text(name).replace('\n', "\\n");
    let digest = |name: &str| {
        let said = site.openssl.run(&format!("x509 -in @{name} -noout -fingerprint -sha256"));
        said.trim().rsplit('=').next().unwrap_or_default().replace(':', "").to_lowercase()
    };
    let kept = site.cli.text("pki/service-tokens.json");
    let ended = kept
        .replace(&text("mes.pem"), &text("ended.pem"))
        .replace(&digest("mes.pem"), &digest("ended.pem"));
    site.cli.write("pki/service-tokens.json", ended);
    let why = site.shows("ended", path, &[]).expect(401).problem();
    assert!(why.starts_with("the client certificate has ended on "), "{why}");
    site.shows("mes", path, &[]).expect(401);
    assert_eq!(site.stop().0, 0);

    // A file that cannot be read shuts out the API, and no device.
    site.cli.write("pki/service-tokens.json", "{");
    site.start("");
    site.enrolled(2, "b");
    site.shows("mes", path, &[]).expect(503).problem();
    assert_eq!(site.stop().0, 0);
}
