//! A rollout where something has happened since the last one: devices were revoked, keys exchanged, a tenant chosen that
//! has nothing yet.

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::python_with;

use super::demo::{FILE, edit, example};

const TENANT: &str = "[tenant]\ncas = [\"line-7\"]\n";

#[test]
fn a_revoked_device_is_neither_registered_nor_connected() {
    let cli = example("");
    cli.ok("rollout demo/rollout.toml");
    cli.ok("--pki demo/pki device revoke gw-1 --yes");
    cli.write(FILE, cli.text(FILE) + TENANT);
    let at = AtTenant::new(cli);
    let line = format!("rollout {FILE}");
    let plan = at.run(&format!("{line} --plan --exit-code")).expect(4).stdout;
    let again = format!("{line} --issue-revoked");
    assert!(plan.contains(&format!("to apply: `c8y-pki {again}`")), "{plan}");
    assert!(plan.contains("revoked: they get no certificate and are not registered"), "{plan}");
    assert!(plan.contains("the tenant's list of revocations does not have them"), "{plan}");
    assert!(plan.contains("`c8y-pki --pki demo/pki tenant crl upload"), "{plan}");
    let done = at.ok(&line);
    assert!(done.contains("0 new, 2 issued before, 1 revoked"), "{done}");
    assert!(done.contains("2 registered"), "{done}");
    let registered: Vec<String> =
        at.list("devices").iter().map(|device| device["id"].to_string()).collect();
    assert_eq!(registered.len(), 2, "{registered:?}");
    assert!(!at.cli.text("demo/out/registration.csv").contains("gw-1"));
    at.run("--pki demo/pki tenant crl upload").expect(1);
    let plan = at.run(&format!("{line} --plan")).expect(0).stdout;
    assert!(!plan.contains("list of revocations does not have"), "{plan}");
    // Issued again, if that is asked for: registered like the others, with a key of its own.
    let key = at.cli.read("demo/out/devices/gw-1/key.pem");
    let plan = at.run(&format!("{again} --plan")).expect(0).stdout;
    assert!(plan.contains("revoked: they are issued again"), "{plan}");
    at.ok(&again);
    assert_ne!(at.cli.read("demo/out/devices/gw-1/key.pem"), key);
    assert_eq!(at.list("devices").len(), 3);
    at.run(&format!("{again} --plan --exit-code")).expect(0);
    let plan = at.run(&format!("{line} --plan --exit-code")).expect(0).stdout;
    assert!(!plan.contains("but revoked"), "{plan}");
    at.cli.ok("--pki demo/pki device revoke gw-1 --yes");
    // What is tried is said, and what is not.
    let tried = at.run(&format!("rollout {FILE} --sandbox --connect=1")).expect(0).stdout;
    assert!(tried.contains("1 of the 1 device tried connect to localhost:"), "{tried}");
    assert!(tried.contains("; 1 device not tried."), "{tried}");
}

#[test]
fn a_tenant_that_would_trust_no_ca_of_the_devices_gets_nothing() {
    let at = AtTenant::new(example("[tenant]\ncas = [\"edge\"]\n"));
    for line in ["--plan", ""] {
        let refused = at.run(&format!("rollout {FILE} {line}")).expect(2);
        let words = "`cas` under [tenant] is edge, but the devices are issued by line-7";
        assert!(refused.error().contains(words), "{refused:?}");
        assert!(refused.stderr.contains("add line-7 to `cas`, or a CA above it"), "{refused:?}");
    }
    assert!(at.list("trusted_certificates").is_empty() && !at.cli.path("demo/pki").exists());
}

#[test]
fn the_platform_is_asked_before_devices_are_registered_that_were_made_before() {
    let cli = example(TENANT);
    cli.ok(&format!("rollout {FILE} --sandbox"));
    let at = AtTenant::new(cli);
    let plan = at.ok(&format!("rollout {FILE} --plan --json"));
    let before = "before devices are registered, the platform is asked about the chain of one";
    assert!(plan.contains(before), "{plan}");
    let done = at.ok(&format!("rollout {FILE}"));
    assert!(done.contains("accepted for the tenant t1001"), "{done}");
    let again = at.ok(&format!("rollout {FILE}"));
    assert!(!again.contains("accepted for the tenant"), "{again}");
    assert!(again.contains("nothing was sent; 3 devices registered before"), "{again}");
}

