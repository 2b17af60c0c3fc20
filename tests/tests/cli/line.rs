//! A production line: very long lists, one archive for all, passwords of their own, devices that fail.

use std::fs::{self, File};
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::secret::Password;
use c8y_pki_core::store;
use c8y_pki_tests::cli::{CA_PW, Cli, PASSWORD, binary};
use c8y_pki_tests::hostile::peak;
use c8y_pki_tests::{arg, tool};
use serde_json::Value;

fn list(count: usize) -> String {
    let rows: String = (0..count).map(|n| format!("gw-{n:07},Plant {}\n", n % 7)).collect();
    format!("id,plant\n{rows}")
}

/// Holds an unpacked archive to the registry: a whole directory for each live device, and no other.
fn whole(cli: &Cli, folder: &str) -> usize {
    let devices = cli.run("device list --json").expect(0).json_lines();
    let names = cli.names(folder);
    assert_eq!(names.len(), devices.len());
    for (device, name) in devices.iter().zip(&names) {
        let read = |file: &str| cli.read(&format!("{folder}/{name}/{file}"));
        let chain = Certificate::all_from_pem_or_der(&read("chain.pem")).unwrap();
        let key = PrivateKey::read(&read("key.pem"), None).unwrap();
        assert_eq!(chain[0].serial.to_string(), device["serial"], "{name}");
        assert_eq!(chain[0].spki, key.public_key().spki(), "{name}");
    }
    devices.len()
}

#[test]
fn an_archive_holds_a_folder_for_each_device() {
    let Some(tar) = tool("tar") else { return };
    let cli = Cli::with_cas();
    cli.write("list.csv", list(2500));
    let line = format!("device issue --from list.csv --ca line --output tar --out d.tar {CA_PW}");
    let report = cli.run(&format!("{line} --json")).expect(0).json();
    assert_eq!((&report["issued"], &report["out"]), (&2500.into(), &"d.tar".into()));
    assert_eq!(cli.names(".").iter().filter(|n| n.contains("tar")).count(), 1, "a part is left");
    fs::create_dir(cli.path("un")).unwrap();
    tar.run(&["-xf", arg(&cli.path("d.tar")), "-C", arg(&cli.path("un"))]);
    assert_eq!(whole(&cli, "un"), 2500);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |name: &str| fs::metadata(cli.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("d.tar"), mode("un/gw-0000001")), (0o600, 0o700));
        assert_eq!(mode("un/gw-0000001/key.pem"), 0o600);
    }
    assert!(cli.ok(&line).starts_with("0 devices issued"), "again there is nothing to do");
    cli.write("list.csv", list(2501));
    let said = cli.fails(2, &line);
    assert!(said.contains("error: d.tar is there already, and 1 device would have to go into it"));
    let checked = cli.run("registry check --json").expect(0).json();
    assert_eq!(checked["keys"]["good"], 2500, "{checked}");
    fs::remove_file(cli.path("d.tar")).unwrap();
    let said = cli.run("registry check").expect(1).stdout;
    assert!(said.contains("the key of \"gw-0000000\" is not in"), "{said}");
}

#[test]
fn an_archive_that_was_changed_is_not_gone_on_with() {
    let cli = Cli::with_cas();
    cli.write("list.csv", list(3000));
    let line = format!("device issue --from list.csv --ca line --output tar --out d.tar {CA_PW}");
    interrupt(&cli, &line, |said| said.contains("progress"));
    let part = cli.read("d.tar.part");
    assert!(!part.is_empty());
    cli.write("d.tar.part", b"a file of somebody else");
    let said = cli.fails(2, &line);
    assert!(said.contains("d.tar.part is not as the registry knows it: it is shorter"), "{said}");
    assert_eq!(cli.read("d.tar.part"), b"a file of somebody else");
    // What stands behind the last chunk never counted.
    cli.write("d.tar.part", [part.as_slice(), b"half a device"].concat());
    cli.ok(&line);
    let Some(tar) = tool("tar") else { return };
    fs::create_dir(cli.path("un")).unwrap();
    tar.run(&["-xf", arg(&cli.path("d.tar")), "-C", arg(&cli.path("un"))]);
    assert_eq!(whole(&cli, "un"), 3000);
}

