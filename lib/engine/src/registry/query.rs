//! What the registry is asked: devices by id, certificates by what they are, revocations, the audit log.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use time::OffsetDateTime;

use super::holder::{IS_DEVICE, IS_SERVER};
use super::schema::OF_SERIAL;
use super::sqlite::{Registry, Result};
use super::{
    AuditRow, Filter, Holder, Record, RegistryError, Role, RowId, ServerName, Standing, Status,
};
use crate::cert::{Certificate, Serial};
use crate::client_id::DeviceId;
use crate::crl::{Reason, Revoked};
use crate::crypto::hex;
use crate::name::Name;

/// A moment of the registry; see [`Registry::snapshot`].
#[derive(Debug)]
pub struct Snapshot<'r>(
    #[allow(dead_code, reason = "held for what it keeps")] rusqlite::Transaction<'r>,
);

impl Registry {
    /// Until it is dropped, everything that this thread asks is told as it is now, whatever other threads and
    /// processes record meanwhile. One at a time in a thread.
    pub fn snapshot(&self) -> Result<Snapshot<'_>> {
        let moment = self.connection()?.unchecked_transaction().map_err(|e| self.error(&e))?;
        Ok(Snapshot(moment))
    }

    /// Prepares to ask what there is of many devices.
    pub fn standings(&self) -> Result<Standings<'_>> {
        let prepare = |condition: &str| {
            let sql = format!("SELECT 1 FROM certificate WHERE folded_id {condition}");
            self.connection()?.prepare(&sql).map_err(|e| self.error(&e))
        };
        let any = |condition: &str| prepare(condition)?.exists([]).map_err(|e| self.error(&e));
        Ok(Standings {
            registry: self,
            // Most runs begin with a registry that has no device, or none that came to an end.
            any_live: any("IS NOT NULL AND status = 'live'")?,
            any_former: any("IS NOT NULL AND status <> 'live'")?,
            live: prepare("= ?1 AND status = 'live'")?,
            former: prepare("= ?1 AND status <> 'live'")?,
        })
    }

    /// The live certificate of a device, by its identifier in any case.
    pub fn live_device(&self, id: impl AsRef<str>) -> Result<Option<Record>> {
        let values = vec![Value::from(id.as_ref().to_lowercase())];
        self.collect("WHERE folded_id = ?1 AND status = 'live'", values).map(|mut r| r.pop())
    }

    /// The live certificate of a server, by its name in any case.
    pub fn live_server(&self, name: &ServerName) -> Result<Option<Record>> {
        self.live_device(name.key())
    }

    /// All certificates that a device ever had, by its identifier in any case, the oldest first.
    pub fn history(&self, id: impl AsRef<str>) -> Result<Vec<Record>> {
        let values = vec![Value::from(id.as_ref().to_lowercase())];
        let tail = "WHERE folded_id = ?1 AND status <> 'live' ORDER BY id";
        let mut records = self.collect(tail, values)?;
        records.extend(self.live_device(id)?);
        records.sort_by_key(|record| record.recorded);
        Ok(records)
    }

    /// All live devices in the order in which they were issued, of one CA or of all.
    pub fn live_devices(&self, ca: Option<&str>) -> Result<Vec<Record>> {
        let (role, status) = (Some(Role::Device), Some(Status::Live));
        self.find(&Filter { ca, role, status, ..Filter::default() })
    }

    /// All certificates that a filter lets through, in the order in which they were recorded.
    pub fn find(&self, filter: &Filter<'_>) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        self.each(filter, |record| -> Result<()> {
            records.push(record);
            Ok(())
        })?;
        Ok(records)
    }

    /// Visits all certificates that a filter lets through, in the order in which they were
    /// recorded, without holding them all. An error of `visit` ends it.
    pub fn each<E: From<RegistryError>>(
        &self,
        filter: &Filter<'_>,
        visit: impl FnMut(Record) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let (tail, values) = conditions(filter);
        self.visit(&tail, values, visit)
    }

    /// What has been revoked of the certificates that were issued under that name, by whichever of
    /// its keys, in the order in which they were recorded; then those of certificates that are known from
    /// lists only.
    pub fn revoked(&self, issuer: &Name) -> Result<Vec<Revoked>> {
        let connection = self.connection()?;
        let collect = || -> rusqlite::Result<Vec<Revoked>> {
            connection
                .prepare_cached(
                    "SELECT serial, revoked_at, reason FROM certificate
                     WHERE issuer = ?1 AND revoked_at IS NOT NULL ORDER BY id",
                )?
                .query_map([issuer.der()], |row| {
                    let reason = Reason::from_code(row.get(2)?).ok_or_else(|| strange(2))?;
                    let serial = Serial::from_octets(row.get_ref(0)?.as_blob()?);
                    Ok(Revoked { serial, at: moment(row.get(1)?), reason })
                })?
                .collect()
        };
        let mut revoked = collect().map_err(|e| self.error(&e))?;
        revoked.extend(self.unknown_revoked(issuer)?);
        Ok(revoked)
    }

    /// When and why this very certificate was revoked, if it was.
    pub fn revocation(&self, certificate: &Certificate) -> Result<Option<Revoked>> {
        let serial = Some(&certificate.serial);
        let records = self.find(&Filter { serial, ..Filter::default() })?;
        let own = records.iter().find(|record| record.der == certificate.der());
        Ok(own.and_then(Record::revocation))
    }

    /// Whether the audit log has a row with that hash (lower-case hex).
    pub fn has_audit_hash(&self, hash: &str) -> Result<bool> {
        self.connection()?
            .prepare("SELECT 1 FROM audit WHERE lower(hex(hash)) = ?1")
            .and_then(|mut query| query.exists([hash]))
            .map_err(|e| self.error(&e))
    }

    /// What tells this registry from others: the hash of the first row of its audit log, and a line end.
    pub fn identity(&self) -> Result<String> {
        let first: Option<Vec<u8>> = self
            .connection()?
            .query_row("SELECT hash FROM audit WHERE sequence = 1", [], |row| row.get(0))
            .optional()
            .map_err(|e| self.error(&e))?;
        Ok(format!("{}\n", hex(&first.unwrap_or_default())))
    }

    /// The audit log, from a row on.
    pub fn audit(&self, from: i64) -> Result<Vec<AuditRow>> {
        let mut all = Vec::new();
        self.each_audit(from, |row| -> Result<()> {
            all.push(row);
            Ok(())
        })?;
        Ok(all)
    }

    /// Visits the rows of the audit log, from one on, without holding them all. An error of `visit` ends
    /// it.
    pub fn each_audit<E: From<RegistryError>>(
        &self,
        from: i64,
        mut visit: impl FnMut(AuditRow) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let fail = |e: rusqlite::Error| E::from(self.error(&e));
        let read = |row: &rusqlite::Row<'_>| {
            let hash: Vec<u8> = row.get(4)?;
            Ok(AuditRow {
                sequence: row.get(0)?,
                at: moment(row.get(1)?),
                action: row.get(2)?,
                detail: serde_json::from_str(row.get_ref(3)?.as_str()?).unwrap_or_default(),
                hash: hex(&hash),
            })
        };
        let sql = "SELECT sequence, at, action, detail, hash FROM audit
                   WHERE sequence >= ?1 ORDER BY sequence";
        let mut query = self.connection()?.prepare_cached(sql).map_err(fail)?;
        let mut rows = query.query([from]).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            visit(read(row).map_err(fail)?)?;
        }
        Ok(())
    }

    /// Whether this very certificate is recorded.
    pub fn has(&self, certificate: &Certificate) -> Result<bool> {
        self.row_of(certificate).map(|row| row.is_some())
    }

    /// The row of this very certificate, if it is recorded.
    pub fn row_of(&self, certificate: &Certificate) -> Result<Option<RowId>> {
        self.connection()?
            .prepare_cached(&format!(
                "SELECT id FROM certificate WHERE {OF_SERIAL} ?1 AND issuer = ?2 AND der = ?3"
            ))
            .and_then(|mut query| {
                let (serial, issuer) = (certificate.serial.bytes(), certificate.issuer.der());
                let values = params![serial, issuer, certificate.der()];
                query.query_row(values, |row| row.get(0).map(RowId)).optional()
            })
            .map_err(|e| self.error(&e))
    }

    /// The row that was added last; one before all others if there is none.
    pub(crate) fn last_row(&self) -> Result<RowId> {
        let sql = "SELECT coalesce(max(id), 0) FROM certificate";
        let last = self.connection()?.query_row(sql, [], |row| row.get(0));
        last.map(RowId).map_err(|e| self.error(&e))
    }

    /// How many live device certificates each CA has issued.
    pub fn device_counts(&self) -> Result<BTreeMap<String, u64>> {
        let sql = format!(
            "SELECT ca, count(*) FROM certificate WHERE {IS_DEVICE} AND status = 'live' GROUP BY ca"
        );
        let connection = self.connection()?;
        let collect = || -> rusqlite::Result<BTreeMap<String, u64>> {
            connection
                .prepare_cached(&sql)?
                .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?
                .collect()
        };
        collect().map_err(|e| self.error(&e))
    }

    /// The name of the run that recorded devices last.
    pub fn last_batch(&self) -> Result<Option<String>> {
        self.connection()?
            .query_row(
                &format!(
                    "SELECT batch FROM certificate WHERE {IS_DEVICE} ORDER BY id DESC LIMIT 1"
                ),
                [],
                |row| row.get(0),
            )
            .optional()
            .map_err(|e| self.error(&e))
    }

    /// Whether anything was recorded in a run of this name.
    pub fn has_batch(&self, batch: &str) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM certificate WHERE batch = ?)";
        self.connection()?.query_row(sql, [batch], |row| row.get(0)).map_err(|e| self.error(&e))
    }

    pub(super) fn collect(&self, tail: &str, values: Vec<Value>) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        self.visit(tail, values, |record| -> Result<()> {
            records.push(record);
            Ok(())
        })?;
        Ok(records)
    }

    fn visit<E: From<RegistryError>>(
        &self,
        tail: &str,
        values: Vec<Value>,
        mut visit: impl FnMut(Record) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        each_record(self.connection()?, tail, values, |e| E::from(self.error(&e)), &mut visit)
    }
}

