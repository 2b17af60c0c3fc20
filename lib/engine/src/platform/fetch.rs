//! The certificates that a TLS server presents, to be looked at and put into a truststore.
//!
//! Nothing is trusted here: the handshake accepts any certificate, and the caller has
//! to compare a fingerprint with one that came by another way. No client certificate is shown; a
//! server that wants one may end the handshake, but by then it has presented its own.

use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

use crate::cert::{CertError, Certificate};
use crate::crypto::{tls_provider, tls_reason};
use crate::failure::{Failure, Fault, Hint, Underlying};
use crate::net::{self, Deadline, Timed};

/// Why no certificates came.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Not a host name or address.
    #[error("{0:?} is not a host name or an address")]
    BadHost(String),
    /// The name does not resolve.
    #[error("the host name {host:?} does not resolve: {reason}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        #[source]
        reason: Underlying,
    },
    /// No TCP connection.
    #[error("cannot connect to {target}: {reason}")]
    Connect {
        /// Host and port.
        target: String,
        /// What the system said.
        #[source]
        reason: Underlying,
    },
    /// The server did not answer in time.
    #[error("{target} did not answer within {seconds} seconds")]
    Timeout {
        /// Host and port.
        target: String,
        /// The time that it had.
        seconds: u64,
    },
    /// The handshake failed before the server showed a certificate.
    #[error("{target} does not speak TLS as expected: {reason}")]
    Tls {
        /// Host and port.
        target: String,
        /// What went wrong.
        #[source]
        reason: Underlying,
    },
    /// The server's certificate cannot be read.
    #[error("{target} presents something that is no certificate: {source}")]
    Certificate {
        /// Host and port.
        target: String,
        /// What is wrong with it.
        source: CertError,
    },
}

impl Failure for FetchError {
    fn fault(&self) -> Fault {
        match self {
            Self::BadHost(_) => Fault::Input,
            Self::Resolve { .. } | Self::Connect { .. } | Self::Timeout { .. } => Fault::Unreached,
            // What cannot be read was sent by the server.
            Self::Tls { .. } | Self::Certificate { .. } => Fault::Stranger,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::BadHost(_) => Some("write HOST:PORT, for example mqtt.example.com:8883".into()),
            Self::Tls { .. } => Some("the platform's MQTT over TLS is on port 8883".into()),
            _ => None,
        }
    }
}

/// Connects, takes the certificates that the server presents (leaf first, in its order) and hangs
/// up. `timeout` holds for all of it together: name, TCP and TLS.
pub fn fetch(host: &str, port: u16, timeout: Duration) -> Result<Vec<Certificate>, FetchError> {
    let name =
        ServerName::try_from(host.to_owned()).map_err(|_| FetchError::BadHost(host.to_owned()))?;
    let target = format!("{host}:{port}");
    let deadline = Deadline::after(timeout);
    let mut stream = connect(host, port, &target, deadline)?;
    let recorder = Arc::new(Recorder::new());
    let mut connection = client(name, Arc::clone(&recorder))
        .map_err(|e| FetchError::Tls { target: target.clone(), reason: tls_reason(e) })?;
    let handshake = connection.complete_io(&mut stream);
    let presented = recorder.take();
    if presented.is_empty() {
        return Err(no_certificate(handshake.err(), target, deadline));
    }
    presented
        .iter()
        .map(|der| Certificate::from_der(der))
        .collect::<Result<_, _>>()
        .map_err(|source| FetchError::Certificate { target, source })
}

fn connect(host: &str, port: u16, target: &str, deadline: Deadline) -> Result<Timed, FetchError> {
    let addresses = net::resolve(host, port, &deadline).map_err(|e| FetchError::Resolve {
        host: host.to_owned(),
        reason: net::unresolved(e, deadline),
    })?;
    let target = target.to_owned();
    net::connect(&addresses, deadline).map_err(|e| match e.kind() {
        ErrorKind::TimedOut => FetchError::Timeout { target, seconds: deadline.seconds() },
        ErrorKind::ConnectionRefused => {
            let reason = Underlying::worded("nothing listens on that port", e);
            FetchError::Connect { target, reason }
        }
        _ => FetchError::Connect { target, reason: Underlying::of(e) },
    })
}

fn no_certificate(error: Option<io::Error>, target: String, deadline: Deadline) -> FetchError {
    match error {
        Some(e) if e.kind() == ErrorKind::TimedOut => {
            FetchError::Timeout { target, seconds: deadline.seconds() }
        }
        Some(e) => {
            let tls = e.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).cloned();
            FetchError::Tls { target, reason: tls.map_or_else(|| Underlying::of(e), tls_reason) }
        }
        None => FetchError::Tls { target, reason: "it presents no certificate".into() },
    }
}

fn client(
    name: ServerName<'static>,
    recorder: Arc<Recorder>,
) -> Result<ClientConnection, rustls::Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(tls_provider()))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(recorder)
        .with_no_client_auth();
    ClientConnection::new(Arc::new(config), name)
}

/// Accepts every certificate and keeps what was presented.
#[derive(Debug)]
struct Recorder {
    schemes: Vec<SignatureScheme>,
    presented: Mutex<Vec<Vec<u8>>>,
}

impl Recorder {
    fn new() -> Self {
        let schemes = tls_provider().signature_verification_algorithms.supported_schemes();
        Self { schemes, presented: Mutex::default() }
    }

    fn take(&self) -> Vec<Vec<u8>> {
        self.presented.lock().map(|mut p| std::mem::take(&mut *p)).unwrap_or_default()
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Ok(mut presented) = self.presented.lock() {
            let all = std::iter::once(end_entity).chain(intermediates);
            *presented = all.map(|der| der.to_vec()).collect();
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
