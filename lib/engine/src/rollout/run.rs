//! How a rollout runs.

use std::sync::atomic::AtomicBool;

use time::OffsetDateTime;

use crate::provision::Progress;

/// How a rollout runs.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The time.
    pub now: OffsetDateTime,
    /// Number of worker threads that make devices; at least one is used.
    pub threads: usize,
    /// Ends the run after what is being done.
    pub stop: &'a AtomicBool,
    /// Is told how far the devices are: at which step (`devices`, `register`, `connect`), and how many.
    pub progress: &'a (dyn Fn(&'static str, Progress) + Sync),
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("threads", &self.threads).finish_non_exhaustive()
    }
}
