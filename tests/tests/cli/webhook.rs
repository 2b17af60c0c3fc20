//! `status --webhook`, judged by a receiver in Python, and the page that says what to do about each finding.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::{Ended, Tool, tool};
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/how-to/alerts.md");
const STATUS: &str = include_str!("../../../lib/engine/src/status/mod.rs");
const SECRET: &str = "a-secret-of-the-receiver-0123456789";

/// Answers with the statuses that it is told, one after the other, and tells what came: the path, the header, the
/// body, and whether the HMAC is right by Python's own.
const RECEIVER: &str = r#"
import hashlib, hmac, http.server, json, ssl, sys
secret, statuses = sys.argv[1].encode(), [int(s) for s in sys.argv[2].split(",")]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        wanted = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
        good = hmac.compare_digest(wanted, self.headers["X-C8y-Pki-Signature-256"])
        print(json.dumps({"path": self.path, "good": good, "type": self.headers["Content-Type"],
                          "body": json.loads(body)}), flush=True)
        status = statuses.pop(0)
        if status == 0:  # it hangs up
            self.connection.close()
            return
        self.send_response(status)
        if status == 307:
            self.send_header("Location", "https://127.0.0.1:1/elsewhere?token=s3cret")
        self.send_header("Content-Type", "text/html")
        # More than anybody would read, and cut off.
        self.send_header("Content-Length", "200000" if status == 201 else "2")
        self.end_headers()
        self.wfile.write(b"x" * 100_000 if status == 201 else b"ok")
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("servers/hook/chain.pem", "servers/hook/key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"#;

struct Receiver {
    port: u16,
    said: BufReader<std::process::ChildStdout>,
    _process: Ended,
}

impl Receiver {
    fn start(python: &Tool, cli: &Cli, secret: &str, statuses: &str) -> Self {
        let mut child: Child = Command::new(python.path())
            .args(["-c", RECEIVER, secret, statuses])
            .current_dir(cli.path(""))
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .expect("python starts");
        let mut said = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        said.read_line(&mut line).expect("a port");
        let port = line.trim().parse().expect("a port");
        Self { port, said, _process: Ended(child) }
    }

    fn message(&mut self) -> Value {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("a message");
        serde_json::from_str(&line).expect("JSON")
    }

    fn line(&self, more: &str) -> String {
        format!(
            "status --webhook https://localhost:{}/hook/7?key=1 --webhook-secret-file secret --cacert \
             pki/ca/root/cert.pem --timeout 10 {more}",
            self.port
        )
    }
}

fn workshop() -> Cli {
    let cli = Cli::with_cas();
    cli.ok(&format!("server issue hook --ca root --san DNS:localhost --out servers {CA_PW}"));
    cli.write("secret", format!("{SECRET}\n"));
    // Something is overdue: a revocation that is in no list.
    cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    cli.ok("device revoke gw-1");
    cli
}

#[test]
fn what_was_found_comes_signed_and_is_sent_again_until_it_is_taken() {
    let Some(python) = tool("python3") else { return };
    let cli = workshop();
    let mut receiver = Receiver::start(&python, &cli, SECRET, "503,429,204");
    let sent = cli.run(&receiver.line("--json")).expect(1);
    let said = sent.json();
    let came: Vec<Value> = (0..3).map(|_| receiver.message()).collect();
    for message in &came {
        assert_eq!(message["good"], true, "{message}");
        assert_eq!(
            (&message["path"], &message["type"]),
            (&"/hook/7?key=1".into(), &"application/json".into())
        );
        assert_eq!(message["body"], came[0]["body"], "a repetition is the same message");
    }
    let body = &came[0]["body"];
    assert_eq!((&body["event"], &body["overdue"]), (&"status".into(), &said["overdue"]));
    assert_eq!((&body["at"], &body["items"]), (&said["at"], &said["items"]));
    assert_eq!(sent.stderr.matches("\"retry\"").count(), 2, "{sent:?}");
    assert!(!sent.stderr.contains(SECRET) && !sent.stdout.contains(SECRET));
}

#[test]
fn a_message_that_is_not_taken_is_exit_code_3_and_redirects_are_not_followed() {
    let Some(python) = tool("python3") else { return };
    let cli = workshop();
    let mut receiver = Receiver::start(&python, &cli, SECRET, "307,404,503,503");
    let redirected = cli.run(&receiver.line("")).expect(3);
    assert!(redirected.error().contains("redirects are not followed"), "{redirected:?}");
    // What was found is told all the same.
    assert!(redirected.stdout.contains("in no revocation list"), "{redirected:?}");
    let refused = cli.run(&receiver.line("")).expect(3);
    assert!(refused.error().contains("it answers 404 (attempts: 1)"), "{refused:?}");
    let busy = cli.run(&receiver.line("--retries 1")).expect(3);
    assert!(busy.error().contains("it answers 503 (attempts: 2)"), "{busy:?}");
    let first = receiver.message()["body"]["id"].clone();
    assert_ne!(receiver.message()["body"]["id"], first);
    // Nobody listens, the certificate is not trusted, the secret is missing or short, the address is not https.
    let port = receiver.port;
    drop(receiver);
    let gone = cli.run(&format!(
        "status --webhook https://localhost:{port}/ --webhook-secret-file secret --retries 0"
    ));
    assert!(gone.expect(3).error().contains("was not delivered"));
    let other = Receiver::start(&python, &cli, "another-secret-0123456789", "200");
    let untrusted = other.line("--retries 0").replace("--cacert pki/ca/root/cert.pem", "");
    assert!(cli.run(&untrusted).expect(3).error().contains("is not trusted"));
    let hook = "status --webhook https://localhost:1/";
    assert!(cli.fails(2, hook).contains("--webhook-secret-file"));
    cli.write("short", "short\n");
    cli.fails(2, &format!("{hook} --webhook-secret-file short"));
    cli.fails(2, "status --webhook http://localhost:1/ --webhook-secret-file secret");
}

#[test]
fn each_finding_of_status_has_a_section_that_says_what_to_do() {
    let words = STATUS.split("pub fn word(self)").nth(1).expect("the words").split("/// ").next();
    let words: Vec<&str> = words.unwrap_or_default().split('"').skip(1).step_by(2).collect();
    assert!(words.len() >= 9, "{words:?}");
    for word in words {
        let (_, rest) = PAGE
            .split_once(&format!("\n## {word}\n"))
            .unwrap_or_else(|| panic!("{word} has no section"));
        let section = rest.split("\n## ").next().unwrap_or_default();
        assert!(section.contains("1. ") && section.contains("`c8y-pki "), "{word}: {section}");
    }
}

/// Of chats the address is the secret: its path and its query are in no message.
#[test]
fn the_status_decides_and_no_message_shows_the_path() {
    let Some(python) = tool("python3") else { return };
    let cli = workshop();
    let receiver = Receiver::start(&python, &cli, SECRET, "0,0,307,201");
    let hidden = |outcome: &c8y_pki_tests::cli::Outcome| {
        for word in ["hook/7", "key=1", "elsewhere", "s3cret"] {
            assert!(!outcome.stderr.contains(word), "{word}: {outcome:?}");
        }
    };
    let cut = cli.run(&receiver.line("--retries 1")).expect(3);
    assert!(cut.error().contains("was not delivered"), "{cut:?}");
    hidden(&cut);
    let redirected = cli.run(&receiver.line("-vv")).expect(3);
    assert!(redirected.error().contains("https://127.0.0.1:1"), "{redirected:?}");
    hidden(&redirected);
    hidden(&cli.run(&receiver.line("")).expect(1));
}
