//! What a device asks for, typed with curl against the sandbox: a token for its certificate, and a
//! certificate from the platform's own CA. Certificates and requests are OpenSSL's.

use c8y_pki_tests::openssl::{EC, OpenSsl, RSA};
use c8y_pki_tests::tenant::{Answer, Tenant};
use c8y_pki_tests::{Tool, tool};
use serde_json::{Value, json};

const JSON: &str = "--header 'Content-Type: application/json' --header 'Accept: application/json'";
const LIST: &str = "/tenant/tenants/t1001/trusted-certificates";

fn tools(tenant: &Tenant) -> Option<(Tool, OpenSsl)> {
    Some((tool("curl")?, OpenSsl::at(tenant.folder())?))
}

fn change(tenant: &Tenant, curl: &Tool, openssl: &OpenSsl, ca: &str, value: &Value) {
    let one = format!("{LIST}/{}", openssl.fingerprint(ca));
    tenant.send(curl, "PUT", &one, value).expect(200);
}

/// Proves that the CA's key is ours: a chain of more than two should have that.
fn prove(tenant: &Tenant, curl: &Tool, openssl: &OpenSsl, ca: &str) {
    let pop = LIST.replace("-certificates", "-certificates-pop") + "/" + &openssl.fingerprint(ca);
    let asked = tenant.admin(curl, &format!("--request POST {JSON} {pop}/verification-code"));
    let asked = asked.expect(200).json();
    let code = asked["proofOfPossessionUnsignedVerificationCode"].as_str().expect("a code");
    openssl.write("code.txt", code);
    openssl.run(&format!("dgst -sha256 -sign @{ca}.key -out @code.sig @code.txt"));
    let signed = openssl.run("base64 -A -in @code.sig");
    let value = json!({"proofOfPossessionSignedVerificationCode": signed.trim()});
    tenant.write("proof.json", value.to_string());
    tenant.admin(curl, &format!("{JSON} --data @proof.json {pop}/pop")).expect(200);
}

/// The chain on one line, as the header `X-Ssl-Cert-Chain` wants it.
fn header(openssl: &OpenSsl, chain: &str, between: &str) -> String {
    let line = openssl.text(chain).trim().replace('\n', between);
    format!("--header 'X-Ssl-Cert-Chain: {line}'")
}

fn ask(tenant: &Tenant, curl: &Tool, device: &str, chain: &str, more: &str) -> Answer {
    let url = format!("{}/devicecontrol/deviceAccessToken", tenant.sandbox().mtls_url());
    let own = format!("--cert {chain} --key {device}.key --header 'Accept: application/json'");
    tenant.curl(curl, &format!("--request POST {own} {more} {url}"))
}

/// The last reason that the sandbox has noted for itself.
fn reason(tenant: &Tenant) -> String {
    let state = tenant.sandbox().state();
    let connections = state["connections"].as_array().expect("connections");
    let mut with = connections.iter().rev().filter_map(|one| one["reason"].as_str());
    with.next().unwrap_or_else(|| panic!("no reason: {state}")).to_owned()
}

fn bearer(answer: &Answer) -> String {
    let token = answer.json()["accessToken"].as_str().expect("a token").to_owned();
    assert_eq!(token.split('.').count(), 3, "a JWT");
    format!("--header 'Authorization: Bearer {token}'")
}

#[test]
fn a_token_for_a_certificate() {
    let tenant = Tenant::start();
    let Some((curl, openssl)) = tools(&tenant) else { return };
    openssl.root("ca", RSA);
    openssl.device("gw-1", "ca");
    let chain = header(&openssl, "gw-1-chain.pem", " ");
    ask(&tenant, &curl, "gw-1", "gw-1-chain.pem", &chain).refused(401);
    let why = reason(&tenant);
    tenant.trust(&curl, &openssl, "ca");
    // Without its spaces it is not read.
    let joined = header(&openssl, "gw-1-chain.pem", "");
    let refused = ask(&tenant, &curl, "gw-1", "gw-1-chain.pem", &joined).expect(400).json();
    assert_eq!(refused["message"], "Incomplete data");
    for more in [chain, header(&openssl, "ca.pem", " "), String::new()] {
        let answer = ask(&tenant, &curl, "gw-1", "gw-1-chain.pem", &more).expect(200);
        let token = bearer(&answer);
        tenant.curl(&curl, &format!("{token} /tenant/currentTenant")).expect(200);
        tenant.curl(&curl, &format!("{token} {LIST}")).refused(403);
    }
    ask(&tenant, &curl, "gw-1", "gw-1.pem", "").expect(200);
    let state = tenant.sandbox().state();
    assert_eq!(state["tenants"]["t1001"]["devices"][0]["id"], "gw-1", "registered by itself");

    change(&tenant, &curl, &openssl, "ca", &json!({"status": "DISABLED"}));
    ask(&tenant, &curl, "gw-1", "gw-1-chain.pem", "").refused(401);
    assert_ne!(reason(&tenant), why, "a disabled CA is another reason than an unknown one");
}

