//! Who may connect to the sandbox by MQTT: each code of CONNACK, and the true reason for it, which the
//! client is not told.

use crate::client::*;
use crate::mqtt_client::{CONNACK, Connect, Mqtt, lines, of, until};
use c8y_pki_core::cert::Certificate;
use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_sandbox::{Sandbox, Settings};
use serde_json::{Value, json};

/// The code for a CONNECT with that chain, and the reason that was noted.
#[track_caller]
fn attempt(
    sandbox: &Sandbox,
    identity: Option<(&[&Certificate], &PrivateKey)>,
    connect: &Connect,
) -> (u8, String) {
    let before = lines(sandbox, "CONNECT").len();
    let code = Mqtt::over(sandbox, tls(sandbox, identity)).connect(connect).expect("an answer");
    let all = lines(sandbox, "CONNECT");
    assert_eq!(all.len(), before + 1, "one line for each CONNECT");
    let line = &all[before];
    assert_eq!(line["status"], code, "{line}");
    assert_eq!(line["path"], *connect.client_id, "{line}");
    let subject = identity.map(|(chain, _)| chain[0].subject.to_string());
    assert_eq!(line["certificate"].as_str(), subject.as_deref());
    (code, line["reason"].as_str().unwrap_or_default().to_owned())
}

fn trust_with(sandbox: &Sandbox, ca: &Certificate, change: &Value) {
    let fingerprint = trust(sandbox, ca);
    let path = format!("{TRUSTED}/{fingerprint}");
    call(sandbox, "PUT", &path).admin().json(change).send().expect(200);
}

#[test]
fn a_device_with_what_it_needs_gets_in() {
    let sandbox = start();
    let root = root(KeyType::EcP256, "Root");
    let gateway = device("gw-1", &root);
    trust(&sandbox, &root.0);
    register(&sandbox, "ID;AUTH_TYPE\ngw-1;CERTIFICATES\n");
    let whole = [&gateway.0, &root.0];
    // The immediate issuer was uploaded, so it may be left out.
    for chain in [&whole[..], &whole[..1]] {
        for id in ["gw-1", "d:gw-1", "d:gw-1:template"] {
            let told = attempt(&sandbox, Some((chain, &gateway.1)), &of(id));
            assert_eq!(told, (0, String::new()), "{id}");
        }
    }
    // Who has a certificate is judged by it, whatever user it names.
    let named = of("d:gw-1").user("t1001", "");
    assert_eq!(attempt(&sandbox, Some((&whole, &gateway.1)), &named).0, 0);
    let line = &lines(&sandbox, "CONNECT")[0];
    assert_eq!(line["user"], "t1001/gw-1");
    assert_eq!(sandbox.state()["tenants"]["t1001"]["devices"][0]["created"], 1);
}

