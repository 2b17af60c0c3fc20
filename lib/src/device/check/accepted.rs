//! The server's list of accepted CAs (RFC 8446, 4.2.4; RFC 5246, 7.4.4; platform: "MQTT"): our own TLS presents the
//! device's certificate whatever it says, those of devices may not.

use crate::cert::Certificate;
use crate::name::Name;

/// What the list means for the device; none where the server lists nothing.
pub(super) fn note(accepted: &[Vec<u8>], presented: &[Certificate]) -> Option<String> {
    let number = accepted.len();
    let leaf = presented.first().filter(|_| number > 0)?;
    let names: Vec<Name> = accepted.iter().filter_map(|der| Name::from_der(der).ok()).collect();
    let listed = |name: &Name| names.iter().any(|accepted| accepted.matches(name));
    let (all, is) = match number {
        1 => ("1 CA".to_owned(), "it is not"),
        n => (format!("{n} CAs"), "none of them is"),
    };
    let issuers = presented.iter().map(|c| &c.issuer);
    Some(match issuers.into_iter().find(|issuer| listed(issuer)) {
        Some(issuer) => format!("the server lists {all} that it accepts; {issuer} is in the list"),
        None => format!(
            "the server lists {all} that it accepts, and {is} an issuer in the device's chain (its own is {}): c8y-pki \
             presented the certificate all the same, but a device with Java, mbedTLS or OpenSSL may present nothing",
            leaf.issuer
        ),
    })
}
