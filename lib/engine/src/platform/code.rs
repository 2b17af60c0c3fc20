//! A verification code: what a CA's key signs because somebody else asks for it.
//!
//! The same key signs certificates, revocation lists and manifests, so a code has to be told from all of
//! them before it is signed. The platform's are some 150 characters of base64.

use std::fmt;

use crate::ber::{Reader, SEQUENCE, SET};
use crate::failure::{Failure, Fault, Hint};
use crate::manifest::mark::BEGINNINGS;

/// Longest code, in bytes: three times the platform's.
pub const MAX_CODE: usize = 512;

/// Why a text is no verification code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// Nothing.
    #[error("it is empty")]
    Empty,
    /// Too long.
    #[error("it has {0} bytes, and a code has {MAX_CODE} at most")]
    TooLong(usize),
    /// More than one line, or worse. Counted from 1.
    #[error("it has a line end or another control character at byte {0}")]
    Control(usize),
    /// Not ASCII. Counted from 1.
    #[error("it has a character that is not ASCII at byte {0}")]
    NotAscii(usize),
    /// What certificates and revocation lists are.
    #[error("it is a DER value, as what is signed of a certificate or a revocation list")]
    Der,
    /// What a manifest begins with.
    #[error("it begins with {0:?}, as other things do that a CA signs")]
    Begins(&'static str),
}

impl Failure for CodeError {
    fn fault(&self) -> Fault {
        match self {
            Self::Empty
            | Self::TooLong(_)
            | Self::Control(_)
            | Self::NotAscii(_)
            | Self::Der
            | Self::Begins(_) => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        None
    }
}

/// A text that a CA's key may sign to prove that its owner has it: printable ASCII (0x20 to 0x7E) on
/// one line, 1 to [`MAX_CODE`] bytes, no DER, and nothing that begins as another thing that a CA
/// signs ([`crate::manifest::mark`]).
///
/// DER is a SEQUENCE or a SET that the text fills, as everything is that is signed as DER. Its length
/// decides, not its first byte: base64 may begin with `0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationCode(String);

impl VerificationCode {
    /// Takes a text for a code, all of it: a line end has to be gone.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let bytes = text.as_bytes();
        let is_control = |octet: &u8| *octet < 0x20 || *octet == 0x7f;
        if bytes.is_empty() {
            return Err(CodeError::Empty);
        }
        if bytes.len() > MAX_CODE {
            return Err(CodeError::TooLong(bytes.len()));
        }
        if let Some(at) = bytes.iter().position(is_control) {
            return Err(CodeError::Control(at + 1));
        }
        if let Some(at) = bytes.iter().position(|octet| !octet.is_ascii()) {
            return Err(CodeError::NotAscii(at + 1));
        }
        if is_der(bytes) {
            return Err(CodeError::Der);
        }
        let text = text.trim_start_matches(' ');
        match BEGINNINGS.into_iter().find(|beginning| text.starts_with(beginning)) {
            Some(beginning) => Err(CodeError::Begins(beginning)),
            None => Ok(Self(String::from_utf8_lossy(bytes).into_owned())),
        }
    }

    /// The text, whose bytes are signed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VerificationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_der(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    let first = reader.any("a code").ok();
    first.is_some_and(|first| matches!(first.tag, SEQUENCE | SET)) && reader.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> CodeError {
        VerificationCode::parse(text).unwrap_err()
    }

    #[test]
    fn codes_as_the_platform_gives_them_are_taken() {
        let base64 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/".repeat(3);
        for text in [
            "a",
            "0",
            "c8y-verification-code-0123456789",
            "with a space, and ~ and {braces}",
            &base64[..150],
            &"x".repeat(MAX_CODE),
        ] {
            assert_eq!(VerificationCode::parse(text).unwrap().as_str(), text);
        }
        // Any beginning of base64, at any length but the one that its second character says.
        for second in 0x30..0x7b_u8 {
            let text = format!("0{}", char::from(second)) + &"A".repeat(200);
            for length in 2..text.len() {
                let is_der = length == 2 + usize::from(second);
                assert_eq!(VerificationCode::parse(&text[..length]).is_err(), is_der, "{length}");
            }
        }
    }

    #[test]
    fn what_else_a_ca_signs_is_no_code() {
        assert_eq!(refused(""), CodeError::Empty);
        assert_eq!(refused(&"x".repeat(MAX_CODE + 1)), CodeError::TooLong(MAX_CODE + 1));
        for (text, at) in [("code\n", 5), ("\rcode", 1), ("co\tde", 3), ("co\0de", 3), ("\x7f", 1)]
        {
            assert_eq!(refused(text), CodeError::Control(at));
        }
        for text in ["a\u{e9}", "a\u{85}", "a\u{2028}b", "a\u{202e}"] {
            assert_eq!(refused(text), CodeError::NotAscii(2), "{text:?}");
        }
        for text in [format!("0A{}", "x".repeat(65)), format!("1 {}", "y".repeat(32))] {
            assert_eq!(refused(&text), CodeError::Der);
        }
        for beginning in BEGINNINGS {
            for text in [beginning.to_owned(), format!("{beginning}x"), format!("  {beginning}")] {
                assert_eq!(refused(&text), CodeError::Begins(beginning));
            }
        }
    }
}