#[test]
fn an_archive_goes_to_a_program_that_reads_it() {
    let Some(tar) = tool("tar") else { return };
    let cli = Cli::with_cas();
    cli.write("list.csv", list(700));
    fs::create_dir(cli.path("un")).unwrap();
    let mut issue = Command::new(binary())
        .args(["device", "issue", "--from", "-", "--ca", "line", "--output", "tar", "--out", "-"])
        .args(["--ca-password-file", "pw", "--json"])
        .current_dir(cli.path("."))
        .stdin(File::open(cli.path("list.csv")).unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let unpacked = Command::new(tar.path())
        .args(["-x", "-C", arg(&cli.path("un"))])
        .stdin(issue.stdout.take().unwrap())
        .status()
        .unwrap();
    let output = issue.wait_with_output().unwrap();
    assert!(unpacked.success() && output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    let report: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(report["issued"], 700);
    assert_eq!(whole(&cli, "un"), 700);
}

#[test]
fn a_reader_that_goes_away_ends_the_run() {
    let cli = Cli::with_cas();
    cli.write("list.csv", list(3000));
    let mut issue = Command::new(binary())
        .args(["device", "issue", "--from", "list.csv", "--ca", "line", "--output", "tar"])
        .args(["--out", "-", "--ca-password-file", "pw", "--quiet"])
        .current_dir(cli.path("."))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    issue.stdout.take().unwrap().read_exact(&mut [0; 512]).unwrap();
    let output = issue.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.starts_with("error: cannot write the archive"), "{said}");
}

/// The former `--output tar` is an archive only where archives are made.
#[test]
fn a_form_that_there_is_not_is_refused_as_such() {
    let cli = Cli::with_cas();
    for line in ["device list --output tar", "ca list --output=tar"] {
        let said = cli.fails(2, line);
        assert!(said.contains("invalid value 'tar' for '--output"), "{line}: {said}");
    }
}

#[test]
fn a_stream_refuses_what_it_could_not_go_on_with() {
    let cli = Cli::with_cas();
    let line = format!("device issue a --ca line --output tar --out - {CA_PW}");
    let said = cli.fails(2, &format!("{line} --existing replace"));
    assert!(said.contains("a stream cannot hold devices that replace others"), "{said}");
    // Killed in between, a key would be with the reader and in the pool.
    let said = cli.fails(2, &format!("{line} --key-pool --pool-password-file pw"));
    assert!(said.contains("a stream cannot hold keys of the key pool"), "{said}");
}

#[test]
fn an_archive_is_gone_on_with_by_its_registry_only_and_under_any_spelling() {
    let cli = Cli::with_cas();
    cli.write("list.csv", list(3000));
    cli.write("sub/x", "");
    let line = format!("device issue --from list.csv --ca line --output tar {CA_PW}");
    interrupt(&cli, &format!("{line} --out sub/../d.tar"), |said| said.contains("progress"));
    let part = cli.read("d.tar.part");
    // Another PKI directory does not know it.
    cli.ok(&format!("ca init --pki other --subject CN=R --key-type ec-p256 {CA_PW}"));
    let other = line.replace("--ca line", "--ca root --pki other");
    let said = cli.fails(2, &format!("{other} --out d.tar"));
    assert!(said.contains("is not as the registry knows it"), "{said}");
    assert_eq!(cli.read("d.tar.part"), part);
    cli.ok(&format!("{line} --out d.tar"));
    assert!(cli.read("d.tar").starts_with(&part[..512]), "it was begun anew");
    assert_eq!(cli.run("registry check --json").expect(0).json()["keys"]["good"], 3000);
}

/// How a command ended that was watched.
struct Watched {
    code: Option<i32>,
    said: String,
    /// The most memory that it has had, in KiB; 0 where that cannot be told.
    memory: u64,
}

/// Runs a command and interrupts it once when what it has said fulfils `when`.
fn watch(cli: &Cli, line: &str, when: &dyn Fn(&str) -> bool) -> Watched {
    let mut child = Command::new(binary())
        .args(line.split_ascii_whitespace())
        .current_dir(cli.path("."))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let ended = AtomicBool::new(false);
    let (mut stderr, mut said, mut sent) = (child.stderr.take().unwrap(), Vec::new(), false);
    let memory = thread::scope(|scope| {
        // The system's own count only grows, so the last look is the one that counts.
        let memory = scope.spawn(|| {
            let mut most = 0;
            while !ended.load(Ordering::Relaxed) {
                most = most.max(peak(pid).unwrap_or(0));
                thread::sleep(Duration::from_millis(2));
            }
            most
        });
        let mut buffer = [0; 4096];
        loop {
            let count = stderr.read(&mut buffer).unwrap();
            said.extend_from_slice(&buffer[..count]);
            if count == 0 {
                break;
            }
            if !sent && when(&String::from_utf8_lossy(&said)) {
                let pid = rustix::process::Pid::from_child(&child);
                rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
                sent = true;
            }
        }
        ended.store(true, Ordering::Relaxed);
        memory.join().unwrap()
    });
    Watched { code: child.wait().unwrap().code(), said: String::from_utf8(said).unwrap(), memory }
}

fn interrupt(cli: &Cli, line: &str, when: impl Fn(&str) -> bool) {
    let Watched { code, said, .. } = watch(cli, line, &when);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("interrupted; run the same command again to finish"), "{said}");
}

