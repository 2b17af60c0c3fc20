//! Issuing devices, against bounds that are measured by bare loops in the same run on all cores:
//! arithmetic (key generation and one signature), output (the same directories and files with the same
//! bytes, made durable with one sync) and, where there are keystores, the key derivation of each.
//!
//! `cargo bench -p c8y-pki-tests --bench issue -- [DEVICES] [CASE…]`, where a case is `ec-p256/pem`,
//! `ec-p256/tar`, `ec-p256/pem,p12`, `rsa-2048/pem`, `rsa-4096/pem` or `rsa-2048/pem,p12`; all of them
//! by default. `keys` compares the makers of RSA keys (processor time, Linux), `curve` issues 1,000 to 1,000,000 devices (22 GB).
//! With `C8Y_PKI_PYTHON` (an interpreter that has `cryptography`) Python's script runs beside each case.
//!
//! Keystores that share a password derive their key once for a run, so that the derivation of each is
//! what others pay, and the ratio can be far above 100 %. Nothing is asserted: the figures go to
//! docs/performance.md with machine and date. Everything is written below the system's directory for
//! temporary files, in a new directory for each run, and kept, because file systems are slow for a while
//! after a mass delete.

#![allow(clippy::disallowed_macros, reason = "a benchmark prints its figures")]

use std::ffi::OsString;
use std::fs;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{self, EcdsaKeyPair};
use c8y_pki_core::crypto::{KeyPolicy, KeyType};
use c8y_pki_core::issue::BeyondIssuer;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::name::Name;
use c8y_pki_core::profile::Profile;
use c8y_pki_core::secret::{ChosenPassword, Password};
use c8y_pki_core::store::{DEFAULT_ITERATIONS, Pkcs12Options};
use c8y_pki_engine::list::{ListFile, ListOptions};
use c8y_pki_engine::pki::policy::SigningPolicy;
use c8y_pki_engine::pki::{CaSettings, Pki};
use c8y_pki_engine::provision::bundle::{Bundle, BundleSettings};
use c8y_pki_engine::provision::{self, Context, Existing, Job, Keep, Out, RevokedDevices};
use sha2::Digest;
use time::OffsetDateTime;

const PASSWORD: &str = "Secret-Pass-01";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let devices: usize = arguments.iter().find_map(|arg| arg.parse().ok()).unwrap_or(10_000);
    let wanted: Vec<&String> = arguments.iter().filter(|arg| arg.contains('/')).collect();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    println!("{cores} cores, {DEFAULT_ITERATIONS} iterations for PKCS#12, load {}", load());
    println!(
        "{:<10} {:<8} {:>8} {:>10} {:>10} {:>10} {:>10} {:>12} {:>7}",
        "key", "bundle", "devices", "keys s", "output s", "kdf s", "took s", "devices/s", "ratio"
    );
    if wanted_word(&arguments, "keys") {
        return keys();
    }
    if wanted_word(&arguments, "curve") {
        return curve(cores);
    }
    // One signature of the CA, a P-256 key in all cases, is part of the arithmetic.
    for (key, bundle, tar, count) in [
        (KeyType::EcP256, &[Bundle::Pem][..], false, devices),
        (KeyType::EcP256, &[Bundle::Pem], true, devices),
        (KeyType::EcP256, &[Bundle::Pem, Bundle::P12], false, devices / 10),
        (KeyType::Rsa2048, &[Bundle::Pem], false, devices / 50),
        (KeyType::Rsa4096, &[Bundle::Pem], false, devices / 200),
        (KeyType::Rsa2048, &[Bundle::Pem, Bundle::P12], false, devices / 50),
    ] {
        let case = format!("{}/{}", key.name(), bundle_name(bundle, tar));
        if wanted.is_empty() || wanted.iter().any(|name| **name == case) {
            measure(key, bundle, tar, count.max(20), cores);
            python(key, bundle, count.max(20), cores);
        }
    }
}

fn wanted_word(arguments: &[String], word: &str) -> bool {
    arguments.iter().any(|argument| argument == word)
}

