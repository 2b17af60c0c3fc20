//! Servers that are trusted by their very certificate (platform: "Self-signed server certificates with CA:TRUE").
//!
//! What `openssl req -x509` makes, and many Edge installations have, signed itself and says CA:TRUE. Path validation
//! (webpki) refuses a CA's certificate in a server's place. OpenSSL, curl and Java accept it if exactly that
//! certificate was given to them as trusted, and so it is here, byte by byte; another one of the same name is not
//! accepted. Host name and dates are judged all the same, as OpenSSL and curl do (Java does not look at the dates of a
//! certificate that stands in its truststore). A certificate without DNS names of its own counts for the host of its
//! common name, as for OpenSSL and Java (RFC 6125, 6.4.4), but only if it is trusted so: webpki knows no such names.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;

use crate::cert::{Certificate, GeneralName};
use crate::crypto::tls_words;

/// Accepts the certificates that were given, and else asks another verifier.
#[derive(Debug)]
pub(crate) struct Pinned {
    given: Vec<Certificate>,
    by: Arc<dyn ServerCertVerifier>,
}

/// Trusts the roots of the operating system, and those.
///
/// Where Windows' own judge takes no further roots (Wine's does not), those alone count: never more than was asked for.
///
/// Errors: roots that cannot be read; a system without roots.
pub(super) fn system_and(
    roots: Vec<CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let system = Verifier::new_with_extra_roots(roots.iter().cloned(), Arc::clone(provider));
    match system {
        Ok(system) => Ok(Arc::new(system)),
        Err(_) if cfg!(windows) && !roots.is_empty() => {
            let mut store = RootCertStore::empty();
            for root in roots {
                store.add(root)?;
            }
            let alone =
                WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider));
            let alone = alone.build().map_err(|e| TlsError::General(e.to_string()))?;
            Ok(alone)
        }
        Err(e) => Err(e),
    }
}

impl Pinned {
    pub(crate) fn new(given: &[Certificate], by: Arc<dyn ServerCertVerifier>) -> Self {
        Self { given: given.to_vec(), by }
    }
}

/// The judgement of a certificate that is trusted as it is: its dates and its name.
fn check(
    certificate: &Certificate,
    der: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), TlsError> {
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if seconds < certificate.not_before.unix_timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if seconds > certificate.not_after.unix_timestamp() {
        return Err(CertificateError::Expired.into());
    }
    let Some(common_name) = sole_name(certificate) else {
        return verify_server_name(&ParsedCertificate::try_from(der)?, name);
    };
    match name {
        ServerName::DnsName(host) if host.as_ref().eq_ignore_ascii_case(common_name) => Ok(()),
        _ => Err(CertificateError::NotValidForNameContext {
            expected: name.to_owned(),
            presented: vec![common_name.to_owned()],
        }
        .into()),
    }
}

/// The common name of a certificate that has no alternative names at all.
fn sole_name(certificate: &Certificate) -> Option<&str> {
    let is_host = |name: &GeneralName| matches!(name, GeneralName::Dns(_) | GeneralName::Ip(_));
    match certificate.subject_alt_names() {
        Ok(names) if !names.iter().flatten().any(is_host) => certificate.subject.common_name(),
        _ => None,
    }
}

/// What a server presents, and whether it is trusted.
fn tell_presented(
    first: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    verdict: Result<(), &TlsError>,
) {
    if !tracing::enabled!(target: "c8y_pki::tls", tracing::Level::DEBUG) {
        return;
    }
    let subject = |der: &CertificateDer<'_>| match Certificate::from_der(der) {
        Ok(certificate) => {
            format!("{} until {}", certificate.subject, certificate.not_after.date())
        }
        Err(_) => "what is no certificate".to_owned(),
    };
    let chain: Vec<String> = std::iter::once(first).chain(others).map(subject).collect();
    let verdict = verdict.map_or_else(tls_words, |()| "trusted".to_owned());
    tracing::debug!(
        target: "c8y_pki::tls",
        server = chain.join(", signed by ").as_str(), verdict,
        "the server presents its certificates"
    );
}

