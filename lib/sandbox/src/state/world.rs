//! All that the sandbox holds: the tenants of one instance, and what they share.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::online::Online;
use super::site::Site;
use super::tenant::{MANAGEMENT, Tenant};
use super::trusted::Trusted;
use crate::HOME;
use crate::identity::Identity;
use crate::jwt::Tokens;
use crate::secret::Password;

/// The topic on which devices get their operations.
pub(crate) const OPERATIONS: &str = "s/ds";

/// Everything.
pub(crate) struct World {
    pub(crate) site: Site,
    pub(crate) password: Password,
    pub(crate) tokens: Tokens,
    pub(crate) identity: Identity,
    pub(crate) tenants: BTreeMap<String, Tenant>,
    /// Who is connected by MQTT.
    pub(crate) online: Online,
}

impl World {
    /// Three empty tenants.
    pub(crate) fn new(
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
    pub(crate) fn trust_store(&self) -> Vec<Vec<u8>> {
        let all = self.tenants.values().flat_map(|tenant| &tenant.trusted);
        let listed = all.filter(|trusted| trusted.enabled && trusted.in_trust_store);
        let mut names: Vec<_> =
            listed.map(|trusted| trusted.certificate.subject.der().to_vec()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The same certificate in the other tenants.
    pub(crate) fn elsewhere<'a>(
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
    pub(crate) fn is_locked_out(&self, tenant: &str, fingerprint: &str) -> bool {
        let own = self.tenants.get(tenant).and_then(|t| t.trusted(fingerprint));
        let proven = own.is_some_and(|trusted| trusted.proven);
        !proven && self.elsewhere(tenant, fingerprint).next().is_some()
    }

    /// Sends an operation to a device of the first tenant; whether it is there to take it.
    pub(crate) fn send_operation(&self, device: &str, rows: &str) -> bool {
        self.online.deliver(HOME, device, OPERATIONS, rows)
    }

    /// The tenants, for people and tests; of each list at most so many.
    pub(crate) fn view(&self, most: usize) -> Map<String, Value> {
        let view = |(name, tenant): (&String, &Tenant)| {
            let locked = |fingerprint: &str| self.is_locked_out(name, fingerprint);
            (name.clone(), tenant.view(most, locked, |device| self.online.has(name, device)))
        };
        self.tenants.iter().map(view).collect()
    }
}
