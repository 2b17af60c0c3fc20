//! Requests that bring about each status of each operation, in an order in which they can.

use c8y_pki_tests::contract::{Call, Operation, Reply, Running};
use c8y_pki_tests::openssl::{EC, OpenSsl};
use serde_json::{Value, json};

const TRUSTED: &str = "/tenant/tenants/{tenantId}/trusted-certificates";
const ONE: &str = "/tenant/tenants/{tenantId}/trusted-certificates/{fingerprint}";
const POP: &str = "/tenant/tenants/{tenantId}/trusted-certificates-pop/{fingerprint}";
const REQUESTS: &str = "/devicecontrol/newDeviceRequests";
const REQUEST: &str = "/devicecontrol/newDeviceRequests/{requestId}";
const CREDENTIALS: &str = "/devicecontrol/deviceCredentials";
const BULK: &str = "/devicecontrol/bulkNewDeviceRequests";
const FEATURE: &str = "/features/{featureKey}";
const BY_TENANT: &str = "/features/{featureKey}/by-tenant";
const OF_TENANT: &str = "/features/{featureKey}/by-tenant/{tenantId}";
const EXTERNAL: &str = "/identity/externalIds/{type}/{externalId}";
const VERIFY: &str = "/tenant/trusted-certificates/verify-cert-chain";
const CRL: &str = "/tenant/trusted-certificates/settings/crl";
const TOKEN: &str = "/devicecontrol/deviceAccessToken";
const OPTION: &str = "/tenant/options/{category}/{key}";
const SYSTEM: &str = "/tenant/system/options/{category}/{key}";
const AUTHORITY: &str = "/certificate-authority";
const RENEW: &str = "/certificate-authority/renew";
const ENROLL: &str = "/.well-known/est/simpleenroll";
const REENROLL: &str = "/.well-known/est/simplereenroll";
const CHAIN_HEADER: &str = "X-Cumulocity-Client-Cert-Chain";

/// A path with something for each of its names.
pub(super) fn example(path: &str) -> String {
    let zeros = "0".repeat(40);
    [
        ("{tenantId}", "t1001"),
        ("{fingerprint}", zeros.as_str()),
        ("{requestId}", "nobody"),
        ("{featureKey}", "certificate-authority"),
        ("{type}", "c8y_Serial"),
        ("{externalId}", "nobody"),
        ("{category}", "configuration"),
        ("{key}", "crl.offline.check.enabled"),
        ("{id}", "1"),
    ]
    .iter()
    .fold(path.to_owned(), |path, (name, value)| path.replace(name, value))
}

/// The answer to the user that has one role and no other.
pub(super) fn as_role(running: &Running, operation: &Operation, role: &str) -> Reply {
    // Only the management tenant confirms.
    let tenant = if operation.path.ends_with("/confirmed") { "management" } else { "t1001" };
    let path = example(&operation.path).replace("/t1001/", &format!("/{tenant}/"));
    let call = running.as_user(&format!("{tenant}/{role}"), &operation.method, &path);
    // A request without what it has to have, so that nothing is done.
    match operation.method.as_str() {
        "GET" | "DELETE" => call.send(),
        _ if operation.path.contains("/est/") => call.body("application/pkcs10", "-").send(),
        _ if operation.path == VERIFY => call.form(&[("file", "text/plain", "-")]).send(),
        _ if operation.path == BULK => call.form(&[("file", "text/csv", "ID\n")]).send(),
        _ => call.json(&json!({ "certificates": 1 })).send(),
    }
}

struct Walk<'a> {
    running: &'a Running,
    all: &'a [Operation],
    openssl: OpenSsl,
    hold: &'a mut dyn FnMut(&Operation, &Reply),
}

