//! Secrets that wipe their memory when dropped and never show themselves.

mod strength;

use std::fmt;

pub use strength::{ChosenPassword, MIN_CA_PASSWORD, WeakPassword};
use zeroize::Zeroizing;

/// A password, as text. `Debug` prints a placeholder; there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes ownership of the text of a password.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The password in a file: its first line, without the line end. None if that is empty or not
    /// UTF-8. A byte order mark, which Windows' editors write, is no part of it.
    pub fn from_file(bytes: &[u8]) -> Option<Self> {
        Self::from_file_or_empty(bytes).filter(|password| !password.expose().is_empty())
    }

    /// As [`Password::from_file`], where the password of something that exists may be empty.
    pub fn from_file_or_empty(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        std::str::from_utf8(line).ok().map(Self::new)
    }

    /// The text itself. Hand it to a cipher, never to a message.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Java's keystores hold passwords of printable ASCII only.
    pub fn is_ascii(&self) -> bool {
        self.0.bytes().all(|b| (0x20..0x7f).contains(&b))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Secret octets, such as a private key in PKCS#8.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes ownership of secret octets.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The octets themselves. Hand them to a cipher or a 0600 file, never to a message.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} octets)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_holds_no_secret() {
        let shown = format!("{:?} {:?}", Password::new("hunter2"), SecretBytes::new(*b"hunter2"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn java_takes_printable_ascii() {
        assert!(Password::new("Secret-01 ~").is_ascii());
        assert!(!Password::new("pässword").is_ascii());
        assert!(!Password::new("tab\there").is_ascii());
    }
}
