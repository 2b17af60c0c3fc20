//! How long a chain may be: the one place that knows the number and what follows from it.

use std::fmt;
use std::str::FromStr;

use crate::failure::{Failure, Fault, Hint};

/// Why a number cannot be that of the longest chain.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[error("{text:?} is not a length for chains: give a number from {least} to {most}, both ends counted", text = .0, least = LongestChain::LEAST, most = LongestChain::MOST)]
pub struct BadLongestChain(pub String);

impl Failure for BadLongestChain {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<Hint> {
        None
    }
}

/// Most certificates in a chain that a device presents, its own and the uploaded CA counted (platform: "At most
/// 10 certificates in the chain (cloud default; dedicated installations can change it)").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LongestChain(u8);

impl LongestChain {
    /// That of the cloud.
    pub const CLOUD: Self = Self(10);
    /// The smallest number: a device, and the CA that signed it.
    #[doc(hidden)]
    pub const LEAST: u8 = 2;
    /// The largest number that is taken: a guard against a slip of the pen, not a rule of the platform.
    #[doc(hidden)]
    pub const MOST: u8 = 100;

    /// So many certificates, from [`LongestChain::LEAST`] to [`LongestChain::MOST`].
    pub fn new(certificates: u8) -> Result<Self, BadLongestChain> {
        match certificates {
            Self::LEAST..=Self::MOST => Ok(Self(certificates)),
            other => Err(BadLongestChain(other.to_string())),
        }
    }

    /// How many certificates.
    #[doc(hidden)]
    pub fn certificates(self) -> usize {
        self.0.into()
    }

    /// Whether a chain of so many certificates is short enough.
    #[doc(hidden)]
    pub fn takes(self, certificates: usize) -> bool {
        certificates <= self.certificates()
    }

    /// How many certificates may stand between the two ends.
    #[doc(hidden)]
    pub fn between(self) -> u8 {
        self.0.saturating_sub(2)
    }

    /// How many CAs may stand below a CA that has so many above it: one device more has to have its place.
    #[doc(hidden)]
    pub fn room_below(self, above: usize) -> u8 {
        let room = self.certificates().saturating_sub(above.saturating_add(2));
        // No more than MOST, which is a u8.
        u8::try_from(room).unwrap_or(Self::MOST)
    }
}

impl Default for LongestChain {
    /// That of the cloud.
    fn default() -> Self {
        Self::CLOUD
    }
}

impl fmt::Display for LongestChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for LongestChain {
    type Err = BadLongestChain;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse::<u8>().map_err(|_| BadLongestChain(text.to_owned()))?;
        Self::new(number)
    }
}

impl<'de> serde::Deserialize<'de> for LongestChain {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        number.to_string().parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_what_follows_from_them() {
        let longest = |text: &str| text.parse::<LongestChain>();
        assert_eq!(longest("10"), Ok(LongestChain::CLOUD));
        for bad in ["", "0", "1", "101", "256", "-3", "ten", "1e1"] {
            assert_eq!(longest(bad), Err(BadLongestChain(bad.to_owned())));
        }
        let said = longest("1").unwrap_err().to_string();
        assert_eq!(
            said,
            r#""1" is not a length for chains: give a number from 2 to 100, both ends counted"#
        );
        let three = longest("3").unwrap();
        assert!(three.takes(3) && !three.takes(4));
        assert_eq!((three.between(), LongestChain::CLOUD.between()), (1, 8));
        // A root, one CA below it and its device: below that CA no other.
        assert_eq!((three.room_below(0), three.room_below(1), three.room_below(9)), (1, 0, 0));
        assert_eq!(longest("100").unwrap().room_below(0), 98);
    }
}
