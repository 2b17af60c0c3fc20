//! What outputs do to what is there already, for every option that names one.

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use c8y_pki_tests::cli::{CA_PW, Cli, binary};
use c8y_pki_tests::outputs::{AT_TENANT, FILES, FOLDERS, Fifo, LOCAL, OWN, hold, hold_to_files};
use c8y_pki_tests::talking::Talking;
use c8y_pki_tests::{python_dir, python_with, tool};
use serde_json::Value;

/// Options and arguments that name what is read.
const READ: &[&str] = &[
    "CHAIN",
    "--against",
    "--one-time-passwords",
    "--template",
    "--pki",
    "--bundle",
    "--cacert",
    "--ca-password-file",
    "--bootstrap-password-file",
    "--cert",
    "--certificate",
    "--certs",
    "--crl",
    "--crlnumber",
    "--csr",
    "--entry-password-file",
    "--from",
    "--from-password-file",
    "--import",
    "--untrusted",
    "--key",
    "--key-password-file",
    "--mqtt-password-file",
    "--keystore",
    "--manifest",
    "--module",
    "--new-password-file",
    "--openssl-conf",
    "--openssl-db",
    "--other-ca",
    "--passwords",
    "--tls-cert",
    "--tls-key",
    "--otp-file",
    "--parent-password-file",
    "--password-file",
    "--pool-password-file",
    "--profile",
    "--server-cert",
    "--store-password-file",
    "--tenant-password-file",
    "--token-file",
    "--trust",
    "--trusted",
    "--truststore",
    "--uploaded",
    "--webhook-secret-file",
    "ca sign-request CSR|-",
    "registry restore FILE|DIR",
    "cert show FILES",
    "cert chain FILES",
    "cert verify CHAIN",
    "device check --out",
    "device connect --out",
    "device import FILE|DIR",
    "device refresh --secrets",
    "device token --out",
    "device sign CSR|DIR|-",
    "key passwd FILE",
    "key show FILE|URI",
    "order labels --secrets",
    "pop sign CODE",
    "pop submit SIGNED",
    "registration check FILE",
    "registration upload FILE",
    "rollout FILE",
    "server sign CSR|-",
    "store show FILE",
    "tenant trust add CERT",
];

/// Names of values that are no paths. A new one has to be sorted in here, or is a path.
const NO_PATHS: &[&str] = &[
    "ADDRESS",
    "ADDRESS|NAME",
    "ADDRESS:PORT",
    "BACKGROUND",
    "OID",
    "CA|NAME",
    "CC",
    "CHAR",
    "CN",
    "COLUMN=VALUE",
    "COMMAND",
    "DAYS",
    "COMPAT",
    "DN",
    "DOMAIN",
    "NAME|WxH",
    "TEXT",
    "WHEN",
    "EXISTING",
    "FORMAT",
    "HASH",
    "MAKER",
    "HEADER",
    "HOST",
    "ID",
    "ID|SERIAL",
    "IDS",
    "KINDS",
    "N",
    "NAME",
    "NAMES",
    "NUMBER",
    "NEW-NAME",
    "INTO",
    "OVER",
    "PORT",
    "REASON",
    "ROLE",
    "SECONDS",
    "SERVER",
    "SHELL",
    "SPAN",
    "SPEC",
    "STATUS",
    "TAKE",
    "TIME",
    "TOPIC",
    "TYPE",
    "URI",
    "URL",
    "WHAT",
];

