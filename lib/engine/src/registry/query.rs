//! What the registry is asked: devices by id, certificates by what they are, revocations, the audit log.

use std::collections::BTreeMap;
use std::path::PathBuf;

use time::OffsetDateTime;

use super::database::value::{Fetched, Value};
use super::database::{Moment, Session};
use super::holder::{IS_DEVICE, IS_SERVER, server_key};
use super::{
    AuditRow, Filter, Holder, Record, Registry, RegistryError, Result, Role, RowId, ServerName,
    Standing, Status,
};
use crate::cert::{Certificate, Serial};
use crate::client_id::DeviceId;
use crate::crl::{Reason, Revoked};
use crate::crypto::hex;
use crate::name::Name;

/// A moment of the registry; see [`Registry::snapshot`].
#[derive(Debug)]
pub struct Snapshot<'r>(#[allow(dead_code, reason = "held for what it keeps")] Moment<'r>);

impl Registry {
    /// Until it is dropped, everything that this thread asks is told as it is now, whatever other threads and
    /// processes record meanwhile. One at a time in a thread.
    pub fn snapshot(&self) -> Result<Snapshot<'_>> {
        Ok(Snapshot(self.session()?.moment()?))
    }

    /// Prepares to ask what there is of many devices.
    pub fn standings(&self) -> Result<Standings<'_>> {
        let session = self.session()?;
        let any = |condition: &str| {
            let sql = format!(
                "SELECT 1 FROM certificate WHERE folded_id IS NOT NULL AND {condition} LIMIT 1"
            );
            session.exists(&sql, values![])
        };
        // Most runs begin with a registry that has no device, or none that came to an end.
        let (any_live, any_former) = (any("status = 'live'")?, any("status <> 'live'")?);
        let servers =
            format!("SELECT 1 FROM certificate WHERE {IS_SERVER} AND status = 'live' LIMIT 1");
        let any_server = session.exists(&servers, values![])?;
        Ok(Standings { session, any_live, any_former, any_server })
    }

    /// The live certificate of a device, by its identifier in any case.
    pub fn live_device(&self, id: impl AsRef<str>) -> Result<Option<Record>> {
        let folded = id.as_ref().to_lowercase();
        let tail = "WHERE folded_id = ?1 AND status = 'live'";
        self.collect(tail, values![folded]).map(|mut r| r.pop())
    }

    /// The live certificate of a server, by its name in any case.
    pub fn live_server(&self, name: &ServerName) -> Result<Option<Record>> {
        self.live_device(name.key())
    }

    /// The live certificate of a server whose name is the id of this device, in any case.
    pub(crate) fn live_server_of(&self, id: &DeviceId) -> Result<Option<Record>> {
        self.live_device(server_key(&id.folded()))
    }

    /// All certificates that a device ever had, by its identifier in any case, the oldest first.
    pub fn history(&self, id: impl AsRef<str>) -> Result<Vec<Record>> {
        let folded = id.as_ref().to_lowercase();
        let tail = "WHERE folded_id = ?1 AND status <> 'live' ORDER BY id";
        let mut records = self.collect(tail, values![folded])?;
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
        mut visit: impl FnMut(Record) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let session = self.session()?;
        let (tail, values) = conditions(filter, &session);
        session.each(&select(&tail), &values, |row| visit(read_record(row)?))
    }

    /// What has been revoked of the certificates that were issued under that name, by whichever of
    /// its keys, in the order in which they were recorded; then those of certificates that are known from
    /// lists only.
    pub fn revoked(&self, issuer: &Name) -> Result<Vec<Revoked>> {
        let sql = "SELECT serial, revoked_at, reason FROM certificate
             WHERE issuer = ?1 AND revoked_at IS NOT NULL ORDER BY id";
        let mut revoked = self.session()?.all(sql, values![issuer.der()], read_revoked)?;
        revoked.extend(self.unknown_revoked(issuer)?);
        Ok(revoked)
    }

    /// When and why this very certificate was revoked, if it was.
    pub fn revocation(&self, certificate: &Certificate) -> Result<Option<Revoked>> {
        Ok(self.record_of(certificate)?.as_ref().and_then(Record::revocation))
    }

    /// The record of this very certificate, if there is one. A CA's is looked for among those of CAs, a device's
    /// among its own, which takes as long however many there are of others; else all are looked through.
    pub(crate) fn record_of(&self, certificate: &Certificate) -> Result<Option<Record>> {
        let is_it = |record: &Record| record.der == certificate.der();
        if certificate.is_ca() {
            let tail = "WHERE role = 'ca' AND serial = ?1 ORDER BY id";
            let of_cas = self.collect(tail, values![certificate.serial.bytes()])?;
            return Ok(of_cas.into_iter().find(is_it));
        }
        for name in certificate.subject.values("CN") {
            if let Some(own) = self.history(name)?.into_iter().find(is_it) {
                return Ok(Some(own));
            }
        }
        let serial = Some(&certificate.serial);
        Ok(self.find(&Filter { serial, ..Filter::default() })?.into_iter().find(is_it))
    }

    /// Whether the audit log has a row with that hash (lower-case hex).
    pub fn has_audit_hash(&self, hash: &str) -> Result<bool> {
        // What is no hex is no hash.
        let Ok(hash) = base16ct::lower::decode_vec(hash) else { return Ok(false) };
        self.session()?.exists("SELECT 1 FROM audit WHERE hash = ?1", values![&hash])
    }

    /// What tells this registry from others: the hash of the first row of its audit log, and a line end.
    pub fn identity(&self) -> Result<String> {
        let sql = "SELECT hash FROM audit WHERE sequence = 1";
        let first: Option<Vec<u8>> = self.session()?.first(sql, values![], |row| row.get(0))?;
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
        let read = |row: &Fetched<'_>| -> Result<AuditRow> {
            Ok(AuditRow {
                sequence: row.get(0)?,
                at: moment(row.get(1)?),
                action: row.get(2)?,
                detail: serde_json::from_str(row.text(3)?).unwrap_or_default(),
                hash: hex(row.blob(4)?),
            })
        };
        let sql = "SELECT sequence, at, action, detail, hash FROM audit
                   WHERE sequence >= ?1 ORDER BY sequence";
        self.session()?.each(sql, values![from], |row| visit(read(row)?))
    }

    /// Whether this very certificate is recorded.
    pub fn has(&self, certificate: &Certificate) -> Result<bool> {
        self.row_of(certificate).map(|row| row.is_some())
    }

    /// Whether this very certificate is recorded, and neither revoked nor replaced.
    pub(crate) fn is_live(&self, certificate: &Certificate) -> Result<bool> {
        Ok(self.record_of(certificate)?.is_some_and(|record| record.status == Status::Live))
    }

    /// The row of this very certificate, if it is recorded.
    pub fn row_of(&self, certificate: &Certificate) -> Result<Option<RowId>> {
        Ok(self.record_of(certificate)?.map(|record| record.row))
    }

    /// The row that was added last; one before all others if there is none.
    pub(crate) fn last_row(&self) -> Result<RowId> {
        let sql = "SELECT coalesce(max(id), 0) FROM certificate";
        self.session()?.one(sql, values![], |row| row.get(0).map(RowId))
    }

    /// How many live device certificates each CA has issued.
    pub fn device_counts(&self) -> Result<BTreeMap<String, u64>> {
        let sql = format!(
            "SELECT ca, count(*) FROM certificate WHERE {IS_DEVICE} AND status = 'live' GROUP BY ca"
        );
        let counts = self
            .session()?
            .all(&sql, values![], |row| Ok((row.get(0)?, row.get::<i64>(1)?.cast_unsigned())))?;
        Ok(counts.into_iter().collect())
    }

    /// The name of the run that recorded devices last.
    pub fn last_batch(&self) -> Result<Option<String>> {
        let sql =
            format!("SELECT batch FROM certificate WHERE {IS_DEVICE} ORDER BY id DESC LIMIT 1");
        self.session()?.first(&sql, values![], |row| row.get(0))
    }

    /// Whether anything was recorded in a run of this name.
    pub fn has_batch(&self, batch: &str) -> Result<bool> {
        let sql = "SELECT 1 FROM certificate WHERE batch = ?1 LIMIT 1";
        self.session()?.exists(sql, values![batch])
    }

    pub(super) fn collect(&self, tail: &str, values: &[Value<'_>]) -> Result<Vec<Record>> {
        records(&self.session()?, tail, values)
    }
}

