//! The sandbox as devices meet it: registration, revocation, tokens, enrolment with the tenant's own
//! CA. What the answers do not say, the state does.

use crate::client::*;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use c8y_pki_core::cert::Certificate;
use c8y_pki_core::crl::Crl;
use c8y_pki_core::crypto::KeyType;
use c8y_pki_sandbox::{Sandbox, Settings};
use serde_json::{Value, json};

const REGISTRATION: &str = "/devicecontrol/bulkNewDeviceRequests";
const CRL: &str = "/tenant/trusted-certificates/settings/crl";
const TOKEN: &str = "/devicecontrol/deviceAccessToken";

fn tenant(sandbox: &Sandbox) -> Value {
    sandbox.state()["tenants"]["t1001"].clone()
}

#[test]
fn registration_tells_what_became_of_each_row() {
    let sandbox = start();
    let file = "ID;AUTH_TYPE;CREDENTIALS;TYPE;NAME;PATH;site.floor\n\
                gw-1;CERTIFICATES;;t;Gateway 1;Plant/Line 7;3\n\
                AA:BB;CERTIFICATES;;t;n;;\n\
                gw-2;BASIC;Device-Secret-1;t;n;;\n\
                gw-1;CERTIFICATES;;t;n;;\n\
                gw-3;;;t;n;;\n";
    let answer = register(&sandbox, file);
    let numbers = ["numberOfAll", "numberOfCreated", "numberOfSuccessful", "numberOfFailed"];
    assert_eq!(numbers.map(|name| answer[name].as_u64().unwrap()), [5, 2, 2, 3]);
    let failed = answer["failedCreationList"].as_array().unwrap();
    let lines: Vec<_> = failed.iter().map(|f| f["line"].as_str().unwrap()).collect();
    assert_eq!(lines, ["3", "5", "6"]);
    assert!(failed.iter().all(|f| f["bulkNewDeviceStatus"] == "FAILED"));
    let again = register(&sandbox, "ID;AUTH_TYPE\ngw-1;CERTIFICATES\n");
    assert_eq!(again["numberOfCreated"], 0);
    assert_eq!(again["credentialUpdatedList"][0]["bulkNewDeviceStatus"], "CREDENTIAL_UPDATED");
    let state = tenant(&sandbox);
    let device = &state["devices"][0];
    assert_eq!((&device["id"], &device["created"]), (&json!("gw-1"), &json!(1)));
    assert_eq!(device["groups"], json!(["Plant", "Line 7"]));
    assert_eq!(device["properties"], json!({ "site": { "floor": "3" } }));
    assert_eq!(state["groups"], json!(["Plant", "Plant/Line 7"]));
    let first = &state["registrations"][0];
    assert_eq!(
        (&first["rows"], &first["created"], &first["failed"]),
        (&json!(5), &json!(2), &json!(3))
    );
    assert!(!sandbox.state().to_string().contains("Device-Secret-1"));
}

#[test]
fn registrations_that_are_refused_whole() {
    let sandbox = start();
    let post = || call(&sandbox, "POST", REGISTRATION).admin();
    post().json(&json!({})).send().error(415);
    post().file("application/json", b"ID\n").send().error(415);
    for file in ["", "NAME\nx\n", "ID;ICCID\na;1\n", "ID;a[0]\nx;1\n"] {
        post().file("text/csv", file.as_bytes()).send().error(422);
    }
    let nameless = "--x\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\nID\r\n--x--\r\n";
    let form = post().header("Content-Type", "multipart/form-data; boundary=x");
    assert!(form.body(nameless).send().error(422).contains("file"));
    let cut = post().header("Content-Type", "multipart/form-data; boundary=x");
    cut.body(&nameless[..60]).send().error(422);
    let managed = call(&sandbox, "POST", REGISTRATION).user("management/admin");
    managed.file("text/csv", b"ID;AUTH_TYPE\na;CERTIFICATES\n").send().error(422);
    let managed = call(&sandbox, "POST", REGISTRATION).user("management/admin");
    let file = b"ID;AUTH_TYPE;TENANT\na;CERTIFICATES;t1002\nb;CERTIFICATES;\nc;CERTIFICATES;t9\n";
    let reply = managed.file("text/csv; charset=utf-8", file).send().expect(201).json();
    assert_eq!((&reply["numberOfCreated"], &reply["numberOfFailed"]), (&json!(1), &json!(2)));
    assert_eq!(sandbox.state()["tenants"]["t1002"]["devices"][0]["id"], "a");
    assert_eq!(tenant(&sandbox)["devices"], json!([]));
}

