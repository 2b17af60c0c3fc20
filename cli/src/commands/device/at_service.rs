//! The options with which a device speaks to the MQTT Service.

use c8y_pki_engine::device::service::{self, Service};
use c8y_pki_engine::platform::blocking::Client;
use c8y_pki_engine::platform::features;
use clap::Args;

use super::endpoint::EndpointArgs;
use crate::failure::Result;

/// Whether it is the MQTT Service, and what is spoken there.
#[derive(Debug, Args)]
pub(super) struct ServiceArgs {
    /// Connect to the MQTT Service, by its rules: port 9883 unless --port says another; --port 9883 does the same
    #[arg(long)]
    mqtt_service: bool,
    /// The device speaks SmartREST, which the MQTT Service has only where it was switched on; with a login the tenant is
    /// asked whether it is
    #[arg(long)]
    smartrest: bool,
}

impl ServiceArgs {
    /// Whether the device connects to the MQTT Service.
    pub(super) fn is_meant(&self, endpoint: &EndpointArgs) -> bool {
        self.mqtt_service || endpoint.port() == Some(service::PORT)
    }

    /// The port, which differs from that of MQTT over TLS.
    pub(super) fn default_port(&self) -> u16 {
        if self.mqtt_service { service::PORT } else { service::CLASSIC_PORT }
    }

    /// What is known of the MQTT Service; none if it is not meant. The tenant's id is `known`, or that of the login.
    pub(super) fn service(
        &self,
        endpoint: &EndpointArgs,
        known: Option<&str>,
        client: Option<&Client>,
    ) -> Result<Option<Service>> {
        if !self.is_meant(endpoint) {
            return Ok(None);
        }
        let tenant = match (known, client) {
            (Some(tenant), _) => Some(tenant.to_owned()),
            // It is optional: a tenant that is not reached over REST may still be over MQTT.
            (None, Some(client)) => client.wait(client.tenant()).ok().map(str::to_owned),
            (None, None) => None,
        };
        // A user who may not ask, or a platform that does not know the feature: then the connection shows it.
        let feature = client
            .and_then(|client| client.wait(features::is_on(client, service::SMART_REST)).ok());
        Ok(Some(Service { tenant, feature, smart_rest: self.smartrest }))
    }
}
