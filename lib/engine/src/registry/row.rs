//! What a row of a certificate says, and how the audit log names it.

use super::hashes::digest;
use crate::crypto::{hex, sha256};

/// The digest of what a row says and nobody may change: its fields, each with its length in front.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) ca: &'a str,
    pub(super) role: &'a str,
    pub(super) client_id: Option<&'a str>,
    pub(super) folded_id: Option<&'a str>,
    pub(super) issuer: &'a [u8],
    pub(super) serial: &'a [u8],
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    pub(super) recorded: i64,
    pub(super) batch: &'a str,
    pub(super) details: &'a str,
    pub(super) location: Option<&'a str>,
    pub(super) has_key: bool,
    pub(super) der: &'a [u8],
    pub(super) bundle: Option<&'a str>,
}

impl Row<'_> {
    pub(super) fn digest(&self) -> [u8; 32] {
        let optional =
            |text: Option<&str>| text.map_or(Vec::new(), |t| [b"+", t.as_bytes()].concat());
        let bundle = optional(self.bundle);
        let fields = [
            self.ca.as_bytes(),
            self.role.as_bytes(),
            &optional(self.client_id),
            &optional(self.folded_id),
            self.issuer,
            self.serial,
            &self.not_before.to_be_bytes(),
            &self.not_after.to_be_bytes(),
            &self.recorded.to_be_bytes(),
            self.batch.as_bytes(),
            self.details.as_bytes(),
            &optional(self.location),
            &[u8::from(self.has_key)],
            self.der,
            &bundle,
        ];
        // A row of a former version has no bundle, and the digest that it had.
        let known = if self.bundle.is_some() { fields.len() } else { fields.len() - 1 };
        digest(&fields[..known])
    }
}

/// How an audit row names a certificate: its serial number and the SHA-256 of its DER.
pub(super) fn audit_name(serial: &[u8], der: &[u8]) -> serde_json::Value {
    serde_json::json!({ "serial": hex(serial), "sha256": hex(&sha256(der)) })
}
