//! Orders one after the other, other CAs, other ids: whose password is for what.

use c8y_pki_tests::cli::CA_PW;
use serde_json::Value;

use super::{Answer, OTP, Site};

impl Site {
    /// Enrols with a login.
    fn enrol_as(&self, login: &str, file: &str) -> Answer {
        self.post("simpleenroll", file, &["--user", login])
    }

    /// Orders devices of a list for `line`.
    fn order(&self, name: &str, list: &str) {
        self.cli.write("list.csv", list);
        self.cli.ok(&format!("order create {name} --from list.csv --ca line"));
    }

    /// What the registry keeps of a device's live certificate besides.
    fn details(&self, id: &str) -> Value {
        let live = self.history(id);
        let live = live.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let mut live = live.filter(|record| record["status"] == "live");
        live.next().unwrap_or_else(|| panic!("{id} has one"))["details"].take()
    }
}

#[test]
fn the_password_of_a_newer_order_is_good_and_that_of_an_older_one_is_not() {
    let Some(mut site) = Site::new() else { return };
    site.enrolled(1, "a");
    site.cli.ok("order revoke acme --yes");
    site.order("second", "id,otp\ngw-1,Second-4711\nh-1,Hand-4711\n");
    site.request("b", "gw-1");
    // The former order's password is none any more.
    site.enrol(1, "b.b64").expect(401);
    let made = site.enrol_as("gw-1:Second-4711", "b.b64").expect(200);
    assert_eq!(site.enrol_as("gw-1:Second-4711", "b.b64").expect(200).body, made.body);
    site.request("c", "gw-1");
    let used = site.enrol_as("gw-1:Second-4711", "c.b64").expect(401).text();
    assert!(used.starts_with("gw-1 has had another certificate since it was ordered"), "{used}");

    // An order for a device that has a certificate from here: its password was not used.
    site.cli.ok(&format!("device issue n-1 n-2 --ca line --out out {CA_PW}"));
    site.order("third", "id,otp\nn-1,Third-4711\n");
    site.request("n", "n-1");
    let made = site.enrol_as("n-1:Third-4711", "n.b64").expect(200);
    assert_eq!(site.enrol_as("n-1:Third-4711", "n.b64").expect(200).body, made.body);

    // A password of a file is for the first certificate, by any way it was made.
    assert_eq!(site.stop().0, 0);
    site.cli.write("file.csv", "id,otp\nn-1,File-4711\nn-2,File-4712\n");
    site.start("--passwords file.csv");
    site.request("m", "n-2");
    let had = site.enrol_as("n-2:File-4712", "m.b64").expect(401).text();
    assert!(had.starts_with("n-2 has had a certificate already"), "{had}");
    // Also if an order of later has a password of its own.
    site.order("fourth", "id,otp\nn-2,Fourth-4711\n");
    site.enrol_as("n-2:File-4712", "m.b64").expect(401);
    site.enrol_as("n-2:Fourth-4711", "m.b64").expect(200);
    assert_eq!(site.stop().0, 0);
    site.cli.ok("registry check");
}

#[test]
fn a_certificate_of_another_ca_is_no_answer() {
    let Some(mut site) = Site::new() else { return };
    for id in ["o-1", "o-2"] {
        site.request(id, id);
        site.cli.ok(&format!("device sign {id}.der --ca root --out out {CA_PW}"));
    }
    site.order("later", "id,otp\no-2,Later-4711\n");
    assert_eq!(site.stop().0, 0);
    site.cli.write("file.csv", "id,otp\no-1,File-4711\n");
    site.start("--passwords file.csv");
    // The same key as in the certificate that the other CA has made.
    let had = site.enrol_as("o-1:File-4711", "o-1.b64").expect(401).text();
    assert!(had.starts_with("o-1 has had a certificate already"), "{had}");
    // An order of later asks for one of its own CA.
    let made = site.enrol_as("o-2:Later-4711", "o-2.b64").expect(200);
    site.certificate(&made, "o-2");
    let issuer = site.openssl.run("x509 -in @o-2.pem -noout -issuer -nameopt RFC2253");
    let line = site.openssl.run("x509 -in @pki/ca/line/cert.pem -noout -subject -nameopt RFC2253");
    assert_eq!(
        issuer.trim().split_once('='),
        line.trim().split_once('=').map(|(_, n)| ("issuer", n))
    );
    assert_eq!(site.enrol_as("o-2:Later-4711", "o-2.b64").expect(200).body, made.body);
    assert_eq!(site.stop().0, 0);
    site.cli.ok("registry check");
}

#[test]
fn an_id_is_that_of_the_list_to_the_letter() {
    let Some(mut site) = Site::new() else { return };
    site.request("a", "GW-1");
    let refused = site.enrol_as(&format!("GW-1:{OTP}1"), "a.b64").expect(401).text();
    assert_eq!(refused, "the id or its one-time password is wrong\n");
    let entry = site.entry();
    let reason = entry["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("\"GW-1\"") && reason.contains("\"gw-1\""), "{entry}");
    // One that a file lets in, beside an order or a live certificate that looks the same, and the name of a server.
    site.enrolled(2, "b");
    assert_eq!(site.stop().0, 0);
    site.cli.write("file.csv", "id,otp\nGW-1,File-4711\nGW-2,File-4712\nest,File-4713\n");
    site.start("--passwords file.csv");
    for (login, id) in
        [("GW-1:File-4711", "GW-1"), ("GW-2:File-4712", "GW-2"), ("est:File-4713", "est")]
    {
        site.request("c", id);
        site.enrol_as(login, "c.b64").expect(403);
    }
    assert_eq!(site.certificates("gw-1"), 0);
    assert_eq!(site.certificates("gw-2"), 1);
    site.enrolled(1, "d");
    assert_eq!(site.stop().0, 0);
    site.cli.ok("registry check");
}

#[test]
fn what_is_kept_of_a_device_stays_and_no_secret_is() {
    let Some(mut site) = Site::new() else { return };
    let list = "id,type,name,group,iccid\nd-1,c8y_Meter,Meter 1,Hall 3,8949000001\n";
    site.cli.write("known.csv", list);
    site.cli.ok(&format!("device issue --from known.csv --ca line --out out {CA_PW}"));
    let known = site.details("d-1");
    assert_eq!(known["iccid"], "8949000001", "{known}");
    for (operation, next) in [("simplereenroll", "e"), ("simpleenroll", "f")] {
        let (cert, key) = match next {
            "e" => ("out/d-1/cert.pem", "out/d-1/key.pem"),
            _ => ("e.pem", "e.key"),
        };
        site.request(next, "d-1");
        let file = format!("{next}.b64");
        let made = site.post(operation, &file, &["--cert", cert, "--key", key]).expect(200);
        site.certificate(&made, next);
        assert_eq!(site.details("d-1"), known, "{operation}");
    }
    // What a newer order says of it counts; the rest stays.
    site.order("next", "id,otp,GROUP,CREDENTIALS\nd-1,Next-4711,Hall 4,hunter2-4711\n");
    site.request("g", "d-1");
    let made = site.enrol_as("d-1:Next-4711", "g.b64").expect(200);
    site.certificate(&made, "g");
    let expected: Value = serde_json::from_str(
        r#"{"type":"c8y_Meter","name":"Meter 1","iccid":"8949000001","GROUP":"Hall 4"}"#,
    )
    .expect("JSON");
    assert_eq!(site.details("d-1"), expected);
    site.cli.ok("order revoke next --yes");
    assert_eq!(site.stop().0, 0);
}
