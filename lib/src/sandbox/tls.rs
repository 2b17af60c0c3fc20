//! TLS of the two REST ports and of MQTT. Those for devices ask for a client certificate and take any, with
//! whatever chain: the handshake proves that the client has the key, and the rest is judged after it,
//! where the answer can be an answer. Without a certificate the handshake succeeds too.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};

use super::SandboxError;
use super::identity::Identity;
use crate::crypto::tls_provider;

/// The configurations of both ports.
pub(super) struct Configs {
    pub(super) rest: Arc<ServerConfig>,
    pub(super) mutual: Arc<ServerConfig>,
}

pub(super) fn configs(identity: &Identity) -> Result<Configs, SandboxError> {
    let chain = [&identity.server, &identity.ca]
        .map(|certificate| CertificateDer::from(certificate.der().to_vec()));
    let key = || {
        let pkcs8 = identity.server_key.pkcs8().expose().to_vec();
        PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pkcs8))
    };
    let refused = |e: rustls::Error| SandboxError::Tls(e.to_string());
    let builder = || {
        ServerConfig::builder_with_provider(Arc::new(tls_provider()))
            .with_safe_default_protocol_versions()
            .map_err(refused)
    };
    let rest = builder()?.with_no_client_auth();
    let mutual = builder()?.with_client_cert_verifier(Arc::new(AnyClient::new()));
    let rest = rest.with_single_cert(chain.to_vec(), key()).map_err(refused)?;
    let mutual = mutual.with_single_cert(chain.to_vec(), key()).map_err(refused)?;
    Ok(Configs { rest: Arc::new(rest), mutual: Arc::new(mutual) })
}

/// Accepts every client certificate whose key the client has.
#[derive(Debug)]
struct AnyClient {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyClient {
    fn new() -> Self {
        Self { algorithms: tls_provider().signature_verification_algorithms }
    }
}

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
