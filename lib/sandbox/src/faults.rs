//! Faults on purpose: a share of the answers goes wrong, so that a client can be seen to cope.
//!
//! Whether a request is hit depends on its number and the seed alone, so a run that sends the same
//! requests in the same order meets the same faults. Refused: shares below 0, above 1, or that add
//! up to more than 1.

use std::str::FromStr;
use std::time::Duration;

use super::SandboxError;
use crate::failure;

/// Which share of the answers goes wrong, and how. Written as `0.2` (evenly over all kinds),
/// `0.2,seed=7`, or kind by kind as `503=0.1,429=0.05,slow=0.02,cut=0.02,drop=0.05,seed=7`.
///
/// | kind | what happens |
/// | --- | --- |
/// | `503` | nothing is done, the answer is 503 |
/// | `429` | nothing is done, the answer is 429 with `Retry-After` 0 or 1 |
/// | `slow` | it is done, the answer comes 0.3 to 1 s late |
/// | `cut` | it is done, the connection ends after half of the answer |
/// | `drop` | it is done, the connection ends without an answer |
///
/// And for a share of the connections over MQTT, which a number alone does not touch:
///
/// | kind | what happens to a CONNECT |
/// | --- | --- |
/// | `connack3` | it is refused with CONNACK 3, server unavailable |
/// | `connack5` | it is refused with CONNACK 5, as by a platform that is overloaded |
/// | `late` | it is accepted; CONNACK 5 comes in place of the first answer after that, and the end |
/// | `silent` | nothing is answered |
/// | `close` | the connection ends without an answer |
///
/// And by a word alone, for every connection over MQTT from then on (the last one: for all of TLS, and only
/// from the start):
///
/// | word | what happens in the handshake |
/// | --- | --- |
/// | `large-ca-list` | the list of accepted CAs makes it larger than 64 KB (TLS 1.2) |
/// | `foreign-ca-list` | the list of accepted CAs has none of the uploaded ones |
/// | `tls-alert` | a chain that is not accepted is refused with an alert (certificate_expired, certificate_revoked, unknown_ca), not with CONNACK 5 |
/// | `self-signed` | the server's certificate signed itself and has CA:TRUE |
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Faults {
    /// In the order of [`KINDS`].
    shares: [f64; 5],
    /// In the order of [`MQTT_KINDS`].
    mqtt: [f64; 5],
    seed: u64,
    pub(super) tls: TlsFaults,
}

/// What is wrong with a description of faults.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultsError {
    /// Not a number from 0 to 1.
    #[error("{0:?} is no share from 0 to 1")]
    Share(String),
    /// Not a number that chance begins with.
    #[error("{0:?} is no whole number")]
    Seed(String),
    /// No kind of fault.
    #[error("{kind:?} is not one of {}", [KINDS, MQTT_KINDS].concat().join(", "))]
    Kind {
        /// What was written.
        kind: String,
    },
    /// Shares that are more than all.
    #[error("its shares add up to {0}, more than 1")]
    Sum(f64),
}

impl failure::Failure for FaultsError {
    fn fault(&self) -> failure::Fault {
        failure::Fault::Input
    }

    fn hint(&self) -> Option<failure::Hint> {
        Some("write it like 0.2,seed=7 or 503=0.1,drop=0.05".into())
    }
}

/// What goes wrong in handshakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct TlsFaults {
    pub(super) large_list: bool,
    pub(super) foreign_list: bool,
    pub(super) alert: bool,
    pub(super) self_signed: bool,
}

impl TlsFaults {
    const NONE: Self =
        Self { large_list: false, foreign_list: false, alert: false, self_signed: false };

    /// What a word switches on.
    fn named(&mut self, word: &str) -> Option<&mut bool> {
        Some(match word {
            "large-ca-list" => &mut self.large_list,
            "foreign-ca-list" => &mut self.foreign_list,
            "tls-alert" => &mut self.alert,
            "self-signed" => &mut self.self_signed,
            _ => return None,
        })
    }
}

const KINDS: [&str; 5] = ["503", "429", "slow", "cut", "drop"];
const MQTT_KINDS: [&str; 5] = ["connack3", "connack5", "late", "silent", "close"];

/// What befalls one connection over MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MqttFault {
    Unavailable,
    Overloaded,
    Late,
    Silent,
    Close,
}

impl MqttFault {
    const ALL: [Self; 5] =
        [Self::Unavailable, Self::Overloaded, Self::Late, Self::Silent, Self::Close];

    /// Its name in the list of connections.
    pub(super) fn name(self) -> &'static str {
        let place = Self::ALL.iter().position(|fault| *fault == self).unwrap_or_default();
        MQTT_KINDS[place]
    }
}

/// What befalls one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Unavailable,
    TooMany { retry_after: u8 },
    Slow(Duration),
    Cut,
    Drop,
}

impl Fault {
    /// Its name in the list of connections.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "503",
            Self::TooMany { .. } => "429",
            Self::Slow(_) => "slow",
            Self::Cut => "cut",
            Self::Drop => "drop",
        }
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::none()
    }
}

impl Faults {
    /// No faults.
    #[doc(hidden)]
    pub fn none() -> Self {
        Self { shares: [0.0; 5], mqtt: [0.0; 5], seed: 0, tls: TlsFaults::NONE }
    }

    /// The share of all answers of REST that goes wrong, each kind as often as the others. A share outside
    /// 0 to 1 is taken as the nearer end.
    #[doc(hidden)]
    pub fn evenly(share: f64, seed: u64) -> Self {
        let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        Self { shares: [share / 5.0; 5], seed, ..Self::none() }
    }

    /// Whether any answer can go wrong.
    #[doc(hidden)]
    pub fn any(&self) -> bool {
        self.shares.iter().chain(&self.mqtt).any(|share| *share > 0.0)
            || self.tls != TlsFaults::NONE
    }

