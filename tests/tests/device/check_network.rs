//! `device check` where the other side is away, silent, or says no: each with its cause.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use c8y_pki_tests::broker::{Reply, listen, paper_broker, polite, server_certificate};
use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::ports::free_port;
use serde_json::Value;

fn with_device() -> Option<Cli> {
    let cli = Cli::with_cas();
    server_certificate(&cli)?;
    cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    Some(cli)
}

fn check(cli: &Cli, host: &str, port: u16, code: i32) -> Value {
    let line = "device check gw-1 --truststore server-ca.pem --timeout 5 --json";
    cli.run(&format!("{line} --host {host} --port {port}")).expect(code).json()
}

/// The verdict, the step that failed, and the first cause.
fn told(report: &Value) -> [&str; 3] {
    let steps = report["steps"].as_array().unwrap();
    let failed =
        steps.iter().find(|s| s["outcome"] == "failed").unwrap_or_else(|| panic!("{report}"));
    let first = &report["causes"][0];
    assert!(!first["remedy"].as_str().unwrap().is_empty());
    [&report["verdict"], &failed["step"], &first["code"]].map(|value| value.as_str().unwrap())
}

#[test]
fn a_platform_that_is_not_reached_is_told_apart_by_how() {
    let Some(cli) = with_device() else { return };
    let nobody = check(&cli, "localhost", free_port(), 3);
    assert_eq!(told(&nobody), ["not_reached", "tcp", "wrong-port"]);
    assert_eq!(nobody["causes"][1]["code"], "port-closed");

    let silent = listen(|mut stream| {
        std::thread::spawn(move || {
            let _ = stream.read_to_end(&mut Vec::new());
        });
    });
    assert_eq!(told(&check(&cli, "localhost", silent, 3)), ["not_reached", "tls", "wrong-port"]);
    let closes = listen(drop);
    assert_eq!(told(&check(&cli, "localhost", closes, 3)), ["not_reached", "tls", "wrong-port"]);
    let web = listen(|mut stream| {
        let _ = stream.read(&mut [0; 512]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let report = check(&cli, "localhost", web, 3);
    assert_eq!(told(&report), ["not_reached", "tls", "wrong-port"]);
    assert!(report["steps"][6]["detail"].as_str().unwrap().ends_with("does not speak TLS"));
}

#[test]
fn each_connack_has_its_cause() {
    let Some(cli) = with_device() else { return };
    for (number, verdict, exit, cause) in [
        (1, "refused", 1, "wrong-endpoint"),
        (2, "refused", 1, "client-id"),
        (3, "not_reached", 3, "unavailable"),
        (4, "refused", 1, "certificate-not-asked"),
        (5, "refused", 1, "certificate-not-asked"),
    ] {
        let port = paper_broker(&cli, move |_, _| Reply::Octets(vec![0x20, 2, 0, number]));
        let report = check(&cli, "localhost", port, exit);
        assert_eq!(told(&report), [verdict, "connect", cause], "{number}");
        let detail = report["steps"][7]["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("CONNACK {number} (")), "{detail}");
    }
    let port = paper_broker(&cli, |_, _| Reply::Octets(vec![0x20, 2, 0, 5]));
    let causes = check(&cli, "localhost", port, 1)["causes"].clone();
    let codes: Vec<&str> =
        causes.as_array().unwrap().iter().map(|c| c["code"].as_str().unwrap()).collect();
    // What the server has not asked for cannot be wrong for it.
    assert_eq!(codes, ["certificate-not-asked", "overload"]);
}

#[test]
fn sessions_that_go_wrong_later_say_where() {
    let Some(cli) = with_device() else { return };
    let polite_but = |kind: u8, reply: Reply| {
        paper_broker(&cli, move |k, body| if k == kind { reply.clone() } else { polite(k, body) })
    };
    // With the second message 100: as when the device itself, which is in use, connects again.
    let seen = AtomicUsize::new(0);
    let ended = paper_broker(&cli, move |kind, body| {
        match kind == 3 && seen.fetch_add(1, Ordering::SeqCst) == 1 {
            true => Reply::Close,
            false => polite(kind, body),
        }
    });
    for (port, exit, wanted) in [
        (ended, 3, ["not_reached", "receive", "connected-twice"]),
        (polite_but(1, Reply::Nothing), 3, ["not_reached", "connect", "overload"]),
        (polite_but(1, Reply::Close), 3, ["not_reached", "connect", "certificate-not-asked"]),
        (
            polite_but(1, Reply::Octets(b"HTTP/1.1".to_vec())),
            3,
            ["not_reached", "connect", "wrong-port"],
        ),
        (polite_but(3, Reply::Close), 3, ["not_reached", "publish", "connected-twice"]),
        (polite_but(3, Reply::Nothing), 3, ["not_reached", "publish", "overload"]),
        (
            polite_but(8, Reply::Octets(vec![0x90, 3, 0, 1, 0x80])),
            1,
            ["refused", "subscribe", "not-the-platform"],
        ),
        (
            polite_but(8, Reply::Octets(vec![0x20, 2, 0, 5])),
            1,
            ["refused", "subscribe", "certificate-not-asked"],
        ),
    ] {
        assert_eq!(told(&check(&cli, "localhost", port, exit)), wanted);
    }
}

#[test]
fn an_error_of_the_platform_is_shown_and_operations_are_counted() {
    let Some(cli) = with_device() else { return };
    let message = |topic: &str, text: &str| {
        let length = u8::try_from(2 + topic.len() + text.len()).unwrap();
        let head = vec![0x30, length, 0, u8::try_from(topic.len()).unwrap()];
        [head, topic.as_bytes().to_vec(), text.as_bytes().to_vec()].concat()
    };
    // With the second message 100, when the device listens.
    let after_second = |more: Vec<u8>| {
        let seen = AtomicUsize::new(0);
        paper_broker(&cli, move |kind, body| match polite(kind, body) {
            Reply::Octets(mut bytes) if kind == 3 => {
                if seen.fetch_add(1, Ordering::SeqCst) == 1 {
                    bytes.extend(&more);
                }
                Reply::Octets(bytes)
            }
            other => other,
        })
    };
    let error = after_second(message("s/e", "41,100,\u{1b}[31mno right"));
    let report = check(&cli, "localhost", error, 1);
    assert_eq!(told(&report), ["refused", "receive", "message-refused"]);
    let detail = report["steps"][10]["detail"].as_str().unwrap();
    assert_eq!(detail, "s/e says \"41,100,\\u{1b}[31mno right\"");

    let operation = after_second(message("s/ds", "510,gw-1"));
    let report = check(&cli, "localhost", operation, 0);
    let detail = report["steps"][10]["detail"].as_str().unwrap();
    assert_eq!(detail, "no error on s/e; messages on s/ds: 1");
    let note = report["notes"][0].as_str().unwrap();
    assert!(note.starts_with("the server did not ask for the certificate"), "{note}");
}

#[test]
fn the_host_comes_as_people_have_it() {
    let Some(cli) = with_device() else { return };
    let port = paper_broker(&cli, polite);
    let line = format!("device check gw-1 --truststore server-ca.pem --port {port} --json");
    for host in ["https://localhost", "https://localhost:9443/", "localhost:8111"] {
        let report = cli.run_with(&line, &[("C8Y_HOST", host)], b"").expect(0).json();
        assert_eq!(report["target"], format!("localhost:{port}"));
    }
    let nowhere = cli.run(line.trim_end_matches(" --json")).expect(2);
    assert_eq!(nowhere.error(), "the host to connect to is not given");
    let slow = std::time::Instant::now();
    let silent = paper_broker(&cli, |_, _| Reply::Nothing);
    let line = "device check gw-1 --truststore server-ca.pem --host localhost --timeout 1";
    cli.run(&format!("{line} --port {silent}")).expect(3);
    assert!(slow.elapsed() < Duration::from_secs(20), "{:?}", slow.elapsed());
}