#[test]
fn revocations_are_only_added() {
    let sandbox = start();
    let put = || call(&sandbox, "PUT", CRL).admin();
    let old = "2025-01-17T10:48:51.000Z";
    let entry =
        |serial: &str, date: &str| json!({ "serialNumberInHex": serial, "revocationDate": date });
    put().json(&json!({ "crls": [entry("00A1", old), entry("b2", "")] })).send().expect(204);
    let csv = b"SERIALNO,DATE\na1,2024-01-17T10:48:51.000Z\nc3,2099-01-01T00:00:00.000Z\n";
    put().file("text/csv", csv).send().expect(204);
    let state = tenant(&sandbox);
    let revocations = state["revocations"].as_array().unwrap();
    assert_eq!(revocations.len(), 3);
    assert_eq!(revocations[0], json!({ "serial_number": "a1", "revocation_date": old }));
    let reply = call(&sandbox, "GET", CRL).admin().send().expect(200);
    assert_eq!(reply.header("Content-Type"), Some("application/pkix-crl"));
    let crl = Crl::from_der(&reply.body).unwrap();
    let ca = Certificate::all_from_pem_or_der(sandbox.ca_pem().as_bytes()).unwrap();
    crl.verify_signature(ca[0].public_key.as_ref().unwrap()).unwrap();
    assert_eq!(crl.revoked.len(), 3);
    assert!(crl.revoked.iter().all(|entry| entry.at <= now()));
    let many: Vec<Value> = (0..5001).map(|n| entry(&format!("{n:x}"), "")).collect();
    assert!(put().json(&json!({ "crls": many })).send().error(400).contains("5001"));
    put().json(&json!({ "crls": many[..5000] })).send().expect(204);
    for bad in [entry("xyz", ""), entry("", ""), entry("1", "yesterday"), json!({})] {
        put().json(&json!({ "crls": [bad] })).send().error(400);
    }
    put().json(&json!({})).send().error(400);
    put().file("text/csv", b"any header\nd4,\n").send().expect(204);
    put().file("text/csv", b"SERIALNO,DATE\nnone,\n").send().error(400);
    put().header("Content-Type", "text/csv").body("x").send().error(415);
    call(&sandbox, "PUT", CRL).user("devices").json(&json!({ "crls": [] })).send().error(403);
}

/// Asks for a token, with a chain in the header unless it is empty.
pub(crate) fn token(sandbox: &Sandbox, pair: &Pair, chain: &[&Certificate]) -> Reply {
    let request = call(sandbox, "POST", TOKEN).with(&pair.0, &pair.1);
    let request = request.header("Accept", "application/json");
    let pem: String = chain.iter().map(|cert| cert.pem().replace('\n', " ")).collect();
    match chain {
        [] => request.send(),
        _ => request.header("X-Ssl-Cert-Chain", pem.trim()).send(),
    }
}

/// Why the last request was refused.
#[track_caller]
fn reason(sandbox: &Sandbox, reply: Reply) -> String {
    assert_eq!(reply.error(401), "Invalid credentials.", "the answer gives no reason");
    let state = sandbox.state();
    let last = state["connections"].as_array().unwrap().last().unwrap().clone();
    last["reason"].as_str().unwrap().to_owned()
}

