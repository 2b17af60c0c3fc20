//! A tenant: what it holds, and how that is shown.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::inventory::Inventory;
use super::pending::Pending;
use super::trusted::Trusted;
use crate::cert::Certificate;
use crate::clock::iso;
use crate::key::PrivateKey;
use crate::secret::Password;

/// The tenant that manages the others.
pub(crate) const MANAGEMENT: &str = "management";

/// How a device authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthType {
    Basic,
    Certificates,
}

impl AuthType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Basic => "BASIC",
            Self::Certificates => "CERTIFICATES",
        }
    }
}

/// A device that was registered, or registered itself.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) auth_type: AuthType,
    pub(crate) credentials: Option<Password>,
    /// How often it came into being: more than once is a fault of the sandbox.
    pub(crate) created: u32,
    /// How often its credentials were given anew.
    pub(crate) updated: u32,
    /// Whether it registered itself by connecting.
    pub(crate) automatic: bool,
    pub(crate) device_type: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) iccid: Option<String>,
    pub(crate) id_type: String,
    pub(crate) groups: Vec<String>,
    pub(crate) shell: bool,
    pub(crate) agent: bool,
    /// One more external id: its type, and the id.
    pub(crate) external: Option<(String, String)>,
    pub(crate) properties: Map<String, Value>,
    /// The serial number of the last certificate that the tenant's own CA gave it.
    pub(crate) enrolled: Option<String>,
    /// The serial numbers of the certificates that it showed last, the newest first.
    pub(crate) seen: Vec<Shown>,
}

/// A certificate that a device has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Shown {
    pub(crate) serial_number: String,
    pub(crate) not_before: String,
    pub(crate) not_after: String,
}

impl Device {
    /// Notes a certificate that it has shown (platform: "the last five seen in a handshake").
    pub(crate) fn showed(&mut self, certificate: &Certificate) {
        const KEPT: usize = 5;
        let shown = Shown {
            serial_number: certificate.serial.to_string(),
            not_before: iso(certificate.not_before),
            not_after: iso(certificate.not_after),
        };
        self.seen.retain(|other| *other != shown);
        self.seen.insert(0, shown);
        self.seen.truncate(KEPT);
    }

    /// A device with nothing but a way to authenticate.
    pub(crate) fn new(auth_type: AuthType) -> Self {
        Self {
            auth_type,
            credentials: None,
            created: 1,
            updated: 0,
            automatic: false,
            device_type: None,
            name: None,
            iccid: None,
            id_type: "c8y_Serial".to_owned(),
            groups: Vec::new(),
            shell: false,
            agent: false,
            external: None,
            properties: Map::new(),
            enrolled: None,
            seen: Vec::new(),
        }
    }

    fn view(&self, id: &str, may_enrol: bool) -> Value {
        let external = self.external.as_ref().map(|(kind, id)| json!({ "type": kind, "id": id }));
        json!({
            "id": id, "created": self.created, "updated": self.updated,
            "automatic": self.automatic, "name": self.name, "type": self.device_type,
            "iccid": self.iccid, "id_type": self.id_type, "auth_type": self.auth_type.name(),
            "groups": self.groups, "shell": self.shell, "agent": self.agent,
            "external": external, "properties": self.properties,
            "one_time_password_open": may_enrol, "enrolled": self.enrolled,
            "certificates_seen": self.seen,
        })
    }
}

/// A bulk registration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Registration {
    pub(crate) at: OffsetDateTime,
    pub(crate) rows: usize,
    pub(crate) created: usize,
    pub(crate) failed: usize,
}

/// A certificate that the tenant's own CA gave to a device.
#[derive(Debug, Clone)]
pub(crate) struct Enrolment {
    pub(crate) at: OffsetDateTime,
    pub(crate) device: String,
    pub(crate) serial: String,
    pub(crate) renewal: bool,
}

/// The tenant's own CA.
pub(crate) struct Authority {
    pub(crate) certificate: Certificate,
    pub(crate) key: PrivateKey,
}

