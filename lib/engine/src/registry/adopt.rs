//! What a CA did before it came here, recorded in one transaction: all of it or nothing.
//!
//! Certificates become rows as if they had been issued here, the newest of a device that is not revoked the live
//! one. What stands here already stays, so that it can be done again.

use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};
use time::OffsetDateTime;

use super::rollback::{ACCEPT, add_unknown, entry, raise_number};
use super::sqlite::{INSERT, Registry, Result, add_row, begin, conflict_or, database_error};
use super::{ForeignSerial, NewRecord, Status, audit, audit_name, foreign, keys, renames, schema};
use crate::cert::Serial;
use crate::crl::{Reason, Revoked};
use crate::crypto::{hex, sha256};
use crate::name::Name;

/// What is taken over with a CA.
#[derive(Debug, Clone)]
pub struct Adoption<'a> {
    /// Its name in the PKI directory.
    pub ca: &'a str,
    /// Its subject, as its certificate has it.
    pub issuer: &'a Name,
    /// Its own certificate, if that is to be recorded in the same transaction.
    pub own: Option<NewRecord>,
    /// Certificates of devices that it has signed.
    pub certificates: Vec<NewRecord>,
    /// Serial numbers of certificates of which there is no file.
    pub serials: &'a [ForeignSerial],
    /// What it has revoked.
    pub revoked: Vec<Revoked>,
    /// The number of its last list.
    pub number: Option<u64>,
    /// Whether that list is not at hand: what it revokes is known otherwise.
    pub without_list: bool,
    /// The name of the run.
    pub batch: &'a str,
}

/// What was new of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Adopted {
    /// Certificates that were recorded.
    pub certificates: usize,
    /// How many of them are live.
    pub live: usize,
    /// Certificates that were recorded before.
    pub known: usize,
    /// Revocations.
    pub revocations: usize,
    /// Those of them whose certificates are not there.
    pub unknown_revocations: usize,
    /// Serial numbers without a certificate.
    pub serials: usize,
}

/// The transaction, and what it has found and done.
struct Work<'a> {
    connection: &'a Connection,
    now: OffsetDateTime,
    done: Adopted,
    superseded: Vec<serde_json::Value>,
    /// By date and reason, as an audit row has one of each.
    revoked: BTreeMap<(i64, u8), Vec<serde_json::Value>>,
}

/// A certificate of an issuer that has a row: its row, its DER and whether it is revoked.
type Standing = (i64, Vec<u8>, bool);

impl Registry {
    /// Takes over what a CA did before it came here. Run again, it adds what is missing.
    ///
    /// Errors: [`RegistryError::KeyTaken`](super::RegistryError::KeyTaken) if somebody else has the CA's key.
    pub fn adopt(&mut self, adoption: &Adoption<'_>, now: OffsetDateTime) -> Result<Adopted> {
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| conflict_or(&path, &e);
        let adoption = &self.with_known(adoption)?;
        let transaction = begin(self.connection()?, &self.path)?;
        if let Some(own) = &adoption.own {
            keys::check_free(&transaction, &path, &[own], None)?;
        }
        let mut work = Work {
            connection: &transaction,
            now,
            done: Adopted::default(),
            superseded: Vec::new(),
            revoked: BTreeMap::new(),
        };
        work.certificates(adoption).map_err(fail)?;
        let unknown = work.revocations(adoption).map_err(fail)?;
        work.tell().map_err(fail)?;
        let mut serials = Vec::new();
        for serial in adoption.serials {
            serials.extend(foreign::keep(&transaction, adoption.issuer, serial).map_err(fail)?);
        }
        let done =
            Adopted { serials: serials.len(), unknown_revocations: unknown.len(), ..work.done };
        if let Some(number) = adoption.number {
            raise_number(&transaction, adoption.ca, number, now).map_err(fail)?;
            if adoption.without_list {
                accept_loss(&transaction, adoption.ca, number, now).map_err(fail)?;
            }
        }
        if done != (Adopted { known: done.known, ..Adopted::default() }) {
            let detail = serde_json::json!({
                "ca": adoption.ca, "issuer": adoption.issuer.to_string(),
                "taken_over": done.certificates, "serials": serials, "unknown": unknown,
            });
            audit::append(&transaction, now, foreign::ADOPT, &detail).map_err(fail)?;
        }
        transaction.commit().map_err(|e| database_error(&path, &e))?;
        Ok(done)
    }
}

