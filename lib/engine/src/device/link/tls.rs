//! TLS as a device makes it: whom it presents, and whom it trusts.

use std::sync::{Arc, Mutex};

use rustls::client::ResolvesClientCert;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme};

use super::super::credentials::{Credentials, Trusted};
use super::error::LinkError;
use super::server::Judge;
use crate::cert::Certificate;
use crate::crypto::{tls_provider, tls_reason};

/// Who connects.
#[derive(Debug, Clone, Copy)]
pub enum Identity<'a> {
    /// A device with its certificate; its truststore counts.
    Certificate(&'a Credentials),
    /// Somebody with a user and a password, which MQTT carries; if none, the system decides about the
    /// server.
    Password(Option<&'a Trusted>),
}

/// What makes TLS as a device does, also for HTTPS.
pub(in crate::device) struct Tls {
    pub(in crate::device) config: ClientConfig,
    pub(super) judge: Arc<Judge>,
    pub(super) presenter: Option<Arc<Presenter>>,
}

impl Tls {
    pub(in crate::device) fn new(host: &str, identity: Identity<'_>) -> Result<Self, LinkError> {
        let (trusted, presenter) = match identity {
            Identity::Certificate(credentials) => {
                (credentials.trusted.as_ref(), Some(Arc::new(Presenter::new(credentials)?)))
            }
            Identity::Password(trusted) => (trusted, None),
        };
        let judge = Arc::new(Judge::new(host, trusted)?);
        let builder = ClientConfig::builder_with_provider(Arc::new(tls_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| LinkError::Tls { reason: tls_reason(e) })?
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

/// Presents the device's whole chain to a server that asks, and notes that it was asked.
#[derive(Debug)]
pub(super) struct Presenter {
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
            .map_err(|e| LinkError::Identity { reason: tls_reason(e) })?;
        Ok(Self { certified: Arc::new(certified), facts: Mutex::default() })
    }

    pub(super) fn facts(&self) -> Facts {
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
