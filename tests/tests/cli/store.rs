//! `store`: made, extended, shown; and what a server presents.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use c8y_pki_core::cert::Certificate;
use c8y_pki_tests::cli::{CA_PW, Cli, PASSWORD};
use c8y_pki_tests::{Tool, ports, tool};

const PW: &str = "--store-password-file pw";

fn with_device() -> Cli {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue d --ca line --out out {CA_PW}"));
    cli
}

#[test]
fn stores_are_made_extended_and_shown() {
    let cli = with_device();
    for file in ["s.p12", "s.jks", "s.pem", "odd.bin"] {
        let format = if file == "odd.bin" { "--format p12" } else { "" };
        let heap = "--cert pki/ca/root/cert.pem --cert out/d/cert.pem --cert pki/ca/line/cert.pem";
        let made = cli.ok(&format!("store create {file} --key out/d/key.pem {heap} {format} {PW}"));
        assert!(made.contains("1 entries") || made.contains("1 entry"), "{made}");
        let said = cli.fails(2, &format!("store create {file} --trusted out/d/cert.pem {PW}"));
        assert!(
            said.contains("exists already") || said.contains("is not that of a store format"),
            "{said}"
        );
        let json = cli.run(&format!("store show {file} {PW} --json")).expect(0).json();
        assert_eq!(json["entries"][0]["chain_length"], 3, "{json}");
        if file == "s.pem" {
            continue;
        }
        assert_eq!(json["entries"][0]["alias"], "devicekeyentry", "{json}");
        cli.ok(&format!("store add {file} --trusted pki/ca/root/cert.pem --alias edge {PW}"));
        let text = cli.ok(&format!("store show {file} {PW}"));
        assert!(text.contains("2 entries") && text.contains("\"edge\": trusted"), "{text}");
    }
    let Some(keytool) = tool("keytool") else { return };
    for file in ["s.p12", "s.jks"] {
        let store = cli.arg(file);
        let list = keytool.run(&["-list", "-keystore", &store, "-storepass", PASSWORD]);
        assert!(list.contains("Your keystore contains 2 entries"), "{list}");
        assert!(list.contains("trustedCertEntry") && list.contains("PrivateKeyEntry"), "{list}");
    }
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let cli = with_device();
    cli.ok("key new --type ec-p256 --plain --out other.key");
    let line = format!("store create s.p12 --key other.key --cert out/d/chain.pem {PW}");
    cli.fails(2, &line);
    assert!(!cli.path("s.p12").exists());
}

#[test]
fn an_alias_in_use_is_refused() {
    let cli = with_device();
    cli.ok(&format!("store create t.p12 --trusted out/d/cert.pem --alias a {PW}"));
    let before = cli.read("t.p12");
    let line = format!("store add t.p12 --trusted pki/ca/root/cert.pem --alias a {PW}");
    let said = cli.fails(2, &line);
    assert!(said.contains("\"a\""), "{said}");
    assert_eq!(before, cli.read("t.p12"));
}

#[test]
fn a_jks_key_may_have_a_password_of_its_own() {
    let cli = with_device();
    cli.write("entry.pw", "Entry-Secret-3");
    cli.ok(&format!(
        "store create s.jks --key out/d/key.pem --cert out/d/chain.pem {PW} \
         --entry-password-file entry.pw"
    ));
    let sealed = cli.ok(&format!("store show s.jks {PW}"));
    assert!(sealed.contains("private key under another password, chain of 3"), "{sealed}");
    let open = cli.ok(&format!("store show s.jks {PW} --key-password-file entry.pw"));
    assert!(open.contains("\"devicekeyentry\": private key, chain of 3"), "{open}");
    let said = cli.fails(
        2,
        &format!(
            "store create s.p12 --key out/d/key.pem --cert out/d/chain.pem {PW} \
             --entry-password-file entry.pw"
        ),
    );
    assert!(said.contains("s.p12"), "{said}");
}

