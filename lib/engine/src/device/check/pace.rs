//! How fast devices are checked side by side.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// Devices that begin to connect in a second where nobody says how many: ours. The platform's documentation names no
/// number; it refuses connections with CONNACK 3 or 5 while it is overloaded (platform: "MQTT").
pub const TENANT_RATE: NonZeroU32 = NonZeroU32::new(100).expect("a constant that is not 0");

/// How far a rate may be caught up with, when a device began late.
const CATCH_UP: Duration = Duration::from_millis(100);

/// How fast devices are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How many connect at the same time: the steps up to the last. Each has a thread.
    pub parallel: usize,
    /// How many are listened to at the same time, which is the last step. None of them has a thread; each has an
    /// open connection.
    pub listening: usize,
    /// How many begin in a second; none for as many as there is room for.
    pub rate: Option<NonZeroU32>,
}

impl Pace {
    /// 32 that connect, 1,000 that are listened to, and the rate that is usual for that host.
    pub fn for_host(host: &str) -> Self {
        Self { parallel: 32, listening: 1000, rate: Self::usual_rate(host) }
    }

    /// [`TENANT_RATE`]; no limit where the host is this computer, where nobody else has to wait.
    pub fn usual_rate(host: &str) -> Option<NonZeroU32> {
        let is_here = match host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => host.eq_ignore_ascii_case("localhost"),
        };
        (!is_here).then_some(TENANT_RATE)
    }

    /// So many connections as the system allows this process, less some for other files.
    pub(super) fn within(mut self, files: Option<u64>) -> Self {
        const OTHERS: usize = 64;
        self.parallel = self.parallel.max(1);
        if let Some(files) = files.and_then(|files| usize::try_from(files).ok()) {
            // A device that connects has its own files open too.
            let left = files.saturating_sub(OTHERS + 2 * self.parallel);
            self.listening = self.listening.min(left);
        }
        self.listening = self.listening.max(1);
        self
    }
}

/// When the next device may begin.
#[derive(Debug)]
pub(super) struct Slots {
    apart: Option<Duration>,
    next: Instant,
}

impl Slots {
    pub(super) fn new(rate: Option<NonZeroU32>, now: Instant) -> Self {
        Self { apart: rate.map(|rate| Duration::from_secs(1) / rate.get()), next: now }
    }

    /// When the next device may begin.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// A device begins.
    pub(super) fn take(&mut self, now: Instant) {
        if let Some(apart) = self.apart {
            let earliest = now.checked_sub(CATCH_UP).unwrap_or(now);
            self.next = self.next.max(earliest) + apart;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_computer_is_connected_to_without_a_limit() {
        for here in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.0.1", "::1"] {
            assert_eq!(Pace::usual_rate(here), None, "{here}");
        }
        for there in ["acme.eu-latest.cumulocity.com", "10.0.0.1", "localhost.example.com", "::2"] {
            assert_eq!(Pace::usual_rate(there), Some(TENANT_RATE), "{there}");
        }
    }

    #[test]
    fn a_process_may_open_fewer_files() {
        let pace = Pace { parallel: 32, listening: 1000, rate: None };
        let listening = |files| pace.within(files).listening;
        assert_eq!(
            [None, Some(1 << 20), Some(1024), Some(10)].map(listening),
            [1000, 1000, 896, 1]
        );
    }

    #[test]
    fn a_rate_holds_also_when_devices_begin_late() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut slots = Slots::new(NonZeroU32::new(100), start);
        // In time, each begins 10 ms after the one before.
        for n in 0..50 {
            assert_eq!(slots.next(), at(10 * n));
            slots.take(at(10 * n + 3));
        }
        // After a second in which none began, only a tenth of it is caught up with.
        let begun = (0..).take_while(|_| {
            let due = slots.next() <= at(1500);
            slots.take(at(1500));
            due
        });
        assert_eq!(begun.count(), 11);
        let mut free = Slots::new(None, start);
        free.take(at(5));
        assert_eq!(free.next(), start);
    }
}
