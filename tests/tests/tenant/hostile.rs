//! A tenant that is none: answers that never end, that are huge, and that lack what they must have.

use c8y_pki_tests::broker::{listen, server_certificate};
use c8y_pki_tests::cli::{Cli, PASSWORD};
use c8y_pki_tests::hostile::{Stream, begin, drip, https, https_heads, json, pour, survive};
#[cfg(target_os = "linux")]
use c8y_pki_tests::{hostile::survive_with, tool};

/// 100 MiB, in KiB: far more than any honest answer takes.
const MOST_MEMORY: u64 = 100 * 1024;

const TENANT: &str = r#"{"name":"t1","domainName":"localhost"}"#;

fn folder() -> Option<Cli> {
    let cli = Cli::new();
    server_certificate(&cli)?;
    Some(cli)
}

/// A command against a server at that port, which has to end; what it says on standard error.
fn run(cli: &Cli, port: u16, command: &str, code: i32) -> String {
    let (outcome, memory) = survive(
        cli,
        &format!(
            "{command} --host localhost:{port} --user admin --tenant-password-file pw --cacert server-ca.pem \
             --timeout 2 --retries 0"
        ),
    );
    assert!(memory < MOST_MEMORY, "{memory} KiB: {outcome:?}");
    eprintln!("{memory} KiB: {}", outcome.stderr);
    outcome.expect(code).error().to_owned()
}

/// The same against a web server.
fn ask(
    cli: &Cli,
    command: &str,
    code: i32,
    answer: impl Fn(&str, &mut Stream) + Send + Sync + 'static,
) -> String {
    run(cli, https(cli, answer), command, code)
}

