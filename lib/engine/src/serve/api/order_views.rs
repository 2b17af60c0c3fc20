//! Orders and what becomes of their devices, as JSON.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use time::OffsetDateTime;

use crate::clock::rfc3339;
use crate::orders::Progress;
use crate::registry::{OrderRecord, OrderState, OrderedDevice, Recent};

/// Orders.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct OrdersView {
    /// In the order in which they were made.
    pub(super) orders: Vec<NamedOrder>,
}

/// An order: what it is.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct NamedOrder {
    /// Its name.
    name: String,
    /// Who has ordered.
    customer: Option<String>,
    /// The name of the CA that issues its devices.
    ca: String,
    /// When it was made.
    #[schemars(extend("format" = "date-time"))]
    created: String,
    /// When it was taken back, if it was.
    #[schemars(extend("format" = "date-time"))]
    taken_back: Option<String>,
}

impl From<OrderRecord> for NamedOrder {
    fn from(order: OrderRecord) -> Self {
        Self {
            name: order.name,
            customer: order.customer,
            ca: order.ca,
            created: rfc3339(order.created),
            taken_back: order.taken_back.map(rfc3339),
        }
    }
}

/// An order, and how far it is.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct OrderView {
    #[serde(flatten)]
    order: NamedOrder,
    /// How many devices it has.
    devices: u64,
    /// How many of them have a live certificate.
    issued: u64,
    /// How many have connected with it.
    connected: u64,
    /// How many were handed over with it.
    handed_over: u64,
    /// How many have none, as the last attempt failed.
    failed: u64,
    /// How many have none, as it was revoked.
    revoked: u64,
    /// How many have had none yet.
    open: u64,
}

impl OrderView {
    pub(super) fn of(order: OrderRecord, progress: Progress) -> Self {
        Self {
            order: order.into(),
            devices: progress.devices,
            issued: progress.issued,
            connected: progress.connected,
            handed_over: progress.handed_over,
            failed: progress.failed,
            revoked: progress.revoked,
            open: progress.open,
        }
    }
}

/// How a device of an order stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct OrderDeviceView {
    /// The device's id.
    id: String,
    /// The order.
    order: String,
    /// Whether it has a live certificate, or why not.
    #[schemars(schema_with = "states")]
    state: &'static str,
    /// Why the last attempt failed, if it did and there is no certificate since.
    reason: Option<String>,
    /// The serial number of its live certificate, in hex.
    serial: Option<String>,
    /// The last moment of the validity of that.
    #[schemars(extend("format" = "date-time"))]
    not_after: Option<String>,
    /// When it has connected with that, as far as is known.
    #[schemars(extend("format" = "date-time"))]
    connected: Option<String>,
    /// When it was handed over with that.
    #[schemars(extend("format" = "date-time"))]
    handed_over: Option<String>,
}

impl OrderDeviceView {
    pub(super) fn of(order: &str, device: &OrderedDevice) -> Self {
        let live = device.live.as_ref();
        let reason = device.failed.as_ref().filter(|_| device.state == OrderState::Failed);
        Self {
            id: device.ordered.id.to_string(),
            order: order.to_owned(),
            state: device.state.name(),
            reason: reason.map(|(_, why)| why.clone()),
            serial: live.map(|live| live.serial.to_string()),
            not_after: live.map(|live| rfc3339(live.not_after)),
            connected: device.connected.map(rfc3339),
            handed_over: device.handed_over.map(rfc3339),
        }
    }
}

fn states(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["issued", "failed", "revoked", "open"] })
}

/// What was made last for an order.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RecentView {
    /// From when on is counted.
    #[schemars(extend("format" = "date-time"))]
    since: String,
    /// How many devices have got their live certificate since then.
    count: u64,
    /// The last ten, the newest first.
    last: Vec<RecentDevice>,
}

/// A device, and when it got its live certificate.
#[derive(Debug, Serialize, JsonSchema)]
struct RecentDevice {
    /// The device's id.
    id: String,
    /// The serial number of the certificate, in hex.
    serial: String,
    /// When it was recorded.
    #[schemars(extend("format" = "date-time"))]
    recorded: String,
}

impl RecentView {
    pub(super) fn of(since: OffsetDateTime, recent: Recent) -> Self {
        let device = |(id, serial, at): (String, crate::cert::Serial, OffsetDateTime)| {
            RecentDevice { id, serial: serial.to_string(), recorded: rfc3339(at) }
        };
        let last = recent.last.into_iter().map(device).collect();
        Self { since: rfc3339(since), count: recent.count, last }
    }
}