/// Which version of TLS a handshake has come to. Only after its signature was verified.
fn tell_version(version: &str) {
    tracing::debug!(target: "c8y_pki::tls", version, "the server has proved that it has its key");
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let verdict = match self.given.iter().find(|given| given.der() == &**end_entity) {
            Some(given) => {
                check(given, end_entity, name, now).map(|()| ServerCertVerified::assertion())
            }
            None => self.by.verify_server_cert(end_entity, intermediates, name, ocsp, now),
        };
        tell_presented(end_entity, intermediates, verdict.as_ref().map(|_| ()));
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let proved = self.by.verify_tls12_signature(message, cert, dss)?;
        tell_version("TLS 1.2");
        Ok(proved)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let proved = self.by.verify_tls13_signature(message, cert, dss)?;
        tell_version("TLS 1.3");
        Ok(proved)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl req -x509 -subj /CN=edge.example.com`, CA:TRUE, for 9000 days from 29 November 2026 on.
    const NAMELESS: &str = "-----BEGIN CERTIFICATE-----
MIIBbDCCARKgAwIBAgIUUZyBr+/kZbb65E3yEFbZlEQdUngwCgYIKoZIzj0EAwIw
GzEZMBcGA1UEAwwQZWRnZS5leGFtcGxlLmNvbTAgFw0yNjExMjkwOTUxMjhaGA8y
MDUxMDcyMTA5NTEyOFowGzEZMBcGA1UEAwwQZWRnZS5leGFtcGxlLmNvbTBZMBMG
ByqGSM49AgEGCCqGSM49AwEHA0IABIH0jTGGqho6WYkA3qIl76TzC+MsslMiQi9B
dOaRGnldcFBjlh4w0BMB0MWnlX363q6ZsViT/ddGkw63MGjLhcajMjAwMA8GA1Ud
EwEB/wQFMAMBAf8wHQYDVR0OBBYEFC/mxrF0kC5XMMPODfn7YiVN0QqrMAoGCCqG
SM49BAMCA0gAMEUCIDFklWQVoETojz8Y/s4rQjJPhkv3vhq7WzD/VRSQAV+tAiEA
8hGjz2UcBPCa4qAdjJ2Eq6QrbehwvNT0UJZAf2aTGdQ=
-----END CERTIFICATE-----";
    /// The same with the DNS name `other.example.com`.
    const NAMED: &str = "-----BEGIN CERTIFICATE-----
MIIBizCCATCgAwIBAgIUaIolYvFeT6bonNsRWIRdBIn41EIwCgYIKoZIzj0EAwIw
GzEZMBcGA1UEAwwQZWRnZS5leGFtcGxlLmNvbTAgFw0yNjExMjkwOTUxMjhaGA8y
MDUxMDcyMTA5NTEyOFowGzEZMBcGA1UEAwwQZWRnZS5leGFtcGxlLmNvbTBZMBMG
ByqGSM49AgEGCCqGSM49AwEHA0IABDpjedz2w0dJBs3UhCt/pR5dR9dYMVX+ymXX
2/Z5uPRY5VWhO/uzZP9bZxrEBkf+SfmzoJlLN3Xk0wcPvMLgeAujUDBOMA8GA1Ud
EwEB/wQFMAMBAf8wHAYDVR0RBBUwE4IRb3RoZXIuZXhhbXBsZS5jb20wHQYDVR0O
BBYEFIMYhDsDe8cCxKmTvLBJJo28w92YMAoGCCqGSM49BAMCA0kAMEYCIQDRpilt
oYoK2eNnuoddFlH/3JYzzaQwo8xxqtDgmtPZ/AIhALJ0qoc6zouK/E7SRxV2/3dm
ULZREGTSVuHmA/9PHovR
-----END CERTIFICATE-----";

    fn judged(pem: &str, host: &str, seconds: u64) -> Result<(), TlsError> {
        let certificate = Certificate::all_from_pem_or_der(pem.as_bytes()).unwrap().remove(0);
        let der = CertificateDer::from(certificate.der().to_vec());
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        check(&certificate, &der, &name, now)
    }

    #[test]
    fn names_and_dates_count_where_the_certificate_is_trusted_as_it_is() {
        // In January 2028, 2001 and 2065.
        let (good, before, after) = (1_830_000_000, 1_000_000_000, 3_000_000_000);
        for (pem, host, wanted) in [
            (NAMELESS, "edge.example.com", true),
            (NAMELESS, "EDGE.example.com", true),
            (NAMELESS, "www.edge.example.com", false),
            (NAMELESS, "127.0.0.1", false),
            // Names of its own stand in the place of the common name.
            (NAMED, "other.example.com", true),
            (NAMED, "edge.example.com", false),
        ] {
            let found = judged(pem, host, good);
            assert_eq!(found.is_ok(), wanted, "{host}: {found:?}");
        }
        let early = judged(NAMED, "other.example.com", before).unwrap_err();
        assert_eq!(early, CertificateError::NotValidYet.into());
        let late = judged(NAMED, "other.example.com", after).unwrap_err();
        assert_eq!(late, CertificateError::Expired.into());
    }
}
