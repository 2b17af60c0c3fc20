//! All that the sandbox holds: the tenants of one instance, and what they share.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::identity::Identity;
use super::jwt::Tokens;
use super::mqtt::online::Online;
use super::mqtt::topics::OPERATIONS;
use super::tenant::{MANAGEMENT, Tenant};
use super::trusted::Trusted;
use super::{HOME, Profile};
use crate::cert::LongestChain;
use crate::secret::Password;

/// Where it is reached.
pub(super) struct Site {
    pub(super) host: String,
    pub(super) https_port: u16,
    pub(super) mtls_port: u16,
    pub(super) mqtt_port: u16,
    pub(super) management_port: u16,
    pub(super) code_seconds: u64,
    pub(super) verification_code: Option<String>,
    pub(super) profile: Profile,
    pub(super) require_proof: bool,
    pub(super) longest_chain: LongestChain,
    pub(super) verdicts: bool,
    pub(super) authority_days: u32,
    pub(super) mqtt_service_port: Option<u16>,
}

impl Site {
    /// The base of REST.
    pub(super) fn url(&self) -> String {
        format!("https://{}:{}", self.authority(), self.https_port)
    }

    /// The base of REST with client certificates.
    pub(super) fn mtls_url(&self) -> String {
        format!("https://{}:{}", self.authority(), self.mtls_port)
    }

    /// Host and port of MQTT.
    pub(super) fn mqtt_address(&self) -> String {
        format!("{}:{}", self.authority(), self.mqtt_port)
    }

    /// Host and port of the MQTT Service, if there is one.
    pub(super) fn mqtt_service_address(&self) -> Option<String> {
        self.mqtt_service_port.map(|port| format!("{}:{port}", self.authority()))
    }

    /// The page.
    pub(super) fn management_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.management_port)
    }

    /// The host as it stands in a URL.
    fn authority(&self) -> String {
        let bare = !self.host.contains(':');
        if bare { self.host.clone() } else { format!("[{}]", self.host) }
    }
}

/// Everything.
pub(super) struct World {
    pub(super) site: Site,
    pub(super) password: Password,
    pub(super) tokens: Tokens,
    pub(super) identity: Identity,
    pub(super) tenants: BTreeMap<String, Tenant>,
    /// Who is connected by MQTT.
    pub(super) online: Online,
}

impl World {
    /// Three empty tenants.
    pub(super) fn new(
        site: Site,
        password: Password,
        identity: Identity,
        token_seconds: u32,
    ) -> Self {
        let names = [HOME, "t1002", MANAGEMENT];
        let tenants = names.into_iter().map(|name| (name.to_owned(), Tenant::default())).collect();
        let (tokens, online) = (Tokens::new(token_seconds), Online::default());
        Self { site, password, tokens, identity, tenants, online }
    }

    /// The subjects of all certificates that devices may lead to: a handshake lists them.
    pub(super) fn trust_store(&self) -> Vec<Vec<u8>> {
        let all = self.tenants.values().flat_map(|tenant| &tenant.trusted);
        let listed = all.filter(|trusted| trusted.enabled && trusted.in_trust_store);
        let mut names: Vec<_> =
            listed.map(|trusted| trusted.certificate.subject.der().to_vec()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The same certificate in the other tenants.
    pub(super) fn elsewhere<'a>(
        &'a self,
        tenant: &'a str,
        fingerprint: &'a str,
    ) -> impl Iterator<Item = &'a Trusted> {
        let others = self.tenants.iter().filter(move |(name, _)| *name != tenant);
        others.filter_map(move |(_, other)| other.trusted(fingerprint))
    }

    /// Whether another tenant holds the same certificate and this one has no proof that it may
    /// (platform: "two tenants uploading the same CA without proof of possession lock each other
    /// out").
    pub(super) fn is_locked_out(&self, tenant: &str, fingerprint: &str) -> bool {
        let own = self.tenants.get(tenant).and_then(|t| t.trusted(fingerprint));
        let proven = own.is_some_and(|trusted| trusted.proven);
        !proven && self.elsewhere(tenant, fingerprint).next().is_some()
    }

    /// Sends an operation to a device of the first tenant; whether it is there to take it.
    pub(super) fn send_operation(&self, device: &str, rows: &str) -> bool {
        self.online.deliver(HOME, device, OPERATIONS, rows)
    }

    /// The tenants, for people and tests; of each list at most so many.
    pub(super) fn view(&self, most: usize) -> Map<String, Value> {
        let view = |(name, tenant): (&String, &Tenant)| {
            let locked = |fingerprint: &str| self.is_locked_out(name, fingerprint);
            (name.clone(), tenant.view(most, locked, |device| self.online.has(name, device)))
        };
        self.tenants.iter().map(view).collect()
    }
}
