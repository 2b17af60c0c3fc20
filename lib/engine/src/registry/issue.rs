//! Certificates are recorded and revoked, and revocation lists numbered.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::database::{Entry, Must, Session, Turn, again};
use super::keys::Newcomers;
use super::new_row::{NewRow, issued};
use super::row::audit_name;
use super::{
    Hold, Holder, NewRecord, OrderRecord, Record, Registry, RegistryError, Replaced, Result,
    SharedCa, Status, cas, foreign, keys, marks, orders,
};
use crate::cert::Certificate;
use crate::crl::Reason;
use crate::files::Mark;

/// What is recorded with certificates, in the same transaction.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct With<'a> {
    /// How far the files have come that hold their keys or passwords.
    pub(crate) marks: &'a [Mark],
    /// The range that the run has taken of a shared list, and whether these devices are the last of it.
    pub(crate) range: Option<(&'a Hold, bool)>,
    /// On whose behalf, for the audit log.
    pub(crate) by: Option<&'a str>,
    /// For which order: nothing is recorded once it was taken back.
    pub(crate) order: Option<&'a OrderRecord>,
    /// The certificates of the issuing CA and those above: nothing is recorded once one of them was revoked.
    pub(crate) issuers: &'a [Certificate],
    /// What stations get to know of CAs by it.
    pub(crate) cas: &'a [SharedCa],
}

impl Registry {
    /// Records certificates in one durable transaction: all of them or none. Those that they
    /// replace become superseded, or revoked, in the same one.
    ///
    /// [`RegistryError::Conflict`] if one of the devices is live already, or if a certificate that
    /// is to be replaced is not live any more. [`RegistryError::KeyTaken`] if somebody else has a key
    /// that came from outside.
    pub fn record(
        &mut self,
        batch: &str,
        now: OffsetDateTime,
        records: &[NewRecord],
    ) -> Result<()> {
        self.record_with(batch, now, &records.iter().collect::<Vec<_>>(), With::default(), None)
    }

    /// The same with more that belongs to it. Of the keys from outside only the `newcomers` are looked at, if a run has
    /// some.
    ///
    /// [`RegistryError::RangeLost`] if the run does not have its range of a shared list any more;
    /// [`RegistryError::OrderTakenBack`] and [`RegistryError::IssuerRevoked`] if that happened meanwhile.
    pub(crate) fn record_with(
        &self,
        batch: &str,
        now: OffsetDateTime,
        records: &[&NewRecord],
        with: With<'_>,
        newcomers: Option<&Newcomers>,
    ) -> Result<()> {
        again(|| self.try_record(batch, now, records, with, newcomers))
    }

    fn try_record(
        &self,
        batch: &str,
        now: OffsetDateTime,
        records: &[&NewRecord],
        With { marks, range, by, order, issuers, cas }: With<'_>,
        newcomers: Option<&Newcomers>,
    ) -> Result<()> {
        // Whether a key from outside is somebody else's is read: nobody may record it meanwhile. Whose device
        // and which serial number it is, unique indexes decide.
        let turn = match records.iter().any(|record| record.key_from_outside) {
            true => Turn::Alone,
            false => Turn::Shared,
        };
        let rows: Vec<NewRow<'_>> =
            records.iter().map(|record| NewRow::new(record, batch, now, Status::Live)).collect();
        let mut detail = with_who(issued(batch, &rows), by);
        let work = self.begin(turn)?;
        if let Some((hold, done)) = range
            && !orders::hold_range(&work, hold, done)?
        {
            return Err(RegistryError::RangeLost);
        }
        if let Some(newcomers) = newcomers {
            newcomers.update(&work, batch)?;
        }
        let mut before = Vec::new();
        let replaced: Vec<&Replaced> = records.iter().filter_map(|r| r.replaces.as_ref()).collect();
        for revoke in [false, true] {
            before.extend(supersede(&work, now, replaced.iter().filter(|r| r.revoke == revoke))?);
        }
        keys::check_free(&work, records, newcomers)?;
        foreign::check_new(&work, records)?;
        for mark in marks {
            marks::keep(&work, mark)?;
        }
        if let Some(told) = cas::put(&work, cas)? {
            detail["cas"] = told;
        }
        let own = work.record(now, &rows, &before, &("issue", detail))?;
        // Now nobody else can give a CA another name before this is done.
        let last = own - 1 - i64::try_from(before.len()).unwrap_or(0);
        self.check_names(&work, last, records.iter().map(|r| r.ca.as_str()))?;
        // The same holds for taking an order back, and for revoking a CA.
        order.map(|order| orders::check_not_taken_back(&work, order)).transpose()?;
        issuers.iter().try_for_each(|issuer| check_not_revoked(&work, issuer))?;
        work.commit()
    }