/// The certificates that the end of a statement selects.
pub(super) fn records(
    session: &Session<'_>,
    tail: &str,
    values: &[Value<'_>],
) -> Result<Vec<Record>> {
    session.all(&select(tail), values, read_record)
}

fn select(tail: &str) -> String {
    format!(
        "SELECT ca, role, client_id, serial, not_before, not_after, status, revoked_at, reason,
         recorded, batch, der, details, location, has_key, id, bundle FROM certificate {tail}"
    )
}

/// Asks what there is of one device after the other.
#[derive(Debug)]
pub struct Standings<'r> {
    session: Session<'r>,
    any_live: bool,
    any_former: bool,
    any_server: bool,
}

impl Standings<'_> {
    /// What there is of a device. One that another process issues while
    /// this is asked may be told as it was at the beginning.
    pub fn of(&mut self, id: &DeviceId) -> Result<Standing> {
        let folded = id.folded();
        if self.any_live {
            match self.live(&folded)? {
                Some(live) if live == id.as_str() => return Ok(Standing::Live),
                Some(_) => return Ok(Standing::Twin),
                None => {}
            }
            for twin in id.twins() {
                if self.live(&twin)?.is_some() {
                    return Ok(Standing::Twin);
                }
            }
        }
        if self.any_server && self.live(&server_key(&folded))?.is_some() {
            return Ok(Standing::Server);
        }
        let former = "SELECT 1 FROM certificate WHERE folded_id = ?1 AND status <> 'live' LIMIT 1";
        if self.any_former && self.session.exists(former, values![&folded])? {
            return Ok(Standing::Former);
        }
        Ok(Standing::Unknown)
    }

    /// The device that is live under an identifier in any case.
    fn live(&self, folded: &str) -> Result<Option<String>> {
        let sql = "SELECT client_id FROM certificate WHERE folded_id = ?1 AND status = 'live'";
        self.session.first(sql, values![folded], |row| row.get(0))
    }
}

