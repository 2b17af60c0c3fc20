//! Stations that record devices in one PostgreSQL database, beside SQLite and beside a bare `COPY` of the same rows into
//! a table with the same indexes, all in one run and all durable.
//!
//! `cargo bench -p c8y-pki-tests --bench stations -- [ROWS]`: 100,000 rows by default, 1,024 in a transaction. The cluster
//! is the benchmark's own, in the system's directory for temporary files, with PostgreSQL's usual durability. The rows are
//! made before: what is measured is the registry. Nothing is asserted: the figures go to docs/performance.md with machine
//! and date.

#![allow(clippy::disallowed_macros, reason = "a benchmark prints its figures")]

mod made;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use c8y_pki_core::cert::{Certificate, Encoded};
use c8y_pki_core::crypto::KeyType;
use c8y_pki_engine::provision::{Out, Stream};
use c8y_pki_engine::registry::{Address, Filter, NewRecord, Record, Registry, Role};
use c8y_pki_tests::postgres::Cluster;
use time::OffsetDateTime;

/// Rows in a transaction.
const CHUNK: usize = 1024;

/// How many rows at the beginning and at the end of a run are timed alone.
const EDGE: usize = 20 * CHUNK;

fn main() {
    let rows = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(100_000);
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    let nowhere = Stream::new(std::io::sink());
    made::issue(dir.path(), KeyType::EcP256, ("device-", rows), Out::Stream(&nowhere));
    let records = made_records(&dir.path().join("pki/registry.sqlite"));
    let Some(mut cluster) = Cluster::start() else { return };
    cluster.kill();
    // As PostgreSQL is installed, but for checkpoints, which would come in one measurement and not in the other.
    cluster.run(&["fsync=on", "max_wal_size=16GB", "checkpoint_timeout=1h"]);
    println!("{rows} rows, {CHUNK} in a transaction");
    let file = dir.path().join("one.sqlite");
    let open = || Registry::open(&file, OffsetDateTime::now_utc()).expect("a registry");
    report("SQLite, 1 process", &record(&records, 1, &open), None);
    let mut bound = None;
    for stations in [1, 2, 4] {
        let database = cluster.database();
        let address = Address::parse(&cluster.address(&database)).expect("an address");
        let open = || Registry::open_or_create_server(&address).expect("a registry");
        drop(open());
        let took = record(&records, stations, &open);
        if stations == 1 {
            let sql = "SELECT pg_total_relation_size('c8y_pki.certificate_row')";
            let bytes = cluster.psql(&database, sql).and_then(|text| text.parse::<usize>().ok());
            println!("{} bytes a row, with its indexes", bytes.unwrap_or_default() / rows.max(1));
        }
        let copied = *bound.get_or_insert_with(|| copy(&cluster, &database, rows));
        report(&format!("PostgreSQL, {stations} station(s)"), &took, Some(copied));
    }
    let bound = bound.unwrap_or_default();
    println!("bare COPY, 1 writer: {:.0} rows/s", rate(rows, bound));
}

/// The devices of a registry, to be recorded in another.
fn made_records(path: &Path) -> Vec<NewRecord> {
    let registry = Registry::open(path, OffsetDateTime::now_utc()).expect("a registry");
    let filter = Filter { role: Some(Role::Device), ..Filter::default() };
    let new = |record: Record| {
        let certificate: Certificate = record.certificate().expect("a certificate");
        NewRecord {
            ca: record.ca,
            holder: record.holder,
            certificate: Encoded::from(&certificate),
            details: record.details,
            location: record.location,
            has_key: record.has_key,
            bundle: record.bundle,
            replaces: None,
            key_from_outside: false,
        }
    };
    registry.find(&filter).expect("the devices").into_iter().map(new).collect()
}

/// How long it took, and how long its first and its last rows.
struct Took {
    rows: usize,
    all: Duration,
    first: Duration,
    last: Duration,
}

/// Records all rows: each station takes the next chunk that no other has.
fn record(records: &[NewRecord], stations: usize, open: &(dyn Fn() -> Registry + Sync)) -> Took {
    let chunks: Vec<&[NewRecord]> = records.chunks(CHUNK).collect();
    let (next, ends) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(chunks.len())));
    let start = Instant::now();
    thread::scope(|scope| {
        for station in 0..stations {
            let (chunks, next, ends) = (&chunks, &next, &ends);
            scope.spawn(move || {
                let mut registry = open();
                while let Some(chunk) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let now = OffsetDateTime::now_utc();
                    registry.record(&format!("station-{station}"), now, chunk).expect("a chunk");
                    ends.lock().expect("nobody panics with it").push(start.elapsed());
                }
            });
        }
    });
    let ends = ends.into_inner().expect("nobody panics with it");
    let edge = (EDGE / CHUNK).min(ends.len()) - 1;
    Took {
        rows: records.len(),
        all: ends[ends.len() - 1],
        first: ends[edge] - ends[0],
        last: ends[ends.len() - 1] - ends[ends.len() - 1 - edge],
    }
}

/// How long a bare `COPY` of the same rows takes, chunk by chunk, each durable before the next.
fn copy(cluster: &Cluster, database: &str, rows: usize) -> Duration {
    let place = cluster.socket_dir().display();
    let chunks = rows.div_ceil(CHUNK);
    let range = |n: usize| format!("id > {} AND id <= {}", n * CHUNK, (n + 1) * CHUNK);
    for n in 0..chunks {
        let written = format!(
            "COPY (SELECT * FROM c8y_pki.certificate_row WHERE {}) TO '{place}/copy-{n}' (FORMAT binary)",
            range(n)
        );
        cluster.psql(database, &written).expect("a file");
    }
    let table = "CREATE TABLE bound (LIKE c8y_pki.certificate_row INCLUDING ALL)";
    cluster.psql(database, table).expect("a table");
    let read = |n| format!("BEGIN; COPY bound FROM '{place}/copy-{n}' (FORMAT binary); COMMIT;");
    let start = Instant::now();
    // A command line holds 128 KiB.
    for part in (0..chunks).collect::<Vec<_>>().chunks(500) {
        let all: String = part.iter().map(|n| read(*n)).collect();
        cluster.psql(database, &all).expect("all rows");
    }
    let took = start.elapsed();
    let count = cluster.psql(database, "SELECT count(*) FROM bound").expect("a number");
    assert_eq!(count, rows.to_string());
    took
}

fn rate(rows: usize, took: Duration) -> f64 {
    rows as f64 / took.as_secs_f64()
}

fn report(what: &str, took: &Took, bound: Option<Duration>) {
    let of = |bound: Duration| {
        format!(", {:.2} of bare COPY", bound.as_secs_f64() / took.all.as_secs_f64())
    };
    println!(
        "{what}: {:.0} rows/s{}; the first {EDGE} in {:.2} s, the last in {:.2} s",
        rate(took.rows, took.all),
        bound.map_or_else(String::new, of),
        took.first.as_secs_f64(),
        took.last.as_secs_f64(),
    );
}
