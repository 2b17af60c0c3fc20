//! Serial numbers.

use std::fmt;

use crate::crypto::{CryptoError, fill_random, hex};

/// A certificate's serial number: the contents of the INTEGER, big-endian.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial(Vec<u8>);

impl Serial {
    /// 16 random bytes whose top bits are `01`: positive, and always 16 bytes long
    /// (RFC 5280, 4.1.2.2 allows 20).
    #[doc(hidden)]
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[0] = bytes[0] & 0x7f | 0x40;
        Self(bytes.to_vec())
    }

    /// A new serial number with bytes from the system's generator.
    #[doc(hidden)]
    pub fn random() -> Result<Self, CryptoError> {
        let mut bytes = [0; 16];
        fill_random(&mut bytes)?;
        Ok(Self::from_random(bytes))
    }

    /// Contents bytes of the INTEGER as they stand in a certificate.
    #[doc(hidden)]
    pub fn from_octets(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// In decimal, for numbers that count; hex with `0x` if it is longer than 16 bytes.
    #[doc(hidden)]
    pub fn to_decimal(&self) -> String {
        let significant = &self.0[self.0.iter().take_while(|b| **b == 0).count()..];
        match significant.len() {
            0..=16 => significant.iter().fold(0u128, |n, b| n << 8 | u128::from(*b)).to_string(),
            _ => format!("0x{self}"),
        }
    }

    /// The contents bytes of the INTEGER.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Serial {
    /// Lower-case hexadecimal, two digits a byte.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}