/// Every option and argument with a path, from the command reference, which is made from the definitions.
pub(crate) fn paths_of_definitions() -> BTreeSet<String> {
    let reference = Cli::new().ok("reference");
    let mut found = BTreeSet::new();
    for section in reference.split("\n## c8y-pki").skip(1) {
        let (command, text) = section.split_once('\n').expect("a title");
        let command = command.trim();
        for line in text.lines() {
            // `  -o, --out <DIR|FILE>`, `      --out <FILE>`, `  [ID]...`; explanations stand further in.
            let line = line.strip_prefix("      ").or(line.strip_prefix("  ")).unwrap_or_default();
            let option = line.split([' ', '[', ',']).find(|word| word.starts_with("--"));
            let opening = match line.chars().next() {
                Some('-') => '<',
                Some(c @ ('<' | '[')) => c,
                _ => continue,
            };
            let Some((_, value)) = line.rsplit_once(opening) else { continue };
            let value = value.trim_end_matches(['.', '>', ']']);
            if !NO_PATHS.contains(&value) {
                found.insert(format!("{command} {}", option.unwrap_or(value)));
            }
        }
    }
    found
}

#[test]
fn every_output_is_in_the_table() {
    let defined = paths_of_definitions();
    assert!(defined.len() > 150, "the reference is not read: {defined:?}");
    let mut outputs: BTreeSet<&str> = OWN.iter().copied().collect();
    outputs.extend(LOCAL.iter().chain(AT_TENANT).map(|output| output.option));
    outputs.extend(FOLDERS.iter().chain(FILES).map(|(option, _)| *option));
    for option in &defined {
        let name = option.rsplit(' ').next().unwrap_or_default();
        let known = outputs.contains(option.as_str())
            || READ.contains(&option.as_str())
            || READ.contains(&name);
        assert!(
            known,
            "{option} names a path: is it written? Then it needs an entry in outputs.rs"
        );
    }
    for output in outputs {
        assert!(defined.contains(output), "{output} is no option any more");
    }
}

/// A directory with what the commands of the table need.
fn folder() -> Cli {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    cli.ok("key new --type ec-p256 --plain --out plain.key");
    cli.ok("store create some.p12 --trusted pki/ca/root/cert.pem --store-password-file pw");
    cli.write("bad.csv", "id\nno:such\n");
    cli.write("code", "0123456789");
    cli.write("reg.csv", cli.ok("registration create --type t --name n"));
    cli.ok(&format!("--pki plant ca request line-7 --subject CN=Line-7 --out ca.csr {CA_PW}"));
    cli.ok(&format!("ca sign-request ca.csr --ca root --yes --out ca.pem {CA_PW}"));
    cli
}

#[test]
fn outputs_go_where_they_are_sent() {
    let cli = folder();
    for output in LOCAL {
        hold(&cli, output, &|line| cli.run(line));
    }
}

#[test]
fn what_is_read_again_has_to_be_a_file() {
    let cli = folder();
    for (option, line) in FILES {
        hold_to_files(&cli, option, line, &|line| cli.run(line));
    }
    let before = cli.text("plain.key");
    let fifo = Fifo::new(&cli.path("in-place"));
    if let Some(fifo) = fifo {
        let said = cli.run("key passwd in-place --plain").expect(2);
        assert!(said.error().contains("what it holds is to be replaced"), "{said:?}");
        assert_eq!(fifo.finish(), "");
    }
    assert_eq!(cli.text("plain.key"), before);
    // A result file behind a link, and its lock, are those of the target.
    std::os::unix::fs::symlink("real.csv", cli.path("linked.csv")).unwrap();
    cli.write("real.csv", "something else\n");
    let said = cli.run("registration upload reg.csv --dry-run --result linked.csv").expect(2);
    assert!(said.error().contains("is not the result file of an upload"), "{said:?}");
}

#[test]
fn a_folder_is_not_standard_output() {
    let cli = folder();
    let before = cli.names(".");
    for (option, line) in FOLDERS {
        let said = cli.run(&line.replace('@', "-")).expect(2);
        assert!(said.error().contains("files go into a directory"), "{option}: {said:?}");
    }
    assert_eq!(cli.names("."), before);
}

