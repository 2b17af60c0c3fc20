//! Servers that mean no good to a device: they drip, they pour, and they begin what they do not end.

use std::io::{Read, Write};

use c8y_pki_tests::broker::Reply;
use c8y_pki_tests::broker::{listen, packet, polite, server_certificate};
use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::hostile::{Stream, drip, drip_record, https, json, pour, survive, tls};
use serde_json::Value;

/// 100 MiB, in KiB.
const MOST_MEMORY: u64 = 100 * 1024;

fn folder() -> Option<Cli> {
    let cli = Cli::with_cas();
    server_certificate(&cli)?;
    cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    Some(cli)
}

/// A handshake whose only record never comes to its end.
fn dripping() -> u16 {
    listen(|mut stream| {
        std::thread::spawn(move || drip(&mut stream, &[0x16, 3, 3, 0x40, 0, 2, 0, 0x3f, 0xfc, 3]));
    })
}

/// The step of `device check` that failed, and what it says.
fn check(cli: &Cli, port: u16) -> [String; 2] {
    let line = "device check gw-1 --truststore server-ca.pem --timeout 2 --attempts 1 --json";
    let (outcome, memory) = survive(cli, &format!("{line} --host localhost --port {port}"));
    assert!(memory < MOST_MEMORY, "{memory} KiB: {outcome:?}");
    let report = outcome.expect(3).json();
    assert_eq!(report["verdict"], "not_reached", "{report}");
    let steps = report["steps"].as_array().unwrap();
    let failed = steps.iter().find(|s| s["outcome"] == "failed").unwrap();
    ["step", "detail"].map(|name| failed[name].as_str().unwrap().to_owned())
}

/// A broker that is polite up to a packet of that kind, and then does something else.
fn until(cli: &Cli, kind: u8, then: impl Fn(&mut Stream) + Send + Sync + 'static) -> u16 {
    tls(cli, move |stream| {
        while let Some((found, body)) = packet(stream) {
            if found == kind {
                return then(stream);
            }
            if let Reply::Octets(bytes) = polite(found, &body) {
                let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
            }
        }
    })
}

/// A message of QoS 0 on `s/ds`.
fn message(payload: usize) -> Vec<u8> {
    let length = payload + 6;
    let low = u8::try_from(length & 0x7f).unwrap() | 0x80;
    let head = [0x30, low, u8::try_from(length >> 7).unwrap(), 0, 4];
    [&head[..], b"s/ds", &vec![b'x'; payload]].concat()
}

#[test]
fn a_handshake_that_drips_ends_in_time() {
    let Some(cli) = folder() else { return };
    let line = format!("store fetch localhost:{} --timeout 2", dripping());
    let (fetched, _) = survive(&cli, &line);
    let said = fetched.expect(3);
    assert!(said.error().ends_with("did not answer within 2 seconds"), "{said:?}");
    let [step, detail] = check(&cli, dripping());
    assert_eq!(step, "tls");
    assert!(detail.ends_with("did not answer in TLS within 2 seconds"), "{detail}");
    let zero = cli.fails(2, "store fetch localhost:1 --timeout 0");
    assert!(zero.contains("0 is not in 1..=600"), "{zero}");
    // Commands that would wait for a better network say so and go on; these ask once.
    for command in [
        "device token gw-1 --truststore server-ca.pem",
        "device connect gw-1 --truststore server-ca.pem --no-reconnect",
    ] {
        let (outcome, _) =
            survive(&cli, &format!("{command} --timeout 2 --host localhost --port {}", dripping()));
        let said = outcome.expect(3);
        assert!(said.error().contains("did not answer in TLS within 2 seconds"), "{said:?}");
    }
}

#[test]
fn answers_that_drip_end_in_time() {
    let Some(cli) = folder() else { return };
    let connack = until(&cli, 1, |stream| drip_record(stream, &[0x20, 2, 0, 0]));
    let [step, detail] = check(&cli, connack);
    assert_eq!(step, "connect");
    assert_eq!(detail, "the answer to CONNECT did not come within 2 seconds");
    let suback = until(&cli, 8, |stream| drip(stream, &[0x90, 0x7f, 0, 1, 0]));
    let [step, detail] = check(&cli, suback);
    assert_eq!(step, "subscribe");
    assert_eq!(detail, "the answer to SUBSCRIBE did not come within 2 seconds");
}

