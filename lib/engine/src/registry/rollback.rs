//! What an older registry has lost, and how it gets it back.
//!
//! A registry that was put back from a backup knows nothing of what happened since. What it has revoked
//! stands in the lists that are out; what it has issued, in the directories of devices. From there it is taken
//! over, each change with its rows in the audit log. A revocation of a certificate that is nowhere to be
//! found is kept too, so that each later list of its issuer has it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rusqlite::{Connection, OptionalExtension, params};
use time::OffsetDateTime;

use super::check::Checked;
use super::holder::Holder;
use super::query::{moment, strange};
use super::sqlite::{INSERT, Registry, Result, add_row, begin, conflict_or, database_error};
use super::{
    Filter, NewRecord, Record, RegistryError, RowId, Status, audit, audit_name, foreign, renames,
};
use crate::cert::Serial;
use crate::crl::{Crl, Reason, Revoked};
use crate::crypto::{hex, sha256};
use crate::name::Name;

/// Revocations of certificates that have no row: their issuer and serial number is all that is known.
const TABLE: &str = "
CREATE TABLE unknown_revocation (
    issuer BLOB NOT NULL,
    serial BLOB NOT NULL,
    revoked_at INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    PRIMARY KEY (issuer, serial)
) STRICT;
";

/// The action of an audit row that tells what was taken over.
const REPAIR: &str = "repair";

/// The action of an audit row that says that an older registry was accepted as it is.
pub(super) const ACCEPT: &str = "accept-rollback";

/// Makes the table, of a new registry or one of a former version.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLE)
}

/// A revocation in a list that a registry does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRevocation {
    /// What the list says.
    pub revoked: Revoked,
    /// The certificate, if the registry has that.
    pub record: Option<Record>,
}

/// What is taken over from the lists of one issuer.
#[derive(Debug, Clone)]
pub struct Takeover<'a> {
    /// The issuer: the CA's subject as its certificates have it.
    pub issuer: &'a Name,
    /// What its lists revoke and the registry does not.
    pub found: &'a [FoundRevocation],
    /// The CA, and the highest number of its lists.
    pub number: Option<(&'a str, u64)>,
}

impl Registry {
    /// What a list revokes and this registry does not. `issuer` is the CA's subject as its certificates have
    /// it, which a list may write in another way. The list's signature is the caller's to check.
    pub fn lost_revocations(&self, list: &Crl, issuer: &Name) -> Result<Vec<FoundRevocation>> {
        let known: HashSet<Serial> =
            self.revoked(issuer)?.into_iter().map(|revoked| revoked.serial).collect();
        let mut found = Vec::new();
        for revoked in list.revoked.iter().filter(|revoked| !known.contains(&revoked.serial)) {
            let filter = Filter { serial: Some(&revoked.serial), ..Filter::default() };
            let records = self.find(&filter)?;
            let own = |record: &Record| {
                record.certificate().is_ok_and(|cert| cert.issuer.matches(issuer))
            };
            let record = records.into_iter().find(own);
            found.push(FoundRevocation { revoked: revoked.clone(), record });
        }
        Ok(found)
    }

    /// The last number of a CA's lists, as far as this registry knows.
    pub fn crl_number(&self, ca: &str) -> Result<u64> {
        let number: Option<i64> = self
            .connection()?
            .query_row("SELECT number FROM crl_number WHERE ca = ?1", [ca], |row| row.get(0))
            .optional()
            .map_err(|e| self.error(&e))?;
        Ok(number.map_or(0, i64::cast_unsigned))
    }

    /// Revocations of an issuer's certificates that have no row, or none that is revoked.
    pub fn unknown_revoked(&self, issuer: &Name) -> Result<Vec<Revoked>> {
        let connection = self.connection()?;
        let collect = || -> rusqlite::Result<Vec<Revoked>> {
            let sql = "SELECT serial, revoked_at, reason FROM unknown_revocation AS u
                 WHERE issuer = ?1 AND NOT EXISTS (SELECT 1 FROM certificate AS c
                     WHERE c.issuer = u.issuer AND c.serial = u.serial
                     AND c.audit IN (SELECT sequence FROM audit) AND c.revoked_at IS NOT NULL)
                 ORDER BY serial";
            connection
                .prepare_cached(sql)?
                .query_map([issuer.der()], |row| {
                    let reason = Reason::from_code(row.get(2)?).ok_or_else(|| strange(2))?;
                    let serial = Serial::from_octets(row.get_ref(0)?.as_blob()?);
                    Ok(Revoked { serial, at: moment(row.get(1)?), reason })
                })?
                .collect()
        };
        collect().map_err(|e| self.error(&e))
    }

