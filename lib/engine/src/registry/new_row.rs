//! A certificate as it becomes a row, and what the audit log says of rows that are recorded together.

use time::OffsetDateTime;

use super::hashes::{KeyStart, key_start};
use super::row::Row;
use super::{NewRecord, Status};
use crate::crypto::{hex, sha256};

/// A row in the making: the texts of its columns, and its digest.
#[derive(Debug)]
pub(super) struct NewRow<'a> {
    record: &'a NewRecord,
    batch: &'a str,
    recorded: i64,
    role: &'static str,
    client_id: Option<String>,
    folded_id: Option<String>,
    details: String,
    location: Option<String>,
    /// How it stands from the beginning on.
    pub(super) status: Status,
    /// The digest of what it says.
    pub(super) digest: [u8; 32],
    /// The start of its key's digest.
    pub(super) key: KeyStart,
}

impl<'a> NewRow<'a> {
    pub(super) fn new(
        record: &'a NewRecord,
        batch: &'a str,
        now: OffsetDateTime,
        status: Status,
    ) -> Self {
        let (role, client_id, folded_id) = record.holder.columns();
        let location = record.location.as_ref().map(|path| path.to_string_lossy().into_owned());
        let mut new = Self {
            record,
            batch,
            recorded: now.unix_timestamp(),
            role,
            client_id,
            folded_id,
            details: serde_json::to_string(&record.details).unwrap_or_default(),
            location,
            status,
            digest: [0; 32],
            key: key_start(&record.certificate.key_digest),
        };
        new.digest = new.row().digest();
        new
    }

    /// Its columns.
    pub(super) fn row(&self) -> Row<'_> {
        let cert = &self.record.certificate;
        Row {
            ca: &self.record.ca,
            role: self.role,
            client_id: self.client_id.as_deref(),
            folded_id: self.folded_id.as_deref(),
            issuer: &cert.issuer,
            serial: cert.serial.bytes(),
            not_before: cert.not_before.unix_timestamp(),
            not_after: cert.not_after.unix_timestamp(),
            recorded: self.recorded,
            batch: self.batch,
            details: &self.details,
            location: self.location.as_deref(),
            has_key: self.record.has_key,
            der: &cert.der,
            bundle: self.record.bundle.as_deref(),
        }
    }
}

/// What the audit log says of rows that are recorded together.
pub(super) fn issued(batch: &str, rows: &[NewRow<'_>]) -> serde_json::Value {
    let digests: Vec<u8> = rows.iter().flat_map(|row| row.digest).collect();
    serde_json::json!({
        "batch": batch,
        "certificates": rows.len(),
        "rows": hex(&sha256(&digests)),
    })
}
