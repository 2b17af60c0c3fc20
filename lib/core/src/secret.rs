//! Secrets that wipe their memory when dropped and never show themselves.

mod strength;

use std::fmt;

use crate::failure::{Failure, Fault, Hint};

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

    /// The password in a file: its first line, without the line end. A byte order mark, which Windows'
    /// editors write, is no part of it.
    ///
    /// Errors: the line is empty, or no text in UTF-8.
    pub fn from_file(bytes: &[u8]) -> Result<Self, NoPassword> {
        let password = Self::from_file_or_empty(bytes)?;
        if password.expose().is_empty() { Err(NoPassword::Empty) } else { Ok(password) }
    }

    /// As [`Password::from_file`], where the password of something that exists may be empty.
    #[doc(hidden)]
    pub fn from_file_or_empty(bytes: &[u8]) -> Result<Self, NoPassword> {
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        // In UTF-16 every other byte of ASCII is zero, so that the line end is cut in two.
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) || line.contains(&0)
        {
            return Err(NoPassword::Utf16);
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        std::str::from_utf8(line).map(Self::new).map_err(|_| NoPassword::NotUtf8)
    }

    /// The text itself. Hand it to a cipher, never to a message.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Java's keystores hold passwords of printable ASCII only.
    #[doc(hidden)]
    pub fn is_ascii(&self) -> bool {
        self.0.bytes().all(|b| (0x20..0x7f).contains(&b))
    }
}

/// Why a file gives no password. Never what stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPassword {
    /// Nothing before the first line end.
    #[error("its first line is empty")]
    Empty,
    /// As Windows PowerShell writes it. It is not read: a password has to be the same on every machine.
    #[error("it is text in UTF-16, and passwords are read as UTF-8")]
    Utf16,
    /// Another encoding.
    #[error("its first line is not UTF-8")]
    NotUtf8,
}

impl NoPassword {
    /// What the user can do about it; `noun` is what the file should hold, as "password".
    pub fn hint_for(self, noun: &str) -> Hint {
        match self {
            Self::Empty => format!("write the {noun} into its first line").into(),
            Self::Utf16 | Self::NotUtf8 => {
                "save it as UTF-8; in Windows PowerShell: Set-Content -Encoding ascii".into()
            }
        }
    }
}

impl Failure for NoPassword {
    fn fault(&self) -> Fault {
        match self {
            Self::Empty | Self::Utf16 | Self::NotUtf8 => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        Some(self.hint_for("password"))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Secret bytes, such as a private key in PKCS#8.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes ownership of secret bytes.
    #[doc(hidden)]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes themselves. Hand them to a cipher or a 0600 file, never to a message.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.0.len())
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
    fn a_password_file_is_utf_8_and_says_why_not() {
        let read = |bytes: &[u8]| Password::from_file(bytes).map(|p| p.expose().to_owned());
        for bytes in [&b"pw"[..], b"pw\n", b"pw\r\nmore", b"\xef\xbb\xbfpw\r\n"] {
            assert_eq!(read(bytes).as_deref(), Ok("pw"), "{bytes:?}");
        }
        assert_eq!(read(b" p w "), Ok(" p w ".to_owned()));
        for empty in [&b""[..], b"\n", b"\r\npw", b"\xef\xbb\xbf\n"] {
            assert_eq!(read(empty), Err(NoPassword::Empty));
            assert_eq!(Password::from_file_or_empty(empty), Ok(Password::new("")));
        }
        for wide in [&b"\xff\xfep\0w\0\r\0\n\0"[..], b"\xfe\xff\0p\0w", b"p\0w\0", b"\0p\0w\0\n"] {
            assert_eq!(read(wide), Err(NoPassword::Utf16), "{wide:?}");
        }
        assert_eq!(read(b"p\xe4ss\n"), Err(NoPassword::NotUtf8));
    }

    #[test]
    fn java_takes_printable_ascii() {
        assert!(Password::new("Secret-01 ~").is_ascii());
        assert!(!Password::new("pässword").is_ascii());
        assert!(!Password::new("tab\there").is_ascii());
    }
}