#[test]
fn why_a_certificate_is_refused() {
    let sandbox = start_with(Settings { require_proof: true, ..Settings::default() });
    let root = root(KeyType::EcP256, "Root");
    let line = intermediate("Line", &root);
    let [gateway, prefixed, other] = ["gw-1", "d:gw-1", "gw-9"].map(|id| device(id, &line));
    let refused = |pair: &Pair, chain: &[&Certificate], id: &str, part: &str| {
        let (code, reason) = attempt(&sandbox, Some((chain, &pair.1)), &of(id));
        assert_eq!(code, 5, "{reason}");
        assert!(reason.contains(part), "{reason}");
    };
    let full = [&gateway.0, &line.0, &root.0];
    let id = "d:gw-1";
    refused(&gateway, &full, id, "no uploaded certificate");
    let fingerprint = trust(&sandbox, &root.0);
    refused(&gateway, &full, id, "proof of possession");
    call(&sandbox, "POST", &pop(&fingerprint, "confirmed"))
        .user("management/admin")
        .send()
        .expect(200);
    refused(&gateway, &full, id, "gw-1 is not registered, and auto-registration is off");
    register(&sandbox, "ID;CREDENTIALS\ngw-1;Device-Secret-1\n");
    refused(&gateway, &full, id, "AUTH_TYPE BASIC");
    register(&sandbox, "ID;AUTH_TYPE\ngw-1;CERTIFICATES\n");
    assert_eq!(attempt(&sandbox, Some((&full, &gateway.1)), &of(id)).0, 0);

    refused(&gateway, &full[..1], id, "no uploaded certificate");
    refused(&gateway, &full[..2], id, "no uploaded certificate");
    refused(&gateway, &[&gateway.0, &root.0], id, "not followed by its signer");
    refused(&gateway, &[&gateway.0, &root.0, &line.0], id, "not followed by its signer");
    let long: Vec<&Certificate> = [&gateway.0].into_iter().chain([&root.0; 10]).collect();
    refused(&gateway, &long, id, "11 certificates");
    for wrong in ["d:gw-2", "gw-1:gw-2", "d:GW-1", "d: gw-1", "gw-1:d"] {
        refused(&gateway, &full, wrong, "is not the device identifier");
    }
    refused(&gateway, &full, "a:b:c:d", "three parts");
    refused(&prefixed, &[&prefixed.0, &line.0, &root.0], "d:gw-1", "contains ':'");
    let late = expired_device("gw-1", &line);
    refused(&late, &[&late.0, &line.0, &root.0], id, "expired");
    let forger = intermediate("Line", &crate::client::root(KeyType::EcP256, "Root"));
    let forged = device("gw-1", &forger);
    refused(&forged, &[&forged.0, &line.0, &root.0], id, "not signed by the next one");

    let change = |value: Value| {
        let path = format!("{TRUSTED}/{fingerprint}");
        call(&sandbox, "PUT", &path).admin().json(&value).send().expect(200);
    };
    change(json!({ "status": "DISABLED" }));
    refused(&gateway, &full, id, "DISABLED");
    change(json!({ "status": "ENABLED", "autoRegistrationEnabled": true }));
    // A refused device does not register itself.
    let nine = [&other.0, &line.0, &root.0];
    refused(&other, &nine, "d:gw-8", "is not the device identifier");
    assert_eq!(sandbox.state()["tenants"]["t1001"]["devices"].as_array().unwrap().len(), 1);
    assert_eq!(attempt(&sandbox, Some((&nine, &other.1)), &of("d:gw-9")).0, 0);
    assert_eq!(sandbox.state()["tenants"]["t1001"]["devices"][1]["automatic"], true);

    let serial = gateway.0.serial.to_string();
    let crls = json!({ "crls": [{ "serialNumberInHex": serial, "revocationDate": "" }] });
    let path = "/tenant/trusted-certificates/settings/crl";
    call(&sandbox, "PUT", path).admin().json(&crls).send().expect(204);
    assert_eq!(attempt(&sandbox, Some((&full, &gateway.1)), &of(id)).0, 0, "it is not looked at");
    assert!(sandbox.set_option("configuration", "crl.offline.check.enabled", "true"));
    refused(&gateway, &full, id, "revoked");
}

#[test]
fn the_same_ca_on_two_tenants() {
    let sandbox = start();
    let root = root(KeyType::EcP256, "Root");
    let gateway = device("gw-1", &root);
    let automatic = json!({ "autoRegistrationEnabled": true });
    trust_with(&sandbox, &root.0, &automatic);
    let chain = [&gateway.0, &root.0];
    let told = || attempt(&sandbox, Some((&chain, &gateway.1)), &of("d:gw-1"));
    assert_eq!(told().0, 0);
    let path = "/tenant/tenants/t1002/trusted-certificates";
    let also = call(&sandbox, "POST", path).user("t1002/admin").json(&upload(&root.0));
    let fingerprint = also.send().expect(201).json()["fingerprint"].as_str().unwrap().to_owned();
    let (code, reason) = told();
    assert_eq!(code, 5);
    assert!(reason.contains("on another tenant too, without proof"), "{reason}");
    call(&sandbox, "POST", &pop(&fingerprint, "confirmed"))
        .user("management/admin")
        .send()
        .expect(200);
    assert_eq!(told().0, 0);
}

