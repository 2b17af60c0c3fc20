//! `rollout`: the example, once and again; plans; files with faults.

use std::fs;

use c8y_pki_tests::cli::Cli;
use c8y_pki_tests::data_dir;

/// The embedded example in `demo`, changed by a function, and not yet run.
fn example(change: impl Fn(String) -> String) -> Cli {
    let cli = Cli::new();
    let text = change(cli.ok("profile show rollout.toml"));
    cli.write("demo/rollout.toml", text);
    cli.write("demo/devices.csv", cli.ok("profile show devices.csv"));
    cli
}

/// The line (from 1) of the example on which a text first stands.
fn line_of(cli: &Cli, text: &str) -> usize {
    let file = cli.text("demo/rollout.toml");
    1 + file.lines().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{text}"))
}

/// Runs an example that has a fault: `error` is said, and nothing is made.
fn refused(cli: &Cli, error: &str) {
    let before = cli.snapshot("");
    for line in ["rollout demo/rollout.toml --plan", "rollout demo/rollout.toml"] {
        let said = cli.fails(2, line);
        assert!(said.contains(error), "wanted {error:?} in:\n{said}");
    }
    assert_eq!(before, cli.snapshot(""));
}

#[test]
fn the_example_runs_once_and_finds_everything_in_place_afterwards() {
    let cli = Cli::new();
    let first = cli.ok("rollout --example demo");
    assert!(first.contains("4 devices issued"), "{first}");
    let before = cli.snapshot("demo");
    assert_eq!(cli.names("demo/out/devices").len(), 4);
    let files = ["cert.pem", "chain.pem", "key.pem", "keystore.p12", "truststore.p12"];
    assert_eq!(cli.names("demo/out/devices/gw-200-26470000"), files);

    for line in ["rollout --example demo", "rollout demo/rollout.toml"] {
        let again = cli.ok(line);
        assert!(again.contains("Nothing to do: everything is in place."), "{again}");
        let after = cli.snapshot("demo");
        assert!(before == after, "{line} changed {:?}", changed(&before, &after));
    }
    let plan = cli.ok("rollout demo/rollout.toml --plan");
    assert!(plan.contains("Everything is in place."), "{plan}");
    assert!(before == cli.snapshot("demo"), "--plan changed something");
}

type Snapshot = Vec<(String, Option<Vec<u8>>)>;

fn changed<'a>(before: &'a Snapshot, after: &'a Snapshot) -> Vec<&'a str> {
    let lacks = |one: &Snapshot, other: &'a Snapshot| -> Vec<&'a str> {
        other.iter().filter(|e| !one.contains(e)).map(|(name, _)| name.as_str()).collect()
    };
    [lacks(before, after), lacks(after, before)].concat()
}

#[test]
fn another_pki_folder_than_that_of_the_file_is_told() {
    let cli = example(|text| text);
    cli.ok("rollout demo/rollout.toml");
    let told = |line: &str| {
        cli.run(line).expect(0).stderr.contains("a rollout's file names its PKI directory")
    };
    assert!(told("--pki other rollout demo/rollout.toml --plan"));
    for same in ["demo/pki", "demo/../demo/pki"] {
        assert!(!told(&format!("--pki {same} rollout demo/rollout.toml --plan")), "{same}");
    }
    assert!(!told("rollout demo/rollout.toml --plan"));
}

#[test]
fn a_plan_makes_nothing() {
    let cli = example(|text| text);
    let before = cli.snapshot("");
    let plan = cli.ok("rollout demo/rollout.toml --plan");
    for words in
        ["+  ca.name", "line-7", "+  devices.from", "+  registration.file", "7 to be made (+)"]
    {
        assert!(plan.contains(words), "{words}: {plan}");
    }
    let json = cli.run("rollout demo/rollout.toml --plan --json").expect(0).json();
    assert_eq!(json["changes"], true);
    let steps = json["plan"].as_array().expect("steps");
    assert_eq!(steps.len(), 7, "2 passwords, 3 CAs, devices, registration: {json}");
    assert!(steps.iter().all(|s| s["action"] == "create"), "{json}");
    assert!(before == cli.snapshot(""));
}

