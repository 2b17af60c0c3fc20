//! Reaching a tenant: what `tenant status` says, and each way in which it does not get there.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use c8y_pki_sandbox::Settings;
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{Cli, Outcome, PASSWORD};

/// Runs `tenant status` against any host.
fn status(cli: &Cli, line: &str, variables: &[(&str, &str)]) -> Outcome {
    let all = [&[("C8Y_USER", "admin"), ("C8Y_PASSWORD", PASSWORD)], variables].concat();
    cli.run_with(&format!("tenant status --retries 0 {line}"), &all, b"")
}

/// A server on a port of its own that does one thing with each connection.
fn server(each: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().flatten().for_each(each));
    port
}

#[test]
fn it_says_which_tenant_and_what_the_user_may() {
    let at = AtTenant::new(Cli::new());
    let text = at.ok("tenant status");
    assert!(text.starts_with("tenant        t1001 (localhost:"), "{text}");
    assert!(text.contains("trusted CAs   allowed\nregistration  allowed\n"), "{text}");
    let json = at.run("tenant status --json").expect(0).json();
    assert_eq!((&json["id"], &json["user"]), (&"t1001".into(), &"admin".into()));
    assert_eq!(json["trusted"]["total"], 0);

    let half = at.run_as("devices", "tenant status").expect(1).stdout;
    assert!(
        half.contains("trusted CAs   NOT allowed: ask an administrator for ROLE_TENANT"),
        "{half}"
    );
    let none = at.run_as("reader", "tenant status --json").expect(1).json();
    assert_eq!(
        (&none["trusted_certificates"], &none["registration"]),
        (&"no".into(), &"no".into())
    );
    let other = at.run_with("tenant status", &[("C8Y_USER", "t1002/admin")]).expect(0).stdout;
    assert!(other.starts_with("tenant        t1002 "), "{other}");
    let token = at.sandbox.token();
    let by_token = at.run_with("tenant status", &[("C8Y_TOKEN", token.expose())]).expect(0);
    assert!(!format!("{by_token:?}").contains(token.expose()));
}

#[test]
fn wrong_credentials_are_told_apart_from_missing_rights() {
    let at = AtTenant::new(Cli::new());
    let wrong = at.run_with("tenant status", &[("C8Y_PASSWORD", "nonsense")]).expect(2);
    assert!(
        wrong.error().ends_with("does not accept the password of the user \"admin\""),
        "{wrong:?}"
    );
    assert!(
        wrong.stderr.contains("hint: check the login (tokens expire): C8Y_USER and C8Y_PASSWORD"),
        "{wrong:?}"
    );
    let token = at.run_with("tenant status", &[("C8Y_TOKEN", "e30.e30.e30")]).expect(2);
    assert!(token.error().ends_with("does not accept the token"), "{token:?}");
    let forbidden = at.run_as("devices", "tenant trust list").expect(2);
    assert!(
        forbidden.error().starts_with("the user \"devices\" may not GET /tenant"),
        "{forbidden:?}"
    );
    assert!(forbidden.stderr.contains("hint: ask an administrator of the tenant for ROLE_TENANT_"));
    let nobody = at.run_with("tenant status", &[("C8Y_USER", "")]).expect(2);
    assert!(nobody.error().starts_with("there is no user for https://localhost:"), "{nobody:?}");
    let no_password = at.run_with("tenant status", &[("C8Y_PASSWORD", "")]).expect(2);
    assert!(no_password.error().contains("the password of the user admin is needed"));
    let empty = at.run_with("tenant status", &[("C8Y_TENANT", "")]).expect(0);
    assert!(empty.stdout.starts_with("tenant        t1001"), "{empty:?}");
    let other =
        at.run_with("tenant status", &[("C8Y_TENANT", "t1002"), ("C8Y_USER", "t1001/admin")]);
    let other = other.expect(2);
    assert_eq!(other.error(), "the login belongs to the tenant t1001, not to t1002");
    let line_end = format!("{PASSWORD}\n");
    at.run_with("tenant status", &[("C8Y_PASSWORD", &line_end)]).expect(0);
    let no_host = Cli::new().run("tenant status").expect(2);
    assert_eq!(no_host.error(), "the host of the tenant is not given");
}

#[test]
fn a_tls_certificate_that_is_not_trusted_is_named() {
    let at = AtTenant::new(Cli::new());
    let unknown = at.run_with("tenant status", &[("C8Y_PKI_CACERT", "")]).expect(2);
    assert!(unknown.error().ends_with("is not trusted: no trusted CA signed it"), "{unknown:?}");
    assert!(unknown.stderr.contains("--cacert FILE"), "{unknown:?}");
    at.cli.write("no.pem", "nonsense");
    let bad = at.run_with("tenant status", &[("C8Y_PKI_CACERT", "no.pem")]).expect(2);
    assert!(bad.error().starts_with("no.pem: "), "{bad:?}");
}

#[cfg(target_os = "linux")] // Where every address of 127.0.0.0/8 is this machine's.
#[test]
fn a_tls_certificate_of_another_host_is_named() {
    let everywhere = std::net::IpAddr::from([0, 0, 0, 0]);
    let at = AtTenant::with(Cli::new(), Settings { bind: everywhere, ..Settings::default() });
    let elsewhere = at.sandbox.url().replace("localhost", "127.0.0.2");
    let name = at.run_with("tenant status --retries 0", &[("C8Y_HOST", &elsewhere)]).expect(3);
    assert!(name.error().ends_with("it was issued for another host name"), "{name:?}");
}