/// What is written into a directory follows the links in it.
#[test]
fn links_in_folders_stay() {
    let cli = folder();
    fs::create_dir(cli.path("handover")).unwrap();
    std::os::unix::fs::symlink("../far.csv", cli.path("handover/manifest.csv")).unwrap();
    cli.ok("device manifest --out handover --ca-password-file pw");
    assert!(cli.path("handover/manifest.csv").is_symlink());
    assert!(cli.text("far.csv").contains("gw-1"));
    // The list in the PKI directory may be a link into a web server's directory.
    std::os::unix::fs::symlink("../../../public.crl", cli.path("pki/ca/line/crl.pem")).unwrap();
    cli.ok("ca crl line --ca-password-file pw");
    cli.ok("ca crl line --ca-password-file pw");
    assert!(cli.path("pki/ca/line/crl.pem").is_symlink());
    assert!(cli.text("public.crl").starts_with("-----BEGIN X509 CRL-----"));
}

#[test]
fn a_list_is_not_made_for_a_place_that_cannot_take_it() {
    let cli = folder();
    std::os::unix::fs::symlink("nowhere/x", cli.path("lost")).unwrap();
    std::os::unix::fs::symlink("circle", cli.path("circle")).unwrap();
    for (place, why) in [
        ("lost", "its directory does not exist"),
        ("circle", "its symbolic links lead in a circle"),
        ("out", "it is a directory, not a file"),
    ] {
        let said = cli.run(&format!("ca crl line --out {place} --ca-password-file pw")).expect(2);
        assert!(said.error().ends_with(why), "{said:?}");
    }
    let made = cli.run("ca crl line --json --ca-password-file pw").expect(0).json();
    assert_eq!(made["number"], "1", "a refused list has used a number");
}

#[test]
fn a_shell_can_take_outputs_apart() {
    let Some(bash) = tool("bash") else { return };
    let cli = folder();
    let shell = |script: &str| {
        let out = Command::new(bash.path())
            .args(["-c", script, binary().to_str().unwrap()])
            .current_dir(cli.path(""))
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(out.status.success(), "{script}: {out:?}");
        String::from_utf8(out.stdout).unwrap()
    };
    let crl = "\"$0\" ca crl line --ca-password-file pw";
    shell(&format!("{crl} --out >(cat > through.pem); wait $!"));
    assert!(cli.text("through.pem").starts_with("-----BEGIN X509 CRL-----"));
    // A file that is open is written on from where it stands, and neither cut nor replaced.
    shell(&format!("{{ echo before >&3; {crl} --out /dev/fd/3; echo after >&3; }} 3> open"));
    let open = cli.text("open");
    assert!(open.starts_with("before\n-----BEGIN X509 CRL-----\n"), "{open}");
    assert!(open.ends_with("-----END X509 CRL-----\nafter\n"), "{open}");
    shell(&format!("{{ echo before; {crl} --out /dev/stdout; }} >> appended"));
    assert!(cli.text("appended").starts_with("before\n-----BEGIN"));
    assert!(cli.text("appended").ends_with("-----END X509 CRL-----\n"));
    let json = shell(&format!("{crl} --out - --json 2> said > data; cat said"));
    let said: Value = serde_json::from_str(&json).unwrap();
    assert!(said["number"].is_string() && cli.text("data").starts_with("-----BEGIN"));
    // One that is not open.
    let none = cli.run("ca crl line --out /dev/fd/57 --ca-password-file pw").expect(2);
    assert!(none.error().contains("without that descriptor"), "{none:?}");
}

