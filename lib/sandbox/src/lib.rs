//! An in-memory tenant to rehearse against: strict where the platform is strict, and never to be
//! mistaken for it.
//!
//! [`Sandbox::start`] listens on four ports, with a CA of its own: REST over HTTPS; HTTPS with a
//! client certificate, for tokens of devices; MQTT over TLS, with a client certificate or without; and,
//! on the loopback address only and without TLS, a page that shows what happened, and the same as JSON. A fifth is
//! that of the MQTT Service, if it is asked for. Everything is gone when it is dropped.
//!
//! It is written from the platform's documentation, sections "REST" and "MQTT", and from its OpenAPI
//! description, to which a test holds it. It shares no request or answer code with the client: a
//! misunderstanding must not stand on both sides. Where description and field differ: [`Profile`].
//!
//! One instance with the tenants `t1001`, `t1002` and `management`. Each has the users `admin` (all
//! roles), `trust` (trusted certificates only), `devices` (registration only) and `reader` (may look at
//! trusted certificates), and one for each role, called like the role and with no other, all with the one
//! password.
//!
//! # Where the platform's documentation leaves a choice
//!
//! - A certificate that another tenant holds with proof of possession: 409. Without proof on either
//!   side it is taken, and both are locked out until one of them has completed its proof.
//! - A revoked serial number counts no matter who issued the certificate, once the check is switched on. Only the
//!   list is checked, no distribution points.
//! - A chain of more than two certificates without proof of possession is refused only if
//!   [`Settings::require_proof`] says so.
//! - JSON that cannot be read is 422, as any other content that is refused; in revocations 400.
//! - Beyond the description: 404 for a path that is not there, 405 for another method, 413 for too large a
//!   body, 415 for one of another type, 422 for parameters of a list.
//! - A registration with a one-time password is ACCEPTED at once; ten wrong ones block it.
//! - Whatever the request for a certificate says besides its subject and key is passed over.
//! - The answers of enrolment are no JSON, so they come without `Accept` too.
//! - A device that is let in one by one can be accepted once it has asked for its credentials: before,
//!   404.
//!
//! The choices of MQTT are in `sandbox/mqtt/mod.rs`. Faults on purpose are those of REST or of MQTT, each
//! drawn for by itself.
//!
//! Not there: inventory over REST, anything else that the tools of this project do not call.
//!
//! ```no_run
//! use c8y_pki_sandbox::{Sandbox, Settings};
//!
//! # fn main() -> Result<(), c8y_pki_sandbox::SandboxError> {
//! let sandbox = Sandbox::start(Settings::default())?;
//! println!("{} trusts {}", sandbox.url(), sandbox.ca_pem());
//! # Ok(())
//! # }
//! ```

mod answer;
mod auth;
mod call;
mod clock;
mod collection;
mod est;
mod external;
mod faults;
mod features;
mod identity;
mod journal;
mod judge;
mod jwt;
mod management;
mod mqtt;
mod names;
mod news;
mod objects;
mod pop;
mod register;
mod requests;
mod revocation;
mod routes;
mod server;
mod settings;
mod shared;
mod shown;
mod state;
mod tenant;
mod tls;
mod token;
mod trusted;
mod users;
mod verdict;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use serde_json::Value;

use c8y_pki_core::{
    ber, cert, chain, crl, crypto, csr, der, failure, issue, key, name, profile, secret,
};

use crate::crypto::{CryptoError, random_password};
use crate::failure::{Failure, Fault, Hint, Underlying};
use crate::issue::IssueError;
use crate::name::NameError;
use crate::secret::Password;

pub use faults::{Faults, FaultsError};
pub use journal::Connection;
pub use settings::{Profile, Settings};

use server::Door;
use shared::Shared;
use state::{Port, World};

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// Not a description of faults.
    #[error("{text:?} describes no faults: {reason}")]
    Faults {
        /// The text.
        text: String,
        /// What is wrong with it.
        #[source]
        reason: FaultsError,
    },
    /// A port is taken, or may not be used.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// Address and port.
        address: SocketAddr,
        /// What the system said.
        #[source]
        reason: Underlying,
    },
    /// An address to listen on that this machine has not.
    #[error("cannot listen on {0}: this machine does not have that address")]
    Elsewhere(IpAddr),
    /// A host that can stand in no certificate.
    #[error("the host {0:?} is no DNS name and no IP address")]
    Host(String),
    /// The system gives no threads.
    #[error("cannot start the server's threads: {0}")]
    Threads(#[source] std::io::Error),
    /// The server's configuration of TLS was refused.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[source] Underlying),
    /// No key, random number or signature.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// Its certificates cannot be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// A name in its certificates was refused.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Failure for SandboxError {
    fn fault(&self) -> Fault {
        match self {
            Self::Listen { .. } | Self::Threads(_) => Fault::Environment,
            Self::Crypto(e) => e.fault(),
            Self::Issue(e) => e.fault(),
            Self::Name(e) => e.fault(),
            Self::Faults { .. } | Self::Elsewhere(_) | Self::Host(_) | Self::Tls(_) => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Faults { reason, .. } => reason.hint(),
            Self::Listen { .. } => Some("choose another port; 0 takes any that is free".into()),
            Self::Elsewhere(_) => Some(
                "0.0.0.0 takes all addresses of this machine, 127.0.0.1 none from outside".into(),
            ),
            Self::Host(_) => Some("for example localhost, or the machine's name".into()),
            Self::Crypto(e) => e.hint(),
            Self::Issue(e) => e.hint(),
            Self::Name(e) => e.hint(),
            Self::Threads(_) | Self::Tls(_) => None,
        }
    }
}

