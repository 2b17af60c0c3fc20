//! TLS alerts by their names (RFC 8446, 6).

use std::error::Error as StdError;
use std::fmt;
use std::io;

/// An alert with which a server ended TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alert(
    /// Its number.
    pub u8,
);

/// Names of RFC 8446, and of RFC 5246 for TLS 1.2.
const NAMES: [(u8, &str); 27] = [
    (0, "close_notify"),
    (10, "unexpected_message"),
    (20, "bad_record_mac"),
    (22, "record_overflow"),
    (40, "handshake_failure"),
    (41, "no_certificate"),
    (42, "bad_certificate"),
    (43, "unsupported_certificate"),
    (44, "certificate_revoked"),
    (45, "certificate_expired"),
    (46, "certificate_unknown"),
    (47, "illegal_parameter"),
    (48, "unknown_ca"),
    (49, "access_denied"),
    (50, "decode_error"),
    (51, "decrypt_error"),
    (70, "protocol_version"),
    (71, "insufficient_security"),
    (80, "internal_error"),
    (86, "inappropriate_fallback"),
    (90, "user_canceled"),
    (109, "missing_extension"),
    (110, "unsupported_extension"),
    (112, "unrecognized_name"),
    (113, "bad_certificate_status_response"),
    (116, "certificate_required"),
    (120, "no_application_protocol"),
];

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
    /// The server wants a certificate and got none.
    pub const CERTIFICATE_REQUIRED: Self = Self(116);

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
        match NAMES.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "alert {}", self.0),
        }
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
