//! What commands take that go through a large registry, in a file and in PostgreSQL: seconds, and the most memory.
//!
//! `cargo bench -p c8y-pki-tests --bench large -- [ROWS]`: 100,000 devices by default. The real program runs each command in
//! a process of its own; `registry migrate` takes the file into the database. The cluster is the benchmark's own, with
//! PostgreSQL's usual durability. Nothing is asserted but that each command ends well: the figures go to
//! docs/performance.md with machine and date.

#![allow(clippy::disallowed_macros, reason = "a benchmark prints its figures")]

mod made;

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use c8y_pki_core::crypto::KeyType;
use c8y_pki_engine::provision::{Out, Stream};
use c8y_pki_tests::cli::Cli;
use c8y_pki_tests::postgres::Cluster;

const COMMANDS: [&str; 3] =
    ["registry check", "device list --expiring 30d", "ca crl line --ca-password-file pw"];

fn main() {
    let rows = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(100_000);
    let cli = Cli::new();
    let nowhere = Stream::new(std::io::sink());
    made::issue(&cli.path(""), KeyType::EcP256, ("device-", rows), Out::Stream(&nowhere));
    cli.write("pw", made::PASSWORD);
    println!("{rows} devices");
    COMMANDS.iter().for_each(|line| run(&cli, "file", line));
    let Some(mut cluster) = Cluster::start() else { return };
    cluster.kill();
    cluster.run(&["fsync=on", "max_wal_size=16GB", "checkpoint_timeout=1h"]);
    let address = cluster.address(&cluster.database());
    run(&cli, "file to PostgreSQL", &format!("registry migrate --to {address}"));
    COMMANDS.iter().for_each(|line| run(&cli, "PostgreSQL", line));
}

/// Runs a command; the memory is looked at again and again, as the system forgets it with the process.
fn run(cli: &Cli, engine: &str, line: &str) {
    let begun = Instant::now();
    let mut command = cli.command(line);
    let mut child = command.stdout(Stdio::null()).spawn().expect("it starts");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = String::new();
    let ended = loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        if let Some(line) = text.lines().find_map(|line| line.strip_prefix("VmHWM:")) {
            peak = line.trim().to_owned();
        }
        if let Some(ended) = child.try_wait().expect("a child") {
            break ended;
        }
        thread::sleep(Duration::from_millis(5));
    };
    assert!(ended.success(), "{line}");
    let name: String = line.split(" --").next().unwrap_or_default().to_owned();
    println!("{engine}: {name}: {:.1} s, {peak}", begun.elapsed().as_secs_f64());
}
