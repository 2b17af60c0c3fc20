//! Contexts: how tenants are reached, each under a name.

use c8y_pki_tests::cli::{CA_PW, Cli};
#[cfg(target_os = "linux")]
use c8y_pki_tests::faults::{Fault, Faults};

use super::manners::{setting, settings};

#[test]
fn contexts_are_kept_and_chosen() {
    let cli = Cli::new();
    cli.write("jo.pw", "Kept-Secret-0815\n");
    cli.ok("context add prod --host prod.example.com --tenant t1 --user jo --tenant-password-file jo.pw");
    cli.ok("context add test --host test.example.com --user tim --use");
    assert!(cli.fails(2, "context add test --host x.example.com").contains("already"));
    cli.ok("context add test --host test.example.com --user tim --replace");
    let list = cli.run("context list --json").expect(0).json_lines();
    assert_eq!(list.len(), 2);
    assert!(list.iter().all(|c| c["current"] == (c["name"] == "test")), "{list:?}");
    let said = format!("{}{}", cli.ok("context list"), cli.ok("context show prod"));
    assert!(said.contains("prod.example.com") && !said.contains("Kept-Secret"), "{said}");
    let all = cli.text(".settings/c8y-pki/contexts.toml");
    assert!(!all.contains("Kept-Secret"), "{all}");
    assert_eq!(cli.text(".settings/c8y-pki/secrets/prod"), "Kept-Secret-0815\n");
    // What counts: the option, the variable of a context, the session's variables, the one in use.
    let host = |line: &str, variables: &[(&str, &str)]| {
        setting(cli.run_with(line, variables, b""), "host").0
    };
    let session = ("C8Y_HOST", "session.example.com");
    let variable = ("C8Y_PKI_CONTEXT", "prod");
    assert_eq!(host("config show --json", &[]), "test.example.com");
    assert_eq!(host("config show --json", &[session]), "session.example.com");
    assert_eq!(host("config show --json", &[session, variable]), "prod.example.com");
    assert_eq!(host("config show --json --context test", &[session, variable]), "test.example.com");
    assert_eq!(host("config show --json --context none", &[]), "");
    let refused = cli.fails(2, "tenant status --context prod --host other.example.com");
    assert!(refused.contains("--host both"), "{refused}");
    assert!(cli.fails(2, "tenant status --context nope").contains("prod, test"));
    // A secret goes only with its own context, and not silently.
    let said = cli.fails(2, "context remove prod");
    assert!(said.contains("--yes"), "{said}");
    cli.ok("context remove prod --yes");
    assert!(!cli.path(".settings/c8y-pki/secrets/prod").exists());
    cli.ok("context use none");
    assert_eq!(host("config show --json", &[]), "");
    cli.run("context show").expect(1);
}

#[cfg(unix)]
#[test]
fn secrets_of_contexts_are_their_owners() {
    use std::os::unix::fs::PermissionsExt;
    let cli = Cli::new();
    cli.ok("context add prod --host prod.example.com --user jo --tenant-password-file pw --use");
    let path = cli.path(".settings/c8y-pki/secrets/prod");
    let mode = |path: &std::path::Path| path.metadata().expect("it").permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&cli.path(".settings/c8y-pki/contexts.toml"))), (0o600, 0o600));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    let said = cli.fails(2, "tenant status");
    assert!(said.contains("others can read it") && said.contains("chmod 600"), "{said}");
}

