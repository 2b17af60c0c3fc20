//! Many devices side by side, told in their order.
//!
//! A worker takes a device up to the last step and puts it aside there; when it is due, whichever worker is free
//! looks at it. So the second for which each device is listened to keeps no worker busy.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use super::pace::{Pace, Slots};
use super::{Listening, Report, Stage};

/// Reports that may wait for one of a device before them: a device that does not answer for half a minute must not
/// have those of all others fill the memory.
const MOST_AHEAD: usize = 8192;

/// Checks so many devices; `begin` is given each one's index.
///
/// `told` gets the reports in the order of the indices, in the caller's thread, each as soon as those
/// before it are done. When it says false, no further device is begun.
pub fn many<'c>(
    devices: usize,
    pace: Pace,
    begin: impl Fn(usize) -> Stage<'c> + Sync,
    mut told: impl FnMut(usize, Report) -> bool,
) {
    let pace = pace.within(open_files());
    let shared = Shared {
        state: Mutex::new(State {
            devices,
            room: pace.listening,
            begun: 0,
            told: 0,
            aside: BTreeMap::new(),
            looked_at: 0,
            slots: Slots::new(pace.rate, Instant::now()),
            watched: None,
        }),
        changed: Condvar::new(),
    };
    let (sender, reports) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..pace.parallel.min(devices) {
            let (sender, shared, begin) = (sender.clone(), &shared, &begin);
            scope.spawn(move || shared.work(begin, &sender));
        }
        drop(sender);
        let mut waiting: BTreeMap<usize, Report> = BTreeMap::new();
        let mut due = 0;
        for (index, report) in reports {
            waiting.insert(index, report);
            while let Some(report) = waiting.remove(&due) {
                if !told(due, report) {
                    shared.close();
                    return;
                }
                due += 1;
            }
            shared.tell(due);
        }
    });
}

/// How many files this process may have open; none where nothing limits it.
fn open_files() -> Option<u64> {
    #[cfg(unix)]
    return rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    None
}

/// What the workers share.
struct Shared<'c> {
    state: Mutex<State<'c>>,
    changed: Condvar,
}

struct State<'c> {
    devices: usize,
    /// How many may be listened to at the same time.
    room: usize,
    /// How many have begun.
    begun: usize,
    /// How many were told of.
    told: usize,
    /// Those that are listened to, by the time when they are to be looked at.
    aside: BTreeMap<(Instant, usize), Box<Listening<'c>>>,
    /// Those among them that are being looked at.
    looked_at: usize,
    slots: Slots,
    /// The time for which a worker waits. The others wait to be called, unless they know of an earlier one.
    watched: Option<Instant>,
}

/// What a worker does next.
enum Next<'c> {
    Begin(usize),
    Look(usize, Box<Listening<'c>>),
    /// Nothing before that time, or before something changes.
    Wait(Option<Instant>),
    End,
}

impl<'c> State<'c> {
    fn next(&mut self, now: Instant) -> Next<'c> {
        if let Some(entry) = self.aside.first_entry()
            && entry.key().0 <= now
        {
            let ((_, index), listening) = entry.remove_entry();
            self.looked_at += 1;
            return Next::Look(index, listening);
        }
        let due = self.aside.first_key_value().map(|((due, _), _)| *due);
        if self.begun == self.devices {
            // Who puts one aside comes here again, and waits for it.
            return if due.is_some() { Next::Wait(due) } else { Next::End };
        }
        let has_room = self.aside.len() + self.looked_at < self.room;
        if !has_room || self.begun - self.told >= MOST_AHEAD {
            return Next::Wait(due);
        }
        if self.slots.next() > now {
            return Next::Wait(Some(
                due.map_or(self.slots.next(), |due| due.min(self.slots.next())),
            ));
        }
        self.slots.take(now);
        self.begun += 1;
        Next::Begin(self.begun - 1)
    }
}

