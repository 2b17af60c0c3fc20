//! How far a run is: one line on a terminal (done/total, rate, time left), a line of JSON for each
//! chunk elsewhere.

use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use c8y_pki_engine::provision::Progress;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde_json::json;

use crate::output::Output;
use crate::time_left::Pace;

/// How often a bar is drawn while nothing moves it.
const TICK: Duration = Duration::from_millis(250);

/// The progress of a run.
pub(crate) struct Line {
    output: Output,
    things: &'static str,
    /// For a terminal.
    bar: Option<ProgressBar>,
    pace: Arc<Mutex<Pace>>,
    /// How many were done when a line was written last.
    reported: AtomicUsize,
}

impl Line {
    /// Of devices.
    pub(crate) fn new(output: Output) -> Self {
        Self::of(output, "devices")
    }

    /// Of things with that name; its first word is the name that programs read.
    pub(crate) fn of(output: Output, things: &'static str) -> Self {
        Self::since(Instant::now(), output, things)
    }

    /// The same, for a run that began then.
    fn since(start: Instant, output: Output, things: &'static str) -> Self {
        let pace = Arc::new(Mutex::new(Pace::since(start)));
        let of_bar = Arc::clone(&pace);
        let bar = output.shows_progress().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{state}  {bar:30}") {
                bar.set_style(style.with_key(
                    "state",
                    move |state: &ProgressState, out: &mut dyn Write| {
                        let _ = tell(state, things, &of_bar, out);
                    },
                ));
            }
            // The time goes on also while nothing is done.
            bar.enable_steady_tick(TICK);
            bar
        });
        Self { output, things, bar, pace, reported: AtomicUsize::new(0) }
    }

    /// A bar on a terminal, and nothing elsewhere.
    pub(crate) fn bar_only(output: Output) -> Option<Self> {
        output.shows_progress().then(|| Self::new(output))
    }

    /// Whether it is a bar, which everything may move.
    pub(crate) fn is_bar(&self) -> bool {
        self.bar.is_some()
    }

    pub(crate) fn set(&self, progress: Progress) {
        match &self.bar {
            Some(bar) => {
                bar.set_length(progress.total as u64);
                // What was made and is not recorded yet is work that is done.
                bar.set_position(progress.made.max(progress.done) as u64);
            }
            None => self.report(progress),
        }
    }

    /// A line when more is done. A run of one chunk is over when it is reported, so it is not.
    fn report(&self, Progress { done, total, .. }: Progress) {
        let before = self.reported.load(Ordering::Relaxed);
        if done <= before || (done >= total && before == 0) {
            return;
        }
        self.reported.store(done, Ordering::Relaxed);
        let (rate, left) = told(&self.pace, done as u64, total as u64);
        let thing = self.things.split(' ').next().unwrap_or_default();
        self.output.progress(&json!({
            "done": done,
            "total": total,
            format!("{thing}_per_second"): tenths(rate),
            "seconds_left": tenths(left.as_secs_f64()),
        }));
    }

    /// Does something that writes to the terminal too: the bar is away meanwhile.
    pub(crate) fn aside(&self, write: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// What a bar says. Until something was made there is no rate, and no time that is left.
fn tell(
    state: &ProgressState,
    things: &str,
    pace: &Mutex<Pace>,
    out: &mut dyn Write,
) -> std::fmt::Result {
    let (done, total) = (state.pos(), state.len().unwrap_or_default());
    match (done, total) {
        (_, 0) => write!(out, "{things}: looking at what is there"),
        (0, _) => write!(out, "0/{total} {things}"),
        _ => {
            // The bar's own rate takes long to forget the time in which nothing was made yet.
            let (rate, left) = told(pace, done, total);
            let digits = usize::from(rate < 10.0);
            let left = HumanDuration(left);
            write!(out, "{done}/{total} {things}  {rate:.digits$}/s  {left:#} left")
        }
    }
}

/// How much is done in a second, and the time that the rest takes.
fn told(pace: &Mutex<Pace>, done: u64, total: u64) -> (f64, Duration) {
    pace.lock().unwrap_or_else(PoisonError::into_inner).at(Instant::now(), done, total)
}

/// The progress of a job that has several runs, one after the other.
pub(crate) struct Phases {
    output: Output,
    current: Mutex<Phase>,
}

/// The run that is going on, and when the one before it was heard of last.
struct Phase {
    line: Option<(&'static str, Line)>,
    heard: Instant,
}

impl Phases {
    pub(crate) fn new(output: Output) -> Self {
        Self { output, current: Mutex::new(Phase { line: None, heard: Instant::now() }) }
    }

    /// How far the run of that name is; its things are called that too.
    pub(crate) fn set(&self, name: &'static str, progress: Progress) {
        let mut phase = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, line)) = phase.line.take_if(|(other, _)| *other != name) {
            line.finish();
        }
        let (start, now) = (phase.heard, Instant::now());
        phase
            .line
            .get_or_insert_with(|| (name, Line::since(start, self.output, name)))
            .1
            .set(progress);
        phase.heard = now;
    }

    pub(crate) fn finish(&self) {
        let phase = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, line)) = &phase.line {
            line.finish();
        }
    }
}

/// Progress of work that comes in many small pieces: told now and then.
pub(crate) struct Steady<'p> {
    phases: &'p Phases,
    told: Mutex<Instant>,
}

impl<'p> Steady<'p> {
    /// How long it is quiet.
    const PAUSE: Duration = Duration::from_millis(500);

    pub(crate) fn new(phases: &'p Phases) -> Self {
        Self { phases, told: Mutex::new(Instant::now()) }
    }

    pub(crate) fn set(&self, name: &'static str, done: u64, total: u64) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() < Self::PAUSE {
            return;
        }
        *told = Instant::now();
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        self.phases.set(name, Progress::of(number(done), number(total)));
    }
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
