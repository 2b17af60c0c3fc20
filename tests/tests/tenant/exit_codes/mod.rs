//! One exit code for each failure, whichever command meets it. The table of commands is held to `c8y-pki
//! reference`, so that a new command has to say what it meets.

mod commands;
mod servers;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use c8y_pki_tests::broker::server_certificate;
use c8y_pki_tests::cli::{CA_PW, Cli, PASSWORD};
use c8y_pki_tests::disk::Disk;
use c8y_pki_tests::hsm::{Hsm, PIN};
use c8y_pki_tests::outputs::LOCAL;
use commands::{CALLS, Call, Meets, OTHERS};
use servers::{Failure, MQTT, NETWORK, REST, SILENT, TRUST, UNTRUSTED};

/// Where a command makes something else of a failure, and why.
const APART: &[(&str, &str, i32)] = &[
    // It is asked for what is not there: there is nothing to do.
    ("404", "registration withdraw", 0),
    // What is refused is the device's certificate, as with CONNACK 5, and no login.
    ("401", "device token", 1),
    // They read directories.
    ("a directory", "device import", 0),
    ("a directory", "registry repair", 0),
];

/// Commands run at the same time.
const TOGETHER: usize = 6;

fn cli() -> Option<Cli> {
    let cli = Cli::with_cas();
    server_certificate(&cli)?;
    cli.ok(&format!("device issue gw-1 gw-2 --ca line --out out {CA_PW}"));
    cli.ok("device revoke gw-2 --yes");
    cli.ok("registration create --out reg.csv --type t --name n");
    cli.write("otp", "Abcdefghij-1234567890\n");
    cli.write("code", "ABCDEFGH\n");
    cli.write("signed.txt", "MEUCIQ==\n");
    let tenant = "\n[tenant]\ncas = [\"line-7\"]\n";
    cli.write("demo/rollout.toml", cli.ok("profile show rollout.toml") + tenant);
    cli.write("demo/devices.csv", "id,name\ngw-1,x\n");
    cli.write("bad.csv", "id\na/b\n");
    cli.ok("key new --type ec-p256 --plain --out plain.key");
    cli.ok(&format!("--pki plant ca request line-7 --subject CN=Line-7 --out ca.csr {CA_PW}"));
    cli.ok(&format!("ca sign-request ca.csr --ca root --yes --out ca.pem {CA_PW}"));
    Some(cli)
}

/// Runs calls side by side, and holds each to the code of a failure.
fn hold(
    wrong: &Mutex<Vec<String>>,
    failure: &str,
    code: i32,
    calls: &[(Call, String)],
    run: impl Fn(&str) -> (i32, String) + Sync,
) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..TOGETHER {
            scope.spawn(|| {
                while let Some(((command, ..), line)) =
                    calls.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let apart =
                        APART.iter().find(|(name, of, _)| (*name, of) == (failure, command));
                    let wanted = apart.map_or(code, |(_, _, code)| *code);
                    let (found, said) = run(line);
                    if found != wanted {
                        let said = said.lines().next().unwrap_or_default();
                        wrong.lock().unwrap().push(format!(
                            "{failure}: {found} in place of {wanted}: {line}: {said}"
                        ));
                    }
                }
            });
        }
    });
}

/// The calls that meet something, with their lines made by a function.
fn calls(meets: Meets, line: impl Fn(&str) -> String) -> Vec<(Call, String)> {
    let of = CALLS.iter().filter(|call| call.2 == meets);
    of.map(|call| (*call, format!("{} {}", call.0, line(call.1)))).collect()
}

