//! `serve` under load: devices with P-256 keys ask for their first certificates over EST, over connections that stay open,
//! beside bare signatures of such a key and bare durable writes in the same run.
//!
//! `cargo bench -p c8y-pki-tests --bench serve -- [DEVICES] [CONNECTIONS]`: 4,000 and 64 by default. The service is the real
//! program in a process of its own; the client is reqwest, a thread for each connection, on the same processors. Keys and
//! requests of devices are made before. Nothing is asserted but that each device gets a certificate: the figures go to
//! docs/performance.md with machine and date.

#![allow(clippy::disallowed_macros, reason = "a benchmark prints its figures")]

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::csr;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::key::signer::Signer;
use c8y_pki_core::name::Name;
use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::talking::Talking;
use reqwest::blocking::Client;
use serde_json::Value;

const OTP: &str = "Once-4711-";

/// How long a bound is measured.
const BOUND: Duration = Duration::from_secs(3);

/// A device that asks.
struct Device {
    id: String,
    request: String,
}

fn main() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().expect("the first one");
    let mut numbers = std::env::args().skip(1).filter_map(|word| word.parse().ok());
    let (count, connections) = (numbers.next().unwrap_or(4000), numbers.next().unwrap_or(64));
    let cli = Cli::with_cas();
    cli.ok(&format!("server issue est --ca root --san DNS:localhost --out servers {CA_PW}"));
    let rows: String = (0..count).map(|n| format!("gw-{n},{OTP}{n}\n")).collect();
    cli.write("order.csv", format!("id,otp\n{rows}"));
    cli.ok("order create acme --from order.csv --ca line");
    let devices: Vec<Device> = (0..count).map(device).collect();
    let (signatures, writes) = (signatures(), writes(&cli));
    let line = format!("serve --ca line --server est --listen 127.0.0.1:0 {CA_PW}");
    let mut service = Talking::start(&cli, &line, &[]);
    let first: Value = serde_json::from_str(&service.hear()).expect("JSON");
    let port = first["address"].as_str().and_then(|a| a.rsplit(':').next()).expect("a port");
    let (took, mut times) = enrol(&cli, port, &devices, connections);
    times.sort_unstable();
    let rate = count as f64 / took.as_secs_f64();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!("{count} devices, {connections} connections: {rate:.0} certificates/s");
    println!("answers: half within {:.1} ms, 99 of 100 within {:.1} ms", at(50), at(99));
    println!("bare signatures {signatures:.0}/s, on all processors");
    println!("bare durable writes {writes:.0}/s, one after the other");
    println!("of the smaller bound: {:.2}", rate / signatures.min(writes));
}

fn device(number: usize) -> Device {
    let id = format!("gw-{number}");
    let key = PrivateKey::generate(KeyType::EcP256).expect("a key");
    let name = Name::parse(&format!("CN={id}")).expect("a name");
    Device { id, request: STANDARD.encode(csr::make(&name, &key).expect("a request")) }
}

/// Lets all devices ask, and measures how long each waits.
fn enrol(
    cli: &Cli,
    port: &str,
    devices: &[Device],
    connections: usize,
) -> (Duration, Vec<Duration>) {
    let root = cli.read("pki/ca/root/cert.pem");
    let root = reqwest::Certificate::from_pem(&root).expect("a certificate");
    let base = format!("https://localhost:{port}/.well-known/est");
    let clients: Vec<Client> = (0..connections)
        .map(|_| {
            let client = Client::builder().tls_certs_only([root.clone()]).http1_only();
            let client = client.timeout(Duration::from_secs(60)).build().expect("a client");
            // The handshake is not measured.
            let cas = client.get(format!("{base}/cacerts")).send().expect("an answer");
            assert!(cas.bytes().is_ok_and(|cas| !cas.is_empty()));
            client
        })
        .collect();
    let next = AtomicUsize::new(0);
    let ask = |client: &Client| {
        let mut times = Vec::new();
        while let Some(device) = devices.get(next.fetch_add(1, Ordering::Relaxed)) {
            let number = device.id.trim_start_matches("gw-");
            let request = client
                .post(format!("{base}/simpleenroll"))
                .basic_auth(&device.id, Some(format!("{OTP}{number}")))
                .header("Content-Type", "application/pkcs10")
                .body(device.request.clone());
            let begun = Instant::now();
            let answer = request.send().expect("an answer");
            assert_eq!(answer.status(), 200, "{}", device.id);
            assert!(answer.bytes().is_ok_and(|chain| !chain.is_empty()));
            times.push(begun.elapsed());
        }
        times
    };
    let begun = Instant::now();
    let times = thread::scope(|scope| {
        let all: Vec<_> = clients.iter().map(|client| scope.spawn(|| ask(client))).collect();
        all.into_iter().flat_map(|one| one.join().expect("it ends")).collect()
    });
    (begun.elapsed(), times)
}

/// Signatures of a P-256 key in a second, on all processors.
fn signatures() -> f64 {
    let key = PrivateKey::generate(KeyType::EcP256).expect("a key");
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let done = AtomicUsize::new(0);
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while begun.elapsed() < BOUND {
                    key.sign(&[7; 500]).expect("a signature");
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    done.into_inner() as f64 / begun.elapsed().as_secs_f64()
}

/// Writes of the size of a certificate's row in a second, each of them durable.
fn writes(cli: &Cli) -> f64 {
    let mut file = File::create(cli.path("bound")).expect("a file");
    let (mut done, begun) = (0, Instant::now());
    while begun.elapsed() < BOUND {
        file.write_all(&[7; 900]).and_then(|()| file.sync_data()).expect("a durable write");
        done += 1;
    }
    f64::from(done) / begun.elapsed().as_secs_f64()
}
