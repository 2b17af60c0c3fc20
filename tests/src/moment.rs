//! Moments in the life of a process at which it is killed: drawn by lot, and by what it was seen to
//! do. `C8Y_PKI_SEED` repeats the draws of a failed test, which has printed its seed.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::fleet::{Fleet, STAGING, State, entries};
use crate::running::Running;

/// Draws by lot (xorshift).
#[derive(Debug)]
pub struct Lot(u64);

impl Lot {
    /// Prints its seed.
    pub fn from_seed() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let given = std::env::var("C8Y_PKI_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| now.map_or(1, |now| now.as_secs()));
        eprintln!("C8Y_PKI_SEED={seed}");
        Self(seed.max(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    ///
    /// # Panics
    ///
    /// When `end` is 0.
    pub fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from((self.0 >> 33) % u64::from(end)).expect("it is below")
    }

    /// A part of `whole`.
    pub fn part(&mut self, whole: Duration) -> Duration {
        whole * self.below(1000) / 1000
    }
}

/// What is waited for before a process is killed.
#[derive(Debug, Clone)]
pub enum Moment {
    /// Its age.
    Age(Duration),
    /// The replacing run is being noted.
    Noted,
    /// A device waits no longer that was left by a killed process.
    Settled(PathBuf),
    /// A device is made in this chunk.
    Made(u32),
    /// The chunk has a journal.
    Sealed(u32),
    /// The registry has changed since.
    Recorded(u32),
    /// The chunk's first device is in place.
    Placed(u32),
}

impl Moment {
    /// Draws one. `whole` is how long a process takes; what waits in `state` may be waited for.
    pub fn draw(lot: &mut Lot, whole: Duration, state: &State, replaces: bool) -> Self {
        let waiting = state.runs.values().flat_map(|remains| &remains.waiting).next();
        if let (Some(path), 0) = (waiting, lot.below(2)) {
            return Self::Settled(path.clone());
        }
        let chunk = lot.below(2);
        match lot.below(if replaces { 8 } else { 7 }) {
            0 => Self::Made(chunk),
            1 => Self::Sealed(chunk),
            2 | 3 => Self::Recorded(chunk),
            4 => Self::Placed(chunk),
            5 => Self::Age(lot.part(whole)),
            6 => Self::Age(lot.part(whole / 8)),
            _ => Self::Noted,
        }
    }
}

/// Watches a process for a moment.
#[derive(Debug)]
pub struct Watch<'a> {
    fleet: &'a Fleet,
    before: &'a State,
    moment: Moment,
    /// The registry when the journal was first seen, and the journal's first device.
    seen: RefCell<Option<([Option<SystemTime>; 2], PathBuf)>>,
}

impl<'a> Watch<'a> {
    /// `before` is how things stood when the process was started.
    pub fn new(fleet: &'a Fleet, before: &'a State, moment: Moment) -> Self {
        Self { fleet, before, moment, seen: RefCell::default() }
    }

    /// Whether it has come.
    pub fn has_come(&self, process: &Running) -> bool {
        let chunk = |number: &u32| Some(self.run()?.join(number.to_string()));
        match &self.moment {
            Moment::Age(age) => process.age() >= *age,
            Moment::Noted => {
                let noted = |path: &PathBuf| path.to_string_lossy().contains("c8y-pki-replacing");
                entries(&self.fleet.out("")).iter().any(noted)
            }
            Moment::Settled(path) => !path.exists(),
            Moment::Made(number) => chunk(number).is_some_and(|dir| !entries(&dir).is_empty()),
            Moment::Sealed(number) => chunk(number).is_some_and(|d| d.join(".journal").exists()),
            Moment::Recorded(number) | Moment::Placed(number) => {
                chunk(number).is_some_and(|dir| self.is_beyond_the_journal(&dir))
            }
        }
    }

    /// The staging directory of the process.
    fn run(&self) -> Option<PathBuf> {
        let known = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.before.runs.contains_key(&name)
        };
        entries(&self.fleet.out(STAGING)).into_iter().find(|path| !known(path))
    }

    fn is_beyond_the_journal(&self, chunk: &Path) -> bool {
        let changed =
            || self.fleet.registry_files().map(|file| fs::metadata(file).ok()?.modified().ok());
        let mut seen = self.seen.borrow_mut();
        if seen.is_none() {
            let Ok(journal) = fs::read_to_string(chunk.join(".journal")) else { return false };
            let Some(first) = journal.split('\t').nth(1) else { return false };
            *seen = Some((changed(), chunk.join(first)));
        }
        let Some((registry, first)) = &*seen else { return false };
        match self.moment {
            Moment::Recorded(_) => *registry != changed(),
            _ => !first.exists(),
        }
    }
}