fn none_wrong(wrong: Mutex<Vec<String>>) {
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_says_what_it_meets() {
    let reference = Cli::new().ok("reference");
    let heads: Vec<&str> =
        reference.lines().filter_map(|line| line.strip_prefix("## c8y-pki ")).collect();
    let is_group = |head: &str| heads.iter().any(|other| other.starts_with(&format!("{head} ")));
    // It does something by itself too.
    let is_command = |head: &&str| !is_group(head) || *head == "serve";
    let known: BTreeSet<&str> = heads.iter().copied().filter(is_command).collect();
    let named = CALLS.iter().map(|call| call.0).chain(OTHERS.iter().copied());
    assert_eq!(named.collect::<BTreeSet<_>>(), known);
}

/// What a call meets at a server.
fn at_servers(meets: Meets, failures: &[&[Failure]]) {
    let Some(cli) = cli() else { return };
    let wrong = Mutex::default();
    for (failure, code, host, start) in failures.iter().copied().flatten() {
        let port = start(&cli).to_string();
        let trusted = if *failure == UNTRUSTED { "pki/ca/root/cert.pem" } else { "server-ca.pem" };
        let line = |with: &str| {
            with.replace(
                "{rest}",
                "--host {host}:{port} --retries 0 --timeout {timeout} --cacert {trusted}",
            )
            .replace(
                "{https}",
                "--host {host} --https-port {port} --truststore {trusted} --timeout {timeout}",
            )
            .replace(
                "{device}",
                "--host {host} --port {port} --truststore {trusted} --timeout {timeout}",
            )
            .replace("{host}", host)
            .replace("{port}", &port)
            .replace("{trusted}", trusted)
            .replace("{timeout}", if *failure == SILENT { "2" } else { "30" })
        };
        let variables = [("C8Y_USER", "admin"), ("C8Y_PASSWORD", PASSWORD)];
        let run = |line: &str| {
            let ended = cli.run_with(line, &variables, b"");
            (ended.code, ended.stderr)
        };
        hold(&wrong, failure, *code, &calls(meets, line), run);
    }
    none_wrong(wrong);
}

#[test]
fn a_failure_over_https_has_one_code() {
    at_servers(Meets::Rest, &[NETWORK, TRUST, REST]);
}

#[test]
fn a_failure_over_mqtt_has_one_code() {
    at_servers(Meets::Mqtt, &[NETWORK, TRUST, MQTT]);
}

#[test]
fn a_failure_of_tls_has_one_code() {
    at_servers(Meets::Tls, &[NETWORK]);
}

#[test]
fn a_failure_of_files_has_one_code() {
    let Some(cli) = cli() else { return };
    let wrong = Mutex::default();
    let run = |line: &str| {
        let ended = cli.run(line);
        (ended.code, ended.stderr)
    };
    // Each is named: a command line that is wrong ends with 2 as well.
    let naming = |file: &'static str| {
        let cli = &cli;
        move |line: &str| {
            let ended = cli.run(line);
            let said = ended.stderr + &ended.stdout;
            (if ended.code == 2 && !said.contains(file) { -1 } else { ended.code }, said)
        }
    };
    let nowhere = calls(Meets::Pki, |with| format!("{with} --pki nowhere"));
    hold(&wrong, "no PKI directory", 2, &nowhere, naming("nowhere"));
    for (failure, file) in [("a file that is missing", "missing"), ("a directory", "out")] {
        let lines = calls(Meets::File, |with| with.replace("{in}", file));
        hold(&wrong, failure, 2, &lines, naming(file));
    }
    // A CA is made before its protocol is written, so each place has a number of its own.
    let outputs = |place: &str| -> Vec<(Call, String)> {
        let number = (70 + place.len()).to_string();
        let line = |line: &str| line.replace('@', place).replace('#', &number);
        LOCAL.iter().map(|o| ((o.option, o.line, Meets::File), line(o.line))).collect()
    };
    hold(&wrong, "an output in a directory that is missing", 2, &outputs("no/such/place"), run);
    hold(&wrong, "a full device", 3, &outputs("/dev/full"), run);
    if let Some(disk) = Disk::new(&cli, "1m") {
        disk.remount("ro");
        hold(&wrong, "a read-only disk", 3, &outputs("disk/new"), run);
    }
    none_wrong(wrong);
}

#[test]
fn a_failure_of_a_token_has_one_code() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = hsm.with_root("ec-p256");
    cli.write("code", "ABCDEFGH\n");
    let wrong = Mutex::default();
    let all = calls(Meets::Token, str::to_owned);
    let hold = |failure: &str, code: i32, pin: &str, module: &str| {
        let mut variables = hsm.variables().to_vec();
        variables.extend([("C8Y_PKI_TOKEN_PIN", pin), ("C8Y_PKI_PKCS11_MODULE", module)]);
        // One by one: SoftHSM counts wrong PINs in a file.
        for call in &all {
            hold(&wrong, failure, code, std::slice::from_ref(call), |line| {
                let ended = cli.run_with(line, &variables, b"");
                (ended.code, ended.stderr)
            });
        }
    };
    hold("a wrong PIN", 2, "0000-0000", hsm.module());
    hsm.plug(false);
    hold("a token that is pulled out", 3, PIN.1, hsm.module());
    hsm.plug(true);
    let uri = cli.text("pki/ca/root/key.uri");
    cli.write("pki/ca/root/key.uri", uri.replace(hsm.module(), "/no/such/module.so"));
    hold("no module", 2, PIN.1, "/no/such/module.so");
    none_wrong(wrong);
}
