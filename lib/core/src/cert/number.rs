//! Serial numbers as people and other programs write them.

use super::Serial;
use crate::crypto::unhex;

impl Serial {
    /// Reads a serial number in hex, with or without colons or `0x`, in any case; at most 20 bytes
    /// (RFC 5280, 4.1.2.2).
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.strip_prefix("0x").unwrap_or(text).replace(':', "");
        if digits.is_empty() || digits.len() > 40 {
            return None;
        }
        let padded = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits };
        let mut octets = unhex(padded)?;
        // An INTEGER of DER has no more zeros in front than it needs …
        let zeros = octets.iter().take_while(|b| **b == 0).count().min(octets.len() - 1);
        octets.drain(..zeros);
        // … and one if its top bit would be a sign.
        if octets[0] >= 0x80 {
            octets.insert(0, 0);
        }
        Some(Self::from_octets(&octets))
    }
}
