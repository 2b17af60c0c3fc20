//! `registration`, `profile`, `completions`, `man`, and the command reference.

use std::path::Path;

use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::{data_dir, tool};

fn with_list(list: &str) -> Cli {
    let cli = Cli::new();
    cli.write("devices.csv", list);
    cli
}

#[test]
fn what_is_made_passes_the_check() {
    let cli = with_list(&cli_text("devices.csv"));
    for separator in ["';'", ",", "tab"] {
        let line = format!("--from devices.csv --separator {separator} --out reg.csv");
        let said = cli.ok(&format!("registration create {line}"));
        assert_eq!(said, "1000 devices: reg.csv\n");
        let json = cli.run("registration check reg.csv --json").expect(0).json();
        assert_eq!(json["rows"], 1000, "{json}");
        assert_eq!(json["findings"], serde_json::json!([]), "{json}");
    }
    cli.ok("registration create --from devices.csv --out reg.csv");
    let report = cli.ok("registration check reg.csv");
    assert!(report.ends_with(": good\n"), "{report}");
}

fn cli_text(name: &str) -> String {
    std::fs::read_to_string(data_dir().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[test]
fn the_separator_is_one_that_no_value_contains() {
    let list = "id;name;type;group\na;'A; B';t;g\n".replace('\'', "\"");
    let cli = with_list(&list);
    let csv = cli.ok("registration create --from devices.csv");
    let header = "ID,AUTH_TYPE,TYPE,NAME,PATH,com_cumulocity_model_Agent.active\n";
    assert_eq!(csv, format!("{header}a,CERTIFICATES,t,A; B,g,true\n"));
}

#[test]
fn columns_have_defaults() {
    let cli = with_list("id,name\na,Own\nb,\n");
    let line = "registration create --from devices.csv --type acme --name 'Gateway {id}' \
                --set SHELL=1 --set c8y_Hardware.model=X --no-agent --separator ,";
    let csv = cli.ok(line);
    assert_eq!(
        csv,
        "ID,AUTH_TYPE,TYPE,NAME,SHELL,c8y_Hardware.model\n\
         a,CERTIFICATES,acme,Own,1,X\nb,CERTIFICATES,acme,Gateway b,1,X\n"
    );
}

#[test]
fn a_placeholder_that_there_is_not_is_refused() {
    let cli = with_list("id,name\na,\n");
    for option in ["--name {idd}", "--set plant={idd}", "--type x{idd}y"] {
        let said = cli.fails(2, &format!("registration create --from devices.csv {option}"));
        let error = "error: {idd} is no placeholder of registrations: the only one is {id}";
        assert!(said.starts_with(error), "{option}: {said}");
    }
    let csv = cli.ok("registration create --from devices.csv --set 'plant={ \"a\": 1 }{}'");
    assert!(csv.contains('{'), "{csv}");
}

#[test]
fn devices_of_the_registry_keep_the_columns_of_their_list() {
    let cli = Cli::with_cas();
    cli.write("devices.csv", "id,name,type,group\nb,Zwei,acme,Werk Nürnberg\na,Eins,acme,\n");
    cli.ok(&format!("device issue --from devices.csv --ca line --out out {CA_PW}"));
    cli.ok(&format!("device issue c --ca root --out out {CA_PW}"));
    let csv = cli.ok("registration create --ca line --separator ,");
    let rows: Vec<&str> = csv.lines().skip(1).collect();
    assert_eq!(rows.len(), 2, "{csv}");
    assert!(rows.contains(&"b,CERTIFICATES,acme,Zwei,Werk Nürnberg,true"), "{csv}");
    let said = cli.fails(2, "registration create --out all.csv");
    let error = "error: \"c\" has no TYPE: with a column PATH, the platform needs TYPE";
    assert!(said.starts_with(error), "{said}");
    cli.ok("registration create --out all.csv --type acme --name {id}");
    assert_eq!(cli.text("all.csv").lines().count(), 4);
    cli.ok("registration check all.csv");
    cli.fails(2, "registration create --ca nobody");
}

#[test]
fn an_empty_registry_is_told() {
    let cli = Cli::with_cas();
    let said = cli.fails(2, "registration create");
    assert!(said.starts_with("error: the registry has no devices\nhint: "), "{said}");
}

#[test]
fn faults_of_a_registration_are_named_with_their_lines() {
    let cli = Cli::new();
    let header = "ID;AUTH_TYPE;TYPE;NAME;PATH\n";
    cli.write(
        "bad.csv",
        format!("{header}a;CERTIFICATES;t;n;p\na;CERTIFICATES;;;p\nb;MAGIC;t;n;\n"),
    );
    let outcome = cli.run("registration check bad.csv").expect(1);
    assert!(outcome.stdout.contains("error: bad.csv line 3: "), "{outcome:?}");
    assert!(outcome.stdout.contains("error: bad.csv line 4: "), "{outcome:?}");
    assert!(!outcome.stdout.contains("line 2: "), "{outcome:?}");
    assert!(outcome.stdout.ends_with(": the platform would refuse it\n"), "{outcome:?}");
    let json = cli.run("registration check bad.csv --json").expect(1).json();
    assert!(json["findings"].as_array().expect("findings").len() >= 3, "{json}");
}

#[test]
fn a_column_that_needs_others_is_refused() {
    let cli = with_list("id,group\na,Werk\n");
    let said = cli.fails(2, "registration create --from devices.csv");
    assert!(said.contains("\"a\"") && said.contains("TYPE"), "{said}");
    let cli = with_list("id\na\n");
    let said = cli.run("registration create --from devices.csv --separator x").expect(2).stderr;
    assert!(said.contains("give ; or , or tab"), "{said}");
}

#[test]
fn profiles_are_listed_and_each_can_be_shown_and_used() {
    let cli = Cli::new();
    let list = cli.ok("profile list");
    let json = cli.run("profile list --json").expect(0).json_lines();
    for profile in json {
        let name = profile["name"].as_str().expect("a name");
        assert!(list.contains(name), "{list}");
        cli.write(&format!("my-{name}.toml"), cli.ok(&format!("profile show {name}")));
    }
    let make = format!("--key-type ec-p256 --subject CN=x {CA_PW}");
    cli.ok(&format!("ca init one --profile my-root.toml {make}"));
    cli.ok(&format!("ca init two --profile my-classic-root.toml {make}"));
    for server in ["my-server.toml", "my-classic-server.toml"] {
        let line = format!("server issue {server} --ca one --san DNS:a.example --out out {CA_PW}");
        cli.ok(&format!("{line} --profile {server}"));
        let said =
            cli.fails(2, &format!("device issue d --ca one --out out --profile {server} {CA_PW}"));
        assert!(said.contains("is not for devices"), "{said}");
    }
    let said = cli.fails(2, &format!("ca init x --profile my-device.toml {make}"));
    assert!(said.contains("is for a device"), "{said}");
    let said = cli.fails(2, &format!("ca init x --profile devise {make}"));
    assert!(said.contains("there is no profile \"devise\""), "{said}");
    let said = cli.fails(2, "profile show devise");
    assert!(said.contains("known: root"), "{said}");
}

#[test]
fn a_fault_in_a_profile_is_named_with_its_line() {
    let cli = Cli::new();
    let text = cli.ok("profile show root").replace("ec-p384", "ec-p385");
    let line = 1 + text.lines().position(|l| l.contains("ec-p385")).expect("the key");
    cli.write("mine.toml", text);
    let said = cli.fails(2, &format!("ca init --profile mine.toml --subject CN=x {CA_PW}"));
    assert!(said.contains(&format!("mine.toml line {line}: ")), "{said}");
}

#[test]
fn completions_are_scripts_of_their_shell() {
    let cli = Cli::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = cli.ok(&format!("completions {shell}"));
        assert!(script.contains("c8y-pki") && script.contains("COMPLETE"), "{shell}: {script}");
        cli.write(shell, script);
    }
    let Some(bash) = tool("bash") else { return };
    bash.run(&["-n", &cli.arg("bash")]);
}

#[test]
fn there_is_a_man_page_for_each_command() {
    let cli = Cli::new();
    cli.ok("man pages/man1");
    let pages = cli.names("pages/man1");
    for name in ["c8y-pki.1", "c8y-pki-rollout.1", "c8y-pki-device-issue.1", "c8y-pki-ca-crl.1"] {
        assert!(pages.iter().any(|p| p == name), "{name}: {pages:?}");
    }
    for page in &pages {
        let text = cli.text(&format!("pages/man1/{page}"));
        assert!(text.contains(".TH") && text.contains(".SH NAME"), "{page}: {text}");
    }
}

#[test]
fn the_command_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference.md");
    let kept = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    assert!(
        kept == Cli::new().ok("reference"),
        "docs/reference.md is out of date; run: cargo run -q -- reference > docs/reference.md"
    );
}

