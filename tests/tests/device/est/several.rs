//! Two services of one CA behind one database, one of which is killed under load; psql, curl and OpenSSL are the judges.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use c8y_pki_tests::cli::Cli;
use c8y_pki_tests::openssl::OpenSsl;
use c8y_pki_tests::postgres::Cluster;
use c8y_pki_tests::talking::Talking;
use c8y_pki_tests::{Tool, tool};
use serde_json::Value;

use super::OTP;

const PW: &str = "--ca-password-file pw";
const EC: &str = "--key-type ec-p256";
const DEVICES: usize = 48;
const CLIENTS: usize = 8;

/// How often a client asks before it gives up: services answer at once, or are gone.
const ATTEMPTS: usize = 200;

/// One database, the owner's directory and that of a station that has joined it, a service on each.
struct Services {
    cli: Cli,
    curl: Tool,
    openssl: OpenSsl,
    cluster: Cluster,
    database: String,
}

impl Services {
    fn new() -> Option<Self> {
        let (cluster, curl, cli) = (Cluster::start()?, tool("curl")?, Cli::new());
        let openssl = OpenSsl::at(&cli.path(""))?;
        let database = cluster.database();
        let address = cluster.address(&database);
        cli.ok(&format!("ca init root --subject CN=Root --registry {address} {EC} {PW}"));
        cli.open_quickly("pki/ca/root/key.pem");
        cli.ok(&format!("ca add line --parent root --subject CN=Line {EC} {PW}"));
        cli.open_quickly("pki/ca/line/key.pem");
        cli.ok("registry publish");
        cli.ok(&format!("server issue est --ca root --san DNS:localhost --out servers {EC} {PW}"));
        cli.ok(&format!("--pki st registry join {address}"));
        let key = |pki: &str| cli.path(&format!("{pki}/ca/line/key.pem"));
        std::fs::copy(key("pki"), key("st")).expect("a key");
        let rows: String = (0..DEVICES).map(|n| format!("gw-{n},{OTP}{n}\n")).collect();
        cli.write("order.csv", format!("id,otp\n{rows}"));
        cli.ok("order create acme --from order.csv --ca line");
        Some(Self { cli, curl, openssl, cluster, database })
    }

    /// Starts the service of a directory: it, and its port.
    fn start(&self, pki: &str) -> (Talking, String) {
        let line = format!(
            "--pki {pki} serve --ca line --listen 127.0.0.1:0 --tls-cert servers/est/chain.pem \
             --tls-key servers/est/key.pem {PW}"
        );
        let mut service = Talking::start(&self.cli, &line, &[]);
        let first: Value = serde_json::from_str(&service.hear()).expect("JSON");
        let port = first["address"].as_str().and_then(|address| address.rsplit(':').next());
        (service, port.expect("a port").to_owned())
    }

    fn make_request(&self, number: usize) {
        self.openssl.run(&format!(
            "req -new -config @openssl.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=gw-{number} \
             -keyout @{number}.key -outform DER -out @{number}.der"
        ));
        self.openssl.run(&format!("base64 -A -in @{number}.der -out @{number}.b64"));
    }

    /// What a device gets that asks once; none if nothing came, or that it is to try again.
    fn ask(&self, number: usize, port: &str) -> Option<Vec<u8>> {
        let answer = Command::new(self.curl.path())
            .current_dir(self.cli.path(""))
            .args(["--silent", "--max-time", "30", "--cacert", "pki/ca/root/cert.pem"])
            .args(["--user", &format!("gw-{number}:{OTP}{number}")])
            .args(["--header", "Content-Type: application/pkcs10"])
            .args(["--data-binary", &format!("@{number}.b64"), "--write-out", "\n%{http_code}"])
            .arg(format!("https://localhost:{port}/.well-known/est/simpleenroll"))
            .output()
            .expect("curl starts");
        let end = answer.stdout.iter().rposition(|byte| *byte == b'\n').expect("a status");
        let (body, status) = answer.stdout.split_at(end);
        match status {
            b"\n200" => Some(body.to_vec()),
            b"\n000" | b"\n503" => None,
            other => {
                let (body, other) = (String::from_utf8_lossy(body), String::from_utf8_lossy(other));
                panic!("gw-{number}: {other} {body}")
            }
        }
    }

    /// The serial number in an answer, as OpenSSL reads it.
    fn serial(&self, number: usize, answer: &[u8]) -> String {
        self.openssl.write(&format!("{number}.p7"), answer);
        self.openssl.run(&format!("base64 -d -A -in @{number}.p7 -out @{number}.p7b"));
        let print = format!("pkcs7 -inform DER -in @{number}.p7b -print_certs -out @{number}.pem");
        self.openssl.run(&print);
        let serial = self.openssl.run(&format!("x509 -in @{number}.pem -noout -serial"));
        serial.trim().trim_start_matches("serial=").to_lowercase()
    }

    fn psql(&self, sql: &str) -> String {
        self.cluster.psql(&self.database, sql).expect("an answer of psql")
    }
}

#[test]
fn one_of_two_services_is_killed_and_no_device_that_asks_again_is_lost_or_doubled() {
    let Some(site) = Services::new() else { return };
    (0..DEVICES).for_each(|number| site.make_request(number));
    let ((one, first), (two, second)) = (site.start("pki"), site.start("st"));
    let ports = [Mutex::new(first), Mutex::new(second)];
    let port =
        |which: usize| ports[which % 2].lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let client = |own: usize| {
        let mut got = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= DEVICES {
                return got;
            }
            let ask = |attempt| site.ask(number, &port(own + number + attempt));
            let answer = (0..ATTEMPTS).find_map(ask);
            got.push((number, answer.expect("an answer of one of them")));
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    let (answers, again) = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|own| scope.spawn(move || client(own))).collect();
        while done.load(Ordering::Relaxed) < DEVICES / 3 {
            thread::yield_now();
        }
        // With requests under way.
        one.kill();
        let (again, port) = site.start("pki");
        *ports[0].lock().unwrap_or_else(PoisonError::into_inner) = port;
        let all = clients.into_iter().flat_map(|one| one.join().expect("it ends"));
        (all.collect::<BTreeMap<usize, Vec<u8>>>(), again)
    });
    assert_eq!(answers.len(), DEVICES);

    let rows = site.psql(
        "SELECT client_id, encode(serial, 'hex') FROM c8y_pki.certificate
         WHERE client_id LIKE 'gw-%' ORDER BY 1",
    );
    assert_eq!(rows.lines().count(), DEVICES, "{rows}");
    for (number, answer) in &answers {
        let row = format!("gw-{number}|{}", site.serial(*number, answer));
        assert!(rows.lines().any(|line| line == row), "{row} is not in\n{rows}");
        // Who asks again gets the same, from either.
        for which in 0..2 {
            assert_eq!(site.ask(*number, &port(which)).as_ref(), Some(answer), "gw-{number}");
        }
    }
    for service in [again, two] {
        service.interrupt();
        assert_eq!(service.finish().0, 0);
    }
    site.cli.ok("registry check");
}