/// The same with PyPI `cryptography`, one process per core, as a script does it today.
fn python(key: KeyType, kinds: &[Bundle], count: usize, cores: usize) {
    let Some(python) = std::env::var_os("C8Y_PKI_PYTHON") else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/python_cryptography.py");
    let dir = tempfile::tempdir().expect("a directory for temporary files").keep();
    let key = match key {
        KeyType::Rsa2048 => "rsa2048",
        KeyType::Rsa4096 => "rsa4096",
        _ => "ec",
    };
    rustix::fs::sync();
    let iterations = DEFAULT_ITERATIONS.to_string();
    let p12 = if kinds.contains(&Bundle::P12) { iterations.as_str() } else { "none" };
    let output = Command::new(python)
        .arg(script)
        .args([key, &count.to_string()])
        .arg(dir.join("out"))
        .args(["--p12", p12, "--key", "plain", "--procs", &cores.to_string()])
        .output()
        .expect("python starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let rate = said.split("wall=").nth(1).and_then(|rest| rest.split(')').next());
    println!("{:<10} {}", "", rate.map_or(said.as_str(), |rate| rate).replace('(', ""));
}

/// Mean processor time of making an RSA key: ours, the backend's and, with `C8Y_PKI_PYTHON`, that of the OpenSSL
/// inside of `cryptography`.
fn keys() {
    let mut openssl = std::env::var_os("C8Y_PKI_PYTHON").map(PythonKeys::start);
    for (ours, backend, bits, count) in [
        (KeyType::Rsa2048, KeySize::Rsa2048, 2048, 320),
        (KeyType::Rsa3072, KeySize::Rsa3072, 3072, 100),
        (KeyType::Rsa4096, KeySize::Rsa4096, 4096, 64),
    ] {
        // Turn by turn, so that all see the same neighbours.
        let mut makers = [("openssl", vec![]), ("ours", vec![]), ("aws-lc-rs", vec![])];
        for _ in 0..count {
            makers[0].1.extend(openssl.as_mut().map(|python| python.key(bits)));
            makers[1].1.push(processor_time(|| {
                black_box(PrivateKey::generate(ours).expect("a key"));
            }));
            makers[2].1.push(processor_time(|| {
                black_box(rsa::KeyPair::generate(backend).expect("a key"));
            }));
        }
        for (name, times) in makers.iter().filter(|(_, times)| !times.is_empty()) {
            let n = times.len() as f64;
            let mean = times.iter().sum::<f64>() / n;
            let spread = times.iter().map(|t| (t - mean).powi(2)).sum::<f64>() / (n - 1.0);
            let error = (spread / n).sqrt();
            println!(
                "{:<10} {name:<10} {count:>5} keys {mean:>8.1} ms (± {error:.1})",
                ours.name()
            );
        }
    }
}

/// How long this thread was on a processor during a call, in milliseconds.
fn processor_time(work: impl FnOnce()) -> f64 {
    let now = || {
        let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells");
        let nanoseconds = text.split(' ').next().and_then(|first| first.parse::<f64>().ok());
        nanoseconds.expect("a number") / 1e6
    };
    let start = now();
    work();
    now() - start
}

/// A process of Python's that makes a key for each line that it gets, and says how long that took.
struct PythonKeys {
    process: Child,
    answers: BufReader<ChildStdout>,
}

impl PythonKeys {
    const SCRIPT: &str = "\
import sys, time
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.backends.openssl import backend
print(backend.openssl_version_text(), file=sys.stderr)
for line in sys.stdin:
    start = time.thread_time()
    rsa.generate_private_key(65537, int(line))
    print((time.thread_time() - start) * 1e3, flush=True)
";

    fn start(python: OsString) -> Self {
        let mut command = Command::new(python);
        command.args(["-c", Self::SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("python starts");
        let answers = BufReader::new(process.stdout.take().expect("it is piped"));
        Self { process, answers }
    }

    /// How long a key took, in milliseconds.
    fn key(&mut self, bits: u32) -> f64 {
        writeln!(self.process.stdin.as_mut().expect("it is piped"), "{bits}").expect("it reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("it answers");
        answer.trim().parse().expect("a number")
    }
}

impl Drop for PythonKeys {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// The cost of a device, from a thousand to a million.
fn curve(cores: usize) {
    for (kind, tar) in [("pem", false), ("tar", true)] {
        for count in [1_000, 10_000, 100_000, 1_000_000] {
            let dir = tempfile::tempdir().expect("a directory for temporary files").keep();
            let how: (&[Bundle], bool) = (&[Bundle::Pem], tar);
            let (took, _) = issue(&dir, KeyType::EcP256, how, count, cores);
            let each = took.as_secs_f64() * 1e6 / count as f64;
            let rate = count as f64 / took.as_secs_f64();
            let memory = peak().unwrap_or_default();
            println!(
                "{kind:<4} {count:>8} devices {rate:>8.0}/s {each:>7.1} us each, peak {memory}"
            );
        }
    }
}

/// The most memory that this process has had.
fn peak() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.trim_start_matches("VmHWM:").trim().to_owned())
}

fn bundle_name(kinds: &[Bundle], tar: bool) -> &'static str {
    match (kinds.contains(&Bundle::P12), tar) {
        (true, _) => "pem,p12",
        (false, true) => "tar",
        (false, false) => "pem",
    }
}

fn measure(key: KeyType, kinds: &[Bundle], tar: bool, count: usize, cores: usize) {
    // Kept: a mass delete would slow down whatever is measured next.
    let dir = tempfile::tempdir().expect("a directory for temporary files").keep();
    let arithmetic = on_all_cores(count, cores, |_| make_key_and_sign(key));
    let has_store = kinds.contains(&Bundle::P12);
    let derivation =
        if has_store { on_all_cores(count, cores, |_| derive()) } else { Duration::ZERO };
    let (took, out) = issue(&dir, key, (kinds, tar), count, cores);
    let output = match tar {
        true => Duration::ZERO,
        false => write_again(&out, &dir.join("bare"), count, cores),
    };
    let bound = arithmetic + output + derivation;
    println!(
        "{:<10} {:<8} {count:>8} {:>10.2} {:>10.2} {:>10.2} {:>10.2} {:>12.0} {:>6.0}%",
        key.name(),
        bundle_name(kinds, tar),
        arithmetic.as_secs_f64(),
        output.as_secs_f64(),
        derivation.as_secs_f64(),
        took.as_secs_f64(),
        count as f64 / took.as_secs_f64(),
        100.0 * bound.as_secs_f64() / took.as_secs_f64(),
    );
    println!("{:<10} files are kept in {}", "", dir.display());
}

/// The wall-clock time of `count` calls, spread over the cores.
fn on_all_cores(count: usize, cores: usize, work: impl Fn(usize) + Sync) -> Duration {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    work(index);
                }
            });
        }
    });
    start.elapsed()
}