/// The certificates that the end of a statement selects.
pub(super) fn records(
    connection: &Connection,
    tail: &str,
    values: Vec<Value>,
) -> rusqlite::Result<Vec<Record>> {
    let mut records = Vec::new();
    each_record(connection, tail, values, std::convert::identity, &mut |record| {
        records.push(record);
        Ok(())
    })?;
    Ok(records)
}

fn each_record<E>(
    connection: &Connection,
    tail: &str,
    values: Vec<Value>,
    fail: impl Fn(rusqlite::Error) -> E,
    visit: &mut dyn FnMut(Record) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let sql = format!(
        "SELECT ca, role, client_id, serial, not_before, not_after, status, revoked_at, reason,
         recorded, batch, der, details, location, has_key, id, bundle FROM certificate {tail}"
    );
    let mut query = connection.prepare_cached(&sql).map_err(&fail)?;
    let mut rows = query.query(params_from_iter(values)).map_err(&fail)?;
    while let Some(row) = rows.next().map_err(&fail)? {
        visit(read_record(row).map_err(&fail)?)?;
    }
    Ok(())
}

/// Asks what there is of one device after the other.
#[derive(Debug)]
pub struct Standings<'r> {
    registry: &'r Registry,
    any_live: bool,
    any_former: bool,
    live: rusqlite::Statement<'r>,
    former: rusqlite::Statement<'r>,
}

