//! What errors of the TLS library mean, in words for people: its own are those of a debugger.

use std::io;

use rustls::{CertificateError, Error, InvalidMessage, PeerIncompatible};

use super::alert_words;
use crate::failure::Underlying;

/// Most bytes of a handshake message that the TLS library reads; it cannot be set.
const MOST_HANDSHAKE: &str = "64 KiB";

/// Whether a handshake message came that is larger than is read.
pub fn is_too_large(error: &Error) -> bool {
    let large =
        [InvalidMessage::HandshakePayloadTooLarge, InvalidMessage::CertificatePayloadTooLarge];
    matches!(error, Error::InvalidMessage(found) if large.contains(found))
}

/// Whether an error of a connection says that the flight of messages of a handshake is larger than is read: the TLS
/// library has no error of its own for it.
pub fn is_full(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.to_string() == "message buffer full")
}

/// Whether the server speaks only versions of TLS that are not spoken here.
pub fn has_no_common_version(error: &PeerIncompatible) -> bool {
    use PeerIncompatible as P;
    matches!(error, P::ServerDoesNotSupportTls12Or13 | P::ServerTlsVersionIsDisabledByOurConfig)
}

/// Whether a server's certificate is refused because it is that of a CA.
pub fn is_of_a_ca(fault: &CertificateError) -> bool {
    // webpki's name of this fault comes in an error of an unknown type.
    matches!(fault, CertificateError::Other(_))
        && format!("{fault:?}").contains("CaUsedAsEndEntity")
}

/// What is said of such a handshake.
pub fn too_large_words() -> String {
    format!(
        "the server sends a handshake larger than {MOST_HANDSHAKE}, which c8y-pki cannot read: usually \
         because its list of accepted CAs is very long"
    )
}

/// A failure of TLS, with our words for it.
pub fn tls_reason(error: Error) -> Underlying {
    Underlying::worded(tls_words(&error), error)
}

/// What failed.
pub fn tls_words(error: &Error) -> String {
    if is_too_large(error) {
        return too_large_words();
    }
    match error {
        Error::InvalidCertificate(fault) => {
            format!("the certificate is refused: {}", certificate_words(fault))
        }
        Error::InvalidMessage(_) => "what came is not a message of TLS".to_owned(),
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "the server sent a message of TLS where it does not belong".to_owned()
        }
        Error::PeerIncompatible(found) if has_no_common_version(found) => {
            "the server speaks neither TLS 1.2 nor TLS 1.3".to_owned()
        }
        Error::PeerIncompatible(_) => {
            "the two sides have no TLS version, cipher or kind of key in common".to_owned()
        }
        Error::PeerMisbehaved(_) => "the server breaks the rules of TLS".to_owned(),
        Error::NoCertificatesPresented => "the server presents no certificate".to_owned(),
        Error::AlertReceived(alert) => {
            format!("the server ended TLS with {}", alert_words(u8::from(*alert)))
        }
        Error::DecryptError => "a message cannot be decrypted".to_owned(),
        Error::EncryptError => "a message cannot be encrypted".to_owned(),
        Error::PeerSentOversizedRecord => "the server sends a record that is too large".to_owned(),
        Error::InconsistentKeys(_) => "the key does not belong to the certificate".to_owned(),
        Error::NoApplicationProtocol => {
            "no application protocol (ALPN) suits both sides".to_owned()
        }
        Error::FailedToGetCurrentTime => "the system gives no time".to_owned(),
        Error::FailedToGetRandomBytes => "the system gives no random numbers".to_owned(),
        Error::InvalidCertRevocationList(_) => "a revocation list cannot be used".to_owned(),
        _ => "the TLS library gives no reason that can be shown".to_owned(),
    }
}

/// What is wrong with a certificate.
pub fn certificate_words(fault: &CertificateError) -> String {
    use CertificateError as E;
    if is_of_a_ca(fault) {
        return "it is the certificate of a CA (CA:TRUE), which is accepted for a server only where exactly this \
                certificate is trusted"
            .to_owned();
    }
    match fault {
        E::BadEncoding => "it cannot be read",
        E::Expired | E::ExpiredContext { .. } => "it has expired",
        E::NotValidYet | E::NotValidYetContext { .. } => "it is not valid yet",
        E::Revoked => "it is revoked",
        E::UnhandledCriticalExtension => "it has a critical extension that is not known here",
        E::UnknownIssuer => "no trusted CA signed it",
        E::UnknownRevocationStatus => "it is not known whether it is revoked",
        E::BadSignature => "its signature is wrong",
        E::NotValidForName | E::NotValidForNameContext { .. } => "it is for another host name",
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            "its extended key usage does not allow this use"
        }
        E::UnsupportedSignatureAlgorithmContext { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "it is signed with an algorithm that is not accepted"
        }
        _ => "it breaks a rule for certificates of servers that the TLS library does not name",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{AlertDescription, InconsistentKeys, PeerIncompatible, PeerMisbehaved};

    #[test]
    fn no_error_shows_what_is_for_debuggers() {
        let certificates = [
            CertificateError::BadEncoding,
            CertificateError::UnknownIssuer,
            CertificateError::BadSignature,
            CertificateError::InvalidPurpose,
            CertificateError::ApplicationVerificationFailure,
            CertificateError::Other(rustls::OtherError(std::sync::Arc::new(
                std::io::Error::other("x"),
            ))),
        ];
        let mut all: Vec<Error> = certificates.map(Error::InvalidCertificate).to_vec();
        all.extend([
            Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge),
            Error::InvalidMessage(InvalidMessage::MissingData("x")),
            Error::InappropriateMessage {
                expect_types: vec![rustls::ContentType::Handshake],
                got_type: rustls::ContentType::Alert,
            },
            Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
            Error::PeerMisbehaved(PeerMisbehaved::InvalidCertCompression),
            Error::AlertReceived(AlertDescription::UnknownCA),
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch),
            Error::General("Custom { x }".to_owned()),
            Error::DecryptError,
        ]);
        for error in all {
            let words = tls_words(&error);
            let shown = ["(\"", "Error(", "Other(", "{ ", "Invalid", "Peer", "::"];
            assert!(!shown.iter().any(|mark| words.contains(mark)), "{words}");
            assert!(words.split(' ').count() > 3, "{words}");
        }
    }
}
