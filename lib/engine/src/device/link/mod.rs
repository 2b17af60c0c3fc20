//! A TLS connection as a device makes it (platform: "MQTT"): its whole chain is presented,
//! whatever CAs the server names, and the server has to lead to the device's truststore.
//!
//! Name, TCP and TLS are steps of their own, so that a failure says where it happened.

mod error;
mod server;

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::client::ResolvesClientCert;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, SignatureScheme, StreamOwned};
use server::Judge;

pub use error::{LinkError, ServerFault};

use super::alert::{Alert, tls_error};
use super::credentials::{Credentials, Trusted};
use super::mqtt::Transport;
use crate::cert::Certificate;
use crate::crypto::{has_no_common_version, is_full, is_too_large, tls_provider, tls_words};
use crate::net;
pub use crate::net::{Deadline, Timed};

/// Where to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Host name or address.
    pub host: String,
    /// Port: 8883 is the platform's MQTT over TLS.
    pub port: u16,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl Target {
    /// The host's name, as TLS sends it and holds the server's certificate to it.
    fn server_name(&self) -> Result<ServerName<'static>, LinkError> {
        ServerName::try_from(self.host.clone())
            .map_err(|_| LinkError::BadHost { host: self.host.clone() })
    }
}

/// Looks up the addresses of a host. What is no host name is not looked up.
///
/// A resolver that has not answered by the deadline is not waited for: the thread that asks it ends when the
/// system's resolver does.
pub fn resolve(target: &Target, deadline: Deadline) -> Result<Vec<SocketAddr>, LinkError> {
    let failed = |e: io::Error| LinkError::Resolve {
        host: target.host.clone(),
        reason: match e.kind() {
            ErrorKind::TimedOut => format!("no answer within {} seconds", deadline.seconds()),
            _ => e.to_string(),
        },
    };
    target.server_name()?;
    net::resolve(&target.host, target.port, &deadline).map_err(failed)
}

/// Connects to the first address that answers. What is read and written ends at the deadline, until another
/// one is set.
pub fn dial(
    target: &Target,
    addresses: &[SocketAddr],
    deadline: Deadline,
) -> Result<Timed, LinkError> {
    let target = target.to_string();
    net::connect(addresses, deadline).map_err(|e| match e.kind() {
        ErrorKind::TimedOut => LinkError::TcpTimeout { target, seconds: deadline.seconds() },
        ErrorKind::ConnectionRefused => LinkError::NothingListens { target },
        _ => LinkError::Unreachable { target, reason: e.to_string() },
    })
}

/// Who connects.
#[derive(Debug, Clone, Copy)]
pub enum Identity<'a> {
    /// A device with its certificate; its truststore counts.
    Certificate(&'a Credentials),
    /// Somebody with a user and a password, which MQTT carries; none: the system decides about the
    /// server.
    Password(Option<&'a Trusted>),
}

/// What makes TLS as a device does, also for HTTPS.
pub(super) struct Tls {
    pub(super) config: ClientConfig,
    judge: Arc<Judge>,
    presenter: Option<Arc<Presenter>>,
}

impl Tls {
    pub(super) fn new(host: &str, identity: Identity<'_>) -> Result<Self, LinkError> {
        let (trusted, presenter) = match identity {
            Identity::Certificate(credentials) => {
                (credentials.trusted.as_ref(), Some(Arc::new(Presenter::new(credentials)?)))
            }
            Identity::Password(trusted) => (trusted, None),
        };
        let judge = Arc::new(Judge::new(host, trusted)?);
        let builder = ClientConfig::builder_with_provider(Arc::new(tls_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| LinkError::Tls { reason: tls_words(&e) })?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&judge) as _);
        let config = match &presenter {
            Some(presenter) => builder.with_client_cert_resolver(Arc::clone(presenter) as _),
            None => builder.with_no_client_auth(),
        };
        Ok(Self { config, judge, presenter })
    }
}

/// What was learnt during the handshake, also when it failed.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// What the server presents, its own certificate first.
    pub server: Vec<Certificate>,
    /// Whether it asked for a client certificate.
    pub asked: bool,
    /// Whether it takes signatures of the device's kind of key.
    pub key_suits: bool,
    /// The subjects of the CAs that it says it accepts, as DER; empty where it lists none.
    pub accepted: Vec<Vec<u8>>,
}

/// A TLS connection.
pub struct Link {
    stream: StreamOwned<ClientConnection, Timed>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("version", &self.version()).finish_non_exhaustive()
    }
}

impl Link {
    /// Makes TLS out of a TCP connection, by its deadline. The facts are filled in any case.
    ///
    /// With TLS 1.3 a server judges the device's certificate after this: its alert comes with the
    /// first reading.
    pub fn secure(
        stream: Timed,
        target: &Target,
        credentials: &Credentials,
        facts: &mut Facts,
    ) -> Result<Self, LinkError> {
        Self::secure_as(stream, target, Identity::Certificate(credentials), facts)
    }

    /// The same for anyone who connects, with a certificate or without.
    pub fn secure_as(
        mut stream: Timed,
        target: &Target,
        identity: Identity<'_>,
        facts: &mut Facts,
    ) -> Result<Self, LinkError> {
        let name = target.server_name()?;
        let Tls { config, judge, presenter } = Tls::new(&target.host, identity)?;
        let failed = |e: rustls::Error| LinkError::Tls { reason: tls_words(&e) };
        let mut connection = ClientConnection::new(Arc::new(config), name).map_err(failed)?;
        let deadline = stream.deadline();
        let mut outcome = Ok((0, 0));
        while connection.is_handshaking() && outcome.is_ok() {
            outcome = connection.complete_io(&mut stream);
        }
        if let Err(e) = &outcome
            && is_gone(e)
        {
            // A server that closes has said why, if it did, before: its alert has come and is still to be read.
            outcome = last_words(&mut connection, &mut stream).map_or(outcome, Err);
        }
        *facts = presenter.map(|presenter| presenter.facts()).unwrap_or_default();
        facts.server = judge.presented();
        let link = match outcome {
            Ok(_) => Ok(Self { stream: StreamOwned::new(connection, stream) }),
            Err(e) => Err(explain(&e, judge.fault(), target, deadline)),
        };
        tell(target, &link, facts);
        link
    }

