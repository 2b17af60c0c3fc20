//! The sandbox as REST shows it: who may ask, trusted certificates, proof of possession, and every
//! status that the platform's documentation names.

use crate::client::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::key::signer::Signer;
use c8y_pki_sandbox::Settings;
use serde_json::{Value, json};

#[test]
fn who_asks_and_what_they_may() {
    let sandbox = start();
    let me = |user: &str| call(&sandbox, "GET", "/tenant/currentTenant").user(user).send();
    for (user, tenant) in [
        ("t1001/admin", "t1001"),
        ("reader", "t1001"),
        ("t1002/admin", "t1002"),
        ("management/admin", "management"),
    ] {
        let reply = me(user).expect(200);
        assert_eq!(reply.header("Server"), Some("c8y-pki-sandbox"));
        assert_eq!(reply.json()["name"], tenant);
        assert_eq!(reply.json()["domainName"], "localhost");
    }
    let anonymous = call(&sandbox, "GET", TRUSTED).send();
    assert!(anonymous.header("WWW-Authenticate").unwrap().starts_with("Basic "));
    anonymous.error(401);
    for user in ["t9999/admin", "t1001/nobody", "gw-1"] {
        me(user).error(401);
    }
    call(&sandbox, "GET", TRUSTED).basic("t1001/admin", "wrong").send().error(401);
    let bearer = |token: &str| {
        let call = call(&sandbox, "GET", "/user/currentUser");
        call.header("Authorization", &format!("Bearer {token}")).send()
    };
    let user = bearer(sandbox.token().expose()).expect(200).json();
    assert_eq!(user["userName"], "admin");
    assert_eq!(user["effectiveRoles"].as_array().unwrap().len(), 13);
    bearer("x.y.z").error(401);
    for (user, trusted, registration) in
        [("trust", 200, 403), ("devices", 403, 415), ("reader", 200, 403)]
    {
        assert_eq!(call(&sandbox, "GET", TRUSTED).user(user).send().status, trusted, "{user}");
        let reply = call(&sandbox, "POST", "/devicecontrol/bulkNewDeviceRequests").user(user);
        reply.send().error(registration);
    }
    call(&sandbox, "POST", TRUSTED).user("reader").json(&json!({})).send().error(403);
    // A user for each role, with no other.
    call(&sandbox, "GET", TRUSTED).user("ROLE_TENANT_ADMIN").send().expect(200);
    call(&sandbox, "GET", TRUSTED).user("ROLE_IDENTITY_READ").send().error(403);
    // HEAD is GET without the body.
    let head = call(&sandbox, "HEAD", TRUSTED).admin().send().expect(200);
    assert!(head.body.is_empty() && head.header("Content-Length").is_some_and(|n| n != "0"));
    call(&sandbox, "HEAD", &format!("{TRUSTED}/bulk")).admin().send().expect(405);
    call(&sandbox, "GET", TRUSTED).user("t1002/admin").send().error(403);
    call(&sandbox, "GET", TRUSTED).user("management/admin").send().error(403);
    let unknown = "/tenant/tenants/t9999/trusted-certificates";
    call(&sandbox, "GET", unknown).admin().send().error(404);
}

#[test]
fn paths_methods_and_types() {
    let sandbox = start();
    call(&sandbox, "GET", "/inventory/managedObjects").admin().send().error(404);
    call(&sandbox, "GET", "/tenant/currentTenant/").admin().send().error(404);
    let reply = call(&sandbox, "DELETE", TRUSTED).admin().send();
    assert_eq!(reply.header("Allow"), Some("GET, POST"));
    reply.error(405);
    let text = call(&sandbox, "POST", TRUSTED).admin().header("Content-Type", "text/plain");
    text.body("x").send().error(415);
    let json = |body: &str| {
        let call = call(&sandbox, "POST", TRUSTED).admin();
        call.header("Content-Type", "application/json").body(body).send()
    };
    json("{").error(422);
    json("[]").error(422);
    let large = call(&sandbox, "POST", "/devicecontrol/bulkNewDeviceRequests").admin();
    large.announce((32 << 20) + 1).send().error(413);
}

