//! The documented requests, typed with curl, against the sandbox: each call and status of the
//! trusted certificates, their proof, registration and revocation. Certificates and signatures
//! are OpenSSL's.

use c8y_pki_tests::openssl::{EC, OpenSsl, RSA};
use c8y_pki_tests::tenant::Tenant;
use c8y_pki_tests::{Tool, tool};
use serde_json::{Value, json};

const JSON: &str = "--header 'Content-Type: application/json' --header 'Accept: application/json'";
const LIST: &str = "/tenant/tenants/t1001/trusted-certificates";
const PROOF: &str = "/tenant/tenants/t1001/trusted-certificates-pop";
const REVOCATIONS: &str = "/tenant/trusted-certificates/settings/crl";

fn tools(tenant: &Tenant) -> Option<(Tool, OpenSsl)> {
    Some((tool("curl")?, OpenSsl::at(tenant.folder())?))
}

/// Writes the body of an upload.
fn body(tenant: &Tenant, file: &str, name: &str, pem: &str) {
    let value = json!({"name": name, "status": "ENABLED", "certInPemFormat": pem});
    tenant.write(file, value.to_string());
}

fn posted(file: &str, path: &str) -> String {
    format!("--request POST {JSON} --data @{file} {path}")
}

#[test]
fn who_is_asking() {
    let tenant = Tenant::start();
    let Some(curl) = tool("curl") else { return };
    let current = tenant.admin(&curl, "/tenant/currentTenant").expect(200);
    assert_eq!(current.json()["name"], "t1001");
    assert_eq!(current.header("server"), Some("c8y-pki-sandbox"), "to be told from the platform");
    let plain = format!("--user admin:{}", tenant.password());
    tenant.curl(&curl, &format!("{plain} /tenant/currentTenant")).expect(200);

    for wrong in ["", "--user t1001/admin:wrong", "--user t1001/nobody:x", "--user nowhere/admin:x"]
    {
        let answer = tenant.curl(&curl, &format!("{wrong} /tenant/currentTenant"));
        assert!(answer.header("www-authenticate").is_some(), "{answer:?}");
        assert_eq!(answer.refused(401), "security/Unauthorized");
    }
    let reader = format!("--user t1001/reader:{}", tenant.password());
    tenant.curl(&curl, &format!("{reader} {LIST}")).expect(200);
    let refused = tenant.curl(&curl, &format!("{reader} --request POST {LIST}")).refused(403);
    assert_eq!(refused, "security/Forbidden");
    let devices = format!("--user t1001/devices:{}", tenant.password());
    tenant.curl(&curl, &format!("{devices} {LIST}")).refused(403);
    tenant.admin(&curl, "/tenant/no/such/path").refused(404);
    tenant.admin(&curl, &format!("--request PATCH {LIST}")).refused(405);
}

