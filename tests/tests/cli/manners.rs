//! The manners of the command line: help, words of other programs, forms of results, settings, colours.

use c8y_pki_tests::cli::{CA_PW, Cli, Outcome, binary};
use c8y_pki_tests::tool;

#[test]
fn help_is_a_command_at_every_level() {
    let cli = Cli::new();
    assert_eq!(cli.ok("help"), cli.ok("--help"));
    assert_eq!(cli.ok("help device issue"), cli.ok("device issue --help"));
    assert_eq!(cli.ok("device help issue"), cli.ok("device issue --help"));
    assert_eq!(cli.ok("tenant trust help add"), cli.ok("tenant trust add --help"));
    cli.run("help no-such-command").expect(2);
}

#[test]
fn words_of_other_programs_are_answered_by_what_was_meant() {
    let cli = Cli::new();
    for (line, meant) in [
        ("ca import old.pem", "c8y-pki ca add NAME --import FILE --key FILE"),
        ("ca delete line", "c8y-pki device revoke SERIAL --ca-certificate"),
        ("device remove gw-1", "c8y-pki device revoke ID"),
        ("store convert a.p12", "c8y-pki store create FILE --from STORE"),
        ("--pki elsewhere doctor", "c8y-pki status"),
        ("init", "c8y-pki rollout --example DIR"),
        ("tenant trust delete Line", "c8y-pki tenant trust remove WHICH"),
    ] {
        let said = cli.fails(2, line);
        assert!(said.contains(meant) && said.contains("there is no command"), "{line}: {said}");
        let json = cli.run(&format!("--json {line}")).expect(2);
        let value: serde_json::Value = serde_json::from_str(json.stderr.trim()).expect("JSON");
        assert!(value["hint"].as_str().is_some_and(|hint| hint.contains(meant)), "{value}");
    }
    // A slip of the pen is answered as before.
    assert!(cli.run("devcie list").expect(2).stderr.contains("device"));
}

/// A directory with two devices.
fn with_devices() -> Cli {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue gw-1 gw-2 --ca line --out out --output folders {CA_PW}"));
    cli
}

#[test]
fn results_come_as_table_json_or_csv() {
    let cli = with_devices();
    assert_eq!(cli.ok("ca list -o json"), cli.ok("ca list --json"));
    assert_eq!(cli.ok("ca list -o table"), cli.ok("ca list"));
    for line in ["ca list", "device list", "profile list", "device show gw-1", "ca show line"] {
        let text = cli.ok(&format!("{line} --output csv"));
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().expect("a header").clone();
        let rows: Vec<_> = reader.records().collect::<Result<_, _>>().expect("rows");
        let json = cli.run(&format!("{line} -o json")).expect(0).json_lines();
        assert_eq!(rows.len(), json.len(), "{text}");
        for (row, value) in rows.iter().zip(&json) {
            for (name, cell) in header.iter().zip(row) {
                match &value[name] {
                    serde_json::Value::String(text) => assert_eq!(cell, text, "{line}: {name}"),
                    serde_json::Value::Null => assert_eq!(cell, "", "{line}: {name}"),
                    other => assert_eq!(cell, other.to_string(), "{line}: {name}"),
                }
            }
        }
    }
    let said = cli.fails(2, "registry check -o csv");
    assert!(said.contains("`registry check` has no form as CSV"), "{said}");
    cli.run("ca list -o json --json").expect(2);
    // The former name of --into.
    cli.ok(&format!("device issue gw-3 --ca line --output tar --out a.tar {CA_PW}"));
    cli.ok(&format!("device issue gw-4 --ca line --into=tar --out b.tar {CA_PW}"));
    assert!(cli.path("a.tar").exists() && cli.path("b.tar").exists());
}

