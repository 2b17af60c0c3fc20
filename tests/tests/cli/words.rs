//! Words that everybody reads at once: faults of files that people write by hand, places with a name, numbers of one.

use std::fs;

use c8y_pki_tests::cli::Cli;
#[cfg(unix)]
use c8y_pki_tests::talking::Talking;

/// Words of Rust and of its libraries, which say nothing to who writes such a file.
const OF_RUST: [&str; 9] = [
    "u16",
    "u32",
    "i64",
    "f64",
    "struct",
    "enum",
    "variant",
    "invalid type",
    "expected a sequence",
];

/// A fault in plain words: with the key, its value and what is allowed.
fn told(said: &str, words: &str) {
    assert!(said.contains(words), "{words}: {said}");
    for word in OF_RUST {
        assert!(!said.contains(word), "{word}: {said}");
    }
}

#[test]
fn faults_of_a_rollout_s_file_name_the_key_and_what_is_allowed() {
    let cli = Cli::new();
    let text = cli.ok("profile show rollout.toml");
    let with = |old: &str, new: &str, words: &str| {
        assert!(text.contains(old), "{old}");
        cli.write("rollout.toml", text.replacen(old, new, 1) + "\n[tenant]\ncas = [\"line-7\"]\n");
        told(&cli.fails(2, "rollout rollout.toml --plan --local"), words);
    };
    with(
        "\ncreate = true",
        "\ncreate = \"yes\"",
        "`create` under [passwords] is \"yes\", but must be true or false",
    );
    with(
        "ca = \"line-7\"\n",
        "ca = \"line-7\"\ndays = 1.5\n",
        "`days` under [devices] is 1.5, but must be a whole number",
    );
    with(
        "ca = \"line-7\"\n",
        "ca = \"line-7\"\ndays = -3\n",
        "days = -3 is not between 1 and 36500",
    );
    with(
        "[\"pem\", \"p12\"",
        "[\"pem\", \"pfx\"",
        "a value of `bundle` under [devices] cannot be \"pfx\": allowed are pem, p12, jks",
    );
    with(
        "type = \"c8y_MQTTDevice\"",
        "type = 7",
        "`type` under [registration] is 7, but must be a text in quotes",
    );
    with("[devices]", "[[devices]]", "[[devices]] can be there once only");
    cli.write("rollout.toml", text.clone() + "\n[tenant]\ncas = [\"line-7\"]\nchunk = 0\n");
    told(&cli.fails(2, "rollout rollout.toml --plan --local"), "`chunk` is 0: give at least 1");
    cli.write("rollout.toml", text.clone() + "\n[tenant]\ncas = \"line-7\"\n");
    told(
        &cli.fails(2, "rollout rollout.toml --plan --local"),
        "`cas` under [tenant] is \"line-7\", but must be a list",
    );
}

#[test]
fn faults_of_pki_toml_name_the_key() {
    let cli = Cli::with_cas();
    let text = cli.text("pki/pki.toml");
    for (more, words) in [
        ("longest_chain = \"x\"", "`longest_chain` is \"x\", but must be a whole number"),
        ("longest_chain = 1", "`longest_chain`: \"1\" is not a length for chains"),
        (
            "longest = 1",
            "there is no key `longest`: the keys are version, registry, longest_chain, policy",
        ),
        (
            "[policy.line]\nC = \"sometimes\"",
            "[policy.line]: `C` is \"sometimes\", but must be \"optional\", \"supplied\" or \"match\"",
        ),
        (
            "[policy.line]\nid = [\"GW-*\"]",
            "[policy.line]: `id` is no field of a subject, and no setting: these are ids,",
        ),
        (
            "[policy.line]\nids = \"GW-*\"",
            "`ids` under [policy.line] is \"GW-*\", but must be a list",
        ),
    ] {
        cli.write("pki/pki.toml", format!("{text}{more}\n"));
        told(&cli.fails(2, "ca list"), words);
    }
    cli.write("pki/pki.toml", text.replacen("version = 1", "version = \"1\"", 1));
    told(&cli.fails(2, "ca list"), "`version` is \"1\", but must be a whole number");
}

#[test]
fn faults_of_settings_and_contexts_name_the_key() {
    let cli = Cli::new();
    fs::create_dir_all(cli.path("config/c8y-pki")).expect("a directory");
    let home = cli.arg("config");
    let refused = |name: &str, text: &str, line: &str, words: &str| {
        cli.write(&format!("config/c8y-pki/{name}"), text);
        let said = cli.run_with(line, &[("XDG_CONFIG_HOME", &home)], b"").expect(2).stderr;
        told(&said, words);
        fs::remove_file(cli.path(&format!("config/c8y-pki/{name}"))).expect("it is there");
    };
    for (text, words) in [
        ("pki = 7", "`pki` is 7, but must be a text in quotes"),
        ("output = \"jsn\"", "`output` cannot be \"jsn\": allowed are table, json, csv"),
        ("subject = \"x\"", "`subject` is \"x\", but must be a table"),
        (
            "[subject]\nland = \"DE\"",
            "there is no key `land` under [subject]: the keys are country,",
        ),
    ] {
        refused("config.toml", text, "profile list", words);
    }
    let (list, missing) = ("context list", "the key `host` is missing under [contexts.a]");
    refused("contexts.toml", "[contexts.a]\n", list, missing);
    let allowed =
        "`secret` under [contexts.a] cannot be \"x\": allowed are nothing, password, token";
    refused("contexts.toml", "[contexts.a]\nhost = \"h\"\nsecret = \"x\"\n", list, allowed);
}