#[test]
fn a_device_gets_a_token() {
    let sandbox = start();
    let root = root(KeyType::EcP256, "Root");
    let gateway = device("gw-1", &root);
    trust(&sandbox, &root.0);
    register(&sandbox, "ID;AUTH_TYPE\ngw-1;CERTIFICATES\n");
    // Its immediate issuer was uploaded: the header may be left out.
    for chain in [&[][..], &[&gateway.0, &root.0], &[&gateway.0]] {
        let answer = token(&sandbox, &gateway, chain).expect(200).json();
        let token = answer["accessToken"].as_str().unwrap();
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!((&claims["sub"], &claims["ten"]), (&json!("device_gw-1"), &json!("t1001")));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
        let bearer = format!("Bearer {token}");
        let me = call(&sandbox, "GET", "/user/currentUser").header("Authorization", &bearer);
        assert_eq!(me.send().expect(200).json()["userName"], "device_gw-1");
        let trusted = call(&sandbox, "GET", TRUSTED).header("Authorization", &bearer);
        trusted.send().error(403);
        assert!(!sandbox.state().to_string().contains(token));
    }
}

#[test]
fn why_a_device_gets_no_token() {
    let sandbox = start_with(Settings { require_proof: true, ..Settings::default() });
    let root = root(KeyType::EcP256, "Root");
    let line = intermediate("Line", &root);
    let [gateway, colon] = ["gw-1", "d:gw-1"].map(|id| device(id, &line));
    let full = [&gateway.0, &line.0, &root.0];
    let refused = |pair: &Pair, chain: &[&Certificate], part: &str| {
        let reason = reason(&sandbox, token(&sandbox, pair, chain));
        assert!(reason.contains(part), "{reason}");
    };
    refused(&gateway, &full, "no uploaded certificate");
    let fingerprint = trust(&sandbox, &root.0);
    let change = |value: Value| {
        let path = format!("{TRUSTED}/{fingerprint}");
        call(&sandbox, "PUT", &path).admin().json(&value).send().expect(200);
    };
    refused(&gateway, &full, "proof of possession");
    call(&sandbox, "POST", &pop(&fingerprint, "confirmed"))
        .user("management/admin")
        .send()
        .expect(200);
    refused(&gateway, &full, "not registered");
    refused(&gateway, &[], "no uploaded certificate");
    refused(&gateway, &full[..2], "no uploaded certificate");
    refused(&gateway, &[&gateway.0, &root.0], "not followed by its signer");
    // The certificate of the handshake goes in front.
    refused(&gateway, &[&root.0, &line.0, &gateway.0], "not followed by its signer");
    refused(&colon, &[&colon.0, &line.0, &root.0], "':'");
    register(&sandbox, "ID;CREDENTIALS\ngw-1;Device-Secret-1\n");
    refused(&gateway, &full, "BASIC");
    register(&sandbox, "ID;AUTH_TYPE\ngw-1;CERTIFICATES\n");
    token(&sandbox, &gateway, &full).expect(200);
    token(&sandbox, &gateway, &full[1..]).expect(200);
    change(json!({ "status": "DISABLED" }));
    refused(&gateway, &full, "DISABLED");
    change(json!({ "status": "ENABLED", "autoRegistrationEnabled": true }));
    let second = device("gw-2", &line);
    token(&sandbox, &second, &[&second.0, &line.0, &root.0]).expect(200);
    assert_eq!(tenant(&sandbox)["devices"][1]["automatic"], true);
    let late = expired_device("gw-3", &line);
    refused(&late, &[&late.0, &line.0, &root.0], "expired");
    let serial = gateway.0.serial.to_string();
    let crls = json!({ "crls": [{ "serialNumberInHex": serial, "revocationDate": "" }] });
    call(&sandbox, "PUT", CRL).admin().json(&crls).send().expect(204);
    // Not until the check is switched on.
    token(&sandbox, &gateway, &full).expect(200);
    let option = "/tenant/options/configuration/crl.offline.check.enabled";
    call(&sandbox, "GET", option).admin().send().error(404);
    call(&sandbox, "PUT", option).admin().json(&json!({ "value": "true" })).send().expect(200);
    refused(&gateway, &full, "revoked");
    call(&sandbox, "DELETE", option).admin().send().expect(204);
    token(&sandbox, &gateway, &full).expect(200);
    let bare = call(&sandbox, "POST", TOKEN).header("Accept", "*/*").send();
    assert!(reason(&sandbox, bare).contains("no certificate in its handshake"));
}