#[test]
fn a_device_below_an_intermediate_sends_its_chain() {
    let tenant = Tenant::start();
    let Some((curl, openssl)) = tools(&tenant) else { return };
    openssl.root("root", EC);
    openssl.intermediate("line", "root");
    openssl.device("gw-2", "line");
    tenant.trust(&curl, &openssl, "root");
    prove(&tenant, &curl, &openssl, "root");
    ask(&tenant, &curl, "gw-2", "gw-2.pem", "").refused(401);
    let chain = header(&openssl, "gw-2-chain.pem", " ");
    ask(&tenant, &curl, "gw-2", "gw-2-chain.pem", &chain).expect(200);
    // Out of order: the root before the intermediate.
    let leaf = openssl.text("gw-2.pem");
    openssl.write(
        "shuffled.pem",
        leaf.clone() + &openssl.text("root.pem") + &openssl.text("line.pem"),
    );
    ask(&tenant, &curl, "gw-2", "gw-2.pem", &header(&openssl, "shuffled.pem", " ")).refused(401);
    openssl.write("holed.pem", leaf + &openssl.text("root.pem"));
    ask(&tenant, &curl, "gw-2", "gw-2.pem", &header(&openssl, "holed.pem", " ")).refused(401);
}

#[test]
fn no_token_for_those_who_may_not() {
    let tenant = Tenant::start();
    let Some((curl, openssl)) = tools(&tenant) else { return };
    openssl.root("ca", EC);
    openssl.device("gw-3", "ca");
    openssl.device("gw:4", "ca");
    tenant.trust(&curl, &openssl, "ca");
    let url = format!("{}/devicecontrol/deviceAccessToken", tenant.sandbox().mtls_url());
    let bare = format!("--request POST --header 'Accept: application/json' {url}");
    tenant.curl(&curl, &bare).refused(401);
    openssl.root("stranger", EC);
    openssl.device("gw-9", "stranger");
    ask(&tenant, &curl, "gw-9", "gw-9-chain.pem", &header(&openssl, "gw-9-chain.pem", " "))
        .refused(401);
    // Another's chain beside a certificate of one's own.
    ask(&tenant, &curl, "gw-9", "gw-9.pem", &header(&openssl, "gw-3-chain.pem", " ")).refused(401);
    // curl takes what follows a colon in a file's name for a password.
    for (from, to) in [("gw:4-chain.pem", "colon.pem"), ("gw:4.key", "colon.key")] {
        openssl.write(to, openssl.text(from));
    }
    ask(&tenant, &curl, "colon", "colon.pem", "").refused(401);
    assert!(reason(&tenant).contains("':'"), "{}", reason(&tenant));

    change(&tenant, &curl, &openssl, "ca", &json!({"autoRegistrationEnabled": false}));
    ask(&tenant, &curl, "gw-3", "gw-3-chain.pem", "").refused(401);
    tenant.write("devices.csv", "ID,AUTH_TYPE\ngw-3,CERTIFICATES\n");
    let form = "--form 'file=@devices.csv;type=text/csv' /devicecontrol/bulkNewDeviceRequests";
    tenant.admin(&curl, form).expect(201);
    ask(&tenant, &curl, "gw-3", "gw-3-chain.pem", "").expect(200);

    let serial = openssl.run("x509 -in @gw-3.pem -noout -serial");
    let serial = serial.trim().strip_prefix("serial=").expect("a serial number");
    tenant.write("revoked.csv", format!("SERIALNO,DATE\n{serial},\n"));
    let crl = "/tenant/trusted-certificates/settings/crl";
    let sent = tenant.admin(&curl, &format!("--request PUT --form 'file=@revoked.csv' {crl}"));
    assert!((200..300).contains(&sent.status), "{sent:?}");
    ask(&tenant, &curl, "gw-3", "gw-3-chain.pem", "").expect(200);
    tenant.write("on.json", r#"{"value":"true"}"#);
    let option = "/tenant/options/configuration/crl.offline.check.enabled";
    tenant.admin(&curl, &format!("--request PUT {JSON} --data @on.json {option}")).expect(200);
    ask(&tenant, &curl, "gw-3", "gw-3-chain.pem", "").refused(401);
}

/// Asks the tenant's CA for a certificate.
fn enrol(tenant: &Tenant, curl: &Tool, who: &str, request: &str, path: &str) -> Answer {
    let kind =
        "--header 'Content-Type: application/pkcs10' --header 'Content-Transfer-Encoding: base64'";
    tenant.curl(curl, &format!("{who} {kind} --data-binary @{request} /.well-known/est/{path}"))
}

/// Takes the certificate out of the answer, with OpenSSL.
fn opened(openssl: &OpenSsl, answer: &Answer, into: &str) {
    let kind = answer.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("application/pkcs7-mime"), "{kind}");
    assert!(kind.contains("smime-type=certs-only"), "{kind}");
    assert_eq!(answer.header("content-transfer-encoding"), Some("base64"));
    let text: String = answer.text().split_whitespace().collect();
    openssl.write("answer.b64", text);
    openssl.run("base64 -d -A -in @answer.b64 -out @answer.p7");
    let told = openssl.run("pkcs7 -inform DER -in @answer.p7 -print_certs");
    openssl.write(into, told);
}

