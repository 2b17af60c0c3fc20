//! When a run is, what stops it, and to whom it tells how far it is.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use time::OffsetDateTime;

use crate::client_id::DeviceId;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Devices that are issued: recorded, and their files in place.
    pub done: usize,
    /// Devices whose key, certificate and files were made; those that are not issued yet would be lost if the
    /// process was killed, and made anew by the next run.
    pub made: usize,
    /// Devices to be issued in this run.
    pub total: usize,
}

impl Progress {
    /// Of work in which nothing is made before it is done.
    pub fn of(done: usize, total: usize) -> Self {
        Self { done, made: done, total }
    }
}

/// Clock, stop and progress of a run.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The time of the run.
    pub now: OffsetDateTime,
    /// Ends the run after what is being made.
    pub stop: &'a AtomicBool,
    /// Is called at the beginning, with each group of devices that was made, and after each chunk.
    pub progress: &'a (dyn Fn(Progress) + Sync),
    /// Is called after each chunk with its devices that were issued: they are recorded, and their files are in place.
    /// The run goes on when it returns.
    pub issued: &'a (dyn Fn(&[DeviceId]) + Sync),
}

impl Context<'static> {
    /// A run at that time, which nothing stops and that tells nobody how far it is.
    pub fn at(now: OffsetDateTime) -> Self {
        static NEVER: AtomicBool = AtomicBool::new(false);
        Self { now, stop: &NEVER, progress: &|_| {}, issued: &|_| {} }
    }
}

impl Context<'_> {
    /// Whether the run is to end.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("now", &self.now).field("stop", &self.stop).finish()
    }
}