#[test]
fn the_life_of_a_trusted_certificate() {
    let sandbox = start();
    let (ca, _) = root(KeyType::EcP256, "Root");
    let created = call(&sandbox, "POST", TRUSTED).admin().json(&upload(&ca)).send().expect(201);
    let object = created.json();
    let fingerprint = ca.fingerprint_sha1();
    assert_eq!(object["fingerprint"], fingerprint.as_str());
    assert_eq!(object["subject"], "CN=Root");
    assert_eq!(object["algorithmName"], "SHA256withECDSA");
    assert_eq!(object["version"], 3);
    assert_eq!(object["autoRegistrationEnabled"], false);
    assert_eq!(object["proofOfPossessionValid"], false);
    let not_after = object["notAfter"].as_str().unwrap();
    assert!(not_after.len() == 24 && not_after.ends_with(".000Z"), "{not_after}");
    let one = format!("{TRUSTED}/{fingerprint}");
    assert_eq!(object["self"], format!("{}{one}", sandbox.url()));
    assert_eq!(call(&sandbox, "GET", &one).admin().send().expect(200).json(), object);
    call(&sandbox, "POST", TRUSTED).admin().json(&upload(&ca)).send().error(409);
    let change = |value: Value| call(&sandbox, "PUT", &one).admin().json(&value).send();
    let changed = change(json!({ "autoRegistrationEnabled": "true" })).expect(200).json();
    assert_eq!(changed["autoRegistrationEnabled"], true);
    assert_eq!(changed["name"], "CA");
    assert_eq!(change(json!({ "status": "DISABLED" })).json()["status"], "DISABLED");
    change(json!({ "status": "OFF" })).error(422);
    let other = format!("{TRUSTED}/{}", "0".repeat(40));
    call(&sandbox, "GET", &other).admin().send().error(404);
    call(&sandbox, "PUT", &other).admin().json(&json!({})).send().error(404);
    call(&sandbox, "DELETE", &other).admin().send().error(404);
    let gone = call(&sandbox, "DELETE", &one).admin().send().expect(204);
    assert_eq!(gone.body, b"");
    call(&sandbox, "GET", &one).admin().send().error(404);
}

