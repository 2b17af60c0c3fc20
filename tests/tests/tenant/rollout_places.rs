//! What a rollout writes goes over nothing that it reads, nor over files of other kinds.

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::Cli;

use super::demo::{FILE, edit, example};

/// The example with this file for the registration CSV.
fn with_file(cli: &Cli, path: &str) {
    let text = cli.text(FILE);
    let line = text.lines().find(|line| line.starts_with("file = ")).expect("a file").to_owned();
    edit(cli, &format!("\n{line}"), &format!("\nfile = {path:?}"));
}

/// Both the plan and the run refuse it with these words, and change nothing.
fn refused(cli: &Cli, more: &str, words: &str) {
    let before = cli.snapshot("");
    for line in [format!("rollout {FILE} --plan"), format!("rollout {FILE} {more}")] {
        let said = cli.fails(2, &line);
        assert!(said.contains(words), "wanted {words:?} in:\n{said}");
    }
    assert!(before == cli.snapshot(""), "{words}: something was changed");
}

#[test]
fn the_registration_goes_over_no_file_of_the_rollout() {
    let cli = example("");
    cli.write("demo/own.toml", cli.ok("profile show device"));
    edit(&cli, "profile = \"device\"", "profile = \"own.toml\"");
    let uses = [
        ("devices.csv", "is the device list"),
        ("./out/../devices.csv", "is the device list"),
        ("rollout.toml", "is the rollout file"),
        ("own.toml", "is a profile"),
        ("secrets/ca-password", "is the password file of the CAs"),
        ("none/../secrets/./store-password", "is the password file of the stores"),
        ("pki/pki.toml", "is in the PKI directory"),
        ("pki/new.csv", "is in the PKI directory"),
        ("out/devices", "is in the directory of the devices"),
        ("out/devices/gw-0/key.pem", "is in the directory of the devices"),
    ];
    // Before the first run, when most of these are not there, and after it.
    for _ in 0..2 {
        for (path, words) in uses {
            with_file(&cli, path);
            refused(&cli, "", &format!("{FILE}: the registration CSV would be written to demo/"));
            refused(&cli, "--sandbox", words);
        }
        with_file(&cli, "out/registration.csv");
        cli.ok(&format!("rollout {FILE}"));
    }
    let said = {
        with_file(&cli, "devices.csv");
        cli.fails(2, &format!("rollout {FILE}"))
    };
    assert!(said.contains("name another `file` under [registration]"), "{said}");
}

#[test]
fn the_registration_replaces_only_a_registration() {
    let cli = example("");
    with_file(&cli, "notes.csv");
    cli.write("demo/notes.csv", "id,remark\ngw-0,mine\n");
    refused(&cli, "", "demo/notes.csv exists and is not a registration CSV");
    // An empty file holds nothing, and a former registration is replaced.
    cli.write("demo/notes.csv", "");
    cli.ok(&format!("rollout {FILE}"));
    edit(&cli, "c8y_MQTTDevice", "acme_gate");
    cli.ok(&format!("rollout {FILE}"));
    assert!(cli.text("demo/notes.csv").contains("acme_gate"));
}

#[test]
fn answers_go_over_no_file_of_the_rollout() {
    let cli = example("[tenant]\ncas = [\"line-7\"]\nregister = false\n");
    for name in ["registration.result.csv", "registration.rehearsal.csv"] {
        cli.write(&format!("demo/out/{name}"), cli.text("demo/devices.csv"));
    }
    edit(&cli, "from = \"devices.csv\"", "from = \"out/registration.result.csv\"");
    refused(&cli, "--local", "the tenant's answers to the registration CSV would be written to");
    // A rehearsal removes the answers of the last one, and no other file.
    edit(&cli, "from = \"out/registration.result.csv\"", "from = \"devices.csv\"");
    let before = cli.snapshot("");
    let said = cli.fails(2, &format!("rollout {FILE} --sandbox"));
    assert!(said.contains("registration.rehearsal.csv"), "{said}");
    edit(&cli, "from = \"devices.csv\"", "from = \"out/registration.rehearsal.csv\"");
    let said = cli.fails(2, &format!("rollout {FILE} --sandbox"));
    assert!(said.contains("which is the device list"), "{said}");
    edit(&cli, "from = \"out/registration.rehearsal.csv\"", "from = \"devices.csv\"");
    assert!(before == cli.snapshot(""));
}

