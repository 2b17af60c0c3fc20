//! What an order is, a device of it, and how far that device has come.

use std::collections::BTreeMap;

use time::OffsetDateTime;

#[cfg(feature = "serve")]
use crate::cert::Serial;
use crate::client_id::DeviceId;
use crate::registry::Record;

/// An order to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct NewOrder<'a> {
    /// Its name, which no other order has, in any case.
    pub name: &'a str,
    /// Who has ordered.
    pub customer: Option<&'a str>,
    /// Name of the CA that issues the devices.
    pub ca: &'a str,
    /// How they are made, as JSON.
    pub options: &'a serde_json::Value,
    /// What the list was called.
    pub list: &'a str,
}

/// An order as it stands in the registry.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderRecord {
    pub(super) id: i64,
    /// The row of the audit log that tells of it: what was recorded later may belong to it.
    pub(super) audit: i64,
    /// Its name.
    pub name: String,
    /// Who has ordered.
    pub customer: Option<String>,
    /// The present name of the CA that issues the devices.
    pub ca: String,
    /// How they are made, as JSON.
    pub options: serde_json::Value,
    /// What the list was called.
    pub list: String,
    /// How many devices it has.
    pub devices: u64,
    /// When it was made.
    pub created: OffsetDateTime,
    /// When it was taken back, if it was.
    pub taken_back: Option<OffsetDateTime>,
}

/// A device of an order, as its list has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// Its identifier.
    pub id: DeviceId,
    /// Its line in the list, from 1.
    pub line: Option<u64>,
    /// The other columns of its row that are not empty.
    pub details: BTreeMap<String, String>,
}

/// Something that happened to a device of an order and that no certificate tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It could not be issued, for this reason: a sentence.
    Failed(String),
    /// It has connected with its live certificate.
    Connected,
    /// It was handed over with its live certificate.
    HandedOver,
}

impl Step {
    pub(super) const FAILED: &'static str = "failed";
    pub(super) const CONNECTED: &'static str = "connected";
    pub(super) const HANDED_OVER: &'static str = "handed-over";

    /// Its name in the registry.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Failed(_) => Self::FAILED,
            Self::Connected => Self::CONNECTED,
            Self::HandedOver => Self::HANDED_OVER,
        }
    }

    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::Failed(reason) => Some(reason),
            Self::Connected | Self::HandedOver => None,
        }
    }
}

/// How a device of an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderState {
    /// It has a live certificate.
    Issued,
    /// It has none, the last attempt failed, and its last one was not revoked.
    Failed,
    /// It has none, and its last one was revoked.
    Revoked,
    /// It has none yet.
    Open,
}

impl OrderState {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Failed => "failed",
            Self::Revoked => "revoked",
            Self::Open => "open",
        }
    }
}

/// A device of an order, and what has become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderedDevice {
    /// Its position in the list, from 0.
    pub position: u64,
    /// As its list has it.
    pub ordered: Ordered,
    /// How it stands.
    pub state: OrderState,
    /// Its live certificate.
    pub live: Option<Record>,
    /// Whether the live certificate is older than the order.
    pub before: bool,
    /// How many certificates it got since the order was made: more than one after rework.
    pub made: u64,
    /// When it failed last, and why; of no account once it is issued.
    pub failed: Option<(OffsetDateTime, String)>,
    /// When it connected with its live certificate for the first time that is known.
    pub connected: Option<OffsetDateTime>,
    /// When it was handed over with its live certificate.
    pub handed_over: Option<OffsetDateTime>,
}

/// What was made last for an order.
#[cfg(feature = "serve")]
#[derive(Debug)]
pub(crate) struct Recent {
    /// How many devices.
    pub(crate) count: u64,
    /// The last ones, the newest first: id, serial number, when it was recorded.
    pub(crate) last: Vec<(String, Serial, OffsetDateTime)>,
}

impl OrderRecord {
    /// The second in which it was taken back, or one that does not come.
    pub(super) fn end(&self) -> i64 {
        self.taken_back.map_or(i64::MAX, |at| at.unix_timestamp())
    }
}

/// The condition that a certificate `c`, live (`=`) or not (`<>`), was made before its order was taken back at `end`: what
/// was made later is not of it, and what was made in that second and is of it, is revoked.
pub(super) fn made_before(end: &str, status: &str) -> String {
    let before = if status == "=" { "<" } else { "<=" };
    format!("c.status {status} 'live' AND c.recorded {before} {end}")
}

impl OrderedDevice {
    /// What was said of it after the order was made, with its live certificate, if anything was.
    pub fn said_later(&self) -> Option<&BTreeMap<String, String>> {
        let live = self.live.as_ref().filter(|_| !self.before);
        live.map(|live| &live.details).filter(|details| !details.is_empty())
    }

    /// What was said of it last: by its list, or with its live certificate.
    pub fn details(&self) -> &BTreeMap<String, String> {
        self.said_later().unwrap_or(&self.ordered.details)
    }

    /// Whether it was made more than once in this order, and has a live certificate.
    pub fn is_reworked(&self) -> bool {
        self.live.is_some() && self.made > 1
    }
}
