//! What an older registry has lost, and how it gets it back.
//!
//! A registry that was put back from a backup knows nothing of what happened since. What it has revoked
//! stands in the lists that are out; what it has issued, in the directories of devices. From there it is taken
//! over, each change with its rows in the audit log. A revocation of a certificate that is nowhere to be
//! found is kept too, so that each later list of its issuer has it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use time::OffsetDateTime;

use super::audit::ACCEPT;
use super::check::Checked;
use super::database::{Must, Session, Turn, Work};
use super::holder::Holder;
use super::new_row::{NewRow, issued};
use super::query::read_revoked;
use super::row::audit_name;
use super::unknown::{add_unknown, entry};
use super::{
    Filter, NewRecord, Record, Registry, RegistryError, Result, RowId, Status, foreign, renames,
};
use crate::cert::Serial;
use crate::crl::{Crl, Reason, Revoked};
use crate::crypto::{hex, sha256};
use crate::name::Name;

/// The action of an audit row that tells what was taken over.
const REPAIR: &str = "repair";

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
        let sql = "SELECT number FROM crl_number WHERE ca = ?1";
        let number: Option<i64> = self.session()?.first(sql, values![ca], |row| row.get(0))?;
        Ok(number.map_or(0, i64::cast_unsigned))
    }

    /// Revocations of an issuer's certificates that have no row, or none that is revoked.
    pub fn unknown_revoked(&self, issuer: &Name) -> Result<Vec<Revoked>> {
        let sql = "SELECT serial, revoked_at, reason FROM unknown_revocation AS u
             WHERE issuer = ?1 AND NOT EXISTS (SELECT 1 FROM certificate AS c
                 WHERE c.issuer = u.issuer AND c.serial = u.serial
                 AND c.audit IN (SELECT sequence FROM audit) AND c.revoked_at IS NOT NULL)
             ORDER BY serial";
        self.session()?.all(sql, values![issuer.der()], read_revoked)
    }

    /// Takes over what lists revoke, and their numbers, in one durable transaction.
    pub fn take_over(&mut self, takeover: &Takeover<'_>, now: OffsetDateTime) -> Result<()> {
        let work = self.begin(Turn::Alone)?;
        // An audit row has one date and one reason.
        let mut groups: BTreeMap<(i64, u8), Vec<serde_json::Value>> = BTreeMap::new();
        let mut unknown = Vec::new();
        for FoundRevocation { revoked, record } in takeover.found {
            let (at, reason) = (revoked.at.unix_timestamp(), revoked.reason as u8);
            let Some(record) = record else {
                // A serial number may stand in a list twice.
                if !add_unknown(&work, takeover.issuer, revoked)? {
                    continue;
                }
                unknown.push(entry(takeover.issuer.der(), revoked.serial.bytes(), at, reason));
                continue;
            };
            let end = Some((at, reason));
            let ended = work.end(record.row, Must::NotRevoked, Status::Revoked, end)?;
            if ended.is_some() {
                let name = audit_name(record.serial.bytes(), &record.der);
                groups.entry((at, reason)).or_default().push(name);
            }
        }
        for ((at, reason), certificates) in groups {
            let reason = Reason::from_code(reason).unwrap_or(Reason::Unspecified);
            let detail = serde_json::json!({
                "reason": reason.name(), "revoked_at": at, "certificates": certificates,
            });
            work.append(now, "revoke", &detail)?;
        }
        if let Some((ca, number)) = takeover.number {
            raise_number(&work, ca, number, now)?;
        }
        let detail = serde_json::json!({
            "issuer": takeover.issuer.to_string(),
            "revocations": takeover.found.len(),
            "unknown": unknown,
        });
        work.append(now, REPAIR, &detail)?;
        work.commit()
    }

    /// Revokes certificates of an issuer that have been recorded after their revocations were taken over.
    /// Returns how many.
    pub fn revoke_found(&mut self, issuer: &Name, now: OffsetDateTime) -> Result<usize> {
        let work = self.begin(Turn::Alone)?;
        let found = revoked_meanwhile(&work, issuer)?;
        for (row, at, reason, name) in &found {
            work.end(RowId(*row), Must::NotRevoked, Status::Revoked, Some((*at, *reason)))?;
            let reason = Reason::from_code(*reason).unwrap_or(Reason::Unspecified);
            let detail = serde_json::json!({
                "reason": reason.name(), "revoked_at": at, "certificates": [name],
            });
            work.append(now, "revoke", &detail)?;
        }
        work.commit()?;
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
        let work = self.begin(Turn::Alone)?;
        raise_number(&work, ca, number, now)?;
        let serials: Vec<String> =
            lost.iter().map(|lost| lost.revoked.serial.to_string()).collect();
        let detail = serde_json::json!({
            "ca": ca, "number": number, "sha256": hex(&sha256(list.der())), "given_up": serials,
        });
        work.append(now, ACCEPT, &detail)?;
        work.commit()
    }

    /// Accepts that the last list of a CA is lost, whose lists have numbers up to that one.
    pub fn accept_loss(&mut self, ca: &str, number: u64, now: OffsetDateTime) -> Result<()> {
        let work = self.begin(Turn::Alone)?;
        raise_number(&work, ca, number, now)?;
        let detail = serde_json::json!({ "ca": ca, "number": number, "lost": true });
        work.append(now, ACCEPT, &detail)?;
        work.commit()
    }

    /// Whether somebody has accepted that the last list of a CA is lost, when its lists had numbers up to that
    /// one.
    pub fn has_accepted_loss(&self, ca: &str, number: u64) -> Result<bool> {
        renames::has_accepted_loss(&self.session()?, ca, number)
    }

    /// Whether somebody has accepted that this registry does not have what that list revokes.
    pub fn has_accepted(&self, list: &Crl) -> Result<bool> {
        let sha256 = hex(&sha256(list.der()));
        let sql = "SELECT 1 FROM audit WHERE action = ?1 AND detail LIKE '%' || ?2 || '%'";
        self.session()?.exists(sql, values![ACCEPT, &sha256])
    }

    /// Records a certificate that was found, which is older than the live one of its device: as superseded.
    pub fn record_former(
        &mut self,
        batch: &str,
        now: OffsetDateTime,
        record: &NewRecord,
        live: RowId,
    ) -> Result<()> {
        let work = self.begin(Turn::Alone)?;
        let is_live = "SELECT 1 FROM certificate WHERE id = ?1 AND status = 'live'";
        if !work.exists(is_live, values![live.0])? {
            return Err(RegistryError::Conflict);
        }
        let rows = [NewRow::new(record, batch, now, Status::Superseded)];
        work.record(now, &rows, &[], &("issue", issued(batch, &rows)))?;
        let cert = &record.certificate;
        let detail =
            serde_json::json!({ "certificates": [audit_name(cert.serial.bytes(), &cert.der)] });
        work.append(now, "supersede", &detail)?;
        work.commit()
    }

    /// Visits the DER of each certificate of devices and servers, with its holder and the place of its files.
    pub fn each_place<E: From<RegistryError>>(
        &self,
        mut visit: impl FnMut(&[u8], Option<Holder>, Option<&str>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let sql = "SELECT der, client_id, location FROM certificate WHERE role = 'device'";
        self.session()?.each(sql, values![], |row| {
            let holder = Holder::of_columns("device", row.get(1)?);
            visit(row.blob(0)?, holder, row.text_or_null(2)?)
        })
    }

    /// The oldest and the newest certificate that a CA of that name has issued.
    pub fn ends_of(&self, ca: &str) -> Result<Vec<Vec<u8>>> {
        let sql = "SELECT der FROM certificate WHERE id IN (
                 (SELECT min(id) FROM certificate WHERE ca = ?1),
                 (SELECT max(id) FROM certificate WHERE ca = ?1)) ORDER BY id";
        self.session()?.all(sql, values![ca], |row| row.get(0))
    }

    /// Compares revocations of certificates without a row with the audit log. Differences are noted.
    pub fn check_unknown(&self, checked: &mut Checked) -> Result<()> {
        self.check_foreign(checked)?;
        let kept_and_told = Self::kept_and_told(&self.session()?)?;
        let what = |serial: &str| {
            format!("the revocation of the serial number {serial}, taken over from a list,")
        };
        checked.note_differences(&kept_and_told, what);
        Ok(())
    }

    fn kept_and_told(session: &Session<'_>) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
        let mut kept = BTreeSet::new();
        let sql = "SELECT issuer, serial, revoked_at, reason FROM unknown_revocation";
        session.each(sql, values![], |row| -> Result<()> {
            let (issuer, serial) = (row.blob(0)?, row.blob(1)?);
            kept.insert(entry(issuer, serial, row.get(2)?, row.get(3)?).to_string());
            Ok(())
        })?;
        let mut told = BTreeSet::new();
        let sql = "SELECT detail FROM audit WHERE action IN (?1, ?2, ?3)";
        let actions = values![REPAIR, foreign::ADOPT, foreign::REVOKE_SERIAL];
        session.each(sql, actions, |row| -> Result<()> {
            let detail: serde_json::Value = serde_json::from_str(row.text(0)?).unwrap_or_default();
            let entries = detail["unknown"].as_array().into_iter().flatten();
            told.extend(entries.map(serde_json::Value::to_string));
            Ok(())
        })?;
        Ok((kept, told))
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

/// A row, since when and why it is revoked, and how the audit log names it.
type Meanwhile = (i64, i64, u8, serde_json::Value);

/// Certificates that are not revoked, and whose revocations are kept.
fn revoked_meanwhile(session: &Session<'_>, issuer: &Name) -> Result<Vec<Meanwhile>> {
    let sql = "SELECT c.id, u.revoked_at, u.reason, c.serial, c.der
         FROM unknown_revocation AS u JOIN certificate AS c
         ON c.issuer = u.issuer AND c.serial = u.serial
         WHERE u.issuer = ?1 AND c.status <> 'revoked' ORDER BY c.id";
    session.all(sql, values![issuer.der()], |row| {
        let name = audit_name(row.blob(3)?, row.blob(4)?);
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, name))
    })
}

/// Raises the number of a CA's lists to one that is out. It never goes back.
pub(super) fn raise_number(
    work: &Work<'_>,
    ca: &str,
    number: u64,
    now: OffsetDateTime,
) -> Result<()> {
    let number = number.cast_signed();
    let changed = work.execute(
        "INSERT INTO crl_number (ca, number) VALUES (?1, ?2)
         ON CONFLICT (ca) DO UPDATE SET number = ?2 WHERE crl_number.number < ?2",
        values![ca, number],
    )?;
    if changed > 0 {
        let detail = serde_json::json!({ "ca": ca, "number": number, "taken_over": true });
        work.append(now, "crl", &detail)?;
    }
    Ok(())
}