    /// What befalls the request of that number.
    pub(super) fn draw(&self, number: u64) -> Option<Fault> {
        let bits = mix(self.seed ^ mix(number));
        let kind = place(&self.shares, unit(bits))?;
        let more = mix(bits);
        Some(match kind {
            0 => Fault::Unavailable,
            1 => Fault::TooMany { retry_after: u8::from(more & 1 == 1) },
            2 => Fault::Slow(Duration::from_millis(300 + more % 700)),
            3 => Fault::Cut,
            _ => Fault::Drop,
        })
    }

    /// What befalls the connection over MQTT of that number.
    pub(super) fn draw_mqtt(&self, number: u64) -> Option<MqttFault> {
        let kind = place(&self.mqtt, unit(mix(self.seed ^ mix(number))))?;
        MqttFault::ALL.get(kind).copied()
    }
}

/// Which of the shares a number from 0 to 1 falls into, if into any.
fn place(shares: &[f64], drawn: f64) -> Option<usize> {
    let mut bound = 0.0;
    shares.iter().position(|share| {
        bound += share;
        drawn < bound
    })
}

/// SplitMix64: every number gets one that looks like chance.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// From 0 up to, and without, 1.
fn unit(bits: u64) -> f64 {
    const STEPS: f64 = (1u32 << 31) as f64;
    let high = u32::try_from(bits >> 33).unwrap_or_default();
    f64::from(high) / STEPS
}

impl FromStr for Faults {
    type Err = SandboxError;

    fn from_str(text: &str) -> Result<Self, SandboxError> {
        let refuse = |reason: FaultsError| SandboxError::Faults { text: text.to_owned(), reason };
        let mut faults = Self::none();
        for part in text.split(',').map(str::trim) {
            let Some((kind, value)) = part.split_once('=') else {
                if let Some(on) = faults.tls.named(part) {
                    *on = true;
                    continue;
                }
                faults.shares = Self::evenly(share(part).map_err(refuse)?, 0).shares;
                continue;
            };
            if kind == "seed" {
                let seed = value.parse();
                faults.seed = seed.map_err(|_| refuse(FaultsError::Seed(value.to_owned())))?;
                continue;
            }
            let place = |kinds: &[&str]| kinds.iter().position(|k| *k == kind);
            match (place(&KINDS), place(&MQTT_KINDS)) {
                (Some(place), _) => faults.shares[place] = share(value).map_err(refuse)?,
                (_, Some(place)) => faults.mqtt[place] = share(value).map_err(refuse)?,
                _ => {
                    return Err(refuse(FaultsError::Kind { kind: kind.to_owned() }));
                }
            }
        }
        for shares in [faults.shares, faults.mqtt] {
            let sum: f64 = shares.iter().sum();
            if sum > 1.0 + 1e-9 {
                return Err(refuse(FaultsError::Sum(sum)));
            }
        }
        Ok(faults)
    }
}

fn share(text: &str) -> Result<f64, FaultsError> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(FaultsError::Share(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_forms() {
        assert_eq!("0.2,seed=7".parse::<Faults>().unwrap(), Faults::evenly(0.2, 7));
        assert_eq!("0.2".parse::<Faults>().unwrap(), Faults::evenly(0.2, 0));
        let faults: Faults =
            "503=0.1, 429=0.05,slow=0.02,cut=0.02,drop=0.05,seed=7".parse().unwrap();
        let shares = [0.1, 0.05, 0.02, 0.02, 0.05];
        assert_eq!(faults, Faults { shares, seed: 7, ..Faults::none() });
        let faults: Faults = "tls-alert,0.1".parse().unwrap();
        assert!(faults.tls.alert && !faults.tls.self_signed && faults.any());
        let faults: Faults = "connack5=0.5,late=0.5".parse().unwrap();
        assert_eq!(faults, Faults { mqtt: [0.0, 0.5, 0.5, 0.0, 0.0], ..Faults::none() });
        for bad in
            ["", "2", "-0.1", "x=0.1", "503=1,429=0.5", "connack5=1,close=0.1", "seed=x", "nan"]
        {
            let error = bad.parse::<Faults>().unwrap_err();
            assert!(error.to_string().contains(&format!("{bad:?}")), "{error}");
        }
    }

    #[test]
    fn the_same_seed_hits_the_same_requests_in_the_share_asked_for() {
        let drawn = |seed| -> Vec<_> {
            (0..10_000).map(|n| Faults::evenly(0.2, seed).draw(n).map(Fault::name)).collect()
        };
        let first = drawn(7);
        assert_eq!(first, drawn(7));
        assert_ne!(first, drawn(8));
        let hit = first.iter().flatten().count();
        assert!((1800..2200).contains(&hit), "{hit}");
        for kind in KINDS {
            let of_kind = first.iter().flatten().filter(|k| **k == kind).count();
            assert!((300..500).contains(&of_kind), "{kind}: {of_kind}");
        }
        let mqtt: Faults = "connack3=0.3,close=0.2,seed=7".parse().unwrap();
        let hit: Vec<_> = (0..10_000).filter_map(|n| mqtt.draw_mqtt(n)).map(|f| f.name()).collect();
        for (name, share) in [("connack3", 2800..3200), ("close", 1800..2200), ("late", 0..1)] {
            let number = hit.iter().filter(|hit| **hit == name).count();
            assert!(share.contains(&number), "{name}: {number}");
        }
        assert!((0..1000).all(|n| mqtt.draw(n).is_none()));
        assert!((0..1000).all(|n| Faults::none().draw(n).is_none()));
        assert!((0..1000).all(|n| Faults::evenly(1.0, 3).draw(n).is_some()));
    }
}
