//! What became of the devices of an order: some hundred of them at a time, so that a database far away is asked seldom.

use std::collections::HashMap;

use super::read::is_revoked_since;
#[cfg(feature = "serve")]
use super::read::read_ordered;
use super::record::{OrderRecord, OrderState, Ordered, OrderedDevice, Step, made_before};
use crate::registry::query::{moment, records};
use crate::registry::{Record, Registry, RegistryError, Result, Status};

/// Devices that are asked for at a time.
const PORTION: usize = 500;

/// Of which devices: the order, the first position, and the position behind the last one, as the first three values.
const THESE: &str = "of_order = ?1 AND position >= ?2 AND position < ?3";

/// What is known of the certificates of a device, beside the live one.
#[derive(Debug, Clone, Default)]
struct Made {
    /// How many live and former ones were recorded since the order.
    lives: u64,
    formers: u64,
    /// The row of the last former one, whenever it was recorded, if it is revoked.
    revoked: Option<i64>,
}

impl Registry {
    /// Visits the devices of an order in the order of its list, with what became of each. An error of `visit` ends
    /// it. For one moment of the registry, hold a [snapshot](Self::snapshot).
    pub fn each_order_device<E: From<RegistryError>>(
        &self,
        order: &OrderRecord,
        mut visit: impl FnMut(OrderedDevice) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let (mut first, mut waiting) = (0, Vec::new());
        let mut visit_all = |waiting: &mut Vec<Ordered>| -> std::result::Result<(), E> {
            let devices = self.order_devices(order, first, std::mem::take(waiting))?;
            first += devices.len() as u64;
            devices.into_iter().try_for_each(&mut visit)
        };
        self.each_ordered(order, |ordered| {
            waiting.push(ordered);
            match waiting.len() {
                PORTION => visit_all(&mut waiting),
                _ => Ok(()),
            }
        })?;
        visit_all(&mut waiting)
    }

    /// A device of an order, by its id in any case, with what has become of it.
    #[cfg(feature = "serve")]
    pub(crate) fn device_of_order(
        &self,
        order: &OrderRecord,
        id: &str,
    ) -> Result<Option<OrderedDevice>> {
        let sql = "SELECT client_id, line, details, position FROM order_device
             WHERE of_order = ?1 AND folded_id = ?2";
        let found = self.session()?.first(sql, values![order.id, id.to_lowercase()], |row| {
            Ok((read_ordered(row, 0)?, row.get::<i64>(3)?.cast_unsigned()))
        })?;
        let Some((ordered, position)) = found else { return Ok(None) };
        Ok(self.order_devices(order, position, vec![ordered])?.pop())
    }

    /// Devices of an order from a position of its list on, with what became of them.
    fn order_devices(
        &self,
        order: &OrderRecord,
        first: u64,
        list: Vec<Ordered>,
    ) -> Result<Vec<OrderedDevice>> {
        if list.is_empty() {
            return Ok(Vec::new());
        }
        let past = first + list.len() as u64;
        let (mut lives, mut made) =
            (self.lives(order, first, past)?, self.made(order, first, past)?);
        let mut devices = Vec::with_capacity(list.len());
        for (position, ordered) in (first..).zip(list) {
            let live = lives.remove(&ordered.id.folded());
            let live = live.filter(|live| order.taken_back.is_none_or(|end| live.recorded < end));
            let made = made.remove(&position).unwrap_or_default();
            let (lives, formers) = (made.lives, made.formers);
            let is_revoked = live.is_none() && self.is_revoked_of(order, &made)?;
            devices.push(OrderedDevice {
                position,
                ordered,
                // What it is if nothing failed.
                state: match &live {
                    Some(_) => OrderState::Issued,
                    None if is_revoked => OrderState::Revoked,
                    None => OrderState::Open,
                },
                before: live.is_some() && lives == 0,
                made: lives + formers,
                live,
                failed: None,
                connected: None,
                handed_over: None,
            });
        }
        self.read_steps(order, first, &mut devices)?;
        Ok(devices)
    }

