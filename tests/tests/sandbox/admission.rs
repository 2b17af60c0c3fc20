//! Who is let in by the sandbox's MQTT: one list of cases, each tried by every client of others with all the
//! kinds of files that it reads. A refusal is a code that gives no reason; the sandbox has noted the
//! true one.

use c8y_pki_core::key::PrivateKey;
use c8y_pki_sandbox::Settings;
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::device_clients::{Client, Files, Guise, SERVER};
use c8y_pki_tests::odd::{certificates, write_device};
use c8y_pki_tests::workshop::{Made, device_minutes};
use serde_json::Value;

/// One step in the life of the tenant.
struct Case {
    /// What it is about.
    title: &'static str,
    /// What is done before it: users and their command lines. All earlier cases were before, too.
    before: &'static [(&'static str, &'static str)],
    guise: Guise,
    /// The code of the CONNACK.
    code: u16,
    /// What the sandbox's reason holds.
    reason: &'static str,
    /// Whether it is about the order of certificates: only for files that keep it.
    order: bool,
    /// Whether no issuer in the chain is one that the server lists: Java presents nothing then.
    unlisted: bool,
}

impl Case {
    const fn accepted(title: &'static str, guise: Guise) -> Self {
        Self { title, before: &[], guise, code: 0, reason: "", order: false, unlisted: false }
    }

    const fn refused(title: &'static str, guise: Guise, reason: &'static str) -> Self {
        Self { title, before: &[], guise, code: 5, reason, order: false, unlisted: false }
    }

    const fn after(self, before: &'static [(&'static str, &'static str)]) -> Self {
        Self { before, ..self }
    }
}

const LONG: &str = "gateway-with-a-long-identifier";
const GW_1: Guise = Guise::of("out/gw-1", "d:gw-1");
const GW_2: Guise = Guise::of("out/gw-2", "d:gw-2");
/// Below the root, without a CA between them.
const NEAR: Guise = Guise::of("out/near", "d:near");
const LONG_ID: Guise = Guise::of("out/gateway-with-a-long-identifier", LONG);