    /// Revokes certificates in one durable transaction: all of them or none. `records` are rows of
    /// this registry; a superseded certificate can be revoked too.
    ///
    /// [`RegistryError::AlreadyRevoked`] if one is revoked already: when and why stays as it is.
    /// [`RegistryError::RevocationDate`] if `at` lies in the future, or before the certificate's
    /// notBefore. `now` is never too early: a certificate that is valid only from tomorrow can be revoked
    /// today. [`RegistryError::Conflict`] for [`Reason::KeyCompromise`] if another certificate that is not
    /// revoked has a key of theirs: `records` have to be all of that key's.
    pub fn revoke(
        &mut self,
        records: &[Record],
        reason: Reason,
        at: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<()> {
        self.revoke_by(records, (reason, at), now, None)
    }

    /// The same in a program that threads share; `by` is who has asked, for the audit log.
    pub(crate) fn revoke_by(
        &self,
        records: &[Record],
        (reason, at): (Reason, OffsetDateTime),
        now: OffsetDateTime,
        by: Option<&str>,
    ) -> Result<()> {
        let work = self.begin(Turn::Alone)?;
        if reason == Reason::KeyCompromise {
            keys::check_all_of_keys(&work, &self.path, records)?;
        }
        let revoked = Some((at.unix_timestamp(), reason as u8));
        for record in records {
            check_date(record, at, now)?;
            let ended = work.end(record.row, Must::NotRevoked, Status::Revoked, revoked)?;
            if ended.is_none_or(|(_, der)| der != record.der) {
                return Err(already_revoked(record));
            }
        }
        let certificates: Vec<_> =
            records.iter().map(|r| audit_name(r.serial.bytes(), &r.der)).collect();
        let detail = serde_json::json!({
            "reason": reason.name(),
            "revoked_at": at.unix_timestamp(),
            "certificates": certificates,
        });
        work.append(now, "revoke", &with_who(detail, by))?;
        work.commit()
    }

    /// The next CRL number of a CA: one more than the last, from 1, durable before it is used. CAs of
    /// the same subject, `others`, count together: their lists have one issuer (RFC 5280, 5.2.3). It is
    /// `at_least` that number: lists that are out already are known better than lost rows.
    pub fn next_crl_number(
        &mut self,
        ca: &str,
        others: &[String],
        at_least: u64,
        now: OffsetDateTime,
    ) -> Result<u64> {
        let work = self.begin(Turn::Alone)?;
        let mut last = i64::try_from(at_least).unwrap_or(0).saturating_sub(1).max(0);
        for name in others.iter().map(String::as_str).chain([ca]) {
            let sql = "SELECT number FROM crl_number WHERE ca = ?1";
            let number: Option<i64> = work.first(sql, values![name], |row| row.get(0))?;
            last = last.max(number.unwrap_or(0));
        }
        let number = last + 1;
        let sql = "INSERT INTO crl_number (ca, number) VALUES (?1, ?2)
                   ON CONFLICT (ca) DO UPDATE SET number = ?2";
        work.execute(sql, values![ca, number])?;
        work.append(now, "crl", &serde_json::json!({ "ca": ca, "number": number }))?;
        work.commit()?;
        Ok(number.cast_unsigned())
    }
}

/// Refuses an issuer that was revoked.
fn check_not_revoked(session: &Session<'_>, issuer: &Certificate) -> Result<()> {
    let sql = "SELECT 1 FROM certificate
         WHERE revoked_at IS NOT NULL AND role = 'ca' AND serial = ?1 AND der = ?2";
    match session.exists(sql, values![issuer.serial.bytes(), issuer.der()])? {
        true => Err(RegistryError::IssuerRevoked { subject: issuer.subject.to_string() }),
        false => Ok(()),
    }
}

/// What the audit log says, with who has asked for it, if that is known.
fn with_who(mut detail: serde_json::Value, by: Option<&str>) -> serde_json::Value {
    if let Some(by) = by {
        detail["by"] = by.into();
    }
    detail
}

/// Ends the life of certificates that others replace. One that is not live is a conflict. Returns what the audit
/// log says of it.
fn supersede<'a>(
    session: &Session<'_>,
    now: OffsetDateTime,
    replaced: impl Iterator<Item = &'a &'a Replaced>,
) -> Result<Option<Entry>> {
    let mut certificates = Vec::new();
    let mut revoke = false;
    let at = now.unix_timestamp();
    for old in replaced {
        revoke = old.revoke;
        let (status, revoked) = match old.revoke {
            true => (Status::Revoked, Some((at, Reason::Superseded as u8))),
            false => (Status::Superseded, None),
        };
        let ended = session.end(old.row, Must::Live, status, revoked)?;
        let (serial, der) = ended.ok_or(RegistryError::Conflict)?;
        certificates.push(audit_name(&serial, &der));
    }
    if certificates.is_empty() {
        return Ok(None);
    }
    Ok(Some(match revoke {
        false => ("supersede", serde_json::json!({ "certificates": certificates })),
        true => {
            let reason = Reason::Superseded.name();
            let detail = serde_json::json!({
                "reason": reason, "revoked_at": at, "certificates": certificates,
            });
            ("revoke", detail)
        }
    }))
}