#[test]
fn every_command_has_help_with_examples() {
    let reference = Cli::new().ok("reference");
    for section in reference.split("\n## ").skip(1) {
        let name = section.lines().next().unwrap_or_default();
        let group = section.contains("\nCommands:\n") && name != "c8y-pki";
        assert!(group || section.contains("Examples:"), "{section}");
    }
}

#[test]
fn one_time_passwords_go_into_a_private_file_once() {
    let cli = Cli::new();
    cli.write("list.csv", "id\na\nb\n");
    let line = "registration create --from list.csv --one-time-passwords --out reg.csv";
    let said = cli.ok(line);
    let csv = cli.text("reg.csv");
    assert!(csv.starts_with("ID;AUTH_TYPE;ENROLLMENT_OTP;"), "{csv}");
    for row in csv.lines().skip(1) {
        let otp = row.split(';').nth(2).unwrap();
        assert!(otp.len() == 20 && !said.contains(otp));
    }
    cli.ok("registration check reg.csv");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let metadata = std::fs::metadata(cli.path("reg.csv")).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    }
    // Devices may have been given theirs.
    assert!(cli.fails(2, line).contains("reg.csv: it exists already"));
    assert_eq!(cli.text("reg.csv"), csv);
    cli.run("registration create --from list.csv --one-time-passwords").expect(2);
}