/// A device's key, and one signature by a P-256 CA over as many bytes as a certificate has.
fn make_key_and_sign(key: KeyType) {
    thread_local! {
        static CA: EcdsaKeyPair =
            EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
    }
    match key {
        rsa if rsa.is_rsa() => {
            black_box(PrivateKey::generate(rsa).expect("a key"));
        }
        _ => {
            let algorithm = &signature::ECDSA_P256_SHA256_ASN1_SIGNING;
            black_box(EcdsaKeyPair::generate(algorithm).expect("a key"));
        }
    }
    CA.with(|ca| black_box(ca.sign(&SystemRandom::new(), &[0x5a; 400]).expect("a signature")));
}

/// What a PKCS#12 file cannot do without: one key by PBKDF2-HMAC-SHA256 and the MAC's key, a chain
/// of SHA-256 (RFC 7292, appendix B). Of two implementations of each these are the faster ones.
fn derive() {
    let mut key = [0; 32];
    let password = PASSWORD.as_bytes();
    pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password, &[7; 16], DEFAULT_ITERATIONS, &mut key);
    black_box(key);
    let mut block = sha2::Sha256::digest([3; 192]);
    for _ in 1..DEFAULT_ITERATIONS {
        block = sha2::Sha256::digest(block);
    }
    black_box(block);
}