impl Registry {
    /// The same with the revocations that are kept without a certificate: it may be among these.
    fn with_known<'a>(&self, adoption: &Adoption<'a>) -> Result<Adoption<'a>> {
        let mut revoked = adoption.revoked.clone();
        let given: HashSet<Serial> = revoked.iter().map(|one| one.serial.clone()).collect();
        let known = self.unknown_revoked(adoption.issuer)?;
        revoked.extend(known.into_iter().filter(|one| !given.contains(&one.serial)));
        Ok(Adoption { revoked, ..adoption.clone() })
    }
}

impl Work<'_> {
    /// Records certificates that have no row, in one audit row.
    fn certificates(&mut self, adoption: &Adoption<'_>) -> rusqlite::Result<()> {
        let mut new: Vec<&NewRecord> = Vec::new();
        let mut seen = HashSet::new();
        for record in adoption.own.iter().chain(&adoption.certificates) {
            let der = &record.certificate.der;
            if !seen.insert(der.as_slice()) {
                continue;
            }
            let rows = self.standing(&record.certificate.issuer, &record.certificate.serial)?;
            match rows.iter().any(|(_, known, _)| known == der) {
                true => self.done.known += usize::from(record.holder.device().is_some()),
                false => new.push(record),
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        let revoked: HashMap<&Serial, &Revoked> =
            adoption.revoked.iter().map(|r| (&r.serial, r)).collect();
        let live = self.live(&new, &revoked)?;
        let (last, _) = audit::head(self.connection)?;
        let mut as_live = self.connection.prepare_cached(INSERT)?;
        let mut as_former =
            self.connection.prepare_cached(&INSERT.replace("'live'", "'superseded'"))?;
        let mut digests = Vec::with_capacity(new.len() * 32);
        for (record, is_live) in new.iter().zip(live) {
            let insert = if is_live { &mut as_live } else { &mut as_former };
            digests.extend_from_slice(&add_row(
                insert,
                adoption.batch,
                self.now,
                last + 1,
                record,
            )?);
            let cert = &record.certificate;
            self.done.certificates += usize::from(record.holder.device().is_some());
            self.done.live += usize::from(record.holder.device().is_some() && is_live);
            if !is_live && !revoked.contains_key(&cert.serial) {
                self.superseded.push(audit_name(cert.serial.bytes(), &cert.der));
            }
        }
        let detail = serde_json::json!({
            "batch": adoption.batch, "certificates": new.len(), "rows": hex(&sha256(&digests)),
        });
        audit::append(self.connection, self.now, "issue", &detail)?;
        Ok(())
    }

    /// Which of them are live: of each device the newest that is not revoked. A live one that stands here
    /// already and is older becomes superseded.
    fn live(
        &mut self,
        new: &[&NewRecord],
        revoked: &HashMap<&Serial, &Revoked>,
    ) -> rusqlite::Result<Vec<bool>> {
        let mut newest: HashMap<String, usize> = HashMap::new();
        let mut live = vec![false; new.len()];
        for (index, record) in new.iter().enumerate() {
            let is_revoked = revoked.contains_key(&record.certificate.serial);
            let Some(device) = record.holder.device() else {
                live[index] = !is_revoked;
                continue;
            };
            if is_revoked {
                continue;
            }
            let from = |at: usize| new[at].certificate.not_before;
            let best = newest.entry(device.folded()).or_insert(index);
            if from(index) > from(*best) {
                *best = index;
            }
        }
        let sql = "SELECT id, not_before, serial, der FROM certificate
                   WHERE folded_id = ?1 AND status = 'live'";
        let mut query = self.connection.prepare(sql)?;
        let mut ends = Vec::new();
        for (folded, index) in newest {
            let here: Option<(i64, i64, Vec<u8>, Vec<u8>)> = query
                .query_row([&folded], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))
                .optional()?;
            let from = new[index].certificate.not_before.unix_timestamp();
            live[index] = here.as_ref().is_none_or(|(_, not_before, ..)| *not_before < from);
            if let Some((row, _, serial, der)) = here.filter(|_| live[index]) {
                ends.push((row, audit_name(&serial, &der)));
            }
        }
        drop(query);
        for (row, name) in ends {
            let sql = "UPDATE certificate SET status = 'superseded' WHERE id = ?1";
            self.connection.execute(sql, [row])?;
            self.superseded.push(name);
        }
        Ok(live)
    }

    /// Revokes what is not revoked yet; how the audit log names what has no row.
    fn revocations(&mut self, adoption: &Adoption<'_>) -> rusqlite::Result<Vec<serde_json::Value>> {
        let mut unknown = Vec::new();
        for revoked in &adoption.revoked {
            let (at, reason) = (revoked.at.unix_timestamp(), revoked.reason as u8);
            let rows = self.standing(adoption.issuer.der(), &revoked.serial)?;
            if rows.is_empty() && add_unknown(self.connection, adoption.issuer, revoked)? {
                let bytes = revoked.serial.bytes();
                unknown.push(entry(adoption.issuer.der(), bytes, at, reason));
                self.done.revocations += 1;
            }
            for (row, der, _) in rows.into_iter().filter(|(_, _, is_revoked)| !is_revoked) {
                let sql = "UPDATE certificate SET status = 'revoked', revoked_at = ?1, reason = ?2
                           WHERE id = ?3";
                self.connection.prepare_cached(sql)?.execute(params![at, reason, row])?;
                let name = audit_name(revoked.serial.bytes(), &der);
                self.revoked.entry((at, reason)).or_default().push(name);
                self.done.revocations += 1;
            }
        }
        Ok(unknown)
    }

    /// Tells the audit log how certificates stand.
    fn tell(&mut self) -> rusqlite::Result<()> {
        if !self.superseded.is_empty() {
            let detail = serde_json::json!({ "certificates": self.superseded });
            audit::append(self.connection, self.now, "supersede", &detail)?;
        }
        for ((at, reason), certificates) in &self.revoked {
            let reason = Reason::from_code(*reason).unwrap_or(Reason::Unspecified);
            let detail = serde_json::json!({
                "reason": reason.name(), "revoked_at": at, "certificates": certificates,
            });
            audit::append(self.connection, self.now, "revoke", &detail)?;
        }
        Ok(())
    }

    fn standing(&self, issuer: &[u8], serial: &Serial) -> rusqlite::Result<Vec<Standing>> {
        let sql = format!(
            "SELECT id, der, status FROM certificate WHERE {} ?1 AND issuer = ?2",
            schema::OF_SERIAL
        );
        self.connection
            .prepare_cached(&sql)?
            .query_map(params![serial.bytes(), issuer], |row| {
                let status: String = row.get(2)?;
                Ok((row.get(0)?, row.get(1)?, status == Status::Revoked.name()))
            })?
            .collect()
    }
}

/// Says that the last list is not at hand, and that this is known.
fn accept_loss(
    connection: &Connection,
    ca: &str,
    number: u64,
    now: OffsetDateTime,
) -> rusqlite::Result<()> {
    if renames::has_accepted_loss(connection, ca, number)? {
        return Ok(());
    }
    let detail = serde_json::json!({ "ca": ca, "number": number, "lost": true, "adopted": true });
    audit::append(connection, now, ACCEPT, &detail)?;
    Ok(())
}