#[test]
fn progress_is_a_line_of_json_for_each_chunk() {
    let cli = Cli::with_cas();
    cli.write("list.csv", list(1100));
    let line = format!("device issue --from list.csv --ca line --out out {CA_PW}");
    let said = cli.run(&line).expect(0).stderr;
    let lines: Vec<Value> = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|line| line["progress"].clone())
        .collect();
    let done: Vec<u64> = lines.iter().filter_map(|line| line["done"].as_u64()).collect();
    // 512 and the rest, or what was made in a second on a slow machine.
    assert!(done.len() >= 3 && done.is_sorted() && done.last() == Some(&1100), "{said}");
    assert!(
        done.iter().scan(0, |before, n| Some(n - std::mem::replace(before, *n))).all(|n| n <= 512)
    );
    assert!(lines.iter().all(|l| l["total"] == 1100 && l["devices_per_second"].is_number()));
    assert!(lines.iter().all(|l| l["seconds_left"].is_number()));
    let quiet = cli.run(&line.replace("out out", "out other --quiet --existing replace"));
    assert_eq!(quiet.expect(0).stderr, "");
}

#[test]
fn devices_that_fail_are_listed_and_the_others_issued_when_asked() {
    let cli = Cli::with_cas();
    cli.write("list.csv", "id\nok-1\nAA:BB\nok-2\nOK-1\n");
    let line = format!("device issue --from list.csv --ca line --out out {CA_PW}");
    let said = cli.run(&format!("{line} --failed bad.csv")).expect(2).stderr;
    assert!(said.contains("error: 2 of 4 devices cannot be issued; nothing was made"), "{said}");
    assert!(cli.names("out").is_empty());
    let expected = "line,id,problem,remedy\n\
        3,AA:BB,\"device id \"\"AA:BB\"\" (list.csv line 3) contains ':', which the platform \
        reserves\",use the address without colons: AABB\n\
        5,OK-1,\"device id \"\"OK-1\"\" (list.csv line 5) differs from \"\"ok-1\"\" in line 2 only \
        in case\",each device needs an id of its own: remove or rename one\n";
    assert_eq!(cli.text("bad.csv"), expected);
    let outcome = cli.run(&format!("{line} --keep-going --json")).expect(1);
    let report = outcome.json();
    assert_eq!((&report["issued"], &report["failed"]), (&2.into(), &2.into()));
    assert_eq!(report["failed_list"], "out/failed.csv");
    assert_eq!(cli.text("out/failed.csv"), expected);
    assert!(outcome.stderr.contains("which the platform reserves"), "{}", outcome.stderr);
    assert_eq!(cli.names("out"), ["failed.csv", "ok-1", "ok-2"]);
}