#[test]
fn json_tells_what_was_done() {
    let cli = example(|text| text);
    let json = cli.run("rollout demo/rollout.toml --json").expect(0).json();
    assert_eq!(json["devices"]["issued"], 4, "{json}");
    let again = cli.run("rollout demo/rollout.toml --json").expect(0).json();
    assert_eq!(again["devices"]["issued"], 0, "{again}");
    let steps = again["steps"].as_array().expect("steps");
    assert!(steps.iter().all(|s| s["action"] == "keep"), "{again}");
}

#[test]
fn a_device_added_to_the_list_is_the_only_thing_made() {
    let cli = example(|text| text);
    cli.ok("rollout demo/rollout.toml");
    let before = cli.snapshot("demo/out/devices");
    let list = cli.text("demo/devices.csv");
    cli.write("demo/devices.csv", format!("{}\nnew-1,New,acme_new,,\n", list.trim_end()));
    let json = cli.run("rollout demo/rollout.toml --json").expect(0).json();
    assert_eq!(json["devices"]["issued"], 1, "{json}");
    let after = cli.snapshot("demo/out/devices");
    assert!(before.iter().all(|entry| after.contains(entry)), "a device changed");
    assert_eq!(cli.names("demo/out/devices").len(), 5);
    assert!(cli.text("demo/out/registration.csv").contains("new-1"));
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let cli = example(|text| text.replace("create = true\n", "create = true\ncolour = 1\n"));
    let line = line_of(&cli, "colour");
    refused(&cli, &format!("error: demo/rollout.toml line {line}: there is no key `colour`"));
    let cli = example(|text| text.replace("create = true\n", "create = true\ncreate = true\n"));
    let file = cli.text("demo/rollout.toml");
    let line = 2 + file.lines().position(|line| line == "create = true").expect("the key");
    refused(&cli, &format!("error: demo/rollout.toml line {line}: the key create is there twice"));
}

#[test]
fn an_unknown_parent_is_named_with_its_line() {
    let cli = example(|text| text.replace("parent = \"root\"", "parent = \"nobody\""));
    let line = line_of(&cli, "nobody");
    refused(&cli, &format!("error: demo/rollout.toml line {line}: "));
    refused(&cli, "\"nobody\"");
}

#[test]
fn an_unknown_issuing_ca_is_named_with_its_line() {
    let cli = example(|text| text.replace("ca = \"line-7\"", "ca = \"line-8\""));
    let line = line_of(&cli, "line-8");
    let error =
        format!("error: demo/rollout.toml line {line}: there is no [[ca]] named \"line-8\"");
    refused(&cli, &error);
}

#[test]
fn an_unknown_profile_is_named_with_its_line() {
    let cli = example(|text| text.replace("profile = \"device\"", "profile = \"devise\""));
    let line = line_of(&cli, "devise");
    refused(&cli, &format!("error: demo/rollout.toml line {line}: "));
}

#[test]
fn a_subject_that_is_none_is_named_with_its_line() {
    let cli = example(|text| text.replace("CN=Example Line 7,", "CN=Example Line 7,XY=1,"));
    let line = line_of(&cli, "XY=1");
    refused(&cli, &format!("error: demo/rollout.toml line {line}: "));
}

#[test]
fn a_missing_list_is_named() {
    let cli = example(|text| text.replace("\"devices.csv\"", "\"absent.csv\""));
    refused(&cli, "absent.csv: there is no such file or directory");
}

#[test]
fn a_list_with_faults_is_refused_whole() {
    let cli = example(|text| text);
    cli.write("demo/devices.csv", "id,name\nok-1,fine\na/b,slash\n");
    let before = cli.snapshot("");
    let outcome = cli.run("rollout demo/rollout.toml").expect(2);
    assert!(outcome.stderr.contains("device id \"a/b\" (demo/devices.csv line 3)"), "{outcome:?}");
    assert!(outcome.stderr.contains("1 of 2 devices cannot be issued; nothing was made"));
    assert_eq!(before, cli.snapshot(""));
}

#[test]
fn a_ca_whose_subject_has_changed_is_refused() {
    let cli = example(|text| text);
    cli.ok("rollout demo/rollout.toml");
    let text = cli.text("demo/rollout.toml");
    cli.write("demo/rollout.toml", text.replace("CN=Example Line 7,", "CN=Example Line 8,"));
    let error = "error: the CA \"line-7\" has the subject CN=Example Line 7,O=Example GmbH,C=DE; \
                 demo/rollout.toml wants CN=Example Line 8,O=Example GmbH,C=DE";
    refused(&cli, error);
}