    /// The version of TLS.
    pub fn version(&self) -> &'static str {
        match self.stream.conn.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS",
        }
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Transport for Link {
    fn set_deadline(&mut self, deadline: Deadline) {
        self.stream.sock.set_deadline(deadline);
    }
}

/// Tells what a handshake has come to. With TLS 1.3 a server's alert about the certificate comes later.
fn tell(target: &Target, link: &Result<Link, LinkError>, facts: &Facts) {
    let (target, asked) = (target.to_string(), facts.asked);
    match link {
        Ok(link) => {
            let cipher = link.stream.conn.negotiated_cipher_suite().map(|suite| suite.suite());
            tracing::debug!(
                target: "c8y_pki::tls",
                server = target, version = link.version(),
                cipher = cipher.and_then(|suite| suite.as_str()).unwrap_or_default(),
                asked_for_a_certificate = asked, accepted_cas = facts.accepted.len() as u64,
                "the handshake is done"
            );
        }
        Err(error) => tracing::debug!(
            target: "c8y_pki::tls",
            server = target, asked_for_a_certificate = asked, error = %error,
            "the handshake failed"
        ),
    }
}

fn explain(
    error: &io::Error,
    fault: Option<ServerFault>,
    target: &Target,
    deadline: Deadline,
) -> LinkError {
    if let Some(fault) = fault {
        return LinkError::Untrusted { target: target.to_string(), fault };
    }
    if let Some(alert) = Alert::in_error(error) {
        return LinkError::Alert { alert };
    }
    if let Some(tls) = tls_error(error) {
        return match tls {
            large if is_too_large(large) => LinkError::TooLarge { target: target.to_string() },
            rustls::Error::PeerIncompatible(found) => LinkError::Incompatible {
                target: target.to_string(),
                version: has_no_common_version(found),
                reason: tls_words(tls),
            },
            rustls::Error::InvalidMessage(_) => LinkError::NotTls { target: target.to_string() },
            other => LinkError::Tls { reason: tls_words(other) },
        };
    }
    if is_full(error) {
        return LinkError::TooLarge { target: target.to_string() };
    }
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            LinkError::TlsTimeout { target: target.to_string(), seconds: deadline.seconds() }
        }
        _ if is_gone(error) => LinkError::Closed { target: target.to_string() },
        _ => LinkError::Tls { reason: error.to_string() },
    }
}

/// Whether the other side has closed.
fn is_gone(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    [UnexpectedEof, ConnectionReset, ConnectionAborted, BrokenPipe].contains(&error.kind())
}

/// What the other side has said before it closed, if that is an error of TLS.
fn last_words(connection: &mut ClientConnection, stream: &mut Timed) -> Option<io::Error> {
    while connection.read_tls(stream).ok()? > 0 {
        if let Err(e) = connection.process_new_packets() {
            return Some(io::Error::new(ErrorKind::InvalidData, e));
        }
    }
    None
}

/// Presents the device's whole chain to a server that asks, and notes that it was asked.
#[derive(Debug)]
struct Presenter {
    certified: Arc<CertifiedKey>,
    facts: Mutex<Facts>,
}

impl Presenter {
    fn new(credentials: &Credentials) -> Result<Self, LinkError> {
        let chain = credentials.chain.iter();
        let chain: Vec<_> = chain.map(|c| CertificateDer::from(c.der().to_vec())).collect();
        let pkcs8 = credentials.key.pkcs8().expose().to_vec();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pkcs8));
        let certified = CertifiedKey::from_der(chain, key, &tls_provider())
            .map_err(|e| LinkError::Identity { reason: tls_words(&e) })?;
        Ok(Self { certified: Arc::new(certified), facts: Mutex::default() })
    }

    fn facts(&self) -> Facts {
        self.facts.lock().map(|facts| facts.clone()).unwrap_or_default()
    }
}

impl ResolvesClientCert for Presenter {
    fn resolve(&self, names: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        if let Ok(mut facts) = self.facts.lock() {
            facts.asked = true;
            facts.accepted = names.iter().map(|name| name.to_vec()).collect();
            facts.key_suits = self.certified.key.choose_scheme(schemes).is_some();
        }
        tracing::debug!(
            target: "c8y_pki::tls",
            presented = self.certified.cert.len() as u64, accepted_cas = names.len() as u64,
            "the server asks for a client certificate"
        );
        Some(Arc::clone(&self.certified))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_no_host_name_is_not_looked_up() {
        for bad in ["", "a b", "a..b", "https://acme.example.com", "acme.example.com:8883", "-"] {
            let target = Target { host: bad.to_owned(), port: 8883 };
            let error = resolve(&target, Deadline::after(Duration::from_secs(1))).unwrap_err();
            assert!(matches!(error, LinkError::BadHost { .. }), "{bad:?}: {error}");
        }
        let target = Target { host: "127.0.0.1".to_owned(), port: 8883 };
        assert!(resolve(&target, Deadline::after(Duration::from_secs(1))).is_ok());
    }
}
