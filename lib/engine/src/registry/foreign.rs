//! Serial numbers that a CA gave before it came here, and of whose certificates there is no file.
//!
//! A database of OpenSSL has their subjects and the ends of their validity, and nothing more. Such a number is
//! not given again, and its certificate can be revoked; its revocation is kept as that of every certificate
//! without a row ([`rollback`](super::rollback)).

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{Connection, params};
use time::OffsetDateTime;

use super::check::Checked;
use super::query::moment;
use super::rollback::{add_unknown, entry, note_differences};
use super::sqlite::{Registry, Result, begin, database_error};
use super::{NewRecord, RegistryError, audit};
use crate::cert::Serial;
use crate::crl::{Reason, Revoked};
use crate::crypto::{hex, sha256};
use crate::name::Name;

const TABLE: &str = "
CREATE TABLE foreign_serial (
    issuer BLOB NOT NULL,
    serial BLOB NOT NULL,
    subject TEXT NOT NULL,
    not_after INTEGER NOT NULL,
    PRIMARY KEY (issuer, serial)
) STRICT;
";

/// The action of an audit row that tells what was taken over with a CA.
pub(super) const ADOPT: &str = "adopt";

/// The action of an audit row that revokes a certificate of which only the serial number is known.
pub(super) const REVOKE_SERIAL: &str = "revoke-serial";

/// Makes the table, of a new registry or one of a former version.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLE)
}

/// A certificate that is known by its serial number, its subject and its end only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignSerial {
    /// Its serial number.
    pub serial: Serial,
    /// Its subject in one line, as OpenSSL writes it.
    pub subject: String,
    /// The end of its validity.
    pub not_after: OffsetDateTime,
}

impl Registry {
    /// Serial numbers of an issuer of whose certificates there is no row.
    pub fn foreign_serials(&self, issuer: &Name) -> Result<Vec<ForeignSerial>> {
        let connection = self.connection()?;
        let collect = || -> rusqlite::Result<Vec<ForeignSerial>> {
            let sql = "SELECT serial, subject, not_after FROM foreign_serial AS f
                 WHERE issuer = ?1 AND NOT EXISTS (SELECT 1 FROM certificate AS c
                     WHERE c.issuer = f.issuer AND c.serial = f.serial
                     AND c.audit IN (SELECT sequence FROM audit)) ORDER BY serial";
            connection
                .prepare(sql)?
                .query_map([issuer.der()], |row| {
                    Ok(ForeignSerial {
                        serial: Serial::from_octets(row.get_ref(0)?.as_blob()?),
                        subject: row.get(1)?,
                        not_after: moment(row.get(2)?),
                    })
                })?
                .collect()
        };
        collect().map_err(|e| self.error(&e))
    }

    /// Revokes a certificate of which only the serial number is known, in one durable transaction.
    ///
    /// Errors: [`RegistryError::AlreadyRevoked`] if it is.
    pub fn revoke_foreign(
        &mut self,
        issuer: &Name,
        foreign: &ForeignSerial,
        (reason, at): (Reason, OffsetDateTime),
        now: OffsetDateTime,
    ) -> Result<()> {
        let known = self.revoked(issuer)?.into_iter().find(|r| r.serial == foreign.serial);
        if let Some(known) = known {
            return Err(RegistryError::AlreadyRevoked {
                serial: foreign.serial.clone(),
                holder: foreign.subject.clone(),
                since: known.at.date().to_string(),
                reason: known.reason.name(),
            });
        }
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| database_error(&path, &e);
        let transaction = begin(self.connection()?, &self.path)?;
        let revoked = Revoked { serial: foreign.serial.clone(), at, reason };
        if !add_unknown(&transaction, issuer, &revoked).map_err(fail)? {
            return Err(RegistryError::Conflict);
        }
        let bytes = foreign.serial.bytes();
        let unknown = entry(issuer.der(), bytes, at.unix_timestamp(), reason as u8);
        let detail = serde_json::json!({ "issuer": issuer.to_string(), "unknown": [unknown] });
        audit::append(&transaction, now, REVOKE_SERIAL, &detail).map_err(fail)?;
        transaction.commit().map_err(fail)
    }

