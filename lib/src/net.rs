//! TCP: the first of a host's addresses that answers; and how long to wait before trying again. Nothing
//! is refused here.

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

/// The pause after the failed attempt of that number, from 1: it doubles from `first` up to `longest`,
/// and a random half of it keeps many clients apart. `random` is from 0 to 1.
pub(crate) fn pause(first: Duration, longest: Duration, attempt: u32, random: f64) -> Duration {
    let doubled = first.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    doubled.min(longest).mul_f64(0.5 + random / 2.0)
}

/// A random number from 0 to 1.
pub(crate) fn random() -> f64 {
    let mut octet = [0];
    // Without randomness the pause is only less spread.
    let _ = fill_random(&mut octet);
    f64::from(octet[0]) / 255.0
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
        let (first, longest) = (Duration::from_millis(200), Duration::from_secs(20));
        let of = |attempt, random| pause(first, longest, attempt, random).as_millis();
        let pauses: Vec<u128> = (1..=9).map(|n| of(n, 1.0)).collect();
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 6400, 12800, 20000, 20000]);
        assert_eq!((of(1, 0.0), of(0, 0.0)), (100, 100));
        assert_eq!(of(u32::MAX, 0.0), 10_000);
        assert!((0.0..=1.0).contains(&random()));
    }

    #[test]
    fn waiting_ends_at_its_time_or_when_told() {
        let stop = AtomicBool::new(false);
        assert!(sleep_until(Instant::now(), &stop));
        stop.store(true, Ordering::Relaxed);
        assert!(!sleep_until(Instant::now() + Duration::from_secs(3600), &stop));
    }
}
