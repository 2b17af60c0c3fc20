//! How long a run still takes, by what it has done.
//!
//! Some things take long, and not the same time each: an RSA key may be found at once, or after many attempts. So what is
//! left is counted down between two of them, and each moves the expected end the less, the more were done before it.

use std::time::{Duration, Instant};

/// The least that the last things count, so that a run that has become slower is noticed.
const LEAST: f64 = 0.02;

/// How fast a run is, and when it is expected to end.
#[derive(Debug)]
pub(crate) struct Pace {
    start: Instant,
    done: u64,
    /// When the last of them was done, since the start.
    last: f64,
    /// When all will be done, since the start.
    end: Option<f64>,
}

impl Pace {
    /// Of a run that began then.
    pub(crate) fn since(start: Instant) -> Self {
        Self { start, done: 0, last: 0.0, end: None }
    }

    /// How much is done in a second, and the time that the rest takes, at a moment at which so many are done.
    pub(crate) fn at(&mut self, now: Instant, done: u64, total: u64) -> (f64, Duration) {
        let passed = now.saturating_duration_since(self.start).as_secs_f64().max(1e-9);
        if done > self.done {
            let end = passed * total as f64 / done as f64;
            let weight = (2.0 * (done - self.done) as f64 / (done + 1) as f64).clamp(LEAST, 1.0);
            self.end = Some(self.end.map_or(end, |before| before + (end - before) * weight));
            (self.done, self.last) = (done, passed);
        }
        let rate = self.done as f64 / self.last.max(1e-9);
        let left = match self.end {
            _ if done >= total => 0.0,
            Some(end) => (end - passed).max(0.0),
            None => f64::INFINITY,
        };
        (rate, Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When 16 RSA keys of 4096 bits were done by two threads, in seconds.
    const KEYS: [f64; 16] =
        [3.4, 3.5, 3.6, 3.6, 7.0, 6.9, 7.6, 8.0, 10.4, 10.5, 12.9, 13.0, 14.1, 17.2, 17.3, 18.0];

    /// What is said of the time left at each moment, with the mean of all as it was before.
    fn said(moments: &[f64], total: u64) -> (Vec<f64>, Vec<f64>) {
        let start = Instant::now();
        let mut pace = Pace::since(start);
        let of = |(at, seconds): (usize, &f64)| {
            let done = at as u64 + 1;
            let now = start + Duration::from_secs_f64(*seconds);
            let (_, left) = pace.at(now, done, total);
            (left.as_secs_f64(), seconds * (total - done) as f64 / done as f64)
        };
        moments.iter().enumerate().map(of).unzip()
    }

    /// By how much more is left at most than was said before, as a part of that.
    fn rise(lefts: &[f64]) -> f64 {
        lefts.windows(2).map(|pair| (pair[1] - pair[0]) / pair[0]).fold(0.0, f64::max)
    }

    #[test]
    fn the_time_left_does_not_jump_where_things_take_long() {
        let mut moments = KEYS;
        moments.sort_by(f64::total_cmp);
        let (smooth, mean) = said(&moments, 80);
        assert!(rise(&mean) > 0.4 && rise(&smooth) < 0.01, "{mean:?}\n{smooth:?}");
        let (smooth, mean) = (smooth[15], mean[15]);
        assert!((smooth - mean).abs() < 0.1 * mean, "{mean} {smooth}");
    }

    #[test]
    fn it_is_counted_down_while_nothing_is_done() {
        let start = Instant::now();
        let mut pace = Pace::since(start);
        let mut left = |seconds: u64, done| {
            pace.at(start + Duration::from_secs(seconds), done, 10).1.as_secs()
        };
        assert_eq!([left(2, 2), left(3, 2), left(4, 2), left(60, 2)], [8, 7, 6, 0]);
    }

    #[test]
    fn many_at_once_are_believed_and_the_end_is_the_end() {
        let start = Instant::now();
        let mut pace = Pace::since(start);
        let mut at = |seconds: u64, done| pace.at(start + Duration::from_secs(seconds), done, 1000);
        assert_eq!(at(10, 10).1.as_secs(), 990);
        assert_eq!(at(11, 500), (500.0 / 11.0, Duration::from_secs(11)));
        assert_eq!(at(12, 1000).1, Duration::ZERO);
    }
}
