//! Steps of devices: that they failed, connected, were handed over.

use time::OffsetDateTime;

use super::record::Step;
use super::tables::{Running, StepRow};
use crate::client_id::DeviceId;
use crate::registry::database::{Session, Turn};
use crate::registry::{Registry, Result, audit};

/// The action of an audit row that tells of steps.
pub(super) const STEPS: &str = "order-steps";

impl Registry {
    /// Keeps steps of devices in one durable transaction: all of them or none. Each is kept for the order that the
    /// device is in, if it is in one that was not taken back; others are left aside. What is known already is not
    /// kept again. A device without a live certificate neither connects nor is handed over: that is left aside too.
    ///
    /// Returns how many were kept.
    pub fn note_steps(&self, steps: &[(DeviceId, Step)], now: OffsetDateTime) -> Result<u64> {
        let work = self.begin(Turn::Alone)?;
        let (last, _) = audit::head(&work)?;
        let (mut digest, mut kept) = (Running::default(), 0_u64);
        for (id, step) in steps {
            if let Some(added) = add(&work, &id.folded(), step, now, last + 1)? {
                digest.add(&added);
                kept += 1;
            }
        }
        if kept == 0 {
            return Ok(0);
        }
        let detail = serde_json::json!({ "steps": kept, "rows": digest.hex() });
        work.append(now, STEPS, &detail)?;
        work.commit()?;
        Ok(kept)
    }
}

/// Adds a step, unless it is known or belongs to no order; returns its digest.
fn add(
    session: &Session<'_>,
    folded: &str,
    step: &Step,
    now: OffsetDateTime,
    audit: i64,
) -> Result<Option<[u8; 32]>> {
    let sql = "SELECT d.of_order, d.position FROM order_device AS d
         JOIN device_order AS o ON o.id = d.of_order
         WHERE d.folded_id = ?1 AND o.taken_back IS NULL";
    let place: Option<(i64, i64)> =
        session.first(sql, values![folded], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some((of_order, position)) = place else { return Ok(None) };
    let sql = "SELECT id FROM certificate WHERE folded_id = ?1 AND status = 'live'";
    let certificate: Option<i64> = session.first(sql, values![folded], |row| row.get(0))?;
    let certificate = match step {
        Step::Failed(_) => None,
        Step::Connected | Step::HandedOver if certificate.is_none() => return Ok(None),
        Step::Connected | Step::HandedOver => certificate,
    };
    let row = StepRow {
        of_order,
        position,
        step: step.name(),
        at: now.unix_timestamp(),
        certificate,
        reason: step.reason(),
    };
    let sql = "SELECT certificate, reason FROM order_step
         WHERE of_order = ?1 AND position = ?2 AND step = ?3 ORDER BY id DESC LIMIT 1";
    let last: Option<(Option<i64>, Option<String>)> =
        session.first(sql, values![of_order, position, row.step], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    if last.is_some_and(|(of, reason)| of == certificate && reason.as_deref() == row.reason) {
        return Ok(None);
    }
    session.execute(
        "INSERT INTO order_step (of_order, position, step, at, certificate, reason, audit)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        values![of_order, position, row.step, row.at, row.certificate, row.reason, audit],
    )?;
    Ok(Some(row.digest()))
}