const CASES: &[Case] = &[
    Case::refused("the CA is not uploaded", GW_1, "no uploaded certificate"),
    Case::refused(
        "not registered, without auto-registration",
        GW_1,
        "gw-1 is not registered, and auto-registration is off",
    )
    .after(&[("admin", "tenant trust add --ca line")]),
    Case::accepted("a chain of two up to the uploaded CA, without proof", GW_1).after(&[
        ("admin", "registration create --ca line --out registration.csv"),
        ("admin", "registration upload registration.csv"),
    ]),
    Case::accepted("the certificate alone, its issuer uploaded", Guise::of("alone", "gw-1")),
    Case::refused(
        "the ClientId of another device",
        Guise::of("out/gw-1", "d:gw-2"),
        "\"gw-1\" is not the device identifier \"gw-2\"",
    ),
    Case::refused(
        "the ClientId in another case",
        Guise::of("out/gw-1", "d:GW-1"),
        "\"gw-1\" is not the device identifier \"GW-1\"",
    ),
    Case::refused("a colon in the common name", Guise::of("colon", "d:gw:1"), "contains ':'"),
    Case::refused("expired", Guise::of("expired", "d:gw-1"), "(CN=gw-1) expired at"),
    Case::refused("not yet valid", Guise::of("early", "d:gw-1"), "(CN=gw-1) is not valid before"),
    Case::refused(
        "MQTT 3.1 with a ClientId of 30 characters",
        Guise { version: "3.1", ..LONG_ID },
        "the ClientId has 30 characters; MQTT 3.1 allows 23",
    ),
    Case::accepted("the same with MQTT 3.1.1", LONG_ID),
    Case::accepted("MQTT 3.1 with a short one", Guise { version: "3.1", ..GW_1 }),
    Case::refused("the CA is disabled", GW_1, "CN=Line,O=Example is DISABLED in t1001")
        .after(&[("admin", "tenant trust update Line --disable")]),
    Case::refused(
        "the same CA on another tenant, without proof",
        GW_1,
        "CN=Line,O=Example is on another tenant too, without proof",
    )
    .after(&[
        ("admin", "tenant trust update Line --enable"),
        ("t1002/admin", "tenant trust add --ca line"),
    ]),
    Case::accepted("the same with proof", GW_1)
        .after(&[("admin", "pop prove --ca line --ca-password-file pw")]),
    // From here on, the root is uploaded in place of the CA that issues.
    Case::refused(
        "a chain of three, without proof",
        GW_1,
        "the chain has 3 certificates, and CN=Root,O=Example lacks its proof of possession",
    )
    .after(&[
        ("admin", "tenant trust remove Line --yes"),
        ("t1002/admin", "tenant trust remove Line --yes"),
        ("admin", "tenant trust add --ca root --auto-registration"),
    ]),
    Case::accepted("a chain of two up to the root, without proof", NEAR),
    Case::accepted("a chain of three, with proof", GW_1)
        .after(&[("admin", "pop prove --ca root --ca-password-file pw")]),
    Case {
        unlisted: true,
        ..Case::refused(
            "the certificate alone, its issuer not uploaded",
            Guise::of("alone", "d:gw-1"),
            "no uploaded certificate",
        )
    },
    Case::refused(
        "a chain without the uploaded CA",
        Guise::of("headless", "d:gw-1"),
        "no uploaded certificate",
    ),
    Case {
        order: true,
        ..Case::refused(
            "a chain with a hole",
            Guise::of("holed", "d:gw-1"),
            "CN=gw-1 is not followed by its signer CN=Line,O=Example",
        )
    },
    Case {
        order: true,
        ..Case::refused(
            "a chain out of order",
            Guise::of("shuffled", "d:gw-1"),
            "CN=gw-1 is not followed by its signer CN=Line,O=Example",
        )
    },
    Case::refused("revoked", GW_1, "is revoked")
        .after(&[("admin", "device revoke gw-1"), ("admin", "tenant crl upload")]),
    Case::accepted("another device of that CA", GW_2),
    Case {
        code: 4,
        ..Case::refused(
            "no client certificate",
            Guise { folder: None, ..GW_2 },
            "neither a certificate nor a user",
        )
    },
];

/// A tenant without certificates, and the devices of all cases.
fn tenant() -> AtTenant {
    let settings = Settings { require_proof: true, ..Settings::default() };
    let at = AtTenant::with(Cli::with_cas(), settings);
    assert!(at.sandbox.set_option("configuration", "crl.offline.check.enabled", "true"));
    let cli = &at.cli;
    let options = format!(
        "--out out --bundle pem,p12,jks,truststore-p12,truststore-jks --server-cert sandbox-ca.pem \
         {CA_PW} --store-password-file pw"
    );
    cli.ok(&format!("device issue gw-1 gw-2 {LONG} --ca line {options}"));
    cli.ok(&format!("device issue near --ca root {options}"));
    for name in ["truststore.p12", "truststore.jks"] {
        cli.write(&format!("{SERVER}/{name}"), cli.read(&format!("out/gw-1/{name}")));
        let stranger = format!("store create stranger/{name} --trusted pki/ca/root/cert.pem");
        std::fs::create_dir_all(cli.path("stranger")).expect("a directory");
        cli.ok(&format!("{stranger} --store-password-file pw"));
    }
    cli.write(&format!("{SERVER}/ca.pem"), at.sandbox.ca_pem());
    cli.write("stranger/ca.pem", cli.read("pki/ca/root/cert.pem"));

    let key = PrivateKey::read(&cli.read("out/gw-1/key.pem"), None).expect("its key");
    let whole = certificates(cli, "out/gw-1/chain.pem");
    let [leaf, line, root] = whole.as_slice() else { panic!("{} certificates", whole.len()) };
    for (folder, chain) in [
        ("alone", vec![leaf]),
        ("headless", vec![leaf, line]),
        ("holed", vec![leaf, root]),
        ("shuffled", vec![leaf, root, line]),
    ] {
        let chain: Vec<_> = chain.into_iter().cloned().collect();
        write_device(cli, folder, &key, &chain);
    }
    for (folder, name, from, minutes) in
        [("expired", "gw-1", -50, 45), ("early", "gw-1", 60, 60), ("colon", "gw:1", -5, 60)]
    {
        let Made { key, certificate } =
            device_minutes(name, &Made::of_pki(cli, "line"), from, minutes);
        write_device(cli, folder, &key, &[certificate, line.clone(), root.clone()]);
    }
    at
}