    /// Takes over what lists revoke, and their numbers, in one durable transaction.
    pub fn take_over(&mut self, takeover: &Takeover<'_>, now: OffsetDateTime) -> Result<()> {
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| database_error(&path, &e);
        let transaction = begin(self.connection()?, &self.path)?;
        // An audit row has one date and one reason.
        let mut groups: BTreeMap<(i64, u8), Vec<serde_json::Value>> = BTreeMap::new();
        let mut unknown = Vec::new();
        for FoundRevocation { revoked, record } in takeover.found {
            let (at, reason) = (revoked.at.unix_timestamp(), revoked.reason as u8);
            let Some(record) = record else {
                // A serial number may stand in a list twice.
                if !add_unknown(&transaction, takeover.issuer, revoked).map_err(fail)? {
                    continue;
                }
                unknown.push(entry(takeover.issuer.der(), revoked.serial.bytes(), at, reason));
                continue;
            };
            let changed = transaction
                .execute(
                    "UPDATE certificate SET status = 'revoked', revoked_at = ?1, reason = ?2
                     WHERE id = ?3 AND status <> 'revoked'",
                    params![at, reason, record.row.0],
                )
                .map_err(fail)?;
            if changed > 0 {
                let name = audit_name(record.serial.bytes(), &record.der);
                groups.entry((at, reason)).or_default().push(name);
            }
        }
        for ((at, reason), certificates) in groups {
            let reason = Reason::from_code(reason).unwrap_or(Reason::Unspecified);
            let detail = serde_json::json!({
                "reason": reason.name(), "revoked_at": at, "certificates": certificates,
            });
            audit::append(&transaction, now, "revoke", &detail).map_err(fail)?;
        }
        if let Some((ca, number)) = takeover.number {
            raise_number(&transaction, ca, number, now).map_err(fail)?;
        }
        let detail = serde_json::json!({
            "issuer": takeover.issuer.to_string(),
            "revocations": takeover.found.len(),
            "unknown": unknown,
        });
        audit::append(&transaction, now, REPAIR, &detail).map_err(fail)?;
        transaction.commit().map_err(fail)
    }

    /// Revokes certificates of an issuer that have been recorded after their revocations were taken over.
    /// Returns how many.
    pub fn revoke_found(&mut self, issuer: &Name, now: OffsetDateTime) -> Result<usize> {
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| database_error(&path, &e);
        let transaction = begin(self.connection()?, &self.path)?;
        let found = revoked_meanwhile(&transaction, issuer).map_err(fail)?;
        for (row, at, reason, name) in &found {
            transaction
                .execute(
                    "UPDATE certificate SET status = 'revoked', revoked_at = ?1, reason = ?2
                     WHERE id = ?3",
                    params![at, reason, row],
                )
                .map_err(fail)?;
            let reason = Reason::from_code(*reason).unwrap_or(Reason::Unspecified);
            let detail = serde_json::json!({
                "reason": reason.name(), "revoked_at": at, "certificates": [name],
            });
            audit::append(&transaction, now, "revoke", &detail).map_err(fail)?;
        }
        transaction.commit().map_err(fail)?;
        Ok(found.len())
    }

    /// Accepts that this registry does not have what a list revokes: the audit log keeps what is given up.
    pub fn accept_rollback(
        &mut self,
        ca: &str,
        (list, number): (&Crl, u64),
        lost: &[FoundRevocation],
        now: OffsetDateTime,
    ) -> Result<()> {
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| database_error(&path, &e);
        let transaction = begin(self.connection()?, &self.path)?;
        raise_number(&transaction, ca, number, now).map_err(fail)?;
        let serials: Vec<String> =
            lost.iter().map(|lost| lost.revoked.serial.to_string()).collect();
        let detail = serde_json::json!({
            "ca": ca, "number": number, "sha256": hex(&sha256(list.der())), "given_up": serials,
        });
        audit::append(&transaction, now, ACCEPT, &detail).map_err(fail)?;
        transaction.commit().map_err(fail)
    }

    /// Accepts that the last list of a CA is lost, whose lists have numbers up to that one.
    pub fn accept_loss(&mut self, ca: &str, number: u64, now: OffsetDateTime) -> Result<()> {
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| database_error(&path, &e);
        let transaction = begin(self.connection()?, &self.path)?;
        raise_number(&transaction, ca, number, now).map_err(fail)?;
        let detail = serde_json::json!({ "ca": ca, "number": number, "lost": true });
        audit::append(&transaction, now, ACCEPT, &detail).map_err(fail)?;
        transaction.commit().map_err(fail)
    }

    /// Whether somebody has accepted that the last list of a CA is lost, when its lists had numbers up to that
    /// one.
    pub fn has_accepted_loss(&self, ca: &str, number: u64) -> Result<bool> {
        renames::has_accepted_loss(self.connection()?, ca, number).map_err(|e| self.error(&e))
    }

