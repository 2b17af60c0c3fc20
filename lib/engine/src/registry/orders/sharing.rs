//! The list of an order is shared out to stations: each takes one range of it after the other.
//!
//! A run has a range for a while, by the server's clock, and makes that longer as long as it works. After that another run
//! may take the range. Whether a run has it still is asked in the transaction that records its devices: what comes too
//! late is not recorded.

use super::record::OrderRecord;
use crate::registry::database::Session;
use crate::registry::{Registry, RegistryError, Result};

/// What a run has of a list: the range that begins there, until another run has taken it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    of_order: i64,
    first: i64,
    run: String,
    epoch: i64,
}

/// What there is to take.
#[derive(Debug)]
pub(crate) enum Taken {
    /// A range, and which positions in it have no live certificate.
    Range(Hold, Vec<usize>),
    /// Nothing now: runs have the rest, and may leave it.
    Later,
    /// Nothing: all of it is done, or the order was taken back.
    Nothing,
}

/// What a station has taken of a list and not done yet.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OpenShare {
    /// The station.
    pub station: String,
    /// Its run.
    pub run: String,
    /// How many devices are in its ranges; some of them may be issued.
    pub devices: u64,
    /// Whether it has not been heard of for so long that others may take them.
    pub lapsed: bool,
}

impl Registry {
    /// Refuses a registry that shares out no list.
    ///
    /// Errors: [`RegistryError::NotShared`] for a file.
    pub fn check_shared(&self) -> Result<()> {
        match self.is_shared() {
            true => Ok(()),
            false => Err(RegistryError::NotShared(self.path.display().to_string())),
        }
    }

    /// Makes a list ready to be shared out. What was done before is opened again where devices have no certificate.
    pub(crate) fn share_order(&self, order: &OrderRecord) -> Result<()> {
        self.check_shared()?;
        self.session()?.one("SELECT 1 FROM share_order(?1)", values![order.id], |_| Ok(()))
    }

    /// Takes a range for a run. If the answer is lost, the range is free again after its time.
    pub(crate) fn take_range(
        &self,
        order: &OrderRecord,
        run: &str,
        station: &str,
    ) -> Result<Taken> {
        let session = self.session()?;
        let sql = "SELECT range_first, range_past, range_epoch FROM take_range(?1, ?2, ?3)";
        let range: (Option<i64>, Option<i64>, Option<i64>) =
            session.one(sql, values![order.id, run, station], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        if let (Some(first), Some(past), Some(epoch)) = range {
            let hold = Hold { of_order: order.id, first, run: run.to_owned(), epoch };
            return Ok(Taken::Range(hold, without_certificate(&session, order, first, past)?));
        }
        let sql = "SELECT 1 FROM order_range AS r JOIN device_order AS o ON o.id = r.of_order
             WHERE r.of_order = ?1 AND NOT r.done AND o.taken_back IS NULL";
        Ok(if session.exists(sql, values![order.id])? { Taken::Later } else { Taken::Nothing })
    }

    /// How many devices are in ranges of an order that are not done.
    pub(crate) fn open_devices(&self, order: &OrderRecord) -> Result<usize> {
        let sql = "SELECT coalesce(sum(past - first), 0)::bigint FROM order_range
             WHERE of_order = ?1 AND NOT done";
        let open: i64 = self.session()?.one(sql, values![order.id], |row| row.get(0))?;
        Ok(usize::try_from(open).unwrap_or(0))
    }

    /// Keeps a range for longer, or says that it is done. False if the run does not have it any more.
    pub(crate) fn hold_range(&self, hold: &Hold, done: bool) -> Result<bool> {
        hold_range(&self.session()?, hold, done)
    }

    /// Gives back what a run has taken and not done.
    pub(crate) fn leave_ranges(&self, order: &OrderRecord, run: &str) -> Result<()> {
        self.session()?.one(
            "SELECT 1 FROM leave_ranges(?1, ?2)",
            values![order.id, run],
            |_| Ok(()),
        )
    }

    /// The positions of an order's list that have no live certificate.
    pub(crate) fn without_certificate(&self, order: &OrderRecord) -> Result<Vec<usize>> {
        without_certificate(&self.session()?, order, 0, i64::MAX)
    }

    /// What stations have taken of an order's list and not done yet; nothing if the list was never shared out.
    pub fn open_shares(&self, order: &OrderRecord) -> Result<Vec<OpenShare>> {
        if !self.is_shared() {
            return Ok(Vec::new());
        }
        let sql = "SELECT station, run, sum(past - first)::bigint, bool_and(lease_until < clock_timestamp())
             FROM order_range WHERE of_order = ?1 AND NOT done AND run IS NOT NULL
             GROUP BY station, run ORDER BY station, run";
        self.session()?.all(sql, values![order.id], |row| {
            Ok(OpenShare {
                station: row.get(0)?,
                run: row.get(1)?,
                devices: row.get::<i64>(2)?.cast_unsigned(),
                lapsed: row.get(3)?,
            })
        })
    }
}

/// Keeps a range for longer, or says that it is done; within a change, if one was begun.
pub(in crate::registry) fn hold_range(
    session: &Session<'_>,
    hold: &Hold,
    done: bool,
) -> Result<bool> {
    let values = values![hold.of_order, hold.first, &hold.run, hold.epoch, done];
    session.one("SELECT hold_range(?1, ?2, ?3, ?4, ?5)", values, |row| row.get(0))
}

fn without_certificate(
    session: &Session<'_>,
    order: &OrderRecord,
    first: i64,
    past: i64,
) -> Result<Vec<usize>> {
    let sql = "SELECT d.position FROM order_device AS d
         WHERE d.of_order = ?1 AND d.position >= ?2 AND d.position < ?3 AND NOT EXISTS (
            SELECT 1 FROM certificate AS c WHERE c.folded_id = d.folded_id AND c.status = 'live')
         ORDER BY d.position";
    session.all(sql, values![order.id, first, past], |row| {
        Ok(usize::try_from(row.get::<i64>(0)?).unwrap_or(usize::MAX))
    })
}
