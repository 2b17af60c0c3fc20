//! The one-time password with which a device enrols at the platform's own CA (platform: "Bulk
//! registration", `ENROLLMENT_OTP`).

use crate::crypto::{CryptoError, random_password};
use crate::failure::{Failure, Fault, Hint};
use crate::secret::Password;

/// Length of a one-time password, in characters; the platform takes 8 to 32.
pub(super) const OTP_CHARS: usize = 20;

/// Lengths that the platform takes, in characters.
const LENGTHS: std::ops::RangeInclusive<usize> = 8..=32;

/// Why a text is no one-time password. The text itself is in no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OneTimeError {
    /// Too short or too long.
    #[error("it has {0} characters, not 8 to 32")]
    Length(usize),
    /// A quotation mark, which the platform does not take.
    #[error("it contains a '\"'")]
    Quote,
    /// A control character, which no login can hold.
    #[error("it contains a control character")]
    Control,
}

impl Failure for OneTimeError {
    fn fault(&self) -> Fault {
        match self {
            Self::Length(_) | Self::Quote | Self::Control => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        None
    }
}

/// A one-time password: 8 to 32 characters, no `"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTimePassword(Password);

impl OneTimePassword {
    /// Takes one that was chosen elsewhere.
    pub fn parse(text: &str) -> Result<Self, OneTimeError> {
        let length = text.chars().count();
        if !LENGTHS.contains(&length) {
            return Err(OneTimeError::Length(length));
        }
        if text.contains('"') {
            return Err(OneTimeError::Quote);
        }
        if text.chars().any(char::is_control) {
            return Err(OneTimeError::Control);
        }
        Ok(Self(Password::new(text)))
    }

    /// A random one: 20 letters and digits, 116 bits.
    pub fn random() -> Result<Self, CryptoError> {
        random_password(OTP_CHARS).map(Self)
    }

    /// The text itself: for the platform and for a 0600 file, never for a message.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The same as a login's password.
    pub fn password(&self) -> &Password {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_platform_does_not_take_is_refused() {
        use OneTimeError::{Control, Length, Quote};
        let refused = |text: &str| OneTimePassword::parse(text).unwrap_err();
        assert_eq!(refused("1234567"), Length(7));
        assert_eq!(refused(&"x".repeat(33)), Length(33));
        assert_eq!(refused("1234567\""), Quote);
        assert_eq!(refused("1234567\n"), Control);
        // Characters, not bytes.
        assert!(OneTimePassword::parse(&"ä".repeat(32)).is_ok());
        let random = OneTimePassword::random().unwrap();
        assert_eq!(OneTimePassword::parse(random.expose()), Ok(random));
    }
}
