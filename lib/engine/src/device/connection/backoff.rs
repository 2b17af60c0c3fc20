//! How long to wait before the next attempt, and which failures are worth one: pure policy.

use std::time::Duration;

use crate::failure::{Failure, Fault};
use crate::net::{Pauses, random};

/// Pauses that grow from attempt to attempt: each is twice the one before, up to a limit, and a random
/// half of it keeps apart the devices that were cut off together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    pauses: Pauses,
    failures: u32,
}

impl Default for Backoff {
    /// From one second to one minute.
    fn default() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_secs(60))
    }
}

impl Backoff {
    /// From one pause to another.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { pauses: Pauses { first, longest }, failures: 0 }
    }

    /// The pause after one more failure.
    pub fn pause(&mut self) -> Duration {
        self.pause_by(random())
    }

    /// The same with a random number from 0 to 1 that is given.
    pub fn pause_by(&mut self, random: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.pauses.spread(self.failures, random)
    }

    /// Failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The longest pause. A session that lasted as long was a success.
    pub fn longest(&self) -> Duration {
        self.pauses.longest
    }

    /// Begins with the first pause again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Whether a failed attempt to connect is worth another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prospect {
    /// It passes by itself: a network, a server that is not there.
    Temporary,
    /// Probably not, but overload looks the same ("repeat a few times").
    Doubtful,
    /// It stays so until somebody changes something here.
    Hopeless,
}

impl Prospect {
    /// Of a failed attempt.
    pub fn of(error: &impl Failure) -> Self {
        match error.fault() {
            Fault::Environment | Fault::Unreached | Fault::Busy | Fault::Lost => Self::Temporary,
            Fault::Untrusted | Fault::Closed | Fault::Stranger | Fault::Unclear => Self::Doubtful,
            Fault::Input | Fault::Refusal => Self::Hopeless,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::link::LinkError;
    use super::super::super::mqtt::{MqttError, Waiting};
    use super::super::ConnectionError;
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit_and_begin_again() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u64> = (0..8).map(|_| backoff.pause_by(1.0).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!((backoff.failures(), backoff.pause_by(0.0).as_secs()), (8, 30));
        backoff.reset();
        assert_eq!(backoff.pause_by(0.0), Duration::from_millis(500));
        for _ in 0..100 {
            let pause = Backoff::default().pause();
            assert!((Duration::from_millis(500)..=Duration::from_secs(1)).contains(&pause));
        }
    }

    #[test]
    fn failures_are_told_apart() {
        use Prospect::{Doubtful, Hopeless, Temporary};
        let refused = |code| ConnectionError::Mqtt(MqttError::Refused { code });
        let codes: Vec<Prospect> = (1..=5).map(|code| Prospect::of(&refused(code))).collect();
        assert_eq!(codes, [Hopeless, Hopeless, Temporary, Hopeless, Doubtful]);
        let target = "h:8883".to_owned();
        let nobody = LinkError::NothingListens { target: target.clone() };
        assert_eq!(Prospect::of(&nobody), Temporary);
        let host = LinkError::BadHost { host: target };
        assert_eq!(Prospect::of(&host), Hopeless);
        let alert = LinkError::Alert { alert: super::super::super::Alert::UNKNOWN_CA };
        assert_eq!(Prospect::of(&alert), Doubtful);
        let closed = |waiting| ConnectionError::Mqtt(MqttError::Closed { waiting });
        assert_eq!(Prospect::of(&closed(Waiting::Connack)), Doubtful);
        assert_eq!(Prospect::of(&closed(Waiting::Message)), Temporary);
    }
}
