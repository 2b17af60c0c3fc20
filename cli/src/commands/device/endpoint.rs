//! Where a device connects to, and the tenant behind it.

use std::time::Duration;

use c8y_pki_engine::device::link::Target;
use c8y_pki_engine::device::service::CLASSIC_PORT;
use c8y_pki_engine::platform::blocking::Client;
use c8y_pki_engine::platform::{Settings, bare_host};
use clap::Args;

use crate::failure::{Failure, Result};
use crate::tenant::{LoginArgs, WayArgs};
use crate::variables::variable;

/// Where devices connect to.
#[derive(Debug, Args)]
pub(super) struct EndpointArgs {
    /// Host of the tenant; https:// and a port in it are ignored
    #[arg(long, value_name = "HOST", env = "C8Y_HOST", hide_env_values = true)]
    host: Option<String>,
    /// Port of MQTT over TLS; 8883 by default
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Time limit in seconds: for connecting (name, TCP, TLS and CONNECT together), then for each answer; also for
    /// each whole request over HTTPS
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

/// How often the tenant is asked for the same: nobody waits long for what can be done without.
const ASKING: u32 = 3;

impl EndpointArgs {
    pub(super) fn target(&self) -> Result<Target> {
        self.target_at(CLASSIC_PORT)
    }

    /// The same with another port where none is given.
    pub(super) fn target_at(&self, port: u16) -> Result<Target> {
        let host = self.host.as_deref().map(bare_host).filter(|h| !h.is_empty());
        let port = self.port.unwrap_or(port);
        Ok(Target { host: host.ok_or_else(no_server)?.to_owned(), port })
    }

    /// The port that is given.
    pub(super) fn port(&self) -> Option<u16> {
        self.port
    }

    /// The host of the tenant's REST interface, with its port: of C8Y_HOST, else of --host.
    pub(super) fn rest_host(&self) -> Option<String> {
        variable("C8Y_HOST").or_else(|| self.host.clone())
    }

    /// A client of the tenant, if there is a login; nobody is asked for it.
    pub(super) fn client(&self, login: &LoginArgs, way: &WayArgs) -> Result<Option<Client>> {
        let tenant = login.tenant().map(str::to_owned);
        let (Some(login), Some(host)) = (login.given()?, self.rest_host()) else {
            return Ok(None);
        };
        let (timeout, attempts) = (self.timeout(), ASKING);
        let settings = Settings { tenant, timeout, attempts, ..way.settings(&host, login)? };
        Ok(Some(Client::new(&settings)?))
    }

    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

fn no_server() -> Failure {
    let hint = "give --host, e.g. --host acme.eu-latest.cumulocity.com, or set C8Y_HOST";
    Failure::usage("the host to connect to is not given", hint)
}
