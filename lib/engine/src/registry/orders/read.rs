//! Orders and their lists, read.

use std::collections::BTreeMap;

#[cfg(feature = "serve")]
use time::OffsetDateTime;

#[cfg(feature = "serve")]
use super::record::Recent;
use super::record::{OrderRecord, Ordered, Step, made_before};
#[cfg(feature = "serve")]
use crate::cert::Serial;
use crate::client_id::DeviceId;
use crate::crypto::{hex, sha256};
use crate::registry::database::Session;
use crate::registry::database::value::Fetched;
use crate::registry::query::moment;
use crate::registry::renames::Renames;
use crate::registry::{Record, Registry, RegistryError, Result, RowId};

/// How many orders are named where one is not known.
const MOST_KNOWN: usize = 3;

const COLUMNS: &str =
    "id, audit, name, customer, ca, options, list, devices, created, taken_back FROM device_order";

impl Registry {
    /// All orders, in the order in which they were made.
    pub fn orders(&self) -> Result<Vec<OrderRecord>> {
        let session = self.session()?;
        let renames = Renames::read(&session)?;
        let sql = format!("SELECT {COLUMNS} ORDER BY id");
        session.all(&sql, values![], |row| read_order(row, &renames))
    }

    /// The order of that name, in any case.
    pub fn order(&self, name: &str) -> Result<Option<OrderRecord>> {
        let sql = format!("SELECT {COLUMNS} WHERE folded_name = ?1");
        let session = self.session()?;
        let renames = Renames::read(&session)?;
        session.first(&sql, values![name.to_lowercase()], |row| read_order(row, &renames))
    }

    /// The same.
    ///
    /// Errors: [`RegistryError::UnknownOrder`] with those that are called much like it.
    pub fn order_named(&self, name: &str) -> Result<OrderRecord> {
        if let Some(order) = self.order(name)? {
            return Ok(order);
        }
        let wanted = name.to_lowercase();
        let mut known: Vec<String> = self.orders()?.into_iter().map(|order| order.name).collect();
        known.sort_by_cached_key(|known| {
            strsim::damerau_levenshtein(&known.to_lowercase(), &wanted)
        });
        known.truncate(MOST_KNOWN);
        Err(RegistryError::UnknownOrder { name: name.to_owned(), known })
    }

    /// Whether a device is in an order, not taken back, that asks for another certificate than this one: it was made after
    /// that was recorded, and if it was revoked, after that too.
    pub(crate) fn is_ordered_since(&self, id: impl AsRef<str>, last: &Record) -> Result<bool> {
        let session = self.session()?;
        match ordered_since(&session, id.as_ref(), last.row)? {
            Some(order) if last.revoked.is_some() => Ok(!is_revoked_since(&session, last, order)?),
            order => Ok(order.is_some()),
        }
    }

    /// What the order of a device says of it, if it is in one that was not taken back.
    pub fn ordered(&self, id: impl AsRef<str>) -> Result<Option<Ordered>> {
        let sql = "SELECT d.client_id, d.line, d.details FROM order_device AS d
             JOIN device_order AS o ON o.id = d.of_order
             WHERE d.folded_id = ?1 AND o.taken_back IS NULL";
        let folded = id.as_ref().to_lowercase();
        self.session()?.first(sql, values![folded], |row| read_ordered(row, 0))
    }

    /// What is kept of a device beside its certificates: what was said of it last, by its order or when it was issued.
    pub fn kept_details(&self, id: impl AsRef<str>) -> Result<BTreeMap<String, String>> {
        let ordered = self.ordered(id.as_ref())?.map(|ordered| ordered.details);
        let last = self.history(id.as_ref())?.pop();
        let Some(last) = last.filter(|last| !last.details.is_empty()) else {
            return Ok(ordered.unwrap_or_default());
        };
        match ordered.filter(|details| !details.is_empty()) {
            Some(ordered) if ordered_since(&self.session()?, id.as_ref(), last.row)?.is_some() => {
                Ok(ordered)
            }
            _ => Ok(last.details),
        }
    }

