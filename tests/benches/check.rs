//! `registry check` of a registry made for it, against bare verifications of the same signatures on all
//! cores in the same run.
//!
//! `cargo bench -p c8y-pki-tests --bench check -- [ROWS] [KEY] [revoked]`: 100,000 rows under a CA with a
//! key of type ec-p256 by default; with `revoked` each of them is revoked, so that the audit log names all.
//! The check runs in a process of its own, so that its peak memory is its own. Nothing is asserted: the
//! figures go to docs/performance.md with machine and date. The registry is in the system's directory for
//! temporary files and goes away at the end (1 GB for a million rows).

#![allow(clippy::disallowed_macros, reason = "a benchmark prints its figures")]

mod made;

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use c8y_pki_core::cert::Certificate;
use c8y_pki_core::crl::Reason;
use c8y_pki_core::crypto::KeyType;
use c8y_pki_engine::provision::{Out, Stream};
use c8y_pki_engine::registry::{Filter, Record, Registry, Role, Scan};
use time::OffsetDateTime;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    if let [word, path] = arguments.as_slice()
        && word == "--check"
    {
        return check(Path::new(path), cores);
    }
    let rows: usize = arguments.iter().find_map(|arg| arg.parse().ok()).unwrap_or(100_000);
    let key = arguments.iter().find_map(|arg| arg.parse().ok()).unwrap_or(KeyType::EcP256);
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    let path = dir.path().join("pki").join("registry.sqlite");
    let nowhere = Stream::new(std::io::sink());
    made::issue(dir.path(), key, ("device-", rows), Out::Stream(&nowhere));
    if arguments.iter().any(|argument| argument == "revoked") {
        revoke(&path);
    }
    let bytes = fs::metadata(&path).map_or(0, |file| file.len());
    println!("{cores} cores, {rows} rows under {}, {} MB", key.name(), bytes / 1_000_000);
    // Before and after: neighbours come and go.
    let before = bare(&path, key, rows, cores);
    let program = std::env::current_exe().expect("the path of this program");
    let start = Instant::now();
    let output = Command::new(program).arg("--check").arg(&path).output().expect("it starts");
    let took = start.elapsed();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    let after = bare(&path, key, rows, cores);
    let rate = |took: Duration| rows as f64 / took.as_secs_f64();
    let bound = (before + after) / 2;
    println!(
        "check {:.2} s, {:.0} rows/s; bare verifications {:.2} s, {:.0}/s (before {:.0}, after {:.0}); \
         {:.0} %",
        took.as_secs_f64(),
        rate(took),
        bound.as_secs_f64(),
        rate(bound),
        rate(before),
        rate(after),
        100.0 * bound.as_secs_f64() / took.as_secs_f64()
    );
}

/// The check, in a process of its own.
fn check(path: &Path, cores: usize) {
    let registry = Registry::open(path, OffsetDateTime::now_utc()).expect("a registry");
    let start = Instant::now();
    let first = std::sync::Mutex::new(None);
    let progress = |done: u64, _| {
        if done > 0 {
            let mut first = first.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            first.get_or_insert_with(|| start.elapsed());
        }
    };
    let checked = registry.check_with(&Scan { threads: cores, progress: &progress });
    let checked = checked.expect("a check");
    assert_eq!(checked.findings, []);
    let first = first.into_inner().ok().flatten().unwrap_or_default().as_secs_f64();
    let peak = peak().unwrap_or_default();
    println!(
        "{} certificates, {} audit rows, first progress after {first:.2} s, peak {peak}",
        checked.certificates, checked.audit_rows
    );
}

/// The most memory that this process has had.
fn peak() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.trim_start_matches("VmHWM:").trim().to_owned())
}

/// Revokes all devices, some hundred at a time.
fn revoke(path: &Path) {
    let now = OffsetDateTime::now_utc();
    let mut registry = Registry::open(path, now).expect("a registry");
    let filter = Filter { role: Some(Role::Device), ..Filter::default() };
    let records = registry.find(&filter).expect("the devices");
    for chunk in records.chunks(500) {
        registry.revoke(chunk, Reason::CessationOfOperation, now, now).expect("a revocation");
    }
}

/// How long it takes on all cores to verify as many signatures, those of the first rows again and again.
fn bare(path: &Path, key: KeyType, count: usize, cores: usize) -> Duration {
    let registry = Registry::open(path, OffsetDateTime::now_utc()).expect("a registry");
    let first: Vec<Record> =
        registry.find(&Filter::default()).expect("rows").drain(..).take(1000).collect();
    let certificates: Vec<Certificate> =
        first.iter().map(|record| record.certificate().expect("a certificate")).collect();
    drop(first);
    let algorithm: &'static dyn VerificationAlgorithm = match key {
        KeyType::EcP256 => &signature::ECDSA_P256_SHA256_ASN1,
        KeyType::EcP384 => &signature::ECDSA_P384_SHA384_ASN1,
        _ => &signature::RSA_PKCS1_2048_8192_SHA256,
    };
    let ca = certificates[0].public_key.as_ref().expect("the CA's key");
    let ca = ParsedPublicKey::new(algorithm, ca.bits()).expect("the CA's key");
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    // As many at a time as a worker of the check takes.
                    let from = next.fetch_add(256, Ordering::Relaxed);
                    if from >= count {
                        break;
                    }
                    for index in from..count.min(from + 256) {
                        let one = &certificates[index % certificates.len()];
                        black_box(ca.verify_sig(one.tbs(), &one.signature)).expect("its signature");
                    }
                }
            });
        }
    });
    start.elapsed()
}
