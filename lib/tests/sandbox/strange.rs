//! What the platform does otherwise than one might think: its own CA that is renewed, profiles, users of
//! devices, one-time passwords that are blocked, a CA that is removed, verdicts on chains.

use crate::client::*;
use crate::devices::{certificate_in, enrol, request, token};
use crate::mqtt_client::{Mqtt, of};
use c8y_pki_core::crypto::KeyType;
use c8y_pki_sandbox::{Profile, Sandbox, Settings};
use serde_json::{Value, json};

const REQUESTS: &str = "/devicecontrol/newDeviceRequests";
const REFUSED: &str = "No newDeviceRequest found for this ID. It may already be registered, check the audit \
                       logs for details.";

/// Lets a device enrol once.
fn expect(sandbox: &Sandbox, id: &str, one_time: &str) -> Reply {
    let body = json!({ "id": id, "enrollmentToken": one_time });
    call(sandbox, "POST", REQUESTS).admin().json(&body).send()
}

fn post(sandbox: &Sandbox, path: &str) -> Reply {
    call(sandbox, "POST", path).admin().send()
}

#[test]
fn the_tenants_own_ca_is_renewed_under_its_name_and_key() {
    let sandbox = start_with(Settings { authority_days: 500, ..Settings::default() });
    post(&sandbox, "/certificate-authority/renew").error(404);
    let first = post(&sandbox, "/certificate-authority").expect(201).json();
    assert_eq!(first["subject"], "CN=t1001, O=localhost");
    assert_eq!(first["autoRegistrationEnabled"], true);
    let key = root(KeyType::EcP256, "only for its key");
    expect(&sandbox, "gw-1", "once-4711").expect(201);
    let enrolled = enrol(&sandbox, "gw-1", "once-4711", &request("gw-1", &key)).expect(200);
    let device = (certificate_in(&enrolled), key.1);
    let next = post(&sandbox, "/certificate-authority/renew").expect(201).json();
    assert_eq!(next["subject"], first["subject"]);
    assert_ne!(next["fingerprint"], first["fingerprint"]);
    let days = |object: &Value| object["notAfter"].as_str().unwrap()[..10].to_owned();
    assert!(days(&next) > days(&first));
    let all = call(&sandbox, "GET", TRUSTED).admin().send().json()["certificates"].clone();
    assert_eq!(all.as_array().unwrap().len(), 1, "it takes the place of the former");
    // What was issued before is good: alone, since the CA that it was issued by is not there any more.
    token(&sandbox, &device, &[]).expect(200);
    // It has three years now.
    post(&sandbox, "/certificate-authority/renew").error(404);
}

#[test]
fn a_ca_that_ends_within_a_year_issues_nothing() {
    let sandbox = start_with(Settings { authority_days: 300, ..Settings::default() });
    let key = root(KeyType::EcP256, "only for its key");
    expect(&sandbox, "gw-1", "once-4711").expect(201);
    let try_it = || enrol(&sandbox, "gw-1", "once-4711", &request("gw-1", &key)).error(404);
    assert_eq!(try_it(), "Failed to retrieve tenant keypair");
    post(&sandbox, "/certificate-authority").expect(201);
    assert!(try_it().ends_with("has a validity of less than one year"));
}

#[test]
fn an_answer_to_an_enrolment_by_profile() {
    for (profile, status, lines) in [(Profile::Field, 200, 1), (Profile::Documented, 201, 2)] {
        let sandbox = start_with(Settings { profile, ..Settings::default() });
        post(&sandbox, "/certificate-authority").expect(201);
        let key = root(KeyType::EcP256, "only for its key");
        expect(&sandbox, "gw-1", "once-4711").expect(201);
        // PEM is as good as base64.
        let body = request("gw-1", &key);
        let body = format!(
            "-----BEGIN CERTIFICATE REQUEST-----\n{}\n{}\n-----END CERTIFICATE REQUEST-----\n",
            &body[..64],
            &body[64..]
        );
        let reply = enrol(&sandbox, "gw-1", "once-4711", &body).expect(status);
        let text = String::from_utf8(reply.body.clone()).unwrap();
        assert!(text.lines().count().min(2) == lines, "{text}");
        // SEQUENCE of indefinite length.
        assert!(text.starts_with("MIAG"), "{text}");
        certificate_in(&reply);
    }
}

