//! `--plan` of the commands that issue: it changes nothing, asks for no password, and says what the command then does.

use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::tool;
use serde_json::Value;

const BY: &str = "--ca line --out out";
const STORE_PW: &str = "--store-password-file pw";

/// What the directory of the test has, name by name, without what a reader of SQLite leaves.
fn all(cli: &Cli) -> Vec<(String, Option<Vec<u8>>)> {
    let mut found = cli.snapshot(".");
    found.retain(|(name, _)| !name.ends_with("-shm") && !name.ends_with("-wal"));
    found
}

/// The plan of a line as JSON; nothing has changed after it.
fn plan(cli: &Cli, code: i32, line: &str) -> Value {
    let before = all(cli);
    let said = cli.run(&format!("{line} --plan --json")).expect(code);
    assert!(all(cli) == before, "{line} --plan has changed something");
    said.json()
}

fn numbers(value: &Value) -> [u64; 4] {
    ["issued", "replaced", "skipped", "revoked"].map(|key| value[key].as_u64().expect(key))
}

/// The plan, then the run: the numbers are the same.
fn as_planned(cli: &Cli, line: &str) -> Value {
    let planned = plan(cli, 0, line);
    let done = cli.run(&format!("{line} {CA_PW} --json")).expect(0).json();
    assert_eq!(numbers(&planned), numbers(&done), "{line}: {planned} {done}");
    planned
}

#[test]
fn what_is_planned_is_what_is_done() {
    let cli = Cli::with_cas();
    cli.write("list.csv", "id\ngw-1\ngw-2\ngw-3\n");
    let list = format!("device issue --from list.csv {BY}");
    let first = as_planned(&cli, &list);
    assert_eq!(numbers(&first), [3, 0, 0, 0]);
    assert_eq!(first["ids"], serde_json::json!(["gw-1", "gw-2", "gw-3"]));
    assert_eq!(numbers(&as_planned(&cli, &list)), [0, 0, 3, 0]);

    cli.ok("device revoke gw-2 --yes");
    cli.write("list.csv", "id\ngw-1\ngw-2\ngw-3\ngw-4\n");
    assert_eq!(numbers(&as_planned(&cli, &list)), [1, 0, 2, 1]);
    let again = format!("device issue gw-1 gw-2 --existing replace {BY}");
    assert_eq!(numbers(&as_planned(&cli, &again)), [2, 1, 0, 0]);
    let renew = "device renew gw-3 gw-4 --out out --reuse-key";
    assert_eq!(numbers(&as_planned(&cli, renew)), [2, 2, 0, 0]);

    cli.write("order.csv", "id\nbox-1\nbox-2\n");
    cli.ok("order create acme --from order.csv --ca line --bundle p12 --days 30");
    let text = cli.ok("device issue --order acme --out out --plan");
    assert!(text.starts_with("2 devices would be issued by line, valid until "), "{text}");
    assert!(text.contains("\n  box-1\n"), "{text}");
    let renewed = cli.ok("device renew --expiring 30d --out out --plan");
    assert!(renewed.is_empty(), "{renewed}");
}

#[test]
fn a_plan_refuses_what_the_run_refuses() {
    let cli = Cli::with_cas();
    for file in ["secrets.csv", "there.tar", "begun.tar.part"] {
        cli.write(file, "somebody else's\n");
    }
    for (line, why) in [
        (format!("device issue gw-1 {BY} --days 36500"), "days"),
        (format!("device issue gw-1 {BY} --profile root-ca"), "profile"),
        (format!("device issue 'a b' {BY}"), "a b"),
        (
            format!(
                "device issue gw-1 {BY} --key-type ml-dsa-44 --bundle jks --store-password-file pw"
            ),
            "ML-DSA-44",
        ),
        (
            format!("device issue gw-1 {BY} --bundle truststore-p12 {STORE_PW}"),
            "the bundle is empty",
        ),
        (format!("device issue gw-1 {BY} --bundle pem,truststore-p12 {STORE_PW}"), "--server-cert"),
        (format!("device issue gw-1 {BY} --server-cert nope.pem"), "nope.pem"),
        (
            format!("device issue gw-1 {BY} --bundle p12 --secrets secrets.csv"),
            "secrets.csv is there already",
        ),
        (format!("device issue gw-1 {BY} --secrets new.csv"), "the bundle has no store"),
        (
            format!(
                "device issue gw-1 {BY} --bundle thin-edge --encrypt-keys --key-password-file pw"
            ),
            "thin-edge",
        ),
        (
            "device issue gw-1 --ca line --out there.tar --into tar".to_owned(),
            "there.tar is there already",
        ),
        (
            "device issue gw-1 --ca line --out begun.tar --into tar".to_owned(),
            "the registry does not know it",
        ),
        ("device issue gw-1 --ca line --out pki".to_owned(), "PKI directory"),
        ("device issue gw-1 --ca lime --out out".to_owned(), "lime"),
        ("device renew gw-1 --out out".to_owned(), "gw-1"),
    ] {
        let before = all(&cli);
        let planned = cli.run(&format!("{line} --plan")).expect(2).stderr;
        assert!(planned.contains(why), "{line}: {planned}");
        assert!(all(&cli) == before, "{line}");
        assert!(cli.run(&format!("{line} {CA_PW}")).expect(2).stderr.contains(why), "{line}");
    }
    // Some rows fail, the others would be issued: no list of failures is written.
    cli.write("list.csv", "id\ngw-1\nb:d\n");
    let line = format!("device issue --from list.csv {BY} --keep-going --failed failed.csv");
    let planned = plan(&cli, 1, &line);
    assert_eq!((&planned["issued"], &planned["failed"]), (&1.into(), &1.into()), "{planned}");
    // A policy is held to.
    cli.write("pki/pki.toml", cli.text("pki/pki.toml") + "\n[policy.line]\nids = [\"gw-*\"]\n");
    let said = cli.run(&format!("device issue box-1 {BY} --plan")).expect(2).stderr;
    assert!(said.contains("box-1"), "{said}");
}

