//! An order is recorded with all its rows, or not at all; and taken back.

use time::OffsetDateTime;

use super::record::{NewOrder, OrderRecord, Ordered};
use super::tables::{DeviceRow, OrderRow, Running};
use crate::client_id::DeviceId;
use crate::registry::database::value::Fetched;
use crate::registry::database::{Session, Turn};
use crate::registry::{Registry, RegistryError, Result, audit};

/// The action of an audit row that tells of a new order.
pub(super) const CREATED: &str = "order";

/// The action of an audit row that tells of an order that was taken back.
pub(super) const TAKEN_BACK: &str = "order-taken-back";

impl Registry {
    /// Records an order with all its devices in one durable transaction; `list` gives them, one after the other.
    ///
    /// [`RegistryError::OrderExists`] if there is one of that name, in any case, taken back or not.
    /// [`RegistryError::OrderedAlready`] if a device is in another order that was not taken back.
    pub fn create_order<E: From<RegistryError>>(
        &mut self,
        order: &NewOrder<'_>,
        list: impl FnOnce(&mut dyn FnMut(&Ordered) -> Result<()>) -> std::result::Result<(), E>,
        now: OffsetDateTime,
    ) -> std::result::Result<OrderRecord, E> {
        let work = self.begin(Turn::Alone)?;
        let (last, _) = audit::head(&work)?;
        let options = order.options.to_string();
        let row = OrderRow {
            name: order.name,
            customer: order.customer,
            ca: order.ca,
            options: &options,
            list: order.list,
            created: now.unix_timestamp(),
        };
        let id = insert_order(&work, &row, last + 1)?;
        let id = id.ok_or_else(|| RegistryError::OrderExists { name: order.name.to_owned() })?;
        let (mut digest, mut position) = (Running::default(), 0_i64);
        digest.add(&row.digest());
        list(&mut |device| {
            if let Some((other, _)) = open_order_with(&work, &device.id.folded())? {
                let id = device.id.to_string();
                return Err(RegistryError::OrderedAlready { id, order: other });
            }
            let added = insert_device(&work, id, position, device)?;
            digest.add(&added);
            position += 1;
            Ok(())
        })?;
        let sql = "UPDATE device_order SET devices = ?1 WHERE id = ?2";
        work.execute(sql, values![position, id])?;
        let detail = serde_json::json!({
            "order": order.name, "customer": order.customer, "ca": order.ca, "list": order.list,
            "devices": position, "rows": digest.hex(),
        });
        work.append(now, CREATED, &detail)?;
        work.commit()?;
        let made = self.order(order.name)?;
        Ok(made.ok_or_else(|| RegistryError::UnknownOrder {
            name: order.name.to_owned(),
            known: Vec::new(),
        })?)
    }

    /// Keeps that an order was taken back: its devices can be in another one then. Its certificates are not touched.
    /// One that was taken back before stays as it is.
    pub fn take_order_back(&mut self, order: &OrderRecord, now: OffsetDateTime) -> Result<()> {
        let work = self.begin(Turn::Alone)?;
        let sql = "UPDATE device_order SET taken_back = ?1 WHERE id = ?2 AND taken_back IS NULL";
        let changed = work.execute(sql, values![now.unix_timestamp(), order.id])?;
        if changed == 0 {
            return Ok(());
        }
        let detail = serde_json::json!({ "order": order.name, "at": now.unix_timestamp() });
        work.append(now, TAKEN_BACK, &detail)?;
        work.commit()
    }

    /// The name of the order that a device is in, if it is in one that was not taken back.
    pub fn open_order_of(&self, id: impl AsRef<str>) -> Result<Option<String>> {
        Ok(self.open_order_with(id)?.map(|(order, _)| order))
    }

    /// The same, with the id as that order has it: it may be written in another case.
    pub fn open_order_with(&self, id: impl AsRef<str>) -> Result<Option<(String, DeviceId)>> {
        open_order_with(&self.session()?, &id.as_ref().to_lowercase())
    }
}

/// Refuses an order that was taken back; within the change that records devices for it.
pub(in crate::registry) fn check_not_taken_back(
    session: &Session<'_>,
    order: &OrderRecord,
) -> Result<()> {
    let sql = "SELECT 1 FROM device_order WHERE id = ?1 AND taken_back IS NULL";
    match session.exists(sql, values![order.id])? {
        true => Ok(()),
        false => Err(RegistryError::OrderTakenBack { name: order.name.clone() }),
    }
}

/// Adds the row of an order; none if there is one of that name.
fn insert_order(session: &Session<'_>, row: &OrderRow<'_>, audit: i64) -> Result<Option<i64>> {
    let sql = "INSERT INTO device_order
         (name, folded_name, customer, ca, options, list, devices, created, audit)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8)
         ON CONFLICT (folded_name) DO NOTHING RETURNING id";
    let folded = row.name.to_lowercase();
    let (name, customer, options) = (row.name, row.customer, row.options);
    let values = values![name, folded, customer, row.ca, options, row.list, row.created, audit];
    session.first(sql, values, |row| row.get(0))
}

/// Adds a device of an order; returns its digest.
fn insert_device(
    session: &Session<'_>,
    of_order: i64,
    position: i64,
    device: &Ordered,
) -> Result<[u8; 32]> {
    let details = serde_json::to_string(&device.details).unwrap_or_default();
    let (id, folded) = (device.id.as_str(), device.id.folded());
    // A list has far less lines than 2^63.
    let line = device.line.map(u64::cast_signed);
    let row = DeviceRow { position, client_id: id, folded_id: &folded, line, details: &details };
    session.execute(
        "INSERT INTO order_device (of_order, position, client_id, folded_id, line, details)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        values![of_order, position, id, &folded, line, &details],
    )?;
    Ok(row.digest())
}

fn open_order_with(session: &Session<'_>, folded: &str) -> Result<Option<(String, DeviceId)>> {
    let sql = "SELECT o.name, d.client_id FROM order_device AS d JOIN device_order AS o ON o.id = d.of_order
         WHERE d.folded_id = ?1 AND o.taken_back IS NULL";
    let of = |row: &Fetched<'_>| Ok((row.get(0)?, DeviceId::known(row.get::<String>(1)?)));
    session.first(sql, values![folded], of)
}
