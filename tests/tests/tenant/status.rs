//! `status`: what needs a person, by the registry and by a tenant, and nothing that was not looked at.

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::{arg, python_dir, python_with};
use serde_json::{Value, json};

/// Urgency, subject and name of each item.
fn items(view: &Value) -> Vec<(String, String, String)> {
    let text = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    let items = view["items"].as_array().expect("items");
    items.iter().map(|i| (text(i, "urgency"), text(i, "subject"), text(i, "name"))).collect()
}

fn item(urgency: &str, subject: &str, name: &str) -> (String, String, String) {
    (urgency.to_owned(), subject.to_owned(), name.to_owned())
}

#[test]
fn what_runs_out_is_told_before_and_after() {
    let cli = Cli::with_cas();
    let calm = cli.run("status --json").expect(0).json();
    assert_eq!((items(&calm), &calm["tenant"]), (Vec::new(), &Value::Null));
    let said = cli.ok("status");
    assert!(said.starts_with("Nothing is overdue, and nothing is due soon."), "{said}");
    assert!(said.contains("Not looked at\n  the tenant: "), "{said}");
    cli.ok(&format!("device issue gw-1 --ca line --days 20 --out out {CA_PW}"));
    cli.write("list.csv", "id\ngw-1\ngw-2\n");
    cli.ok("order create acme --from list.csv --ca line");
    let soon = cli.run("status --json").expect(0).json();
    assert_eq!(items(&soon), [item("due", "devices", "line"), item("due", "order", "acme")]);
    assert_eq!(items(&cli.run("status --device-days 5 --json").expect(0).json()).len(), 1);
    // A revocation is overdue until a list has it.
    cli.ok("device revoke gw-1 --yes");
    let late = cli.run("status --json").expect(1).json();
    assert_eq!(items(&late)[0], item("overdue", "list", "line"));
    let text = cli.run("status").expect(1).stdout;
    assert!(text.starts_with("1 overdue, ") && text.contains("Overdue\n  list"), "{text}");
    cli.ok(&format!("ca crl line --days 10 {CA_PW}"));
    let told = cli.run("status --json").expect(0).json();
    assert_eq!(items(&told), [item("due", "order", "acme")]);
    let ending = cli.run("status --list-days 11 --json").expect(0).json();
    assert_eq!(items(&ending)[0], item("due", "list", "line"));
    let ca = cli.run("status --ca-days 36500 --json").expect(0).json();
    assert!(items(&ca).contains(&item("due", "ca", "root")), "{ca}");
}

#[test]
fn what_the_tenant_lacks_is_told_if_it_is_asked() {
    let cli = Cli::with_cas();
    cli.write("list.csv", "id,type,name\ngw-1,t,One\ngw-2,t,Two\n");
    cli.ok(&format!("device issue --from list.csv --ca line --out out {CA_PW}"));
    let at = AtTenant::new(cli);
    let view = at.run("status --json").expect(1).json();
    assert_eq!(view["tenant"]["registered"]["missing_ids"], json!(["gw-1", "gw-2"]));
    let tenant = at.sandbox.tenant().to_owned();
    assert_eq!(
        items(&view),
        [item("overdue", "trust", "line"), item("overdue", "registration", &tenant)]
    );
    at.ok("order create acme --from list.csv --ca line");
    let hint = at.run("status").expect(1).stdout;
    assert!(hint.contains("`c8y-pki registration create --order acme --out FILE`"), "{hint}");
    at.ok("order revoke acme --yes");
    at.ok("tenant trust add --ca line");
    at.ok("registration create --out r.csv");
    at.ok("registration upload r.csv");
    let view = at.run("status --json").expect(0).json();
    assert_eq!(items(&view), [item("due", "proof", "line")]);
    at.ok(&format!("pop prove --ca line {CA_PW}"));
    assert_eq!(items(&at.run("status --json").expect(0).json()), []);
    // Revoked here, in a list, and not at the tenant.
    at.ok("device revoke gw-2 --yes");
    at.ok(&format!("ca crl line {CA_PW}"));
    let view = at.run("status --json").expect(1).json();
    let missing = item("overdue", "revocation", &tenant);
    assert_eq!(items(&view), [missing.clone(), missing]);
    at.ok("tenant crl enable");
    at.ok("tenant crl upload");
    let view = at.run("status --json").expect(0).json();
    assert_eq!((items(&view), &view["tenant"]["revocations_missing"]), (Vec::new(), &json!(0)));
    // What was not asked about is said.
    let none = at.run("status --ask-devices 0 --json").expect(0).json();
    assert_eq!(
        (&none["tenant"]["registered"]["asked"], &none["tenant"]["registered"]["not_asked"]),
        (&json!(0), &json!(1))
    );
    assert!(at.ok("status --ask-devices 0").contains("the registration of 1 more device"));
}

