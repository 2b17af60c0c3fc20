//! `device check` of many devices against a sandbox, beside bare connections in the same run: TCP, TLS with the same
//! certificates, CONNECT and CONNACK, and nothing else. Where `C8Y_PKI_PYTHON` has Eclipse Paho, as many threads of that
//! do the same.
//!
//! `cargo bench -p c8y-pki-tests --bench connect -- [DEVICES] [BUSY]`: 2,000 devices, and no thread that only keeps
//! the machine busy, by default. The sandbox and the check run in processes of their own, so that the processor time
//! and the peak memory of each are their own (Linux). Nothing is asserted: the figures go to docs/performance.md with
//! machine and date.

#![allow(clippy::disallowed_macros, reason = "a benchmark prints its figures")]

mod made;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::crypto::KeyType;
use c8y_pki_engine::device::check::{self, Check, Pace, Verdict};
use c8y_pki_engine::device::credentials::{Credentials, Files, Place};
use c8y_pki_engine::device::link::Target;
use c8y_pki_engine::platform::blocking::Client;
use c8y_pki_engine::platform::trusted::{self, NewTrusted};
use c8y_pki_engine::platform::{Login, Settings};
use c8y_pki_engine::provision::Out;
use c8y_pki_sandbox::{self as sandbox, Sandbox};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use time::OffsetDateTime;

/// How the ids of devices begin.
const PREFIX: &str = "gw-";
/// Threads of the bare connections, as many as a check has.
const THREADS: usize = 32;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--sandbox", dir] => run_sandbox(Path::new(dir)),
        ["--check", dir, port, count] => {
            let number = |text: &str| text.parse::<usize>().expect("a number");
            run_check(Path::new(dir), u16::try_from(number(port)).expect("a port"), number(count));
        }
        _ => {
            let number = |index: usize| words.get(index).and_then(|word| word.parse().ok());
            measure(number(0).unwrap_or(2000), number(1).unwrap_or(0));
        }
    }
}

fn id(number: usize) -> DeviceId {
    DeviceId::parse(&format!("{PREFIX}{number:07}")).expect("an id")
}

/// Bare connections, the check, and bare connections again: neighbours come and go.
fn measure(count: usize, busy: usize) {
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    made::issue(
        dir.path(),
        KeyType::EcP256,
        (PREFIX, count),
        Out::Folders(&dir.path().join("out")),
    );
    let program = std::env::current_exe().expect("the path of this program");
    let mut sandbox = Role::start(&program, &["--sandbox", arg(dir.path())]);
    let port = sandbox.line();
    for _ in 0..busy {
        thread::spawn(|| while std::hint::black_box(true) {});
    }
    let before = bare(dir.path(), port.parse().expect("a port"), count);
    let used = sandbox.processor_time();
    let mut check = Role::start(&program, &["--check", arg(dir.path()), &port, &count.to_string()]);
    println!("{}", check.line());
    println!("sandbox {:.2} s of processor time meanwhile", sandbox.processor_time() - used);
    if let Some(said) = paho(dir.path(), &port, count) {
        println!("{said}");
    }
    let after = bare(dir.path(), port.parse().expect("a port"), count);
    for (when, took) in [("before", before), ("after", after)] {
        let rate = count as f64 / took.as_secs_f64();
        println!("bare connections {when}: {:.2} s, {rate:.0}/s", took.as_secs_f64());
    }
}

fn arg(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Devices a second of Eclipse Paho for Python, the client that most devices' first program is made with. None where
/// there is no Paho.
fn paho(dir: &Path, port: &str, count: usize) -> Option<String> {
    let script = "
import sys, threading, time
import paho.mqtt.client as mqtt
place, port, count, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
numbers, connected = iter(range(count)), []
def one(number):
    name = '%s%07d' % (sys.argv[5], number)
    folder = '%s/out/%s' % (place, name)
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name)
    client.tls_set(place + '/sandbox.pem', folder + '/chain.pem', folder + '/key.pem')
    seen = []
    client.on_connect = lambda c, u, f, code, p: seen.append(code.value)
    client.connect('localhost', port)
    while not seen:
        client.loop(1)
    client.disconnect()
    if seen == [0]:
        connected.append(name)
def work():
    for number in numbers:
        one(number)
class Locked:
    def __init__(self, inner): self.inner, self.lock = inner, threading.Lock()
    def __iter__(self): return self
    def __next__(self):
        with self.lock: return next(self.inner)
numbers = Locked(numbers)
start = time.monotonic()
workers = [threading.Thread(target=work) for _ in range(threads)]
[w.start() for w in workers]
[w.join() for w in workers]
took = time.monotonic() - start
print('Paho: %d of %d connect, %.2f s, %.0f/s' % (len(connected), count, took, count / took))
";
    let (count, threads) = (count.to_string(), THREADS.to_string());
    let output = Command::new(std::env::var_os("C8Y_PKI_PYTHON")?)
        .args(["-c", script, arg(dir), port, &count, &threads, PREFIX])
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    output.status.success().then_some(said)
}