#[test]
fn a_server_is_planned_before_it_is_issued() {
    let cli = Cli::with_cas();
    let issue = "server issue broker --ca line --san DNS:broker.example.com --out servers";
    let planned = plan(&cli, 0, issue);
    let made = cli.run(&format!("{issue} {CA_PW} --json")).expect(0).json();
    for key in ["name", "alt_names", "ca", "folder"] {
        assert_eq!(planned[key], made[key], "{key}");
    }
    assert_eq!(
        planned["not_after"].as_str().unwrap()[..10],
        made["not_after"].as_str().unwrap()[..10]
    );
    // What the command refuses, its plan refuses.
    let refused = cli.run(&format!("{issue} --plan")).expect(2).stderr;
    assert!(refused.contains("broker"), "{refused}");
    let renewed = plan(&cli, 0, "server renew broker --days 30");
    assert_eq!(renewed["replaces"], made["serial"], "{renewed}");
    let late = cli.run("server renew broker --days 36500 --plan").expect(2).stderr;
    assert!(late.contains("36500"), "{late}");
    cli.ok("key new --type ec-p256 --plain --out edge.key");
    let text = cli.ok("server renew broker --plan");
    assert!(text.contains("in place of   "), "{text}");
}

#[test]
fn chains_are_planned_before_they_are_rewritten() {
    let cli = Cli::with_cas();
    let store = "--store-password-file pw";
    cli.ok(&format!("device issue gw-1 gw-2 {BY} --bundle pem,p12 {store} {CA_PW}"));
    cli.ok(&format!("ca renew line {CA_PW} --parent-password-file pw"));
    let refresh = format!("device refresh --out out {store}");
    let planned = plan(&cli, 0, &refresh);
    let done = cli.run(&format!("{refresh} --json")).expect(0).json();
    assert_eq!(planned, done);
    assert_eq!(planned["refreshed"].as_array().map(Vec::len), Some(2), "{planned}");
    let nothing = cli.ok(&format!("{refresh} --plan"));
    assert!(nothing.starts_with("0 devices would be rewritten, 2 have "), "{nothing}");
}

#[test]
fn a_renewal_is_refused_by_its_plan_for_what_devices_had() {
    let cli = Cli::with_cas();
    let issue = "device issue gw-1 --bundle p12,truststore-p12 --server-cert pki/ca/root/cert.pem";
    cli.ok(&format!("{issue} {BY} {STORE_PW} {CA_PW}"));
    // It had a truststore, and nothing is given that goes into one.
    for line in
        ["device renew gw-1 --out out", "device issue gw-1 --existing replace --ca line --out out"]
    {
        let planned = cli.run(&format!("{line} --plan")).expect(2).error().to_owned();
        let done = cli.run(&format!("{line} {STORE_PW} {CA_PW}")).expect(2);
        assert_eq!(planned, done.error(), "{line}");
        let given = format!("{line} --server-cert pki/ca/root/cert.pem");
        let planned = plan(&cli, 0, &given);
        assert_eq!(planned["bundle"], serde_json::json!(["p12", "truststore-p12"]), "{planned}");
        assert_eq!(planned["keeps_bundle"], true, "{planned}");
        cli.ok(&format!("{given} {STORE_PW} {CA_PW}"));
    }
}