#[test]
fn messages_before_an_answer_do_not_fill_the_memory() {
    let Some(cli) = folder() else { return };
    for payload in [200, 16_000] {
        let flood = until(&cli, 8, move |stream| pour(stream, &message(payload)));
        let [step, detail] = check(&cli, flood);
        assert_eq!(step, "subscribe", "{detail}");
        assert!(
            detail.contains("while the answer to SUBSCRIBE was due, more than the 10000"),
            "{detail}"
        );
    }
    // Not asked for either: pings that nobody sent.
    let pings = until(&cli, 8, |stream| pour(stream, &[0xd0, 0].repeat(1000)));
    assert_eq!(check(&cli, pings)[0], "subscribe");
}

#[test]
fn packets_that_are_too_long_or_never_whole_are_refused() {
    let Some(cli) = folder() else { return };
    for length in [&[0xff, 0xff, 0xff, 0x7f][..], &[0xff, 0xff, 0xff, 0xff, 1]] {
        let bytes = [&[0x30], length, &[0, 4]].concat();
        let long = until(&cli, 8, move |stream| pour(stream, &bytes));
        let [step, detail] = check(&cli, long);
        assert_eq!(step, "subscribe");
        assert!(detail.starts_with("the server does not speak MQTT 3.1.1 as expected"), "{detail}");
    }
    // In a session that would last for ever.
    let half = tls(&cli, |stream| {
        let mut subscribed = 0;
        while let Some((kind, body)) = packet(stream) {
            let answer = match polite(kind, &body) {
                // A topic at a time.
                Reply::Octets(_) if kind == 8 => vec![0x90, 3, body[0], body[1], 0],
                Reply::Octets(bytes) => bytes,
                _ => Vec::new(),
            };
            let _ = stream.write_all(&answer).and_then(|()| stream.flush());
            subscribed += usize::from(kind == 8);
            if subscribed == 2 {
                return drip(stream, &[0x30, 0xff, 0xff, 0x03, 0, 4, b's']);
            }
        }
    });
    let line = "device connect gw-1 --truststore server-ca.pem --no-reconnect --timeout 2";
    let (outcome, _) = survive(&cli, &format!("{line} --host localhost --port {half}"));
    let said = outcome.expect(3);
    assert_eq!(said.error(), "the rest of a packet did not come within 2 seconds");
}

#[test]
fn a_token_that_is_not_there_is_an_error() {
    let Some(cli) = folder() else { return };
    for (body, problem) in
        [("{}", "missing field `accessToken`"), ("[", "its JSON is not what was")]
    {
        let port = https(&cli, move |_, stream| json(stream, "200 OK", body));
        let line =
            "device token gw-1 --truststore server-ca.pem --https --timeout 2 --host localhost";
        let (outcome, _) = survive(&cli, &format!("{line} --https-port {port}"));
        let said = outcome.expect(3);
        assert!(said.error().contains("POST /devicecontrol/deviceAccessToken"), "{said:?}");
        assert!(said.error().contains(problem), "{said:?}");
    }
}

#[test]
fn a_registration_that_is_another_devices_is_not_taken_for_its_own() {
    let Some(cli) = folder() else { return };
    for body in ["{}", r#"{"externalId":"gw-2","type":"c8y_Serial"}"#] {
        let port = https(&cli, move |line, stream| {
            let body = match line {
                line if line.contains("currentTenant") => r#"{"name":"t1"}"#,
                line if line.contains("externalIds") => body,
                _ => r#"{"certificates":[]}"#,
            };
            json(stream, "200 OK", body);
        });
        let refuses = until(&cli, 1, |stream| {
            let _ = stream.write_all(&[0x20, 2, 0, 5]).and_then(|()| stream.flush());
            let _ = stream.read(&mut [0]);
        });
        let line = "device check gw-1 --truststore server-ca.pem --attempts 1 --json --user admin \
                    --tenant-password-file pw --cacert server-ca.pem";
        let variables = [("C8Y_HOST", format!("localhost:{port}"))];
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let outcome = cli.run_with(&format!("{line} --port {refuses}"), &variables, b"");
        let report: Value = outcome.json();
        let notes = report["notes"].to_string();
        assert!(
            notes.contains("/identity/externalIds/c8y_Serial/gw-1 as Cumulocity does"),
            "{report}"
        );
        assert!(report["tenant"]["registered"].is_null(), "{report}");
    }
}
