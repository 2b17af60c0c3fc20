//! What several requests have made at the same time is recorded in one transaction: to make it durable takes as long for
//! one certificate as for many. Who gets the turn records for all who wait for it.

use std::sync::mpsc::{self, Sender, TryRecvError};
use std::sync::{Mutex, MutexGuard, PoisonError};

use time::OffsetDateTime;

use crate::cert::Certificate;
use crate::registry::{NewRecord, Newcomers, OrderRecord, Registry, RegistryError, With};

type Result<T> = std::result::Result<T, RegistryError>;

/// Who waits to be recorded, and whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Together {
    waiting: Mutex<Vec<Waiting>>,
    turn: Mutex<()>,
}

/// A certificate that is to be recorded.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) record: NewRecord,
    /// The name of the run, should it be the first of those that are recorded together.
    pub(super) batch: String,
    pub(super) now: OffsetDateTime,
    /// The CA's certificate and those above it: nothing is recorded once one of them was revoked.
    pub(super) issuers: Vec<Certificate>,
    /// On whose behalf, for the audit log.
    pub(super) by: Option<String>,
    /// For which order: nothing is recorded once it was taken back.
    pub(super) order: Option<OrderRecord>,
}

/// On whose behalf, for which order, and the CA's certificate.
type Row = (Option<String>, Option<String>, Option<Vec<u8>>);

#[derive(Debug)]
struct Waiting {
    entry: Entry,
    answer: Sender<Result<()>>,
}

impl Entry {
    /// What must be the same for all who stand behind one row of the audit log.
    fn row(&self) -> Row {
        let order = self.order.as_ref().map(|order| order.name.clone());
        let issuer = self.issuers.first().map(|issuer| issuer.der().to_vec());
        (self.by.clone(), order, issuer)
    }
}

impl Together {
    /// Records a certificate, with others or alone. An error is that of this one: what cannot be recorded together is
    /// recorded one by one.
    pub(super) fn record(
        &self,
        registry: &Registry,
        certified: &Newcomers,
        entry: Entry,
    ) -> Result<()> {
        let (answer, answered) = mpsc::channel();
        lock(&self.waiting).push(Waiting { entry, answer });
        let _turn = lock(&self.turn);
        loop {
            match answered.try_recv() {
                // By this thread, or by the one that had the turn before.
                Ok(done) => return done,
                Err(TryRecvError::Empty) => self.record_next(registry, certified),
                // That one has panicked: what became of it is looked up.
                Err(TryRecvError::Disconnected) => return Err(RegistryError::Conflict),
            }
        }
    }

    /// Records for the one who has waited longest, and for all who can stand beside.
    fn record_next(&self, registry: &Registry, certified: &Newcomers) {
        let group = self.take_next();
        let entries: Vec<&Entry> = group.iter().map(|one| &one.entry).collect();
        let mut done = record(registry, certified, &entries);
        let one_by_one = group.len() > 1 && done.as_ref().is_err_and(is_of_one);
        for Waiting { entry, answer } in &group {
            let own = match &mut done {
                Ok(()) => Ok(()),
                Err(_) if one_by_one => record(registry, certified, &[entry]),
                // The first one gets it, the others look anew: each would wait again for a database that is gone, and
                // keep the turn meanwhile.
                Err(e) => Err(std::mem::replace(e, RegistryError::Conflict)),
            };
            // The thread that asked is still there: it waits for the turn.
            let _ = answer.send(own);
        }
    }

    fn take_next(&self) -> Vec<Waiting> {
        let mut waiting = lock(&self.waiting);
        let (group, others) = match waiting.first().map(|first| first.entry.row()) {
            None => return Vec::new(),
            Some(row) => waiting.drain(..).partition(|one| one.entry.row() == row),
        };
        *waiting = others;
        group
    }
}

fn record(registry: &Registry, certified: &Newcomers, entries: &[&Entry]) -> Result<()> {
    let Some(first) = entries.first() else { return Ok(()) };
    let records: Vec<&NewRecord> = entries.iter().map(|entry| &entry.record).collect();
    // Those who came later may have the turn first.
    let now = entries.iter().map(|entry| entry.now).max().unwrap_or(first.now);
    let with = With {
        by: first.by.as_deref(),
        order: first.order.as_ref(),
        issuers: &first.issuers,
        ..With::default()
    };
    registry.record_with(&first.batch, now, &records, with, Some(certified))
}

/// Whether an error can be that of one certificate among several.
fn is_of_one(error: &RegistryError) -> bool {
    matches!(
        error,
        RegistryError::Conflict
            | RegistryError::KeyTaken { .. }
            | RegistryError::SerialGiven { .. }
            | RegistryError::Renamed { .. }
            | RegistryError::OrderTakenBack { .. }
            | RegistryError::IssuerRevoked { .. }
    )
}

