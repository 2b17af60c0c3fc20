//! `registry backup` and `registry restore`: what is in a backup, who may read it, and what is refused.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use c8y_pki_tests::cli::{CA_PW, Cli};

fn sh(cli: &Cli, line: &str) -> String {
    let output = Command::new("sh").args(["-ec", line]).current_dir(cli.path("")).output();
    let output = output.expect("a shell");
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_backup_is_private_and_has_keys_only_if_that_is_asked_for() {
    let cli = Cli::with_cas();
    cli.ok("key pool fill --type ec-p256 --count 1 --pool-password-file pw");
    for (target, more, keys) in [("a.tar", "", 0), ("b.tar", "--with-keys", 2)] {
        let made = cli.run(&format!("registry backup {target} {more} --json")).expect(0).json();
        assert_eq!(made["with_keys"], keys > 0, "{made}");
        let names = sh(&cli, &format!("tar -tf {target}"));
        assert_eq!(names.matches("key.pem").count(), keys, "{names}");
        assert!(!names.contains("key-pool"), "{names}");
        let mode = fs::metadata(cli.path(target)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{target}");
    }
    cli.ok("registry backup c");
    let mode = fs::metadata(cli.path("c")).expect("a directory").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let again = cli.fails(2, "registry backup a.tar");
    assert!(again.contains("a backup is never written over another one"), "{again}");
    assert!(!cli.names("").iter().any(|name| name.starts_with(".c8y-pki")), "something is left");
    // Its digests are those of another program.
    let digests = cli.run("registry backup d --json").expect(0).json();
    let lines: Vec<String> = digests["files"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|f| {
            format!(
                "{}  d/{}\n",
                f["sha256"].as_str().unwrap_or_default(),
                f["name"].as_str().unwrap_or_default()
            )
        })
        .collect();
    cli.write("sums", lines.concat());
    sh(&cli, "sha256sum -c sums");
}

#[test]
fn a_backup_that_was_changed_is_refused_and_nothing_of_it_is_used() {
    let cli = Cli::with_cas();
    cli.ok("registry backup good");
    for (change, words) in [
        ("echo x >> bad/ca/root/cert.pem", "does not have the SHA-256"),
        ("rm bad/ca/line/chain.pem", "is missing"),
        ("rm bad/manifest.json", "has no manifest.json"),
        ("sed -i s,ca/root/cert.pem,../../x.pem, bad/manifest.json", "leads out of it"),
        ("sed -i 's/\"certificates\": 2/\"certificates\": 3/' bad/manifest.json", "other contents"),
    ] {
        sh(&cli, &format!("rm -rf bad; cp -a good bad; {change}"));
        for line in ["--pki new registry restore bad", "registry restore bad --yes"] {
            let before = cli.snapshot("pki");
            let said = cli.fails(2, line);
            assert!(said.contains(words), "{change}: {said}");
            assert!(!cli.path("new").exists(), "{change}");
            assert_eq!(cli.snapshot("pki"), before, "{change}");
        }
    }
    // An archive with a name that leads out, and what is no archive.
    sh(&cli, "mkdir -p t; echo x > t/x; tar -cf evil.tar --transform 's,^t/,../,' -P t/x");
    assert!(cli.fails(2, "--pki new registry restore evil.tar").contains("is not a backup"));
    cli.write("none.tar", "no archive at all");
    cli.fails(2, "--pki new registry restore none.tar");
    cli.write("full/x", "x");
    assert!(cli.fails(2, "--pki full registry restore good").contains("is not empty"));
}

#[test]
fn what_is_there_stays_and_what_is_missing_comes_back() {
    let cli = Cli::with_cas();
    cli.ok("registry backup b.tar");
    let key = cli.read("pki/ca/root/key.pem");
    fs::remove_dir_all(cli.path("pki/ca/line")).expect("it is lost");
    let said = cli.run("registry restore b.tar --yes --json").expect(0).json();
    assert_eq!(said["without_key"], serde_json::json!(["line"]), "{said}");
    assert_eq!(cli.read("pki/ca/root/key.pem"), key);
    assert_eq!(cli.run("ca list --json").expect(0).json_lines().len(), 2);
    let former = said["former_registry"].as_str().expect("a name");
    assert!(cli.path(former).exists(), "{former}");
    // The restored one is used from here on.
    cli.ok(&format!("device issue gw-1 --ca root --out out {CA_PW}"));
    assert_eq!(cli.run("registry check").expect(1).stdout.matches("there is no key").count(), 1);
}