impl Walk<'_> {
    /// A call of the administrator; `of` says what stands for the names of the path.
    fn call(&self, method: &str, path: &str, of: &[(&str, &str)]) -> Call<'_> {
        self.call_as("admin", method, path, of)
    }

    fn call_as(&self, user: &str, method: &str, path: &str, of: &[(&str, &str)]) -> Call<'_> {
        self.running.as_user(user, method, &filled(path, of))
    }

    /// Holds an answer to the description, and to the status that it has to have.
    #[track_caller]
    fn hold(&mut self, method: &str, path: &str, status: &[u16], reply: Reply) -> Reply {
        let operation = self.all.iter().find(|o| o.method == method && o.path == path);
        let operation = operation.unwrap_or_else(|| panic!("{method} {path} is not described"));
        (self.hold)(operation, &reply);
        assert!(status.contains(&reply.status), "{} {}: {}", reply.to, reply.status, reply.text());
        reply
    }

    /// With a body of JSON, as the administrator.
    #[track_caller]
    fn send(
        &mut self,
        method: &str,
        path: &str,
        of: &[(&str, &str)],
        body: Value,
        status: u16,
    ) -> Reply {
        let reply = self.call(method, path, of).json(&body).send();
        self.hold(method, path, &[status], reply)
    }

    /// Without a body, as the administrator.
    #[track_caller]
    fn plain(&mut self, method: &str, path: &str, of: &[(&str, &str)], status: u16) -> Reply {
        let reply = self.call(method, path, of).send();
        self.hold(method, path, &[status], reply)
    }

    fn upload(&self, ca: &str) -> Value {
        json!({
            "name": ca, "status": "ENABLED", "autoRegistrationEnabled": true,
            "certInPemFormat": self.openssl.text(&format!("{ca}.pem")),
        })
    }

    /// A request for a certificate, as base64 of its DER.
    fn request(&self, name: &str) -> String {
        self.openssl.request(name);
        self.openssl.run(&format!("req -in @{name}.csr -outform DER -out @{name}.der"));
        self.openssl.run(&format!("base64 -A -in @{name}.der"))
    }
}

fn filled(path: &str, of: &[(&str, &str)]) -> String {
    let path = of
        .iter()
        .fold(path.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value));
    example(&path)
}

/// Walks through all of it; false if OpenSSL is missing.
pub(super) fn walk(
    running: &Running,
    all: &[Operation],
    hold: &mut dyn FnMut(&Operation, &Reply),
) -> bool {
    let Some(openssl) = OpenSsl::at(&running.cli.path("")) else { return false };
    let mut walk = Walk { running, all, openssl, hold };
    devices(&mut walk);
    features_and_options(&mut walk);
    who_asks(&mut walk);
    trusted(&mut walk);
    proof(&mut walk);
    verdicts(&mut walk);
    revocation(&mut walk);
    tokens(&mut walk);
    authority(&mut walk);
    true
}

fn devices(walk: &mut Walk<'_>) {
    let request: &[_] = &[("requestId", "gw-7")];
    let made = walk.send("POST", REQUESTS, &[], json!({ "id": "gw-7", "type": "t" }), 201).json();
    assert_eq!(made["status"], "WAITING_FOR_CONNECTION");
    walk.send("POST", REQUESTS, &[], json!({ "id": "" }), 422);
    walk.plain("GET", REQUESTS, &[], 200);
    walk.plain("GET", REQUEST, request, 200);
    walk.plain("GET", REQUEST, &[], 404);
    walk.send("PUT", REQUEST, &[], json!({ "status": "ACCEPTED" }), 404);
    let bootstrap = |walk: &mut Walk<'_>, status: &[u16]| {
        let call = walk.call_as("management/devicebootstrap", "POST", CREDENTIALS, &[]);
        let reply = call.json(&json!({ "id": "gw-7" })).send();
        walk.hold("POST", CREDENTIALS, status, reply)
    };
    bootstrap(walk, &[404]);
    walk.send("PUT", REQUEST, request, json!({ "status": "ACCEPTED" }), 200);
    let got = bootstrap(walk, &[200, 201]).json();
    assert_eq!((&got["tenantId"], &got["username"]), (&json!("t1001"), &json!("device_gw-7")));
    walk.send("POST", REQUESTS, &[], json!({ "id": "gw-8", "enrollmentToken": "once-4711" }), 201);
    walk.plain("DELETE", REQUEST, &[("requestId", "gw-8")], 204);
    walk.plain("DELETE", REQUEST, &[("requestId", "gw-8")], 404);
    let rows = "ID;AUTH_TYPE\ngw-1;CERTIFICATES\ngw 2;CERTIFICATES\n";
    let reply = walk.call("POST", BULK, &[]).form(&[("file", "text/csv", rows)]).send();
    let told = walk.hold("POST", BULK, &[201], reply).json();
    assert_eq!((&told["numberOfCreated"], &told["numberOfFailed"]), (&json!(1), &json!(1)));
    let id = &[("externalId", "gw-1")];
    walk.plain("GET", EXTERNAL, id, 200);
    walk.plain("GET", EXTERNAL, &[], 404);
}

