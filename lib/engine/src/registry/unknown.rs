//! Revocations of certificates that have no row.

use super::Result;
use super::database::Session;
use crate::crl::Revoked;
use crate::crypto::{hex, sha256};
use crate::name::Name;

/// How the audit log names a revocation of a certificate without a row.
pub(super) fn entry(issuer: &[u8], serial: &[u8], at: i64, reason: u8) -> serde_json::Value {
    serde_json::json!({
        "issuer_sha256": hex(&sha256(issuer)),
        "serial": hex(serial),
        "revoked_at": at,
        "reason": reason,
    })
}

/// Keeps a revocation; whether it was not kept before.
pub(super) fn add_unknown(session: &Session<'_>, issuer: &Name, revoked: &Revoked) -> Result<bool> {
    let (at, reason) = (revoked.at.unix_timestamp(), revoked.reason as u8);
    let sql = "INSERT INTO unknown_revocation (issuer, serial, revoked_at, reason)
         VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
    let values = values![issuer.der(), revoked.serial.bytes(), at, reason];
    Ok(session.execute(sql, values)? > 0)
}
