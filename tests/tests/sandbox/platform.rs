//! What the platform is known for, shown by tools that know nothing of it: curl, OpenSSL, strongSwan's `pki` and
//! mosquitto. What the tenant's own CA is like, how devices enrol, and what is told in the platform's own words.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use c8y_pki_sandbox::Profile;
use c8y_pki_tests::openssl::{OpenSsl, RSA};
use c8y_pki_tests::tenant::{Answer, Tenant};
use c8y_pki_tests::{Tool, tool};
use serde_json::{Value, json};

use crate::setting::Setting;

const REQUESTS: &str = "/devicecontrol/newDeviceRequests";
const ENROL: &str = "/.well-known/est/simpleenroll";
const PKCS10: &str = "--header 'Content-Type: application/pkcs10'";

/// A tenant with a CA of its own, which is in `own.pem`; what the tenant tells of it.
fn with_authority(tenant: &Tenant, curl: &Tool, openssl: &OpenSsl) -> Value {
    let made = tenant.send(curl, "POST", "/certificate-authority", &json!({})).expect(201).json();
    keep(openssl, &made, "own");
    made
}

/// Keeps a certificate that the tenant tells, which is base64 in lines.
fn keep(openssl: &OpenSsl, object: &Value, name: &str) {
    let text = object["certInPemFormat"].as_str().expect("a certificate");
    let lines: Vec<&str> = text.split('\n').collect();
    assert!(
        lines.len() > 5 && lines.iter().all(|line| line.len() <= 64 && !line.starts_with('-')),
        "{text}"
    );
    openssl.write(&format!("{name}.der"), STANDARD.decode(lines.concat()).expect("base64"));
    openssl.run(&format!("x509 -inform DER -in @{name}.der -out @{name}.pem"));
}

fn told(openssl: &OpenSsl, name: &str, what: &str) -> String {
    openssl.run(&format!("x509 -in @{name}.pem -noout {what}")).trim().to_owned()
}

/// Lets a device enrol with the one-time password `once-4711`.
fn let_in(tenant: &Tenant, curl: &Tool, id: &str) {
    let body = json!({ "id": id, "enrollmentToken": "once-4711" });
    let told = tenant.send(curl, "POST", REQUESTS, &body).expect(201).json();
    assert_eq!(told["status"], "ACCEPTED");
}

/// Asks for the certificate of a device with what is in a file.
fn enrol(tenant: &Tenant, curl: &Tool, who: &str, file: &str, more: &str) -> Answer {
    tenant.curl(curl, &format!("--user {who} {PKCS10} {more} --data-binary @{file} {ENROL}"))
}

/// Makes a request with a subject of several parts: `<id>.csr` and `<id>.der`.
fn request(openssl: &OpenSsl, id: &str) {
    openssl.run(&format!(
        "req -new -config @openssl.cnf -newkey rsa:2048 -nodes -subj /C=DE/O=Acme/OU=7/CN={id} \
         -keyout @{id}.key -out @{id}.csr"
    ));
    openssl.run(&format!("req -in @{id}.csr -outform DER -out @{id}.der"));
}

#[test]
fn the_tenants_own_ca_and_what_it_issues() {
    let Some(Setting { tenant, curl, openssl }) = Setting::start() else { return };
    let made = with_authority(&tenant, &curl, &openssl);
    assert_eq!(
        (&made["subject"], &made["issuer"]),
        (&json!("CN=t1001, O=localhost"), &made["subject"])
    );
    assert_eq!(
        (&made["autoRegistrationEnabled"], &made["status"]),
        (&json!(true), &json!("ENABLED"))
    );
    assert_eq!(made["fingerprint"], *openssl.fingerprint("own"));
    assert_eq!(told(&openssl, "own", "-subject -nameopt RFC2253"), "subject=CN=t1001,O=localhost");
    // 1095 days from now on: at 1094 days and 23 hours it is still valid, at 1095 days and an hour it is not.
    let day = 86_400;
    let ends = |name: &str, seconds: i64| {
        let line = format!("x509 -in @{name}.pem -noout -checkend {seconds}");
        let words: Vec<String> = line
            .split(' ')
            .map(|w| w.strip_prefix('@').map_or(w.to_owned(), |f| openssl.arg(f)))
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        !tool("openssl").expect("OpenSSL").output(&words).status.success()
    };
    assert!(!ends("own", 1095 * day - 3600) && ends("own", 1095 * day + 3600));

    // As the vendor's curl example: the request as PEM; and the certificate as PEM.
    let_in(&tenant, &curl, "est-1");
    request(&openssl, "est-1");
    let pem = "--header 'Accept: application/pkcs10'";
    let answer = enrol(&tenant, &curl, "est-1:once-4711", "est-1.csr", pem).expect(200);
    assert_eq!(answer.header("content-type"), Some("application/pkcs10"));
    openssl.write("est-1.pem", &answer.body);
    let subject = told(&openssl, "est-1", "-subject -nameopt RFC2253");
    assert_eq!(subject, "subject=CN=est-1,OU=7,O=Acme,C=DE");
    assert!(!ends("est-1", 365 * day - 3600) && ends("est-1", 365 * day + 3600), "one year");
    assert!(openssl.run("verify -CAfile @own.pem @est-1.pem").ends_with("OK\n"));

    // It connects with the certificate alone, and is registered by that.
    let Some(publish) = tool("mosquitto_pub") else { return };
    let setting = Setting { tenant, curl, openssl };
    let own = "-q 1 -t s/us -m 100,Est,c8y_Est -i est-1 --cert est-1.pem --key est-1.key";
    let (succeeded, said) = setting.run(&publish, setting.port(), own);
    assert!(succeeded, "{said}");
    assert_eq!(setting.device("est-1")["object"]["name"], "Est");
}