fn features_and_options(walk: &mut Walk<'_>) {
    let unknown: &[_] = &[("featureKey", "no-such-feature")];
    walk.plain("GET", "/features", &[], 200);
    walk.plain("GET", FEATURE, &[], 200);
    walk.plain("GET", FEATURE, unknown, 404);
    for path in [BY_TENANT, OF_TENANT] {
        walk.send("PUT", path, &[], json!({ "active": true }), 200);
        walk.send("PUT", path, unknown, json!({ "active": true }), 404);
        walk.plain("DELETE", path, &[], 200);
        walk.plain("DELETE", path, unknown, 404);
    }
    walk.plain("GET", BY_TENANT, &[], 200);
    walk.plain("GET", BY_TENANT, unknown, 404);
    walk.plain("GET", OPTION, &[], 404);
    walk.send("PUT", OPTION, &[], json!({ "value": "true" }), 200);
    walk.send("PUT", OPTION, &[], json!({ "value": 1 }), 422);
    assert_eq!(walk.plain("GET", OPTION, &[], 200).json()["value"], "true");
    walk.plain("DELETE", OPTION, &[], 204);
    walk.plain("DELETE", OPTION, &[], 404);
    let shared: &[_] = &[("category", "ssl"), ("key", "shared-truststore.enabled")];
    assert_eq!(walk.plain("GET", SYSTEM, shared, 200).json()["value"], "false");
}

fn who_asks(walk: &mut Walk<'_>) {
    walk.plain("GET", "/user/currentUser", &[], 200);
    walk.plain("GET", "/tenant/currentTenant", &[], 200);
}

fn trusted(walk: &mut Walk<'_>) {
    for ca in ["ca", "other", "third"] {
        walk.openssl.root(ca, EC);
    }
    walk.openssl.device("gw-1", "ca");
    let nowhere: &[_] = &[("tenantId", "t9999")];
    let upload = walk.upload("ca");
    let made = walk.send("POST", TRUSTED, &[], upload.clone(), 201).json();
    let shown = made["certInPemFormat"].as_str().expect("a certificate");
    let lines = walk.openssl.text("ca.pem");
    let lines: Vec<&str> = lines.lines().filter(|line| !line.starts_with('-')).collect();
    assert_eq!(shown, lines.join("\n"), "lines of base64");
    walk.send("POST", TRUSTED, &[], upload.clone(), 409);
    walk.send("POST", TRUSTED, nowhere, upload, 404);
    walk.send("POST", TRUSTED, &[], json!({ "status": "ENABLED", "certInPemFormat": "x" }), 422);
    walk.plain("GET", TRUSTED, &[], 200);
    walk.plain("GET", TRUSTED, nowhere, 404);
    let bulk = "/tenant/tenants/{tenantId}/trusted-certificates/bulk";
    let many = json!({ "certificates": [walk.upload("other"), walk.upload("third")] });
    walk.send("POST", bulk, &[], many.clone(), 201);
    walk.send("POST", bulk, &[], many.clone(), 409);
    walk.send("POST", bulk, nowhere, many, 404);
    walk.send("POST", bulk, &[], json!({ "certificates": [{}] }), 422);
    let fingerprint = walk.openssl.fingerprint("ca");
    let ca: &[_] = &[("fingerprint", fingerprint.as_str())];
    walk.plain("GET", ONE, ca, 200);
    walk.plain("GET", ONE, &[], 404);
    walk.send("PUT", ONE, ca, json!({ "name": "ours" }), 200);
    walk.send("PUT", ONE, ca, json!({ "status": "OFF" }), 422);
    walk.send("PUT", ONE, &[], json!({ "name": "ours" }), 404);
    let third = walk.openssl.fingerprint("third");
    walk.plain("DELETE", ONE, &[("fingerprint", third.as_str())], 204);
    walk.plain("DELETE", ONE, &[("fingerprint", third.as_str())], 404);
}