/// The SQL of a filter, with its values.
fn conditions<'f>(filter: &Filter<'f>, session: &Session<'_>) -> (String, Vec<Value<'f>>) {
    let of_serial = format!("{} ?", session.of_serial());
    let given = [
        ("ca = ?", filter.ca.map(Value::from)),
        ("status = ?", filter.status.map(|s| Value::from(s.name()))),
        (of_serial.as_str(), filter.serial.map(|s| Value::from(s.bytes()))),
        ("batch = ?", filter.batch.map(Value::from)),
        ("not_after < ?", filter.expires_before.map(|t| Value::from(t.unix_timestamp()))),
    ];
    let given: Vec<(&str, Value<'_>)> =
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

/// Reads serial number, date and reason of a revocation.
pub(super) fn read_revoked(row: &Fetched<'_>) -> Result<Revoked> {
    let reason = Reason::from_code(row.get(2)?).ok_or_else(|| row.strange(2))?;
    let serial = Serial::from_octets(row.blob(0)?);
    Ok(Revoked { serial, at: moment(row.get(1)?), reason })
}

fn read_record(row: &Fetched<'_>) -> Result<Record> {
    let revoked = match row.get::<Option<i64>>(7)? {
        None => None,
        Some(at) => {
            let reason = Reason::from_code(row.get(8)?).ok_or_else(|| row.strange(8))?;
            Some((moment(at), reason))
        }
    };
    let holder = Holder::of_columns(row.text(1)?, row.get(2)?);
    Ok(Record {
        row: RowId(row.get(15)?),
        ca: row.get(0)?,
        holder: holder.ok_or_else(|| row.strange(2))?,
        serial: Serial::from_octets(row.blob(3)?),
        not_before: moment(row.get(4)?),
        not_after: moment(row.get(5)?),
        status: Status::of_name(row.text(6)?).ok_or_else(|| row.strange(6))?,
        revoked,
        recorded: moment(row.get(9)?),
        batch: row.get(10)?,
        der: row.get(11)?,
        details: serde_json::from_str(row.text(12)?).unwrap_or_default(),
        location: row.get::<Option<String>>(13)?.map(PathBuf::from),
        has_key: row.get(14)?,
        bundle: row.get(16)?,
    })
}
