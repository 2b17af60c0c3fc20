//! What needs a person: what runs out, what is due, what is not at the tenant.
//!
//! [`Picture::of`] looks at a PKI directory, [`tenant::ask`] at a tenant; [`Picture::items`] says what of it somebody
//! has to do. Nothing is said of what was not looked at: without a tenant, nothing of registrations, proofs and of the
//! tenant's list. Nothing is changed.
//!
//! | file | for |
//! | --- | --- |
//! | `local` | what the PKI directory and its registry say |
//! | `tenant` | what a tenant says |
//! | `judge` | what of it is overdue or due soon |
//! | `prometheus` | the same as numbers for a monitoring system |

mod judge;
mod local;
mod prometheus;
pub mod tenant;

use serde::Serialize;
use time::OffsetDateTime;

use crate::failure::Hint;
use crate::orders::Progress;

pub use prometheus::text as prometheus;
pub use tenant::AtTenant;

/// How long before an end something is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Days before a CA's certificate ends.
    pub ca_days: u32,
    /// Days before devices' certificates end.
    pub device_days: u32,
    /// Days before the next revocation list is due.
    pub list_days: u32,
}

impl Default for Limits {
    /// 180 days for a CA, as it takes an upload and new certificates of its devices; 30 for devices, 3 for lists.
    fn default() -> Self {
        Self { ca_days: 180, device_days: 30, list_days: 3 }
    }
}

/// All that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Picture {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What counts as due.
    pub limits: Limits,
    /// The CAs of the directory.
    pub cas: Vec<CaState>,
    /// The subjects of CAs that the registry has and the directory has no more.
    pub lost: Vec<String>,
    /// The CAs that wait for their certificates.
    pub waiting: Vec<WaitingState>,
    /// The orders of the registry.
    pub orders: Vec<OrderState>,
    /// How many orders were taken back. Nothing is issued for them.
    pub taken_back: usize,
    /// Orders that were taken back while their devices were being made: some still have live certificates.
    pub half_taken_back: Vec<HalfTakenBack>,
    /// What the tenant says; none if it was not asked.
    pub tenant: Option<AtTenant>,
}

/// A CA, its devices and its list.
#[derive(Debug, Clone, Serialize)]
pub struct CaState {
    /// Its name.
    pub name: String,
    /// When its certificate ends.
    #[serde(with = "time::serde::rfc3339")]
    pub not_after: OffsetDateTime,
    /// That it, or a CA above it, is revoked, in words.
    pub revoked: Option<String>,
    /// Whether another CA of the directory is below it.
    pub has_cas_below: bool,
    /// Its devices.
    pub devices: LiveState,
    /// Its servers.
    pub servers: LiveState,
    /// Its revocations and its last list.
    pub list: ListState,
}

/// A CA whose request is not answered yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaitingState {
    /// Its name.
    pub name: String,
    /// Its subject, as the request has it.
    pub subject: String,
}

/// Live certificates of devices, or of servers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LiveState {
    /// How many there are, expired ones included.
    pub live: u64,
    /// How many of them have expired.
    pub expired: u64,
    /// How many of them end soon, without those that have.
    pub ending: u64,
    /// When the first of them ends, or has ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub first_end: Option<OffsetDateTime>,
}

/// The revocation list of a CA.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ListState {
    /// How many revocations the registry has of this CA's name.
    pub revoked: usize,
    /// How many of them are in no list: they were revoked after the last one.
    pub unlisted: usize,
    /// When the next list is due; none if it has made none, or one without that date.
    #[serde(with = "time::serde::rfc3339::option")]
    pub next_update: Option<OffsetDateTime>,
    /// Whether it has made a list.
    pub made: bool,
    /// What is wrong with the last list.
    pub problem: Option<String>,
}

/// An order.
#[derive(Debug, Clone, Serialize)]
pub struct OrderState {
    /// Its name.
    pub name: String,
    /// The CA that issues its devices.
    pub ca: String,
    /// How far it is.
    #[serde(flatten)]
    pub progress: Progress,
}

/// An order that was taken back and of which certificates are live.
#[derive(Debug, Clone, Serialize)]
pub struct HalfTakenBack {
    /// Its name.
    pub name: String,
    /// How many.
    pub live: usize,
}

/// How pressing something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// It should have been done.
    Overdue,
    /// It has to be done soon.
    Due,
}

/// What something is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A CA's certificate.
    Ca,
    /// Certificates of devices.
    Devices,
    /// Certificates of servers.
    Servers,
    /// A revocation list.
    List,
    /// An order.
    Order,
    /// A CA at the tenant.
    Trust,
    /// A proof of possession.
    Proof,
    /// Devices that the tenant does not know.
    Registration,
    /// Revocations that the tenant does not have.
    Revocation,
}

impl Subject {
    /// Its word in JSON and in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Devices => "devices",
            Self::Servers => "servers",
            Self::List => "list",
            Self::Order => "order",
            Self::Trust => "trust",
            Self::Proof => "proof",
            Self::Registration => "registration",
            Self::Revocation => "revocation",
        }
    }
}

/// Something that a person has to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// How pressing it is.
    pub urgency: Urgency,
    /// What it is about.
    pub subject: Subject,
    /// Of which CA, order or tenant.
    pub name: String,
    /// What was seen, as a sentence without its full stop.
    pub message: String,
    /// What to do.
    pub hint: Option<Hint>,
}

impl Picture {
    /// What a person has to do: what is overdue first.
    pub fn items(&self) -> Vec<Item> {
        judge::items(self)
    }
}

#[cfg(test)]
mod tests;
