//! Certificates that threads of one program have issued at the same time, judged by OpenSSL.

use std::collections::HashSet;
use std::fs;
use std::sync::Arc;
use std::thread;

use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::csr;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::name::Name;
use c8y_pki_core::secret::Password;
use c8y_pki_engine::pki::{DeviceRequest, Issued, Pki};
use c8y_pki_tests::cli::{CA_PW, Cli, PASSWORD};
use c8y_pki_tests::{arg, tool};
use time::OffsetDateTime;

const THREADS: usize = 8;
const EACH: usize = 50;

#[test]
fn what_eight_threads_issue_is_valid_to_openssl() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    let pki = Arc::new(Pki::open(&cli.path("pki"), OffsetDateTime::now_utc()).unwrap());
    let ca = pki.ca("line").unwrap();
    let ca_key = Arc::new(ca.unlock(&Password::new(PASSWORD)).unwrap());
    let work = |thread: usize| {
        let (pki, ca_key) = (Arc::clone(&pki), Arc::clone(&ca_key));
        thread::spawn(move || -> Vec<Issued> {
            let issue = |number| {
                let key = PrivateKey::generate(KeyType::EcP256).unwrap();
                let subject = Name::parse(&format!("CN=gw-{thread}-{number}")).unwrap();
                let request = csr::make(&subject, &key).unwrap();
                let now = OffsetDateTime::now_utc();
                pki.issue(&DeviceRequest::from_csr(&ca_key, &request, now).unwrap()).unwrap()
            };
            (0..EACH).map(issue).collect()
        })
    };
    let threads: Vec<_> = (0..THREADS).map(work).collect();
    // Another program works on the same directory meanwhile, and both wait for each other.
    cli.ok(&format!("device issue beside-1 beside-2 --ca line --out out {CA_PW}"));
    let all: Vec<Issued> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();

    let names: Vec<String> = all.iter().map(|issued| format!("{}.pem", issued.id)).collect();
    for (name, issued) in names.iter().zip(&all) {
        fs::write(cli.path(name), issued.certificate.pem()).unwrap();
    }
    let (root, line) = (cli.path("pki/ca/root/cert.pem"), cli.path("pki/ca/line/cert.pem"));
    let paths: Vec<_> = names.iter().map(|name| cli.path(name)).collect();
    let mut line_of = vec!["verify", "-x509_strict", "-purpose", "sslclient"];
    line_of.extend(["-CAfile", arg(&root), "-untrusted", arg(&line)]);
    line_of.extend(paths.iter().map(|path| arg(path)));
    let said = openssl.run(&line_of);
    assert_eq!(said.lines().filter(|line| line.ends_with(": OK")).count(), THREADS * EACH);

    let serials: HashSet<String> =
        all.iter().map(|issued| issued.certificate.serial.to_string()).collect();
    assert_eq!(serials.len(), THREADS * EACH);
    let listed = cli.run("device list --json").expect(0).json_lines();
    assert_eq!(listed.len(), THREADS * EACH + 2);
    let known = |row: &serde_json::Value| serials.contains(row["serial"].as_str().unwrap());
    assert_eq!(listed.iter().filter(|row| known(row)).count(), THREADS * EACH);
    cli.ok("registry check");
}
