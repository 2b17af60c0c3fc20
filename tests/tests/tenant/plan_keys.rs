//! Every key of a rollout's file is compared or refused: each is changed after a first rollout, and the plan names it. The
//! table is held to the keys that the program itself knows, so that a new key without a row fails.

use std::collections::BTreeSet;

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::Cli;

/// A key, how it is changed (a text of the file and what comes in its place), the exit code of the plan, and words of it.
type Row = (&'static str, &'static [(&'static str, &'static str)], i32, &'static [&'static str]);

const ROWS: &[Row] = &[
    (
        "pki",
        &[("pki = \"pki\"", "pki = \"other\"")],
        2,
        &["is not issued, but its directory", "`pki` in demo/rollout.toml"],
    ),
    (
        "longest_chain",
        &[("# longest_chain = 10", "longest_chain = 9")],
        2,
        &["longest chain of 9 is asked for"],
    ),
    (
        "passwords.ca",
        &[("secrets/ca-password", "secrets/other")],
        2,
        &["secrets/other does not exist", "the key of the CA", "would not open it"],
    ),
    (
        "passwords.store",
        &[("secrets/store-password", "secrets/other")],
        0,
        &["~  passwords.store", "the stores have another password than", "3 devices"],
    ),
    ("passwords.pin", &[("# pin =", "pin =")], 2, &["token-pin, does not exist"]),
    (
        "passwords.create",
        &[("create = true", "create = false"), ("secrets/store-password", "secrets/other")],
        2,
        &["secrets/other does not exist", "`create = true`"],
    ),
    (
        "ca.name",
        &[("\"line-7\"", "\"line-8\"")],
        2,
        &[
            "the CA \"line-7\" has already",
            "`c8y-pki --pki demo/pki ca rename line-7 line-8`",
            "--new-ca",
        ],
    ),
    (
        "ca.parent",
        &[(
            "name = \"edge\"\nprofile = \"root\"",
            "name = \"edge\"\nparent = \"root\"\nprofile = \"intermediate\"",
        )],
        2,
        &["wants it below root"],
    ),
    (
        "ca.profile",
        &[("profile = \"intermediate\"", "profile = \"classic-intermediate\"")],
        0,
        &["~  ca.profile", "line-7", "key: ", "a CA cannot be changed"],
    ),
    (
        "ca.subject",
        &[("CN=Example Line 7,", "CN=Example Line 8,")],
        2,
        &["has the subject CN=Example Line 7"],
    ),
    (
        "ca.days",
        &[(
            "CN=Example Line 7,O=Example GmbH,C=DE\"",
            "CN=Example Line 7,O=Example GmbH,C=DE\"\ndays = 100",
        )],
        0,
        &[
            "~  ca.days",
            "-> 100 days",
            "`c8y-pki --pki demo/pki ca renew line-7 --days 100 --parent-password-file demo/secrets/ca-password`",
        ],
    ),
    ("ca.token", &[("# token = ", "token = ")], 2, &["wants it in a token"]),
    (
        "ca.existing_key",
        &[("# existing_key = true", "existing_key = true")],
        2,
        &["`existing_key` needs `token`"],
    ),
    (
        "devices.from",
        &[("from = \"devices.csv\"", "from = \"other.csv\"")],
        0,
        &[
            "-  devices.from",
            "no longer in the list",
            "gw-0002",
            "+  devices.from",
            "gw-0009",
            "--prune`",
        ],
    ),
    (
        "devices.id_column",
        &[("from = \"devices.csv\"", "from = \"devices.csv\"\nid_column = \"name\"")],
        2,
        &["device id \"\" (demo/devices.csv line 4) is empty"],
    ),
    (
        "devices.ca",
        &[
            ("ca = \"line-7\"", "ca = \"edge\""),
            ("[tenant]\ncas = [\"line-7\"]", "[tenant]\ncas = [\"edge\"]"),
        ],
        0,
        &[
            "~  devices.ca",
            "issued by: line-7 -> edge",
            "3 devices as before",
            "--replace-differing`",
        ],
    ),
    (
        "devices.profile",
        &[("profile = \"device\"", "profile = \"classic-device\"")],
        0,
        &["~  devices.profile", "keyUsage", "3 devices as before"],
    ),
    (
        "devices.subject",
        &[("subject = \"O=Example GmbH,C=DE\"", "subject = \"O=Other GmbH,C=DE\"")],
        0,
        &["~  devices.subject", "O=Example GmbH,C=DE -> O=Other GmbH,C=DE"],
    ),
    (
        "devices.days",
        &[("profile = \"device\"", "profile = \"device\"\ndays = 100")],
        0,
        &["~  devices.days", "validity: 365 days -> 100 days"],
    ),
    (
        "devices.out",
        &[("out = \"out/devices\"", "out = \"out/elsewhere\"")],
        0,
        &["~  devices.out", "demo/out/devices -> demo/out/elsewhere", "-exec mv "],
    ),
    (
        "devices.bundle",
        &[("[\"pem\", \"p12\", \"truststore-p12\"]", "[\"pem\", \"jks\", \"truststore-p12\"]")],
        0,
        &["~  devices.bundle", "nothing -> jks", "p12 -> nothing"],
    ),
    (
        "truststore.certificates",
        &[("# certificates = [\"server.pem\"]", "certificates = [\"server.pem\"]")],
        0,
        &["~  truststore.certificates", "trusted: nothing -> CN=Example Root CA"],
    ),
    (
        "truststore.cas",
        &[("cas = [\"edge\"]", "cas = [\"root\"]")],
        0,
        &[
            "~  truststore.cas",
            "nothing -> CN=Example Root CA",
            "CN=Example Edge Server CA,O=Example GmbH,C=DE -> nothing",
        ],
    ),
    (
        "registration.file",
        &[("out/registration.csv", "out/other.csv")],
        0,
        &["+  registration.file", "demo/out/other.csv"],
    ),
    (
        "registration.separator",
        &[("type = \"c8y_MQTTDevice\"", "type = \"c8y_MQTTDevice\"\nseparator = \"tab\"")],
        0,
        &["~  registration.separator", "semicolon -> tab"],
    ),
    (
        "registration.type",
        &[("type = \"c8y_MQTTDevice\"", "type = \"acme\"")],
        0,
        &["~  registration.type", "c8y_MQTTDevice -> acme", "3 devices"],
    ),
    (
        "registration.name",
        &[("name = \"{id}\"", "name = \"Gate {id}\"")],
        0,
        &["~  registration.name", "gw-0002 -> Gate gw-0002", "1 device "],
    ),
    (
        "registration.set",
        &[("name = \"{id}\"", "name = \"{id}\"\nset = { plant = \"Ulm\" }")],
        0,
        &["~  registration.set.plant", "nothing -> Ulm"],
    ),
    (
        "tenant.host",
        &[("[tenant]\n", "[tenant]\nhost = \"https://127.0.0.1:1\"\n")],
        3,
        &["127.0.0.1:1"],
    ),
    (
        "tenant.mqtt_port",
        &[("[tenant]\n", "[tenant]\nmqtt_port = 9883\n")],
        0,
        &["?  tenant.mqtt_port", "9883"],
    ),
    (
        "tenant.cas",
        &[("[tenant]\ncas = [\"line-7\"]", "[tenant]\ncas = [\"root\"]")],
        0,
        &[
            "+  tenant.cas",
            "root",
            "-  tenant.cas",
            "`c8y-pki tenant trust remove demo/pki/ca/line-7/cert.pem`",
        ],
    ),
    (
        "tenant.auto_registration",
        &[("[tenant]\n", "[tenant]\nauto_registration = true\n")],
        0,
        &["~  tenant.auto_registration", "false -> true"],
    ),
    (
        "tenant.prove",
        &[("[tenant]\n", "[tenant]\nprove = false\n")],
        0,
        &["=  tenant.prove", "proven already"],
    ),
    (
        "tenant.register",
        &[("[tenant]\n", "[tenant]\nregister = false\n")],
        0,
        &["?  tenant.register", "not uploaded"],
    ),
    (
        "tenant.chunk",
        &[("[tenant]\n", "[tenant]\nchunk = 7\n")],
        0,
        &["tenant.register", "7 rows a request"],
    ),
    (
        "tenant.rate",
        &[("[tenant]\n", "[tenant]\nrate = 5\n")],
        0,
        &["tenant.register", "at most 5 rows a second"],
    ),
];