    /// Compares serial numbers without a row with the audit log. Differences are noted.
    pub(super) fn check_foreign(&self, checked: &mut Checked) -> Result<()> {
        let kept_and_told =
            Self::foreign_kept_and_told(self.connection()?).map_err(|e| self.error(&e))?;
        let what = |serial: &str| format!("the serial number {serial}, taken over with its CA,");
        note_differences(&kept_and_told, what, checked);
        Ok(())
    }

    fn foreign_kept_and_told(
        connection: &Connection,
    ) -> rusqlite::Result<(BTreeSet<String>, BTreeSet<String>)> {
        let mut kept = BTreeSet::new();
        let sql = "SELECT issuer, serial, subject, not_after FROM foreign_serial";
        let mut query = connection.prepare(sql)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let foreign = ForeignSerial {
                serial: Serial::from_octets(row.get_ref(1)?.as_blob()?),
                subject: row.get(2)?,
                not_after: moment(row.get(3)?),
            };
            kept.insert(told(row.get_ref(0)?.as_blob()?, &foreign).to_string());
        }
        let mut said = BTreeSet::new();
        let mut query = connection.prepare("SELECT detail FROM audit WHERE action = ?1")?;
        let mut rows = query.query([ADOPT])?;
        while let Some(row) = rows.next()? {
            let detail: String = row.get(0)?;
            let detail: serde_json::Value = serde_json::from_str(&detail).unwrap_or_default();
            let serials = detail["serials"].as_array().into_iter().flatten();
            said.extend(serials.map(serde_json::Value::to_string));
        }
        Ok((kept, said))
    }
}

/// How the audit log names a serial number without a certificate.
fn told(issuer: &[u8], foreign: &ForeignSerial) -> serde_json::Value {
    serde_json::json!({
        "issuer_sha256": hex(&sha256(issuer)),
        "serial": hex(foreign.serial.bytes()),
        "subject": foreign.subject,
        "not_after": foreign.not_after.unix_timestamp(),
    })
}

/// Keeps a serial number; how the audit log names it, if it was not kept before.
pub(super) fn keep(
    connection: &Connection,
    issuer: &Name,
    foreign: &ForeignSerial,
) -> rusqlite::Result<Option<serde_json::Value>> {
    let end = foreign.not_after.unix_timestamp();
    let sql = "INSERT OR IGNORE INTO foreign_serial (issuer, serial, subject, not_after)
               VALUES (?1, ?2, ?3, ?4)";
    let values = params![issuer.der(), foreign.serial.bytes(), foreign.subject, end];
    let added = connection.prepare_cached(sql)?.execute(values)?;
    Ok((added > 0).then(|| told(issuer.der(), foreign)))
}

/// Refuses a new certificate with a serial number that was given before. One with the same end is the very
/// certificate, which has been found.
pub(super) fn check_new(
    connection: &Connection,
    path: &Path,
    records: &[&NewRecord],
) -> Result<()> {
    let fail = |e: rusqlite::Error| database_error(path, &e);
    let any = connection.prepare_cached("SELECT 1 FROM foreign_serial LIMIT 1");
    if !any.and_then(|mut query| query.exists([])).map_err(fail)? {
        return Ok(());
    }
    let sql = "SELECT subject FROM foreign_serial
               WHERE issuer = ?1 AND serial = ?2 AND not_after <> ?3";
    let mut query = connection.prepare_cached(sql).map_err(fail)?;
    for record in records {
        let cert = &record.certificate;
        let end = cert.not_after.unix_timestamp();
        let values = params![cert.issuer, cert.serial.bytes(), end];
        let mut rows = query.query(values).map_err(fail)?;
        if let Some(row) = rows.next().map_err(fail)? {
            let subject = row.get(0).map_err(fail)?;
            return Err(RegistryError::SerialGiven { serial: cert.serial.clone(), subject });
        }
    }
    Ok(())
}
