//! A client made by hand for the tests of the sandbox: nothing of the library's own client, so that no
//! misunderstanding is shared. One connection for each request; a connection that ends before the
//! answer is whole is an error.
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use c8y_pki_core::cert::{Certificate, Serial};
use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::issue::{self, Issuer, Order, Validity};
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::name::Name;
use c8y_pki_core::profile::Profile;
use c8y_pki_core::secret::Password;
use c8y_pki_sandbox::{Sandbox, Settings};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

/// The password of all users in tests; no state or page may ever hold it.
pub(crate) const PASSWORD: &str = "Marker-Secret-4711";

#[expect(clippy::disallowed_methods, reason = "the sandbox has a clock")]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

pub(crate) fn start() -> Sandbox {
    start_with(Settings::default())
}

pub(crate) fn start_with(settings: Settings) -> Sandbox {
    let password = Some(Password::new(PASSWORD));
    Sandbox::start(Settings { password, ..settings }).unwrap()
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Holds it to a status and the form of errors; returns the message.
    #[track_caller]
    pub(crate) fn error(self, status: u16) -> String {
        let value = self.expect(status).json();
        assert!(value["error"].as_str().unwrap().contains('/'), "{value}");
        assert!(value["info"].as_str().unwrap().starts_with("http"), "{value}");
        value["message"].as_str().unwrap().to_owned()
    }
}

/// A request; it is sent by `send`.
pub(crate) struct Call<'a> {
    sandbox: &'a Sandbox,
    method: &'a str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    announced: Option<usize>,
    identity: Option<(&'a Certificate, &'a PrivateKey)>,
}

pub(crate) fn call<'a>(sandbox: &'a Sandbox, method: &'a str, path: &str) -> Call<'a> {
    let (headers, body) = (Vec::new(), Vec::new());
    Call { sandbox, method, path: path.to_owned(), headers, body, announced: None, identity: None }
}

impl<'a> Call<'a> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn basic(self, user: &str, password: &str) -> Self {
        let value = STANDARD.encode(format!("{user}:{password}"));
        self.header("Authorization", &format!("Basic {value}"))
    }

    /// As a user with the right password, asking for JSON.
    pub(crate) fn user(self, user: &str) -> Self {
        self.basic(user, PASSWORD).header("Accept", "application/json")
    }

    pub(crate) fn admin(self) -> Self {
        self.user("t1001/admin")
    }

    pub(crate) fn json(self, value: &Value) -> Self {
        self.header("Content-Type", "application/json").body(value.to_string())
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Announces a body of that length and sends none.
    pub(crate) fn announce(mut self, length: usize) -> Self {
        self.announced = Some(length);
        self
    }

    /// One part `file` of a form.
    pub(crate) fn file(self, content_type: &str, contents: &[u8]) -> Self {
        let head = format!(
            "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.csv\"\r\n\
             Content-Type: {content_type}\r\n\r\n"
        );
        let body = [head.as_bytes(), contents, b"\r\n--x--\r\n"].concat();
        self.header("Content-Type", "multipart/form-data; boundary=x").body(body)
    }

    /// With a client certificate, at the port that asks for one.
    pub(crate) fn with(mut self, certificate: &'a Certificate, key: &'a PrivateKey) -> Self {
        self.identity = Some((certificate, key));
        self
    }

    #[track_caller]
    pub(crate) fn send(self) -> Reply {
        self.try_send().unwrap()
    }

    pub(crate) fn try_send(self) -> io::Result<Reply> {
        let url = match self.identity {
            Some(_) => self.sandbox.mtls_url(),
            None => self.sandbox.url(),
        };
        let port: u16 = url.rsplit(':').next().unwrap().parse().unwrap();
        let mut stream = connect(self.sandbox, port, self.identity);
        let mut head = format!("{} {} HTTP/1.1\r\nHost: localhost\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = self.announced.unwrap_or(self.body.len());
        head.push_str(&format!("Content-Length: {length}\r\nConnection: close\r\n\r\n"));
        stream.write_all(&[head.as_bytes(), &self.body].concat())?;
        let mut received = Vec::new();
        let end = stream.read_to_end(&mut received);
        read_reply(&received, end, self.method != "HEAD")
    }
}

/// The client's side of TLS, with a chain and the key of its first certificate.
pub(crate) fn tls(
    sandbox: &Sandbox,
    identity: Option<(&[&Certificate], &PrivateKey)>,
) -> Arc<ClientConfig> {
    #[cfg(feature = "aws-lc-rs")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "aws-lc-rs"))]
    let provider = rustls::crypto::ring::default_provider();
    let mut roots = RootCertStore::empty();
    for ca in Certificate::all_from_pem_or_der(sandbox.ca_pem().as_bytes()).unwrap() {
        roots.add(CertificateDer::from(ca.der().to_vec())).unwrap();
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let der = |cert: &&Certificate| CertificateDer::from(cert.der().to_vec());
            let chain = chain.iter().map(der).collect();
            let key = PrivatePkcs8KeyDer::from(key.pkcs8().expose().to_vec());
            builder.with_client_auth_cert(chain, key.into()).unwrap()
        }
    })
}