    /// Whether a device was handed over with its live certificate; none if it is in no order that was not taken back.
    pub fn is_handed_over(&self, id: impl AsRef<str>) -> Result<Option<bool>> {
        let sql = "SELECT EXISTS (
                SELECT 1 FROM order_step AS s
                JOIN certificate AS c ON c.id = s.certificate
                WHERE s.of_order = d.of_order AND s.position = d.position AND s.step = ?2
                  AND c.folded_id = ?1 AND c.status = 'live')
             FROM order_device AS d JOIN device_order AS o ON o.id = d.of_order
             WHERE d.folded_id = ?1 AND o.taken_back IS NULL";
        let values = values![id.as_ref().to_lowercase(), Step::HANDED_OVER];
        self.session()?.first(sql, values, |row| row.get(0))
    }

    /// Whether a device has connected with a certificate, or was handed over with it.
    #[cfg(feature = "serve")]
    pub(crate) fn is_used(&self, certificate: RowId) -> Result<bool> {
        let sql = "SELECT 1 FROM order_step WHERE certificate = ?1 AND step IN (?2, ?3)";
        let values = values![certificate.0, Step::CONNECTED, Step::HANDED_OVER];
        self.session()?.exists(sql, values)
    }

    /// Visits the rows of an order's list in their order, without what became of them. An error of `visit` ends it.
    pub fn each_ordered<E: From<RegistryError>>(
        &self,
        order: &OrderRecord,
        mut visit: impl FnMut(Ordered) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let sql = "SELECT client_id, line, details FROM order_device WHERE of_order = ?1
             ORDER BY position";
        self.session()?.each(sql, values![order.id], |row| visit(read_ordered(row, 0)?))
    }

    /// How many devices of an order have got their live certificate since a moment and since it was made, and the last
    /// ten.
    #[cfg(feature = "serve")]
    pub(crate) fn recent_of(&self, order: &OrderRecord, since: OffsetDateTime) -> Result<Recent> {
        const LIVE: &str = "FROM order_device AS d CROSS JOIN certificate AS c
             WHERE d.of_order = ?1 AND c.audit > ?2
               AND c.folded_id = d.folded_id AND c.folded_id IS NOT NULL AND c.status = 'live'";
        let session = self.session()?;
        let sql = format!("SELECT count(*) {LIVE} AND c.recorded >= ?3");
        let values = values![order.id, order.audit, since.unix_timestamp()];
        let count: i64 = session.one(&sql, values, |row| row.get(0))?;
        let sql =
            format!("SELECT c.client_id, c.serial, c.recorded {LIVE} ORDER BY c.id DESC LIMIT 10");
        let last = session.all(&sql, values![order.id, order.audit], |row| {
            Ok((row.get(0)?, Serial::from_octets(row.blob(1)?), moment(row.get(2)?)))
        })?;
        Ok(Recent { count: count.cast_unsigned(), last })
    }

    /// The runs in which certificates of an order's devices were recorded since it was made, the first one first,
    /// each with the number of certificates.
    pub fn order_runs(&self, order: &OrderRecord) -> Result<Vec<(String, u64)>> {
        // Live and former ones have an index each.
        let made = |status: &str| {
            format!(
                "SELECT c.batch, c.id FROM order_device AS d CROSS JOIN certificate AS c
                 WHERE d.of_order = ?1 AND c.audit > ?2
                   AND c.folded_id = d.folded_id AND c.folded_id IS NOT NULL AND {}",
                made_before("?3", status)
            )
        };
        let sql = format!(
            "SELECT batch, count(*) FROM ({} UNION ALL {}) AS made GROUP BY batch ORDER BY min(id)",
            made("="),
            made("<>")
        );
        self.session()?.all(&sql, values![order.id, order.audit, order.end()], |row| {
            Ok((row.get(0)?, row.get::<i64>(1)?.cast_unsigned()))
        })
    }
}

/// The row keeps the name that the CA had when the order was made.
fn read_order(row: &Fetched<'_>, renames: &Renames) -> Result<OrderRecord> {
    let (audit, ca, options): (i64, String, String) = (row.get(1)?, row.get(4)?, row.get(5)?);
    Ok(OrderRecord {
        id: row.get(0)?,
        audit,
        name: row.get(2)?,
        customer: row.get(3)?,
        ca: renames.now(&ca, audit).to_owned(),
        options: serde_json::from_str(&options).unwrap_or_default(),
        list: row.get(6)?,
        devices: row.get::<i64>(7)?.cast_unsigned(),
        created: moment(row.get(8)?),
        taken_back: row.get::<Option<i64>>(9)?.map(moment),
    })
}

/// The rows of lists hold ids that were good when they were read.
pub(super) fn read_ordered(row: &Fetched<'_>, first: usize) -> Result<Ordered> {
    let details: String = row.get(first + 2)?;
    let details: BTreeMap<String, String> = serde_json::from_str(&details).unwrap_or_default();
    let line: Option<i64> = row.get(first + 1)?;
    let id = DeviceId::known(row.get::<String>(first)?);
    Ok(Ordered { id, line: line.map(i64::cast_unsigned), details })
}

/// The row of the audit log that tells of a device's order, if that was not taken back and was made after a certificate was
/// recorded.
fn ordered_since(session: &Session<'_>, id: &str, certificate: RowId) -> Result<Option<i64>> {
    let sql = "SELECT o.audit FROM order_device AS d JOIN device_order AS o ON o.id = d.of_order
         WHERE d.folded_id = ?1 AND o.taken_back IS NULL
         AND o.audit > (SELECT audit FROM certificate WHERE id = ?2)";
    session.first(sql, values![id.to_lowercase(), certificate.0], |row| row.get(0))
}

/// Whether a certificate was revoked after a row of the audit log was written: when that was done counts, and not the
/// date that was given.
pub(super) fn is_revoked_since(session: &Session<'_>, record: &Record, row: i64) -> Result<bool> {
    let name = format!("%\"{}\"%", hex(&sha256(&record.der)));
    let sql = "SELECT 1 FROM audit WHERE action = 'revoke' AND sequence > ?1 AND detail LIKE ?2";
    session.exists(sql, values![row, name])
}