#[test]
fn enrolment_with_the_tenants_own_ca() {
    let tenant = Tenant::start();
    let Some((curl, openssl)) = tools(&tenant) else { return };
    let create = format!("--request POST {JSON} /certificate-authority");
    assert_eq!(tenant.admin(&curl, &create).expect(201).json()["tenantCertificateAuthority"], true);
    tenant.admin(&curl, &create).refused(409);
    let found =
        tenant.admin(&curl, &format!("{LIST}?certificateAuthority=true")).expect(200).json();
    let ca = found["certificates"][0]["certInPemFormat"].as_str().expect("a certificate");
    let inner: String = ca.lines().filter(|line| !line.starts_with('-')).collect();
    openssl.write("ca.b64", inner);
    openssl.run("base64 -d -A -in @ca.b64 -out @ca.der");
    openssl.run("x509 -inform DER -in @ca.der -out @ca.pem");

    tenant
        .write("devices.csv", "ID,AUTH_TYPE,ENROLLMENT_OTP\nest-1,CERTIFICATES,Correct-Horse-7\n");
    let form = "--form 'file=@devices.csv;type=text/csv' /devicecontrol/bulkNewDeviceRequests";
    assert_eq!(tenant.admin(&curl, form).expect(201).json()["numberOfCreated"], 1);
    openssl.request("est-1");
    openssl.request("est-2");
    for name in ["est-1", "est-2"] {
        openssl.run(&format!("req -in @{name}.csr -outform DER -out @{name}.der"));
        openssl.run(&format!("base64 -in @{name}.der -out @{name}.b64"));
    }
    let otp = "--user est-1:Correct-Horse-7";
    enrol(&tenant, &curl, "--user est-1:wrong-password", "est-1.b64", "simpleenroll").refused(401);
    enrol(&tenant, &curl, "--user est-2:Correct-Horse-7", "est-2.b64", "simpleenroll").refused(401);
    let other = enrol(&tenant, &curl, otp, "est-2.b64", "simpleenroll");
    assert!((400..500).contains(&other.status), "the name of another: {other:?}");

    let answer = enrol(&tenant, &curl, otp, "est-1.b64", "simpleenroll").expect(200);
    opened(&openssl, &answer, "enrolled.pem");
    assert_eq!(openssl.run("verify -CAfile @ca.pem @enrolled.pem").lines().count(), 1);
    let key = |line: &str| openssl.run(line).replace(char::is_whitespace, "");
    assert_eq!(
        key("x509 -in @enrolled.pem -noout -pubkey"),
        key("req -in @est-1.csr -noout -pubkey"),
        "the key is the device's"
    );
    assert!(openssl.run("x509 -in @enrolled.pem -noout -subject").contains("est-1"));
    enrol(&tenant, &curl, otp, "est-1.b64", "simpleenroll").refused(401);

    let token = bearer(&ask(&tenant, &curl, "est-1", "enrolled.pem", "").expect(200));
    let renewed = enrol(&tenant, &curl, &token, "est-1.b64", "simplereenroll").expect(200);
    opened(&openssl, &renewed, "renewed.pem");
    let serial = |name: &str| openssl.run(&format!("x509 -in @{name} -noout -serial"));
    assert_ne!(serial("enrolled.pem"), serial("renewed.pem"));
    let other = enrol(&tenant, &curl, &token, "est-2.b64", "simplereenroll");
    assert!((400..500).contains(&other.status), "the name of another: {other:?}");
    let forged = "--header 'Authorization: Bearer a.b.c'";
    enrol(&tenant, &curl, forged, "est-1.b64", "simplereenroll").refused(401);
    assert_eq!(tenant.state()["enrolments"].as_array().map(Vec::len), Some(2));
}