#[test]
fn a_renewal_of_the_tenants_ca_changes_its_fingerprint_only() {
    let Some(setting) = Setting::with(|settings| settings.authority_days = 500) else { return };
    let Setting { tenant, curl, openssl } = &setting;
    let renew = || tenant.send(curl, "POST", "/certificate-authority/renew", &json!({}));
    renew().refused(404);
    let former = with_authority(tenant, curl, openssl);
    let_in(tenant, curl, "est-1");
    request(openssl, "est-1");
    let pem = "--header 'Accept: application/pkcs10'";
    let answer = enrol(tenant, curl, "est-1:once-4711", "est-1.csr", pem).expect(200);
    openssl.write("est-1.pem", &answer.body);
    let renewed = renew().expect(201).json();
    keep(openssl, &renewed, "renewed");
    assert_ne!(renewed["fingerprint"], former["fingerprint"]);
    assert_eq!(renewed["fingerprint"], *openssl.fingerprint("renewed"));
    for what in ["-subject", "-pubkey", "-ext subjectKeyIdentifier"] {
        assert_eq!(told(openssl, "own", what), told(openssl, "renewed", what));
    }
    // What was issued before stays valid below the new one, and connects with the leaf alone.
    assert!(openssl.run("verify -CAfile @renewed.pem @est-1.pem").ends_with("OK\n"));
    let one = |fingerprint: &Value| {
        let fingerprint = fingerprint.as_str().expect("a fingerprint");
        let path = format!("/tenant/tenants/t1001/trusted-certificates/{fingerprint}");
        tenant.admin(curl, &path).status
    };
    assert_eq!((one(&former["fingerprint"]), one(&renewed["fingerprint"])), (404, 200));
    // More than 18 months are left now.
    renew().refused(404);
    let Some(publish) = tool("mosquitto_pub") else { return };
    let own = "-q 1 -t s/us -m 123 -i est-1 --cert est-1.pem --key est-1.key";
    let (succeeded, said) = setting.run(&publish, setting.port(), own);
    assert!(succeeded, "{said}");
}

#[test]
fn refusals_of_enrolment_have_the_platforms_words() {
    let none = "No newDeviceRequest found for this ID. It may already be registered, check the audit logs for details.";
    let start = |days: u32| {
        let setting = Setting::with(|settings| settings.authority_days = days)?;
        request(&setting.openssl, "est-1");
        let_in(&setting.tenant, &setting.curl, "est-1");
        Some(setting)
    };
    let says = |setting: &Setting, who: &str, status: u16| {
        let json = "--header 'Accept: application/json'";
        let answer = enrol(&setting.tenant, &setting.curl, who, "est-1.csr", json).expect(status);
        answer.json()["message"].as_str().expect("a message").to_owned()
    };
    let Some(setting) = start(1095) else { return };
    let own = "est-1:once-4711";
    assert_eq!(says(&setting, own, 404), "Failed to retrieve tenant keypair");
    with_authority(&setting.tenant, &setting.curl, &setting.openssl);
    assert_eq!(says(&setting, "est-2:once-4711", 401), none);
    enrol(&setting.tenant, &setting.curl, own, "est-1.csr", "").expect(200);
    assert_eq!(says(&setting, own, 401), none, "used up");

    let Some(setting) = start(300) else { return };
    with_authority(&setting.tenant, &setting.curl, &setting.openssl);
    let old =
        "Tenant CA certificate is either missing, expired, or has a validity of less than one year";
    assert_eq!(says(&setting, own, 404), old);
}