fn proof(walk: &mut Walk<'_>) {
    let (code, pop, confirmed) =
        (format!("{POP}/verification-code"), format!("{POP}/pop"), format!("{POP}/confirmed"));
    let fingerprint = walk.openssl.fingerprint("ca");
    let ca: &[_] = &[("fingerprint", fingerprint.as_str())];
    let signed = |text: &str| json!({ "proofOfPossessionSignedVerificationCode": text });
    walk.plain("POST", &code, &[], 404);
    let shown = walk.plain("POST", &code, ca, 200).json();
    let text = shown["proofOfPossessionUnsignedVerificationCode"].as_str().expect("a code");
    walk.send("POST", &pop, ca, signed("AAAA"), 400);
    walk.send("POST", &pop, ca, json!({}), 422);
    walk.send("POST", &pop, &[], signed("AAAA"), 404);
    walk.openssl.write("code.txt", text);
    walk.openssl.run("dgst -sha256 -sign @ca.key -out @code.sig @code.txt");
    let signature = walk.openssl.run("base64 -A -in @code.sig");
    let proved = walk.send("POST", &pop, ca, signed(signature.trim()), 200).json();
    assert_eq!(proved["proofOfPossessionValid"], true);
    let other = walk.openssl.fingerprint("other");
    let mut confirm = |of: &[(&str, &str)], status: u16| {
        let reply = walk.call_as("management/admin", "POST", &confirmed, of).send();
        walk.hold("POST", &confirmed, &[status], reply);
    };
    confirm(&[("fingerprint", other.as_str())], 200);
    confirm(&[("fingerprint", other.as_str())], 422);
    confirm(&[], 404);
}

fn verdicts(walk: &mut Walk<'_>) {
    let chain = walk.openssl.text("gw-1-chain.pem");
    let send = |walk: &mut Walk<'_>, parts: &[(&str, &str, &str)], status: u16| {
        let reply = walk.call("POST", VERIFY, &[]).form(parts).send();
        walk.hold("POST", VERIFY, &[status], reply)
    };
    let told = send(walk, &[("file", "text/plain", &chain)], 200).json();
    assert_eq!(
        (&told["successfullyValidated"], &told["tenantId"]),
        (&json!(true), &json!("t1001"))
    );
    assert_eq!(
        (&told["subject"], &told["issuer"]),
        (&json!("CN=gw-1"), &json!("CN=ca, O=Example"))
    );
    send(walk, &[("file", "text/plain", "no certificate")], 400);
    send(walk, &[("file", "text/plain", &chain), ("tenantId", "text/plain", "t9999")], 404);
    walk.openssl.root("stranger", EC);
    let stranger = walk.openssl.text("stranger.pem");
    let refused = send(walk, &[("file", "text/plain", &stranger)], 401).json();
    assert_eq!(refused["message"], "Invalid certificate chain!");
    let line = chain.trim().replace("-----\n-----", "-----,-----").replace('\n', " ");
    let reply = walk.call("POST", VERIFY, &[]).header(CHAIN_HEADER, &line).send();
    walk.hold("POST", VERIFY, &[200], reply);
}

fn revocation(walk: &mut Walk<'_>) {
    walk.send("PUT", CRL, &[], json!({ "crls": [{ "serialNumberInHex": "0badc0de" }] }), 204);
    walk.send("PUT", CRL, &[], json!({ "crls": [{ "serialNumberInHex": "none" }] }), 400);
    let file = "SERIAL NO.,REVOCATION DATE\nab,\n";
    let reply = walk.call("PUT", CRL, &[]).form(&[("file", "text/csv", file)]).send();
    walk.hold("PUT", CRL, &[204], reply);
    walk.plain("GET", CRL, &[], 200);
}

