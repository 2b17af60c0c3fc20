//! `registry check` says what is right, and reading commands read from anywhere: runs that were stopped,
//! runs that are going on, what killed commands have left, read-only and full disks, long registries.

use std::fs;
use std::path::Path;

use c8y_pki_tests::cli::{CA_PW, Cli};
use serde_json::Value;

const LINE: &str = "device issue --from list.csv --ca line --out out --ca-password-file pw";

/// A directory with devices of a list, all of them issued.
fn issued(count: usize) -> Cli {
    let cli = Cli::with_cas();
    let rows: String = (0..count).map(|n| format!("gw-{n:04}\n")).collect();
    cli.write("list.csv", format!("id\n{rows}"));
    cli.ok(LINE);
    cli
}

fn check(cli: &Cli, code: i32) -> Value {
    cli.run("registry check --json").expect(code).json()
}

/// Puts the devices below `wanted` to where a run that was killed behind the registry's transaction has them.
fn stopped_renewal(cli: &Cli, count: usize, wanted: usize) {
    cli.ok(&format!("device renew --from list.csv --out out {CA_PW}"));
    let serials = cli.run("device list --json").expect(0).json_lines();
    let serial_of = |id: &str| {
        let row = serials.iter().find(|row| row["id"] == id).expect("it is live");
        row["serial"].as_str().expect("a serial number").to_owned()
    };
    let mut journal = String::new();
    let chunk = "out/.c8y-pki-staging/stopped/0";
    cli.write("out/.c8y-pki-staging/stopped/lock", "");
    fs::create_dir_all(cli.path(chunk)).expect("a directory");
    for id in (0..count).map(|n| format!("gw-{n:04}")).take(wanted) {
        let place = cli.path("out").join(&id);
        fs::rename(&place, cli.path(chunk).join(&id)).expect("a directory");
        fs::rename(cli.path("out/.replaced").join(&id).join("1"), &place).expect("the former one");
        journal.push_str(&format!("{}\t{id}\t{id}\n", serial_of(&id)));
    }
    cli.write(&format!("{chunk}/.journal"), journal);
}

#[test]
fn a_stopped_renewal_is_unfinished_and_no_finding() {
    let cli = issued(20);
    stopped_renewal(&cli, 20, 12);
    let report = check(&cli, 0);
    assert_eq!(report["findings"], Value::Array(Vec::new()), "{report}");
    assert_eq!((&report["good"], &report["keys"]["good"]), (&true.into(), &8.into()), "{report}");
    assert_eq!(report["keys"]["waiting"], 12);
    let unfinished = &report["unfinished"][0];
    assert_eq!((&unfinished["kind"], &unfinished["running"]), (&"devices".into(), &false.into()));
    assert_eq!(unfinished["devices"], 12);
    let said = cli.ok("registry check");
    let sentence =
        "and 12 devices are not yet in their place: run the same command again to finish it";
    assert!(
        said.contains("unfinished: a run was stopped in ") && said.contains(sentence),
        "{said}"
    );
    assert!(said.contains("12 not yet in their place: all is as it was written"), "{said}");
    // One of them has lost its key there: that is a fault, and only that.
    let key = "out/.c8y-pki-staging/stopped/0/gw-0003/key.pem";
    let kept = cli.read(key);
    fs::remove_file(cli.path(key)).expect("it was there");
    let said = cli.run("registry check").expect(1).stdout;
    assert_eq!(said.matches("key: ").count(), 1, "{said}");
    assert!(said.contains("is not that of the live certificate of \"gw-0003\""), "{said}");
    cli.write(key, kept);
    let again = cli.run(&format!("{LINE} --json")).expect(0).json();
    assert_eq!((&again["recovered"], &again["issued"]), (&12.into(), &0.into()));
    let report = check(&cli, 0);
    assert_eq!(
        (&report["unfinished"], &report["keys"]["good"]),
        (&Value::Array(vec![]), &20.into())
    );
}

