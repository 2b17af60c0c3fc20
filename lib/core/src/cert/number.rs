//! Serial numbers as people and other programs write them.

use std::str::FromStr;

use super::Serial;
use crate::crypto::unhex;
use crate::failure::{Failure, Fault, Hint};

/// A text that is no serial number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a serial number: 1 to 40 hex digits are, also with colons or 0x")]
pub struct SerialError {
    text: String,
}

impl Failure for SerialError {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<Hint> {
        None
    }
}

impl FromStr for Serial {
    type Err = SerialError;

    /// Reads a serial number in hex, with or without colons or `0x`, in any case; at most 20 bytes
    /// (RFC 5280, 4.1.2.2).
    fn from_str(text: &str) -> Result<Self, SerialError> {
        Self::read(text).ok_or_else(|| SerialError { text: text.to_owned() })
    }
}

impl Serial {
    fn read(text: &str) -> Option<Self> {
        let digits: String = text.strip_prefix("0x").unwrap_or(text).replace(':', "");
        if digits.is_empty() || digits.len() > 40 {
            return None;
        }
        let padded = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits };
        let mut bytes = unhex(padded)?;
        // An INTEGER of DER has no more zeros in front than it needs …
        let zeros = bytes.iter().take_while(|b| **b == 0).count().min(bytes.len() - 1);
        bytes.drain(..zeros);
        // … and one if its top bit would be a sign.
        if bytes[0] >= 0x80 {
            bytes.insert(0, 0);
        }
        Some(Self::from_octets(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_read_as_people_write_them() {
        let bytes = |text: &str| text.parse().map(|serial: Serial| serial.bytes().to_vec());
        assert_eq!(bytes("1000"), Ok(vec![0x10, 0]));
        assert_eq!(bytes("0x4A:0b:FF"), Ok(vec![0x4a, 0x0b, 0xff]));
        assert_eq!(bytes("FF"), Ok(vec![0, 0xff]), "an INTEGER is signed");
        assert_eq!(bytes("abc"), Ok(vec![0x0a, 0xbc]));
        assert_eq!(bytes("0001"), Ok(vec![1]));
        assert_eq!(bytes("00"), Ok(vec![0]));
        for bad in ["", "0x", "gw-1", &"a".repeat(41), "\u{e4}b"] {
            let error = bytes(bad).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{bad:?} is not a serial number")), "{error}");
        }
    }
}
