//! When the environment fails: directories that cannot be written, disks that are full.

#![cfg(target_os = "linux")]

use std::fs;

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::disk::Disk;
use c8y_pki_tests::{arg, tool};

#[test]
fn folders_that_cannot_be_written_are_named() {
    let cli = Cli::with_cas();
    for (line, path) in [
        (format!("device issue a --ca line --out /sys/c8y-pki-out {CA_PW}"), "/sys/c8y-pki-out"),
        (format!("ca init --pki /sys/c8y-pki --subject CN=x {CA_PW}"), "/sys/c8y-pki"),
        ("key new --type ec-p256 --plain --out /sys/c8y.key".to_owned(), "/sys/c8y.key"),
        ("rollout --example /sys/c8y-pki-demo".to_owned(), "/sys/c8y-pki-demo"),
        ("man /sys/c8y-pki-man".to_owned(), "/sys/c8y-pki-man"),
    ] {
        let said = cli.fails(3, &line);
        assert!(said.starts_with("error: cannot ") && said.contains(path), "{line}: {said}");
    }
    let devices = cli.run("ca list --json").expect(0).json_lines();
    assert_eq!(devices[0]["devices"], 0, "nothing is recorded that was not written");
}

#[test]
fn a_file_in_place_of_a_folder_is_named() {
    let cli = Cli::with_cas();
    cli.write("out", "a file");
    let said = cli.fails(2, &format!("device issue a --ca line --out out {CA_PW}"));
    assert!(said.contains("out"), "{said}");
    let said = cli.fails(2, &format!("ca init --pki out --subject CN=x {CA_PW}"));
    assert!(said.contains("out"), "{said}");
}

/// Every device's directory is whole, and its key belongs to its certificate.
fn whole_devices(cli: &Cli, folder: &str) -> usize {
    let names = cli.names(folder).into_iter().filter(|n| !n.starts_with('.'));
    let mut count = 0;
    for name in names {
        let dir = format!("{folder}/{name}");
        assert_eq!(cli.names(&dir), ["cert.pem", "chain.pem", "key.pem"], "{name}");
        let cert = cli.read(&format!("{dir}/cert.pem"));
        let cert = Certificate::all_from_pem_or_der(&cert).expect("a certificate").remove(0);
        let key = PrivateKey::read(&cli.read(&format!("{dir}/key.pem")), None).expect("a key");
        assert_eq!(key.public_key().spki(), cert.spki, "{name}");
        count += 1;
    }
    count
}

fn list(count: usize) -> String {
    let rows: String = (0..count).map(|n| format!("dev-{n}\n")).collect();
    format!("id\n{rows}")
}

#[test]
fn a_full_disk_for_devices_leaves_nothing_half_written() {
    let cli = Cli::with_cas();
    let Some(disk) = Disk::new(&cli, "4m") else { return };
    cli.write("list.csv", list(1500));
    let line = format!("device issue --from list.csv --ca line --out disk/out {CA_PW}");
    let said = cli.fails(3, &line);
    assert!(said.contains("no space is left on the device"), "{said}");
    assert!(said.contains("hint: free some space and run the same command again"), "{said}");
    let there = whole_devices(&cli, "disk/out");
    let recorded = cli.run("ca list --json").expect(0).json_lines()[0]["devices"].clone();
    assert!(recorded.as_u64().expect("a number") >= there as u64, "{recorded} < {there}");
    disk.grow("64m");
    cli.ok(&line);
    assert_eq!(whole_devices(&cli, "disk/out"), 1500);
    assert_eq!(cli.run("ca list --json").expect(0).json_lines()[0]["devices"], 1500);
    assert_eq!(cli.names("disk/out").len(), 1500, "staging is gone");
}

#[test]
fn a_full_disk_for_an_archive_loses_nothing() {
    let cli = Cli::with_cas();
    let Some(disk) = Disk::new(&cli, "3m") else { return };
    cli.write("list.csv", list(1500));
    let line =
        format!("device issue --from list.csv --ca line --output tar --out disk/a.tar {CA_PW}");
    let said = cli.fails(3, &line);
    assert!(said.contains("no space is left on the device"), "{said}");
    assert!(!cli.path("disk/a.tar").exists(), "the archive has its name before it is whole");
    disk.grow("64m");
    cli.ok(&line);
    let Some(tar) = tool("tar") else { return };
    fs::create_dir(cli.path("un")).expect("a directory");
    tar.run(&["-xf", arg(&cli.path("disk/a.tar")), "-C", arg(&cli.path("un"))]);
    assert_eq!(whole_devices(&cli, "un"), 1500);
    assert_eq!(cli.run("ca list --json").expect(0).json_lines()[0]["devices"], 1500);
}

#[test]
fn a_full_disk_for_the_registry_leaves_nothing_half_written() {
    let cli = Cli::new();
    let Some(disk) = Disk::new(&cli, "600k") else { return };
    let init = "ca init --pki disk/pki --subject CN=R --key-type ec-p256";
    cli.ok(&format!("{init} {CA_PW}"));
    cli.write("list.csv", list(1000));
    let line = format!("device issue --pki disk/pki --from list.csv --ca root --out out {CA_PW}");
    let said = cli.fails(3, &line);
    assert!(said.lines().any(|line| line.starts_with("error: ")), "{said}");
    whole_devices(&cli, "out");
    disk.grow("64m");
    cli.ok(&line);
    assert_eq!(whole_devices(&cli, "out"), 1000);
}

#[test]
fn arguments_that_are_none_are_told_as_json_too() {
    let cli = Cli::new();
    for (line, error, hint) in [
        ("--json ca", "a command is missing", "--help"),
        ("nope --json", "unrecognized subcommand 'nope'", "a similar subcommand exists: 'pop'"),
        ("--json ca add", "the following required arguments were not provided:", "--help"),
        ("cert verify --json --max-depth x c.pem", "invalid value 'x' for '--max-depth", ""),
    ] {
        let said = cli.run(line).expect(2).stderr;
        let value: serde_json::Value = serde_json::from_str(said.trim()).expect(&said);
        assert!(value["error"].as_str().unwrap().starts_with(error), "{said}");
        assert!(value["hint"].as_str().unwrap().contains(hint), "{said}");
    }
    let text = cli.run("ca show -- --json x").expect(2);
    assert!(text.error().starts_with("unexpected argument"));
    assert!(cli.run("nope").expect(2).error().starts_with("unrecognized subcommand"));
    assert!(cli.ok("--json --help").contains("Usage: c8y-pki"));
}