#[test]
fn one_of_several_uploaded_certificates_suffices() {
    let sandbox = start_with(Settings { require_proof: true, ..Settings::default() });
    let root = root(KeyType::EcP256, "Root");
    let line = intermediate("Line", &root);
    let gateway = device("gw-1", &line);
    let chain = [&gateway.0, &line.0, &root.0];
    let told = || attempt(&sandbox, Some((&chain, &gateway.1)), &of("d:gw-1"));
    // The root lacks its proof; the one that is nearer needs none.
    trust(&sandbox, &root.0);
    let fingerprint = trust(&sandbox, &line.0);
    assert!(told().1.contains("not registered"));
    register(&sandbox, "ID;AUTH_TYPE\ngw-1;CERTIFICATES\n");
    assert_eq!(told().0, 0);
    let path = format!("{TRUSTED}/{fingerprint}");
    let disabled = json!({ "status": "DISABLED" });
    call(&sandbox, "PUT", &path).admin().json(&disabled).send().expect(200);
    let (code, reason) = told();
    assert!(code == 5 && reason.contains("DISABLED"), "{reason}");
}

#[test]
fn a_chain_of_ten_certificates() {
    let sandbox = start();
    let mut signers = vec![root(KeyType::EcP256, "Root")];
    for number in 1..9 {
        let next = intermediate(&format!("CA {number}"), signers.last().unwrap());
        signers.push(next);
    }
    let gateway = device("gw-1", signers.last().unwrap());
    let fingerprint = trust(&sandbox, &signers[0].0);
    call(&sandbox, "POST", &pop(&fingerprint, "confirmed"))
        .user("management/admin")
        .send()
        .expect(200);
    register(&sandbox, "ID;AUTH_TYPE\ngw-1;CERTIFICATES\n");
    let above = signers.iter().rev().map(|(cert, _)| cert);
    let chain: Vec<&Certificate> = [&gateway.0].into_iter().chain(above).collect();
    assert_eq!(chain.len(), 10);
    let told = attempt(&sandbox, Some((&chain, &gateway.1)), &of("d:gw-1"));
    assert_eq!(told, (0, String::new()));
}

#[test]
fn without_a_certificate_there_are_passwords() {
    let sandbox = start();
    register(&sandbox, "ID;CREDENTIALS\ngw-1;Device-Secret-1\n");
    let told = |connect: Connect| attempt(&sandbox, None, &connect);
    for user in ["t1001/admin", "t1002/reader", "management/devicebootstrap"] {
        assert_eq!(told(of("d:x").user(user, PASSWORD)), (0, String::new()), "{user}");
    }
    for user in ["t1001/device_gw-1", "t1001/gw-1"] {
        assert_eq!(told(of("d:gw-1").user(user, "Device-Secret-1")).0, 0, "{user}");
    }
    assert_eq!(lines(&sandbox, "CONNECT")[0]["user"], "t1001/admin");
    let refused = |connect: Connect, part: &str| {
        let (code, reason) = told(connect);
        assert_eq!(code, 4, "{reason}");
        assert!(reason.contains(part), "{reason}");
        assert!(!reason.contains("Secret"), "{reason}");
    };
    refused(of("d:gw-1"), "neither a certificate nor a user");
    refused(of("d:x").user("t1001/admin", "wrong"), "password is wrong");
    refused(of("d:x").user("t9/admin", PASSWORD), "no tenant \"t9\"");
    refused(of("d:x").user("admin", PASSWORD), "names no tenant");
    refused(of("d:gw-1").user("device_gw-1", "Device-Secret-1"), "names no tenant");
    refused(of("d:x").user("t1001/nobody", PASSWORD), "no user \"nobody\"");
    refused(of("d:x").user("management/devicebootstrap", "wrong"), "password is wrong");
    refused(of("d:gw-1").user("t1001/device_gw-1", PASSWORD), "with that password");
    refused(of("d:gw-2").user("t1001/device_gw-1", "Device-Secret-1"), "names \"gw-2\"");
    let without = Connect { password: None, ..of("d:x").user("t1001/admin", "") };
    refused(without, "no password");
    assert_eq!(told(of("").user("t1001/admin", PASSWORD)).0, 2);
    assert_eq!(told(of("d:").user("t1001/admin", PASSWORD)).0, 2);
    assert_eq!(told(of("AA:BB:CC:00").user("t1001/admin", PASSWORD)).0, 2);
    let page = sandbox.state().to_string();
    assert!(!page.contains(PASSWORD) && !page.contains("Device-Secret-1"));
}

