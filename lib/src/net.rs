//! TCP: the first of a host's addresses that answers, and how long to wait before another attempt.
//! Nothing is refused here.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::crypto::fill_random;

/// Connects to the first address that answers; reading and writing get the same time. The error is
/// that of the last address.
pub(crate) fn connect(
    addresses: impl IntoIterator<Item = SocketAddr>,
    timeout: Duration,
) -> io::Result<TcpStream> {
    let mut last = io::Error::from(ErrorKind::NotFound);
    for address in addresses {
        let attempt = TcpStream::connect_timeout(&address, timeout).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(timeout))?;
            stream.set_write_timeout(Some(timeout))?;
            Ok(stream)
        });
        match attempt {
            Ok(stream) => return Ok(stream),
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// Pauses between attempts: each is twice the one before, up to the longest, and a random half of it
/// keeps many clients apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pauses {
    /// After the first attempt.
    pub(crate) first: Duration,
    /// However many there were.
    pub(crate) longest: Duration,
}

impl Pauses {
    /// The pause after the attempt of that number, from 1.
    pub(crate) fn after(&self, attempt: u32) -> Duration {
        self.spread(attempt, random())
    }

    /// `random` is from 0 to 1.
    pub(crate) fn spread(&self, attempt: u32, random: f64) -> Duration {
        let doubled = self.first.saturating_mul(1 << attempt.saturating_sub(1).min(16));
        doubled.min(self.longest).mul_f64(0.5 + random / 2.0)
    }
}

/// A random number from 0 to 1.
pub(crate) fn random() -> f64 {
    let mut octet = [0];
    // Without randomness the pause is only less spread.
    let _ = fill_random(&mut octet);
    f64::from(octet[0]) / 255.0
}

/// The end of a wait that begins now; one without end lasts a century.
pub(crate) fn after(wait: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    Instant::now() + wait.min(CENTURY)
}

/// Waits; false if it is to stop.
pub(crate) fn sleep_until(end: Instant, stop: &AtomicBool) -> bool {
    const GLANCE: Duration = Duration::from_millis(100);
    while !stop.load(Ordering::Relaxed) {
        match end.checked_duration_since(Instant::now()) {
            None | Some(Duration::ZERO) => return true,
            Some(left) => std::thread::sleep(left.min(GLANCE)),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit() {
        let pauses = Pauses { first: Duration::from_millis(200), longest: Duration::from_secs(20) };
        let most: Vec<u128> = (1..=9).map(|n| pauses.spread(n, 1.0).as_millis()).collect();
        assert_eq!(most, [200, 400, 800, 1600, 3200, 6400, 12800, 20000, 20000]);
        assert_eq!(pauses.spread(1, 0.0).as_millis(), 100);
        assert_eq!(pauses.spread(u32::MAX, 0.0).as_millis(), 10_000);
        assert_eq!(pauses.spread(0, 0.0).as_millis(), 100);
        assert!((0.0..=1.0).contains(&random()));
    }

    #[test]
    fn waiting_ends_at_its_time_or_when_told() {
        assert!(after(Duration::MAX) > after(Duration::from_secs(3600)));
        let stop = AtomicBool::new(false);
        assert!(sleep_until(Instant::now(), &stop));
        stop.store(true, Ordering::Relaxed);
        assert!(!sleep_until(Instant::now() + Duration::from_secs(3600), &stop));
    }
}