impl<'c> Shared<'c> {
    fn state(&self) -> MutexGuard<'_, State<'c>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(
        &self,
        begin: &(impl Fn(usize) -> Stage<'c> + Sync),
        sender: &mpsc::Sender<(usize, Report)>,
    ) {
        loop {
            let (index, stage) = match self.take() {
                Next::Begin(index) => (index, begin(index)),
                Next::Look(index, listening) => {
                    let stage = listening.look();
                    self.state().looked_at -= 1;
                    (index, stage)
                }
                Next::Wait(_) | Next::End => return,
            };
            match stage {
                Stage::Listens(listening) => self.put_aside(index, listening),
                Stage::Ended(report) => {
                    if sender.send((index, *report)).is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Waits for something to do.
    fn take(&self) -> Next<'c> {
        let mut state = self.state();
        loop {
            let now = Instant::now();
            match state.next(now) {
                Next::Wait(Some(until)) if state.watched.is_none_or(|watched| until < watched) => {
                    state.watched = Some(until);
                    let wait = until.saturating_duration_since(now).max(Duration::from_millis(1));
                    let woken = self.changed.wait_timeout(state, wait);
                    state = woken.unwrap_or_else(PoisonError::into_inner).0;
                    // Another may watch for a later time: then two look, which does no harm.
                    state.watched = None;
                }
                Next::Wait(_) => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                next => {
                    // Another one watches now, or ends too.
                    self.changed.notify_one();
                    return next;
                }
            }
        }
    }

    fn put_aside(&self, index: usize, listening: Box<Listening<'c>>) {
        let mut state = self.state();
        let due = listening.due();
        let is_next = state.aside.first_key_value().is_none_or(|((first, _), _)| due < *first);
        state.aside.insert((due, index), listening);
        if is_next {
            // Who watches does so until a later time.
            self.changed.notify_all();
        }
    }

    /// So many were told of.
    fn tell(&self, told: usize) {
        self.state().told = told;
        self.changed.notify_one();
    }

    /// No further device is begun; those that are listened to are left.
    fn close(&self) {
        let left = {
            let mut state = self.state();
            state.devices = state.begun;
            std::mem::take(&mut state.aside)
        };
        self.changed.notify_all();
        left.into_values().for_each(Listening::leave);
    }
}

/// `sample` of the devices, evenly over their list: the same ones each time.
pub fn spread<T>(devices: Vec<T>, sample: Option<usize>) -> Vec<T> {
    let all = devices.len();
    let wanted = sample.unwrap_or(all).min(all);
    let is_taken = |index: usize| index * wanted / all.max(1) != (index + 1) * wanted / all.max(1);
    devices.into_iter().enumerate().filter(|(i, _)| is_taken(*i)).map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::Verdict;
    use super::*;

    fn report(index: usize) -> Report {
        Report {
            device: Some(index.to_string()),
            target: String::new(),
            verdict: Verdict::Connected,
            steps: Vec::new(),
            causes: Vec::new(),
            accepted_cas: None,
            notes: Vec::new(),
            attempts: 1,
            tenant: None,
            platform: None,
        }
    }

    /// The earlier, the slower.
    fn slow(index: usize) -> Stage<'static> {
        std::thread::sleep(Duration::from_millis(20_u64.saturating_sub(index as u64)));
        Stage::Ended(Box::new(report(index)))
    }

    fn pace(parallel: usize) -> Pace {
        Pace { parallel, listening: 1000, rate: None }
    }

    #[test]
    fn the_order_is_that_of_the_list() {
        for (devices, parallel) in [(0, 4), (1, 4), (40, 8), (5, 0)] {
            let mut seen = Vec::new();
            many(devices, pace(parallel), slow, |index, report| {
                assert_eq!(report.device, Some(index.to_string()));
                seen.push(index);
                true
            });
            assert_eq!(seen, (0..devices).collect::<Vec<_>>());
        }
    }

    #[test]
    fn it_ends_when_nobody_wants_to_know_more() {
        let begun = AtomicUsize::new(0);
        let mut seen = 0;
        let check = |index| {
            begun.fetch_add(1, Ordering::Relaxed);
            slow(index)
        };
        many(10_000, pace(2), check, |_, _| {
            seen += 1;
            seen < 3
        });
        assert_eq!(seen, 3);
        assert!(begun.load(Ordering::Relaxed) < 10_000);
    }

    #[test]
    fn samples_are_spread_over_the_list() {
        let taken = |n| spread(('0'..='9').collect(), n).into_iter().collect::<String>();
        assert_eq!(taken(None), "0123456789");
        assert_eq!(taken(Some(3)), "369");
        assert_eq!(taken(Some(1)), "9");
        assert_eq!(taken(Some(0)), "");
        assert_eq!(taken(Some(99)), "0123456789");
        assert!(spread(Vec::<char>::new(), Some(3)).is_empty());
    }
}
