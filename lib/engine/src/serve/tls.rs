//! TLS of the service: made anew when other CAs are to be named to clients.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::version::{TLS12, TLS13};
use tokio_rustls::TlsAcceptor;

use super::clients::AnyOrNone;
use super::error::ServeError;
use super::identity::Presented;
use super::tokens::tokens;
use crate::cert::Certificate;
use crate::crypto::{tls_provider, tls_reason};
use crate::name::Name;
use crate::pki::Pki;

/// TLS of the service.
pub(super) struct Tls {
    /// The file of its certificate, for errors.
    chain: PathBuf,
    presented: Arc<Presented>,
    /// The CA of devices and those above it.
    own: Vec<Name>,
    now: RwLock<(Vec<Name>, TlsAcceptor)>,
}

impl Tls {
    /// For devices of the first of these CAs, and for clients of the API.
    pub(super) fn new(
        pki: &Pki,
        cas: &[Certificate],
        (chain, presented): (PathBuf, Arc<Presented>),
    ) -> Result<Self, ServeError> {
        let own: Vec<Name> = cas.iter().map(|ca| ca.subject.clone()).collect();
        // Devices are let in also if the clients of the API cannot be read: their requests say so.
        let named = named(pki, &own).unwrap_or_else(|_| own.clone());
        let acceptor = acceptor(&chain, &presented, &named)?;
        Ok(Self { chain, presented, own, now: RwLock::new((named, acceptor)) })
    }

    /// As it is now.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.now.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Names the issuers of the clients as they are now. If they cannot be read, requests say so, and those from
    /// before stay named.
    pub(super) fn name_again(&self, pki: &Pki) {
        let Ok(named) = named(pki, &self.own) else { return };
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        if now.0 != named
            && let Ok(acceptor) = acceptor(&self.chain, &self.presented, &named)
        {
            *now = (named, acceptor);
        }
    }
}

/// The CAs that are named to clients.
fn named(pki: &Pki, own: &[Name]) -> Result<Vec<Name>, ServeError> {
    let mut all = own.to_vec();
    for certificate in tokens(pki)?.iter().filter_map(|token| token.certificate()) {
        if !all.contains(&certificate.issuer) {
            all.push(certificate.issuer);
        }
    }
    Ok(all)
}

fn acceptor(
    chain: &std::path::Path,
    presented: &Arc<Presented>,
    named: &[Name],
) -> Result<TlsAcceptor, ServeError> {
    let refused = |e| ServeError::Tls { path: chain.to_owned(), problem: tls_reason(e) };
    let mut config = ServerConfig::builder_with_provider(Arc::new(tls_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(refused)?
        .with_client_cert_verifier(Arc::new(AnyOrNone::naming(named)))
        .with_cert_resolver(Arc::clone(presented) as _);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
