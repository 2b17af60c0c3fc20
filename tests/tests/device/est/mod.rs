//! `serve`, judged by curl and OpenSSL with the requests of RFC 7030's examples, and by strongSwan's `pki`; its API by curl,
//! OpenSSL, schemathesis and Prometheus's library.

#![cfg(unix)]

mod able;
mod api;
mod api_refused;
mod bundles;
mod client_certificates;
mod described;
mod let_in;
mod lost;
mod metrics;
mod orders;
mod page;
mod refused;
mod running;
mod several;
mod stays;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::openssl::OpenSsl;
use c8y_pki_tests::talking::Talking;
use c8y_pki_tests::{Tool, tool};
use serde_json::Value;

/// The one-time passwords of the order `acme`.
const OTP: &str = "Once-4711-";

/// A PKI directory with an order of eight devices, and the service.
struct Site {
    cli: Cli,
    curl: Tool,
    openssl: OpenSsl,
    service: Option<Talking>,
    /// `127.0.0.1:port`.
    address: String,
}

/// What was answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.head, self.text());
        self
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// The sentence of a refusal of the API: problem details, with the status once more.
    fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.head);
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{problem}");
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{problem}");
        problem["detail"].as_str().expect("a sentence").to_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim())
    }
}

/// A request that is under way.
struct Asking {
    path: String,
    curl: Child,
}