#[test]
fn a_tenant_that_drips_has_the_time_of_one_answer() {
    let Some(cli) = folder() else { return };
    // The header of a record of TLS, and then a handshake that does not come to its end.
    let handshake = listen(|mut stream| {
        std::thread::spawn(move || drip(&mut stream, &[0x16, 3, 3, 0x40, 0, 2, 0, 0x3f, 0xfc, 3]));
    });
    let said = run(&cli, handshake, "tenant status", 3);
    assert!(said.ends_with("no connection came about in time"), "{said}");

    let late = "did not answer within 2 seconds";
    let headers = ask(&cli, "tenant status", 3, |_, s| drip(s, b"HTTP/1.1 200 OK\r\nX-Slow: x"));
    assert!(headers.ends_with(late), "{headers}");
    let body = ask(&cli, "tenant status", 3, |_, stream| {
        begin(stream);
        drip(stream, TENANT.as_bytes());
    });
    assert!(body.ends_with(late), "{body}");
    let chunks = ask(&cli, "tenant status", 3, |_, stream| {
        let _ = std::io::Write::write_all(
            stream,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        drip(stream, b"1;extension=aaaaaaaaaaaaaaaa");
    });
    assert!(chunks.ends_with(late), "{chunks}");
}

#[test]
fn a_tenant_that_pours_does_not_fill_the_memory() {
    let Some(cli) = folder() else { return };
    let large = vec![b' '; 1 << 20];
    let body = ask(&cli, "tenant status", 3, move |_, stream| {
        begin(stream);
        pour(stream, &large);
    });
    assert!(body.ends_with("the answer is longer than 4096 KiB"), "{body}");
    let headers = ask(&cli, "tenant status", 3, |_, stream| {
        let _ = std::io::Write::write_all(stream, b"HTTP/1.1 200 OK\r\n");
        pour(stream, b"X-Header: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
    });
    assert!(headers.contains("broke off its answer to GET /tenant/currentTenant"), "{headers}");
    let one = ask(&cli, "tenant status", 3, |_, stream| {
        let _ = std::io::Write::write_all(stream, b"HTTP/1.1 200 OK\r\nX-Header: ");
        pour(stream, &[b'a'; 4096]);
    });
    assert!(one.contains("broke off its answer"), "{one}");
    let extension = ask(&cli, "tenant status", 3, |_, stream| {
        let _ = std::io::Write::write_all(
            stream,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=",
        );
        pour(stream, &[b'a'; 4096]);
    });
    assert!(extension.contains("broke off its answer"), "{extension}");
}

/// Lists whose text is small beside what it would become in memory.
#[test]
fn what_is_small_as_text_does_not_become_large() {
    let Some(cli) = folder() else { return };
    let listed = |list: String| {
        ask(&cli, "tenant trust list", 3, move |line, stream| {
            match line.contains("currentTenant") {
                true => json(stream, "200 OK", TENANT),
                false => json(stream, "200 OK", &list),
            }
        })
    };
    let many =
        format!(r#"{{"certificates":[{}]}}"#, vec![r#"{"fingerprint":"a"}"#; 300_000].join(","));
    let said = listed(many);
    assert!(said.contains("a list has more than 2000 entries"), "{said}");
    // A value of many small ones, where a flag belongs, and where nothing is known.
    let heap = vec!["[]"; 2_000_000].join(",");
    let flag =
        format!(r#"{{"certificates":[{{"fingerprint":"a","proofOfPossessionValid":[{heap}]}}]}}"#);
    let said = listed(flag);
    assert!(said.contains("expected true or false"), "{said}");
    let deep = listed(format!(r#"{{"certificates":{}"#, "[".repeat(5 << 20)));
    assert!(deep.contains("its JSON is not what was expected"), "{deep}");
    let deep = listed(format!(r#"{{"unknown":{}"#, "[".repeat(5 << 20)));
    assert!(deep.contains("its JSON is not what was expected"), "{deep}");
    let words = ask(&cli, "tenant status", 1, move |_, stream| {
        json(
            stream,
            "400 Bad Request",
            &format!(r#"{{"message":[{}]}}"#, vec!["[]"; 1_000_000].join(",")),
        );
    });
    assert!(words.contains("400"), "{words}");
}

#[test]
fn compressed_answers_are_not_unpacked() {
    let Some(cli) = folder() else { return };
    let said = ask(&cli, "tenant status", 3, |_, stream| {
        // The beginning of a gzip file: what it would unpack to does not matter.
        let _ = std::io::Write::write_all(
            stream,
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\
              Content-Length: 10\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03",
        );
    });
    assert!(said.contains("its JSON is not what was expected"), "{said}");
}

#[test]
fn an_answer_without_what_it_must_have_is_an_error() {
    let Some(cli) = folder() else { return };
    cli.write("devices.csv", "ID;AUTH_TYPE\na;CERTIFICATES\n");
    let tenant = "GET /tenant/currentTenant";
    let lists = "GET /tenant/tenants/t1/trusted-certificates";
    for (command, call, answer, problem) in [
        ("tenant status", tenant, "{}", "missing field `name`"),
        ("tenant status", tenant, r#"{"name":""}"#, "the name of the tenant is empty"),
        ("tenant status", tenant, r#"{"name":7}"#, "invalid type: integer `7`, expected a string"),
        ("tenant status", "GET /user/currentUser", "{}", "missing field `userName`"),
        (
            "tenant status",
            "GET /user/currentUser",
            r#"{"userName":"u","effectiveRoles":[{}]}"#,
            "missing field `id`",
        ),
        ("tenant trust list", lists, "{}", "missing field `certificates`"),
        ("tenant trust list", lists, r#"{"certificates":null}"#, "expected a list of at most"),
        ("tenant trust list", lists, r#"{"certificates":[{}]}"#, "missing field `fingerprint`"),
        ("tenant trust list", lists, "[]", "invalid length 0, expected struct Page"),
        (
            "registration upload devices.csv",
            "POST /devicecontrol/bulkNewDeviceRequests",
            "{}",
            "missing field `numberOfAll`",
        ),
    ] {
        let called = call.to_owned();
        let said = ask(&cli, command, 3, move |line, stream| {
            let body = if line.starts_with(&called) {
                answer
            } else if line.contains("currentTenant") {
                TENANT
            } else {
                r#"{"userName":"u"}"#
            };
            json(stream, "200 OK", body);
        });
        assert!(said.starts_with("localhost:") && said.contains(call), "{command}: {said}");
        assert!(said.contains(problem), "{command} {answer}: {said}");
        assert!(!said.contains(PASSWORD));
    }
}

/// As services do that repeat what they did not understand. [`cli::Outcome`](c8y_pki_tests::cli::Outcome) holds what is
/// said to the whole password.
#[test]
fn a_login_that_comes_back_is_not_told() {
    let Some(cli) = folder() else { return };
    for status in ["403 Forbidden", "400 Bad Request"] {
        // Words of 1000 bytes are told: the second time they end in the middle of the password.
        for before in ["no: ".to_owned(), "x".repeat(990)] {
            let is_cut = before.len() > 900;
            let port = https_heads(&cli, move |head, stream| {
                let name = "authorization: ";
                let is_it = |line: &&str| line.to_ascii_lowercase().starts_with(name);
                let field = &head.lines().find(is_it).expect("a login")[name.len()..];
                let said = serde_json::json!({ "message": format!("{before}{PASSWORD} {field}") });
                json(stream, status, &said.to_string());
            });
            let said = cli.run(&format!(
                "tenant status -v --host localhost:{port} --user admin --tenant-password-file pw \
                 --cacert server-ca.pem --retries 0"
            ));
            assert!(said.code > 0, "{said:?}");
            // Both in the error and of the request.
            let told = if is_cut { "x***" } else { "no: *** Basic ***" };
            assert!(said.error().contains(told), "{said:?}");
            assert_eq!(said.stderr.matches(told).count(), 2, "{said:?}");
            for part in [&PASSWORD[..4], "YWRtaW46"] {
                assert!(!said.stderr.contains(part), "{part}: {said:?}");
            }
        }
    }
}

#[test]
fn an_upload_counts_when_the_answer_is_about_that_certificate() {
    let Some(cli) = folder() else { return };
    for (answer, problem) in [
        ("{}", "missing field `fingerprint`"),
        (r#"{"fingerprint":"00"}"#, "its answer is about another certificate, 00"),
    ] {
        let said = ask(&cli, "tenant trust add server-ca.pem", 3, move |line, stream| {
            let body = if line.contains("currentTenant") { TENANT } else { answer };
            match line.starts_with("GET /tenant/tenants") {
                true => json(stream, "404 Not Found", "{}"),
                false => json(stream, "201 Created", body),
            }
        });
        assert!(said.contains(problem), "{said}");
    }
}

/// A resolver in place of the system's, which takes longer than any test has patience.
#[cfg(target_os = "linux")]
const SLOW_RESOLVER: &str = "#include <netdb.h>
#include <unistd.h>
int getaddrinfo(const char *n, const char *s, const struct addrinfo *h, struct addrinfo **r) {
    sleep(600);
    return EAI_AGAIN;
}
";

#[cfg(target_os = "linux")]
#[test]
fn a_resolver_that_does_not_answer_is_not_waited_for() {
    let Some(cc) = tool("cc") else { return };
    let cli = Cli::new();
    cli.write("slow.c", SLOW_RESOLVER);
    let library = cli.arg("slow.so");
    cc.run(&["-shared", "-fPIC", "-o", &library, &cli.arg("slow.c")]);
    let login = "--user admin --tenant-password-file pw --retries 0";
    for (line, said) in [
        (
            "store fetch acme.example.com:8883 --timeout 2".to_owned(),
            "the host name \"acme.example.com\" does not resolve: no answer within 2 seconds",
        ),
        (
            format!("tenant status --host acme.example.com --timeout 2 {login}"),
            "cannot connect to acme.example.com: no connection came about in time",
        ),
    ] {
        let (outcome, _) = survive_with(&cli, &line, &[("LD_PRELOAD", &library)]);
        assert_eq!(outcome.expect(3).error(), said);
    }
}