#[test]
fn each_device_has_a_store_password_of_its_own() {
    let cli = Cli::with_cas();
    cli.write("list.csv", list(600));
    let line = format!(
        "device issue --from list.csv --ca line --out out --bundle p12,jks --iterations 10 \
         --secrets secrets.csv {CA_PW}"
    );
    let outcome = cli.run(&line).expect(0);
    let text = cli.text("secrets.csv");
    let mut rows = text.lines();
    assert_eq!(rows.next(), Some("id,serial,store_password"));
    let mut passwords = Vec::new();
    for row in rows {
        let [id, serial, password] = row.split(',').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        assert_eq!(password.len(), 20);
        assert!(password.bytes().all(|b| b.is_ascii_alphanumeric()), "{password}");
        assert!(!format!("{}{}", outcome.stdout, outcome.stderr).contains(password));
        for file in ["keystore.p12", "keystore.jks"] {
            let bytes = cli.read(&format!("out/{id}/{file}"));
            let store = store::open(&bytes, Some(&Password::new(password)), None).unwrap();
            assert_eq!(store.entries.len(), 1);
        }
        let shown = cli_serial(&cli, id);
        assert_eq!(shown, serial);
        passwords.push(password.to_owned());
        if passwords.len() == 20 {
            break;
        }
    }
    assert_eq!(text.lines().count(), 601);
    let mut all: Vec<&str> = text.lines().skip(1).filter_map(|r| r.split(',').nth(2)).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 600, "two devices have one password");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(cli.path("secrets.csv")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let said = cli.fails(2, &line.replace("p12,jks", "pem"));
    assert!(said.contains("--secrets is for passwords of stores"), "{said}");
}

fn cli_serial(cli: &Cli, id: &str) -> String {
    let shown = cli.run(&format!("device show {id} --json")).expect(0).json();
    let text = shown.to_string();
    let at = text.find("\"serial\":\"").unwrap() + 10;
    text[at..at + 32].to_owned()
}

#[test]
fn passwords_survive_a_run_that_was_stopped() {
    let cli = Cli::with_cas();
    cli.write("list.csv", list(2000));
    let line = format!(
        "device issue --from list.csv --ca line --out out --bundle p12 --iterations 10 --secrets \
         secrets.csv {CA_PW}"
    );
    interrupt(&cli, &line, |said| said.contains("progress"));
    assert!(!cli.path("secrets.csv").exists(), "it is not whole");
    cli.ok(&line);
    let text = cli.text("secrets.csv");
    assert_eq!(text.lines().count(), 2001);
    assert_eq!(text.matches("id,serial").count(), 1);
    for row in text.lines().skip(1).step_by(97) {
        let [id, _, password] = row.split(',').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let bytes = cli.read(&format!("out/{id}/keystore.p12"));
        store::open(&bytes, Some(&Password::new(password)), None).unwrap();
    }
    assert!(!text.contains(PASSWORD));
}

/// 150 MiB, in KiB.
#[cfg(target_os = "linux")]
const MOST_MEMORY: u64 = 150 * 1024;

#[cfg(target_os = "linux")]
#[test]
fn a_million_devices_fit_into_little_memory() {
    let cli = Cli::with_cas();
    let good = list(1_000_000);
    cli.write("list.csv", &good);
    // The last row repeats the first in other letters, and one before it is no id.
    cli.write("bad.csv", format!("{good}no:id,x\nGW-0000000,x\n"));
    drop(good);
    let line = "device issue --ca line --ca-password-file pw";
    let checked = watch(&cli, &format!("{line} --from bad.csv --out out"), &|_| false);
    let said = checked.said;
    assert_eq!(checked.code, Some(2), "{said}");
    assert!(said.contains("(bad.csv line 1000002) contains ':'"), "{said}");
    assert!(said.contains("differs from \"gw-0000000\" in line 2 only in case"), "{said}");
    assert!(said.contains("2 of 1000002 devices cannot be issued; nothing was made"), "{said}");
    assert!((1..MOST_MEMORY).contains(&checked.memory), "{} KiB to check", checked.memory);
    assert!(cli.names("out").is_empty(), "keys were made");
    // Far enough for all buffers to be full.
    let enough = |said: &str| said.matches("progress").count() >= 8;
    for out in ["--out out", "--output tar --out d.tar"] {
        let run = watch(&cli, &format!("{line} --from list.csv {out}"), &enough);
        assert_eq!(run.code, Some(3), "{}", run.said);
        assert!((1..MOST_MEMORY).contains(&run.memory), "{} KiB for {out}", run.memory);
        eprintln!("{} KiB for {out}", run.memory);
    }
}