/// What a context lacks stops only commands that take it from there.
#[cfg(unix)]
#[test]
fn a_broken_context_stops_only_those_who_need_it() {
    use std::os::unix::fs::PermissionsExt;
    let cli = Cli::with_cas();
    cli.ok("context add prod --host prod.example.com --user jo --tenant-password-file pw --use");
    let secret = |variables: &[(&str, &str)]| {
        setting(cli.run_with("config show --json", variables, b""), "secret")
    };
    assert_eq!(secret(&[]), ("a password is kept".to_owned(), "context prod".to_owned()));
    let kept = cli.path(".settings/c8y-pki/secrets/prod");
    std::fs::set_permissions(&kept, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    // What is said of it was looked at.
    for line in ["context show", "context show prod", "config show"] {
        let said = cli.ok(line);
        assert!(said.contains("mode is 0644") && !said.contains("is kept"), "{said}");
    }
    assert_eq!(cli.run("context show --json").expect(0).json()["secret"], "password");
    assert!(cli.fails(2, "tenant status").contains("chmod 600"));
    // A rollout that asks no tenant needs no login, though the command knows one.
    let example = cli.ok("profile show rollout.toml");
    cli.write("job/rollout.toml", format!("{example}\n[tenant]\ncas = [\"line-7\"]\n"));
    cli.write("job/devices.csv", "id,name\ngw-1,Gateway\n");
    cli.ok("rollout job/rollout.toml --plan --local");
    assert!(cli.fails(2, "rollout job/rollout.toml --plan").contains("chmod 600"));
    std::fs::remove_file(&kept).expect("it goes away");
    let gone = cli.fails(2, "tenant status");
    assert!(gone.contains("is gone") && gone.contains("context add prod --replace"), "{gone}");
    assert!(cli.ok("context show").contains("is gone"));
    // The host is known all the same, and another login is another one.
    assert!(cli.fails(2, "tenant status --user tim").contains("no terminal"));
    // Those who ask no tenant go on; of these some take the host from there.
    cli.write("list.csv", "id\ngw-1\n");
    cli.ok("order create acme --from list.csv --ca line");
    cli.ok(&format!("device issue --order acme --out out {CA_PW}"));
    let offline = ["ca list", "order labels acme --out l.pdf", "config show"];
    let all = |lines: &[&str], variables: &[(&str, &str)]| {
        for line in lines {
            cli.run_with(line, variables, b"").expect(0);
        }
    };
    all(&offline, &[]);
    let nope = [("C8Y_PKI_CONTEXT", "nope")];
    all(&offline[..1], &nope);
    for line in ["order labels acme --out m.pdf", "tenant status", "config show"] {
        let said = cli.run_with(line, &nope, b"").expect(2);
        assert!(said.error().contains("nope"), "{said:?}");
    }
    settings(&cli, "contexts.toml", "nonsense");
    cli.ok("ca list");
    assert!(cli.fails(2, "tenant status").contains("contexts.toml"));
}

/// Where the host changes, the secret of the former one must not be taken for it, nor the other way round.
#[cfg(target_os = "linux")]
#[test]
fn a_secret_never_stands_beside_another_host() {
    let Some(faults) = Faults::new() else { return };
    let cli = Cli::new();
    let add = |host: &str| {
        cli.write(&format!("{host}.pw"), format!("of-{host}\n"));
        format!(
            "context add prod --host {host}.example.com --user jo --tenant-password-file {host}.pw --replace"
        )
    };
    cli.ok(&add("old"));
    let calls = faults.count(&cli, &add("new"));
    assert!(calls > 3, "{calls}");
    for at in 1..=calls {
        cli.ok(&add("old"));
        assert!(faults.run(&cli, &add("new"), Fault::Killed, at).is_none(), "{at}");
        let context = cli.text(".settings/c8y-pki/contexts.toml");
        if context.contains("secret = \"password\"") {
            let secret = cli.text(".settings/c8y-pki/secrets/prod");
            assert_eq!(context.contains("new."), secret.contains("new"), "{at}: {context}");
        }
    }
    cli.ok(&add("new"));
    assert_eq!(cli.text(".settings/c8y-pki/secrets/prod"), "of-new\n");
    // File systems that do not tell capital letters apart have one file for both.
    let said = cli.fails(2, "context add Prod --host other.example.com --replace");
    assert!(said.contains("\"prod\"") && said.contains("capital letters"), "{said}");
}
