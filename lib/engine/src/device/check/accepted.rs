//! The server's list of accepted CAs (RFC 8446, 4.2.4; RFC 5246, 7.4.4; platform: "MQTT"): our own TLS presents the
//! device's certificate whatever it says, those of devices may not.

use serde::Serialize;

use crate::cert::Certificate;
use crate::name::Name;

/// The CAs that a server says it accepts, held to what the device presents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AcceptedCas {
    /// How many it lists.
    pub number: usize,
    /// The first issuer in the device's chain that is among them; none if the list lacks them all.
    pub listed: Option<String>,
}

/// What the list says; none where the server lists nothing.
pub(super) fn read(accepted: &[Vec<u8>], presented: &[Certificate]) -> Option<AcceptedCas> {
    if accepted.is_empty() {
        return None;
    }
    let names: Vec<Name> = accepted.iter().filter_map(|der| Name::from_der(der).ok()).collect();
    let is_listed = |name: &&Name| names.iter().any(|accepted| accepted.matches(name));
    let issuer = presented.iter().map(|c| &c.issuer).find(is_listed);
    Some(AcceptedCas { number: accepted.len(), listed: issuer.map(ToString::to_string) })
}

impl AcceptedCas {
    /// How long the list is, if it lacks the device's CA.
    pub(super) fn lacks_ours(&self) -> Option<usize> {
        self.listed.is_none().then_some(self.number)
    }

    /// What the list means for the device.
    pub(super) fn note(&self, presented: &[Certificate]) -> Option<String> {
        let leaf = presented.first()?;
        let (all, is) = match self.number {
            1 => ("1 CA".to_owned(), "it is not"),
            n => (format!("{n} CAs"), "none of them is"),
        };
        Some(match &self.listed {
            Some(issuer) => {
                format!("the server lists {all} that it accepts; {issuer} is in the list")
            }
            None => format!(
                "the server lists {all} that it accepts, and {is} an issuer in the device's chain (its own is {}): \
                 c8y-pki presented the certificate in spite of that, but a device with Java, mbedTLS or OpenSSL may present nothing",
                leaf.issuer
            ),
        })
    }
}