#[cfg(unix)]
#[test]
fn a_link_to_the_list_is_the_list() {
    let cli = example("");
    cli.write("demo/lists/keep.csv", cli.text("demo/devices.csv"));
    std::os::unix::fs::symlink("devices.csv", cli.path("demo/link.csv")).expect("a link");
    std::os::unix::fs::symlink("..", cli.path("demo/lists/up")).expect("a link");
    for path in ["link.csv", "lists/up/devices.csv", "lists/up/lists/../link.csv"] {
        with_file(&cli, path);
        refused(&cli, "", "which is the device list");
    }
    assert_eq!(cli.text("demo/link.csv"), cli.text("demo/lists/keep.csv"));
}

#[test]
fn a_page_goes_over_nothing_that_the_rollout_reads_or_writes() {
    let cli = example("");
    let before = cli.snapshot("");
    for (path, words) in [
        ("demo/devices.csv", "which is the device list"),
        ("demo/./secrets/ca-password", "which is the password file of the CAs"),
        ("demo/out/registration.csv", "which is the registration CSV"),
        ("demo/out/registration.result.csv", "which has the tenant's answers"),
        ("demo/out/devices/gw-0/key.pem", "which is in the directory of the devices"),
        ("demo/pki/page.html", "which is in the PKI directory"),
    ] {
        let said = cli.fails(2, &format!("rollout {FILE} --report {path}"));
        assert!(said.contains(words) && said.contains("name another file with --report"), "{said}");
    }
    assert!(before == cli.snapshot(""));
    cli.ok(&format!("rollout {FILE} --report demo/out/page.html"));
    let page = cli.ok(&format!("rollout {FILE} --report -"));
    assert!(page.contains("<html"), "{page}");
}

#[test]
fn lists_are_not_written_over_by_what_is_made_of_them() {
    let cli = example("");
    cli.ok(&format!("rollout {FILE}"));
    cli.write("otp.csv", "id,otp\ngw-0,Abc-123456\n");
    let before = cli.snapshot("");
    let list = "--from demo/devices.csv --out demo/out/../devices.csv";
    let labels = "order labels --pki demo/pki --format csv --from demo/devices.csv";
    for (line, words) in [
        (format!("registration create {list}"), "devices.csv is read with --from"),
        (format!("{labels} --out ./demo/devices.csv"), "devices.csv is read with --from"),
        (
            format!("{labels} --one-time-passwords otp.csv --out ./otp.csv"),
            "otp.csv is read with --one-time-passwords",
        ),
    ] {
        let said = cli.fails(2, &line);
        assert!(said.contains(words) && said.contains("name another file with --out"), "{said}");
    }
    assert!(before == cli.snapshot(""));
}

#[test]
fn what_was_tried_is_not_called_not_looked_at() {
    let at = AtTenant::new(example("[tenant]\ncas = [\"line-7\"]\n"));
    let text =
        at.cli.text(FILE).replace("cas = [\"edge\"]", "certificates = [\"../sandbox-ca.pem\"]");
    at.cli.write(FILE, text);
    let line = format!("rollout {FILE} --connect --mqtt-port {}", at.sandbox.mqtt_port());
    at.ok(&line);
    let again = at.ok(&line);
    assert!(again.contains("3 of 3 devices connect to "), "{again}");
    assert!(again.contains("Nothing to do: everything is in place."), "{again}");
    let json = at.run(&format!("{line} --json")).expect(0).json();
    assert_eq!(json["not_looked_at"], serde_json::json!([]), "{json}");
    let plan = at.ok(&format!("{line} --plan"));
    assert!(plan.contains("to be tried: 3 of 3 devices over MQTT"), "{plan}");
    let plan = at.ok(&format!("rollout {FILE} --sandbox --plan"));
    assert!(plan.contains("to be tried: 3 of 3 devices over MQTT"), "{plan}");
}

#[test]
fn a_rehearsal_names_nothing_that_is_to_be_done_at_the_tenant() {
    let cli = example("[tenant]\ncas = [\"line-7\"]\n");
    cli.ok(&format!("rollout {FILE} --local"));
    cli.ok("--pki demo/pki device revoke gw-1 --yes");
    for line in ["--sandbox --plan", "--sandbox"] {
        let said = cli.ok(&format!("rollout {FILE} {line}"));
        assert!(!said.contains("tenant crl"), "{said}");
        assert!(!said.contains("revocation "), "{said}");
    }
    let json = cli.run(&format!("rollout {FILE} --sandbox --json")).expect(0).json();
    assert_eq!(json["revocation_check"], serde_json::Value::Null, "{json}");
    // At the tenant itself it is told.
    let at = AtTenant::new(cli);
    let plan = at.ok(&format!("rollout {FILE} --plan"));
    assert!(plan.contains("tenant crl upload") && plan.contains("revocation  "), "{plan}");
}