#[test]
fn a_plan_says_how_devices_are_made() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue gw-1 {BY} {CA_PW}"));
    let line =
        format!("device issue gw-1 gw-2 --existing replace --revoke {BY} --key-type rsa-2048");
    let planned = plan(&cli, 0, &line);
    for (key, value) in [
        ("profile", serde_json::json!("device")),
        ("key_type", "rsa-2048".into()),
        ("keeps_key_type", false.into()),
        ("bundle", serde_json::json!(["pem"])),
        ("revoke", true.into()),
    ] {
        assert_eq!(planned[key], value, "{key}: {planned}");
    }
    let text = cli.ok(&format!("{line} --plan"));
    assert!(
        text.contains("1 of them would replace a former certificate, which would be revoked\n")
    );
    assert!(text.contains("profile device; new keys: rsa-2048; files: pem"), "{text}");
    cli.ok(&format!("{line} {CA_PW}"));
    let history = cli.run("device show gw-1 --json").expect(0).json_lines();
    assert_eq!(history[0]["status"], "revoked");
}

#[test]
fn a_plan_hands_nothing_over() {
    let cli = Cli::with_cas();
    cli.write("list.csv", "id\ngw-1\ngw-2\n");
    cli.ok("order create acme --from list.csv --ca line");
    let line = "device issue --order acme --out out --exec 'touch {dir}/flashed'";
    for _ in 0..2 {
        let before = all(&cli);
        let said = cli.run(&format!("{line} --plan")).expect(0);
        assert!(said.stderr.contains("The program of --exec was not run."), "{said:?}");
        assert!(all(&cli) == before);
        let shown = cli.run("order show acme --json").expect(0).json();
        assert_eq!(shown["handed_over"], 0, "{shown}");
        cli.ok(&format!("device issue --order acme --out out {CA_PW}"));
    }
    cli.ok(&format!("{line} {CA_PW}"));
    assert!(cli.path("out/gw-1/flashed").exists());
    assert_eq!(cli.run("order show acme --json").expect(0).json()["handed_over"], 2);
}

#[test]
fn the_plan_of_a_server_refuses_what_its_run_refuses() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue gw-1 {BY} {CA_PW}"));
    let (key, request) = (cli.arg("out/gw-1/key.pem"), cli.arg("srv.csr"));
    openssl.run(&["req", "-new", "-key", &key, "-subj", "/CN=srv", "-out", &request]);
    let san = "--san DNS:srv.example.com --ca line";
    let refused = |line: &str, why: &str| {
        let before = all(&cli);
        let planned = cli.run(&format!("{line} --plan")).expect(2);
        assert!(planned.error().contains(why), "{line}: {planned:?}");
        assert!(all(&cli) == before, "{line}");
        let done = cli.run(&format!("{line} {STORE_PW} {CA_PW}")).expect(2);
        assert_eq!(planned.error(), done.error(), "{line}");
    };
    let files = |kinds: &str| format!("server issue srv {san} --out servers --bundle {kinds}");
    refused(&files("truststore-p12"), "the bundle is empty");
    refused(&files("thin-edge"), "thin-edge");
    refused(&format!("server issue srv {san} --out pki"), "PKI directory");
    refused(&format!("{} --key-type ml-dsa-44", files("jks")), "ML-DSA-44");
    let sign = format!("server sign srv.csr {san} --out servers");
    let shared = cli.run(&format!("{sign} --plan")).expect(2);
    assert!(shared.error().contains("the device \"gw-1\""), "{shared:?}");
    assert_eq!(shared.error(), cli.run(&format!("{sign} {CA_PW}")).expect(2).error());
    assert!(!cli.path("servers").exists());
}

#[test]
fn the_plan_of_a_server_says_what_is_moved_away_and_revoked() {
    let cli = Cli::with_cas();
    let issue = "server issue broker --ca line --san DNS:broker.example.com --out servers";
    assert!(plan(&cli, 0, issue)["moved_to"].is_null());
    cli.write("servers/broker/notes.txt", "somebody else's");
    let planned = plan(&cli, 0, issue);
    assert_eq!(planned["moved_to"], "servers/.replaced/broker-1", "{planned}");
    let text = cli.ok(&format!("{issue} --plan"));
    assert!(
        text.contains("moved away    what is in servers/broker, to servers/.replaced/broker-1")
    );
    let made = cli.run(&format!("{issue} {CA_PW} --json")).expect(0).json();
    assert_eq!(made["former"], planned["moved_to"], "{made}");
    assert_eq!(cli.text("servers/.replaced/broker-1/notes.txt"), "somebody else's");
    let renew = plan(&cli, 0, "server renew broker --revoke");
    let said = (&renew["revoke"], &renew["key_type"], &renew["profile"]);
    assert_eq!(said, (&true.into(), &"ec-p256".into(), &"server".into()), "{renew}");
    // Its own key is looked at, as far as that needs no password.
    std::fs::rename(cli.path("servers/broker/key.pem"), cli.path("key.pem")).unwrap();
    let gone = cli.run("server renew broker --reuse-key --plan").expect(2);
    assert_eq!(
        gone.error(),
        cli.run(&format!("server renew broker --reuse-key {CA_PW}")).expect(2).error()
    );
}
