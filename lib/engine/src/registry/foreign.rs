//! Serial numbers that a CA gave before it came here, and of whose certificates there is no file.
//!
//! A database of OpenSSL has their subjects and the ends of their validity, and nothing more. Such a number is
//! not given again, and its certificate can be revoked; its revocation is kept as that of every certificate
//! without a row ([`rollback`](super::rollback)).

use std::collections::BTreeSet;

use time::OffsetDateTime;

use super::check::Checked;
use super::database::value::Fetched;
use super::database::{Session, Turn};
use super::query::moment;
use super::unknown::{add_unknown, entry};
use super::{NewRecord, Registry, RegistryError, Result};
use crate::cert::Serial;
use crate::crl::{Reason, Revoked};
use crate::crypto::{hex, sha256};
use crate::name::Name;

/// The action of an audit row that tells what was taken over with a CA.
pub(super) const ADOPT: &str = "adopt";

/// The action of an audit row that revokes a certificate of which only the serial number is known.
pub(super) const REVOKE_SERIAL: &str = "revoke-serial";

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
        let sql = "SELECT serial, subject, not_after FROM foreign_serial AS f
             WHERE issuer = ?1 AND NOT EXISTS (SELECT 1 FROM certificate AS c
                 WHERE c.issuer = f.issuer AND c.serial = f.serial
                 AND c.audit IN (SELECT sequence FROM audit)) ORDER BY serial";
        self.session()?.all(sql, values![issuer.der()], |row| read(row, 0))
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
        let work = self.begin(Turn::Alone)?;
        let revoked = Revoked { serial: foreign.serial.clone(), at, reason };
        if !add_unknown(&work, issuer, &revoked)? {
            return Err(RegistryError::Conflict);
        }
        let bytes = foreign.serial.bytes();
        let unknown = entry(issuer.der(), bytes, at.unix_timestamp(), reason as u8);
        let detail = serde_json::json!({ "issuer": issuer.to_string(), "unknown": [unknown] });
        work.append(now, REVOKE_SERIAL, &detail)?;
        work.commit()
    }

    /// Compares serial numbers without a row with the audit log. Differences are noted.
    pub(super) fn check_foreign(&self, checked: &mut Checked) -> Result<()> {
        let kept_and_told = Self::foreign_kept_and_told(&self.session()?)?;
        let what = |serial: &str| format!("the serial number {serial}, taken over with its CA,");
        checked.note_differences(&kept_and_told, what);
        Ok(())
    }

    fn foreign_kept_and_told(
        session: &Session<'_>,
    ) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
        let mut kept = BTreeSet::new();
        let sql = "SELECT issuer, serial, subject, not_after FROM foreign_serial";
        session.each(sql, values![], |row| -> Result<()> {
            kept.insert(told(row.blob(0)?, &read(row, 1)?).to_string());
            Ok(())
        })?;
        let mut said = BTreeSet::new();
        let sql = "SELECT detail FROM audit WHERE action = ?1";
        session.each(sql, values![ADOPT], |row| -> Result<()> {
            let detail: serde_json::Value = serde_json::from_str(row.text(0)?).unwrap_or_default();
            let serials = detail["serials"].as_array().into_iter().flatten();
            said.extend(serials.map(serde_json::Value::to_string));
            Ok(())
        })?;
        Ok((kept, said))
    }
}

/// Reads serial number, subject and end, from a column on.
fn read(row: &Fetched<'_>, first: usize) -> Result<ForeignSerial> {
    Ok(ForeignSerial {
        serial: Serial::from_octets(row.blob(first)?),
        subject: row.get(first + 1)?,
        not_after: moment(row.get(first + 2)?),
    })
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
    session: &Session<'_>,
    issuer: &Name,
    foreign: &ForeignSerial,
) -> Result<Option<serde_json::Value>> {
    let end = foreign.not_after.unix_timestamp();
    let sql = "INSERT INTO foreign_serial (issuer, serial, subject, not_after)
               VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
    let values = values![issuer.der(), foreign.serial.bytes(), &foreign.subject, end];
    let added = session.execute(sql, values)?;
    Ok((added > 0).then(|| told(issuer.der(), foreign)))
}

/// Refuses a new certificate with a serial number that was given before. One with the same end is the very
/// certificate, which has been found.
pub(super) fn check_new(session: &Session<'_>, records: &[&NewRecord]) -> Result<()> {
    if !session.exists("SELECT 1 FROM foreign_serial LIMIT 1", values![])? {
        return Ok(());
    }
    let sql = "SELECT subject FROM foreign_serial
               WHERE issuer = ?1 AND serial = ?2 AND not_after <> ?3";
    for record in records {
        let cert = &record.certificate;
        let end = cert.not_after.unix_timestamp();
        let values = values![&cert.issuer, cert.serial.bytes(), end];
        if let Some(subject) = session.first(sql, values, |row| row.get(0))? {
            return Err(RegistryError::SerialGiven { serial: cert.serial.clone(), subject });
        }
    }
    Ok(())
}