/// The tenant of a client that names none, and of devices.
pub(crate) const HOME: &str = "t1001";
const ADMIN: &str = "admin";

/// A sandbox that runs until it is dropped.
pub struct Sandbox {
    shared: Arc<Shared>,
    password: Password,
    ca_pem: String,
    runtime: Option<tokio::runtime::Runtime>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Makes its CA, listens, and answers in threads of its own.
    pub fn start(settings: Settings) -> Result<Self, SandboxError> {
        let rest = listen(settings.bind, settings.https_port)?;
        let mutual = listen(settings.bind, settings.mtls_port)?;
        let mqtt = listen(settings.bind, settings.mqtt_port)?;
        let service = settings.mqtt_service_port.map(|port| listen(settings.bind, port));
        let service = service.transpose()?;
        let page = listen(IpAddr::V4(Ipv4Addr::LOCALHOST), settings.management_port)?;
        let password = settings.password.map_or_else(|| random_password(20), Ok)?;
        let make = match settings.faults.tls.self_signed {
            true => identity::Identity::self_signed,
            false => identity::Identity::make,
        };
        let identity = make(&settings.host, settings.bind, clock::now())?;
        let site = state::Site {
            host: settings.host,
            https_port: rest.1,
            mtls_port: mutual.1,
            mqtt_port: mqtt.1,
            management_port: page.1,
            code_seconds: settings.code_seconds,
            verification_code: settings.verification_code,
            profile: settings.profile,
            require_proof: settings.require_proof,
            longest_chain: settings.longest_chain,
            verdicts: settings.verdicts,
            authority_days: settings.authority_days,
            mqtt_service_port: service.as_ref().map(|(_, port)| *port),
        };
        let ca_pem = identity.ca.pem();
        let tls = tls::configs(&identity)?;
        let world = World::new(site, password.clone(), identity, settings.token_seconds);
        let shared = Arc::new(Shared::new(world, settings.faults, Arc::clone(&tls.mutual)));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("c8y-pki-sandbox")
            .enable_all()
            .build()
            .map_err(SandboxError::Threads)?;
        {
            let _context = runtime.enter();
            let doors = [
                (rest, Door::Rest(tls.rest)),
                (mutual, Door::Mutual(tls.mutual)),
                (mqtt, Door::Mqtt(Port::Classic)),
                (page, Door::Page),
            ];
            let service = service.map(|listener| (listener, Door::Mqtt(Port::Service)));
            for ((listener, port), door) in doors.into_iter().chain(service) {
                let listener = tokio::net::TcpListener::from_std(listener)
                    .map_err(|e| refused(settings.bind, port, e))?;
                runtime.spawn(server::serve(listener, door, Arc::clone(&shared)));
            }
        }
        Ok(Self { shared, password, ca_pem, runtime: Some(runtime) })
    }

    /// The base of REST: `https://localhost:PORT`.
    pub fn url(&self) -> String {
        self.shared.world().site.url()
    }

    /// Lets the `Date` of its answers be that far ahead of its clock, or behind: to a client it looks as if
    /// its own clock were wrong.
    #[doc(hidden)]
    pub fn set_date_off(&self, off: time::Duration) {
        self.shared.set_date_off(off.whole_seconds());
    }

    /// The base of REST with client certificates.
    #[doc(hidden)]
    pub fn mtls_url(&self) -> String {
        self.shared.world().site.mtls_url()
    }

    /// Host and port of MQTT over TLS: `localhost:PORT`.
    pub fn mqtt_address(&self) -> String {
        self.shared.world().site.mqtt_address()
    }

    /// The port of MQTT over TLS.
    pub fn mqtt_port(&self) -> u16 {
        self.shared.world().site.mqtt_port
    }

    /// Host and port of the MQTT Service, if there is one.
    #[doc(hidden)]
    pub fn mqtt_service_address(&self) -> Option<String> {
        self.shared.world().site.mqtt_service_address()
    }

    /// The port of the MQTT Service, if there is one.
    #[doc(hidden)]
    pub fn mqtt_service_port(&self) -> Option<u16> {
        self.shared.world().site.mqtt_service_port
    }