#[test]
fn prometheus_reads_its_numbers() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue gw-1 --ca line --days 20 --out out {CA_PW}"));
    cli.write("list.csv", "id\ngw-1\ngw-2\n");
    cli.ok("order create acme --from list.csv --ca line");
    let at = AtTenant::new(cli);
    at.run("status --prometheus all.prom").expect(1);
    at.cli.ok("status --prometheus alone.prom");
    let Some(python) = python_with("prometheus_client") else { return };
    let read = |file: &str| -> Vec<(String, Value, f64)> {
        let text = python.run(&[arg(&python_dir().join("prometheus.py")), &at.cli.arg(file)]);
        serde_json::from_str(&text).expect("JSON")
    };
    let all = read("all.prom");
    let value = |name: &str, labels: Value| {
        all.iter().find(|(n, l, _)| n == name && *l == labels).map(|(_, _, value)| *value)
    };
    let tenant = at.sandbox.tenant();
    assert_eq!(value("c8y_pki_devices", json!({"ca": "line", "state": "ending"})), Some(1.0));
    assert_eq!(
        value("c8y_pki_order_devices", json!({"order": "acme", "state": "open"})),
        Some(1.0)
    );
    assert_eq!(
        value("c8y_pki_tenant_ca_trusted", json!({"tenant": tenant, "ca": "line"})),
        Some(0.0)
    );
    assert_eq!(
        value("c8y_pki_tenant_devices", json!({"tenant": tenant, "state": "missing"})),
        Some(1.0)
    );
    assert_eq!(value("c8y_pki_items", json!({"urgency": "overdue"})), Some(2.0));
    let alone = read("alone.prom");
    assert!(alone.iter().all(|(name, ..)| !name.contains("tenant")), "{alone:?}");
}

/// The hints are the commands that do it, and not only those that show it.
#[test]
fn certificates_that_end_are_listed_and_renewed_as_the_hint_says() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue gw-1 --ca line --days 20 --out out {CA_PW}"));
    cli.ok(&format!("device issue gw-2 --ca line --days 200 --out out {CA_PW}"));
    cli.ok(&format!(
        "server issue b.example.com --ca line --san DNS:b.example.com --days 20 --out srv {CA_PW}"
    ));
    let said = cli.ok("status --device-days 40");
    let commands = |what: &str| {
        let start = format!("`c8y-pki {what}");
        let all = said.split(&start).skip(1).filter_map(|rest| rest.split_once('`'));
        all.map(|(words, _)| format!("{what}{words}")).collect::<Vec<_>>()
    };
    assert_eq!(commands("device list"), ["device list --expiring 40d --ca line"], "{said}");
    let listed = cli.ok("device list --expiring 40d --ca line");
    assert!(listed.contains("gw-1") && !listed.contains("gw-2"), "{listed}");
    assert_eq!(
        commands("device renew"),
        ["device renew --expiring 40d --ca line --out DIR"],
        "{said}"
    );
    assert_eq!(commands("server list"), ["server list --expiring 40d --ca line"], "{said}");
    assert!(cli.ok("server list --expiring 40d --ca line").contains("b.example.com"));
    assert_eq!(commands("server renew"), ["server renew NAME"], "{said}");
    cli.ok(&format!("device renew --expiring 40d --ca line --out out {CA_PW}"));
    assert!(!cli.ok("status --device-days 40").contains("device list --expiring"));
}

/// A CA may have another name at the tenant.
#[test]
fn a_disabled_ca_is_enabled_by_the_hint_whatever_its_name() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    let at = AtTenant::new(cli);
    at.ok("tenant trust add --ca line --name Acme-2026");
    at.ok("tenant trust update Acme-2026 --disable");
    let said = at.run("status").expect(1).stdout;
    let (_, rest) = said.split_once("`c8y-pki tenant trust update ").expect("the hint");
    let (words, _) = rest.split_once('`').expect("its end");
    at.ok(&format!("tenant trust update {words}"));
    assert!(!at.run("status").expect(1).stdout.contains("trust update"));
}

/// People read a line at once, and not one for each of a thousand requests. Programs are told of each.
#[test]
fn a_tenant_that_fails_often_does_not_fill_the_screen() {
    let at = AtTenant::new(Cli::with_cas());
    let ids: String = (1..=30).map(|n| format!("gw-{n}\n")).collect();
    at.cli.write("list.csv", format!("id\n{ids}"));
    at.cli.ok(&format!("device issue --from list.csv --ca line --out out {CA_PW}"));
    at.faults(0.3, 3);
    let told = |said: &str, word: &str| said.matches(word).count();
    let said = at.run("status --retries 9").expect(1);
    assert!(said.stdout.contains("registration of 30 devices"), "{said:?}");
    let lines = told(&said.stderr, "trying again in");
    let each = told(&at.run("status --retries 9 --json").expect(1).stderr, "\"retry\"");
    assert!((1..each).contains(&lines), "{lines} of {each}: {said:?}");
}

/// What is here is shown whatever becomes of the tenant.
#[test]
fn a_tenant_that_does_not_answer_hides_nothing() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue gw-1 --ca line --days 20 --out out {CA_PW}"));
    let said = cli.run("status --host 127.0.0.1:1 --prometheus s.prom").expect(2);
    assert!(said.stdout.contains("Due soon\n  devices"), "{said:?}");
    assert!(said.stdout.contains("Not looked at\n  the tenant: "), "{said:?}");
    assert!(cli.text("s.prom").contains("c8y_pki_devices"), "{said:?}");
    cli.write("token", "abc");
    std::fs::remove_file(cli.path("s.prom")).unwrap();
    let login = "--host 127.0.0.1:1 --user u --tenant-password-file pw --retries 0";
    let said = cli.run(&format!("status {login} --prometheus s.prom --json")).expect(3);
    let view = said.json();
    assert_eq!(items(&view), [item("due", "devices", "line")]);
    assert!(cli.text("s.prom").contains("c8y_pki_devices"), "{said:?}");
}