/// Issues `count` devices with the library; returns how long the run took and its directory.
fn issue(
    dir: &Path,
    key: KeyType,
    (kinds, tar): (&[Bundle], bool),
    count: usize,
    threads: usize,
) -> (Duration, PathBuf) {
    let now = OffsetDateTime::now_utc();
    let password = Password::new(PASSWORD);
    let chosen = ChosenPassword::unjudged(password.clone());
    let mut pki = Pki::open_or_create(&dir.join("pki"), now).expect("a PKI directory");
    let root_profile = Profile::built_in("root").expect("a profile");
    let line_profile = Profile::built_in("intermediate").expect("a profile");
    let settings = |profile, subject| CaSettings {
        profile,
        subject,
        days: None,
        path_length: None,
        beyond_issuer: BeyondIssuer::Refuse,
        key: c8y_pki_engine::pki::NewKey::File(&chosen),
    };
    let name = |text| Name::parse(text).expect("a name");
    let (root_name, line_name) = (name("CN=Root CA,O=Example"), name("CN=Line CA,O=Example"));
    let root = pki.init_root("root", &settings(&root_profile, &root_name), now).expect("a root");
    let root_key = root.unlock(&password).expect("its key");
    let line = pki
        .add_intermediate("line", &root, &root_key, &settings(&line_profile, &line_name), now)
        .expect("an intermediate");
    let line_key = line.unlock(&password).expect("its key");
    let profile = Profile::built_in("device").expect("a profile").with_key(key).expect("a type");
    let subject = Name::builder().with("O", "Example").expect("a field");
    let ids: String = (0..count).map(|n| format!("device-{n:07}\n")).collect();
    fs::write(dir.join("devices.csv"), format!("id\n{ids}")).expect("a device list");
    let out = dir.join("out");
    let job = Job {
        ca: &line,
        key: &line_key,
        profile: &profile,
        subject: &subject,
        days: None,
        beyond_issuer: BeyondIssuer::Refuse,
        out: if tar { Out::Archive(&out) } else { Out::Folders(&out) },
        bundle: BundleSettings {
            kinds,
            store_password: Some(&password),
            key_password: None,
            key_iterations: DEFAULT_ITERATIONS,
            pkcs12: Pkcs12Options::default(),
            trusted: &[],
        },
        existing: Existing::Skip,
        revoked: RevokedDevices::Issue,
        keep: Keep::default(),
        order: None,
        secrets: None,
        key_pool: None,
        keep_going: false,
        policy: &SigningPolicy::default(),
        keys: KeyPolicy::default(),
        threads,
    };
    if !tar {
        fs::create_dir(&out).expect("the output directory");
    }
    // What others have left to be written is not our affair.
    rustix::fs::sync();
    let start = Instant::now();
    let list =
        ListFile::open(&dir.join("devices.csv"), ListOptions::default()).expect("a device list");
    let summary = provision::run(&mut pki, &job, list, &Context::at(now));
    let took = start.elapsed();
    assert_eq!(summary.expect("a run").issued, count);
    (took, out)
}

/// Writes the directories and files of `from` again to `to`, with nothing around it but one sync.
fn write_again(from: &Path, to: &Path, count: usize, cores: usize) -> Duration {
    type Folder = (PathBuf, Vec<(PathBuf, Vec<u8>)>);
    let folders: Vec<Folder> = entries(from)
        .into_iter()
        .map(|folder| {
            let target = to.join(folder.file_name().expect("a name"));
            let files = entries(&folder).into_iter().map(|file| {
                let bytes = fs::read(&file).expect("a file of a device");
                (target.join(file.file_name().expect("a name")), bytes)
            });
            (target.clone(), files.collect())
        })
        .collect();
    assert_eq!(folders.len(), count);
    fs::create_dir(to).expect("a directory");
    rustix::fs::sync();
    let start = Instant::now();
    on_all_cores(count, cores, |index| {
        let (folder, files) = &folders[index];
        fs::DirBuilder::new().mode(0o700).create(folder).expect("a directory");
        for (path, bytes) in files {
            let mut options = fs::OpenOptions::new();
            let mut file =
                options.write(true).create_new(true).mode(0o600).open(path).expect("a new file");
            file.write_all(bytes).expect("space on the disk");
        }
    });
    let root = fs::File::open(to).expect("the directory");
    rustix::fs::syncfs(root).expect("a sync");
    start.elapsed()
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(dir).expect("a directory");
    read.map(|entry| entry.expect("an entry").path()).collect()
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}