/// Also where clap does not get as far as the form, and whichever way it is written.
#[test]
fn wrong_use_is_told_in_the_form_that_is_asked_for() {
    let cli = Cli::new();
    let is_json = |line: &str| {
        let said = cli.run(line).expect(2);
        serde_json::from_str::<serde_json::Value>(said.stderr.trim()).is_ok()
    };
    for form in
        ["--json", "-o json", "-ojson", "-o=json", "-qojson", "--output json", "--output=json"]
    {
        assert!(is_json(&format!("ca list --nonsense {form}")), "{form}");
        assert!(is_json(&format!("{form} ca list --nonsense")), "{form}");
    }
    assert!(!is_json("ca list --nonsense"));
    settings(&cli, "config.toml", "output = 'json'\n");
    assert!(is_json("ca list --nonsense"));
    assert!(!is_json("ca list --nonsense -o table"));
    // The former name of --into is read where there is --into.
    settings(&cli, "config.toml", "");
    let said = cli.fails(2, "ca list --output folders");
    assert!(said.contains("folders") && !said.contains("--into"), "{said}");
}

#[test]
fn help_fits_any_width() {
    let cli = Cli::new();
    for width in ["40", "60", "80", "200"] {
        let mut command = cli.command("device issue --help");
        let output = command.env("COLUMNS", width).output().expect("it starts");
        let text = String::from_utf8(output.stdout).expect("text");
        let most: usize = width.parse().expect("a number");
        // Clap's own paragraphs; a word that is longer than the line stays whole.
        let options = text.split("\nOptions:").nth(1).unwrap_or_default();
        let options = options.split("\nExamples:").next().unwrap_or_default();
        let is_long = |line: &&str| {
            line.chars().count() > most.min(100) && line.trim().contains(' ') && !line.contains('<')
        };
        let long: Vec<&str> = options.lines().filter(is_long).collect();
        let ours = long.iter().filter(|line| line.starts_with("          ")).count();
        assert_eq!(ours, 0, "{width}: {long:#?}");
    }
}