/// What a thread that panicked has left is whole: entries are put in and taken out.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::cert::{Encoded, Serial};
    use crate::client_id::DeviceId;
    use crate::crypto::sha256;
    use crate::registry::{Holder, NewOrder};

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn entry(id: &str, serial: u8, by: Option<&str>) -> Entry {
        let der = format!("the certificate {serial}").into_bytes();
        let record = NewRecord {
            ca: "line".to_owned(),
            holder: Holder::Device(DeviceId::parse(id).unwrap()),
            certificate: Encoded {
                key_digest: sha256(&der),
                issuer: b"line".to_vec(),
                serial: Serial::from_octets(&[1, serial]),
                not_before: NOW,
                not_after: NOW + Duration::from_secs(60),
                der,
            },
            details: BTreeMap::new(),
            location: None,
            has_key: false,
            bundle: None,
            replaces: None,
            key_from_outside: true,
        };
        let (by, batch) = (by.map(str::to_owned), format!("run-{serial}"));
        Entry { record, batch, now: NOW, issuers: Vec::new(), by, order: None }
    }

    /// All of them wait for one turn; what became of each.
    fn at_once(registry: &Registry, entries: Vec<Entry>) -> Vec<Result<()>> {
        at_once_with(registry, &registry.all_certified().unwrap(), entries)
    }

    fn at_once_with(
        registry: &Registry,
        certified: &Newcomers,
        entries: Vec<Entry>,
    ) -> Vec<Result<()>> {
        let together = &Together::default();
        let turn = lock(&together.turn);
        thread::scope(|scope| {
            let mut threads = Vec::new();
            for entry in entries {
                threads.push(scope.spawn(move || together.record(registry, certified, entry)));
                // In this order.
                while lock(&together.waiting).len() < threads.len() {
                    thread::yield_now();
                }
            }
            drop(turn);
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    fn rows(registry: &Registry) -> Vec<String> {
        let rows = registry.audit(1).unwrap();
        rows.into_iter().map(|row| format!("{} {}", row.action, row.detail)).collect()
    }

    #[test]
    fn who_waits_for_the_same_turn_is_recorded_behind_one_row() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::open(&dir.path().join("r"), NOW).unwrap();
        let before = rows(&registry).len();
        let all = (0..5).map(|n| entry(&format!("gw-{n}"), n, None)).collect();
        assert!(at_once(&registry, all).iter().all(Result::is_ok));
        assert_eq!(rows(&registry).len(), before + 1);
        let counts = registry.device_counts().unwrap();
        assert_eq!(counts["line"], 5);
    }

    #[test]
    fn what_stands_for_others_has_a_row_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::open(&dir.path().join("r"), NOW).unwrap();
        let before = rows(&registry).len();
        let mes = Some("token mes");
        let all = vec![entry("a", 1, mes), entry("b", 2, None), entry("c", 3, mes)];
        assert!(at_once(&registry, all).iter().all(Result::is_ok));
        let rows = &rows(&registry)[before..];
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert!(rows[0].contains("token mes") && !rows[1].contains("token mes"), "{rows:?}");
    }

    #[test]
    fn one_that_is_refused_does_not_stop_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::open(&dir.path().join("r"), NOW).unwrap();
        let all = vec![entry("a", 1, None), entry("a", 2, None), entry("b", 3, None)];
        let done = at_once(&registry, all);
        assert!(done[0].is_ok() && done[2].is_ok(), "{done:?}");
        assert!(matches!(done[1], Err(RegistryError::Conflict)), "{done:?}");
        assert_eq!(registry.history("a").unwrap().len(), 1);
        assert_eq!(registry.history("b").unwrap().len(), 1);
    }

    #[test]
    fn a_registry_that_fails_is_asked_once_for_all_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        let registry = Registry::open(&path, NOW).unwrap();
        let certified = registry.all_certified().unwrap();
        let broken = rusqlite::Connection::open(&path).unwrap();
        broken.execute_batch("ALTER TABLE audit RENAME TO away").unwrap();
        let waiting = vec![entry("a", 1, None), entry("b", 2, None), entry("c", 3, None)];
        let done = at_once_with(&registry, &certified, waiting);
        let look_anew = |done: &Result<()>| matches!(done, Err(RegistryError::Conflict));
        let told = done[0].as_ref().map_err(ToString::to_string);
        assert!(told.is_err_and(|e| e.contains("no such table")), "{done:?}");
        assert!(done[1..].iter().all(look_anew), "{done:?}");
    }

    #[test]
    fn nothing_is_recorded_for_an_order_that_was_taken_back_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let mut registry = Registry::open(&dir.path().join("r"), NOW).unwrap();
        let options = serde_json::json!({});
        let new =
            NewOrder { name: "acme", customer: None, ca: "line", options: &options, list: "l" };
        let order = registry.create_order::<RegistryError>(&new, |_| Ok(()), NOW).unwrap();
        let ordered = |id: &str, n| Entry { order: Some(order.clone()), ..entry(id, n, None) };
        assert!(at_once(&registry, vec![ordered("a", 1)])[0].is_ok());
        registry.take_order_back(&order, NOW).unwrap();
        let done = at_once(&registry, vec![ordered("b", 2), entry("c", 3, None)]);
        assert!(matches!(done[0], Err(RegistryError::OrderTakenBack { .. })), "{done:?}");
        assert!(done[1].is_ok(), "{done:?}");
        assert!(registry.history("b").unwrap().is_empty());
    }
}