#[test]
fn a_key_that_is_lost_beside_a_stopped_run_is_found() {
    let cli = issued(6);
    stopped_renewal(&cli, 6, 3);
    fs::remove_file(cli.path("out/gw-0005/key.pem")).expect("it was there");
    let said = cli.run("registry check").expect(1).stdout;
    assert!(said.contains("key: the key of \"gw-0005\" is not in"), "{said}");
    assert_eq!(said.matches("key: ").count(), 1, "{said}");
}

#[test]
fn what_killed_commands_have_left_is_listed_and_goes_with_the_next() {
    let cli = issued(1);
    cli.write("pki/ca/line/crl.pem.0.tmp", "half of a list");
    cli.write("pki/ca/.new-next/key.pem", "half of a key");
    cli.write("failed.csv.0.tmp", "somebody else's directory");
    cli.write("out/failed.csv.0.tmp", "half of a list");
    let report = check(&cli, 0);
    let left = report["leftovers"].as_array().expect("a list");
    let left: Vec<&str> = left.iter().filter_map(Value::as_str).collect();
    assert_eq!(left.len(), 3, "{left:?}");
    for (path, end) in left.iter().zip([".new-next", "crl.pem.0.tmp", "out/failed.csv.0.tmp"]) {
        assert!(left.iter().any(|path| path.ends_with(end)), "{path}: {left:?}");
    }
    let said = cli.ok("registry check");
    assert!(said.contains("left over from a killed command: pki/ca/line/crl.pem.0.tmp"), "{said}");
    cli.ok(&format!("ca crl line {CA_PW}"));
    cli.ok(&format!("ca add next --parent root --subject CN=Next {CA_PW}"));
    cli.write("list.csv", "id\ngw-0000\nno:id\n");
    cli.run(&format!("{LINE} --keep-going")).expect(1);
    assert_eq!(check(&cli, 0)["leftovers"], Value::Array(Vec::new()));
    assert!(cli.path("failed.csv.0.tmp").exists(), "it was somebody else's");
}

#[test]
fn an_unfinished_archive_is_no_finding() {
    let cli = Cli::with_cas();
    cli.write("list.csv", "id\ngw-1\ngw-2\n");
    let line = format!("device issue --from list.csv --ca line --output tar --out d.tar {CA_PW}");
    cli.ok(&line);
    // As it is when a run was killed at its very end.
    fs::rename(cli.path("d.tar"), cli.path("d.tar.part")).expect("an archive");
    let report = check(&cli, 0);
    assert_eq!(
        (&report["unfinished"][0]["kind"], &report["keys"]["good"]),
        (&"archive".into(), &2.into())
    );
}

// ---- disks

#[cfg(target_os = "linux")]
mod disks {
    use super::*;
    use c8y_pki_engine::registry::Registry;
    use c8y_pki_tests::disk::Disk;
    use time::OffsetDateTime;

    /// What only reads: each command, and a word of what it says.
    const READING: [(&str, &str); 8] = [
        ("registry check", "all is as it was written"),
        ("registry export", "gw-0000"),
        ("registry export --what audit", "issue"),
        ("device list", "gw-0000"),
        ("device show gw-0000", "Device gw-0000"),
        ("ca list", "CN=Line"),
        ("ca show line", "CN=Line"),
        ("registration create", "gw-0000"),
    ];

    /// Copies the PKI directory of `issued` to a disk, with these files of its registry, and makes it read-only.
    fn read_only(files: &[&str]) -> Option<(Cli, Disk)> {
        let cli = issued(3);
        let disk = Disk::new(&cli, "16m")?;
        // The log is there as long as somebody has the registry open.
        let registry = Registry::open(&cli.path("pki/registry.sqlite"), OffsetDateTime::now_utc());
        let mut registry = registry.expect("a registry");
        registry.next_crl_number("elsewhere", &[], 7, OffsetDateTime::now_utc()).expect("a number");
        for (name, contents) in cli.snapshot("pki") {
            let of_registry = name.starts_with("pki/registry.sqlite");
            let wanted = !of_registry || files.iter().any(|file| name.ends_with(file));
            if let Some(bytes) = contents.filter(|_| wanted) {
                cli.write(&format!("disk/{name}"), bytes);
            }
        }
        drop(registry);
        disk.remount("ro");
        Some((cli, disk))
    }

