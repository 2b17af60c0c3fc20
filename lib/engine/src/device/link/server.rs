//! Whether a device trusts a server: judged as its TLS would, explained with the names that matter.
//!
//! A truststore holds CAs, or, as in the platform's recipe, the server's own certificate. The latter
//! is trusted as it is ([`Pinned`]); its name and its dates count all the same.

use std::sync::{Arc, Mutex};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;

use super::super::credentials::Trusted;
use super::{LinkError, ServerFault};
use crate::cert::Certificate;
use crate::crypto::{certificate_words, is_of_a_ca, tls_provider, tls_reason};
use crate::failure::Underlying;
use crate::platform::Pinned;

/// Why a truststore cannot be used.
const NO_ROOTS: &str = "it holds no certificate that can be trusted";

/// Judges a server's certificates, and keeps them and the verdict.
#[derive(Debug)]
pub(super) struct Judge {
    host: String,
    by: Arc<dyn ServerCertVerifier>,
    /// The truststore; none for the system's.
    trusted: Option<Vec<Certificate>>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    presented: Vec<Certificate>,
    fault: Option<ServerFault>,
}

fn refused(fault: &CertificateError) -> Underlying {
    Underlying::worded(certificate_words(fault), TlsError::from(fault.clone()))
}

impl Judge {
    pub(super) fn new(host: &str, trusted: Option<&Trusted>) -> Result<Self, LinkError> {
        let provider = Arc::new(tls_provider());
        let failed = |reason| LinkError::Trust { reason };
        let by: Arc<dyn ServerCertVerifier> = match trusted {
            None => Arc::new(Verifier::new(provider).map_err(|e| failed(tls_reason(e)))?),
            Some(trusted) => {
                let certificates = trusted.certificates.iter();
                let roots = certificates.map(|c| CertificateDer::from(c.der().to_vec()));
                let mut store = RootCertStore::empty();
                store.add_parsable_certificates(roots);
                WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider)
                    .build()
                    .map_err(|e| failed(Underlying::worded(NO_ROOTS, e)))?
            }
        };
        let trusted = trusted.map(|t| t.certificates.clone());
        let by = Arc::new(Pinned::new(trusted.as_deref().unwrap_or_default(), by));
        Ok(Self { host: host.to_owned(), by, trusted, seen: Mutex::default() })
    }

    /// What the server has presented.
    pub(super) fn presented(&self) -> Vec<Certificate> {
        self.seen.lock().map(|seen| seen.presented.clone()).unwrap_or_default()
    }

    /// Why the server is not trusted, if it is not.
    pub(super) fn fault(&self) -> Option<ServerFault> {
        self.seen.lock().ok().and_then(|seen| seen.fault.clone())
    }

    fn own(&self) -> &[Certificate] {
        self.trusted.as_deref().unwrap_or_default()
    }

    fn explain(&self, error: &TlsError, presented: &[Certificate]) -> ServerFault {
        let TlsError::InvalidCertificate(fault) = error else {
            return ServerFault::Other(tls_reason(error.clone()));
        };
        match fault {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                ServerFault::Expired
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                ServerFault::NotValidYet
            }
            CertificateError::NotValidForName => self.other_name(&[]),
            CertificateError::NotValidForNameContext { presented, .. } => {
                self.other_name(presented)
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                self.missing(presented).unwrap_or_else(|| ServerFault::Other(refused(fault)))
            }
            other => {
                let alone = presented.first().filter(|c| is_of_a_ca(other) && c.is_self_issued());
                match alone {
                    Some(certificate) => self.self_signed(certificate),
                    None => ServerFault::Other(refused(other)),
                }
            }
        }
    }

    fn self_signed(&self, certificate: &Certificate) -> ServerFault {
        ServerFault::SelfSigned {
            subject: certificate.subject.clone(),
            other: self.own().iter().any(|c| c.subject.matches(&certificate.subject)),
        }
    }

    fn other_name(&self, names: &[String]) -> ServerFault {
        let names = names.iter().map(|name| bare_name(name)).collect();
        ServerFault::OtherName { host: self.host.clone(), names }
    }

    /// Follows the signers from the server's own certificate to the last that is presented.
    fn missing(&self, presented: &[Certificate]) -> Option<ServerFault> {
        let mut last = presented.first()?;
        for _ in presented {
            let signer = presented.iter().find(|c| *c != last && last.issuer.matches(&c.subject));
            match signer {
                Some(signer) if !last.is_self_issued() => last = signer,
                _ => break,
            }
        }
        let issuer = last.issuer.clone();
        Some(match self.own().iter().any(|c| c.subject.matches(&issuer)) {
            true => ServerFault::OtherKey { issuer },
            false => ServerFault::UnknownIssuer { own: self.trusted.is_some(), missing: issuer },
        })
    }
}

/// The name in what the TLS library makes of one: `DnsName("localhost")`, `IpAddress(127.0.0.1)`.
fn bare_name(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"').to_owned()
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let verdict = self.by.verify_server_cert(end_entity, intermediates, name, ocsp, now);
        let all = std::iter::once(end_entity).chain(intermediates);
        let presented: Vec<_> = all.filter_map(|der| Certificate::from_der(der).ok()).collect();
        if let Ok(mut seen) = self.seen.lock() {
            seen.fault = verdict.as_ref().err().map(|e| self.explain(e, &presented));
            seen.presented = presented;
        }
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.by.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.by.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::bare_name;

    #[test]
    fn names_are_told_as_they_stand_in_the_certificate() {
        assert_eq!(bare_name("DnsName(\"localhost\")"), "localhost");
        assert_eq!(bare_name("IpAddress(127.0.0.1)"), "127.0.0.1");
        assert_eq!(bare_name("*.example.com"), "*.example.com");
    }
}