#[test]
fn the_answer_of_enrolment_is_ber_and_comes_in_one_line_or_in_many() {
    for (profile, status, lines) in [(Profile::Field, 200, 1), (Profile::Documented, 201, 9)] {
        let Some(setting) = Setting::with(|settings| settings.profile = profile) else { return };
        let Setting { tenant, curl, openssl } = &setting;
        with_authority(tenant, curl, openssl);
        for id in ["est-1", "est-2"] {
            let_in(tenant, curl, id);
            request(openssl, id);
        }
        let answer = enrol(tenant, curl, "est-1:once-4711", "est-1.csr", "").expect(status);
        let text = answer.text();
        assert!(text.lines().count() >= lines && (lines > 1 || !text.contains('\n')), "{text}");
        let der = STANDARD.decode(text.split_whitespace().collect::<String>()).expect("base64");
        openssl.write("answer.p7", der);
        let parsed = openssl.run("asn1parse -inform DER -in @answer.p7");
        let indefinite = parsed.lines().filter(|line| line.contains("l=inf")).count();
        assert_eq!(indefinite, 4, "{parsed}");
        let held = openssl.run("pkcs7 -inform DER -in @answer.p7 -print_certs");
        assert_eq!(held.matches("-BEGIN CERTIFICATE-").count(), 1, "the leaf alone");

        // strongSwan reads only one line of base64.
        let Some(pki) = tool("pki") else { return };
        let est = [
            "--est",
            "--url",
            &tenant.sandbox().url(),
            "--in",
            &openssl.arg("est-2.der"),
            "--cacert",
            &openssl.arg("sandbox-ca.pem"),
            "--userpass",
            "est-2:once-4711",
            "--outform",
            "pem",
        ];
        let output = pki.output(&est);
        assert_eq!(output.status.success(), profile == Profile::Field, "{output:?}");
        if profile == Profile::Field {
            openssl.write("est-2.pem", &output.stdout);
            assert!(openssl.run("verify -CAfile @own.pem @est-2.pem").ends_with("OK\n"));
        }
    }
}

#[test]
fn ids_and_names_of_users_that_the_platform_forbids() {
    let tenant = Tenant::start();
    let Some(curl) = tool("curl") else { return };
    let add = |id: &str| {
        let body = json!({ "id": id, "enrollmentToken": "once-4711" });
        tenant.send(&curl, "POST", REQUESTS, &body)
    };
    for id in ["a/b", "a\\b", "a$b", "a b", "a\tb", "a\u{7}b", "a\u{a0}b", "a:b", "a+b", ""] {
        let refused = add(id).expect(422).json();
        assert_eq!(refused["error"], "general/unprocessable", "{id:?}");
    }
    for id in ["gw-1", "GW_1.a", "o'k", "gerät-1"] {
        add(id).expect(201);
    }
    // The same in a table of many.
    tenant
        .write("rows.csv", "ID;AUTH_TYPE\ngw-2;CERTIFICATES\na$b;CERTIFICATES\na b;CERTIFICATES\n");
    let form = "--form 'file=@rows.csv;type=text/csv' /devicecontrol/bulkNewDeviceRequests";
    let told = tenant.admin(&curl, form).expect(201).json();
    assert_eq!(
        (&told["numberOfCreated"], &told["numberOfFailed"]),
        (&json!(1), &json!(2)),
        "{told}"
    );
}

#[test]
fn requests_of_new_devices_are_listed_and_withdrawn() {
    let tenant = Tenant::start();
    let Some(curl) = tool("curl") else { return };
    for id in ["gw-1", "gw-2"] {
        let_in(&tenant, &curl, id);
    }
    let list = || tenant.admin(&curl, &format!("{REQUESTS}?pageSize=2000")).expect(200).json();
    let all = list();
    let open: Vec<&Value> =
        all["newDeviceRequests"].as_array().expect("a list").iter().map(|one| &one["id"]).collect();
    assert_eq!((open.len(), open.contains(&&json!("gw-1"))), (2, true), "{all}");
    tenant.admin(&curl, &format!("--request DELETE {REQUESTS}/gw-1")).expect(204);
    tenant.admin(&curl, &format!("{REQUESTS}/gw-1")).refused(404);
    assert_eq!(list()["newDeviceRequests"].as_array().map(Vec::len), Some(1));
    // Roles: to look, and to withdraw.
    let by = |user: &str, line: &str| {
        let user = format!("--user t1001/{user}:{}", tenant.password());
        tenant.curl(&curl, &format!("{user} {line}")).status
    };
    assert_eq!(by("ROLE_DEVICE_CONTROL_READ", REQUESTS), 200);
    let withdraw = format!("--request DELETE {REQUESTS}/gw-2");
    assert_eq!(by("ROLE_DEVICE_CONTROL_ADMIN", &withdraw), 403);
    assert_eq!(by("ROLE_USER_MANAGEMENT_ADMIN", &withdraw), 204);
}

