//! Client certificates in the handshake: none is needed and any is taken, whose key the client has. Who is let in is
//! judged after it, against the registry or the certificates that are kept for the API, where the answer can say why.
//! Clients are told the names of our CA and of those above it, and of the issuers of the clients of the API: some
//! present nothing to a server that does not name their CA.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};

use crate::crypto::tls_provider;
use crate::name::Name;

type Valid = Result<HandshakeSignatureValid, rustls::Error>;

/// Takes any client certificate.
#[derive(Debug)]
pub(super) struct AnyOrNone {
    algorithms: WebPkiSupportedAlgorithms,
    names: Vec<DistinguishedName>,
}

impl AnyOrNone {
    /// Names these CAs to clients.
    pub(super) fn naming(cas: &[Name]) -> Self {
        let names = cas.iter().map(|ca| DistinguishedName::from(ca.der().to_vec()));
        let algorithms = tls_provider().signature_verification_algorithms;
        Self { algorithms, names: names.collect() }
    }
}

impl ClientCertVerifier for AnyOrNone {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.names
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        signed: &[u8],
        by: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Valid {
        verify_tls12_signature(signed, by, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        signed: &[u8],
        by: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Valid {
        verify_tls13_signature(signed, by, signature, &self.algorithms)
    }
}