#[test]
fn secrets_are_not_shown_at_a_terminal() {
    let Some(python) = python_with("pty") else { return };
    let cli = folder();
    for line in [
        "key new --type ec-p256 --plain --out -",
        "key new --type ec-p256 --plain --out /dev/stdout",
        "key new --type ec-p256 --plain --out /dev/tty",
        "key passwd plain.key --plain --out -",
        "store create - --format p12 --trusted pki/ca/root/cert.pem --store-password-file pw",
        "device issue gw-t --ca line --output tar --out - --ca-password-file pw",
        "device issue gw-t --ca line --output tar --out /dev/tty --ca-password-file pw",
        "registration create --from devices.csv --type t --one-time-passwords --out -",
        "device token gw-1 --host localhost --port 1 --token-out -",
        "device bootstrap gw-1 --host localhost --port 1 --out -",
    ] {
        cli.write("devices.csv", "id\ngw-1\n");
        let output = Command::new(python.path())
            .arg(python_dir().join("terminal.py"))
            .arg(binary())
            .args(line.split(' '))
            .current_dir(cli.path(""))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = seen["seen"].as_str().unwrap();
        assert_eq!(seen["code"], 2, "{line}: {seen}");
        assert!(text.contains("terminal") && !text.contains("BEGIN"), "{line}: {text}");
    }
    let device = cli.run("device list --json").expect(0).json();
    assert_eq!(device["id"], "gw-1", "something was issued");
}

#[test]
fn the_sandbox_writes_its_variables_where_it_is_told() {
    let cli = Cli::new();
    let refused = cli.run("sandbox --ca-out -").expect(2);
    assert!(refused.error().contains("--ca-out"), "{refused:?}");
    std::os::unix::fs::symlink("real.env", cli.path("link.env")).unwrap();
    std::os::unix::fs::symlink("real.pem", cli.path("link.pem")).unwrap();
    let started = |more: &str, ready: &str| {
        let line = format!("sandbox --ca-out link.pem --env-file {more}");
        let mut running = Talking::start(&cli, &line, &[]);
        running.told(ready);
        running.interrupt();
        let (code, stdout, stderr) = running.finish();
        assert_eq!(code, 0, "{stderr}");
        (stdout, stderr)
    };
    started("link.env", "page ");
    assert!(cli.path("link.env").is_symlink() && cli.path("link.pem").is_symlink());
    assert!(cli.text("real.env").starts_with("export C8Y_HOST="));
    let (stdout, _) = started("-", "page ");
    assert!(stdout.starts_with("export C8Y_HOST="), "{stdout}");
    assert_eq!(stdout.matches("C8Y_HOST=").count(), 1, "{stdout}");
    let (stdout, _) = started("- --json", "\"mtls_url\"");
    assert!(stdout.starts_with("export C8Y_HOST="), "{stdout}");
    if let Some(fifo) = Fifo::new(&cli.path("fifo")) {
        started("fifo", "page ");
        assert!(fifo.finish().starts_with("export C8Y_HOST="));
    }
}

#[test]
fn the_ready_file_is_there_while_clients_can_connect() {
    let cli = Cli::new();
    // One that was killed has left its own.
    cli.write("ready", "4711\n");
    let mut running = Talking::start(&cli, "sandbox --ready-file ready --env-file e.env", &[]);
    running.told("Ready: clients can connect.");
    let number = cli.text("ready");
    assert!(number.trim_end().parse::<u32>().is_ok_and(|id| id != 4711), "{number}");
    let port: u16 = cli
        .text("e.env")
        .lines()
        .next()
        .and_then(|line| line.rsplit(':').next()?.parse().ok())
        .unwrap();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    // A second one cannot have the port: it ends, and says nothing of being ready.
    let refused =
        cli.run(&format!("sandbox --port {port} --ready-file other --ca-out other.pem")).expect(3);
    assert!(!refused.stderr.contains("Ready") && !cli.path("other").exists(), "{refused:?}");
    running.interrupt();
    let (code, _, stderr) = running.finish();
    assert_eq!(code, 0, "{stderr}");
    assert!(!cli.path("ready").exists());
    // What somebody else has written stays.
    cli.write("mine", "my notes\n");
    let refused = cli.run("sandbox --ready-file mine").expect(2);
    assert!(refused.error().contains("mine exists and is not a ready file"), "{refused:?}");
    assert_eq!(cli.text("mine"), "my notes\n");
}