#[test]
fn standard_output_has_a_name() {
    let cli = Cli::with_cas();
    cli.write("list.csv", "id\ngw-1\n");
    cli.ok(&super::sheets::issue("list.csv"));
    let said = cli.run("order labels --from list.csv --format csv --out -").expect(0).stderr;
    assert!(said.contains("standard output: 1 label"), "{said}");
    let said = cli.run("registration create --out -").expect(0).stderr;
    assert!(said.contains("1 device: standard output"), "{said}");
    let said = cli.run("key new --type ec-p256 --plain --out -").expect(0).stderr;
    assert!(said.contains("private key, not encrypted: standard output"), "{said}");
}

/// What was made and what was not, as the registry has it.
#[cfg(unix)]
#[test]
fn an_interrupted_run_says_what_it_did_not_make() {
    let cli = Cli::with_cas();
    let rows: String = (0..20_000).map(|n| format!("gw-{n:05}\n")).collect();
    cli.write("list.csv", format!("id\n{rows}"));
    let mut run = Talking::start(&cli, &super::sheets::issue("list.csv"), &[]);
    let out = cli.path("out");
    let is_begun = || out.exists() && cli.names("out").iter().any(|name| !name.starts_with('.'));
    run.until("that a device is in place", is_begun);
    run.interrupt();
    let (code, said, _) = run.finish();
    let made = cli.ok("device list --json").lines().count();
    let left = format!("{} not issued, because the run was interrupted", 20_000 - made);
    assert!(code == 3 && made > 0 && said.contains(&left), "{made}: {said}");
}

#[test]
fn a_domain_is_taken_as_browsers_write_it() {
    let cli = Cli::with_cas();
    cli.write("list.csv", "id\ngw-1\n");
    cli.ok("order create o --from list.csv --ca line");
    cli.ok("registration create --order o --one-time-passwords --out otp.csv");
    let labels = |domain: &str| {
        format!(
            "order labels o --template label-registration.toml --partial --one-time-passwords otp.csv --format csv \
             --out - --domain {domain}"
        )
    };
    for domain in ["HTTPS://Acme.Example.com", "acme.example.com", "https://acme.example.com/"] {
        let table = cli.ok(&labels(domain));
        assert!(table.contains("https://acme.example.com/apps/"), "{domain}: {table}");
    }
    let said = cli.fails(2, &labels("HTTP://acme.example.com"));
    assert!(said.contains("use https"), "{said}");
}

/// A rollout can leave the tenant out. Other commands at a tenant cannot, and are not told of it.
#[test]
fn where_a_host_is_missing_only_a_rollout_is_told_how_to_do_without() {
    let cli = Cli::with_cas();
    let said = cli.fails(2, "tenant trust add pki/ca/root/cert.pem");
    assert!(said.contains("give --host") && !said.contains("--local"), "{said}");
    let text = cli.ok("profile show rollout.toml");
    cli.write("demo/rollout.toml", text + "\n[tenant]\ncas = [\"line-7\"]\n");
    cli.write("demo/devices.csv", "id\ngw-1\n");
    let said = cli.fails(2, "rollout demo/rollout.toml");
    assert!(said.contains("`host` under [tenant]") && said.contains("--local leaves"), "{said}");
}

#[test]
fn a_registration_from_a_list_says_that_the_list_alone_counts() {
    let cli = Cli::with_cas();
    cli.write("list.csv", "id,name\ngw-1,Gateway 1\ngw-2,Gateway 2\n");
    cli.ok("order create o --from list.csv --ca line");
    cli.ok(&super::sheets::issue("list.csv"));
    cli.ok("device revoke gw-2 --yes");
    cli.write("ids.csv", "id\ngw-1\n");
    let made = cli.run("registration create --from ids.csv --out r.csv").expect(0);
    assert!(made.stderr.contains("The list alone counts: names, types and the like"), "{made:?}");
    assert!(!cli.text("r.csv").contains("Gateway 1"), "{}", cli.text("r.csv"));
    let made = cli.run("registration create --order o --out r.csv").expect(0);
    assert!(cli.text("r.csv").contains("Gateway 1"), "{}", cli.text("r.csv"));
    assert!(!made.stderr.contains("alone counts"), "{made:?}");
    assert!(
        made.stderr.contains("1 of 2 devices has been revoked, and it is not in the CSV"),
        "{made:?}"
    );
    // Without a registry there is nothing else that could count.
    let bare = Cli::new();
    bare.write("ids.csv", "id\ngw-1\n");
    let made = bare.run("registration create --from ids.csv --out r.csv").expect(0);
    assert!(!made.stderr.contains("alone counts"), "{made:?}");
}
