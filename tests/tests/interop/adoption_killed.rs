//! Taking over a CA with its history is killed at calls to the file system: all of it is there or nothing, and
//! the same line finishes the job.

use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::faults::{Fault, Faults};
use time::OffsetDateTime;

/// So many calls are tried, spread over all of them.
const SOME: usize = 14;

/// A CA that lived elsewhere, as files: its certificate, its key, its devices and a database of them, in which
/// `b` is revoked and `lost` has no file.
fn elsewhere(cli: &Cli) {
    let other = Cli::with_cas();
    other.ok(&format!("device issue a b --ca line --out out {CA_PW}"));
    cli.write("old/chain.pem", other.read("pki/ca/line/chain.pem"));
    cli.write("old/key.pem", other.read("pki/ca/line/key.pem"));
    let mut database = String::new();
    for row in other.run("device list --json").expect(0).json_lines() {
        let (id, serial) =
            (row["id"].as_str().expect("an id"), row["serial"].as_str().expect("hex"));
        let end = row["not_after"].as_str().expect("a time");
        let digits: String = end.chars().filter(char::is_ascii_digit).take(14).collect();
        let (status, at) = if id == "b" { ("R", "260101000000Z,superseded") } else { ("V", "") };
        database.push_str(&format!("{status}\t{digits}Z\t{at}\t{serial}\tunknown\t/CN={id}\n"));
        cli.write(&format!("old/certs/{id}.pem"), other.read(&format!("out/{id}/cert.pem")));
    }
    database.push_str("R\t20360101000000Z\t260101000000Z\t1000\tunknown\t/CN=lost\n");
    cli.write("old/database.txt", database);
    cli.write("old/crlnumber", "08\n");
}

fn line(pki: &str) -> String {
    format!(
        "ca add line --pki {pki} --import old/chain.pem --key old/key.pem --key-password-file pw {CA_PW} \
         --openssl-db old/database.txt --certs old/certs"
    )
}

/// Holds a directory to be whole.
fn is_whole(cli: &Cli, pki: &str, at: usize) {
    let rows =
        cli.run(&format!("device list --status any --json --pki {pki}")).expect(0).json_lines();
    let mut found: Vec<(&str, &str)> = rows
        .iter()
        .map(|row| (row["id"].as_str().expect("an id"), row["status"].as_str().expect("a status")))
        .collect();
    found.sort_unstable();
    assert_eq!(found, [("a", "live"), ("b", "revoked")], "call {at}");
    let list = cli.run(&format!("ca crl line --pki {pki} {CA_PW} --json")).expect(0).json();
    assert_eq!(list["revoked"], 2, "call {at}: {list}");
    let number: u32 = list["number"].as_str().expect("a number").parse().expect("digits");
    assert!(number >= 8, "call {at}: {list}");
}

#[test]
fn a_killed_import_leaves_all_or_nothing() {
    let cli = Cli::new();
    elsewhere(&cli);
    let Some(faults) = Faults::new() else { return };
    let begun = OffsetDateTime::now_utc();
    let calls = faults.count(&cli, &line("whole"));
    is_whole(&cli, "whole", 0);
    let step = calls.div_ceil(SOME).max(1);
    // The last calls are those at which the directory gets its place.
    let tried: Vec<usize> =
        (1..=calls).step_by(step).chain(calls.saturating_sub(6)..=calls).collect();
    for at in tried {
        let pki = format!("p{at}");
        if let Some(ended) = faults.run(&cli, &line(&pki), Fault::Killed, at) {
            ended.expect(0);
        }
        let list = cli.run(&format!("ca list --json --pki {pki}"));
        if list.code == 0 && !list.stdout.is_empty() {
            is_whole(&cli, &pki, at);
        }
        cli.ok(&line(&pki));
        is_whole(&cli, &pki, at);
        cli.ok(&format!("registry check --pki {pki}"));
    }
    assert!(calls > 20, "only {calls} calls since {begun}");
}
