//! A TLS server between the real binary and a sandbox: it keeps what is asked, passes it on, and can refuse a
//! call on the way.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, DistinguishedName, RootCertStore,
    ServerConfig, ServerConnection, SignatureScheme, StreamOwned,
};

use crate::broker::listen;
use crate::cli::{Cli, walk};

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `GET`, `POST` …
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// What stands behind `?`.
    pub query: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// What it carries.
    pub body: Vec<u8>,
}

impl Asked {
    /// The value of a header, if it is there once; all of them with `, ` between if it is there more often.
    pub fn header(&self, name: &str) -> Option<String> {
        let named = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let values: Vec<&str> = named.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    fn read(head: &str, body: Vec<u8>) -> Option<Self> {
        let mut lines = head.lines();
        let mut first = lines.next()?.split(' ');
        let (method, target) = (first.next()?.to_owned(), first.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        let (path, query) = (path.to_owned(), query.to_owned());
        Some(Self { method, path, query, headers: lines.filter_map(header).collect(), body })
    }
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is passed on, and its answer passed back.
    Pass,
    /// It is answered with 403, in place of the sandbox.
    Refuse,
    /// It is passed on, and its answer is lost: the connection ends without one.
    Lose,
}

type Decides = Box<dyn FnMut(&Asked) -> Fate + Send>;

/// What its connections share.
struct Shared {
    upstream: u16,
    roots: RootCertStore,
    folder: PathBuf,
    asked: Mutex<Vec<Asked>>,
    decides: Mutex<Option<Decides>>,
}

/// Keeps what is asked on its way.
pub struct Recorder {
    /// Where it listens, on localhost.
    pub port: u16,
    shared: Arc<Shared>,
}

impl Recorder {
    /// Before a port of a sandbox, with [`server_certificate`](crate::broker::server_certificate) of the
    /// directory. A client that presents a certificate is passed on with it: the directory has to hold its
    /// `chain.pem` and `key.pem`.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn before(cli: &Cli, upstream: u16, ca_pem: &str) -> Self {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).expect("a CA");
        roots.add(ca).expect("a CA");
        let shared = Arc::new(Shared {
            upstream,
            roots,
            folder: cli.path(""),
            asked: Mutex::default(),
            decides: Mutex::default(),
        });
        let (config, of_threads) = (server_config(cli), Arc::clone(&shared));
        let port = listen(move |stream| {
            let (config, shared) = (Arc::clone(&config), Arc::clone(&of_threads));
            thread::spawn(move || {
                let connection = ServerConnection::new(config).expect("a connection");
                shared.serve(StreamOwned::new(connection, stream));
            });
        });
        Self { port, shared }
    }

    /// What was asked since this was asked last.
    pub fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut lock(&self.shared.asked))
    }

    /// Decides from now on about each call.
    pub fn decide(&self, fate: impl FnMut(&Asked) -> Fate + Send + 'static) {
        *lock(&self.shared.decides) = Some(Box::new(fate));
    }

    /// Sends a request of our own to the sandbox, with JSON: the status of the answer, if there is one.
    pub fn send(&self, user: &str, password: &str, what: &str, json: &str) -> Option<u16> {
        let login = STANDARD.encode(format!("{user}:{password}"));
        let head = format!(
            "{what} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {login}\r\n\
             Accept: application/json\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            json.len()
        );
        let answer = self.shared.pass_on(&head, json.as_bytes(), None);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        answer.split(' ').nth(1)?.parse().ok()
    }

    /// Passes everything again.
    pub fn let_pass(&self) {
        *lock(&self.shared.decides) = None;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics with it")
}

/// What the platform says to a user without the role.
const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden\r\n\
    Content-Type: application/vnd.com.nsn.cumulocity.error+json\r\nContent-Length: 59\r\n\
    Connection: close\r\n\r\n\
    {\"error\":\"security/Forbidden\",\"message\":\"Access is denied\"}";

impl Shared {
    fn serve(&self, mut client: StreamOwned<ServerConnection, TcpStream>) {
        let Some((head, body)) = request(&mut client) else { return };
        let Some(asked) = Asked::read(&head, body.clone()) else { return };
        let fate = lock(&self.decides).as_mut().map_or(Fate::Pass, |decides| decides(&asked));
        lock(&self.asked).push(asked);
        let presented = client.conn.peer_certificates().and_then(|chain| chain.first());
        let answer = match fate {
            Fate::Refuse => FORBIDDEN.as_bytes().to_vec(),
            Fate::Pass => self.pass_on(&head, &body, presented),
            Fate::Lose => {
                self.pass_on(&head, &body, presented);
                Vec::new()
            }
        };
        // One request a connection: the answer says so, and a client that is gone has had enough.
        let _ = client.write_all(&answer).and_then(|()| client.flush());
        client.conn.send_close_notify();
        let _ = client.flush();
    }

    /// The answer of the sandbox, as far as it comes.
    fn pass_on(&self, head: &str, body: &[u8], presented: Option<&CertificateDer<'_>>) -> Vec<u8> {
        let name = ServerName::try_from("localhost").expect("a name");
        let tls = Arc::new(self.client_config(presented));
        let connection = ClientConnection::new(tls, name).expect("TLS");
        let Ok(stream) = TcpStream::connect(("127.0.0.1", self.upstream)) else {
            return Vec::new();
        };
        let mut server = StreamOwned::new(connection, stream);
        let closing = head.trim_end().to_owned() + "\r\nConnection: close\r\n\r\n";
        let sent = server.write_all(&[closing.as_bytes(), body].concat());
        let mut answer = Vec::new();
        if sent.and_then(|()| server.flush()).is_ok() {
            // A server that is to fail ends in the middle.
            let _ = server.read_to_end(&mut answer);
        }
        answer
    }

    fn client_config(&self, presented: Option<&CertificateDer<'_>>) -> ClientConfig {
        let tls = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_root_certificates(self.roots.clone());
        match presented {
            None => tls.with_no_client_auth(),
            Some(leaf) => {
                let (chain, key) = identity(&self.folder, leaf);
                tls.with_client_auth_cert(chain, key).expect("a chain and its key")
            }
        }
    }
}

/// Chain and key of a certificate, from the directory of the directory that has both.
fn identity(
    folder: &Path,
    leaf: &CertificateDer<'_>,
) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let mut found = None;
    walk(folder, &mut |path| {
        let is_chain = path.file_name().is_some_and(|name| name == "chain.pem");
        let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
        let Some(Ok(chain)) = is_chain.then(read) else { return };
        if chain.first().is_some_and(|first| **first == **leaf)
            && let Ok(key) = PrivateKeyDer::from_pem_file(path.with_file_name("key.pem"))
        {
            found = Some((chain, key));
        }
    });
    found.expect("the directory has the device's chain and key")
}

/// The head of a request up to its empty line, and its body; none at the end.
fn request(stream: &mut impl Read) -> Option<(String, Vec<u8>)> {
    let (mut head, mut octet) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut octet).ok()?;
        head.push(octet[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let length = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    };
    let mut body = vec![0; head.lines().find_map(length).unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn server_config(cli: &Cli) -> Arc<ServerConfig> {
    let chain = CertificateDer::from_pem_file(cli.path("server.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(cli.path("server.key")).expect("a key");
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_client_cert_verifier(Arc::new(Anybody))
        .with_single_cert(vec![chain], key)
        .expect("key and certificate fit");
    Arc::new(config)
}

/// No matter who a client is: the sandbox judges it.
#[derive(Debug)]
struct Anybody;

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls12_signature(message, leaf, signed, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls13_signature(message, leaf, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