#[test]
fn features_options_and_head() {
    let tenant = Tenant::start();
    let Some(curl) = tool("curl") else { return };
    let get = |path: &str| tenant.admin(&curl, path);
    let feature = "/features/certificate-authority";
    assert_eq!(get(feature).expect(200).json()["active"], true);
    tenant.send(&curl, "PUT", &format!("{feature}/by-tenant"), &json!({ "active": false }));
    assert_eq!(get(feature).expect(200).json()["active"], false);
    tenant.send(&curl, "POST", "/certificate-authority", &json!({})).refused(404);
    // The check of revocations is off until it is switched on.
    let check = "/tenant/options/configuration/crl.offline.check.enabled";
    get(check).refused(404);
    tenant.send(&curl, "PUT", check, &json!({ "value": "true" })).expect(200);
    let option = get(check).expect(200).json();
    assert_eq!((&option["category"], &option["value"]), (&json!("configuration"), &json!("true")));
    let shared = get("/tenant/system/options/ssl/shared-truststore.enabled").expect(200).json();
    assert_eq!(shared["value"], "false");
    for path in [
        "/tenant/currentTenant",
        "/tenant/tenants/t1001/trusted-certificates",
        "/tenant/trusted-certificates/settings/crl",
        "/features",
        REQUESTS,
        check,
    ] {
        let head = get(&format!("--head {path}")).expect(200);
        let length: usize =
            head.header("content-length").expect("a length").parse().expect("a number");
        let whole = get(path).expect(200);
        // --dump-header and --output both have the headers with --head: there is no body behind them.
        assert!(head.text().ends_with("\r\n\r\n"), "{path}: {}", head.text());
        if path != "/tenant/trusted-certificates/settings/crl" {
            assert_eq!(length, whole.body.len(), "{path}");
        }
    }
    get("--head /tenant/no/such/path").expect(404);
}

#[test]
fn the_platforms_own_verdict_and_a_device_that_reads_its_identity() {
    let (Some(setting), Some(publish)) = (Setting::start(), tool("mosquitto_pub")) else { return };
    let Setting { tenant, curl, openssl } = &setting;
    let verify = "/tenant/trusted-certificates/verify-cert-chain";
    let form = |file: &str| tenant.admin(curl, &format!("--form 'file=@{file}' {verify}"));
    let told = form("gw-1-chain.pem").expect(200).json();
    let good = json!({
        "successfullyValidated": true, "tenantId": "t1001", "issuer": "CN=ca, O=Example", "subject": "CN=gw-1",
    });
    assert_eq!(told, good);
    // In a header: certificates separated by a comma, lines by a space.
    let line = openssl.text("gw-1-chain.pem").trim().replace('\n', " ");
    let line = line.replace("E----- -----B", "E-----,-----B");
    let header =
        format!("--header 'X-Cumulocity-Client-Cert-Chain: {line}' --request POST {verify}");
    assert_eq!(tenant.admin(curl, &header).expect(200).json(), good);
    openssl.root("stranger", RSA);
    openssl.device("gw-9", "stranger");
    let refused = form("gw-9-chain.pem").expect(401).json();
    assert_eq!(refused["message"], "Invalid certificate chain!");
    tenant.write("text.txt", "no certificate");
    form("text.txt").refused(400);

    let url = format!("{}/devicecontrol/deviceAccessToken", tenant.sandbox().mtls_url());
    let own =
        "--cert gw-1-chain.pem --key gw-1.key --header 'Accept: application/json' --request POST";
    let token = tenant.curl(curl, &format!("{own} {url}")).expect(200).json();
    let token = token["accessToken"].as_str().expect("a token").to_owned();
    let as_device =
        |path: &str| tenant.curl(curl, &format!("--header 'Authorization: Bearer {token}' {path}"));
    // Its object is there once it has made it.
    as_device("/identity/externalIds/c8y_Serial/gw-1").refused(404);
    let made = "-q 1 -t s/us -m 100,Name,c8y_Type";
    let (succeeded, said) = setting.run(&publish, setting.port(), made);
    assert!(succeeded, "{said}");
    let found = as_device("/identity/externalIds/c8y_Serial/gw-1").expect(200).json();
    assert_eq!((&found["externalId"], &found["type"]), (&json!("gw-1"), &json!("c8y_Serial")));
    as_device("/identity/externalIds/c8y_Serial/gw-2").refused(403);
}