/// One tenant.
#[derive(Default)]
pub(crate) struct Tenant {
    pub(crate) trusted: Vec<Trusted>,
    pub(crate) devices: BTreeMap<String, Device>,
    /// Devices that were entered by their ids, until they have got their credentials.
    pub(crate) requests: BTreeMap<String, Pending>,
    /// Options, by category and key.
    pub(crate) options: BTreeMap<(String, String), String>,
    /// Features that were switched on or off.
    pub(crate) features: BTreeMap<&'static str, bool>,
    /// What devices have made by their messages; a user may do so for a device that is not registered.
    pub(crate) inventories: BTreeMap<String, Inventory>,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) registrations: Vec<Registration>,
    /// Serial numbers without leading zeros, and since when they are revoked.
    pub(crate) revoked: BTreeMap<Vec<u8>, OffsetDateTime>,
    pub(crate) crl_number: u64,
    pub(crate) authority: Option<Authority>,
    pub(crate) enrolments: Vec<Enrolment>,
}

impl Tenant {
    /// Whether revocations count: not until that was switched on (platform: "Revocation").
    pub(crate) fn checks_revocation(&self) -> bool {
        let key = ("configuration".to_owned(), "crl.offline.check.enabled".to_owned());
        self.options.get(&key).is_some_and(|value| value == "true")
    }

    pub(crate) fn trusted(&self, fingerprint: &str) -> Option<&Trusted> {
        self.trusted.iter().find(|t| t.fingerprint == fingerprint)
    }

    /// What it holds, of each list at most so many, the newest of those that have an order; `locked` says of a
    /// fingerprint whether another tenant holds it too, `connected` of a device whether it is.
    pub(crate) fn view(
        &self,
        most: usize,
        locked: impl Fn(&str) -> bool,
        connected: impl Fn(&str) -> bool,
    ) -> Value {
        let newest = |length: usize| length.saturating_sub(most);
        let trusted: Vec<Value> =
            self.trusted.iter().take(most).map(|t| t.view(locked(&t.fingerprint))).collect();
        let made = |id: &str, mut view: Value| {
            let inventory = self.inventories.get(id).cloned().unwrap_or_default().view();
            for part in ["object", "children", "events", "messages"] {
                view[part] = inventory[part].clone();
            }
            view["connected"] = connected(id).into();
            view
        };
        let device = |(id, d): (&String, &Device)| {
            made(id, d.view(id, self.requests.get(id).is_some_and(Pending::may_enrol)))
        };
        let devices: Vec<Value> = self.devices.iter().take(most).map(device).collect();
        let others = || self.inventories.keys().filter(|id| !self.devices.contains_key(*id));
        let unregistered = others().take(most).map(|id| made(id, json!({ "id": id })));
        let unregistered: Vec<Value> = unregistered.collect();
        let registration = |r: &Registration| json!({ "at": iso(r.at), "rows": r.rows, "created": r.created, "failed": r.failed });
        let registrations = self.registrations.iter().skip(newest(self.registrations.len()));
        let registrations: Vec<Value> = registrations.map(registration).collect();
        let revocation = |(serial, at): (&Vec<u8>, &OffsetDateTime)| json!({ "serial_number": crate::crypto::hex(serial), "revocation_date": iso(*at) });
        let revocations: Vec<Value> = self.revoked.iter().take(most).map(revocation).collect();
        let enrolment = |e: &Enrolment| {
            json!({
                "at": iso(e.at), "device": e.device, "serial_number": e.serial, "renewal": e.renewal,
            })
        };
        let enrolments = self.enrolments.iter().skip(newest(self.enrolments.len()));
        let enrolments: Vec<Value> = enrolments.map(enrolment).collect();
        let request = |(id, one): (&String, &Pending)| json!({ "id": id, "status": one.status.name(), "may_enrol": one.may_enrol() });
        let option = |((category, key), value): (&(String, String), &String)| json!({ "category": category, "key": key, "value": value });
        let feature = |(key, on): (&&str, &bool)| json!({ "key": key, "active": on });
        let features: Vec<Value> = self.features.iter().map(feature).collect();
        let options: Vec<Value> = self.options.iter().take(most).map(option).collect();
        let requests: Vec<Value> = self.requests.iter().take(most).map(request).collect();
        let groups: Vec<&String> = self.groups.iter().take(most).collect();
        let totals = json!({
            "trusted_certificates": self.trusted.len(), "new_device_requests": self.requests.len(),
            "devices": self.devices.len(), "unregistered": others().count(),
            "registrations": self.registrations.len(), "revocations": self.revoked.len(),
            "enrolments": self.enrolments.len(), "options": self.options.len(), "features": self.features.len(),
        });
        json!({
            "trusted_certificates": trusted, "new_device_requests": requests, "devices": devices, "groups": groups,
            "unregistered": unregistered, "registrations": registrations, "revocations": revocations, "enrolments": enrolments,
            "options": options, "features": features, "totals": totals,
        })
    }
}
