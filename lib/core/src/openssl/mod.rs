//! What `openssl ca` keeps and is told: its database of issued certificates, and configuration files.
//!
//! Text in, values out: nothing here opens a file. [`database`] reads `database.txt` (elsewhere called
//! `index.txt`), [`crl_number`] the file `crlnumber`; `conf` reads configuration files, and `wanted` says
//! what of them has a counterpart here.

pub mod conf;
pub mod database;
pub mod wanted;

use crate::cert::Serial;

/// Reads the file `crlnumber`: the number of the **next** list in hex, as `openssl ca` writes it
/// (openssl-ca(1), option `crlnumber`). Returns the number of the last one.
///
/// Errors: what is wrong with it, as the end of a sentence that begins with the file.
pub fn crl_number(text: &[u8]) -> Result<u64, String> {
    let text = String::from_utf8_lossy(text);
    let digits = text.trim();
    let next = u64::from_str_radix(digits, 16).ok().filter(|n| *n < i64::MAX.unsigned_abs());
    match next {
        Some(next) => Ok(next.saturating_sub(1)),
        None => {
            let shown: String = digits.chars().take(40).collect();
            Err(format!("holds {shown:?}, and not the number of a list in hex, at most 2^63-2"))
        }
    }
}

/// Reads a serial number as `openssl ca` writes it: hex digits, in pairs.
fn serial(text: &str) -> Option<Serial> {
    let is_hex = !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hex { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_number_is_in_hex() {
        assert_eq!(crl_number(b"1000\n"), Ok(0xfff));
        assert_eq!(crl_number(b"01\r\n"), Ok(0));
        assert_eq!(crl_number(b"1F"), Ok(0x1e));
        for bad in ["", "x", "-1", "FFFFFFFFFFFFFFFF", "10 00"] {
            assert!(crl_number(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn serial_numbers_are_hex_and_nothing_else() {
        assert_eq!(serial("1000").map(|s| s.to_string()), Some("1000".to_owned()));
        assert_eq!(serial("FF").map(|s| s.to_string()), Some("00ff".to_owned()));
        for bad in ["", "-01", "0x10", "10:00", "g"] {
            assert_eq!(serial(bad), None, "{bad}");
        }
    }
}
