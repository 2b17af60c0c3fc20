//! TLS servers of others that want a client certificate: OpenSSL, GnuTLS and Java, each with the server's
//! certificate of [`server_certificate`](crate::broker::server_certificate) in the directory. They speak no MQTT.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cli::{Cli, PASSWORD};
use crate::ports::free_port;
use crate::workshop::root;
use crate::{Ended, arg, java_dir, tool};

/// Options of `openssl s_server` that make it want a client certificate.
pub const WANTS: &str = "-Verify 10 -verify_return_error";

/// So many CAs with the longest of common names, as PEM.
pub fn many_cas(number: usize) -> Vec<String> {
    let name = |at: usize| format!("Another CA {at:0>53}");
    (0..number).map(|at| root(&name(at), None).pem()).collect()
}

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server, which ends with the test.
#[derive(Debug)]
pub struct TlsServer {
    /// Where it listens, on localhost.
    pub port: u16,
    _child: Ended,
}

impl TlsServer {
    /// `openssl s_server` with more options, in which `@name` is a file of the directory. None if it is not installed.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn openssl(cli: &Cli, options: &str) -> Option<Self> {
        Self::openssl_with(cli, "server", options)
    }

    /// The same with the server's certificate `<server>.pem`.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn openssl_with(cli: &Cli, server: &str, options: &str) -> Option<Self> {
        let openssl = tool("openssl")?;
        let port = free_port();
        let line = format!(
            "s_server -accept 127.0.0.1:{port} -quiet -cert @{server}.pem -key @{server}.key {options}"
        );
        let words = line.split_whitespace().map(|word| match word.strip_prefix('@') {
            Some(name) => cli.arg(name),
            None => word.to_owned(),
        });
        let mut command = Command::new(openssl.path());
        command.args(words.collect::<Vec<_>>());
        Some(Self::start(command, port, cli, "openssl.log"))
    }

    /// `gnutls-serv`, which verifies clients by the CAs in the file `ca`, with a priority string. None if it is not
    /// installed.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn gnutls(cli: &Cli, ca: &str, priority: &str) -> Option<Self> {
        let gnutls = tool("gnutls-serv")?;
        let port = free_port();
        let mut command = Command::new(gnutls.path());
        command.args(["--port", &port.to_string(), "--echo", "--priority", priority]);
        command.args(["--x509certfile", &cli.arg("server.pem")]);
        command.args(["--x509keyfile", &cli.arg("server.key")]);
        command.args(["--x509cafile", &cli.arg(ca)]);
        command.args(["--require-client-cert", "--verify-client-cert"]);
        Some(Self::start(command, port, cli, "gnutls.log"))
    }

    /// Java's `SSLServerSocket`, which verifies clients by the CAs in the PEM file `ca`. None if there is no JDK.
    ///
    /// # Panics
    ///
    /// When it does not compile or start.
    pub fn java(cli: &Cli, ca: &str, versions: &str) -> Option<Self> {
        if !cli.path("java-server.p12").is_file() {
            let store = "--store-password-file pw";
            cli.ok(&format!(
                "store create java-server.p12 --key server.key --cert server.pem {store}"
            ));
        }
        Self::java_with(cli, ca, versions)
    }

    /// The same with the keystore `java-server.p12`, which is there already.
    ///
    /// # Panics
    ///
    /// As [`TlsServer::java`].
    pub fn java_with(cli: &Cli, ca: &str, versions: &str) -> Option<Self> {
        let (javac, java) = (tool("javac")?, tool("java")?);
        let quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];
        if !cli.path("TlsServer.class").is_file() {
            let source = java_dir().join("TlsServer.java");
            let own = quick.map(|option| format!("-J{option}"));
            javac.run(&[&own[0], &own[1], "-encoding", "UTF-8", "-d", &cli.arg("."), arg(&source)]);
            let store = "--store-password-file pw";
            cli.ok(&format!("store create java-trust.p12 --trusted {ca} {store}"));
        }
        let port = free_port();
        let mut command = Command::new(java.path());
        command.env("STORE_PASSWORD", PASSWORD).args(quick).args(["-cp", ".", "TlsServer"]);
        command.args([&port.to_string(), "java-server.p12", "java-trust.p12", versions]);
        Some(Self::start(command, port, cli, "java.log"))
    }

    fn start(mut command: Command, port: u16, cli: &Cli, log: &str) -> Self {
        let file = std::fs::File::create(cli.path(log)).expect("a log");
        let other = file.try_clone().expect("the same log");
        // Its standard input stays open: some end with it.
        command.current_dir(cli.path(".")).stdin(Stdio::piped()).stdout(file).stderr(other);
        let child: Child = command.spawn().expect("the server starts");
        let mut child = Ended(child);
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let over = child.0.try_wait().expect("the system knows its children");
            let said = || cli.text(log);
            assert!(over.is_none() && Instant::now() < end, "{command:?}: {over:?}\n{}", said());
            sleep(Duration::from_millis(20));
        }
        Self { port, _child: child }
    }
}