    /// Whether somebody has accepted that this registry does not have what that list revokes.
    pub fn has_accepted(&self, list: &Crl) -> Result<bool> {
        let sha256 = hex(&sha256(list.der()));
        self.connection()?
            .prepare("SELECT 1 FROM audit WHERE action = ?1 AND detail LIKE '%' || ?2 || '%'")
            .and_then(|mut query| query.exists([ACCEPT, &sha256]))
            .map_err(|e| self.error(&e))
    }

    /// Records a certificate that was found, which is older than the live one of its device: as superseded.
    pub fn record_former(
        &mut self,
        batch: &str,
        now: OffsetDateTime,
        record: &NewRecord,
        live: RowId,
    ) -> Result<()> {
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| database_error(&path, &e);
        let transaction = begin(self.connection()?, &self.path)?;
        let set = |status: Status, row: i64, is: Status| -> Result<()> {
            let sql = "UPDATE certificate SET status = ?1 WHERE id = ?2 AND status = ?3";
            let values = params![status.name(), row, is.name()];
            match transaction.execute(sql, values).map_err(fail)? {
                1 => Ok(()),
                _ => Err(RegistryError::Conflict),
            }
        };
        // A device has one live row at most, also in between.
        set(Status::Superseded, live.0, Status::Live)?;
        let (last, _) = audit::head(&transaction).map_err(fail)?;
        let mut insert = transaction.prepare_cached(INSERT).map_err(fail)?;
        let digest = add_row(&mut insert, batch, now, last + 1, record);
        let digest = digest.map_err(|e| conflict_or(&path, &e))?;
        drop(insert);
        set(Status::Superseded, transaction.last_insert_rowid(), Status::Live)?;
        set(Status::Live, live.0, Status::Superseded)?;
        let detail = serde_json::json!({
            "batch": batch, "certificates": 1, "rows": hex(&sha256(&digest)),
        });
        audit::append(&transaction, now, "issue", &detail).map_err(fail)?;
        let cert = &record.certificate;
        let detail =
            serde_json::json!({ "certificates": [audit_name(cert.serial.bytes(), &cert.der)] });
        audit::append(&transaction, now, "supersede", &detail).map_err(fail)?;
        transaction.commit().map_err(fail)
    }

    /// Visits the DER of each certificate of devices and servers, with its holder and the place of its files.
    pub fn each_place<E: From<RegistryError>>(
        &self,
        mut visit: impl FnMut(&[u8], Option<Holder>, Option<&str>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let fail = |e: rusqlite::Error| E::from(self.error(&e));
        let sql = "SELECT der, client_id, location FROM certificate WHERE role = 'device'";
        let mut query = self.connection()?.prepare_cached(sql).map_err(fail)?;
        let mut rows = query.query([]).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            let text =
                |i: usize| row.get_ref(i).and_then(|v| Ok(v.as_str_or_null()?)).map_err(fail);
            let der = row.get_ref(0).and_then(|v| Ok(v.as_blob()?)).map_err(fail)?;
            let holder = Holder::of_columns("device", text(1)?.map(str::to_owned));
            visit(der, holder, text(2)?)?;
        }
        Ok(())
    }

    /// The oldest and the newest certificate that a CA of that name has issued.
    pub fn ends_of(&self, ca: &str) -> Result<Vec<Vec<u8>>> {
        let connection = self.connection()?;
        let collect = || -> rusqlite::Result<Vec<Vec<u8>>> {
            connection
                .prepare(
                    "SELECT der FROM certificate WHERE id IN (
                         (SELECT min(id) FROM certificate WHERE ca = ?1),
                         (SELECT max(id) FROM certificate WHERE ca = ?1))",
                )?
                .query_map([ca], |row| row.get(0))?
                .collect()
        };
        collect().map_err(|e| self.error(&e))
    }

    /// Compares revocations of certificates without a row with the audit log. Differences are noted.
    pub fn check_unknown(&self, checked: &mut Checked) -> Result<()> {
        self.check_foreign(checked)?;
        let kept_and_told = Self::kept_and_told(self.connection()?).map_err(|e| self.error(&e))?;
        let what = |serial: &str| {
            format!("the revocation of the serial number {serial}, taken over from a list,")
        };
        note_differences(&kept_and_told, what, checked);
        Ok(())
    }

    fn kept_and_told(
        connection: &Connection,
    ) -> rusqlite::Result<(BTreeSet<String>, BTreeSet<String>)> {
        let mut kept = BTreeSet::new();
        let sql = "SELECT issuer, serial, revoked_at, reason FROM unknown_revocation";
        let mut query = connection.prepare(sql)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let (issuer, serial) = (row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
            kept.insert(entry(issuer, serial, row.get(2)?, row.get(3)?).to_string());
        }
        let mut told = BTreeSet::new();
        let sql = "SELECT detail FROM audit WHERE action IN (?1, ?2, ?3)";
        let mut query = connection.prepare(sql)?;
        let mut rows = query.query([REPAIR, foreign::ADOPT, foreign::REVOKE_SERIAL])?;
        while let Some(row) = rows.next()? {
            let detail: String = row.get(0)?;
            let detail: serde_json::Value = serde_json::from_str(&detail).unwrap_or_default();
            let entries = detail["unknown"].as_array().into_iter().flatten();
            told.extend(entries.map(serde_json::Value::to_string));
        }
        Ok((kept, told))
    }
}

