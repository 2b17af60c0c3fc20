//! TLS of the two REST ports and of MQTT. Those for devices ask for a client certificate and take any, with
//! whatever chain: the handshake proves that the client has the key, and the rest is judged after it,
//! where the answer can be an answer. Without a certificate the handshake succeeds too. On the port of MQTT
//! the request for a certificate lists the CAs that are accepted, as the platform's does.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
};

use super::SandboxError;
use super::faults::TlsFaults;
use super::identity::Identity;
use crate::crypto::{tls_provider, tls_reason};
use crate::der;

/// The configurations of the ports that are always the same.
pub(super) struct Configs {
    pub(super) rest: Arc<ServerConfig>,
    pub(super) mutual: Arc<ServerConfig>,
}

/// Judges a chain; the error decides about the alert.
pub(super) type Judge =
    Arc<dyn Fn(&[CertificateDer<'_>]) -> Result<(), CertificateError> + Send + Sync>;

pub(super) fn configs(identity: &Identity) -> Result<Configs, SandboxError> {
    let rest = config(identity, None, false)?;
    let mutual = config(identity, Some(AnyClient::new(&[], None)), false)?;
    Ok(Configs { rest, mutual })
}

/// The configuration of a port that lists those names of CAs. With `judge`, a chain that it does not accept
/// ends the handshake.
pub(super) fn listing(
    identity: &Identity,
    names: &[Vec<u8>],
    faults: TlsFaults,
    judge: Option<Judge>,
) -> Result<Arc<ServerConfig>, SandboxError> {
    let others = if faults.large_list { many_names() } else { foreign_names() };
    let names = if faults.large_list || faults.foreign_list { &others } else { names };
    config(identity, Some(AnyClient::new(names, judge)), faults.large_list)
}

fn config(
    identity: &Identity,
    clients: Option<AnyClient>,
    old: bool,
) -> Result<Arc<ServerConfig>, SandboxError> {
    let mut chain = vec![CertificateDer::from(identity.server.der().to_vec())];
    if identity.server != identity.ca {
        chain.push(CertificateDer::from(identity.ca.der().to_vec()));
    }
    let key = PrivatePkcs8KeyDer::from(identity.server_key.pkcs8().expose().to_vec());
    let refused = |e: rustls::Error| SandboxError::Tls(tls_reason(e));
    // Of TLS 1.3 the extensions of a message cannot be as large as that.
    let versions = if old { &[&TLS12][..] } else { &[&TLS13, &TLS12] };
    let builder = ServerConfig::builder_with_provider(Arc::new(tls_provider()))
        .with_protocol_versions(versions)
        .map_err(refused)?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(Arc::new(clients)),
        None => builder.with_no_client_auth(),
    };
    let config = builder.with_single_cert(chain, PrivateKeyDer::from(key)).map_err(refused)?;
    Ok(Arc::new(config))
}

/// The DER of a name that has this common name and nothing else; short enough for lengths of one byte.
fn name(common_name: &str) -> Vec<u8> {
    const UTF8_STRING: u8 = 0x0c;
    const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];
    let text = der::element(UTF8_STRING, &[common_name.as_bytes()]);
    let attribute = der::element(der::SEQUENCE, &[COMMON_NAME, &text]);
    der::element(der::SEQUENCE, &[&der::element(der::SET, &[&attribute])])
}

fn foreign_names() -> Vec<Vec<u8>> {
    (1..=3).map(|number| name(&format!("Another CA {number}"))).collect()
}

/// As many names as fit into a list (65535 bytes, the two of each length included; RFC 5246, 7.4.4): with
/// what stands around it the message is larger than 64 KB.
fn many_names() -> Vec<Vec<u8>> {
    let of = |number: usize, chars: usize| {
        name(&format!("Another CA {number:0>width$}", width = chars - 11))
    };
    let all = (0..511).map(|number| of(number, 113));
    all.chain([of(511, 112)]).collect()
}

/// Signatures that the backend knows and the platform's documentation does not.
const ML_DSA: [SignatureScheme; 3] =
    [SignatureScheme::ML_DSA_44, SignatureScheme::ML_DSA_65, SignatureScheme::ML_DSA_87];

/// Accepts every client certificate whose key the client has, unless a judge says no.
struct AnyClient {
    algorithms: WebPkiSupportedAlgorithms,
    names: Vec<DistinguishedName>,
    judge: Option<Judge>,
}

impl fmt::Debug for AnyClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyClient").field("names", &self.names.len()).finish_non_exhaustive()
    }
}

impl AnyClient {
    fn new(names: &[Vec<u8>], judge: Option<Judge>) -> Self {
        let algorithms = tls_provider().signature_verification_algorithms;
        let names = names.iter().cloned().map(DistinguishedName::from).collect();
        Self { algorithms, names, judge }
    }
}

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.names
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let chain: Vec<CertificateDer<'_>> =
            std::iter::once(end_entity).chain(intermediates).cloned().collect();
        if let Some(judge) = &self.judge {
            judge(&chain)?;
        }
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
        // The documentation names RSA and EC keys only.
        let mut schemes = self.algorithms.supported_schemes();
        schemes.retain(|scheme| !ML_DSA.contains(scheme));
        schemes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_large_list_just_fits_into_its_length() {
        let list: usize = many_names().iter().map(|name| 2 + name.len()).sum();
        assert_eq!(list, 65_535);
    }
}
