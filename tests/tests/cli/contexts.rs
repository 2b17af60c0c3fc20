//! Contexts: how tenants are reached, each under a name.

use c8y_pki_tests::cli::Cli;
#[cfg(target_os = "linux")]
use c8y_pki_tests::faults::{Fault, Faults};

use super::manners::setting;

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