/// Notes what is kept in a table and not told by the audit log, and the other way round.
pub(super) fn note_differences(
    (kept, told): &(BTreeSet<String>, BTreeSet<String>),
    what: impl Fn(&str) -> String,
    checked: &mut Checked,
) {
    for (missing, place) in [
        (told.difference(kept), "is in the audit log, and not in the registry"),
        (kept.difference(told), "is in the registry, and not in the audit log"),
    ] {
        for entry in missing {
            let value: serde_json::Value = serde_json::from_str(entry).unwrap_or_default();
            let serial = value["serial"].as_str().unwrap_or_default();
            checked.note("state", format!("{} {place}", what(serial)));
        }
    }
}

/// The number of a list; 0 for one without.
///
/// Errors: what is wrong with a number that the registry cannot keep and go on from.
pub(crate) fn number_of(list: &Crl) -> std::result::Result<u64, String> {
    let Some(number) = &list.number else { return Ok(0) };
    let decimal = number.to_decimal();
    let is_fit = |n: &u64| *n < i64::MAX.unsigned_abs();
    let fit = decimal.parse().ok().filter(is_fit);
    fit.ok_or_else(|| {
        format!("its number, {decimal}, is too high for a next one: at most 2^63-2 is")
    })
}

/// How the audit log names a revocation of a certificate without a row.
pub(super) fn entry(issuer: &[u8], serial: &[u8], at: i64, reason: u8) -> serde_json::Value {
    serde_json::json!({
        "issuer_sha256": hex(&sha256(issuer)),
        "serial": hex(serial),
        "revoked_at": at,
        "reason": reason,
    })
}

/// A row, since when and why it is revoked, and how the audit log names it.
type Meanwhile = (i64, i64, u8, serde_json::Value);

/// Certificates that are not revoked, and whose revocations are kept.
fn revoked_meanwhile(connection: &Connection, issuer: &Name) -> rusqlite::Result<Vec<Meanwhile>> {
    connection
        .prepare(
            "SELECT c.id, u.revoked_at, u.reason, c.serial, c.der
             FROM unknown_revocation AS u JOIN certificate AS c
             ON c.issuer = u.issuer AND c.serial = u.serial
             WHERE u.issuer = ?1 AND c.status <> 'revoked' ORDER BY c.id",
        )?
        .query_map([issuer.der()], |row| {
            let (serial, der) = (row.get_ref(3)?.as_blob()?, row.get_ref(4)?.as_blob()?);
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, audit_name(serial, der)))
        })?
        .collect()
}

/// Keeps a revocation; whether it was not kept before.
pub(super) fn add_unknown(
    connection: &Connection,
    issuer: &Name,
    revoked: &Revoked,
) -> rusqlite::Result<bool> {
    let (at, reason) = (revoked.at.unix_timestamp(), revoked.reason as u8);
    connection
        .execute(
            "INSERT OR IGNORE INTO unknown_revocation (issuer, serial, revoked_at, reason)
             VALUES (?1, ?2, ?3, ?4)",
            params![issuer.der(), revoked.serial.bytes(), at, reason],
        )
        .map(|added| added > 0)
}

/// Raises the number of a CA's lists to one that is out. It never goes back.
pub(super) fn raise_number(
    connection: &Connection,
    ca: &str,
    number: u64,
    now: OffsetDateTime,
) -> rusqlite::Result<()> {
    let number = number.cast_signed();
    let changed = connection.execute(
        "INSERT INTO crl_number (ca, number) VALUES (?1, ?2)
         ON CONFLICT (ca) DO UPDATE SET number = ?2 WHERE number < ?2",
        params![ca, number],
    )?;
    if changed > 0 {
        let detail = serde_json::json!({ "ca": ca, "number": number, "taken_over": true });
        audit::append(connection, now, "crl", &detail)?;
    }
    Ok(())
}