/// `openssl s_server`, ended when dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(openssl: &Tool, cli: &Cli, more: &[&str]) -> Self {
        let port = SocketAddr::from(([127, 0, 0, 1], ports::free_port()));
        let accept = port.to_string();
        let child = Command::new(openssl.path())
            .args(["s_server", "-www", "-quiet", "-accept", &accept])
            .args(["-cert", &cli.arg("out/d/cert.pem"), "-key", &cli.arg("out/d/key.pem")])
            .args(["-cert_chain", &cli.arg("out/d/chain.pem"), "-no-CAfile"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("s_server");
        let server = Self { child, port: port.port() };
        for _ in 0..200 {
            if TcpStream::connect(port).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("s_server does not listen on {port}");
    }

    fn fetch(&self) -> String {
        format!("store fetch 127.0.0.1:{} --timeout 20", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_certificates_of_a_server_are_fetched() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = with_device();
    let server = Server::start(&openssl, &cli, &[]);
    let leaf =
        Certificate::all_from_pem_or_der(&cli.read("out/d/cert.pem")).expect("PEM").remove(0);
    let text = cli.ok(&server.fetch());
    assert!(text.contains("[0] CN=d\n") && text.contains("CN=Line,O=Example"), "{text}");
    let json = cli.run(&format!("{} --json", server.fetch())).expect(0).json_lines();
    assert_eq!(json[0]["fingerprint_sha256"], leaf.fingerprint_sha256());
    cli.ok(&format!("{} --take leaf --out leaf.pem", server.fetch()));
    assert_eq!(cli.text("leaf.pem"), leaf.pem());
    cli.ok(&format!("{} --take all --out all.pem", server.fetch()));
    assert!(cli.text("all.pem").starts_with(&leaf.pem()));
    cli.ok(&format!("{} --out issuer.pem", server.fetch()));
    assert!(cli.ok("cert show issuer.pem").starts_with("CA certificate"));
    cli.ok(&format!("store create t.p12 --trusted issuer.pem {PW}"));
}

#[test]
fn a_server_that_wants_a_client_certificate_shows_its_own_first() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = with_device();
    for version in ["-tls1_2", "-tls1_3"] {
        let root = cli.arg("pki/ca/root/cert.pem");
        let more = ["-Verify", "1", "-verify_return_error", "-CAfile", &root, version];
        let server = Server::start(&openssl, &cli, &more[..]);
        let text = cli.ok(&server.fetch());
        assert!(text.contains("[0] CN=d\n"), "{version}: {text}");
    }
}

#[test]
fn nothing_that_listens_is_an_environment_that_failed() {
    let cli = Cli::new();
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
    let said = cli.fails(3, &format!("store fetch {port} --timeout 5 --out x.pem"));
    assert!(said.contains(&format!("cannot connect to {port}: nothing listens")), "{said}");
    assert!(!cli.path("x.pem").exists());
}

#[test]
fn a_server_that_is_silent_is_not_waited_for_forever() {
    let cli = Cli::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let said = cli.fails(3, &format!("store fetch {address} --timeout 1"));
    assert!(said.contains("did not answer within 1 seconds"), "{said}");
}

#[test]
fn a_server_that_speaks_something_else_is_told() {
    let cli = Cli::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().expect("a client");
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read(&mut [0; 1024]);
    });
    let outcome = cli.run(&format!("store fetch {address} --timeout 20"));
    server.join().expect("the server");
    assert!(outcome.code >= 2 && outcome.error().contains("does not speak TLS"), "{outcome:?}");
}

#[test]
fn servers_that_are_none_are_refused() {
    let cli = Cli::new();
    for server in ["host:port", "host:99999", ":8883", "'a b:8883'", "a/b:1"] {
        let said = cli.fails(2, &format!("store fetch {server}"));
        assert!(said.contains("HOST:PORT"), "{server}: {said}");
    }
}
