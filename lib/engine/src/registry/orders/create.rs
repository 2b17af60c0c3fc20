//! An order is recorded with all its rows, or not at all; and taken back.

use rusqlite::{Connection, OptionalExtension, params};
use time::OffsetDateTime;

use super::record::{NewOrder, OrderRecord, Ordered};
use super::tables::{DeviceRow, OrderRow, Running};
use crate::registry::sqlite::{Registry, Result, begin, database_error};
use crate::registry::{RegistryError, audit};

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
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| database_error(&path, &e);
        let transaction = begin(self.connection()?, &self.path)?;
        let (last, _) = audit::head(&transaction).map_err(fail)?;
        let options = order.options.to_string();
        let row = OrderRow {
            name: order.name,
            customer: order.customer,
            ca: order.ca,
            options: &options,
            list: order.list,
            created: now.unix_timestamp(),
        };
        let id = insert_order(&transaction, &row, last + 1).map_err(fail)?;
        let id = id.ok_or_else(|| RegistryError::OrderExists { name: order.name.to_owned() })?;
        let (mut digest, mut position) = (Running::default(), 0_i64);
        digest.add(&row.digest());
        list(&mut |device| {
            if let Some(other) = open_order_of(&transaction, &device.id.folded()).map_err(fail)? {
                let id = device.id.to_string();
                return Err(RegistryError::OrderedAlready { id, order: other });
            }
            let added = insert_device(&transaction, id, position, device).map_err(fail)?;
            digest.add(&added);
            position += 1;
            Ok(())
        })?;
        transaction
            .execute("UPDATE device_order SET devices = ?1 WHERE id = ?2", params![position, id])
            .map_err(fail)?;
        let detail = serde_json::json!({
            "order": order.name, "customer": order.customer, "ca": order.ca, "list": order.list,
            "devices": position, "rows": digest.hex(),
        });
        audit::append(&transaction, now, CREATED, &detail).map_err(fail)?;
        transaction.commit().map_err(fail)?;
        let made = self.order(order.name)?;
        Ok(made.ok_or_else(|| RegistryError::UnknownOrder { name: order.name.to_owned() })?)
    }

    /// Keeps that an order was taken back: its devices can be in another one then. Its certificates are not touched.
    /// One that was taken back before stays as it is.
    pub fn take_order_back(&mut self, order: &OrderRecord, now: OffsetDateTime) -> Result<()> {
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| database_error(&path, &e);
        let transaction = begin(self.connection()?, &self.path)?;
        let changed = transaction
            .execute(
                "UPDATE device_order SET taken_back = ?1 WHERE id = ?2 AND taken_back IS NULL",
                params![now.unix_timestamp(), order.id],
            )
            .map_err(fail)?;
        if changed == 0 {
            return Ok(());
        }
        let detail = serde_json::json!({ "order": order.name, "at": now.unix_timestamp() });
        audit::append(&transaction, now, TAKEN_BACK, &detail).map_err(fail)?;
        transaction.commit().map_err(fail)
    }

    /// The name of the order that a device is in, if it is in one that was not taken back.
    pub fn open_order_of(&self, id: impl AsRef<str>) -> Result<Option<String>> {
        let folded = id.as_ref().to_lowercase();
        open_order_of(self.connection()?, &folded).map_err(|e| self.error(&e))
    }
}

/// Adds the row of an order; none if there is one of that name.
fn insert_order(
    connection: &Connection,
    row: &OrderRow<'_>,
    audit: i64,
) -> rusqlite::Result<Option<i64>> {
    connection
        .query_row(
            "INSERT INTO device_order
             (name, folded_name, customer, ca, options, list, devices, created, audit)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8)
             ON CONFLICT (folded_name) DO NOTHING RETURNING id",
            params![
                row.name,
                row.name.to_lowercase(),
                row.customer,
                row.ca,
                row.options,
                row.list,
                row.created,
                audit
            ],
            |row| row.get(0),
        )
        .optional()
}

/// Adds a device of an order; returns its digest.
fn insert_device(
    connection: &Connection,
    of_order: i64,
    position: i64,
    device: &Ordered,
) -> rusqlite::Result<[u8; 32]> {
    let details = serde_json::to_string(&device.details).unwrap_or_default();
    let (id, folded) = (device.id.as_str(), device.id.folded());
    // A list has far less lines than 2^63.
    let line = device.line.map(u64::cast_signed);
    let row = DeviceRow { position, client_id: id, folded_id: &folded, line, details: &details };
    connection
        .prepare_cached(
            "INSERT INTO order_device (of_order, position, client_id, folded_id, line, details)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![of_order, position, id, folded, line, details])?;
    Ok(row.digest())
}

fn open_order_of(connection: &Connection, folded: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached(
            "SELECT o.name FROM order_device AS d JOIN device_order AS o ON o.id = d.of_order
             WHERE d.folded_id = ?1 AND o.taken_back IS NULL",
        )?
        .query_row([folded], |row| row.get(0))
        .optional()
}
