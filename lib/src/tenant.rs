//! The platform over REST: a tenant, asked from a future or from a thread that may wait.

use std::time::Duration;

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::crl::Revoked;
use c8y_pki_core::key::signer::Signer;
use c8y_pki_core::secret::Password;
use c8y_pki_engine::list::DeviceList;
use c8y_pki_engine::platform::trusted::{self, NewTrusted};
use c8y_pki_engine::platform::{self as engine, PlatformError, Settings, blocking, crl, pop};
use c8y_pki_engine::registration;
use time::OffsetDateTime;

pub use c8y_pki_engine::platform::Host;
pub use c8y_pki_engine::platform::fetch::fetch as server_certificates;
pub use c8y_pki_engine::platform::pop::Proof;
pub use c8y_pki_engine::platform::trusted::Added;

use crate::Error;

/// Where a tenant is, and who asks.
#[derive(Debug, Clone)]
#[must_use]
pub struct Access(Settings);

impl Access {
    /// A user with a password; `tenant` is the tenant's id, if the host has several.
    pub fn user(host: &Host, tenant: Option<&str>, user: &str, password: Password) -> Self {
        let login = engine::Login::user(tenant, user, password);
        let tenant = tenant.map(str::to_owned);
        Self(Settings { tenant, ..Settings::new(host.to_string(), login) })
    }

    /// A bearer token.
    pub fn token(host: &Host, token: Password) -> Self {
        Self(Settings::new(host.to_string(), engine::Login::Token(token)))
    }

    /// CAs to trust for TLS besides those of the operating system.
    pub fn trusting(self, roots: Vec<Certificate>) -> Self {
        Self(Settings { roots, ..self.0 })
    }

    /// The time for each request; 30 seconds if it is not given.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self(Settings { timeout, ..self.0 })
    }
}

/// How a CA is to be in a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registering {
    /// Devices are registered at their first connection.
    Auto,
    /// Only devices that are registered may connect.
    ByHand,
}

/// A tenant whose calls are futures, for programs on tokio.
#[derive(Debug)]
pub struct Tenant(engine::Client);

impl Tenant {
    /// Asks nothing yet.
    ///
    /// Errors: CAs to trust that are none.
    pub fn new(access: &Access) -> Result<Self, Error> {
        Ok(Self(engine::Client::new(&access.0)?))
    }

    /// Uploads a CA as a trusted certificate, enabled, if it is not there.
    ///
    /// Errors: a certificate that the platform takes for no CA, which is found before anything is sent; its refusal.
    pub async fn trust(
        &self,
        ca: &Certificate,
        name: &str,
        registering: Registering,
        now: OffsetDateTime,
    ) -> Result<Added, Error> {
        add(&self.0, ca, name, registering, now).await
    }

    /// Proves that the CA's key is here: signs the code that the tenant gives, if it has no proof.
    pub async fn prove(
        &self,
        ca: &Certificate,
        key: &dyn Signer,
        now: OffsetDateTime,
    ) -> Result<Proof, Error> {
        prove(&self.0, ca, key, now).await
    }

    /// Uploads revocations to the platform's list of the tenant.
    pub async fn revoke(&self, revoked: &[Revoked], now: OffsetDateTime) -> Result<(), Error> {
        Ok(crl::upload(&self.0, &crl::requests(revoked, now)).await?)
    }
}

/// The same for programs without a runtime: each call waits. On a thread of a runtime it waits on a thread of its own.
#[derive(Debug)]
pub struct BlockingTenant(blocking::Client);

impl BlockingTenant {
    /// As [`Tenant::new`].
    pub fn new(access: &Access) -> Result<Self, Error> {
        Ok(Self(blocking::Client::new(&access.0)?))
    }

    /// As [`Tenant::trust`].
    pub fn trust(
        &self,
        ca: &Certificate,
        name: &str,
        registering: Registering,
        now: OffsetDateTime,
    ) -> Result<Added, Error> {
        self.0.wait(add(&self.0, ca, name, registering, now))
    }

    /// As [`Tenant::prove`].
    pub fn prove(
        &self,
        ca: &Certificate,
        key: &dyn Signer,
        now: OffsetDateTime,
    ) -> Result<Proof, Error> {
        self.0.wait(prove(&self.0, ca, key, now))
    }

    /// As [`Tenant::revoke`].
    pub fn revoke(&self, revoked: &[Revoked], now: OffsetDateTime) -> Result<(), Error> {
        Ok(self.0.wait(crl::upload(&self.0, &crl::requests(revoked, now)))?)
    }
}

/// The CSV with which the platform registers many devices (platform: "Bulk registration"), from a list whose columns
/// say more than the ids.
pub fn registration_csv(devices: &DeviceList) -> Result<String, Error> {
    let settings = registration::Settings::default();
    Ok(registration::create(&devices.devices, &settings)?)
}

async fn add(
    client: &engine::Client,
    ca: &Certificate,
    name: &str,
    registering: Registering,
    now: OffsetDateTime,
) -> Result<Added, Error> {
    trusted::check(ca, now)?;
    let auto_registration = registering == Registering::Auto;
    let new = NewTrusted { certificate: ca, name, enabled: true, auto_registration };
    // What came of each, and one was given.
    Ok(trusted::add(client, &[new]).await?.remove(0))
}

async fn prove(
    client: &engine::Client,
    ca: &Certificate,
    key: &dyn Signer,
    now: OffsetDateTime,
) -> Result<Proof, Error> {
    let open = || Ok::<_, PlatformError>(Box::new(key) as Box<dyn Signer + '_>);
    Ok(pop::prove(client, ca, open, now).await?.0)
}
