//! Whether orders, their rows and their steps are what the audit log says was written.

use std::collections::{BTreeMap, BTreeSet};

use super::create::{CREATED, TAKEN_BACK};
use super::steps::STEPS;
use super::tables::{DeviceRow, OrderRow, Running, StepRow};
use crate::registry::check::Checked;
use crate::registry::database::Session;
use crate::registry::{Registry, Result};

/// What the audit log tells of orders.
#[derive(Default)]
struct Told {
    /// By the row of the log: the order's name, and the digest of all that was written.
    orders: BTreeMap<i64, (String, String)>,
    /// When each order was taken back, by its name.
    taken_back: BTreeMap<String, i64>,
    /// By the row of the log: a digest of the steps.
    steps: BTreeMap<i64, String>,
}

impl Registry {
    /// Notes orders and steps that are not as they were written.
    pub(in crate::registry) fn check_orders(&self, checked: &mut Checked) -> Result<()> {
        let session = self.session()?;
        let told = Told::read(&session)?;
        told.hold_orders(&session, checked)?;
        told.hold_steps(&session, checked)
    }
}

impl Told {
    fn read(session: &Session<'_>) -> Result<Self> {
        let mut told = Self::default();
        let sql = "SELECT sequence, action, detail FROM audit WHERE action IN (?1, ?2, ?3)
             ORDER BY sequence";
        session.each(sql, values![CREATED, TAKEN_BACK, STEPS], |row| -> Result<()> {
            let detail: serde_json::Value = serde_json::from_str(row.text(2)?).unwrap_or_default();
            let text = |key: &str| detail[key].as_str().unwrap_or_default().to_owned();
            match row.text(1)? {
                CREATED => {
                    told.orders.insert(row.get(0)?, (text("order"), text("rows")));
                }
                TAKEN_BACK => {
                    let at = detail["at"].as_i64().unwrap_or_default();
                    told.taken_back.insert(text("order"), at);
                }
                _ => {
                    told.steps.insert(row.get(0)?, text("rows"));
                }
            }
            Ok(())
        })?;
        Ok(told)
    }

    fn hold_orders(&self, session: &Session<'_>, checked: &mut Checked) -> Result<()> {
        let sql = "SELECT id, name, customer, ca, options, list, created, taken_back, audit
             FROM device_order ORDER BY id";
        let mut found = BTreeSet::new();
        session.each(sql, values![], |row| -> Result<()> {
            let (id, name, audit): (i64, String, i64) = (row.get(0)?, row.get(1)?, row.get(8)?);
            let mut digest = Running::default();
            let order = OrderRow {
                name: &name,
                customer: row.text_or_null(2)?,
                ca: row.text(3)?,
                options: row.text(4)?,
                list: row.text(5)?,
                created: row.get(6)?,
            };
            digest.add(&order.digest());
            digest_devices(session, id, &mut digest)?;
            match self.orders.get(&audit) {
                Some((_, rows)) if *rows == digest.hex() => {}
                Some(_) => {
                    checked
                        .note("order", format!("the order {name} was changed after it was made"));
                }
                None => {
                    let message = format!("the order {name} is not in the audit log");
                    checked.note("order", message);
                }
            }
            let taken_back: Option<i64> = row.get(7)?;
            if taken_back.as_ref() != self.taken_back.get(&name) {
                let message = match taken_back {
                    Some(_) => "is taken back, but not so by the audit log",
                    None => "was taken back by the audit log, but is not",
                };
                checked.note("order", format!("the order {name} {message}"));
            }
            found.insert(audit);
            Ok(())
        })?;
        for (sequence, (name, _)) in self.orders.iter().filter(|(row, _)| !found.contains(*row)) {
            let message = format!("the order {name} of row {sequence} of the audit log is missing");
            checked.note("order", message);
        }
        Ok(())
    }

    fn hold_steps(&self, session: &Session<'_>, checked: &mut Checked) -> Result<()> {
        let sql = "SELECT of_order, position, step, at, certificate, reason, audit FROM order_step
             ORDER BY id";
        let mut kept: BTreeMap<i64, Running> = BTreeMap::new();
        session.each(sql, values![], |row| -> Result<()> {
            let step = StepRow {
                of_order: row.get(0)?,
                position: row.get(1)?,
                step: row.text(2)?,
                at: row.get(3)?,
                certificate: row.get(4)?,
                reason: row.text_or_null(5)?,
            };
            kept.entry(row.get(6)?).or_default().add(&step.digest());
            Ok(())
        })?;
        for sequence in self.steps.keys().chain(kept.keys()).collect::<BTreeSet<_>>() {
            let there = kept.get(sequence).map(Running::hex);
            if there.as_ref() != self.steps.get(sequence) {
                let message = format!(
                    "steps of ordered devices that row {sequence} of the audit log tells of were changed"
                );
                checked.note("order", message);
            }
        }
        Ok(())
    }
}

/// Adds the rows of an order's list to its digest.
fn digest_devices(session: &Session<'_>, order: i64, digest: &mut Running) -> Result<()> {
    let sql = "SELECT position, client_id, folded_id, line, details FROM order_device
         WHERE of_order = ?1 ORDER BY position";
    session.each(sql, values![order], |row| {
        let device = DeviceRow {
            position: row.get(0)?,
            client_id: row.text(1)?,
            folded_id: row.text(2)?,
            line: row.get(3)?,
            details: row.text(4)?,
        };
        digest.add(&device.digest());
        Ok(())
    })
}