impl Standings<'_> {
    /// What there is of a device. One that another process issues while
    /// this is asked may be told as it was at the beginning.
    pub fn of(&mut self, id: &DeviceId) -> Result<Standing> {
        let folded = id.folded();
        let fail = |e: rusqlite::Error| self.registry.error(&e);
        if self.any_live && self.live.exists([&folded]).map_err(fail)? {
            return Ok(Standing::Live);
        }
        if self.any_former && self.former.exists([&folded]).map_err(fail)? {
            return Ok(Standing::Former);
        }
        Ok(Standing::Unknown)
    }
}

/// The SQL of a filter, with its values.
fn conditions(filter: &Filter<'_>) -> (String, Vec<Value>) {
    let text = |text: &str| Value::from(text.to_owned());
    let of_serial = format!("{OF_SERIAL} ?");
    let given = [
        ("ca = ?", filter.ca.map(text)),
        ("status = ?", filter.status.map(|s| text(s.name()))),
        (&of_serial, filter.serial.map(|s| Value::from(s.bytes().to_vec()))),
        ("batch = ?", filter.batch.map(text)),
        ("not_after < ?", filter.expires_before.map(|t| Value::from(t.unix_timestamp()))),
    ];
    let given: Vec<(&str, Value)> =
        given.into_iter().filter_map(|(sql, value)| Some((sql, value?))).collect();
    let role = filter.role.map(|role| match role {
        Role::Ca => "role = 'ca'",
        Role::Device => IS_DEVICE,
        Role::Server => IS_SERVER,
    });
    let wheres: Vec<&str> = role.into_iter().chain(given.iter().map(|(sql, _)| *sql)).collect();
    let tail = match wheres.is_empty() {
        true => "ORDER BY id".to_owned(),
        false => format!("WHERE {} ORDER BY id", wheres.join(" AND ")),
    };
    (tail, given.into_iter().map(|(_, value)| value).collect())
}

pub(super) fn moment(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// A row whose columns are not what the schema says: somebody else has written it.
pub(super) fn strange(column: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, "value".to_owned(), rusqlite::types::Type::Null)
}

fn read_record(row: &rusqlite::Row<'_>) -> rusqlite::Result<Record> {
    let revoked = match row.get::<_, Option<i64>>(7)? {
        None => None,
        Some(at) => {
            let reason = Reason::from_code(row.get(8)?).ok_or_else(|| strange(8))?;
            Some((moment(at), reason))
        }
    };
    let details: String = row.get(12)?;
    let holder = Holder::of_columns(row.get_ref(1)?.as_str()?, row.get(2)?);
    Ok(Record {
        row: RowId(row.get(15)?),
        ca: row.get(0)?,
        holder: holder.ok_or_else(|| strange(2))?,
        serial: Serial::from_octets(row.get_ref(3)?.as_blob()?),
        not_before: moment(row.get(4)?),
        not_after: moment(row.get(5)?),
        status: Status::of_name(row.get_ref(6)?.as_str()?).ok_or_else(|| strange(6))?,
        revoked,
        recorded: moment(row.get(9)?),
        batch: row.get(10)?,
        der: row.get(11)?,
        details: serde_json::from_str(&details).unwrap_or_default(),
        location: row.get::<_, Option<String>>(13)?.map(PathBuf::from),
        has_key: row.get(14)?,
        bundle: row.get(16)?,
    })
}
