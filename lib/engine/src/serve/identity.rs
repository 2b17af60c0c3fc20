//! The service's own certificate and key: read, judged, and replaced while it runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use time::OffsetDateTime;

use super::error::ServeError;
use crate::cert::{Certificate, oid};
use crate::crypto::{tls_provider, tls_reason};
use crate::failure::Setting;
use crate::files;
use crate::pki::Pki;
use crate::read::{self, ReadError};
use crate::registry::ServerName;
use crate::secret::Password;

/// Where the service's own certificate and key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, then those that clients need above it.
    pub chain: PathBuf,
    /// Its key, without a password.
    pub key: PathBuf,
}

impl Identity {
    /// The files of a server that the PKI directory has issued.
    ///
    /// Errors: [`ServeError::NoServer`], [`ServeError::NoFolder`].
    pub fn of_server(pki: &Pki, name: &str) -> Result<Self, ServeError> {
        let parsed: ServerName = name.parse()?;
        let live = pki.registry().live_server(&parsed)?;
        let live = live.ok_or_else(|| ServeError::NoServer(name.to_owned()))?;
        let folder = live.location.ok_or_else(|| ServeError::NoFolder(name.to_owned()))?;
        Ok(Self { chain: folder.join("chain.pem"), key: folder.join("key.pem") })
    }

    /// Reads both files, as they are now.
    pub(super) fn load(&self, now: OffsetDateTime) -> Result<Loaded, ServeError> {
        let chain = read_from(Setting::ServiceCertificate, &self.chain, read::certificates)?;
        let key = read_from(Setting::ServiceKey, &self.key, read::key)?;
        let leaf = chain.iter().find(|c| c.spki == key.public_key().spki()).ok_or_else(|| {
            ServeError::OtherKey { chain: self.chain.clone(), key: self.key.clone() }
        })?;
        self.check(leaf, now)?;
        let tls = |e| ServeError::Tls { path: self.chain.clone(), problem: tls_reason(e) };
        let pkcs8 = PrivatePkcs8KeyDer::from(key.pkcs8().expose().to_vec());
        let provider = tls_provider();
        let signing = provider.key_provider.load_private_key(PrivateKeyDer::from(pkcs8));
        let others = chain.iter().filter(|c| *c != leaf);
        let ders = std::iter::once(leaf).chain(others);
        let ders = ders.map(|c| CertificateDer::from(c.der().to_vec())).collect();
        let certified = CertifiedKey::new(ders, signing.map_err(tls)?);
        certified.keys_match().map_err(tls)?;
        Ok(Loaded { certified: Arc::new(certified), until: leaf.not_after })
    }

    fn check(&self, leaf: &Certificate, now: OffsetDateTime) -> Result<(), ServeError> {
        let (from, until) = (leaf.not_before, leaf.not_after);
        if now < from || now > until {
            return Err(ServeError::NotNow { path: self.chain.clone(), from, until });
        }
        let usages = leaf.extended_key_usage.as_ref();
        if usages.is_some_and(|all| !all.iter().any(|usage| usage == oid::SERVER_AUTH)) {
            return Err(ServeError::NotForServers(self.chain.clone()));
        }
        Ok(())
    }
}

/// Reads a file of the service. It has no password.
fn read_from<T>(
    setting: Setting,
    path: &Path,
    read: fn(&[u8], Option<&Password>) -> Result<T, ReadError>,
) -> Result<T, ServeError> {
    let bytes = files::read_small(path).map_err(|source| ServeError::Unread { setting, source })?;
    read(&bytes, None).map_err(|source| {
        let (path, source) = (path.to_owned(), Box::new(source));
        ServeError::Identity { setting, path, source }
    })
}

/// A certificate with its key, ready for TLS.
pub(super) struct Loaded {
    certified: Arc<CertifiedKey>,
    until: OffsetDateTime,
}

/// The one that is presented now.
pub(super) struct Presented(RwLock<Loaded>);

impl Presented {
    pub(super) fn new(loaded: Loaded) -> Self {
        Self(RwLock::new(loaded))
    }

    pub(super) fn replace(&self, loaded: Loaded) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = loaded;
    }

    /// The last moment of its validity.
    pub(super) fn until(&self) -> OffsetDateTime {
        self.0.read().unwrap_or_else(PoisonError::into_inner).until
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented").field("until", &self.until()).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Presented {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let loaded = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&loaded.certified))
    }
}