/// The tables of the file, where they begin in it, and what stands before their keys in the table above.
const TABLES: [(&str, &str); 7] = [
    ("pki = \"pki\"\n", ""),
    ("[passwords]\n", "passwords."),
    ("[[ca]]\n", "ca."),
    ("[devices]\n", "devices."),
    ("[truststore]\n", "truststore."),
    ("[registration]\n", "registration."),
    ("[tenant]\n", "tenant."),
];

/// A rollout of three devices, done at a tenant.
fn done() -> (AtTenant, String) {
    let cli = Cli::new();
    let text = cli.ok("profile show rollout.toml");
    let (file, _) = text.split_once("# [tenant]").expect("a tenant in the example");
    let text = format!("{file}[tenant]\ncas = [\"line-7\"]\n");
    cli.write("demo/rollout.toml", &text);
    cli.write("demo/devices.csv", "id,name\ngw-0000,Gateway 0\ngw-0001,Gateway 1\ngw-0002,\n");
    cli.write("demo/other.csv", "id,name\ngw-0000,Gateway 0\ngw-0001,Gateway 1\ngw-0009,\n");
    let at = AtTenant::new(cli);
    at.ok("rollout demo/rollout.toml");
    at.cli.write("demo/server.pem", at.cli.read("demo/pki/ca/root/cert.pem"));
    (at, text)
}