fn connect(
    sandbox: &Sandbox,
    port: u16,
    identity: Option<(&Certificate, &PrivateKey)>,
) -> StreamOwned<ClientConnection, TcpStream> {
    let chain = identity.map(|(certificate, key)| ([certificate], key));
    let config = tls(sandbox, chain.as_ref().map(|(chain, key)| (&chain[..], *key)));
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(config, name).unwrap();
    StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", port)).unwrap())
}

fn read_reply(received: &[u8], end: io::Result<usize>, has_body: bool) -> io::Result<Reply> {
    let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let at = received.windows(4).position(|w| w == b"\r\n\r\n").ok_or_else(cut)?;
    let head = String::from_utf8(received[..at].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let reply = Reply { status, headers, body: received[at + 4..].to_vec() };
    let announced = reply.header("Content-Length").map_or(0, |length| length.parse().unwrap());
    if has_body && reply.body.len() < announced {
        return Err(cut());
    }
    end.map(|_| reply)
}

pub(crate) const TRUSTED: &str = "/tenant/tenants/t1001/trusted-certificates";

/// Path of a step of proof of possession.
pub(crate) fn pop(fingerprint: &str, step: &str) -> String {
    format!("/tenant/tenants/t1001/trusted-certificates-pop/{fingerprint}/{step}")
}

/// What an upload sends.
pub(crate) fn upload(certificate: &Certificate) -> Value {
    json!({ "name": "CA", "status": "ENABLED", "certInPemFormat": certificate.pem() })
}

/// Uploads to t1001; returns the fingerprint.
#[track_caller]
pub(crate) fn trust(sandbox: &Sandbox, certificate: &Certificate) -> String {
    let reply = call(sandbox, "POST", TRUSTED).admin().json(&upload(certificate)).send();
    reply.expect(201).json()["fingerprint"].as_str().unwrap().to_owned()
}

/// Registers devices of t1001 by lines of a CSV.
#[track_caller]
pub(crate) fn register(sandbox: &Sandbox, csv: &str) -> Value {
    let path = "/devicecontrol/bulkNewDeviceRequests";
    call(sandbox, "POST", path).admin().file("text/csv", csv.as_bytes()).send().expect(201).json()
}

/// A certificate and its key.
pub(crate) type Pair = (Certificate, PrivateKey);

fn make(
    profile: &str,
    key_type: KeyType,
    common_name: &str,
    validity: Option<Validity>,
    issuer: Option<&Pair>,
) -> Pair {
    // Nothing outlives its issuer, though it is made a second later.
    let days = match profile {
        "root" => 32,
        "intermediate" => 31,
        _ => 30,
    };
    let profile = Profile::built_in(profile).unwrap().with_key(key_type).unwrap();
    let key = PrivateKey::generate(key_type).unwrap();
    let order = Order {
        profile: &profile,
        subject: &Name::builder().with("CN", common_name).unwrap().build().unwrap(),
        public_key: key.public_key(),
        serial: Serial::random().unwrap(),
        validity: validity.unwrap_or_else(|| Validity::of(&profile, now(), Some(days))),
        path_length: None,
    };
    let certificate = match issuer {
        Some((ca, ca_key)) => {
            issue::issue(&order, &Issuer::new(ca, ca_key, now()).unwrap()).unwrap()
        }
        None => issue::self_sign(&order, &key).unwrap(),
    };
    (certificate, key)
}

pub(crate) fn root(key_type: KeyType, common_name: &str) -> Pair {
    make("root", key_type, common_name, None, None)
}

pub(crate) fn expired_root() -> Pair {
    let validity = Validity {
        not_before: now() - Duration::days(2),
        not_after: now() - Duration::days(1),
        counted_from: now() - Duration::days(2),
    };
    make("root", KeyType::EcP256, "expired", Some(validity), None)
}

pub(crate) fn intermediate(common_name: &str, issuer: &Pair) -> Pair {
    make("intermediate", KeyType::EcP256, common_name, None, Some(issuer))
}

pub(crate) fn device(id: &str, issuer: &Pair) -> Pair {
    make("device", KeyType::EcP256, id, None, Some(issuer))
}

pub(crate) fn expired_device(id: &str, issuer: &Pair) -> Pair {
    let validity = Validity {
        not_before: now() - Duration::days(2),
        not_after: now() - Duration::days(1),
        counted_from: now() - Duration::days(2),
    };
    make("device", KeyType::EcP256, id, Some(validity), Some(issuer))
}