/// The connections of MQTT that the sandbox has noted, by their kind.
fn noted(at: &AtTenant, method: &str) -> Vec<Value> {
    let state = at.sandbox.state();
    let all = state["connections"].as_array().expect("a list").iter();
    all.filter(|one| one["port"] == "mqtt" && one["method"] == method).cloned().collect()
}

/// Tries a case, and holds client and sandbox to it.
fn holds(at: &AtTenant, case: &Case, client: &mut Client, files: Files) {
    let Case { title, guise, code, reason, unlisted, .. } = case;
    let (code, reason) = match *unlisted && client.name == "Java" {
        true => (&4, &"neither a certificate nor a user"),
        false => (code, reason),
    };
    let who = format!("{title}: {} with {files:?}", client.name);
    let before = noted(at, "CONNECT").len();
    let answer = client.connect(&at.cli, at.sandbox.mqtt_port(), files, guise);
    let wanted = if *code == 0 { "accepted".to_owned() } else { format!("refused {code}") };
    assert_eq!(answer, wanted, "{who}");
    let noted = noted(at, "CONNECT");
    assert_eq!(noted.len(), before + 1, "{who}");
    let last = &noted[before];
    assert_eq!(
        (&last["status"], &last["path"]),
        (&(*code).into(), &guise.client_id.into()),
        "{who}"
    );
    let told = last["reason"].as_str().unwrap_or_default();
    assert!(told.contains(reason) && told.is_empty() == reason.is_empty(), "{who}: {told}");
}

#[test]
fn every_client_is_let_in_and_refused_alike() {
    let at = tenant();
    let mut clients = Client::all(&at.cli);
    for case in CASES {
        for (user, line) in case.before {
            at.run_as(user, line).expect(0);
        }
        for client in &mut clients {
            for &files in client.reads.iter().filter(|files| !case.order || files.keep_order()) {
                holds(&at, case, client, files);
            }
        }
    }
    for client in &mut clients {
        for &files in client.reads {
            refuses_the_server(&at, client, files);
        }
    }
}

/// A client whose truststore lacks the server's CA: it sends an alert in place of a CONNECT.
fn refuses_the_server(at: &AtTenant, client: &mut Client, files: Files) {
    let guise = Guise { trust: "stranger", ..GW_2 };
    let before = ["CONNECT", "HANDSHAKE"].map(|method| noted(at, method).len());
    let answer = client.connect(&at.cli, at.sandbox.mqtt_port(), files, &guise);
    assert!(answer.starts_with("failed "), "{} with {files:?}: {answer}", client.name);
    let alert = (0..1000).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        noted(at, "HANDSHAKE").get(before[1]).cloned()
    });
    let alert = alert.expect("the sandbox has noted an alert after ten seconds");
    let reason = alert["reason"].as_str().unwrap_or_default();
    let known = ["unknown_ca", "certificate_unknown"]
        .map(|alert| format!("the client ended TLS with the alert {alert}: "));
    assert!(
        known.iter().any(|words| reason.starts_with(words)),
        "{} with {files:?}: {reason}",
        client.name
    );
    assert_eq!(noted(at, "CONNECT").len(), before[0]);
}
