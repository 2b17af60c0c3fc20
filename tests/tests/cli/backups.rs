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

/// Somebody may keep devices' files and passwords below the PKI directory.
#[test]
fn nothing_else_of_the_directory_is_in_a_backup() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue gw-1 --ca line --out pki/devices {CA_PW}"));
    for name in ["pki/ca.pw", "pki/ca/root/pw.txt", "pki/ca/root/key.pem.old", "pki/note"] {
        cli.write(name, "s3cret");
    }
    cli.write("pki/profiles/own.toml", cli.ok("profile show device"));
    for more in ["", "--with-keys"] {
        let line = format!("registry backup b{}.tar {more}", more.len());
        let made = cli.run(&format!("{line} --json")).expect(0).json();
        let files = made["files"].as_array().expect("files").clone();
        let names: Vec<&str> = files.iter().filter_map(|f| f["name"].as_str()).collect();
        let odd =
            |name: &&&str| ["devices", "pw", "old", "note"].iter().any(|odd| name.contains(odd));
        assert_eq!(names.iter().find(odd), None, "{names:?}");
        assert!(names.contains(&"profiles/own.toml") && names.contains(&"pki.toml"), "{names:?}");
    }
}

#[test]
fn a_registry_that_somebody_has_open_is_not_replaced() {
    let Some(python) = c8y_pki_tests::tool("python3") else { return };
    let cli = Cli::with_cas();
    cli.ok("registry backup b.tar");
    let open = "import sqlite3\nc = sqlite3.connect('pki/registry.sqlite')\n\
                c.execute('SELECT count(*) FROM certificate').fetchall()\nprint('open', flush=True)\ninput()";
    let mut child = Command::new(python.path())
        .args(["-c", open])
        .current_dir(cli.path(""))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut line = String::new();
    let said = child.stdout.take().expect("a pipe");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(said), &mut line).expect("a line");
    let refused = cli.fails(3, "registry restore b.tar --yes");
    assert!(refused.contains("another process has the registry"), "{refused}");
    drop(child.stdin.take());
    child.wait().expect("its end");
    assert!(!cli.names("pki").iter().any(|name| name.starts_with("registry-before")), "it is left");
    cli.ok("registry restore b.tar --yes");
}

/// A registry may have another name than usual.
#[test]
fn a_registry_of_another_name_comes_back_under_its_own() {
    let cli = Cli::with_cas();
    cli.ok("registry migrate --to other.sqlite");
    cli.ok("registry backup b.tar");
    cli.ok("--pki new registry restore b.tar");
    cli.run("--pki new registry check").expect(1);
    assert_eq!(cli.run("--pki new ca list --json").expect(0).json_lines().len(), 2);
    cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    cli.ok("registry restore b.tar --yes");
    assert_eq!(cli.run("registry check --json").expect(0).json()["certificates"], 2);
}

/// A backup whose manifest fits, and whose registry is changed by that SQL.
fn changed(cli: &Cli, sqlite: &c8y_pki_tests::Tool, sql: &str) {
    sh(cli, "rm -rf bad; cp -a good bad");
    sqlite.run(&[&cli.arg("bad/registry.sqlite"), sql]);
    let before = sh(cli, "sha256sum good/registry.sqlite | cut -d' ' -f1");
    let after = sh(cli, "sha256sum bad/registry.sqlite | cut -d' ' -f1");
    sh(cli, &format!("sed -i s/{}/{}/ bad/manifest.json", before.trim(), after.trim()));
    let bytes = |place: &str| fs::metadata(cli.path(place)).expect("a file").len();
    let (before, after) = (bytes("good/registry.sqlite"), bytes("bad/registry.sqlite"));
    sh(cli, &format!("sed -i 's/\"bytes\": {before}/\"bytes\": {after}/' bad/manifest.json"));
}

#[test]
fn a_backup_with_a_bad_registry_is_damaged_and_an_old_one_is_brought_up_to_date() {
    let Some(sqlite) = c8y_pki_tests::tool("sqlite3") else { return };
    let cli = Cli::with_cas();
    cli.ok("registry backup good");
    changed(&cli, &sqlite, "UPDATE certificate SET ca = 'other' WHERE client_id IS NULL");
    let said = cli.fails(2, "--pki new registry restore bad");
    assert!(said.contains("the backup bad is damaged: its registry is not good"), "{said}");
    assert!(said.contains("an older backup"), "{said}");
    // As the version before this one had it.
    changed(&cli, &sqlite, OLD);
    cli.ok("--pki new registry restore bad");
    let checked = cli.run("--pki new registry check").expect(1);
    assert!(checked.stdout.contains(": 2 findings"), "only the keys of the two CAs: {checked:?}");
    assert_eq!(cli.run("--pki new ca list --json").expect(0).json_lines().len(), 2);
}

/// Schema version 6: without orders.
const OLD: &str = "DROP INDEX certificate_ca; DROP INDEX audit_action; ALTER TABLE certificate DROP COLUMN bundle; DROP TABLE device_order; DROP TABLE order_device; \
                   DROP TABLE order_step; PRAGMA user_version = 6";
