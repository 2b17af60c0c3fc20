//! What errors of the TLS library mean, in words for people: its own are those of a debugger.

use rustls::{CertificateError, Error, InvalidMessage};

/// Most bytes of a handshake message that the TLS library reads; it cannot be set.
const MOST_HANDSHAKE: &str = "64 KiB";

/// Whether a handshake message came that is larger than is read.
pub(crate) fn is_too_large(error: &Error) -> bool {
    let large =
        [InvalidMessage::HandshakePayloadTooLarge, InvalidMessage::CertificatePayloadTooLarge];
    matches!(error, Error::InvalidMessage(found) if large.contains(found))
}

/// What failed.
pub(crate) fn tls_words(error: &Error) -> String {
    if is_too_large(error) {
        return format!(
            "the server sends a handshake message larger than {MOST_HANDSHAKE}, which c8y-pki cannot read: \
             as a rule its list of accepted CAs is so long"
        );
    }
    match error {
        Error::InvalidCertificate(fault) => {
            format!("the certificate is refused: {}", certificate_words(fault))
        }
        Error::InvalidMessage(_) => "what came is not a message of TLS".to_owned(),
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "the server sent a message of TLS where it does not belong".to_owned()
        }
        Error::PeerIncompatible(_) => {
            "the two sides have no TLS version, cipher or kind of key in common".to_owned()
        }
        Error::PeerMisbehaved(_) => "the server breaks the rules of TLS".to_owned(),
        Error::NoCertificatesPresented => "the server presents no certificate".to_owned(),
        Error::AlertReceived(_) => "the server ended TLS with an alert".to_owned(),
        Error::DecryptError => "a message cannot be decrypted".to_owned(),
        Error::EncryptError => "a message cannot be encrypted".to_owned(),
        Error::PeerSentOversizedRecord => "the server sends a record that is too large".to_owned(),
        Error::InconsistentKeys(_) => "the key does not belong to the certificate".to_owned(),
        Error::NoApplicationProtocol => {
            "no application protocol (ALPN) suits both sides".to_owned()
        }
        Error::FailedToGetCurrentTime => "the system does not tell the time".to_owned(),
        Error::FailedToGetRandomBytes => "the system gives no random numbers".to_owned(),
        Error::InvalidCertRevocationList(_) => "a revocation list cannot be used".to_owned(),
        _ => "the TLS library gives no reason that can be shown".to_owned(),
    }
}

/// What is wrong with a certificate.
pub(crate) fn certificate_words(fault: &CertificateError) -> String {
    use CertificateError as E;
    // webpki's name of this fault comes in an error of an unknown type.
    if matches!(fault, E::Other(_)) && format!("{fault:?}").contains("CaUsedAsEndEntity") {
        return "it is the certificate of a CA (CA:TRUE), which counts for a server only if the truststore \
                holds that very certificate"
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
