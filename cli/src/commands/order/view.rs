//! An order as it is shown, and the command that issues its devices.

use c8y_pki_engine::orders::{OrderOptions, Progress};
use c8y_pki_engine::registry::OrderRecord;
use serde::Serialize;
use time::OffsetDateTime;

use crate::hint;
use crate::render::quoted;

/// An order, and how far it is.
#[derive(Debug, Serialize)]
pub(super) struct View {
    pub(super) name: String,
    pub(super) customer: Option<String>,
    pub(super) ca: String,
    pub(super) list: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) created: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(super) taken_back: Option<OffsetDateTime>,
    pub(super) options: OrderOptions,
    #[serde(flatten)]
    pub(super) progress: Progress,
}

impl View {
    pub(super) fn of(order: &OrderRecord, options: OrderOptions, progress: Progress) -> Self {
        Self {
            name: order.name.clone(),
            customer: order.customer.clone(),
            ca: order.ca.clone(),
            list: order.list.clone(),
            created: order.created,
            taken_back: order.taken_back,
            options,
            progress,
        }
    }

    /// What is to be said of it in one word.
    pub(super) fn state(&self) -> &'static str {
        match () {
            () if self.taken_back.is_some() => "taken back",
            () if !self.progress.is_settled() => "unfinished",
            () if self.progress.issued == 0 => "revoked",
            () if self.progress.handed_over == self.progress.issued => "handed over",
            () => "issued",
        }
    }
}

/// The command that issues the devices of an order.
pub(super) fn issue_command(name: &str, options: &OrderOptions) -> String {
    let has_truststore = options.bundle.iter().any(|kind| kind.is_truststore());
    let trusted = if has_truststore { " --server-cert FILE" } else { "" };
    hint::with_pki(&format!("device issue --order {} --out DIR{trusted}", quoted(name)))
}