/// This program in another role.
struct Role {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Role {
    fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let said = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, said }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    fn processor_time(&self) -> f64 {
        processor_time(&self.child.id().to_string())
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Seconds that a process has computed, with those of the system for it.
fn processor_time(process: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / 100.0
}

/// The most memory that this process has had, in MiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default()
        / 1024
}

/// A sandbox that trusts the CA in the directory; it ends with its standard input.
fn run_sandbox(dir: &Path) {
    let sandbox = Sandbox::start(sandbox::Settings::default()).expect("a sandbox");
    fs::write(dir.join("sandbox.pem"), sandbox.ca_pem()).expect("a file");
    let pem = fs::read(dir.join("pki/ca/line/cert.pem")).expect("the CA");
    let ca = Certificate::all_from_pem_or_der(&pem).expect("a certificate").remove(0);
    let roots = Certificate::all_from_pem_or_der(sandbox.ca_pem().as_bytes()).expect("its CA");
    let login = Login::user(Some(sandbox.tenant()), sandbox.user(), sandbox.password().clone());
    let tenant = Some(sandbox.tenant().to_owned());
    let settings = Settings { tenant, roots, ..Settings::new(sandbox.url(), login) };
    let client = Client::new(&settings).expect("a client");
    let new = NewTrusted { certificate: &ca, name: "line", enabled: true, auto_registration: true };
    client.wait(trusted::add(&client, &[new])).expect("the CA is added");
    println!("{}", sandbox.mqtt_port());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// The check, in a process of its own.
fn run_check(dir: &Path, port: u16, count: usize) {
    let target = Target { host: "localhost".to_owned(), port };
    let truststore = dir.join("sandbox.pem");
    let begin = |index: usize| {
        let folder = dir.join("out").join(id(index).file_name());
        let files = Files {
            place: Place::Bundle(&folder),
            truststore: Some(&truststore),
            store_password: None,
            key_password: None,
        };
        let how = Check {
            device: Some(id(index)),
            ..Check::new(target.clone(), OffsetDateTime::now_utc())
        };
        check::begin(how, Credentials::read(&files))
    };
    let (mut connected, start) = (0, Instant::now());
    check::many(count, Pace::for_host(&target.host), begin, |_, report| {
        connected += usize::from(report.verdict == Verdict::Connected);
        true
    });
    let took = start.elapsed().as_secs_f64();
    println!(
        "device check: {connected} of {count} connect, {took:.2} s, {:.0}/s, {:.2} s of processor time, at most {} MiB",
        count as f64 / took,
        processor_time("self"),
        peak()
    );
}

/// How long as many bare connections take.
fn bare(dir: &Path, port: u16, count: usize) -> Duration {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(dir.join("sandbox.pem")).expect("a CA"))
        .expect("a root");
    let configs: Vec<Arc<ClientConfig>> = (0..count)
        .map(|number| {
            let folder = dir.join("out").join(id(number).file_name());
            let chain = CertificateDer::pem_file_iter(folder.join("chain.pem")).expect("a chain");
            let chain = chain.collect::<Result<_, _>>().expect("its certificates");
            let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).expect("a key");
            let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions()
                .expect("versions of TLS")
                .with_root_certificates(roots.clone())
                .with_client_auth_cert(chain, key)
                .expect("key and chain fit");
            Arc::new(config)
        })
        .collect();
    let (next, start) = (AtomicUsize::new(0), Instant::now());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(config) = configs.get(number) else { break };
                    connect(config, port, id(number).as_str());
                }
            });
        }
    });
    start.elapsed()
}

fn connect(config: &Arc<ClientConfig>, port: u16, id: &str) {
    let name = ServerName::try_from("localhost").expect("a name");
    let tls = ClientConnection::new(Arc::clone(config), name).expect("a connection");
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_nodelay(true).expect("an option");
    let mut stream = StreamOwned::new(tls, stream);
    let length = u8::try_from(id.len()).expect("a short id");
    let header = [0x10, 12 + length, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, length];
    stream.write_all(&[&header, id.as_bytes()].concat()).expect("CONNECT");
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).expect("CONNACK");
    assert_eq!(answer, [0x20, 2, 0, 0], "{id}");
}
