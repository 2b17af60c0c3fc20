//! TLS alerts by their names, and what they mean (RFC 8446, 6.2; RFC 5246, 7.2.2).

/// Number, name, and what the server says with it of itself or of what it was shown.
const ALL: [(u8, &str, &str); 27] = [
    (0, "close_notify", "it closes"),
    (10, "unexpected_message", "it did not expect that message"),
    (20, "bad_record_mac", "what it received was changed on the way"),
    (22, "record_overflow", "it received a record that is too large"),
    (
        40,
        "handshake_failure",
        "it finds no TLS settings that both sides have, or a certificate is missing",
    ),
    (41, "no_certificate", "a certificate is missing"),
    (42, "bad_certificate", "it cannot use the certificate, or does not trust it"),
    (43, "unsupported_certificate", "it does not take a certificate of this kind, or for this use"),
    (44, "certificate_revoked", "the certificate is revoked"),
    (
        45,
        "certificate_expired",
        "according to its clock the certificate has expired or is not valid yet",
    ),
    (46, "certificate_unknown", "it does not accept the certificate and gives no reason"),
    (47, "illegal_parameter", "a value in the handshake is wrong"),
    (48, "unknown_ca", "it knows no CA to which the certificate leads"),
    (49, "access_denied", "the certificate is valid, but access is denied"),
    (50, "decode_error", "it cannot read a message"),
    (51, "decrypt_error", "a signature or a check of the handshake is wrong"),
    (70, "protocol_version", "it takes none of the versions of TLS that were offered"),
    (71, "insufficient_security", "what was offered is not strong enough for it"),
    (80, "internal_error", "something failed on its side"),
    (86, "inappropriate_fallback", "it could speak a later version of TLS"),
    (90, "user_canceled", "somebody ended the handshake"),
    (109, "missing_extension", "it misses a part of the handshake"),
    (110, "unsupported_extension", "it did not ask for a part of the handshake"),
    (112, "unrecognized_name", "it has no certificate for this host name"),
    (
        113,
        "bad_certificate_status_response",
        "it cannot use what was said of a certificate's status",
    ),
    (116, "certificate_required", "it wants a certificate and got none"),
    (120, "no_application_protocol", "it speaks none of the protocols that were offered (ALPN)"),
];

fn find(number: u8) -> Option<(&'static str, &'static str)> {
    ALL.iter().find(|(known, ..)| *known == number).map(|(_, name, meaning)| (*name, *meaning))
}

/// Its name, or its number where it has none.
pub fn alert_name(number: u8) -> String {
    find(number).map_or_else(|| format!("alert {number}"), |(name, _)| name.to_owned())
}

/// Its name, and what it means.
pub fn alert_words(number: u8) -> String {
    match find(number) {
        Some((name, meaning)) => format!("the alert {name}: {meaning}"),
        None => format!("the alert {number}, which has no name"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::AlertDescription;

    #[test]
    fn the_names_are_those_of_the_library() {
        let plain = |text: &str| text.replace('_', "").to_lowercase();
        for (number, name, meaning) in ALL {
            let theirs = format!("{:?}", AlertDescription::from(number));
            let theirs = plain(&theirs).replace("recognised", "recognized");
            assert_eq!(theirs, plain(name), "{number}");
            assert!(!meaning.is_empty() && alert_words(number).contains(name));
        }
        assert_eq!(alert_name(201), "alert 201");
        assert_eq!(alert_words(201), "the alert 201, which has no name");
    }
}