#[test]
fn revocations_in_a_file_by_profile() {
    let crl = "/tenant/trusted-certificates/settings/crl";
    let file = b"SERIAL NO.,REVOCATION DATE\na1,2025-01-01T00:00:00.000Z\n\
                 a1,2025-02-01T00:00:00.000Z\nb2,2999-01-01T00:00:00.000Z\n";
    for (profile, number, month) in [(Profile::Field, 2, "01"), (Profile::Documented, 1, "02")] {
        let sandbox = start_with(Settings { profile, ..Settings::default() });
        call(&sandbox, "PUT", crl).admin().file("text/csv", file).send().expect(204);
        let all = sandbox.state()["tenants"]["t1001"]["revocations"].clone();
        assert_eq!(all.as_array().unwrap().len(), number, "{all}");
        assert_eq!(all[0]["revocation_date"].as_str().unwrap()[5..7], *month, "{all}");
    }
}

#[test]
fn a_device_enrols_anew_once_its_user_is_removed() {
    let sandbox = start();
    post(&sandbox, "/certificate-authority").expect(201);
    let key = root(KeyType::EcP256, "only for its key");
    let body = request("gw-1", &key);
    for bad in ["short", &"x".repeat(33), "with\"quote"] {
        expect(&sandbox, "gw-1", bad).error(422);
    }
    let entered = expect(&sandbox, "gw-1", "once-4711").expect(201).json();
    assert_eq!(entered["status"], "ACCEPTED");
    expect(&sandbox, "gw-1", "once-4711").error(422);
    let enrolled = enrol(&sandbox, "gw-1", "once-4711", &body).expect(200);
    assert_eq!(enrol(&sandbox, "gw-1", "once-4711", &body).error(401), REFUSED);
    expect(&sandbox, "gw-1", "again-4711").error(422);
    let certificate = certificate_in(&enrolled);
    token(&sandbox, &(certificate.clone(), key.1), &[]).expect(200);
    let user = "/user/t1001/users/device_gw-1";
    let shown = call(&sandbox, "GET", &format!("{user}?withCertificates=true")).admin().send();
    let shown = shown.expect(200).json();
    let seen = &shown["provisionedCertificates"][0]["serialNumber"];
    assert_eq!(seen, &json!(certificate.serial.to_string()));
    call(&sandbox, "DELETE", user).user("devices").send().error(403);
    call(&sandbox, "DELETE", user).admin().send().expect(204);
    call(&sandbox, "GET", user).admin().send().error(404);
    expect(&sandbox, "gw-1", "again-4711").expect(201);
    let withdrawn = format!("{REQUESTS}/gw-1");
    call(&sandbox, "DELETE", &withdrawn).admin().send().expect(204);
    assert_eq!(enrol(&sandbox, "gw-1", "again-4711", &body).error(401), REFUSED);
}