#[test]
fn versions_and_sessions() {
    let sandbox = start();
    let told = |connect: Connect| attempt(&sandbox, None, &connect.user("t1001/admin", PASSWORD));
    let fits = "d:4567890123456789012345";
    assert_eq!((fits.len(), told(of(&fits[..23]).mqtt_3_1()).0), (24, 0));
    let (code, reason) = told(of(fits).mqtt_3_1());
    assert_eq!((code, reason.as_str()), (5, "the ClientId has 24 characters; MQTT 3.1 allows 23"));
    assert_eq!(told(of(fits)).0, 0);
    let (code, reason) = told(Connect { clean: false, ..of("d:x") });
    assert_eq!((code, reason.as_str()), (0, "clean session is false: it must be true"));
    for (name, level) in [("MQTT", 5), ("MQTT", 3), ("MQIsdp", 4)] {
        // A ClientId of a version that is not spoken is not read.
        let mut client = Mqtt::over(&sandbox, tls(&sandbox, None));
        assert_eq!(client.connect(&Connect { name, level, ..of("d:x") }), Some(1));
        let line = lines(&sandbox, "CONNECT").pop().unwrap();
        assert_eq!((&line["status"], &line["path"]), (&json!(1), &json!("")));
    }
}

#[test]
fn connections_fail_on_purpose() {
    let sandbox = start();
    let root = root(KeyType::EcP256, "Root");
    let gateway = device("gw-1", &root);
    trust_with(&sandbox, &root.0, &json!({ "autoRegistrationEnabled": true }));
    let chain = [&gateway.0, &root.0];
    let client = |spec: &str| {
        sandbox.set_faults(spec.parse().unwrap());
        Mqtt::over(&sandbox, tls(&sandbox, Some((&chain, &gateway.1))))
    };
    let devices = || sandbox.state()["tenants"]["t1001"]["devices"].as_array().unwrap().len();
    for (spec, code) in [("connack3=1", Some(3)), ("connack5=1", Some(5)), ("close=1", None)] {
        assert_eq!(client(spec).connect(&of("d:gw-1")), code, "{spec}");
        let line = lines(&sandbox, "CONNECT").pop().unwrap();
        assert_eq!(line["fault"], spec.trim_end_matches("=1"), "{line}");
        assert_eq!(line["status"], code.unwrap_or_default(), "{line}");
    }
    assert_eq!(devices(), 0, "it is not judged");
    // Accepted, then refused in place of the first answer.
    let mut late = client("late=1");
    assert_eq!(late.connect(&of("d:gw-1")), Some(0));
    late.send(&[0xc0, 0]);
    assert_eq!(late.expect(CONNACK), [0, 5]);
    assert_eq!(late.next(), None);
    assert_eq!(devices(), 1);
    // Silence lasts until the client has gone.
    let mut silent = client("silent=1");
    silent.send(&of("d:gw-1").packet());
    until(|| (lines(&sandbox, "CONNECT").len() == 5).then_some(()));
    drop(silent);
    // The same seed, the same fate.
    let fates = || -> Vec<_> {
        sandbox.set_faults("connack5=0.5,seed=3".parse().unwrap());
        let new = || Mqtt::over(&sandbox, tls(&sandbox, Some((&chain, &gateway.1))));
        (0..12).map(|_| new().connect(&of("d:gw-1"))).collect()
    };
    let first = fates();
    assert!(first.contains(&Some(0)) && first.contains(&Some(5)), "{first:?}");
    assert_eq!(fates(), first);
}
