//! Two and eight processes with different commands on one PKI directory: each does its work or says why not, no
//! device is live twice, no list's number is given twice, and the registry is as it was written.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::csr;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::name::Name;
use c8y_pki_tests::cli::{CA_PW, Cli, Outcome};
use c8y_pki_tests::moment::Lot;
use c8y_pki_tests::rounds;

/// Commands of one process.
const STEPS: usize = 12;

/// A command drawn by lot. Ids are few, so that processes meet at the same devices.
fn draw(lot: &mut Lot, process: usize, step: usize) -> String {
    let id = format!("dev-{}", lot.below(12));
    let out = format!("--out out-{process}");
    match lot.below(9) {
        0 => format!("device issue {id} --ca line {out} {CA_PW}"),
        1 => format!("device issue own-{process}-{step} {id} --ca line {out} {CA_PW}"),
        2 => format!("device issue {id} --existing replace --ca line {out} {CA_PW}"),
        3 => format!("device renew {id} --ca line {out} {CA_PW}"),
        4 => format!("device revoke {id} --reason superseded"),
        5 => format!("ca crl line {CA_PW}"),
        6 => "device list --json".to_owned(),
        7 => format!("device sign same.csr --ca line --out signed-{process} {CA_PW}"),
        _ => "registry check".to_owned(),
    }
}

/// A command that had no device to work on, or lost a race, says so; none fails for the others' sake.
fn is_fair(outcome: &Outcome) -> bool {
    let may_refuse = outcome.line.starts_with("device") && !outcome.line.starts_with("device list");
    let says_why = outcome.stderr.contains("error: ")
        || outcome.stdout.contains("left: run the same command again");
    outcome.code == 0 || may_refuse && [1, 2].contains(&outcome.code) && says_why
}

fn side_by_side(processes: usize) {
    let cli = Cli::new();
    cli.ok(&format!("ca init --subject CN=Root --key-type ec-p256 {CA_PW}"));
    cli.ok(&format!("ca add line --parent root --subject CN=Line {CA_PW}"));
    // One key and one id, which each process may want to have signed.
    let key = PrivateKey::generate(KeyType::EcP256).expect("a key");
    let request = csr::make(&Name::parse("CN=same").expect("a name"), &key).expect("a request");
    cli.write("same.csr", csr::pem(&request));
    let mut lot = Lot::from_seed();
    let lines: Vec<Vec<String>> = (0..processes)
        .map(|process| (0..STEPS).map(|step| draw(&mut lot, process, step)).collect())
        .collect();
    let one_after_the_other =
        |lines: &[String]| -> Vec<Outcome> { lines.iter().map(|line| cli.run(line)).collect() };
    let outcomes: Vec<Outcome> = thread::scope(|scope| {
        let started: Vec<_> =
            lines.iter().map(|lines| scope.spawn(|| one_after_the_other(lines))).collect();
        started.into_iter().flat_map(|thread| thread.join().expect("it ends")).collect()
    });
    let unfair: Vec<&Outcome> = outcomes.iter().filter(|outcome| !is_fair(outcome)).collect();
    assert!(unfair.is_empty(), "{unfair:#?}");

    let numbers: Vec<&str> = outcomes
        .iter()
        .filter(|outcome| outcome.line.starts_with("ca crl"))
        .map(|outcome| outcome.stdout.as_str())
        .collect();
    let different: BTreeSet<&&str> = numbers.iter().collect();
    assert_eq!(different.len(), numbers.len(), "a list's number twice: {numbers:#?}");

    let rows = cli.run("device list --status any --json").expect(0).json_lines();
    let mut live: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows.iter().filter(|row| row["status"] == "live") {
        *live.entry(row["id"].as_str().expect("an id")).or_default() += 1;
    }
    assert!(live.values().all(|count| *count == 1), "live twice: {live:?}");
    // Every process's work counts: what it says it has issued is in the registry.
    for outcome in outcomes.iter().filter(|o| o.code == 0 && o.line.contains("own-")) {
        let id = outcome.line.split(' ').nth(2).expect("an id");
        assert!(rows.iter().any(|row| row["id"] == id), "{id} is lost");
    }
    cli.run("registry check").expect(0);
}

#[test]
fn two_processes_with_different_commands_do_not_disturb_each_other() {
    for _ in 0..rounds(2, 20) {
        side_by_side(2);
    }
}

#[test]
fn eight_processes_with_different_commands_do_not_disturb_each_other() {
    side_by_side(8);
}