    /// Whether the last certificate of a device was revoked after its order was made: what was revoked before is issued for
    /// it.
    fn is_revoked_of(&self, order: &OrderRecord, made: &Made) -> Result<bool> {
        let Some(row) = made.revoked else { return Ok(false) };
        if made.formers > 0 {
            return Ok(true);
        }
        let session = self.session()?;
        match records(&session, "WHERE id = ?1", values![row])?.first() {
            Some(record) => is_revoked_since(&session, record, order.audit),
            None => Ok(false),
        }
    }

    /// The live certificates of devices of an order, by the folded id.
    fn lives(&self, order: &OrderRecord, first: u64, past: u64) -> Result<HashMap<String, Record>> {
        let tail = format!(
            "WHERE status = 'live' AND folded_id IS NOT NULL
               AND folded_id IN (SELECT folded_id FROM order_device WHERE {THESE})"
        );
        let values = values![order.id, first.cast_signed(), past.cast_signed()];
        let all = records(&self.session()?, &tail, values)?;
        let by_id = all.into_iter().filter_map(|record| {
            let folded = record.holder.device()?.folded();
            Some((folded, record))
        });
        Ok(by_id.collect())
    }

    /// What was made for devices of an order, by their positions.
    fn made(&self, order: &OrderRecord, first: u64, past: u64) -> Result<HashMap<u64, Made>> {
        // Live and former ones have an index each.
        let these = |status: &str| {
            format!(
                "SELECT c.id, d.position, c.status, c.audit > ?4
                 FROM order_device AS d CROSS JOIN certificate AS c
                 WHERE d.of_order = ?1 AND d.position >= ?2 AND d.position < ?3
                   AND c.folded_id = d.folded_id AND c.folded_id IS NOT NULL AND {}",
                made_before("?5", status)
            )
        };
        let sql = format!("{} UNION ALL {} ORDER BY 1", these("="), these("<>"));
        let values =
            values![order.id, first.cast_signed(), past.cast_signed(), order.audit, order.end()];
        let mut all: HashMap<u64, Made> = HashMap::new();
        self.session()?.each(&sql, values, |row| -> Result<()> {
            let made = all.entry(row.get::<i64>(1)?.cast_unsigned()).or_default();
            let (status, is_since) = (row.text(2)?, u64::from(row.get::<bool>(3)?));
            match status == Status::Live.name() {
                true => made.lives += is_since,
                false => {
                    made.formers += is_since;
                    made.revoked = (status == Status::Revoked.name()).then_some(row.get(0)?);
                }
            }
            Ok(())
        })?;
        Ok(all)
    }

    /// What steps say of devices from a position on: the last failure, and the first of each other step with the live
    /// certificate.
    fn read_steps(
        &self,
        order: &OrderRecord,
        first: u64,
        devices: &mut [OrderedDevice],
    ) -> Result<()> {
        let sql = format!(
            "SELECT position, step, at, certificate, reason FROM order_step WHERE {THESE} ORDER BY id"
        );
        let past = first + devices.len() as u64;
        let values = values![order.id, first.cast_signed(), past.cast_signed()];
        self.session()?.each(&sql, values, |row| -> Result<()> {
            let at = row.get::<i64>(0)?.cast_unsigned().saturating_sub(first);
            let Some(device) = usize::try_from(at).ok().and_then(|at| devices.get_mut(at)) else {
                return Ok(());
            };
            let (at, of): (_, Option<i64>) = (moment(row.get(2)?), row.get(3)?);
            let is_of_live = of.is_some() && of == device.live.as_ref().map(|live| live.row.0);
            match row.text(1)? {
                Step::FAILED => {
                    device.failed = Some((at, row.get::<Option<String>>(4)?.unwrap_or_default()));
                    // What was revoked on purpose stays so, whatever was tried afterwards.
                    if device.state == OrderState::Open {
                        device.state = OrderState::Failed;
                    }
                }
                Step::CONNECTED if is_of_live => {
                    device.connected.get_or_insert(at);
                }
                Step::HANDED_OVER if is_of_live => {
                    device.handed_over.get_or_insert(at);
                }
                _ => {}
            }
            Ok(())
        })
    }
}