#[test]
fn each_key_that_is_changed_is_named() {
    let (at, text) = done();
    let plan = at.run("rollout demo/rollout.toml --plan --exit-code").expect(0);
    assert!(plan.stdout.contains("Everything that was looked at is in place"), "{plan:?}");
    let mut wrong = Vec::new();
    for (key, changes, code, words) in ROWS {
        let mut changed = text.clone();
        for (from, to) in *changes {
            assert!(changed.contains(from), "{key}: the example has no {from:?}");
            changed = changed.replace(from, to);
        }
        at.cli.write("demo/rollout.toml", &changed);
        let before = at.cli.snapshot("demo");
        let host = if *key == "tenant.host" { "" } else { &at.sandbox.url() };
        let line = "rollout demo/rollout.toml --plan --retries 0";
        let plan = at.run_with(line, &[("C8Y_HOST", host)]);
        let said = format!("{}{}", plan.stdout, plan.stderr);
        if plan.code != *code || !words.iter().all(|word| said.contains(word)) {
            wrong.push(format!("{key}: wanted {code} and {words:?}, not {}:\n{said}", plan.code));
        }
        assert!(before == at.cli.snapshot("demo"), "{key}: the plan changed something");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_table_has_a_row_for_each_key() {
    let (at, text) = done();
    let mut known = BTreeSet::new();
    for (begin, prefix) in TABLES {
        assert!(text.contains(begin), "{begin}");
        at.cli.write(
            "demo/rollout.toml",
            text.replacen(begin, &format!("{begin}no_such_key = 1\n"), 1),
        );
        let said = at.run("rollout demo/rollout.toml --plan").expect(2).stderr;
        let (_, list) = said.split_once(": the keys are ").unwrap_or_else(|| panic!("{said}"));
        let list = list.lines().next().unwrap_or_default();
        let keys = list.split(", ").map(|key| format!("{prefix}{key}"));
        known.extend(keys);
    }
    // Tables, whose keys are asked for themselves.
    for table in ["passwords", "ca", "devices", "truststore", "registration", "tenant"] {
        assert!(known.remove(table), "{table} is no table any more");
    }
    let rows: BTreeSet<String> = ROWS.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(rows, known);
}
