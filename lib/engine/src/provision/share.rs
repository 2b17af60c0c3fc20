//! A run's share of an order that several stations make: it takes range after range, and holds those that it makes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::error::Result;
use crate::registry::{Hold, OpenShare, OrderRecord, Registry, Taken};

/// How often a run says that it works on its ranges: a third of the time for which it has them.
const HOLD: Duration = Duration::from_secs(10);

/// How often a run looks whether it is to end.
const LOOK: Duration = Duration::from_millis(100);

/// An order that several stations make, each a part of it.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "a closure has none")]
pub struct Share<'a> {
    /// The order. The devices of the run are its list.
    pub order: &'a OrderRecord,
    /// What this station is called.
    pub station: &'a str,
    /// Is called once, when nothing is left for this run but what others have taken.
    pub waits: &'a (dyn Fn(&[OpenShare]) + Sync),
}

/// The share of a run that has begun.
pub(super) struct Shared<'a> {
    share: Share<'a>,
    registry: &'a Registry,
    run: &'a str,
    held: Mutex<Held>,
    /// How many devices it has issued, and how many it will have at most.
    issued: AtomicUsize,
    most: AtomicUsize,
    /// Whether it was told that others are waited for.
    told: AtomicBool,
}

/// What a run has taken.
#[derive(Default)]
struct Held {
    ranges: Vec<Hold>,
    /// For each chunk which range it is of, and whether it is the last of it.
    chunks: HashMap<usize, (Hold, bool)>,
}

impl<'a> Shared<'a> {
    pub(super) fn begin(share: Share<'a>, registry: &'a Registry, run: &'a str) -> Result<Self> {
        registry.share_order(share.order)?;
        let (held, told) = (Mutex::default(), AtomicBool::new(false));
        let (issued, most) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
        Ok(Self { share, registry, run, held, issued, most, told })
    }

    /// So many devices of it were issued.
    pub(super) fn add(&self, issued: usize) {
        self.issued.fetch_add(issued, Ordering::Relaxed);
    }

    /// How many devices it will have issued at most: its own, and what is open. Others make some of these.
    pub(super) fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next range.
    pub(super) fn take(&self) -> Result<Taken> {
        let issued = self.issued.load(Ordering::Relaxed);
        let taken = self.registry.take_range(self.share.order, self.run, self.share.station)?;
        let open = self.registry.open_devices(self.share.order)?;
        self.most.fetch_min(issued + open, Ordering::Relaxed);
        if let Taken::Range(hold, _) = &taken {
            self.held().ranges.push(hold.clone());
        }
        Ok(taken)
    }

    /// There is nothing to make in a range.
    pub(super) fn pass(&self, hold: &Hold) -> Result {
        self.registry.hold_range(hold, true)?;
        self.release(hold);
        Ok(())
    }

    /// A chunk has devices of a range; `last` says that no more of them come.
    pub(super) fn assign(&self, chunk: usize, hold: &Hold, last: bool) {
        self.held().chunks.insert(chunk, (hold.clone(), last));
    }

    /// The range of a chunk that is committed, and whether it is done then.
    pub(super) fn of_chunk(&self, chunk: usize) -> Option<(Hold, bool)> {
        self.held().chunks.remove(&chunk)
    }

    /// A range is done or lost.
    pub(super) fn release(&self, hold: &Hold) {
        self.held().ranges.retain(|held| held != hold);
    }

    /// Nothing is left but what runs have taken: says once which stations those are.
    pub(super) fn wait(&self) -> Result {
        if !self.told.load(Ordering::Relaxed) {
            let mut others = self.registry.open_shares(self.share.order)?;
            others.retain(|share| share.run != self.run);
            if !others.is_empty() && !self.told.swap(true, Ordering::Relaxed) {
                (self.share.waits)(&others);
            }
        }
        Ok(())
    }

    /// Holds what the run has taken until it ends. A server that does not answer is no matter here: what was lost is
    /// found out when it is recorded.
    pub(super) fn hold_until(&self, end: &AtomicBool) {
        let mut last = Instant::now();
        while !end.load(Ordering::Relaxed) {
            sleep(LOOK);
            if last.elapsed() < HOLD {
                continue;
            }
            let ranges = self.held().ranges.clone();
            for hold in ranges {
                let _ = self.registry.hold_range(&hold, false);
            }
            last = Instant::now();
        }
    }

    /// Gives back what is not done, and says which positions of the list have no certificate yet.
    pub(super) fn leave(&self) -> Result<Vec<usize>> {
        self.registry.leave_ranges(self.share.order, self.run)?;
        Ok(self.registry.without_certificate(self.share.order)?)
    }
}