    fn all_read(cli: &Cli, crl_rows: usize) {
        for (line, word) in READING {
            let outcome = cli.run(&format!("{line} --pki disk/pki")).expect(0);
            assert!(outcome.stdout.contains(word), "{line}: {outcome:?}");
            assert!(!outcome.stderr.contains("warning"), "{line}: {outcome:?}");
        }
        let audit = cli.ok("registry export --what audit --pki disk/pki --format jsonl");
        assert_eq!(audit.matches("\"action\":\"crl\"").count(), crl_rows, "{audit}");
        let report = cli.run("registry check --json --pki disk/pki").expect(0).json();
        assert_eq!((&report["read_only"], &report["unread_log"]), (&true.into(), &Value::Null));
        // What writes says why it cannot.
        for line in
            [format!("ca crl line {CA_PW}"), "device revoke gw-0001 --reason superseded".into()]
        {
            let said = cli.fails(3, &format!("{line} --pki disk/pki"));
            assert!(said.contains("read-only"), "{line}: {said}");
        }
    }

    #[test]
    fn reading_commands_read_from_a_read_only_file_system() {
        let Some((cli, _disk)) = read_only(&["registry.sqlite"]) else { return };
        // Only what was in the file when it was copied.
        let audit = cli.ok("registry export --what audit --pki disk/pki --format jsonl");
        let crl_rows = audit.matches("\"action\":\"crl\"").count();
        all_read(&cli, crl_rows);
    }

    #[test]
    fn the_log_is_read_too_whether_its_index_is_there_or_not() {
        for files in [&["registry.sqlite", "-wal"][..], &["registry.sqlite", "-wal", "-shm"]] {
            let Some((cli, _disk)) = read_only(files) else { return };
            all_read(&cli, 1);
        }
    }

    #[test]
    fn a_log_that_cannot_be_read_is_told() {
        let Some((cli, disk)) = read_only(&["registry.sqlite", "-wal"]) else { return };
        disk.remount("rw");
        fs::rename(cli.path("disk/pki/registry.sqlite-wal"), cli.path("disk/log")).expect("a log");
        // A directory in its place cannot be read by anybody, not even by root.
        fs::create_dir(cli.path("disk/pki/registry.sqlite-wal")).expect("a directory");
        disk.remount("ro");
        let outcome = cli.run("device list --pki disk/pki").expect(0);
        assert!(outcome.stdout.contains("gw-0000"), "{outcome:?}");
    }

    #[test]
    fn a_full_disk_is_named_wherever_it_is_noticed() {
        let cli = issued(40);
        let Some(disk) = Disk::new(&cli, "2m") else { return };
        let ids: String = (0..60_000).map(|n| format!("x-{n:06}\n")).collect();
        let of = |line: &str, variables: &[(&str, &str)], stdin: &[u8]| {
            let outcome = cli.run_with(line, variables, stdin).expect(3);
            let said = outcome.stderr.clone();
            assert!(outcome.error().contains("no space is left on the device"), "{line}: {said}");
            assert!(said.contains("hint: free some space"), "{line}: {said}");
        };
        cli.write("disk/filler", vec![0; 1_980_000]);
        let temporary = cli.arg("disk");
        for line in [
            "registry export --out disk/x.csv",
            "registry export --format jsonl --out disk/x.jsonl",
            "registration create --from long.csv --out disk/r.csv",
            "device issue a --ca line --output tar --out disk/d.tar --ca-password-file pw",
        ] {
            cli.write("long.csv", format!("id\n{ids}"));
            // Blocks of what was removed are free once the journal is written.
            let folder = fs::File::open(cli.path("disk")).expect("a directory");
            folder.sync_all().expect("a journal");
            // What is small fits into what is left of the last block.
            cli.write("disk/rest", "");
            let free = fs::OpenOptions::new().append(true).open(cli.path("disk/rest"));
            let mut free = free.expect("a file");
            let mut fill = || std::io::Write::write_all(&mut free, &[0; 4096]).is_ok();
            // What the last command had may be free a moment after its end.
            for _ in 0..5 {
                while fill() {}
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            of(line, &[], b"");
            fs::remove_file(cli.path("disk/rest")).expect("it was there");
        }
        assert_eq!(cli.names("disk"), ["filler"], "something is left");
        // A list from a pipe is kept where temporary files are.
        let stdin = format!("id\n{ids}");
        of(&LINE.replace("list.csv", "-"), &[("TMPDIR", &temporary)], stdin.as_bytes());
        drop(disk);
    }
}

// ---- long registries

#[cfg(target_os = "linux")]
mod long {
    use super::*;
    use std::process::{Command, Stdio};