#[test]
fn too_many_wrong_one_time_passwords_block_a_registration() {
    let sandbox = start();
    post(&sandbox, "/certificate-authority").expect(201);
    register(&sandbox, "ID;AUTH_TYPE;ENROLLMENT_OTP\ngw-1;CERTIFICATES;once-4711\n");
    let status = || {
        let one = call(&sandbox, "GET", &format!("{REQUESTS}/gw-1")).user("devices").send();
        one.expect(200).json()["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status(), "ACCEPTED");
    let body = request("gw-1", &root(KeyType::EcP256, "only for its key"));
    for _ in 0..10 {
        enrol(&sandbox, "gw-1", "wrong-4711", &body).error(401);
    }
    assert_eq!(status(), "BLOCKED");
    enrol(&sandbox, "gw-1", "once-4711", &body).error(401);
}

#[test]
fn a_ca_that_is_removed_takes_the_sessions_of_its_devices_along() {
    let sandbox = start();
    let [removed, kept] = ["Removed", "Kept"].map(|name| root(KeyType::EcP256, name));
    let connected = |id: &str, ca: &Pair| {
        let pair = device(id, ca);
        let chain = [&pair.0, &ca.0];
        let mut client = Mqtt::over(&sandbox, tls(&sandbox, Some((&chain, &pair.1))));
        assert_eq!(client.connect(&of(id)), Some(0));
        client
    };
    register(&sandbox, "ID;AUTH_TYPE\ngw-1;CERTIFICATES\ngw-2;CERTIFICATES\n");
    let fingerprint = trust(&sandbox, &removed.0);
    trust(&sandbox, &kept.0);
    let (mut first, mut second) = (connected("gw-1", &removed), connected("gw-2", &kept));
    let path = format!("{TRUSTED}/{fingerprint}");
    call(&sandbox, "DELETE", &path).admin().send().expect(204);
    assert_eq!(first.next(), None);
    second.ping();
}

#[test]
fn ids_that_no_device_can_have() {
    let sandbox = start();
    let rows = ["a b", "a/b", "a\\b", "a$b", "a:b", "a+b"];
    let csv: String = rows.iter().map(|id| format!("{id};CERTIFICATES\n")).collect();
    let told = register(&sandbox, &format!("ID;AUTH_TYPE\n{csv}"));
    assert_eq!(told["numberOfFailed"], 6, "{told}");
    // A full registration makes users whatever they are called.
    let full = register(&sandbox, "ID;AUTH_TYPE;TYPE;NAME\na+b;CERTIFICATES;t;n\n");
    assert_eq!(full["numberOfCreated"], 1, "{full}");
    for id in rows {
        call(&sandbox, "POST", REQUESTS).admin().json(&json!({ "id": id })).send().error(422);
    }
    // Nor does one register itself under such a name.
    let ca = root(KeyType::EcP256, "Root");
    let fingerprint = trust(&sandbox, &ca.0);
    let path = format!("{TRUSTED}/{fingerprint}");
    let automatic = json!({ "autoRegistrationEnabled": true });
    call(&sandbox, "PUT", &path).admin().json(&automatic).send().expect(200);
    let odd = device("gw 1", &ca);
    token(&sandbox, &odd, &[&odd.0, &ca.0]).error(422);
}

#[test]
fn a_verdict_is_that_of_the_judge_of_devices() {
    let sandbox = start();
    let ca = root(KeyType::EcP256, "Root");
    let gateway = device("gw-1", &ca);
    let pem = gateway.0.pem() + &ca.0.pem();
    let path = "/tenant/trusted-certificates/verify-cert-chain";
    let ask = |user: &str, pem: &str| {
        call(&sandbox, "POST", path).user(user).file("text/plain", pem.as_bytes()).send()
    };
    assert_eq!(ask("admin", &pem).error(401), "Invalid certificate chain!");
    trust(&sandbox, &ca.0);
    let told = ask("reader", &pem).expect(200).json();
    let wanted = json!({
        "successfullyValidated": true, "tenantId": "t1001", "issuer": "CN=Root", "subject": "CN=gw-1",
    });
    assert_eq!(told, wanted);
    // Of another tenant, too: it tells who holds the CA.
    assert_eq!(ask("t1002/admin", &pem).expect(200).json()["tenantId"], "t1001");
    ask("trust", &pem).error(403);
    ask("admin", "").error(400);
    ask("admin", &gateway.0.pem()).expect(200);
    assert_eq!(sandbox.state()["tenants"]["t1001"]["devices"], json!([]), "nothing is registered");
    let crls = json!({ "crls": [{ "serialNumberInHex": gateway.0.serial.to_string() }] });
    let crl = "/tenant/trusted-certificates/settings/crl";
    call(&sandbox, "PUT", crl).admin().json(&crls).send().expect(204);
    ask("admin", &pem).expect(200);
    assert!(sandbox.set_option("configuration", "crl.offline.check.enabled", "true"));
    ask("admin", &pem).error(401);
}
