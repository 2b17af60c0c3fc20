//! Why certificates are revoked, and what one revocation is.

use std::str::FromStr;

use time::OffsetDateTime;

use crate::cert::Serial;
use crate::failure::{Failure, Fault, Hint};

/// Why a certificate was revoked (RFC 5280, 5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// No reason is given; the extension is then left out.
    Unspecified = 0,
    /// The device's key is known to others.
    KeyCompromise = 1,
    /// The CA's key is known to others.
    CaCompromise = 2,
    /// The subject's name or place in the organisation changed.
    AffiliationChanged = 3,
    /// Another certificate took its place.
    Superseded = 4,
    /// The device is out of service.
    CessationOfOperation = 5,
    /// Suspended.
    CertificateHold = 6,
    /// A privilege in it was taken back.
    PrivilegeWithdrawn = 9,
}

impl Reason {
    /// All reasons with the names of RFC 5280.
    #[doc(hidden)]
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Unspecified, "unspecified"),
        (Self::KeyCompromise, "keyCompromise"),
        (Self::CaCompromise, "cACompromise"),
        (Self::AffiliationChanged, "affiliationChanged"),
        (Self::Superseded, "superseded"),
        (Self::CessationOfOperation, "cessationOfOperation"),
        (Self::CertificateHold, "certificateHold"),
        (Self::PrivilegeWithdrawn, "privilegeWithdrawn"),
    ];

    /// The reasons that a revocation can be given: all but `certificateHold`. A certificate on hold can
    /// come back by a later list, but not at the platform, whose entries are never removed (platform:
    /// "Revocation").
    #[doc(hidden)]
    pub fn offered() -> impl Iterator<Item = (Self, &'static str)> {
        Self::ALL.into_iter().filter(|(reason, _)| *reason != Self::CertificateHold)
    }

    /// The name of RFC 5280.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(r, _)| *r == self).map_or("unspecified", |(_, name)| name)
    }

    /// The reason of that name; case does not matter.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, n)| n.eq_ignore_ascii_case(name)).map(|(reason, _)| *reason)
    }

    /// The reason with that number.
    #[doc(hidden)]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().map(|(r, _)| *r).find(|r| *r as u8 == code)
    }
}

/// No reason has that name.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("there is no reason {0:?} for a revocation")]
pub struct UnknownReason(String);

impl Failure for UnknownReason {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<Hint> {
        let names: Vec<&str> = Reason::offered().map(|(_, name)| name).collect();
        Some(format!("one of {}", names.join(", ")).into())
    }
}

impl FromStr for Reason {
    type Err = UnknownReason;

    /// The same as [`Reason::of_name`].
    fn from_str(name: &str) -> Result<Self, UnknownReason> {
        Self::of_name(name).ok_or_else(|| UnknownReason(name.to_owned()))
    }
}

/// One revoked certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number.
    pub serial: Serial,
    /// When it was revoked.
    pub at: OffsetDateTime,
    /// Why.
    pub reason: Reason,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_names_and_numbers() {
        for (reason, name) in Reason::ALL {
            assert_eq!(Reason::of_name(&name.to_uppercase()), Some(reason));
            assert_eq!(Reason::from_code(reason as u8), Some(reason));
            assert_eq!(name.parse(), Ok(reason));
        }
        let unknown = "stolen".parse::<Reason>().unwrap_err();
        assert_eq!(unknown.to_string(), "there is no reason \"stolen\" for a revocation");
        assert_eq!(Reason::from_code(7), None, "not used (RFC 5280, 5.3.1)");
        assert_eq!(Reason::offered().count(), Reason::ALL.len() - 1);
        assert!(Reason::offered().all(|(reason, _)| reason != Reason::CertificateHold));
    }
}