#[test]
fn certificates_stay_readable_in_keystores_when_asked() {
    let (Some(openssl), Some(keytool)) = (tool("openssl"), tool("keytool")) else { return };
    let cli = Cli::with_cas();
    let line = "device issue a b --ca line --out out --bundle p12 --iterations 1000 \
                --plain-certificates --store-password-file pw";
    cli.ok(&format!("{line} {CA_PW}"));
    let pass = format!("pass:{PASSWORD}");
    for id in ["a", "b"] {
        let store = cli.arg(&format!("out/{id}/keystore.p12"));
        let shown = openssl.run(&["pkcs12", "-in", &store, "-passin", &pass, "-info", "-noenc"]);
        assert!(shown.contains("PKCS7 Data\nCertificate bag"), "{shown}");
        assert!(!shown.contains("PKCS7 Encrypted data"), "{shown}");
        assert_eq!(shown.matches("BEGIN CERTIFICATE").count(), 3);
        let listed = keytool.run(&["-list", "-keystore", &store, "-storepass", PASSWORD]);
        assert!(listed.contains("PrivateKeyEntry"), "{listed}");
    }
}

#[test]
fn keys_made_ahead_of_time_are_taken_once() {
    let cli = Cli::with_cas();
    let pool_pw = "--pool-password-file pw";
    let filled =
        cli.run(&format!("key pool fill --type rsa-2048 --count 12 {pool_pw} --json")).expect(0);
    assert_eq!(filled.json()["waiting"], 12);
    let fill = cli.ok(&format!("key pool fill --type rsa-2048 --count 10 {pool_pw}"));
    assert_eq!(fill, "0 keys of type rsa-2048 made; 12 in the pool\n");
    let waiting = cli.names("pki/key-pool/rsa-2048");
    let pem = cli.text(&format!("pki/key-pool/rsa-2048/{}", waiting[0]));
    assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    if let Some(openssl) = tool("openssl") {
        let path = cli.arg(&format!("pki/key-pool/rsa-2048/{}", waiting[0]));
        let checked =
            openssl.run(&["rsa", "-in", &path, "-passin", &format!("pass:{PASSWORD}"), "-check"]);
        assert!(checked.contains("RSA key ok"), "{checked}");
    }
    let issue = "device issue --ca line --out out --key-type rsa-2048 --key-pool";
    cli.ok(&format!("{issue} a b c {pool_pw} {CA_PW}"));
    assert_eq!(cli.run("key pool show --json").expect(0).json()["waiting"], 9);
    let ids: String = (0..10).map(|n| format!(" x{n}")).collect();
    let said = cli.fails(2, &format!("{issue}{ids} {pool_pw} {CA_PW}"));
    assert!(said.contains("10 keys of type rsa-2048 are needed, and the key pool has 9"), "{said}");
    assert!(said.contains("hint: make them first: `c8y-pki key pool fill"), "{said}");
    cli.write("other", "not the password\n");
    let said = cli.fails(2, &format!("{issue} d --pool-password-file other {CA_PW}"));
    assert!(said.contains("does not open the private key"), "{said}");
    let certificates: Vec<Certificate> = ["a", "b", "c"]
        .iter()
        .map(|id| cli.read(&format!("out/{id}/cert.pem")))
        .map(|pem| Certificate::all_from_pem_or_der(&pem).unwrap().remove(0))
        .collect();
    assert!(certificates[0].spki != certificates[1].spki);
    assert!(certificates[1].spki != certificates[2].spki);
    cli.ok("registry check");
}
