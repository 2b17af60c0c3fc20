//! The failures of the other side, each with its exit code, whichever command meets it. None of these servers is
//! our sandbox.

use std::io::{Read, Write};
use std::thread::sleep;
use std::time::Duration;

use c8y_pki_tests::broker::{listen, tls_listen};
use c8y_pki_tests::cli::Cli;
use c8y_pki_tests::ports::free_port;

/// Starts a server in the directory; returns its port.
type Start = fn(&Cli) -> u16;

/// A failure: its name, the exit code, the host that is named, and the server.
pub(super) type Failure = (&'static str, i32, &'static str, Start);

/// The name of the one whose server is not trusted: other CAs are given there.
pub(super) const UNTRUSTED: &str = "the server's CA is not trusted";

/// The name of the one that takes as long as one is ready to wait.
pub(super) const SILENT: &str = "no answer in time";

const HERE: &str = "localhost";

/// On the way to a server.
pub(super) const NETWORK: &[Failure] = &[
    ("nothing listens", 3, HERE, |_| free_port()),
    ("the name does not resolve", 3, "nowhere.invalid", |_| 443),
    (SILENT, 3, HERE, |_| listen(hold)),
    ("closed at once", 3, HERE, |_| listen(drop)),
    ("no TLS", 3, HERE, |_| {
        listen(|mut stream| {
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        })
    }),
];

/// With the server's certificate.
pub(super) const TRUST: &[Failure] = &[
    (UNTRUSTED, 2, HERE, |cli| answers(cli, b"")),
    ("the server's certificate is for another name", 3, "127.0.0.1", |cli| answers(cli, b"")),
];

/// Over HTTPS.
pub(super) const REST: &[Failure] = &[
    ("TLS without HTTP", 3, HERE, |cli| answers(cli, b"\x20\x02\x00\x00")),
    ("cut in the middle of the answer", 3, HERE, |cli| {
        answers(
            cli,
            b"HTTP/1.1 200 .\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{\"a\"",
        )
    }),
    ("401", 2, HERE, |cli| says(cli, 401)),
    ("403", 2, HERE, |cli| says(cli, 403)),
    ("404", 1, HERE, |cli| says(cli, 404)),
    ("409", 1, HERE, |cli| says(cli, 409)),
    ("429", 3, HERE, |cli| says(cli, 429)),
    ("500", 3, HERE, |cli| says(cli, 500)),
    ("502", 3, HERE, |cli| says(cli, 502)),
    ("503", 3, HERE, |cli| says(cli, 503)),
    ("a page in place of JSON", 3, HERE, |cli| http(cli, 200, "text/html", "<html></html>")),
    ("a page with 404", 3, HERE, |cli| http(cli, 404, "text/html", "<html></html>")),
];

/// Over MQTT. The platform's CONNACK 4 and 5 are its no (platform: "CONNACK codes and what they mean there").
pub(super) const MQTT: &[Failure] = &[
    ("TLS without MQTT", 3, HERE, |cli| answers(cli, b"HTTP/1.1 400 Bad Request\r\n\r\n")),
    ("closed after CONNECT", 3, HERE, |cli| answers(cli, b"")),
    ("CONNACK 1", 1, HERE, |cli| answers(cli, &[0x20, 2, 0, 1])),
    ("CONNACK 2", 1, HERE, |cli| answers(cli, &[0x20, 2, 0, 2])),
    ("CONNACK 3", 3, HERE, |cli| answers(cli, &[0x20, 2, 0, 3])),
    ("CONNACK 4", 1, HERE, |cli| answers(cli, &[0x20, 2, 0, 4])),
    ("CONNACK 5", 1, HERE, |cli| answers(cli, &[0x20, 2, 0, 5])),
];

/// Keeps a connection open for longer than anybody waits here.
fn hold(stream: std::net::TcpStream) {
    std::thread::spawn(move || {
        sleep(Duration::from_secs(60));
        drop(stream);
    });
}

/// A TLS server that reads something and sends always the same.
fn answers(cli: &Cli, bytes: &'static [u8]) -> u16 {
    tls_listen(cli, move |stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(bytes);
    })
}

fn says(cli: &Cli, status: u16) -> u16 {
    http(cli, status, "application/json", r#"{"error":"security/No","message":"no"}"#)
}

/// A TLS server that answers each request with this.
fn http(cli: &Cli, status: u16, kind: &'static str, body: &'static str) -> u16 {
    tls_listen(cli, move |stream| {
        if c8y_pki_tests::broker::head(stream).is_none() {
            return;
        }
        let length = body.len();
        let _ = write!(
            stream,
            "HTTP/1.1 {status} .\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
    })
}