fn tokens(walk: &mut Walk<'_>) {
    let line = |text: &str, between: &str| text.trim().replace('\n', between);
    let chain = walk.openssl.text("gw-1-chain.pem");
    let ask = |walk: &mut Walk<'_>, device: &str, header: &str, status: u16| {
        let call = walk.running.call("POST", TOKEN).header("X-Ssl-Cert-Chain", header);
        let reply = call.with(&format!("{device}.pem"), &format!("{device}.key")).send();
        walk.hold("POST", TOKEN, &[status], reply)
    };
    ask(walk, "gw-1", &line(&chain, " "), 200);
    let refused = ask(walk, "gw-1", &line(&chain, ""), 400).json();
    assert_eq!(refused["message"], "Incomplete data");
    ask(walk, "stranger", &line(&walk.openssl.text("stranger.pem"), " "), 401);
    // A name that no user can have.
    walk.openssl.device("gw$1", "ca");
    let odd = walk.openssl.text("gw$1-chain.pem");
    ask(walk, "gw$1", &line(&odd, " "), 422);
}

fn authority(walk: &mut Walk<'_>) {
    walk.plain("POST", RENEW, &[], 404);
    walk.send("PUT", BY_TENANT, &[], json!({ "active": false }), 200);
    walk.plain("POST", AUTHORITY, &[], 404);
    walk.send("PUT", BY_TENANT, &[], json!({ "active": true }), 200);
    let body = walk.request("est-1");
    let token = json!({ "id": "est-1", "enrollmentToken": "once-4711" });
    walk.send("POST", REQUESTS, &[], token, 201);
    let made = walk.plain("POST", AUTHORITY, &[], 201).json();
    assert_eq!(
        (&made["subject"], &made["issuer"]),
        (&made["issuer"], &json!("CN=t1001, O=localhost"))
    );
    assert_eq!(made["autoRegistrationEnabled"], true);
    walk.plain("POST", AUTHORITY, &[], 409);
    let renewed = walk.plain("POST", RENEW, &[], 201).json();
    assert_ne!(renewed["fingerprint"], made["fingerprint"]);
    walk.plain("POST", RENEW, &[], 404);
    let enrol = |walk: &mut Walk<'_>, path: &str, password: &str, body: &str, status: &[u16]| {
        let call = walk.running.call("POST", path).basic("est-1", password);
        let reply = call.body("application/pkcs10", body).header("Accept", "*/*").send();
        walk.hold("POST", path, status, reply)
    };
    let refused = enrol(walk, ENROLL, "wrong-4711", &body, &[401]).json();
    assert!(refused["message"].is_string());
    walk.openssl.run(
        "req -new -config @openssl.cnf -reqexts ca -key @est-1.key -subj /CN=est-1 -outform DER -out @as-ca.der",
    );
    let as_ca = walk.openssl.run("base64 -A -in @as-ca.der");
    enrol(walk, ENROLL, "once-4711", &as_ca, &[403]);
    enrol(walk, ENROLL, "once-4711", &body, &[200, 201]);
    let (bearer, own) = token_of(walk);
    let renew = |walk: &mut Walk<'_>, body: &str, status: &[u16]| {
        let call = walk.running.call("POST", REENROLL).header("Authorization", &bearer);
        let reply = call.body("application/pkcs10", body).header("Accept", "*/*").send();
        walk.hold("POST", REENROLL, status, reply)
    };
    renew(walk, &own, &[200, 201]);
    renew(walk, &body, &[403]);
}

/// A token for a device that enrols, with the certificate that it gets; and its request.
fn token_of(walk: &mut Walk<'_>) -> (String, String) {
    let token = json!({ "id": "est-3", "enrollmentToken": "once-4713" });
    walk.send("POST", REQUESTS, &[], token, 201);
    let request = walk.request("est-3");
    let call = walk.running.call("POST", ENROLL).basic("est-3", "once-4713");
    let call = call.body("application/pkcs10", request.clone());
    let reply = call.header("Accept", "application/pkcs10").send();
    assert!(reply.text().starts_with("-----BEGIN CERTIFICATE-----"), "{reply:?}");
    walk.openssl.write("est-3.pem", &reply.body);
    let reply = walk.running.call("POST", TOKEN).with("est-3.pem", "est-3.key").send();
    let token = walk.hold("POST", TOKEN, &[200], reply).json();
    (format!("Bearer {}", token["accessToken"].as_str().expect("a token")), request)
}
