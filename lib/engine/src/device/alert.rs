//! TLS alerts by their names (RFC 8446, 6).

use std::error::Error as StdError;
use std::fmt;
use std::io;

use crate::crypto::{alert_name, alert_words};

/// An alert with which a server ended TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alert(
    /// Its number.
    pub u8,
);

impl Alert {
    /// A handshake that suits nothing to the server.
    pub const HANDSHAKE_FAILURE: Self = Self(40);
    /// The certificate is damaged, or its signature is wrong.
    pub const BAD_CERTIFICATE: Self = Self(42);
    /// The certificate is of a kind that the server does not take.
    pub const UNSUPPORTED_CERTIFICATE: Self = Self(43);
    /// The certificate is revoked.
    pub const CERTIFICATE_REVOKED: Self = Self(44);
    /// The certificate has expired, or is not valid yet.
    pub const CERTIFICATE_EXPIRED: Self = Self(45);
    /// The certificate is refused for another reason.
    pub const CERTIFICATE_UNKNOWN: Self = Self(46);
    /// The server knows no CA that leads to the certificate.
    pub const UNKNOWN_CA: Self = Self(48);
    /// The server's policy.
    pub const ACCESS_DENIED: Self = Self(49);
    /// The signature of the handshake is wrong.
    pub const DECRYPT_ERROR: Self = Self(51);
    /// No version of TLS suits both.
    pub const PROTOCOL_VERSION: Self = Self(70);
    /// What was offered is too weak for the server.
    pub const INSUFFICIENT_SECURITY: Self = Self(71);
    /// Something failed in the server.
    pub const INTERNAL_ERROR: Self = Self(80);
    /// The server has no certificate for the host name.
    pub const UNRECOGNIZED_NAME: Self = Self(112);
    /// The server wants a certificate and got none.
    pub const CERTIFICATE_REQUIRED: Self = Self(116);

    /// Its name with what it means, after "the server ended TLS with".
    pub fn words(self) -> String {
        alert_words(self.0)
    }

    /// The alert in an error of the connection, wherever it hides.
    pub(super) fn in_error(error: &io::Error) -> Option<Self> {
        match tls_error(error)? {
            rustls::Error::AlertReceived(alert) => Some(Self(u8::from(*alert))),
            _ => None,
        }
    }
}

/// The TLS error inside of an I/O error.
pub(super) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    let mut cause: Option<&(dyn StdError + 'static)> = error.get_ref().map(|e| e as _);
    while let Some(e) = cause {
        if let Some(found) = e.downcast_ref() {
            return Some(found);
        }
        cause = match e.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as _),
            None => e.source(),
        };
    }
    None
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&alert_name(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_found_and_named() {
        let tls = rustls::Error::AlertReceived(rustls::AlertDescription::UnknownCA);
        let nested = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls));
        assert_eq!(Alert::in_error(&nested), Some(Alert::UNKNOWN_CA));
        assert_eq!(Alert::UNKNOWN_CA.to_string(), "unknown_ca");
        assert_eq!(Alert(201).to_string(), "alert 201");
        assert_eq!(Alert::in_error(&io::Error::from(io::ErrorKind::UnexpectedEof)), None);
    }
}
