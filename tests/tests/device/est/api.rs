//! Stations that use the API: certificates are made, shown and revoked.

use c8y_pki_tests::cli::CA_PW;
use serde_json::{Value, json};

use super::{OTP, Site};

#[test]
fn a_station_has_requests_signed_as_over_est() {
    let Some(mut site) = Site::new() else { return };
    site.cli.write("x.csv", "id\nx-1\n");
    site.cli.ok("order create other --from x.csv --ca line --subject O=Acme --days 20");
    let token = site.token("station-3 --role issue --order other --order acme");
    site.request("x", "x-1");
    let path = "/v1/orders/other/devices/x-1";
    let first = site.issue(&token, path, "x").expect(200).json();
    assert_eq!((&first["id"], &first["order"]), (&json!("x-1"), &json!("other")));
    assert_eq!(first["is_new"], true);

    // As the order says, with the device's own key, and OpenSSL follows it to the root.
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    site.cli.write("x.pem", text(&first["certificate"]));
    site.cli.write("x.chain", text(&first["chain"]));
    assert_eq!(site.cli.text("x.chain").matches("BEGIN CERTIFICATE").count(), 3);
    let verified =
        site.openssl.run("verify -CAfile @pki/ca/root/cert.pem -untrusted @x.chain @x.pem");
    assert!(verified.contains("x.pem: OK"), "{verified}");
    let subject = site.openssl.run("x509 -in @x.pem -noout -subject -nameopt RFC2253");
    assert_eq!(subject.trim(), "subject=CN=x-1,O=Acme");
    let own = site.openssl.run("pkey -in @x.key -pubout");
    assert_eq!(site.openssl.run("x509 -in @x.pem -noout -pubkey"), own);
    let serial = site.openssl.run("x509 -in @x.pem -noout -serial").trim().to_lowercase();
    assert_eq!(serial, format!("serial={}", text(&first["serial"])));

    // The same request again, and another one.
    let again = site.issue(&token, path, "x").expect(200).json();
    assert_eq!((&again["certificate"], &again["is_new"]), (&first["certificate"], &json!(false)));
    site.request("y", "x-1");
    let had = site.issue(&token, path, "y").expect(409).problem();
    assert!(had.starts_with("x-1 has had a certificate for another key since"), "{had}");
    // An id is one to the letter, and may have other forms in a path.
    let form = "/v1/orders/other/devices/%78%2D1";
    assert_eq!(site.issue(&token, form, "x").expect(200).json()["serial"], first["serial"]);
    site.issue(&token, "/v1/orders/other/devices/X-1", "x").expect(403);
    site.request("z", "x-2");
    site.issue(&token, path, "z").expect(403);

    // One path for both: what EST has made, the API answers again, and the other way round.
    site.enrolled(1, "a");
    let same = site.issue(&token, "/v1/orders/acme/devices/gw-1", "a").expect(200).json();
    assert_eq!(same["is_new"], false);
    site.request("b", "gw-2");
    site.issue(&token, "/v1/orders/acme/devices/gw-2", "b").expect(200);
    site.request("c", "gw-2");
    site.enrol(2, "b.b64").expect(200);
    site.enrol(2, "c.b64").expect(401);

    let (code, log) = site.stop();
    assert_eq!(code, 0, "{log}");
    assert!(!log.contains(&token) && !log.contains(&token[token.len() - 32..]), "{log}");
    let entries = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let made = entries.into_iter().find(|entry| entry["is_new"] == true).expect("an entry");
    for (field, value) in [
        ("path", json!(path)),
        ("status", json!(200)),
        ("token", json!("station-3")),
        ("by", json!("token")),
        ("device", json!("x-1")),
        ("serial", first["serial"].clone()),
    ] {
        assert_eq!(made[field], value, "{made}");
    }
    let audit = site.cli.ok("registry export --what audit --json");
    assert_eq!(audit.matches(r#""by":"token station-3""#).count(), 2, "{audit}");
    assert!(audit.contains(r#""action":"service-token""#), "{audit}");
    site.cli.ok("registry check");
}

#[test]
fn what_there_is_is_shown() {
    let Some(mut site) = Site::new() else { return };
    let token = site.token("mes --role read");
    site.enrolled(1, "a");
    let device = site.api(&token, "/v1/devices/GW-1", &[]).expect(200).json();
    assert_eq!((&device["id"], &device["order"]), (&json!("gw-1"), &json!("acme")));
    let one = &device["certificates"][0];
    assert_eq!((&one["status"], &one["ca"]), (&json!("live"), &json!("line")));
    let pem = one["certificate"].as_str().expect("a text");
    assert!(site.cli.text("a.pem").contains(pem), "{device}");
    assert!(!device.to_string().contains(OTP), "{device}");
    // One that has no certificate yet.
    let open = site.api(&token, "/v1/devices/gw-2", &[]).expect(200).json();
    assert_eq!((&open["order"], &open["certificates"]), (&json!("acme"), &json!([])));
    let order = site.api(&token, "/v1/orders/acme", &[]).expect(200).json();
    assert_eq!(
        (&order["devices"], &order["issued"], &order["open"]),
        (&json!(8), &json!(1), &json!(7))
    );

    let ca = site.api(&token, "/v1/cas/line", &[]).expect(200).json();
    assert_eq!((&ca["parent"], &ca["crl"]), (&json!("root"), &json!(null)));
    assert_eq!(ca["chain"], site.cli.text("pki/ca/line/chain.pem"));
    site.api(&token, "/v1/cas/line/crl", &[]).expect(404);
    site.cli.ok("device revoke gw-1 --reason superseded");
    site.cli.ok(&format!("ca crl line {CA_PW}"));
    let ca = site.api(&token, "/v1/cas/line", &[]).expect(200).json();
    assert_eq!(ca["crl"]["revoked"], 1);
    let list = site.api(&token, "/v1/cas/line/crl", &[]).expect(200);
    assert_eq!(list.header("content-type"), Some("application/pkix-crl"));
    assert_eq!(list.header("cache-control"), Some("private, max-age=300"));
    site.cli.write("line.crl", &list.body);
    let said = site
        .openssl
        .run("crl -inform DER -in @line.crl -noout -text -CAfile @pki/ca/line/chain.pem");
    assert!(said.contains("Superseded"), "{said}");
    // Kept, and asked for again.
    let tag = list.header("etag").expect("a tag").to_owned();
    let known = format!("If-None-Match: {tag}");
    let same = site.api(&token, "/v1/cas/line/crl", &["--header", &known]).expect(304);
    assert!(same.body.is_empty() && same.header("etag") == Some(&tag), "{}", same.head);
    site.cli.ok(&format!("ca crl line {CA_PW}"));
    site.api(&token, "/v1/cas/line/crl", &["--header", &known]).expect(200);
    assert_eq!(site.stop().0, 0);
}

#[test]
fn a_certificate_is_revoked() {
    let Some(mut site) = Site::new() else { return };
    let token = site.token("desk --role revoke");
    site.enrolled(1, "a");
    let path = "/v1/devices/gw-1/revoke";
    for bad in [json!({}), json!({"reason": "certificateHold"}), json!({"reason": 1}), json!([])] {
        site.send(&token, path, &bad).expect(400).problem();
    }
    let more = json!({"reason": "superseded", "when": "now"});
    site.send(&token, path, &more).expect(400).problem();
    let other = json!({"reason": "superseded", "serial": "4711"});
    site.send(&token, path, &other).expect(404).problem();
    let done = site.send(&token, path, &json!({"reason": "keyCompromise"})).expect(200).json();
    let one = &done["certificates"][0];
    assert_eq!((&one["status"], &one["reason"]), (&json!("revoked"), &json!("keyCompromise")));
    // Again: it stays as it is.
    let again = site.send(&token, path, &json!({"reason": "superseded"})).expect(200).json();
    assert_eq!(again, done);
    site.send(&token, "/v1/devices/gw-2/revoke", &json!({"reason": "superseded"})).expect(409);
    site.send(&token, "/v1/devices/nobody/revoke", &json!({"reason": "superseded"})).expect(404);

    // One that was replaced, by its serial number; the live one stays.
    site.enrolled(3, "c");
    site.request("d", "gw-3");
    let next = site.renew("c", "d.b64").expect(200);
    site.certificate(&next, "d");
    let serial = site.openssl.run("x509 -in @c.pem -noout -serial").trim().to_lowercase();
    let serial = serial.trim_start_matches("serial=");
    let body = json!({"reason": "cessationOfOperation", "serial": serial});
    let shown = site.send(&token, "/v1/devices/gw-3/revoke", &body).expect(200).json();
    assert_eq!(shown["certificates"][0]["status"], "revoked");
    assert_eq!(shown["certificates"][1]["status"], "live");

    site.cli.ok(&format!("ca crl line {CA_PW}"));
    let listed = site.openssl.run("crl -in @pki/ca/line/crl.pem -noout -text").to_lowercase();
    assert!(listed.contains("key compromise") && listed.contains(serial), "{listed}");
    assert_eq!(site.stop().0, 0);
    let audit = site.cli.ok("registry export --what audit --json");
    assert_eq!(audit.matches(r#""by":"token desk""#).count(), 2, "{audit}");
    site.cli.ok("registry check");
}

#[test]
fn a_compromised_key_is_revoked_whole_or_not_at_all() {
    let Some(mut site) = Site::new() else { return };
    let token = site.token("desk --role revoke --ca line");
    // The same key twice, for the same device.
    site.enrolled(1, "a");
    site.openssl
        .run("req -new -config @openssl.cnf -key @a.key -subj /CN=gw-1 -outform DER -out @b.der");
    site.certificate(&site.renew("a", "b.der").expect(200), "b");
    let serial = site.openssl.run("x509 -in @a.pem -noout -serial").trim().to_lowercase();
    let serial = serial.trim_start_matches("serial=");
    let body = json!({"reason": "superseded", "serial": serial});
    let one = site.send(&token, "/v1/devices/gw-1/revoke", &body).expect(200).json();
    assert_eq!(one["certificates"][1]["status"], "live", "{one}");
    // The one that is named is revoked already; the other one has its key.
    let body = json!({"reason": "keyCompromise", "serial": serial});
    let done = site.send(&token, "/v1/devices/gw-1/revoke", &body).expect(200).json();
    let all = done["certificates"].as_array().expect("a list");
    assert_eq!(all.len(), 2);
    let reasons: Vec<&Value> = all.iter().map(|one| &one["reason"]).collect();
    assert_eq!(reasons, ["superseded", "keyCompromise"]);
    assert_eq!(site.stop().0, 0);
    site.cli.ok("registry check");
}