/// A PKCS#10 in base64: made by rcgen's layout is not at hand, so written here by hand.
pub(crate) fn request(id: &str, pair: &Pair) -> String {
    use c8y_pki_core::key::signer::Signer;
    fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
        let length = contents.len();
        let head = match u8::try_from(length) {
            Ok(short) if short < 0x80 => vec![tag, short],
            Ok(long) => vec![tag, 0x81, long],
            Err(_) => [&[tag, 0x82][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
        };
        [head, contents.to_vec()].concat()
    }
    let name = c8y_pki_core::name::Name::builder().with("CN", id).unwrap().build().unwrap();
    let parts = [&[2, 1, 0][..], name.der(), pair.1.public_key().spki(), &[0xa0, 0]].concat();
    let info = element(0x30, &parts);
    // ecdsa-with-SHA256
    let algorithm = [0x30, 10, 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let signature = [&[0], pair.1.sign(&info).unwrap().as_slice()].concat();
    let der = [info.as_slice(), &algorithm, &element(0x03, &signature)].concat();
    STANDARD.encode(element(0x30, &der))
}

pub(crate) fn enrol(sandbox: &Sandbox, id: &str, password: &str, body: &str) -> Reply {
    let call = call(sandbox, "POST", "/.well-known/est/simpleenroll").basic(id, password);
    call.header("Accept", "*/*")
        .header("Content-Type", "application/pkcs10")
        .header("Content-Transfer-Encoding", "base64")
        .body(body)
        .send()
}

/// The certificate in a PKCS#7: the only one, so it starts where a byte string of its length does.
pub(crate) fn certificate_in(reply: &Reply) -> Certificate {
    assert_eq!(reply.header("Content-Type"), Some("application/pkcs7-mime;smime-type=certs-only"));
    assert_eq!(reply.header("Content-Transfer-Encoding"), Some("base64"));
    let text: Vec<u8> = reply.body.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(text).unwrap();
    let found = (0..der.len()).find_map(|at| {
        // signerInfos, an empty SET, and the ends of four indefinite lengths stand behind it.
        Certificate::from_der(&der[at..der.len() - 10]).ok()
    });
    found.unwrap()
}

#[test]
fn enrolment_with_the_tenants_own_ca() {
    let sandbox = start();
    let root = root(KeyType::EcP256, "only for its key");
    register(
        &sandbox,
        "ID;AUTH_TYPE;ENROLLMENT_OTP\ngw-1;CERTIFICATES;once-4711\ngw-2;CERTIFICATES;\n",
    );
    let pair = device("gw-1", &root);
    let good = request("gw-1", &pair);
    enrol(&sandbox, "gw-1", "once-4711", &good).error(404);
    let create = || call(&sandbox, "POST", "/certificate-authority").admin().send();
    let authority = create().expect(201).json();
    assert_eq!(authority["tenantCertificateAuthority"], true);
    create().error(409);
    let list = call(&sandbox, "GET", &format!("{TRUSTED}?certificateAuthority=true")).admin();
    assert_eq!(list.send().json()["certificates"].as_array().unwrap().len(), 1);
    enrol(&sandbox, "gw-1", "wrong-4711", &good).error(401);
    enrol(&sandbox, "gw-2", "", &good).error(401);
    enrol(&sandbox, "gw-9", "once-4711", &good).error(401);
    enrol(&sandbox, "gw-1", "once-4711", "no request").error(400);
    enrol(&sandbox, "gw-1", "once-4711", "AAAA").error(400);
    enrol(&sandbox, "gw-1", "once-4711", &request("gw-2", &pair)).error(401);
    let mut forged = STANDARD.decode(&good).unwrap();
    let place = forged.windows(4).position(|w| w == b"gw-1").unwrap();
    forged[place..place + 4].copy_from_slice(b"gw-2");
    register(&sandbox, "ID;AUTH_TYPE;ENROLLMENT_OTP\ngw-2;CERTIFICATES;once-4712\n");
    let message = enrol(&sandbox, "gw-2", "once-4712", &STANDARD.encode(forged)).error(403);
    assert!(message.contains("not signed with the key"), "{message}");
    let wrapped = format!("{}\r\n{}\n", &good[..64], &good[64..]);
    let enrolled = enrol(&sandbox, "t1001/gw-1", "once-4711", &wrapped).expect(200);
    let certificate = certificate_in(&enrolled);
    assert_eq!(certificate.subject.common_name(), Some("gw-1"));
    assert_eq!(certificate.spki, pair.1.public_key().spki());
    let again = enrol(&sandbox, "gw-1", "once-4711", &good).error(401);
    assert!(again.starts_with("No newDeviceRequest found for this ID."), "{again}");
    let state = sandbox.state().to_string();
    assert!(!state.contains("once-4711") && !state.contains("once-4712"));

    let device = (certificate, pair.1);
    let token = token(&sandbox, &device, &[]).expect(200).json()["accessToken"].clone();
    let bearer = format!("Bearer {}", token.as_str().unwrap());
    let renew = |authorization: &str, body: &str| {
        let call = call(&sandbox, "POST", "/.well-known/est/simplereenroll");
        let call = call.header("Authorization", authorization).header("Accept", "*/*");
        call.header("Content-Type", "application/pkcs10").body(body).send()
    };
    let renewed = certificate_in(&renew(&bearer, &good).expect(200));
    assert_ne!(renewed.serial, device.0.serial);
    renew(&bearer, &request("gw-2", &device)).error(403);
    renew("Bearer x.y.z", &good).error(401);
    renew(&format!("Bearer {}", sandbox.token().expose()), &good).error(403);
    let text = call(&sandbox, "POST", "/.well-known/est/simplereenroll").header("Accept", "*/*");
    text.header("Authorization", &bearer).header("Content-Type", "text/plain").send().error(415);
    let enrolments = tenant(&sandbox)["enrolments"].clone();
    assert_eq!(
        (&enrolments[0]["renewal"], &enrolments[1]["renewal"]),
        (&json!(false), &json!(true))
    );
}

#[test]
fn external_ids_are_of_registered_devices() {
    let sandbox = start();
    let find = |kind: &str, id: &str| {
        let path = format!("/identity/externalIds/{kind}/{id}");
        call(&sandbox, "GET", &path)
    };
    let file = "ID;AUTH_TYPE;TYPE;NAME;IDTYPE;external-plant\n\
                gw-1;CERTIFICATES;t;n;;\n\
                gw-2;CERTIFICATES;t;n;c8y_Imei;no 7\n";
    register(&sandbox, file);
    let found = find("c8y_Serial", "gw-1").admin().send().expect(200).json();
    assert_eq!((&found["externalId"], &found["type"]), (&json!("gw-1"), &json!("c8y_Serial")));
    find("c8y_Imei", "gw-2").admin().send().expect(200);
    let other = find("plant", "no%207").admin().send().expect(200).json();
    assert_eq!(
        (&other["externalId"], &other["managedObject"]["id"]),
        (&"no 7".into(), &"gw-2".into())
    );
    for (kind, id) in [("c8y_Serial", "gw-2"), ("c8y_Imei", "gw-1"), ("c8y_Serial", "GW-1")] {
        find(kind, id).admin().send().error(404);
    }
    // Roles, and tenants.
    for user in ["t1001/trust", "t1001/devices"] {
        find("c8y_Serial", "gw-1").user(user).send().expect(200);
    }
    find("c8y_Serial", "gw-1").user("t1001/reader").send().error(403);
    find("c8y_Serial", "gw-1").user("t1002/admin").send().error(404);
    find("c8y_Serial", "gw-1").send().error(401);
    // A device may see its own.
    let own = |id: &str| {
        let bearer = format!("Bearer {}", sandbox.device_token("gw-1").expose());
        find("c8y_Serial", id).header("Authorization", &bearer).send()
    };
    own("gw-1").expect(200);
    own("gw-2").expect(403);
    call(&sandbox, "POST", "/identity/externalIds/c8y_Serial/gw-1").admin().send().error(405);
    call(&sandbox, "GET", "/identity/externalIds/c8y_Serial").admin().send().error(404);
}
