//! Passwords asked for at a terminal, which a small Python program stands for.

#![cfg(unix)]

use std::io::Write;
use std::process::{Command, Stdio};

use crate::clock::untouched_for;
use c8y_pki_tests::cli::{Cli, binary};
use c8y_pki_tests::{python_dir, python_with};
use serde_json::{Value, json};

/// Runs a command line at a terminal and types; none without Python.
fn typed(cli: &Cli, line: &str, keys: &str) -> Option<Value> {
    let python = python_with("pty")?;
    let mut child = Command::new(python.path())
        .arg(python_dir().join("terminal.py"))
        .arg(binary())
        .args(line.split(' '))
        .env("XDG_CONFIG_HOME", cli.path(".settings"))
        .current_dir(cli.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    child.stdin.take().expect("a pipe").write_all(keys.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("its end");
    assert!(output.status.success(), "{output:?}");
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

#[test]
fn a_password_is_asked_for_twice_and_not_shown() {
    let cli = Cli::new();
    let Some(seen) = typed(
        &cli,
        "key new --type ec-p256 --out k.pem",
        "s3cret-Lantern-81!\ns3cret-Lantern-81!\n",
    ) else {
        return;
    };
    assert_eq!((&seen["code"], &seen["hidden"]), (&json!(0), &json!([true, true])), "{seen}");
    assert_eq!((&seen["before"], &seen["after"]), (&json!(true), &json!(true)), "{seen}");
    let text = seen["seen"].as_str().expect("text");
    assert!(text.contains("k.pem") && !text.contains("s3cret-Lantern"), "{seen}");
    cli.write("pw", "s3cret-Lantern-81!\n");
    cli.ok("key show k.pem --password-file pw");
    let differ = typed(
        &cli,
        "key new --type ec-p256 --out other.pem",
        "one-Lantern-81-oak\ntwo-Lantern-81-elm\n",
    )
    .expect("Python");
    assert_eq!(differ["code"], 2, "{differ}");
    assert!(differ["seen"].as_str().is_some_and(|said| said.contains("differ")), "{differ}");
    // A weak one is refused before it is typed again.
    let weak = typed(&cli, "key new --type ec-p256 --out other.pem", "short\n").expect("Python");
    assert_eq!((&weak["code"], &weak["hidden"]), (&json!(2), &json!([true])), "{weak}");
    assert!(!cli.path("other.pem").exists());
}

#[test]
fn a_clock_that_may_be_ahead_is_asked_about() {
    let line =
        "ca add line --parent root --subject CN=Line --key-type ec-p256 --ca-password-file pw";
    let cli = untouched_for(time::Duration::days(40));
    let Some(seen) = typed(&cli, line, "+n\n") else { return };
    assert_eq!(seen["code"], 3, "{seen}");
    assert!(!cli.path("pki/ca/line").exists());
    let seen = typed(&cli, line, "+y\n").expect("Python");
    assert_eq!(seen["code"], 0, "{seen}");
    let text = seen["seen"].as_str().expect("text");
    assert!(text.contains("Is the clock right?"), "{seen}");
    assert!(cli.ok("registry export --what audit").contains(",clock,"));
}

#[test]
fn a_revocation_is_confirmed() {
    let cli = Cli::with_cas();
    cli.ok("device issue gw-1 --ca line --out out --ca-password-file pw");
    let Some(seen) = typed(&cli, "device revoke gw-1", "+n\n") else { return };
    assert_eq!(seen["code"], 1, "{seen}");
    assert!(seen["seen"].as_str().is_some_and(|text| text.contains("1 certificate?")), "{seen}");
    assert!(cli.ok("device list").contains("gw-1"));
    let seen = typed(&cli, "device revoke gw-1", "+y\n").expect("Python");
    assert_eq!(seen["code"], 0, "{seen}");
    assert!(cli.ok("device list --status revoked").contains("gw-1"));
}

#[test]
fn the_password_of_a_context_is_asked_for_and_kept() {
    let cli = Cli::new();
    let line = "context add box --host box.example.com --user jo --save-password";
    let Some(seen) = typed(&cli, line, "s3cret-Lantern-81!\ns3cret-Lantern-81!\n") else { return };
    assert_eq!((&seen["code"], &seen["hidden"]), (&json!(0), &json!([true, true])), "{seen}");
    assert!(!seen["seen"].as_str().unwrap_or_default().contains("s3cret"), "{seen}");
    assert_eq!(cli.text(".settings/c8y-pki/secrets/box"), "s3cret-Lantern-81!\n");
    let seen = typed(&cli, "context remove box", "+y\n").expect("Python");
    assert_eq!(seen["code"], 0, "{seen}");
    assert!(!cli.path(".settings/c8y-pki/secrets/box").exists());
}

#[test]
fn ctrl_c_at_a_prompt_ends_it_and_the_terminal_shows_again_what_is_typed() {
    let cli = Cli::new();
    for (line, keys) in [
        ("key new --type ec-p256 --out k.pem", "^C\n"),
        ("key new --type ec-p256 --out k.pem", "first-Lantern-81-x\n^C\n"),
        // A run that would finish what it is making, if it were at that.
        ("tenant status --host localhost:1 --user jo", "^C\n"),
    ] {
        let Some(seen) = typed(&cli, line, keys) else { return };
        assert_eq!((&seen["code"], &seen["after"]), (&json!(3), &json!(true)), "{line}: {seen}");
    }
    assert!(!cli.path("k.pem").exists());
}

/// The bar is there before the first device is made, and moves with each: not only when a chunk is recorded.
#[test]
fn the_bar_moves_with_every_device() {
    let cli = Cli::with_cas();
    let line = "device issue a b c d e f --ca line --out out --key-type rsa-3072 --threads 1 \
                --ca-password-file pw";
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some(seen) = typed(&cli, &line, "") else { return };
    assert_eq!(seen["code"], 0, "{seen}");
    let text = seen["seen"].as_str().expect("text");
    assert!(text.contains("0/6 devices"), "{text}");
    let moved = (1..6).filter(|n| text.contains(&format!("{n}/6 devices"))).count();
    assert!(moved >= 3, "{moved} of 5 steps are seen: {text}");
    assert!(text.contains(" left"), "{text}");
}