#[test]
fn a_certificate_from_upload_to_removal() {
    let tenant = Tenant::start();
    let Some((curl, openssl)) = tools(&tenant) else { return };
    openssl.root("ca", RSA);
    body(&tenant, "upload.json", "Line 7", &openssl.text("ca.pem"));
    let created = tenant.admin(&curl, &posted("upload.json", LIST)).expect(201).json();
    let fingerprint = openssl.fingerprint("ca");
    assert_eq!(created["fingerprint"], *fingerprint);
    assert_eq!(created["autoRegistrationEnabled"], false, "when it is missing");
    assert_eq!(created["proofOfPossessionValid"], false);
    tenant.admin(&curl, &posted("upload.json", LIST)).refused(409);

    let one = format!("{LIST}/{fingerprint}");
    assert_eq!(tenant.admin(&curl, &one).expect(200).json(), created);
    let unknown = format!("{LIST}/{}", "0".repeat(40));
    tenant.admin(&curl, &unknown).refused(404);

    tenant.write("update.json", r#"{"status":"DISABLED","autoRegistrationEnabled":"true"}"#);
    let put = |path: &str| format!("--request PUT {JSON} --data @update.json {path}");
    let updated = tenant.admin(&curl, &put(&one)).expect(200).json();
    assert_eq!(updated["status"], "DISABLED");
    assert_eq!(updated["autoRegistrationEnabled"], true, "the text is as good as the value");
    assert_eq!(updated["name"], "Line 7", "what is not sent stays");
    tenant.admin(&curl, &put(&unknown)).refused(404);
    tenant.write("update.json", r#"{"status":"PERHAPS"}"#);
    tenant.admin(&curl, &put(&one)).refused(422);

    tenant.admin(&curl, &format!("--request DELETE {one}")).expect(204);
    tenant.admin(&curl, &format!("--request DELETE {one}")).refused(404);
    assert_eq!(tenant.state()["trusted_certificates"], json!([]));
}

#[test]
fn what_is_no_anchor_is_refused() {
    let tenant = Tenant::start();
    let Some((curl, openssl)) = tools(&tenant) else { return };
    openssl.root("ca", EC);
    openssl.device("gw-1", "ca");
    openssl.root("short", &["-newkey", "rsa:1024"]);
    openssl.run("req -x509 -config @openssl.cnf -newkey rsa:2048 -nodes -days 3 -subj /CN=v1 -keyout @v1.key -out @v1.pem");
    for (name, text) in [
        ("a device", openssl.text("gw-1.pem")),
        ("1024 bits", openssl.text("short.pem")),
        ("version 1", openssl.text("v1.pem")),
        ("no certificate", "Zm9v".to_owned()),
        ("nothing", String::new()),
    ] {
        body(&tenant, "upload.json", name, &text);
        let refused = tenant.admin(&curl, &posted("upload.json", LIST)).refused(422);
        assert!(!refused.is_empty(), "{name}");
    }
    assert_eq!(tenant.state()["trusted_certificates"], json!([]));
}

#[test]
fn a_pem_in_each_form_that_clients_send() {
    let tenant = Tenant::start();
    let Some((curl, openssl)) = tools(&tenant) else { return };
    openssl.root("ca", EC);
    let pem = openssl.text("ca.pem");
    let lines: Vec<&str> = pem.lines().collect();
    let inner = &lines[1..lines.len() - 1];
    let forms = [pem.clone(), lines.concat(), lines.join("\r\n"), inner.join("\n"), inner.concat()];
    for form in forms {
        body(&tenant, "upload.json", "one", &form);
        let created = tenant.admin(&curl, &posted("upload.json", LIST)).expect(201).json();
        assert_eq!(created["fingerprint"], *openssl.fingerprint("ca"), "{form}");
        tenant
            .admin(&curl, &format!("--request DELETE {LIST}/{}", openssl.fingerprint("ca")))
            .expect(204);
    }
}

#[test]
fn a_bulk_is_taken_whole_or_not_at_all() {
    let tenant = Tenant::start();
    let Some((curl, openssl)) = tools(&tenant) else { return };
    let entry = |name: &str| {
        openssl.root(name, EC);
        json!({"name": name, "status": "ENABLED", "certInPemFormat": openssl.text(&format!("{name}.pem"))})
    };
    let (a, b) = (entry("a"), entry("b"));
    let bulk = |of: &[&Value], status: u16| {
        tenant.write("bulk.json", json!({"certificates": of}).to_string());
        tenant.admin(&curl, &posted("bulk.json", &format!("{LIST}/bulk"))).expect(status)
    };
    let broken = json!({"name": "x", "status": "ENABLED", "certInPemFormat": "Zm9v"});
    bulk(&[&a, &broken], 422);
    assert_eq!(tenant.state()["trusted_certificates"], json!([]));
    bulk(&[&a], 201);
    bulk(&[&b, &a], 409);
    assert_eq!(tenant.state()["trusted_certificates"].as_array().map(Vec::len), Some(1));
}

#[test]
fn the_list_comes_in_pages() {
    let tenant = Tenant::start();
    let Some((curl, openssl)) = tools(&tenant) else { return };
    for i in 0..6 {
        let name = format!("ca{i}");
        openssl.root(&name, EC);
        body(&tenant, "upload.json", &name, &openssl.text(&format!("{name}.pem")));
        tenant.admin(&curl, &posted("upload.json", LIST)).expect(201);
    }
    let first = tenant.admin(&curl, LIST).expect(200).json();
    assert_eq!(first["certificates"].as_array().map(Vec::len), Some(5), "five are a page");
    assert!(first["statistics"].get("totalPages").is_none(), "{first}");
    let (mut next, mut seen) = (format!("{LIST}?pageSize=4&withTotalPages=true"), 0);
    let pages = loop {
        let page = tenant.admin(&curl, &next).expect(200).json();
        seen += page["certificates"].as_array().map_or(0, Vec::len);
        assert_eq!(page["statistics"]["totalPages"], 2);
        assert!(page["self"].is_string());
        match page["next"].as_str() {
            Some(link) => link.clone_into(&mut next),
            None => break page["statistics"]["currentPage"].clone(),
        }
    };
    assert_eq!((seen, pages), (6, json!(2)));
    let all = tenant.admin(&curl, &format!("{LIST}?pageSize=2000&withTotalElements=true"));
    assert_eq!(all.expect(200).json()["statistics"]["totalElements"], 6);
    tenant.admin(&curl, &format!("{LIST}?pageSize=2001")).refused(422);
}

#[test]
fn without_accept_there_is_no_body() {
    let tenant = Tenant::start();
    let Some((curl, openssl)) = tools(&tenant) else { return };
    openssl.root("ca", EC);
    body(&tenant, "upload.json", "quiet", &openssl.text("ca.pem"));
    let quiet = "--header Accept: --header 'Content-Type: application/json'";
    let created = tenant.admin(&curl, &format!("{quiet} --data @upload.json {LIST}")).expect(201);
    assert_eq!(created.text(), "");
    let fingerprint = openssl.fingerprint("ca");
    tenant.write("update.json", r#"{"name":"louder"}"#);
    let put = format!("--request PUT --data @update.json {LIST}/{fingerprint}");
    let updated = tenant.admin(&curl, &format!("{quiet} {put}")).expect(200);
    assert_eq!(updated.text(), "");
    let anything = "--header 'Content-Type: application/json'"; // curl's own `Accept: */*`
    let updated = tenant.admin(&curl, &format!("{anything} {put}")).expect(200);
    assert_eq!(updated.json()["name"], "louder");
    let read = tenant.admin(&curl, &format!("--header Accept: {LIST}/{fingerprint}")).expect(200);
    assert_eq!(read.json()["name"], "louder", "a GET has its body anyway");
}

/// Signs as the documentation says: `openssl dgst -sha256 -sign key code | openssl base64 -A`.
fn signed(openssl: &OpenSsl, key: &str, code: &str) -> String {
    openssl.write("code.txt", code);
    openssl.run(&format!("dgst -sha256 -sign @{key} -out @code.sig @code.txt"));
    openssl.run("base64 -A -in @code.sig").trim().to_owned()
}

fn ask_code(tenant: &Tenant, curl: &Tool, of: &str) -> String {
    let asked =
        tenant.admin(curl, &format!("--request POST {JSON} {PROOF}/{of}/verification-code"));
    let certificate = asked.expect(200).json();
    let until = certificate["proofOfPossessionVerificationCodeUsableUntil"].as_str();
    assert!(until.is_some_and(|until| until.ends_with('Z')), "{certificate}");
    certificate["proofOfPossessionUnsignedVerificationCode"].as_str().expect("a code").to_owned()
}

fn hand_in(
    tenant: &Tenant,
    curl: &Tool,
    of: &str,
    signature: &str,
) -> c8y_pki_tests::tenant::Answer {
    let value = json!({"proofOfPossessionSignedVerificationCode": signature});
    tenant.write("proof.json", value.to_string());
    tenant.admin(curl, &posted("proof.json", &format!("{PROOF}/{of}/pop")))
}

#[test]
fn proof_of_possession_with_openssl() {
    let tenant = Tenant::start();
    let Some((curl, openssl)) = tools(&tenant) else { return };
    for (name, key) in [
        ("rsa", RSA),
        ("ec", EC),
        ("p384", &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"]),
    ] {
        openssl.root(name, key);
        body(&tenant, "upload.json", name, &openssl.text(&format!("{name}.pem")));
        tenant.admin(&curl, &posted("upload.json", LIST)).expect(201);
        let of = openssl.fingerprint(name);
        let file = format!("{name}.key");
        let code = ask_code(&tenant, &curl, &of);
        hand_in(&tenant, &curl, &of, &signed(&openssl, &file, &format!("{code} "))).refused(400);
        let other_key = signed(&openssl, "rsa.key", &code);
        if name != "rsa" {
            hand_in(&tenant, &curl, &of, &other_key).refused(400);
        }
        hand_in(&tenant, &curl, &of, "no base64!").refused(400);
        // As `echo` writes it: a line end does no harm.
        let end = if name == "ec" { "\n" } else { "" };
        let right = signed(&openssl, &file, &format!("{code}{end}"));
        let proved = hand_in(&tenant, &curl, &of, &right).expect(200).json();
        assert_eq!(proved["proofOfPossessionValid"], true);
    }
    let unknown = "0".repeat(40);
    hand_in(&tenant, &curl, &unknown, "AAAA").refused(404);
    tenant
        .admin(&curl, &format!("--request POST {JSON} {PROOF}/{unknown}/verification-code"))
        .refused(404);
}

#[test]
fn a_code_expires_and_the_management_tenant_may_confirm() {
    let tenant = Tenant::start_with(|settings| settings.code_seconds = 1);
    let Some((curl, openssl)) = tools(&tenant) else { return };
    openssl.root("ca", EC);
    body(&tenant, "upload.json", "ca", &openssl.text("ca.pem"));
    tenant.admin(&curl, &posted("upload.json", LIST)).expect(201);
    let of = openssl.fingerprint("ca");
    let signature = signed(&openssl, "ca.key", &ask_code(&tenant, &curl, &of));
    std::thread::sleep(std::time::Duration::from_millis(2100));
    hand_in(&tenant, &curl, &of, &signature).refused(422);

    let confirm = format!("--request POST {JSON} {PROOF}/{of}/confirmed");
    tenant.admin(&curl, &confirm).refused(403);
    let management = format!("--user management/admin:{} {confirm}", tenant.password());
    let confirmed = tenant.curl(&curl, &management).expect(200).json();
    assert_eq!(confirmed["proofOfPossessionValid"], true);
}

#[test]
fn another_tenant_has_it() {
    let tenant = Tenant::start();
    let Some((curl, openssl)) = tools(&tenant) else { return };
    openssl.root("ca", EC);
    body(&tenant, "upload.json", "ca", &openssl.text("ca.pem"));
    tenant.admin(&curl, &posted("upload.json", LIST)).expect(201);
    let of = openssl.fingerprint("ca");
    let signature = signed(&openssl, "ca.key", &ask_code(&tenant, &curl, &of));
    hand_in(&tenant, &curl, &of, &signature).expect(200);
    let theirs = LIST.replace("t1001", "t1002");
    let they = format!("--user t1002/admin:{}", tenant.password());
    tenant.curl(&curl, &format!("{they} {}", posted("upload.json", &theirs))).refused(409);
    tenant.curl(&curl, &format!("{they} {theirs}/{of}")).refused(404);
    let looked = tenant.admin(&curl, &theirs);
    assert!([403, 404].contains(&looked.status), "the list of others: {looked:?}");
}

const DEVICES: &str = "\
ID;AUTH_TYPE;TYPE;NAME;PATH;com_cumulocity_model_Agent.active;site.floor
gw-1;CERTIFICATES;c8y_Gateway;Gateway 1;plant/hall 3;true;2
AA:BB:CC:00:11:22;CERTIFICATES;c8y_Gateway;Gateway 2;;;
gw-3;BASIC;c8y_Gateway;Gateway 3;;;
";

#[test]
fn registration_in_bulk() {
    let tenant = Tenant::start();
    let Some(curl) = tool("curl") else { return };
    tenant.write("devices.csv", DEVICES);
    let path = "/devicecontrol/bulkNewDeviceRequests";
    let send = |kind: &str| {
        format!("--header 'Accept: application/json' --form 'file=@devices.csv;type={kind}' {path}")
    };
    let answer = tenant.admin(&curl, &send("text/csv")).expect(201).json();
    let count = |what: &str| answer[format!("numberOf{what}")].clone();
    assert_eq!(
        [count("All"), count("Created"), count("Failed"), count("Successful")],
        [3, 1, 2, 1]
    );
    assert_eq!(answer["credentialUpdatedList"][0]["deviceId"], "gw-1", "{answer}");
    assert_eq!(answer["credentialUpdatedList"][0]["bulkNewDeviceStatus"], "CREATED", "{answer}");
    let failed = answer["failedCreationList"].as_array().expect("failures");
    let ids: Vec<_> = failed.iter().map(|row| row["deviceId"].clone()).collect();
    assert_eq!(ids, ["AA:BB:CC:00:11:22", "gw-3"]);
    assert!(failed.iter().all(|row| row["failureReason"].is_string()), "{answer}");

    let device = tenant.state()["devices"][0].clone();
    assert_eq!(device["id"], "gw-1");
    assert_eq!(device["agent"], true);
    assert_eq!(device["groups"], json!(["plant", "hall 3"]));
    let again = tenant.admin(&curl, &send("text/csv")).expect(201).json();
    assert_eq!(again["credentialUpdatedList"][0]["bulkNewDeviceStatus"], "CREDENTIAL_UPDATED");

    let trust = format!("--user t1001/trust:{}", tenant.password());
    tenant.curl(&curl, &format!("{trust} {}", send("text/csv"))).refused(403);
    let wrong = tenant.admin(&curl, &send("image/png"));
    assert!([415, 422].contains(&wrong.status), "{wrong:?}");
    tenant.write("devices.csv", "SERIAL,NAME\n1,2\n");
    tenant.admin(&curl, &send("text/csv")).refused(422);
    let no_part = format!("--form 'other=x' --header 'Accept: application/json' {path}");
    tenant.admin(&curl, &no_part).refused(422);
    tenant.admin(&curl, &posted("devices.csv", path)).refused(415);
}

#[test]
fn revocation_in_both_forms() {
    let tenant = Tenant::start();
    let Some((curl, openssl)) = tools(&tenant) else { return };
    let entries = json!({"crls": [
        {"serialNumberInHex": "0A1B2C3D4E5F", "revocationDate": "2026-01-17T10:48:51.000Z"},
        {"serialNumberInHex": "77", "revocationDate": "2999-01-01T00:00:00.000Z"},
    ]});
    tenant.write("revoked.json", entries.to_string());
    let sent =
        tenant.admin(&curl, &format!("--request PUT {JSON} --data @revoked.json {REVOCATIONS}"));
    assert!((200..300).contains(&sent.status), "{sent:?}");
    tenant.write("revoked.csv", "SERIALNO,DATE\nabcdef,\n0A1B2C3D4E5F,2025-01-01T00:00:00.000Z\n");
    let form =
        |file: &str| format!("--request PUT --form 'file=@{file};type=text/csv' {REVOCATIONS}");
    let sent = tenant.admin(&curl, &form("revoked.csv"));
    assert!((200..300).contains(&sent.status), "{sent:?}");

    let list = tenant.admin(&curl, REVOCATIONS).expect(200);
    tenant.write("crl.der", &list.body);
    let told = openssl.run("crl -inform DER -in @crl.der -noout -text");
    assert_eq!(told.matches("Serial Number:").count(), 3, "{told}");
    assert!(told.contains("Serial Number: 0A1B2C3D4E5F"), "{told}");
    assert!(told.contains("Jan 17 10:48:51 2026"), "the old entry stays: {told}");
    assert!(!told.contains("2999"), "a date to come becomes now: {told}");
    assert!(told.contains("Serial Number: ABCDEF"), "{told}");

    let many: String = (0..5001).map(|i| format!("{i:x},\n")).collect();
    tenant.write("revoked.csv", format!("SERIALNO,DATE\n{many}"));
    tenant.admin(&curl, &form("revoked.csv")).refused(400);
    assert_eq!(tenant.state()["revocations"].as_array().map(Vec::len), Some(3));
}