/// Refuses a date of revocation that cannot be; in whole seconds, as it is kept.
fn check_date(record: &Record, at: OffsetDateTime, now: OffsetDateTime) -> Result<()> {
    let seconds = |time: OffsetDateTime| time.unix_timestamp();
    let problem = match () {
        () if seconds(at) > seconds(now) => "that lies in the future".to_owned(),
        () if seconds(at) == seconds(now) || at >= record.not_before => return Ok(()),
        () => format!("it is valid from {}", rfc3339(record.not_before)),
    };
    Err(RegistryError::RevocationDate {
        serial: record.serial.clone(),
        holder: holder(record),
        at: rfc3339(at),
        problem,
    })
}

fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}

/// The device, or the subject of a CA.
fn holder(record: &Record) -> String {
    match &record.holder {
        Holder::Device(id) => id.to_string(),
        Holder::Server(name) => name.to_string(),
        Holder::Ca => record.certificate().map(|c| c.subject.to_string()).unwrap_or_default(),
    }
}

fn already_revoked(record: &Record) -> RegistryError {
    let holder = holder(record);
    match record.revoked {
        Some((since, reason)) => RegistryError::AlreadyRevoked {
            serial: record.serial.clone(),
            holder,
            since: since.date().to_string(),
            reason: reason.name(),
        },
        // It was not when it was read.
        None => RegistryError::Conflict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    #[test]
    fn crl_numbers_grow() {
        let dir = tempfile::tempdir().unwrap();
        let mut registry = Registry::open(&dir.path().join("r.sqlite"), NOW).unwrap();
        let numbers: Vec<u64> =
            (0..3).map(|_| registry.next_crl_number("root", &[], 1, NOW).unwrap()).collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert_eq!(registry.next_crl_number("line", &[], 1, NOW).unwrap(), 1);
        let of_the_same_name = ["root".to_owned()];
        assert_eq!(registry.next_crl_number("line", &of_the_same_name, 1, NOW).unwrap(), 4);
    }
}