impl Asking {
    fn join(self) -> Answer {
        let output = self.curl.wait_with_output().expect("curl ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", self.path);
        let all = output.stdout;
        let end = all.windows(4).position(|w| w == b"\r\n\r\n").expect("a head") + 4;
        let head = String::from_utf8_lossy(&all[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        Answer { status, head, body: all[end..].to_vec() }
    }
}

impl Site {
    /// None if a tool is missing.
    fn new() -> Option<Self> {
        let cli = Cli::with_cas();
        let (curl, openssl) = (tool("curl")?, OpenSsl::at(&cli.path(""))?);
        cli.ok(&format!("server issue est --ca root --san DNS:localhost --out servers {CA_PW}"));
        let rows: String = (1..9).map(|n| format!("gw-{n},{OTP}{n}\n")).collect();
        cli.write("order.csv", format!("id,otp\n{rows}"));
        cli.ok("order create acme --from order.csv --ca line");
        let mut site = Self { cli, curl, openssl, service: None, address: String::new() };
        site.start("");
        Some(site)
    }

    /// Starts the service, with more options.
    fn start(&mut self, more: &str) {
        let line = format!("serve --ca line --server est --listen 127.0.0.1:0 {CA_PW} {more}");
        let mut service = Talking::start(&self.cli, &line, &[]);
        let first: Value = serde_json::from_str(&service.hear()).expect("JSON");
        assert_eq!((&first["event"], &first["ca"]), (&"listening".into(), &"line".into()));
        self.address = first["address"].as_str().expect("an address").to_owned();
        self.service = Some(service);
    }

    fn service(&mut self) -> &mut Talking {
        self.service.as_mut().expect("it runs")
    }

    /// The next entry of the log.
    fn entry(&mut self) -> Value {
        serde_json::from_str(&self.service().hear()).expect("JSON")
    }

    fn url(&self) -> String {
        let port = self.address.rsplit(':').next().unwrap_or_default();
        format!("https://localhost:{port}")
    }

    /// Asks with curl; files are those of the directory.
    fn curl(&self, path: &str, words: &[&str]) -> Answer {
        self.asking(path, words).join()
    }

    /// The same; the answer is waited for later.
    fn asking(&self, path: &str, words: &[&str]) -> Asking {
        let curl = Command::new(self.curl.path())
            .current_dir(self.cli.path(""))
            .args(["--silent", "--show-error", "--max-time", "60", "--include", "--http1.1"])
            .args(["--cacert", "pki/ca/root/cert.pem"])
            .args(words)
            .arg(format!("{}{path}", self.url()))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Asking { path: path.to_owned(), curl: curl.expect("curl starts") }
    }

    /// Makes a key and a request, in base64 of one line: `<name>.key`, `<name>.b64`.
    fn request(&self, name: &str, id: &str) {
        self.openssl.run(&format!(
            "req -new -config @openssl.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={id} \
             -keyout @{name}.key -outform DER -out @{name}.der"
        ));
        self.openssl.run(&format!("base64 -A -in @{name}.der -out @{name}.b64"));
    }

    /// Posts a file as PKCS#10, with more words for curl.
    fn post(&self, operation: &str, file: &str, more: &[&str]) -> Answer {
        self.posting(operation, file, more).join()
    }

    /// The same; the answer is waited for later.
    fn posting(&self, operation: &str, file: &str, more: &[&str]) -> Asking {
        let body = format!("@{file}");
        let words = ["--header", "Content-Type: application/pkcs10", "--data-binary", &body];
        self.asking(&format!("/.well-known/est/{operation}"), &[&words, more].concat())
    }

    /// Enrols a device with the one-time password of its order.
    fn enrol(&self, number: u32, file: &str) -> Answer {
        let login = format!("gw-{number}:{OTP}{number}");
        self.post("simpleenroll", file, &["--user", &login])
    }

    /// Enrols a device: `<name>.key` and `<name>.pem`.
    fn enrolled(&self, number: u32, name: &str) {
        self.request(name, &format!("gw-{number}"));
        let answer = self.enrol(number, &format!("{name}.b64")).expect(200);
        self.certificate(&answer, name);
    }

    /// Has OpenSSL read the certificates of an answer: `<name>.pem`.
    fn certificate(&self, answer: &Answer, name: &str) -> PathBuf {
        assert!(!answer.body.contains(&b'\n'), "strongSwan reads one line: {}", answer.text());
        assert_eq!(answer.header("content-transfer-encoding"), Some("base64"));
        self.openssl.write(&format!("{name}.p7"), &answer.body);
        self.openssl.run(&format!("base64 -d -A -in @{name}.p7 -out @{name}.p7b"));
        self.openssl
            .run(&format!("pkcs7 -inform DER -in @{name}.p7b -print_certs -out @{name}.pem"));
        self.cli.path(&format!("{name}.pem"))
    }

    /// Makes a token: its name, its roles and whatever else it has.
    fn token(&self, words: &str) -> String {
        self.cli.ok(&format!("serve token add {words}")).trim().to_owned()
    }

    /// Asks the API with a token.
    fn api(&self, token: &str, path: &str, more: &[&str]) -> Answer {
        let bearer = format!("Authorization: Bearer {token}");
        self.curl(path, &[&["--header", &bearer][..], more].concat())
    }

    /// Sends JSON to the API.
    fn send(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.cli.write("sent.json", body.to_string());
        let words = ["--header", "Content-Type: application/json", "--data-binary", "@sent.json"];
        self.api(token, path, &words)
    }

    /// Has the API sign the request of a name that [`Self::request`] made.
    fn issue(&self, token: &str, path: &str, name: &str) -> Answer {
        self.openssl.run(&format!("req -inform DER -in @{name}.der -out @{name}.csr"));
        let request = self.cli.text(&format!("{name}.csr"));
        self.send(token, path, &serde_json::json!({ "request": request }))
    }

    /// Renews with a certificate.
    fn renew(&self, old: &str, file: &str) -> Answer {
        let (cert, key) = (format!("{old}.pem"), format!("{old}.key"));
        self.post("simplereenroll", file, &["--cert", &cert, "--key", &key])
    }

    /// Stops the service as Ctrl-C does; its exit code and the rest of its log.
    fn stop(&mut self) -> (i32, String) {
        let service = self.service.take().expect("it runs");
        service.interrupt();
        let (code, log, _) = service.finish();
        (code, log)
    }

    /// The certificates that the registry has of a device, as JSON.
    fn history(&self, id: &str) -> String {
        self.cli.ok(&format!("device show {id} --json"))
    }

    /// How many certificates the registry has of a device, by its id to the letter.
    fn certificates(&self, id: &str) -> usize {
        let listed = self.cli.ok("device list --status any --json");
        listed.lines().filter(|line| line.contains(&format!("\"{id}\""))).count()
    }
}
