//! The rows of orders, and digests of what they say.

use crate::registry::hashes;

fn optional(text: Option<&str>) -> Vec<u8> {
    text.map_or(Vec::new(), |t| [b"+", t.as_bytes()].concat())
}

/// What an order says and nobody may change.
pub(super) struct OrderRow<'a> {
    pub(super) name: &'a str,
    pub(super) customer: Option<&'a str>,
    pub(super) ca: &'a str,
    pub(super) options: &'a str,
    pub(super) list: &'a str,
    pub(super) created: i64,
}

impl OrderRow<'_> {
    pub(super) fn digest(&self) -> [u8; 32] {
        hashes::digest(&[
            self.name.as_bytes(),
            &optional(self.customer),
            self.ca.as_bytes(),
            self.options.as_bytes(),
            self.list.as_bytes(),
            &self.created.to_be_bytes(),
        ])
    }
}

/// What a row of its list says.
pub(super) struct DeviceRow<'a> {
    pub(super) position: i64,
    pub(super) client_id: &'a str,
    pub(super) folded_id: &'a str,
    pub(super) line: Option<i64>,
    pub(super) details: &'a str,
}

impl DeviceRow<'_> {
    pub(super) fn digest(&self) -> [u8; 32] {
        hashes::digest(&[
            &self.position.to_be_bytes(),
            self.client_id.as_bytes(),
            self.folded_id.as_bytes(),
            &self.line.map_or(Vec::new(), |line| line.to_be_bytes().to_vec()),
            self.details.as_bytes(),
        ])
    }
}

/// What a step says.
pub(super) struct StepRow<'a> {
    pub(super) of_order: i64,
    pub(super) position: i64,
    pub(super) step: &'a str,
    pub(super) at: i64,
    pub(super) certificate: Option<i64>,
    pub(super) reason: Option<&'a str>,
}

impl StepRow<'_> {
    pub(super) fn digest(&self) -> [u8; 32] {
        hashes::digest(&[
            &self.of_order.to_be_bytes(),
            &self.position.to_be_bytes(),
            self.step.as_bytes(),
            &self.at.to_be_bytes(),
            &self.certificate.map_or(Vec::new(), |row| row.to_be_bytes().to_vec()),
            &optional(self.reason),
        ])
    }
}

/// A digest of digests, one after the other: each is hashed with all before it, so that an order of any length takes
/// no memory.
#[derive(Default)]
pub(super) struct Running([u8; 32]);

impl Running {
    pub(super) fn add(&mut self, digest: &[u8; 32]) {
        self.0 = hashes::digest(&[&self.0, digest]);
    }

    pub(super) fn hex(&self) -> String {
        crate::crypto::hex(&self.0)
    }
}