#[test]
fn colours_are_as_asked() {
    let cli = Cli::new();
    let said = |line: &str, variables: &[(&str, &str)]| {
        let output = cli.command(line).envs(variables.iter().copied()).output().expect("it starts");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let coloured = |text: &str| text.contains("\u{1b}[");
    // Standard error is no terminal here.
    assert!(!coloured(&said("ca list", &[])));
    assert!(coloured(&said("ca list --color always", &[])));
    assert!(coloured(&said("ca list", &[("CLICOLOR_FORCE", "1")])));
    assert!(!coloured(&said("ca list", &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")])));
    assert!(!coloured(&said("ca list --color never", &[("CLICOLOR_FORCE", "1")])));
    // What clap says too.
    assert!(coloured(&said("--color=always ca list --nonsense", &[])));
    assert!(!coloured(&said("--color=never ca list --nonsense", &[("CLICOLOR_FORCE", "1")])));
    // A setting counts for it as well, and an option before the setting.
    settings(&cli, "config.toml", "color = 'never'\n");
    assert!(!coloured(&said("ca list --nonsense", &[("CLICOLOR_FORCE", "1")])));
    assert!(coloured(&said("ca list --nonsense --color always", &[])));
    settings(&cli, "config.toml", "color = 'always'\n");
    assert!(coloured(&said("ca list --nonsense", &[])));
}

#[test]
fn the_version_says_what_it_was_built_of() {
    let cli = Cli::new();
    let long = cli.ok("--version");
    for part in
        [env!("CARGO_PKG_VERSION"), "commit: ", "crypto backend: ", "features: ", "system: "]
    {
        assert!(long.contains(part), "{long}");
    }
    assert_eq!(cli.ok("-V").trim(), concat!("c8y-pki ", env!("CARGO_PKG_VERSION")));
}

pub(super) fn settings(cli: &Cli, file: &str, text: &str) {
    cli.write(&format!(".settings/c8y-pki/{file}"), text);
}

/// The row of a setting: its value, and where that comes from.
pub(super) fn setting(outcome: Outcome, name: &str) -> (String, String) {
    let rows = outcome.expect(0).json_lines();
    let row = rows.iter().find(|row| row["setting"] == name).expect("the setting");
    let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
    (text("value"), text("from"))
}

#[test]
fn defaults_come_from_a_file() {
    let cli = Cli::with_cas();
    settings(
        &cli,
        "config.toml",
        "pki = 'pki'\nca = 'line'\nout = 'made'\noutput = 'csv'\n[subject]\norg = 'Example'\n",
    );
    cli.ok(&format!("device issue gw-1 {CA_PW}"));
    assert!(cli.path("made/gw-1/cert.pem").exists());
    cli.ok(&format!("device issue gw-2 --ca line --out else {CA_PW}"));
    assert!(cli.path("else/gw-2/cert.pem").exists());
    // Directories have that default; an archive has none.
    for line in ["device issue gw-3 --into tar", "device renew gw-1 --into=tar"] {
        let said = cli.fails(2, &format!("{line} {CA_PW}"));
        assert!(said.contains("--out") && !said.contains("made"), "{said}");
    }
    cli.ok(&format!("device issue gw-3 --into tar --out a.tar {CA_PW}"));
    assert_eq!(cli.names("made"), ["gw-1"]);
    assert!(cli.ok("device list").starts_with("id,serial,"));
    assert!(cli.ok("device list -o table").starts_with("ID"));
    let shown = |line: &str, variables| cli.run_with(line, variables, b"");
    let (value, from) = setting(shown("config show --json", &[]), "ca");
    assert_eq!(value, "line");
    assert!(from.ends_with("config.toml"), "{from}");
    assert!(setting(shown("config show --json", &[]), "pki").1.ends_with("config.toml"));
    let pki = [("C8Y_PKI_DIR", "other")];
    let other = ("other".to_owned(), "C8Y_PKI_DIR".to_owned());
    assert_eq!(setting(shown("config show --json", &pki), "pki"), other);
    let third = ("third".to_owned(), "--pki".to_owned());
    assert_eq!(setting(shown("config show --json --pki third", &pki), "pki"), third);
    // A new root has the organisation, unless its whole subject is given.
    cli.ok(&format!("ca init new --pki new --key-type ec-p256 --subject CN=New {CA_PW}"));
    assert!(!cli.ok("ca show new --pki new -o table").contains("O=Example"));
    for (text, problem) in
        [("caa = 'x'\n", "caa"), ("\nca = 1\n", "line 2"), ("output = 'xml'", "xml")]
    {
        settings(&cli, "config.toml", text);
        let said = cli.fails(2, "ca list");
        assert!(said.contains("config.toml") && said.contains(problem), "{said}");
        // Help is there all the same.
        cli.ok("ca list --help");
    }
}

/// The real shell, with the script that the program prints.
#[test]
fn a_shell_completes_values() {
    let Some(bash) = tool("bash") else { return };
    let cli = with_devices();
    cli.write("list.csv", "id\ngw-1\n");
    cli.ok("order create acme-7 --from list.csv --ca line");
    cli.ok("context add prod --host prod.example.com");
    cli.write("script", cli.ok("completions bash"));
    let before = cli.snapshot("pki");
    let folder = binary().parent().expect("a directory").display().to_string();
    let complete = |line: &str| {
        let words: Vec<String> = line.split(' ').map(|word| format!("'{word}'")).collect();
        let script = format!(
            "cd '{}'; export XDG_CONFIG_HOME=\"$PWD/.settings\" PATH='{folder}':\"$PATH\"; unset C8Y_PKI_DIR; source ./script; \
             COMP_WORDS=({}); COMP_CWORD={}; COMP_TYPE=9; \
             \"$(complete -p c8y-pki | sed 's/.* -F \\([^ ]*\\).*/\\1/')\" c8y-pki '' ''; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            cli.arg(""),
            words.join(" "),
            words.len() - 1,
        );
        let found = bash.run(&["-c", &script]);
        found.lines().map(|word| word.trim().to_owned()).collect::<Vec<_>>()
    };
    let has = |line: &str, word: &str| {
        let found = complete(line);
        assert!(found.iter().any(|other| other == word), "{line}: {found:?}");
    };
    has("c8y-pki ca show ", "line");
    has("c8y-pki device issue x --ca l", "line");
    has("c8y-pki device show gw", "gw-2");
    has("c8y-pki order show ", "acme-7");
    has("c8y-pki device check --order a", "acme-7");
    has("c8y-pki ca init --key-type ec", "ec-p256");
    has("c8y-pki device issue x --profile dev", "device");
    has("c8y-pki context use ", "prod");
    has("c8y-pki --pki pki device show gw-1", "gw-1");
    // Where there is nothing to read, nothing is said.
    let nothing = complete("c8y-pki --pki nowhere ca show x");
    assert!(!nothing.iter().any(|word| word.contains("error")), "{nothing:?}");
    assert_eq!(cli.snapshot("pki"), before, "completion wrote something");
}