    use c8y_pki_core::cert::{Certificate, Encoded, Serial};
    use c8y_pki_core::client_id::DeviceId;
    use c8y_pki_engine::registry::{Holder, NewRecord, Registry};
    use c8y_pki_tests::cli::binary;
    use c8y_pki_tests::hostile::peak;
    use time::OffsetDateTime;

    const ROWS: u32 = 200_000;

    /// 64 MiB, in KiB. A list of so many rows that is held in memory takes more than twice as much.
    const MOST_MEMORY: u64 = 64 * 1024;

    /// Adds rows to the registry: the certificate is one for all, since nobody verifies it here.
    fn add_rows(cli: &Cli) {
        let pem = cli.read("pki/ca/line/cert.pem");
        let line = Certificate::all_from_pem_or_der(&pem).expect("a certificate").remove(0);
        let path = cli.path("pki/registry.sqlite");
        let now = OffsetDateTime::now_utc();
        let mut registry = Registry::open(&path, now).expect("a registry");
        let record = |n: u32| {
            let serial = Serial::from_octets(&[&[1; 12][..], &n.to_be_bytes()].concat());
            let details = [("TYPE", "pump"), ("NAME", "Pump of a plant"), ("site", "North 7")];
            NewRecord {
                ca: "line".to_owned(),
                holder: Holder::Device(DeviceId::parse(&format!("gw-{n:07}")).expect("an id")),
                certificate: Encoded { serial, ..Encoded::from(&line) },
                details: details.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
                location: None,
                has_key: false,
                bundle: None,
                replaces: None,
                key_from_outside: false,
            }
        };
        for start in (0..ROWS).step_by(5000) {
            let rows: Vec<NewRecord> = (start..start + 5000).map(record).collect();
            registry.record("long", now, &rows).expect("a registry to write to");
        }
    }

    /// The peak of a command's memory in KiB, as the system counts it when it has ended.
    fn peak_of(cli: &Cli, line: &str, stdout: &Path) -> u64 {
        let output = fs::File::create(stdout).expect("a file");
        let mut child = Command::new(binary())
            .args(line.split_ascii_whitespace())
            .current_dir(cli.path("."))
            .stdout(Stdio::from(output))
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut most = 0;
        while child.try_wait().expect("the system knows its children").is_none() {
            most = most.max(peak(child.id()).unwrap_or(0));
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        assert!(child.wait().expect("it ends").success(), "{line}");
        most
    }

    #[test]
    fn lists_of_very_many_devices_take_little_memory() {
        let cli = Cli::with_cas();
        add_rows(&cli);
        let stdout = cli.path("stdout");
        for (line, wanted) in [
            ("device list", ROWS + 1),
            ("device list --json", ROWS),
            ("registry export", ROWS + 3),
            ("registry export --json", ROWS + 2),
            ("registration create", ROWS + 1),
            ("registration create --out registration.csv", 1),
        ] {
            let memory = peak_of(&cli, line, &stdout);
            eprintln!("{memory} KiB for {line}");
            assert!((1..MOST_MEMORY).contains(&memory), "{memory} KiB for {line}");
            let lines = fs::read_to_string(&stdout).expect("what it said").lines().count();
            assert_eq!(lines, usize::try_from(wanted).expect("a number"), "{line}");
        }
        let csv = cli.text("registration.csv");
        assert_eq!(csv.lines().count(), usize::try_from(ROWS).expect("a number") + 1);
        // Read again as a list it makes the same file.
        let from = "registration create --from registration.csv";
        let memory = peak_of(&cli, from, &stdout);
        assert!((1..MOST_MEMORY).contains(&memory), "{memory} KiB for {from}");
        assert_eq!(fs::read_to_string(&stdout).expect("a CSV"), csv);
    }
}