#[test]
fn an_order_of_a_thousand_devices() {
    let cli = example(|text| text.replace("\"p12\", ", ""));
    let list = fs::read(data_dir().join("devices.csv")).expect("the order");
    cli.write("demo/devices.csv", &list);
    let json = cli.run("rollout demo/rollout.toml --json").expect(0).json();
    assert_eq!(json["devices"]["issued"], 1000, "{json}");
    assert_eq!(cli.names("demo/out/devices").len(), 1000);
    let csv = cli.text("demo/out/registration.csv");
    assert_eq!(csv.lines().count(), 1001);
    assert!(csv.contains("Plant Łódź/Line 1") && csv.contains("Werk Nürnberg"), "non-ASCII groups");
    cli.ok("registration check demo/out/registration.csv");
    let before = cli.snapshot("demo");
    cli.ok("rollout demo/rollout.toml");
    assert!(before == cli.snapshot("demo"), "the second run changed something");
}

#[test]
fn a_validity_that_no_certificate_has_is_refused_before_anything_is_made() {
    let ca = ("profile = \"root\"", "profile = \"root\"\ndays = ");
    let devices = ("[devices]", "[devices]\ndays = ");
    for (at, days) in [(ca, "0"), (ca, "99999"), (devices, "0"), (devices, "36501")] {
        let cli = example(|text| text.replacen(at.0, &format!("{}{days}", at.1), 1));
        let line = line_of(&cli, "days = ");
        let error = format!("line {line}: days = {days} is not between 1 and 36500");
        refused(&cli, &error);
    }
}

#[test]
fn the_directory_of_the_devices_is_not_that_of_the_pki() {
    let out = "out = \"out/devices\"";
    for (from, to, words) in [
        (out, "out = \"pki\"", "have to be two, and neither in the other"),
        (out, "out = \"./pki/devices\"", "have to be two, and neither in the other"),
        ("pki = \"pki\"", "pki = \"out/devices/pki\"", "have to be two, and neither in the other"),
    ] {
        let cli = example(|text| text.replacen(from, to, 1));
        refused(&cli, words);
    }
}

#[test]
fn a_path_that_names_nothing_is_refused_with_its_line() {
    for (from, to, key) in [
        ("out = \"out/devices\"", "out = \"\"", "`out` under [devices]"),
        ("pki = \"pki\"", "pki = \"\"", "`pki`"),
        ("from = \"devices.csv\"", "from = \"\"", "`from` under [devices]"),
        ("file = \"out/registration.csv\"", "file = \"\"", "`file` under [registration]"),
        ("store = \"secrets/store-password\"", "store = \"\"", "`store` under [passwords]"),
        ("ca = \"secrets/ca-password\"", "ca = \"\"", "`ca` under [passwords]"),
    ] {
        let cli = example(|text| text.replacen(from, to, 1));
        assert_ne!(cli.text("demo/rollout.toml"), example(|text| text).text("demo/rollout.toml"));
        let line = line_of(&cli, to);
        let empty = "the path is empty: name a file or a directory";
        refused(&cli, &format!("line {line}: {key}: {empty}"));
    }
}

#[test]
fn a_placeholder_that_registrations_do_not_know_is_named_with_its_line() {
    for faulty in ["name = \"{idd}\"", "set = { plant = \"{idd}\" }"] {
        let text = example_with(faulty);
        let cli = example(|_| text.clone());
        let line = line_of(&cli, "{idd}");
        refused(&cli, &format!("line {line}: {{idd}} is no placeholder of registrations"));
    }
}

/// The example with this line under `[registration]`, and no other name.
fn example_with(line: &str) -> String {
    let cli = example(|text| text);
    let text = cli.text("demo/rollout.toml");
    let (above, below) = text.split_once("[registration]\n").expect("a registration");
    let below: Vec<&str> = below.lines().filter(|l| !l.starts_with("name =")).collect();
    format!("{above}[registration]\n{line}\n{}\n", below.join("\n"))
}
