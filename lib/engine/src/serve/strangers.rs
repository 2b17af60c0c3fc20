//! Addresses that have shown tokens that are none. A client with a token is let in all the same: nobody can shut out a
//! station by guessing from its address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::limits::{STRANGER, STRANGERS, WRONG_TOKENS};

/// Since when, and how many tokens that were none.
#[derive(Debug, Default)]
pub(super) struct Strangers(Mutex<HashMap<IpAddr, (Instant, u32)>>);

impl Strangers {
    /// Counts a token that is none; how long to wait if there were too many from that address.
    pub(super) fn count(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= STRANGERS && !all.contains_key(&address) {
            all.clear();
        }
        let (since, count) = all.entry(address).or_insert((now, 0));
        if now.duration_since(*since) >= STRANGER {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        (*count > WRONG_TOKENS).then(|| STRANGER.saturating_sub(now.duration_since(*since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_so_many_attempts_in_a_minute() {
        let (strangers, start) = (Strangers::default(), Instant::now());
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        for _ in 0..WRONG_TOKENS {
            assert_eq!(strangers.count(one, start), None);
        }
        assert_eq!(
            strangers.count(one, start + Duration::from_secs(20)),
            Some(Duration::from_secs(40))
        );
        assert_eq!(strangers.count(other, start), None);
        assert_eq!(strangers.count(one, start + STRANGER), None);
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let (strangers, start) = (Strangers::default(), Instant::now());
        for number in 0..=u32::try_from(STRANGERS).unwrap() {
            strangers.count(IpAddr::from(number.to_be_bytes()), start);
        }
        assert_eq!(strangers.0.lock().unwrap().len(), 1);
    }
}