#[test]
fn hosts_that_are_none_or_do_not_answer() {
    let cli = Cli::new();
    let refused = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("--host 127.0.0.1:{}", listener.local_addr().unwrap().port())
    };
    let refused = status(&cli, &refused, &[]).expect(3);
    assert!(refused.error().contains("nothing listens on port "), "{refused:?}");
    let unknown = status(&cli, "--host no-such-host.invalid", &[]).expect(3);
    assert_eq!(unknown.error(), "the host name \"no-such-host.invalid\" does not resolve");

    let silent = server(|stream| {
        thread::sleep(std::time::Duration::from_secs(3));
        drop(stream);
    });
    let silent = status(&cli, &format!("--host 127.0.0.1:{silent} --timeout 1"), &[]).expect(3);
    assert!(silent.error().ends_with("no connection came about in time"), "{silent:?}");
    let plain = server(|mut stream| {
        let _ = stream.read(&mut [0; 512]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let plain = status(&cli, &format!("--host 127.0.0.1:{plain}"), &[]).expect(3);
    assert!(plain.error().ends_with("what answers there does not speak TLS"), "{plain:?}");

    for (host, problem) in [
        ("http://acme.cumulocity.com", "over http the password would be sent unencrypted"),
        ("https://acme.cumulocity.com/apps/devicemanagement", "no path"),
        ("https://me:secret@acme.cumulocity.com", "user and password do not belong into it"),
        (
            "http://me:secret@acme.cumulocity.com",
            "over http the password would be sent unencrypted",
        ),
        ("'https://me:secret@two words'", "no URL or host name"),
        ("'two words'", "no URL or host name"),
    ] {
        let bad = status(&cli, &format!("--host {host}"), &[]).expect(2);
        assert!(bad.error().contains(problem), "{bad:?}");
        assert!(bad.stderr.contains("hint: for example https://"), "{bad:?}");
        assert!(!bad.stderr.contains("secret"), "{bad:?}");
    }
}

/// A proxy that knows CONNECT only, and answers it with `answer`; with 200 it passes bytes on.
fn proxy(answer: &'static str) -> u16 {
    server(move |mut client| {
        let mut head = Vec::new();
        let mut octet = [0];
        while !head.ends_with(b"\r\n\r\n") && client.read(&mut octet).unwrap_or(0) == 1 {
            head.push(octet[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let _ = write!(client, "HTTP/1.1 {answer}\r\n\r\n");
        let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
        let Some(target) = target.filter(|_| answer.starts_with("200")) else { return };
        let server = TcpStream::connect(target).unwrap();
        let (mut from_server, mut to_client) =
            (server.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut from_server, &mut to_client));
        thread::spawn(move || std::io::copy(&mut client, &mut &server));
    })
}

#[test]
fn a_proxy_is_gone_through_and_named_when_it_refuses() {
    let at = AtTenant::new(Cli::new());
    let open = format!("http://127.0.0.1:{}", proxy("200 Connection established"));
    let through = at.run_with("tenant status", &[("HTTPS_PROXY", &open)]).expect(0);
    assert!(through.stdout.starts_with("tenant        t1001"), "{through:?}");

    let closed =
        format!("http://me:hunter2@127.0.0.1:{}", proxy("407 Proxy Authentication Required"));
    let refused = at.run_with("tenant status --retries 0", &[("HTTPS_PROXY", &closed)]).expect(3);
    assert!(refused.error().starts_with("the proxy http://127.0.0.1:"), "{refused:?}");
    assert!(!refused.stderr.contains("hunter2"), "{refused:?}");
    let variables = [("HTTPS_PROXY", closed.as_str()), ("NO_PROXY", "localhost")];
    at.run_with("tenant status", &variables).expect(0);
    let asked = at.run_with(
        &format!("tenant status --retries 0 --proxy {closed}"),
        &[("NO_PROXY", "localhost")],
    );
    asked.expect(3);
    let wrong = at.run_with("tenant status --proxy 'not a url'", &[]).expect(2);
    assert!(wrong.error().contains("is not the address of a proxy"), "{wrong:?}");
}

#[test]
fn a_proxy_that_refuses_once_is_asked_again() {
    let at = AtTenant::new(Cli::new());
    let refused = std::sync::atomic::AtomicBool::new(false);
    let good = proxy("200 Connection established");
    let port = server(move |mut client| {
        if !refused.swap(true, std::sync::atomic::Ordering::Relaxed) {
            return;
        }
        let mut proxy = TcpStream::connect(("127.0.0.1", good)).unwrap();
        let (mut back, mut front) = (proxy.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut back, &mut front));
        thread::spawn(move || std::io::copy(&mut client, &mut proxy));
    });
    let once = format!("http://127.0.0.1:{port}");
    let through = at.run_with("tenant status", &[("HTTPS_PROXY", &once)]).expect(0);
    assert!(through.stderr.contains("trying again in"), "{through:?}");
}

#[test]
fn what_is_no_tenant_is_not_taken_for_one() {
    // A web server with the right certificate, but of something else: the sandbox's page has no TLS.
    let at = AtTenant::new(Cli::new());
    let page = at.sandbox.management_url().replace("http://", "");
    let portal = at.run_with("tenant status --retries 0", &[("C8Y_HOST", &page)]).expect(3);
    assert!(portal.error().ends_with("does not speak TLS"), "{portal:?}");
}