#[test]
fn a_key_that_is_not_that_of_its_ca_is_not_in_place() {
    let cli = example("");
    cli.ok("rollout demo/rollout.toml");
    let plan = cli.run(&format!("rollout {FILE} --plan --exit-code")).expect(0).stdout;
    assert!(plan.contains("it opens the keys of "), "{plan}");
    cli.write("demo/pki/ca/edge/key.pem", cli.text("demo/pki/ca/root/key.pem"));
    let plan = cli.run(&format!("rollout {FILE} --plan --exit-code")).expect(4).stdout;
    assert!(plan.contains("edge/key.pem holds a key that is not that of the CA edge"), "{plan}");
    // The key of an issuer is needed where a CA is to be made under it.
    cli.write("demo/secrets/ca-password", "Another-Pass-77-xyz\n");
    edit(&cli, "\"line-7\"", "\"line-9\"");
    let said = cli.fails(2, &format!("rollout {FILE} --new-ca --plan"));
    assert!(said.contains("password"), "{said}");
}

#[test]
fn devices_that_would_outlive_their_ca_are_refused_by_the_plan_too() {
    for fresh in [true, false] {
        let cli = example("");
        if !fresh {
            cli.ok("rollout demo/rollout.toml");
        }
        edit(&cli, "[devices]", "[devices]\ndays = 30000");
        let before = cli.snapshot("demo");
        for line in ["--plan", ""] {
            let said = cli.fails(2, &format!("rollout {FILE} {line}"));
            assert!(said.contains("`days` under [devices] is 30000, but the CA line-7 ends on"));
            assert!(said.contains("or leave `days` out"), "{said}");
        }
        assert!(before == cli.snapshot("demo"));
    }
}

#[test]
fn a_ca_is_not_renewed_for_what_a_renewal_does_not_change() {
    let cli = example("");
    cli.ok("rollout demo/rollout.toml");
    let profile = cli.ok("profile show intermediate");
    assert!(profile.contains("backdate_minutes"), "{profile}");
    let lines: Vec<String> = profile
        .lines()
        .map(|line| match line.starts_with("backdate_minutes") {
            true => "backdate_minutes = 0".to_owned(),
            false => line.to_owned(),
        })
        .collect();
    cli.write("demo/int.toml", lines.join("\n"));
    edit(&cli, "profile = \"intermediate\"", "profile = \"int.toml\"");
    let plan = cli.ok(&format!("rollout {FILE} --plan"));
    assert!(plan.contains("and 0 minutes; a CA cannot be changed"), "{plan}");
    assert!(!plan.contains("ca renew"), "{plan}");
}

/// The rows of a CSV, as Python reads it.
fn rows_of(at: &AtTenant, name: &str) -> Option<String> {
    let python = python_with("csv")?;
    let script = "import csv, sys; print([row[0] for row in csv.reader(open(sys.argv[1]), delimiter=';')][1:])";
    Some(python.run(&["-c", script, &at.cli.arg(name)]).trim().to_owned())
}

#[test]
fn where_all_devices_are_revoked_the_registration_names_none() {
    const CSV: &str = "demo/out/registration.csv";
    let at = AtTenant::new(example(TENANT));
    let line = format!("rollout {FILE}");
    at.ok(&line);
    at.cli.ok("--pki demo/pki device revoke gw-0 --yes");
    let plan = at.ok(&format!("{line} --plan"));
    assert!(
        plan.contains("rows of revoked devices, which are taken out; 1 device (gw-0)"),
        "{plan}"
    );
    assert!(!plan.contains("no longer in the list"), "{plan}");
    at.cli.ok("--pki demo/pki device revoke gw-1 gw-2 --yes");
    at.run("--pki demo/pki tenant crl upload").expect(1);
    let plan = at.run(&format!("{line} --plan --exit-code")).expect(4).stdout;
    assert!(plan.contains("rows of revoked devices, which are taken out; 3 devices"), "{plan}");
    let none = "nothing to register: all devices of the list are revoked";
    assert!(plan.contains("=  tenant.register") && plan.contains(none), "{plan}");
    let done = at.ok(&line);
    assert!(done.contains("updated   registration") && done.contains(none), "{done}");
    if let Some(rows) = rows_of(&at, CSV) {
        assert_eq!(rows, "[]", "{}", at.cli.text(CSV));
    }
    // Once more nothing is to be done, but to issue them again.
    let plan = at.run(&format!("{line} --plan")).expect(0).stdout;
    assert!(plan.contains("=  registration.file") && !plan.contains("taken out"), "{plan}");
    let tried = at.ok(&format!("{line} --sandbox"));
    assert!(tried.contains("No device was to connect."), "{tried}");
    at.ok(&format!("{line} --issue-revoked"));
    if let Some(rows) = rows_of(&at, CSV) {
        assert_eq!(rows, "['gw-0', 'gw-1', 'gw-2']", "{}", at.cli.text(CSV));
    }
}