    /// The page that shows what happened; `state.json` below it is [`Sandbox::state`].
    #[doc(hidden)]
    pub fn management_url(&self) -> String {
        self.shared.world().site.management_url()
    }

    /// The certificate of the CA that issued the server's, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The tenant that clients are to use.
    pub fn tenant(&self) -> &str {
        HOME
    }

    /// The user who may do everything in it.
    pub fn user(&self) -> &str {
        ADMIN
    }

    /// The password of every user.
    pub fn password(&self) -> &Password {
        &self.password
    }

    /// A bearer token of [`Sandbox::user`], good for [`Settings::token_seconds`].
    #[doc(hidden)]
    pub fn token(&self) -> Password {
        let world = self.shared.world();
        // Without a key, for want of random numbers, there is no token that would be good.
        world.tokens.issue(&world.site.host, HOME, ADMIN, clock::now()).unwrap_or_else(|_| none())
    }

    /// A bearer token of a device of [`Sandbox::tenant`], as it gets with its certificate.
    #[doc(hidden)]
    pub fn device_token(&self, id: &str) -> Password {
        let world = self.shared.world();
        let token = world.tokens.issue_to_device(&world.site.host, HOME, id, clock::now());
        token.unwrap_or_else(|_| none())
    }

    /// The variables that the platform's clients read: C8Y_HOST, C8Y_TENANT, C8Y_USER and
    /// C8Y_PASSWORD.
    #[doc(hidden)]
    pub fn environment(&self) -> Vec<(String, String)> {
        let value = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        vec![
            value("C8Y_HOST", &self.url()),
            value("C8Y_TENANT", self.tenant()),
            value("C8Y_USER", self.user()),
            value("C8Y_PASSWORD", self.password.expose()),
        ]
    }

    /// All that it holds, and the last connections. No passwords, codes or tokens.
    pub fn state(&self) -> Value {
        self.shared.state()
    }

    /// Sends a row of SmartREST, `510,…` say, to a device of [`Sandbox::tenant`] on `s/ds`. False if
    /// it is not connected, or has not subscribed to that topic.
    pub fn send_operation(&self, device: &str, message: &str) -> bool {
        self.shared.world().send_operation(device, message)
    }

    /// Enters the id of a device of [`Sandbox::tenant`] that is to ask for credentials, as somebody does in
    /// the platform's device registration; false if it is there already, or cannot be.
    #[doc(hidden)]
    pub fn enter_device(&self, id: &str) -> bool {
        let mut world = self.shared.world();
        world.tenants.get_mut(HOME).is_some_and(|tenant| requests::enter_now(tenant, id).is_ok())
    }

    /// Switches the feature certificate-authority of [`Sandbox::tenant`]; false if there is no such tenant.
    #[doc(hidden)]
    pub fn set_authority_feature(&self, on: bool) -> bool {
        let mut world = self.shared.world();
        let tenant = world.tenants.get_mut(HOME);
        tenant.map(|tenant| tenant.features.insert(features::AUTHORITY, on)).is_some()
    }

    /// Writes an option of [`Sandbox::tenant`]; false if there is no such tenant.
    #[doc(hidden)]
    pub fn set_option(&self, category: &str, key: &str, value: &str) -> bool {
        let place = (category.to_owned(), key.to_owned());
        let mut world = self.shared.world();
        let tenant = world.tenants.get_mut(HOME);
        tenant.map(|tenant| tenant.options.insert(place, value.to_owned())).is_some()
    }

    /// Accepts a device that was entered, once it has asked; false if it has not.
    #[doc(hidden)]
    pub fn accept_device(&self, id: &str) -> bool {
        let mut world = self.shared.world();
        world.tenants.get_mut(HOME).is_some_and(|tenant| requests::accept(tenant, id).is_ok())
    }

    /// The requests that came after the one of that number, as far as they are still kept; numbers
    /// start from 1.
    #[doc(hidden)]
    pub fn connections_after(&self, number: u64) -> Vec<Connection> {
        self.shared.journal().after(number)
    }

    /// Other faults from now on; requests, and connections of MQTT, are counted from 0 again.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.set_faults(faults);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Not waiting: this may be a thread of somebody else's runtime, where waiting is forbidden.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A token that is none.
fn none() -> Password {
    Password::new("")
}

/// A port, and its number.
fn listen(ip: IpAddr, port: u16) -> Result<(TcpListener, u16), SandboxError> {
    let open = || {
        let listener = TcpListener::bind((ip, port))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    };
    open().map_err(|e| refused(ip, port, e))
}

fn refused(ip: IpAddr, port: u16, error: std::io::Error) -> SandboxError {
    let reason = match error.kind() {
        std::io::ErrorKind::AddrNotAvailable => return SandboxError::Elsewhere(ip),
        std::io::ErrorKind::AddrInUse => {
            Underlying::worded("something else listens on that port", error)
        }
        _ => Underlying::of(error),
    };
    SandboxError::Listen { address: SocketAddr::new(ip, port), reason }
}