#[test]
fn the_forms_of_a_certificate() {
    let sandbox = start();
    let body_of = |pem: &str| {
        let lines = pem.lines().filter(|line| !line.starts_with("-----"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let forms: [fn(&str, &[String]) -> String; 4] = [
        |pem, _| pem.replace('\n', ""),
        |_, lines| lines.join("\n"),
        |_, lines| lines.concat(),
        |pem, _| pem.replace('\n', "\r\n"),
    ];
    for form in forms {
        let (ca, _) = root(KeyType::EcP256, "Form");
        let pem = ca.pem();
        let mut value = upload(&ca);
        value["certInPemFormat"] = form(&pem, &body_of(&pem)).into();
        let reply = call(&sandbox, "POST", TRUSTED).admin().json(&value).send().expect(201);
        assert_eq!(reply.json()["certInPemFormat"], body_of(&pem).join("\n"));
    }
}

#[test]
fn certificates_that_are_refused() {
    let sandbox = start();
    let root = root(KeyType::EcP256, "Root");
    let refused =
        |value: &Value| call(&sandbox, "POST", TRUSTED).admin().json(value).send().error(422);
    assert!(refused(&upload(&device("gw-1", &root).0)).contains("CA:TRUE"));
    assert!(refused(&upload(&expired_root().0)).contains("expired"));
    let with = |field: &str, value: Value| {
        let mut upload = upload(&root.0);
        upload[field] = value;
        upload
    };
    let two = format!("{0}{0}", root.0.pem());
    for pem in ["", "x", two.as_str(), "-----BEGIN CERTIFICATE-----"] {
        assert!(refused(&with("certInPemFormat", pem.into())).contains("certInPemFormat"));
    }
    assert!(refused(&with("status", "ON".into())).contains("status"));
    assert!(refused(&with("autoRegistrationEnabled", 1.into())).contains("autoRegistration"));
    assert!(refused(&json!({ "certInPemFormat": root.0.pem() })).contains("status"));
    let query = format!("{TRUSTED}?addToTrustStore=yes");
    call(&sandbox, "POST", &query).admin().json(&upload(&root.0)).send().error(422);
    assert_eq!(sandbox.state()["tenants"]["t1001"]["trusted_certificates"], json!([]));
}

#[test]
fn many_at_once_are_all_or_none() {
    let sandbox = start();
    let [a, b] = ["A", "B"].map(|name| root(KeyType::EcP256, name).0);
    let bulk = |certificates: Vec<Value>| {
        let value = json!({ "certificates": certificates });
        call(&sandbox, "POST", &format!("{TRUSTED}/bulk")).admin().json(&value).send()
    };
    let held =
        || sandbox.state()["tenants"]["t1001"]["trusted_certificates"].as_array().unwrap().len();
    bulk(vec![upload(&a), upload(&expired_root().0)]).error(422);
    bulk(vec![upload(&a), upload(&a)]).error(409);
    assert_eq!(held(), 0);
    let made = bulk(vec![upload(&a), upload(&b)]).expect(201).json();
    assert_eq!(made["certificates"].as_array().unwrap().len(), 2);
    bulk(vec![upload(&root(KeyType::EcP256, "C").0), upload(&b)]).error(409);
    assert_eq!(held(), 2);
}

#[test]
fn page_by_page() {
    let sandbox = start();
    for number in 0..7 {
        trust(&sandbox, &root(KeyType::EcP256, &format!("Root {number}")).0);
    }
    let get = |query: &str| call(&sandbox, "GET", &format!("{TRUSTED}{query}")).admin().send();
    let first = get("?withTotalPages=true&withTotalElements=true").expect(200).json();
    assert_eq!(first["certificates"].as_array().unwrap().len(), 5);
    let statistics =
        json!({ "currentPage": 1, "pageSize": 5, "totalElements": 7, "totalPages": 2 });
    assert_eq!(first["statistics"], statistics);
    assert!(first["self"].is_string() && first.get("prev").is_none());
    let next = first["next"].as_str().unwrap().strip_prefix(&sandbox.url()).unwrap().to_owned();
    let second = call(&sandbox, "GET", &next).admin().send().expect(200).json();
    assert_eq!(second["certificates"].as_array().unwrap().len(), 2);
    assert_eq!(second["statistics"]["totalPages"], 2, "the other parameters are kept");
    assert!(second.get("next").is_none() && second["prev"].is_string());
    let all = get("?pageSize=2000").json();
    assert_eq!(all["certificates"].as_array().unwrap().len(), 7);
    assert_eq!(all["statistics"], json!({ "currentPage": 1, "pageSize": 2000 }));
    assert_eq!(get("?currentPage=9").json()["certificates"], json!([]));
    for bad in ["?pageSize=2001", "?pageSize=0", "?currentPage=0", "?currentPage=x"] {
        get(bad).error(422);
    }
}

#[test]
fn without_accept_there_is_no_body() {
    let sandbox = start();
    let (ca, _) = root(KeyType::EcP256, "Root");
    let post = || call(&sandbox, "POST", TRUSTED).basic("admin", PASSWORD).json(&upload(&ca));
    let silent = post().send().expect(201);
    assert_eq!((silent.body.as_slice(), silent.header("Content-Type")), (&b""[..], None));
    assert_eq!(post().header("Accept", "text/html").send().expect(409).body, b"");
    assert!(!post().header("Accept", "*/*").send().expect(409).body.is_empty());
    let get = call(&sandbox, "GET", TRUSTED).basic("admin", PASSWORD).send().expect(200);
    assert_eq!(get.json()["certificates"].as_array().unwrap().len(), 1);
}

/// Asks for a code and signs it.
fn prove(sandbox: &c8y_pki_sandbox::Sandbox, (ca, key): &Pair, change: &str) -> Reply {
    let fingerprint = ca.fingerprint_sha1();
    let code = call(sandbox, "POST", &pop(&fingerprint, "verification-code")).admin().send();
    let object = code.expect(200).json();
    let code = object["proofOfPossessionUnsignedVerificationCode"].as_str().unwrap();
    assert!((140..160).contains(&code.len()), "{code}");
    assert!(object["proofOfPossessionVerificationCodeUsableUntil"].is_string());
    let signature = key.sign_sha256(format!("{code}{change}").as_bytes()).unwrap();
    submit(sandbox, &fingerprint, &STANDARD.encode(signature))
}

fn submit(sandbox: &c8y_pki_sandbox::Sandbox, fingerprint: &str, signature: &str) -> Reply {
    let value = json!({ "proofOfPossessionSignedVerificationCode": signature });
    call(sandbox, "POST", &pop(fingerprint, "pop")).admin().json(&value).send()
}

#[test]
fn proof_of_possession() {
    let sandbox = start();
    for key_type in [KeyType::Rsa2048, KeyType::EcP256, KeyType::EcP384] {
        let pair = root(key_type, &format!("Root {key_type}"));
        let fingerprint = trust(&sandbox, &pair.0);
        // A code is there from the upload on.
        submit(&sandbox, &fingerprint, "AAAA").error(400);
        prove(&sandbox, &pair, "x").error(400);
        submit(&sandbox, &fingerprint, "no base64").error(400);
        // A line end behind the code does no harm.
        let end = if key_type == KeyType::EcP256 { "\n" } else { "" };
        let done = prove(&sandbox, &pair, end).expect(200).json();
        assert_eq!(done["proofOfPossessionValid"], true, "{key_type}");
        assert!(done.get("proofOfPossessionUnsignedVerificationCode").is_none());
        submit(&sandbox, &fingerprint, "AAAA").error(422);
    }
    let unknown = "0".repeat(40);
    for step in ["verification-code", "pop", "confirmed"] {
        let user = if step == "confirmed" { "management/admin" } else { "admin" };
        let call = call(&sandbox, "POST", &pop(&unknown, step)).user(user);
        call.json(&json!({})).send().error(404);
    }
}

#[test]
fn a_code_expires() {
    let sandbox = start_with(Settings { code_seconds: 0, ..Settings::default() });
    let pair = root(KeyType::EcP256, "Root");
    trust(&sandbox, &pair.0);
    assert!(prove(&sandbox, &pair, "").error(422).contains("until"));
}

#[test]
fn only_the_management_tenant_confirms() {
    let sandbox = start();
    let fingerprint = trust(&sandbox, &root(KeyType::EcP256, "Root").0);
    let confirm =
        |user: &str| call(&sandbox, "POST", &pop(&fingerprint, "confirmed")).user(user).send();
    confirm("admin").error(403);
    confirm("management/reader").error(403);
    let done = confirm("management/admin").expect(200).json();
    assert_eq!(done["proofOfPossessionValid"], true);
}

#[test]
fn two_tenants_lock_each_other_out() {
    let sandbox = start();
    let pair = root(KeyType::EcP256, "Shared");
    trust(&sandbox, &pair.0);
    let elsewhere = "/tenant/tenants/t1002/trusted-certificates";
    let other = |ca: &c8y_pki_core::cert::Certificate| {
        call(&sandbox, "POST", elsewhere).user("t1002/admin").json(&upload(ca)).send()
    };
    other(&pair.0).expect(201);
    let locked = |tenant: &str| {
        sandbox.state()["tenants"][tenant]["trusted_certificates"][0]["locked_out"].clone()
    };
    assert_eq!((locked("t1001"), locked("t1002")), (true.into(), true.into()));
    prove(&sandbox, &pair, "").expect(200);
    assert_eq!((locked("t1001"), locked("t1002")), (false.into(), true.into()));
    let proven = root(KeyType::EcP256, "Proven");
    trust(&sandbox, &proven.0);
    prove(&sandbox, &proven, "").expect(200);
    assert!(other(&proven.0).error(409).contains(&proven.0.fingerprint_sha1()));
}