/// The cards, the table and the JSON of one run count the same things.
#[test]
fn the_numbers_of_a_page_agree_where_devices_are_revoked() {
    let at = AtTenant::new(example(TENANT));
    let line = format!("rollout {FILE}");
    at.ok(&line);
    at.cli.ok("--pki demo/pki device revoke gw-1 --yes");
    let json = at.run(&format!("{line} --report page.html --json")).expect(0).json();
    let page = at.cli.text("page.html");
    let registered = &json["registered"];
    assert_eq!((&registered["rows"], &registered["created"]), (&2.into(), &2.into()), "{json}");
    assert_eq!(
        (&json["devices"]["revoked"], &registered["left"]),
        (&1.into(), &0.into()),
        "{json}"
    );
    for card in [
        "<b class=\"\">2 of 3</b>devices have a certificate",
        "<b class=\"\">1 of 3</b>devices of the list are revoked",
        "<b class=\"\">2 of 3</b>devices were registered at the tenant, 2 of them by earlier runs",
    ] {
        assert!(page.contains(card), "{card}: {page}");
    }
    let yes = "<td class=\"state\" data-label=\"Registered\"><span class=\"good\">yes</span>";
    assert_eq!(page.matches(yes).count(), 2, "{page}");
    assert_eq!(page.matches(">revoked on ").count(), 1, "{page}");
    assert!(
        page.contains("1 of 3 devices of the list is revoked: it gets no certificate, and is not sent to the tenant."),
        "{page}"
    );
    assert!(!page.contains("no live certificate") && !page.contains("Not finished"), "{page}");
}

#[test]
fn devices_whose_rows_have_changed_are_not_called_new() {
    let at = AtTenant::new(example(TENANT));
    let line = format!("rollout {FILE}");
    at.ok(&line);
    let list = "id,name,iccid\ngw-0,Zero,8949020000100000001\ngw-1,One,\ngw-2,Two,\ngw-3,Three,\n";
    at.cli.write("demo/devices.csv", list);
    let plan = at.ok(&format!("{line} --plan"));
    let said = "4 to register (3 of them again: their rows have other columns or values now), 0 registered before";
    assert!(plan.contains(said), "{plan}");
    let done = at.ok(&line);
    assert!(done.contains(said) && done.contains("1 registered, 3 there before"), "{done}");
    assert_eq!(at.list("devices").len(), 4);
}

/// Each device is compared with the file as it is now, whatever a stopped run has made before that was changed.
#[test]
fn what_a_stopped_run_has_replaced_is_replaced_again_if_the_file_has_changed_since() {
    let cli = example("");
    cli.ok("rollout demo/rollout.toml");
    // As a run leaves it that was killed while it replaced devices.
    cli.write("demo/out/devices/.c8y-pki-replacing", "1\n");
    let file = cli.text(FILE);
    cli.write(FILE, file.replacen("[devices]", "[devices]\ndays = 30", 1));
    let line = format!("rollout {FILE} --replace-differing");
    let done = cli.run(&line).expect(0).stdout;
    assert!(done.contains("3 devices issued"), "{done}");
    cli.run(&format!("rollout {FILE} --plan --exit-code")).expect(0);
}

/// An order of the same devices, made after a revocation, is no word of the rollout file.
#[test]
fn an_order_does_not_have_a_rollout_issue_what_was_revoked() {
    let cli = example("");
    cli.ok("rollout demo/rollout.toml");
    cli.ok("--pki demo/pki device revoke gw-1 --yes");
    cli.ok("--pki demo/pki order create acme --from demo/devices.csv --ca line-7");
    let done = cli.run(&format!("rollout {FILE}")).expect(0).stdout;
    assert!(done.contains("0 new, 2 issued before, 1 revoked"), "{done}");
    assert!(done.contains("\n0 devices issued"), "{done}");
    assert!(!cli.text("demo/out/registration.csv").contains("gw-1"));
}
