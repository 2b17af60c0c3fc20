//! TLS to the server: tokio-rustls under the crate's connection, with our crypto backend.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};

use postgres::Socket;
use postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream as PostgresTls};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{Connect, TlsConnector};

use super::failure::AddressError;
use crate::cert::Certificate;
use crate::crypto::tls_provider;
use crate::files;

/// libpq's `sslmode`, without the two modes that let plaintext through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsMode {
    /// No TLS.
    Disable,
    /// TLS; the certificate counts only if roots are given, as with libpq.
    Require,
    /// The certificate has to be of a root.
    VerifyCa,
    /// And for the name of the host.
    VerifyFull,
}

impl TlsMode {
    fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl FromStr for TlsMode {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let all = [Self::Disable, Self::Require, Self::VerifyCa, Self::VerifyFull];
        let found = all.into_iter().find(|mode| mode.name() == text);
        found.ok_or_else(|| AddressError::Mode { mode: text.to_owned() })
    }
}

/// Whom to trust for TLS, ready to connect.
#[derive(Clone)]
pub(super) struct Trust(Arc<ClientConfig>);

impl Trust {
    /// With the roots of a file, else of `~/.postgresql/root.crt`; those of the operating system only if it is asked for
    /// them (`system`), since everybody gets certificates there.
    pub(super) fn new(
        mode: TlsMode,
        roots: Option<&str>,
        home: Option<&Path>,
    ) -> Result<Self, AddressError> {
        let default = home.map(|home| home.join(".postgresql").join("root.crt"));
        let file = match (roots, mode) {
            (Some("system"), TlsMode::VerifyFull) => None,
            (Some("system"), mode) => return Err(AddressError::SystemRoots { mode: mode.name() }),
            (Some(file), _) => Some(PathBuf::from(file)),
            (None, mode) => match default.as_ref().filter(|file| file.exists()) {
                None if mode != TlsMode::Require => {
                    let path = default.unwrap_or_else(|| "~/.postgresql/root.crt".into());
                    return Err(AddressError::NoRoots { mode: mode.name(), path });
                }
                file => file.cloned(),
            },
        };
        let cannot = |e: TlsError| AddressError::File {
            path: file.clone().unwrap_or_else(|| PathBuf::from("the system's certificates")),
            problem: e.to_string(),
        };
        let provider = Arc::new(tls_provider());
        let verifier: Option<Arc<dyn ServerCertVerifier>> = match (&file, mode) {
            (Some(file), _) => {
                let builder = WebPkiServerVerifier::builder_with_provider(
                    Arc::new(roots_of(file)?),
                    Arc::clone(&provider),
                );
                Some(builder.build().map_err(|e| cannot(TlsError::General(e.to_string())))?)
            }
            (None, TlsMode::Require) => None,
            (None, _) => Some(Arc::new(Verifier::new(Arc::clone(&provider)).map_err(cannot)?)),
        };
        let lenient = Lenient {
            schemes: provider.signature_verification_algorithms,
            verifier,
            any_name: mode != TlsMode::VerifyFull,
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(cannot)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(lenient))
            .with_no_client_auth();
        // What PostgreSQL 17 asks for; older servers ignore it.
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

fn roots_of(file: &Path) -> Result<RootCertStore, AddressError> {
    let cannot = |problem: String| AddressError::File { path: file.to_owned(), problem };
    let bytes = files::read(file).map_err(|e| cannot(e.to_string()))?;
    let certificates =
        Certificate::all_from_pem_or_der(&bytes).map_err(|e| cannot(e.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let der = CertificateDer::from(certificate.der().to_vec());
        roots.add(der).map_err(|e| cannot(e.to_string()))?;
    }
    Ok(roots)
}

/// Holds a server's certificate to what the mode asks for.
#[derive(Debug)]
struct Lenient {
    schemes: rustls::crypto::WebPkiSupportedAlgorithms,
    verifier: Option<Arc<dyn ServerCertVerifier>>,
    any_name: bool,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let Some(verifier) = &self.verifier else { return Ok(ServerCertVerified::assertion()) };
        let verdict =
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verdict {
            // The name is looked at last: everything else is right.
            Err(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.any_name => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.supported_schemes()
    }
}

impl MakeTlsConnect<Socket> for Trust {
    type Stream = Stream;
    type TlsConnect = Connecting;
    type Error = rustls::pki_types::InvalidDnsNameError;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Connecting, Self::Error> {
        let name = ServerName::try_from(domain.to_owned())?;
        Ok(Connecting { connector: TlsConnector::from(Arc::clone(&self.0)), name })
    }
}

/// A handshake that is about to begin.
pub(super) struct Connecting {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl TlsConnect<Socket> for Connecting {
    type Stream = Stream;
    type Error = io::Error;
    type Future = Handshake;

    fn connect(self, socket: Socket) -> Handshake {
        Handshake(self.connector.connect(self.name, socket))
    }
}

/// A handshake.
pub(super) struct Handshake(Connect<Socket>);

impl Future for Handshake {
    type Output = io::Result<Stream>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|done| done.map(Stream))
    }
}

/// A connection under TLS.
pub(super) struct Stream(TlsStream<Socket>);

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

impl PostgresTls for Stream {
    /// Without channel binding: SCRAM is done as over any TLS connection, whose server the certificate names.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}
