//! Ctrl-C: the run finishes what it is making, then ends. A second Ctrl-C ends it at once, which loses
//! nothing either: every run can be killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::STOPPED;

/// A flag that Ctrl-C (or SIGTERM) sets.
pub(crate) fn on_interrupt() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    // If no handler can be installed, Ctrl-C ends the process, which loses nothing either.
    let _ = ctrlc::set_handler(move || {
        if set.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(STOPPED));
        }
    });
    flag
}
