//! What a CA did before it came here, recorded in one transaction: all of it or nothing.
//!
//! Certificates become rows as if they had been issued here, the newest of a device that is not revoked the live
//! one. What stands here already stays, so that it can be done again.

use std::collections::{BTreeMap, HashMap, HashSet};

use time::OffsetDateTime;

use super::audit::ACCEPT;
use super::database::{Must, Turn, Work as Change};
use super::new_row::{NewRow, issued};
use super::rollback::raise_number;
use super::row::audit_name;
use super::unknown::{add_unknown, entry};
use super::{ForeignSerial, NewRecord, Registry, Result, RowId, Status, foreign, keys, renames};
use crate::cert::Serial;
use crate::crl::{Reason, Revoked};
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
    change: &'a Change<'a>,
    now: OffsetDateTime,
    done: Adopted,
    superseded: Vec<serde_json::Value>,
    /// By date and reason, as an audit row has one of each.
    revoked: BTreeMap<(i64, u8), Vec<serde_json::Value>>,
}

/// A certificate of an issuer that has a row: its row, its DER and whether it is revoked.
type Standing = (RowId, Vec<u8>, bool);

impl Registry {
    /// Takes over what a CA did before it came here. Run again, it adds what is missing.
    ///
    /// Errors: [`RegistryError::KeyTaken`](super::RegistryError::KeyTaken) if somebody else has the CA's key.
    pub fn adopt(&mut self, adoption: &Adoption<'_>, now: OffsetDateTime) -> Result<Adopted> {
        let adoption = &self.with_known(adoption)?;
        let change = self.begin(Turn::Alone)?;
        if let Some(own) = &adoption.own {
            keys::check_free(&change, &[own], None)?;
        }
        let mut work = Work {
            change: &change,
            now,
            done: Adopted::default(),
            superseded: Vec::new(),
            revoked: BTreeMap::new(),
        };
        work.certificates(adoption)?;
        let unknown = work.revocations(adoption)?;
        work.tell()?;
        let mut serials = Vec::new();
        for serial in adoption.serials {
            serials.extend(foreign::keep(&change, adoption.issuer, serial)?);
        }
        let done =
            Adopted { serials: serials.len(), unknown_revocations: unknown.len(), ..work.done };
        if let Some(number) = adoption.number {
            raise_number(&change, adoption.ca, number, now)?;
            if adoption.without_list {
                accept_loss(&change, adoption.ca, number, now)?;
            }
        }
        if done != (Adopted { known: done.known, ..Adopted::default() }) {
            let detail = serde_json::json!({
                "ca": adoption.ca, "issuer": adoption.issuer.to_string(),
                "taken_over": done.certificates, "serials": serials, "unknown": unknown,
            });
            change.append(now, foreign::ADOPT, &detail)?;
        }
        change.commit()?;
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
    fn certificates(&mut self, adoption: &Adoption<'_>) -> Result<()> {
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
        let mut rows = Vec::with_capacity(new.len());
        for (record, is_live) in new.into_iter().zip(live) {
            let status = if is_live { Status::Live } else { Status::Superseded };
            rows.push(NewRow::new(record, adoption.batch, self.now, status));
            let cert = &record.certificate;
            self.done.certificates += usize::from(record.holder.device().is_some());
            self.done.live += usize::from(record.holder.device().is_some() && is_live);
            if !is_live && !revoked.contains_key(&cert.serial) {
                self.superseded.push(audit_name(cert.serial.bytes(), &cert.der));
            }
        }
        let entry = ("issue", issued(adoption.batch, &rows));
        self.change.record(self.now, &rows, &[], &entry)?;
        Ok(())
    }

    /// Which of them are live: of each device the newest that is not revoked. A live one that stands here
    /// already and is older becomes superseded.
    fn live(
        &mut self,
        new: &[&NewRecord],
        revoked: &HashMap<&Serial, &Revoked>,
    ) -> Result<Vec<bool>> {
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
        let mut ends = Vec::new();
        for (folded, index) in newest {
            let here: Option<(i64, i64, Vec<u8>, Vec<u8>)> =
                self.change.first(sql, values![&folded], |r| {
                    Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))
                })?;
            let from = new[index].certificate.not_before.unix_timestamp();
            live[index] = here.as_ref().is_none_or(|(_, not_before, ..)| *not_before < from);
            if let Some((row, _, serial, der)) = here.filter(|_| live[index]) {
                ends.push((row, audit_name(&serial, &der)));
            }
        }
        for (row, name) in ends {
            self.change.end(RowId(row), Must::Live, Status::Superseded, None)?;
            self.superseded.push(name);
        }
        Ok(live)
    }

    /// Revokes what is not revoked yet; how the audit log names what has no row.
    fn revocations(&mut self, adoption: &Adoption<'_>) -> Result<Vec<serde_json::Value>> {
        let mut unknown = Vec::new();
        for revoked in &adoption.revoked {
            let (at, reason) = (revoked.at.unix_timestamp(), revoked.reason as u8);
            let rows = self.standing(adoption.issuer.der(), &revoked.serial)?;
            if rows.is_empty() && add_unknown(self.change, adoption.issuer, revoked)? {
                let bytes = revoked.serial.bytes();
                unknown.push(entry(adoption.issuer.der(), bytes, at, reason));
                self.done.revocations += 1;
            }
            for (row, der, _) in rows.into_iter().filter(|(_, _, is_revoked)| !is_revoked) {
                let end = Some((at, reason));
                self.change.end(row, Must::NotRevoked, Status::Revoked, end)?;
                let name = audit_name(revoked.serial.bytes(), &der);
                self.revoked.entry((at, reason)).or_default().push(name);
                self.done.revocations += 1;
            }
        }
        Ok(unknown)
    }

    /// Tells the audit log how certificates stand.
    fn tell(&mut self) -> Result<()> {
        if !self.superseded.is_empty() {
            let detail = serde_json::json!({ "certificates": self.superseded });
            self.change.append(self.now, "supersede", &detail)?;
        }
        for ((at, reason), certificates) in &self.revoked {
            let reason = Reason::from_code(*reason).unwrap_or(Reason::Unspecified);
            let detail = serde_json::json!({
                "reason": reason.name(), "revoked_at": at, "certificates": certificates,
            });
            self.change.append(self.now, "revoke", &detail)?;
        }
        Ok(())
    }

    fn standing(&self, issuer: &[u8], serial: &Serial) -> Result<Vec<Standing>> {
        let sql = format!(
            "SELECT id, der, status FROM certificate WHERE {} ?1 AND issuer = ?2",
            self.change.of_serial()
        );
        self.change.all(&sql, values![serial.bytes(), issuer], |row| {
            Ok((RowId(row.get(0)?), row.get(1)?, row.text(2)? == Status::Revoked.name()))
        })
    }
}

/// Says that the last list is not at hand, and that this is known.
fn accept_loss(change: &Change<'_>, ca: &str, number: u64, now: OffsetDateTime) -> Result<()> {
    if renames::has_accepted_loss(change, ca, number)? {
        return Ok(());
    }
    let detail = serde_json::json!({ "ca": ca, "number": number, "lost": true, "adopted": true });
    change.append(now, ACCEPT, &detail)?;
    Ok(())
}
